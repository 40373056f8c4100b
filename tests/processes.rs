//! Several processes on one file: what one of them writes the others know within a second (native-api "Command
//! line", design §3).

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::{Client, Ended, PROD, Place, SHOP, Server, text, until};

/// Another process writes three times; the server notices each, and at least once within a second. More would be said
/// of a busy machine than of the server.
fn noticed_within_a_second(mut write: impl FnMut(usize), mut noticed: impl FnMut(usize) -> bool) {
    let fastest = (0..3)
        .map(|round| {
            write(round);
            let begun = Instant::now();
            until("another process's change", || noticed(round).then_some(()));
            begun.elapsed()
        })
        .min();
    assert!(fastest < Some(Duration::from_secs(1)), "{fastest:?}");
}

fn value(client: &Client, context: Value, key: &str) -> Value {
    let reply = client.post("/api/v1/evaluate", &json!({ "context": context })).expect(200);
    reply["features"][key]["value"].clone()
}

#[test]
fn an_import_beside_the_server_changes_answers_and_reaches_open_streams() {
    let place = Place::shop();
    let server = place.serve();
    let stream = server.stream("{}");
    stream.expect("snapshot");
    // Answers that are kept must not outlive it.
    assert_eq!(server.values(json!({}))["greeting"], "Hello");
    noticed_within_a_second(
        |round| {
            place.import(&SHOP.replace("defaultValue: Hello", &format!("defaultValue: Hello {round}")));
        },
        |round| server.values(json!({}))["greeting"] == format!("Hello {round}"),
    );
    for round in 0..3 {
        let wanted = HashMap::from([("greeting".into(), json!(format!("Hello {round}")))]);
        assert_eq!(stream.expect("update").values(), wanted);
    }
    Ended::with_input(
        &mut place.featured(["import", "-", "--mode", "replace"]),
        &SHOP.replace("      - {key: greeting, type: STRING, defaultValue: Hello}\n", ""),
    )
    .ok();
    assert_eq!(stream.expect("delete").data["keys"], json!(["greeting"]));
    // Segments are of the whole site.
    place.import(&SHOP.replace("ends_with, value: \"@shop.example\"", "exists"));
    assert!(stream.expect("update").values().contains_key("greeting"));
    until("the new segment", || {
        (value(&server.client(), json!({"email": "x"}), "dark_mode") == true).then_some(())
    });
}

#[test]
fn an_import_that_changes_a_segment_beside_features_is_seen_whole_in_every_environment() {
    let place = Place::shop();
    let document = |staff: &str, hello: &str| {
        let feature = "      - {key: dark_mode, type: BOOLEAN, defaultValue: true}\n";
        let features = format!(
            "      - key: dark_mode
        type: BOOLEAN
        defaultValue: false
        rules:
          - {{name: Staff first, when: {{segment: staff}}, outcome: {{value: true}}}}
      - {{key: hello, type: STRING, defaultValue: {hello}}}
"
        );
        assert!(SHOP.contains(feature));
        SHOP.replace("ends_with, value: \"@shop.example\"", staff).replace(feature, &features)
    };
    place.import(&document("equals, value: nobody", "before"));
    let token = place.token("dev", "client");
    let server = place.serve();
    let dev = server.bearer(&token);
    assert_eq!(value(&dev, json!({"email": "x"}), "dark_mode"), false);
    place.import(&document("exists", "after"));
    until("the import", || (value(&dev, json!({}), "hello") == "after").then_some(()));
    assert_eq!(value(&dev, json!({"email": "x"}), "dark_mode"), true);
}

#[test]
fn a_site_a_token_and_a_user_made_beside_the_server_work() {
    let place = Place::shop();
    let server = place.serve();
    let secret = RefCell::new(String::new());
    noticed_within_a_second(
        |round| {
            let site = format!("shop-{round}");
            place.import(&SHOP.replace("slug: shop", &format!("slug: {site}")));
            let args = ["token", "add", "--site", &site, "--env", "dev", "--kind", "server"];
            *secret.borrow_mut() =
                text(&place.run(args.iter().chain(&["--description", "d", "--json"])).json()["token"]);
        },
        |_| server.bearer(&secret.borrow()).post("/api/v1/evaluate", &json!({})).status == 200,
    );
    assert_eq!(value(&server.bearer(&secret.borrow()), json!({}), "dark_mode"), true);

    place.add_user("bo", "viewer").ok();
    let personal = place.personal_token("bo");
    let viewer = server.bearer(&personal);
    until("the personal token", || (viewer.get("/api/v1/sites").status == 200).then_some(()));
    viewer.post("/api/v1/sites", &json!({"name": "Mine"})).expect(403);
}

#[test]
fn a_token_made_beside_the_server_is_good_at_once_in_every_spelling() {
    let place = Place::shop();
    let server = place.serve();
    let made = |kind: &str| {
        let args = ["token", "add", "--site", "shop", "--env", "prod", "--kind", kind];
        place.run(args.iter().chain(&["--description", "d", "--json"])).json()
    };
    // A job of the server's may hold the writer at the very moment; mostly it does not.
    let known = (0..8).filter(|round| {
        let kind = if round % 2 == 0 { "client" } else { "server" };
        let token = made(kind);
        let reply = if round % 2 == 0 {
            server.bearer(&text(&token["token"])).post("/api/v1/evaluate", &json!({}))
        } else {
            let key = text(&token["featurehubKey"]);
            server.bearer("").get(&format!("/features?apiKey={}", key.replace('*', "%2A")))
        };
        reply.status == 200
    });
    assert!(known.count() > 5);
}

/// The client's answer, once the server knows the token.
fn evaluated(server: &Server, secret: &str) -> Value {
    let client = server.bearer(secret);
    until("the token", || {
        let reply = client.post("/api/v1/evaluate", &json!({}));
        (reply.status == 200).then_some(reply.body)
    })
}

#[test]
fn two_servers_see_each_others_changes_revocations_and_removals() {
    let place = Place::shop();
    let (one, two) = (place.serve(), place.serve());
    let stream = two.stream("{}");
    stream.expect("snapshot");
    noticed_within_a_second(
        |round| {
            one.admin()
                .patch(&format!("{PROD}/features/limit"), &json!({ "defaultValue": round }))
                .expect(200);
        },
        |round| two.values(json!({}))["limit"] == json!(round),
    );
    for round in 0..3 {
        assert_eq!(stream.expect("update").values(), HashMap::from([("limit".into(), json!(round))]));
    }

    let tokens = format!("{PROD}/tokens");
    let made = two.admin().post(&tokens, &json!({"description": "t", "kind": "client"})).expect(201);
    let secret = text(&made["token"]);
    evaluated(&one, &secret);
    let revoked = one.bearer(&secret).stream(&crate::binary::stream_path("{}"));
    revoked.expect("snapshot");
    two.admin().delete(&format!("{tokens}/{}", text(&made["id"]))).expect(204);
    revoked.end();
    one.bearer(&secret).post("/api/v1/evaluate", &json!({})).expect(401);

    one.admin().delete(PROD).expect(204);
    stream.end();
    two.client().post("/api/v1/evaluate", &json!({})).expect(401);
}

#[test]
fn an_environment_made_after_another_was_deleted_is_not_taken_for_it() {
    let place = Place::shop();
    let (one, two) = (place.serve(), place.serve());
    let environments = "/api/v1/sites/shop/environments";
    // Made twice in the same way, so that all but the values is alike: the row, where SQLite may choose, and the
    // revision.
    let make = |value: &str| {
        let admin = one.admin();
        admin.post(environments, &json!({"name": "test"})).expect(201);
        let feature = json!({"key": "colour", "type": "STRING", "defaultValue": value});
        admin.post(&format!("{environments}/test/features"), &feature).expect(201);
        let token = json!({"description": "t", "kind": "client", "rateLimit": 0});
        text(&admin.post(&format!("{environments}/test/tokens"), &token).expect(201)["token"])
    };
    let first = make("red");
    for server in [&one, &two] {
        assert_eq!(evaluated(server, &first)["features"]["colour"]["value"], "red");
    }
    let stream = two.bearer(&first).stream(&format!("{environments}/test/stream"));
    stream.expect("snapshot");
    one.admin().delete(&format!("{environments}/test")).expect(204);
    let second = make("blue");
    for server in [&one, &two] {
        assert_eq!(evaluated(server, &second)["features"]["colour"]["value"], "blue");
        server.bearer(&first).post("/api/v1/evaluate", &json!({})).expect(401);
    }
    stream.end();
}

#[test]
fn two_servers_that_write_at_once_lose_nothing_and_agree() {
    let place = Place::shop();
    let servers = [place.serve(), place.serve()];
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for (at, server) in servers.iter().enumerate() {
            scope.spawn(move || {
                for number in 0..20 {
                    let body =
                        json!({"key": format!("f{at}-{number}"), "type": "NUMBER", "defaultValue": number});
                    server.admin().post(&format!("{PROD}/features"), &body).expect(201);
                    // Both also change one and the same.
                    let greeting = json!({ "defaultValue": format!("{at} {number}") });
                    server.admin().patch(&format!("{PROD}/features/greeting"), &greeting).expect(200);
                    // One's own write is seen at once.
                    assert_eq!(server.values(json!({}))[&format!("f{at}-{number}")], json!(number));
                }
            });
        }
    });
    let rows = place.number("SELECT count(*) FROM features f JOIN environments e ON e.id = f.environment_id WHERE e.name = 'prod'");
    assert_eq!(rows, 43, "after {:?}", begun.elapsed());
    assert_eq!(place.number("SELECT version FROM features WHERE key = 'greeting'"), 41);
    let revision = place.number("SELECT revision FROM environments WHERE name = 'prod'");
    let answer = |server: &Server| server.client().post("/api/v1/evaluate", &json!({})).expect(200);
    for server in &servers {
        until("the last revision", || (answer(server)["revision"] == json!(revision)).then_some(()));
    }
    assert_eq!(answer(&servers[0])["features"], answer(&servers[1])["features"]);
    crate::crash::assert_whole_chain(&place);
}

#[test]
fn servers_that_start_at_once_on_an_empty_place_all_come_up() {
    for _ in 0..2 {
        let place = Place::empty();
        std::thread::scope(|scope| {
            let start = || {
                let mut command = place.featured(["--listen", "127.0.0.1:0", "--demo"]);
                command.envs([
                    ("FEATURED_ADMIN_USERNAME", "root"),
                    ("FEATURED_ADMIN_EMAIL", "root@shop.example"),
                    ("FEATURED_ADMIN_PASSWORD", "a quiet harbour"),
                ]);
                place.start(command)
            };
            let starting: Vec<_> = (0..3).map(|_| scope.spawn(start)).collect();
            for server in starting {
                server.join().expect("it starts").anonymous().get("/readyz").expect(200);
            }
        });
        assert_eq!(place.number("SELECT count(*) FROM users"), 1);
        assert_eq!(place.number("SELECT count(*) FROM sites"), 1);
    }
}
