//! Streams of the built binary over real connections (native-api "Client routes"): who is told what, when, and that
//! nobody waits for another.

use std::collections::HashMap;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::{Event, Frame, PATIENCE, PROD, Place, Server, Stream, stream_path, text, until};

fn feature(server: &Server, key: &str, change: Value) -> u64 {
    server.admin().patch(&format!("{PROD}/features/{key}"), &change).expect(200);
    revision(server)
}

fn revision(server: &Server) -> u64 {
    server.client().post("/api/v1/evaluate", &json!({})).expect(200)["revision"].as_u64().expect("a revision")
}

#[test]
fn a_snapshot_comes_first_and_then_only_what_changed_for_this_context() {
    let place = Place::shop();
    let server = place.serve();
    let staff = server.stream(r#"{"email": "bo@shop.example"}"#);
    let guest = server.stream("{}");
    assert!(staff.head.to_lowercase().contains("content-type: text/event-stream"), "{}", staff.head);
    let first = staff.expect("snapshot");
    assert_eq!(first.id, Some(revision(&server)));
    assert_eq!(first.data["revision"], json!(revision(&server)));
    assert_eq!(first.values(), server.values(json!({"email": "bo@shop.example"})));
    assert_eq!(guest.expect("snapshot").values(), server.values(json!({})));

    // The default is not what staff get, so they are told nothing until the greeting changes.
    let dark = feature(&server, "dark_mode", json!({"defaultValue": true}));
    let hello = feature(&server, "greeting", json!({"defaultValue": "Hi"}));
    let update = guest.expect("update");
    assert_eq!(
        (update.id, update.values()),
        (Some(dark), HashMap::from([("dark_mode".into(), json!(true))]))
    );
    for stream in [&guest, &staff] {
        let update = stream.expect("update");
        assert_eq!(
            (update.id, update.values()),
            (Some(hello), HashMap::from([("greeting".into(), json!("Hi"))]))
        );
    }

    server.admin().delete(&format!("{PROD}/features/limit")).expect(204);
    let gone = guest.expect("delete");
    assert_eq!((gone.id, &gone.data["keys"]), (Some(revision(&server)), &json!(["limit"])));
}

#[test]
fn leaving_and_entering_service_is_told_with_what_happened_meanwhile() {
    let place = Place::shop();
    let server = place.serve();
    let stream = server.stream("{}");
    stream.expect("snapshot");
    let admin = server.admin();
    admin.patch(PROD, &json!({"status": "maintenance"})).expect(200);
    assert_eq!(stream.expect("status").data, json!({"status": "maintenance"}));
    assert_eq!(server.client().get(&stream_path("{}")).status, 503);
    admin.patch(&format!("{PROD}/features/greeting"), &json!({"defaultValue": "Back"})).expect(200);
    admin.patch(PROD, &json!({"status": "active"})).expect(200);
    assert_eq!(stream.expect("status").data, json!({"status": "active"}));
    let update = stream.expect("update");
    assert_eq!(update.values(), HashMap::from([("greeting".into(), json!("Back"))]));
    assert_eq!(update.id, Some(revision(&server)));
}

#[test]
fn a_silent_stream_says_that_it_lives() {
    let place = Place::shop();
    let server = place.serve_with(&["--heartbeat", "1"]);
    let stream = server.stream("{}");
    stream.expect("snapshot");
    let opened = Instant::now();
    for beat in 1..=2 {
        assert_eq!(stream.frame(), Some(Frame::Comment("heartbeat".into())));
        assert!(opened.elapsed() >= Duration::from_millis(900 * beat), "too early");
    }
}

#[test]
fn only_who_has_the_current_revision_goes_without_a_snapshot() {
    let place = Place::shop();
    let server = place.serve();
    let open = |id: &str| server.client().stream_with(&stream_path("{}"), &[("Last-Event-ID", id)]);
    let current = revision(&server);
    let stream = open(&current.to_string());
    let next = feature(&server, "greeting", json!({"defaultValue": "Hi"}));
    let update = stream.expect("update");
    assert_eq!((update.id, update.values().len()), (Some(next), 1));
    for id in [current.to_string(), (next + 1).to_string(), "0".into(), "x".into()] {
        assert_eq!(open(&id).expect("snapshot").id, Some(next), "{id}");
    }
    // What a rule says of the time may have changed without a revision.
    let rule = json!({"rules": [{
        "name": "December", "priority": 50, "outcome": {"value": "Merry Christmas"},
        "when": {"attribute": "now", "operator": "after", "value": "2020-12-18T00:00:00Z"},
    }]});
    let clock = feature(&server, "greeting", rule);
    assert_eq!(open(&clock.to_string()).expect("snapshot").values()["greeting"], "Merry Christmas");
}

#[test]
fn a_query_takes_tokens_of_pages_only() {
    let place = Place::shop();
    let server = place.serve();
    let anonymous = server.anonymous();
    let path = |secret: &str| format!("{PROD}/stream?apiKey={secret}");
    anonymous.stream(&path(&place.secrets.client)).expect("snapshot");
    anonymous.get(&path(&place.secrets.server)).expect(403);
    anonymous.get(&path(&place.secrets.admin)).expect(401);
    anonymous.get(&path("alm_env_shop_prod_x")).expect(401);
    anonymous.get(&format!("{PROD}/stream")).expect(401);
    server.bearer(&place.secrets.server).stream(&format!("{PROD}/stream")).expect("snapshot");
    server.client().get("/api/v1/sites/shop/environments/dev/stream").expect(403);
    // Secrets stand in no log.
    for secret in [&place.secrets.client, &place.secrets.server] {
        assert!(!server.log().contains(secret.as_str()));
    }
}

#[test]
fn a_revoked_token_ends_its_streams_at_once_and_no_others() {
    let place = Place::shop();
    let server = place.serve();
    let tokens = format!("{PROD}/tokens");
    let made = server.admin().post(&tokens, &json!({"description": "t", "kind": "client"})).expect(201);
    let revoked = server.bearer(&text(&made["token"])).stream(&stream_path("{}"));
    let other = server.stream("{}");
    revoked.expect("snapshot");
    other.expect("snapshot");
    let begun = Instant::now();
    server.admin().delete(&format!("{tokens}/{}", text(&made["id"]))).expect(204);
    revoked.end();
    assert!(begun.elapsed() < Duration::from_secs(10), "not by the next heartbeat");
    feature(&server, "greeting", json!({"defaultValue": "Hi"}));
    other.expect("update");
    // An environment takes its streams with it.
    server.admin().delete(PROD).expect(204);
    other.end();
}

#[test]
fn two_hundred_streams_are_each_told_their_own_change() {
    let place = Place::shop();
    let server = place.serve();
    // One rule for each user: changing one changes one answer.
    let rules = |changed: Option<usize>| -> Value {
        (0..200)
            .map(|user| {
                let value = if changed == Some(user) { "changed" } else { "as it was" };
                json!({
                    "name": format!("user {user}"), "priority": 50, "outcome": {"value": format!("{user} {value}")},
                    "when": {"attribute": "userId", "operator": "equals", "value": format!("u{user}")},
                })
            })
            .collect()
    };
    feature(&server, "greeting", json!({ "rules": rules(None) }));
    let streams: Vec<Stream> =
        (0..200).map(|user| server.stream(&json!({"userId": format!("u{user}")}).to_string())).collect();
    for (user, stream) in streams.iter().enumerate() {
        assert_eq!(stream.expect("snapshot").values()["greeting"], format!("{user} as it was"));
    }
    let chosen = [0, 17, 99, 199];
    for user in chosen {
        feature(&server, "greeting", json!({ "rules": rules(Some(user)) }));
    }
    let last = feature(&server, "limit", json!({"defaultValue": 9}));
    for (user, stream) in streams.iter().enumerate() {
        let mut heard = Vec::new();
        loop {
            let update = stream.expect("update");
            if update.id == Some(last) {
                assert_eq!(update.values(), HashMap::from([("limit".into(), json!(9))]));
                break;
            }
            heard.push(text(&update.values()["greeting"]));
        }
        // The change, and its taking back when the next one was chosen.
        let mut wanted = Vec::new();
        if chosen.contains(&user) {
            wanted.push(format!("{user} changed"));
            if user != 199 {
                wanted.push(format!("{user} as it was"));
            }
        }
        assert_eq!(heard, wanted, "user {user}");
    }
}

#[test]
fn open_streams_are_counted_and_closed_ones_noticed_by_the_next_heartbeats() {
    let place = Place::shop();
    let server = place.serve_with(&["--heartbeat", "1"]);
    let count = |wanted: &str| {
        let counted =
            || server.anonymous().get("/metrics").text.contains(&format!("\nfeatured_streams {wanted}\n"));
        until(wanted, || counted().then_some(()));
    };
    let streams: Vec<_> = (0..10).map(|_| server.stream("{}")).collect();
    for stream in &streams {
        stream.expect("snapshot");
    }
    count("10");
    drop(streams);
    count("0");
}

#[test]
fn nothing_is_lost_between_the_snapshot_and_the_first_update() {
    let place = Place::shop();
    let server = place.serve();
    let written = AtomicUsize::new(0);
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let admin = server.admin();
            while !enough.load(Ordering::Relaxed) {
                let next = written.load(Ordering::Relaxed) + 1;
                let body = json!({ "defaultValue": next });
                admin.patch(&format!("{PROD}/features/limit"), &body).expect(200);
                written.store(next, Ordering::Relaxed);
            }
        });
        // Some three for each write, so that they open at every moment of one.
        let mut streams = Vec::new();
        until("a hammer", || {
            while streams.len() < 3 * written.load(Ordering::Relaxed) && streams.len() < 150 {
                streams.push(server.stream("{}"));
            }
            (streams.len() >= 150).then_some(())
        });
        enough.store(true, Ordering::Relaxed);
        writer.join().expect("the writer");
        let last = written.load(Ordering::Relaxed);
        for stream in &streams {
            let mut event = stream.expect("snapshot");
            while event.values()["limit"] != json!(last) {
                let next = stream.expect("update");
                assert!(next.id > event.id, "{event:?} before {next:?}");
                let limit = |event: &Event| event.values()["limit"].as_i64();
                assert!(limit(&next) > limit(&event), "{event:?} before {next:?}");
                event = next;
            }
        }
    });
}

#[test]
fn who_does_not_read_keeps_nobody_waiting_and_is_told_the_end_result() {
    let place = Place::shop();
    let server = place.serve();
    let admin = server.admin();
    // More in all than the system's buffers hold.
    let (writes, size) = (60, 240_000);
    let value = |number: usize| json!([number, "x".repeat(size)]);
    let blob = json!({"key": "blob", "type": "JSON", "defaultValue": []});
    admin.post(&format!("{PROD}/features"), &blob).expect(201);
    let mut lazy = server.client().request_stream(&stream_path("{}"), &[]);
    let reader = server.stream("{}");
    reader.expect("snapshot");
    for number in 1..=writes {
        let begun = Instant::now();
        admin.patch(&format!("{PROD}/features/blob"), &json!({ "defaultValue": value(number) })).expect(200);
        assert_eq!(reader.expect("update").values()["blob"][0], json!(number));
        assert!(begun.elapsed() < PATIENCE / 2, "an update took {:?}", begun.elapsed());
    }
    // What it then reads is less than all, and ends with what is true.
    lazy.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let (mut bytes, mut tail, mut buffer) = (0, String::new(), vec![0; 1 << 16]);
    while !tail.contains(&format!("[{writes},\"")) {
        let got = lazy.read(&mut buffer).expect("more of the stream");
        assert!(got > 0, "the stream has ended");
        bytes += got;
        let seen = tail.split_off(tail.len().saturating_sub(100));
        tail = seen + &String::from_utf8_lossy(&buffer[..got]);
    }
    assert!(bytes < writes * size, "it was told everything: {bytes} bytes");
}
