//! What survives: `kill -9` in the midst of writes, and a disk that takes no more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::types::Value as Sql;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::binary::{PROD, Place, Server, until};

/// Computes the chain of the audit trail anew, as the comment in `schema.sql` describes it: every row hashes the one
/// before and all its columns, of the payload its salted digest.
pub fn assert_whole_chain(place: &Place) {
    let conn = place.open();
    let mut statement = conn
        .prepare(
            "SELECT previous, number, at, actor_kind, actor_id, actor, address, site, environment, entity, entity_id,
                    entity_key, action, summary, feature, touched, version, environment_id, revision, digest,
                    salt, payload, hash
               FROM changes ORDER BY number",
        )
        .expect("SQL");
    let mut rows = statement.query([]).expect("rows");
    let (mut last, mut previous) = (0, vec![0; 32]);
    while let Some(row) = rows.next().expect("a row") {
        let blob = |at: usize| row.get::<_, Vec<u8>>(at).expect("bytes");
        last += 1;
        assert_eq!(row.get::<_, i64>(1).expect("a number"), last, "a row is missing");
        assert_eq!(blob(0), previous, "row {last} does not follow the one before");
        let payload: String = row.get(21).expect("a payload");
        let digest = Sha256::new().chain_update(blob(20)).chain_update(payload).finalize();
        assert_eq!(blob(19), digest.as_slice(), "the payload of row {last} is not what it was");
        let mut hasher = Sha256::new();
        for at in 0..20 {
            let bytes = match row.get::<_, Sql>(at).expect("a value") {
                Sql::Null => None,
                Sql::Integer(number) => Some(number.to_be_bytes().to_vec()),
                Sql::Text(text) => Some(text.into_bytes()),
                Sql::Blob(bytes) => Some(bytes),
                Sql::Real(_) => panic!("a number with a fraction"),
            };
            let length = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64 + 1);
            hasher.update(length.to_be_bytes());
            hasher.update(bytes.unwrap_or_default());
        }
        previous = hasher.finalize().to_vec();
        assert_eq!(blob(22), previous, "the hash of row {last} is another");
    }
    let head: (i64, Vec<u8>) = conn
        .query_row("SELECT number, hash FROM chain_head", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("a head");
    assert_eq!(head, (last, previous), "the head is not the last row");
}

/// The file is whole, and so is the trail.
fn assert_sound(place: &Place) {
    let checked = place.run(["check"]).ok();
    assert!(checked.starts_with("ok, "), "{checked}");
    assert_whole_chain(place);
}

/// Writes until the server is gone: new features, and one that counts up. Gives what was acknowledged: the number
/// of features, and the last count.
fn write_until_gone(server: &Server, name: &str, acknowledged: &AtomicUsize) -> (usize, usize) {
    let admin = server.admin();
    let features = format!("{PROD}/features");
    let counter = json!({"key": format!("count-{name}"), "type": "NUMBER", "defaultValue": 0});
    admin.post(&features, &counter).expect(201);
    let counter = format!("{features}/count-{name}");
    let write = |method: &str, path: &str, body: Value| match admin.ask(method, path, Some(&body)) {
        Ok(reply) => {
            assert!(reply.status < 300, "{}", reply.text);
            acknowledged.fetch_add(1, Ordering::Relaxed);
            true
        }
        Err(_) => false,
    };
    let (mut made, mut counted) = (0, 0);
    loop {
        let feature = json!({"key": format!("new-{name}-{made}"), "type": "NUMBER", "defaultValue": made});
        if !write("POST", &features, feature) {
            return (made, counted);
        }
        made += 1;
        if !write("PATCH", &counter, json!({"defaultValue": counted + 1})) {
            return (made, counted);
        }
        counted += 1;
    }
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let place = Place::shop();
    let mut server = place.serve();
    for round in 0..5 {
        let acknowledged = AtomicUsize::new(0);
        let name = |writer: usize| format!("{round}-{writer}");
        let results: Vec<_> = std::thread::scope(|scope| {
            let (server, acknowledged) = (&server, &acknowledged);
            let writing: Vec<_> = (0..3)
                .map(|writer| scope.spawn(move || write_until_gone(server, &name(writer), acknowledged)))
                .collect();
            until("a hammer", || (acknowledged.load(Ordering::Relaxed) > 40).then_some(()));
            // Not always at the same point of a write.
            std::thread::sleep(Duration::from_micros(700 * round));
            server.kill();
            writing.into_iter().map(|writer| writer.join().expect("a writer")).collect()
        });
        server = place.serve();
        let values = server.values(json!({}));
        for (writer, (made, counted)) in results.into_iter().enumerate() {
            for number in 0..made {
                assert_eq!(values[&format!("new-{}-{number}", name(writer))], json!(number));
            }
            // One more may have been written without being told.
            let count = values[&format!("count-{}", name(writer))].as_u64().expect("a count") as usize;
            assert!((counted..=counted + 1).contains(&count), "{count}, acknowledged {counted}");
        }
        assert_sound(&place);
    }
    // Each change of a feature is one row of the trail, and their number the feature's version.
    let gaps = place.number(
        "SELECT count(*) FROM features f WHERE f.version <> (SELECT count(*) FROM changes c WHERE c.feature = f.uuid)",
    );
    assert_eq!(gaps, 0);
}

#[test]
fn an_import_that_is_killed_has_done_everything_or_nothing() {
    const FEATURES: usize = 600;
    let features: Vec<Value> = (0..FEATURES)
        .map(|number| {
            json!({
                "key": format!("f{number}"), "type": "NUMBER", "defaultValue": number,
                "rules": [{"name": "r", "priority": 5, "outcome": {"value": 1}, "when": {"attribute": "a", "operator": "exists"}}],
            })
        })
        .collect();
    let document = json!({"version": 1, "site": {"slug": "big", "name": "Big"}, "environments": [{"name": "prod", "features": features}]});
    let measured = Place::shop();
    let file = measured.file("big.json", &document.to_string());
    let import = |place: &Place| {
        let mut command = place.featured(["import"]);
        command.arg(&file).stdout(std::process::Stdio::null());
        command
    };
    let begun = Instant::now();
    assert!(import(&measured).status().expect("it runs").success());
    let whole = begun.elapsed();
    let mut outcomes = HashMap::new();
    for percent in [30, 50, 70, 80, 90, 95, 98] {
        let place = Place::shop();
        let mut child = import(&place).spawn().expect("it runs");
        std::thread::sleep(whole * percent / 100);
        child.kill().expect("a signal");
        child.wait().expect("a status");
        let found = place.number("SELECT count(*) FROM features f JOIN environments e ON e.id = f.environment_id JOIN sites s ON s.id = e.site_id WHERE s.slug = 'big'");
        assert!([0, FEATURES as i64].contains(&found), "{found} of {FEATURES} features after {percent} %");
        *outcomes.entry(found).or_insert(0) += 1;
        assert_sound(&place);
    }
    assert!(outcomes.contains_key(&0), "none was killed in time: {outcomes:?}");
}

/// A server whose disk can be filled up: no file of its process may grow beyond a size that is set from here. The
/// shell makes it ignore the signal of that limit, so that writes fail as they do on a full disk.
#[cfg(target_os = "linux")]
mod full {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    use super::*;

    fn start(place: &Place) -> Server {
        let featured = place.featured(["--listen", "127.0.0.1:0"]);
        let mut command = std::process::Command::new("sh");
        command
            .args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#])
            .arg(featured.get_program())
            .args(featured.get_args());
        place.start(command)
    }

    fn limit(server: &Server, bytes: Option<u64>) {
        let pid = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
        prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("a limit");
    }

    #[test]
    fn a_full_disk_stops_writes_only_and_is_told_until_there_is_room_again() {
        let place = Place::shop();
        let server = start(&place);
        let admin = server.admin();
        let greet =
            |text: &str| admin.patch(&format!("{PROD}/features/greeting"), &json!({ "defaultValue": text }));
        greet("before").expect(200);
        server.anonymous().get("/readyz").expect(200);
        let stream = server.stream("{}");
        stream.expect("snapshot");

        limit(&server, Some(1));
        for _ in 0..3 {
            let refused = greet("lost");
            assert!(refused.header("retry-after").is_some(), "{refused:?}");
            assert_eq!(refused.expect(503)["error"]["code"], "unavailable");
        }
        let unready = server.anonymous().get("/readyz");
        assert!(unready.header("retry-after").is_some());
        let body = unready.expect(503);
        assert!(body["database"].as_str().is_some_and(|why| why.contains("disk")), "{body}");
        assert!(server.anonymous().get("/metrics").text.contains("featured_database_unwritable 1"));
        // Programs notice nothing.
        server.anonymous().get("/healthz").expect(200);
        assert_eq!(server.values(json!({}))["greeting"], "before");
        let path = crate::binary::stream_path("{}");
        assert_eq!(server.client().stream(&path).expect("snapshot").values()["greeting"], "before");
        let report = json!({"evaluations": [{"featureKey": "limit", "value": 1.5}]});
        assert!(server.client().post("/api/v1/analytics/evaluations", &report).status < 300);
        // Nor do those who only look.
        admin.get("/api/v1/sites").expect(200);

        limit(&server, None);
        until("ready again", || (server.anonymous().get("/readyz").status == 200).then_some(()));
        greet("after").expect(200);
        assert_eq!(stream.expect("update").values()["greeting"], "after");
        assert!(server.anonymous().get("/metrics").text.contains("featured_database_unwritable 0"));
        assert_sound(&place);
    }

    #[test]
    fn a_full_disk_shows_before_anybody_tried_to_write() {
        let place = Place::shop();
        let server = start(&place);
        limit(&server, Some(1));
        until("not ready", || (server.anonymous().get("/readyz").status == 503).then_some(()));
        limit(&server, None);
        until("ready again", || (server.anonymous().get("/readyz").status == 200).then_some(()));
    }

    #[test]
    fn counts_wait_for_room_on_the_disk() {
        let place = Place::shop();
        let server = start(&place);
        limit(&server, Some(1));
        let report = json!({"evaluations": [{"featureKey": "limit", "value": 1.5, "count": 7}]});
        assert!(server.client().post("/api/v1/analytics/evaluations", &report).status < 300);
        let failed = || server.anonymous().get("/metrics").text.contains("featured_database_unwritable 1");
        until("a failed flush", || failed().then_some(()));
        limit(&server, None);
        assert_eq!(server.terminate().code(), Some(0));
        assert_eq!(place.number("SELECT sum(count) FROM evaluation_counts"), 7);
    }
}

#[test]
fn a_server_waits_for_another_process_that_writes_long() {
    let place = Place::shop();
    let server = place.serve();
    let other = place.open();
    other.execute_batch("BEGIN IMMEDIATE").expect("the write lock");
    let waiting = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let path = format!("{PROD}/features/greeting");
            server.admin().patch(&path, &json!({"defaultValue": "late"})).expect(200);
            waiting.store(false, Ordering::Relaxed);
        });
        // Meanwhile evaluation goes on.
        let end = Instant::now() + Duration::from_millis(500);
        while Instant::now() < end {
            assert_eq!(server.values(json!({}))["greeting"], "Hello");
        }
        assert!(waiting.load(Ordering::Relaxed));
        other.execute_batch("COMMIT").expect("the lock back");
    });
    assert_eq!(server.values(json!({}))["greeting"], "late");
}
