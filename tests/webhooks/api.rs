//! Webhooks over the admin API: made, changed, rotated, tried out, deleted.

use serde_json::{Value, json};

use super::receiver::{Do, Receiver};
use super::{loopback, webhook};
use crate::support::{PROD, TestApp};

#[actix_web::test]
async fn a_webhook_is_made_with_a_secret_that_is_shown_once_and_stored_sealed() {
    let app = TestApp::new().await;
    let body = json!({
        "siteId": "shop", "url": "https://Hooks.example/T0/secret-path", "events": ["rule.updated", "feature.created"],
    });
    let reply = app.editor().post("/api/v1/webhooks", body).await.expect(201);
    let made = &reply.body;
    let id = made["id"].as_str().unwrap();
    assert_eq!(reply.header("location"), Some(format!("/api/v1/webhooks/{id}").as_str()));
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 46, "{secret}");
    assert_eq!(
        (&made["name"], &made["format"], &made["enabled"]),
        (&json!("hooks.example"), &json!("json"), &json!(true))
    );
    assert_eq!(made["events"], json!(["feature.created", "rule.updated"]), "in one order");
    assert_eq!(made["url"], "https://hooks.example/T0/secret-path");
    let path = format!("/api/v1/webhooks/{id}");
    let read = app.editor().get(&path).await.expect(200).body;
    assert_eq!(read["secret"], Value::Null);
    // The addresses of chats are secrets: viewers and the audit log do not get them.
    let seen = app.viewer().get(&path).await.expect(200).body;
    assert_eq!(seen["url"], "https://hooks.example/…");
    assert_eq!(
        app.viewer().get("/api/v1/webhooks").await.expect(200).items("url"),
        ["https://hooks.example/…"]
    );
    let change = app.changes().pop().unwrap();
    assert_eq!((change.what(), change.event), ("webhook created".into(), None));
    assert!(!change.payload.to_string().contains("secret-path"), "{}", change.payload);
    let file = format!("{:?}", app.dump());
    assert!(!file.contains(secret));
}

#[actix_web::test]
async fn everything_that_is_wrong_is_told_by_field() {
    let app = TestApp::new().await;
    for (body, fields) in [
        (json!({}), vec!["siteId", "url", "events"]),
        (json!({"siteId": 1, "url": 1, "events": "x"}), vec!["siteId", "url", "events"]),
        (
            json!({"siteId": "shop", "url": "http://hooks.example", "events": [], "format": "xml", "secret": "short"}),
            vec!["url", "events", "format", "secret"],
        ),
        (
            json!({"siteId": "shop", "url": "https://127.1", "events": ["rule.created", "x"]}),
            vec!["url", "events[1]"],
        ),
        (
            json!({"siteId": "shop", "url": "https://a:b@c.example", "events": ["rule.created"], "name": ""}),
            vec!["url", "name"],
        ),
        (json!({"siteId": "gone", "url": "https://h.example", "events": ["rule.created"]}), vec!["siteId"]),
        (
            json!({"siteId": "shop", "environmentId": "gone", "url": "https://h.example", "events": ["rule.created"]}),
            vec!["environmentId"],
        ),
    ] {
        let reply = app.editor().post("/api/v1/webhooks", body.clone()).await;
        reply.refused(422, "invalid");
        assert_eq!(reply.fields(), fields, "{body}: {}", reply.text);
    }
    let unknown = json!({"siteId": "shop", "url": "https://h.example", "events": ["rule.created"], "x": 1});
    app.editor().post("/api/v1/webhooks", unknown).await.refused(400, "unknown_field");
    app.editor().get("/api/v1/webhooks/gone").await.refused(404, "not_found");
    app.editor().get("/api/v1/webhooks?site=gone").await.refused(404, "not_found");
    assert_eq!(app.dump().rows("webhooks"), 0);
}

#[actix_web::test]
async fn a_webhook_is_changed_and_deleted() {
    let app = TestApp::new().await;
    app.editor().post("/api/v1/sites", json!({"name": "Other"})).await.expect(201);
    let made = webhook(&app, "https://hooks.example/a", json!({"environmentId": "prod"})).await;
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    let prod = app.editor().get(PROD).await.expect(200).body["id"].clone();
    assert_eq!(made["environmentId"], prod);
    let change = json!({"name": "Chat", "environmentId": null, "format": "slack", "events": ["token.created"], "enabled": false});
    let changed = app.editor().patch(&path, change.clone()).await.expect(200).body;
    for (name, value) in change.as_object().unwrap() {
        assert_eq!(&changed[name], value, "{name}");
    }
    assert_eq!(app.changes().pop().unwrap().what(), "webhook turned off");
    let rows = app.changes().len();
    app.editor().patch(&path, json!({"name": "Chat"})).await.expect(200);
    assert_eq!(app.changes().len(), rows, "nothing differs");
    app.editor().patch(&path, json!({"secret": "0123456789abcdef"})).await.refused(400, "unknown_field");
    assert_eq!(app.editor().get("/api/v1/webhooks?site=other").await.expect(200).items("id"), [""; 0]);
    assert_eq!(
        app.editor().get("/api/v1/webhooks?site=shop&limit=1").await.expect(200).items("name"),
        ["Chat"]
    );
    app.editor().delete(&path).await.expect(204);
    app.editor().get(&path).await.refused(404, "not_found");
    assert_eq!(app.changes().pop().unwrap().what(), "webhook deleted");
}

#[actix_web::test]
async fn a_site_has_a_limited_number_and_takes_its_own_along() {
    let app = TestApp::new().await;
    for number in 0..50 {
        webhook(&app, &format!("https://hooks.example/{number}"), json!({})).await;
    }
    let body = json!({"siteId": "shop", "url": "https://hooks.example/x", "events": ["rule.created"]});
    app.editor().post("/api/v1/webhooks", body).await.refused(409, "limit_reached");
    app.editor().delete("/api/v1/sites/shop").await.expect(204);
    assert_eq!(app.dump().rows("webhooks"), 0);
}

/// Names of members in the order in which they first stand in a JSON text.
fn members(json: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let end = start + 1 + rest[start + 1..].find('"').unwrap();
        let name = rest[start + 1..end].to_owned();
        rest = &rest[end + 1..];
        if rest.starts_with(':') && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

#[actix_web::test]
async fn examples_have_the_members_of_real_events_in_their_order() {
    const CONTEXT: &str = "context.created context.updated context.deleted context.imported";
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Answer(200));
    let events: Vec<String> = ["feature", "rule", "environment", "token"]
        .iter()
        .flat_map(|entity| ["created", "updated", "deleted"].map(|action| format!("{entity}.{action}")))
        .chain(CONTEXT.split(' ').map(str::to_owned))
        .collect();
    let made = webhook(&app, &receiver.url(), json!({ "events": events })).await;
    let path = format!("/api/v1/webhooks/{}:test", made["id"].as_str().unwrap());
    let mut sent = Vec::new();
    for event in &events {
        sent.push(app.editor().post(&path, json!({ "event": event })).await.expect(200).body);
    }
    // Now all of it happens.
    let editor = app.editor();
    let rule = json!({
        "name": "Nordic beta", "when": {"attribute": "country", "operator": "in", "values": ["SE", "NO"]},
        "rollout": {"percentage": 10}, "outcome": {"value": true},
    });
    let feature = json!({"key": "new_checkout", "type": "BOOLEAN", "enabled": false, "rules": [rule]});
    let feature = app.feature(feature).await;
    let at = format!("{PROD}/features/new_checkout");
    editor.patch(&at, json!({"enabled": true})).await.expect(200);
    let first = format!("{at}/rules/{}", feature["rules"][0]["id"].as_str().unwrap());
    editor.patch(&first, json!({"rollout": {"percentage": 25}})).await.expect(200);
    editor.delete(&first).await.expect(204);
    editor.post(&format!("{at}/rules"), rule).await.expect(201);
    let contexts = format!("{PROD}/contexts");
    let blue = json!({"key": "team:blue", "features": {"new_checkout": "no"}});
    editor.post(&contexts, blue).await.expect(201);
    let context = format!("{contexts}/team:blue");
    editor.patch(&context, json!({"features": {"new_checkout": "yes"}})).await.expect(200);
    editor.delete(&context).await.expect(204);
    let document = json!({"version": 1, "contexts": {"team:blue": {"features": {"new_checkout": "no"}}}});
    editor.post(&format!("{contexts}:import"), document).await.expect(200);
    editor.delete(&context).await.expect(204);
    editor.delete(&at).await.expect(204);
    let token = json!({"description": "web", "kind": "client"});
    let token = editor.post(&format!("{PROD}/tokens"), token).await.expect(201).body;
    let token = format!("{PROD}/tokens/{}", token["id"].as_str().unwrap());
    editor.patch(&token, json!({"description": "web shop"})).await.expect(200);
    editor.delete(&token).await.expect(204);
    let environments = "/api/v1/sites/shop/environments";
    editor.post(environments, json!({"name": "new"})).await.expect(201);
    editor.patch(&format!("{environments}/new"), json!({"status": "maintenance"})).await.expect(200);
    editor.delete(&format!("{environments}/new")).await.expect(204);
    let body = |delivery: &Value| delivery["request"]["body"].as_str().unwrap().to_owned();
    for (event, example) in events.iter().zip(&sent) {
        let real = editor.post(&path, json!({ "event": event })).await.expect(200).body;
        let (example, real) = (body(example), body(&real));
        let newest = app.app.read(|conn| {
            featured::store::webhooks::newest_event(conn, made["siteId"].as_str().unwrap(), None, event)
        });
        assert!(newest.unwrap().is_some(), "{event} happened");
        assert_eq!(members(&example), members(&real), "{event}: {example} {real}");
    }
}

#[actix_web::test]
async fn viewers_are_not_told_the_address_that_a_receiver_repeats() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Echo);
    let url = format!("{}/T0/B0?key=hidden", receiver.url());
    let made = webhook(&app, &url, json!({})).await;
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    let tried = app.editor().post(&format!("{path}:test"), json!({})).await.expect(200).body;
    assert!(tried["response"].to_string().contains("/hook/T0/B0?key=hidden"), "{tried}");
    // What failed may name it, too.
    let error = format!("{url} and http://elsewhere.example/T9 or /hook/T0/B0 cannot be asked");
    {
        let writer = app.app.store.writer();
        let id = featured::store::webhooks::list(&writer, None).unwrap()[0].id;
        let row = featured::store::webhooks::deliveries(&writer, id, None, 1).unwrap().remove(0);
        let failed =
            featured::store::webhooks::Delivery { uuid: "u".into(), error: Some(error.clone()), ..row };
        featured::store::webhooks::log(&writer, id, &failed).unwrap();
    }
    let log = format!("{path}/deliveries");
    let one = format!("{log}/{}", tried["id"].as_str().unwrap());
    for (page, deliveries) in [
        (&log, app.viewer().get(&log).await.expect(200).body["items"].clone()),
        (&one, json!([app.viewer().get(&one).await.expect(200).body])),
    ] {
        let text = deliveries.to_string();
        assert!(
            !text.contains("/hook") && !text.contains("T9") && !text.contains("hidden"),
            "{page}: {text}"
        );
        for delivery in deliveries.as_array().unwrap() {
            assert_eq!(delivery["response"], json!({"headers": {}, "body": ""}), "{page}");
            assert_eq!(delivery["status"], 404);
            assert!(delivery["request"]["body"].as_str().unwrap().contains("feature.created"));
        }
    }
    let seen = app.viewer().get(&log).await.expect(200).body;
    assert_eq!(seen["items"][0]["error"], "… and … or … cannot be asked");
    let whole = app.editor().get(&log).await.expect(200).body;
    assert_eq!(whole["items"][0]["error"], error.as_str());
    assert_eq!(whole["items"][1]["response"], tried["response"]);
}

#[actix_web::test]
async fn an_address_that_is_not_allowed_any_more_can_be_kept_and_turned_off() {
    let app = TestApp::new().await;
    let made = webhook(&app, "https://hooks.example/x", json!({})).await;
    // As it was made under --dev.
    app.app.store.writer().execute("UPDATE webhooks SET url = 'http://10.0.0.1/x'", []).unwrap();
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    let off = json!({"url": "http://10.0.0.1/x", "enabled": false});
    assert_eq!(app.editor().patch(&path, off).await.expect(200).body["enabled"], false);
    let other = app.editor().patch(&path, json!({"url": "http://10.0.0.1/y"})).await;
    other.refused(422, "invalid");
    assert_eq!(other.fields(), ["url"]);
}

#[actix_web::test]
async fn webhooks_of_one_host_that_were_given_no_names_are_numbered() {
    let app = TestApp::new().await;
    let mut names = Vec::new();
    for more in [json!({}), json!({}), json!({"name": "Chat"}), json!({"name": "hooks.example 3"}), json!({})]
    {
        names.push(webhook(&app, "https://hooks.example/x", more).await["name"].clone());
    }
    assert_eq!(names, ["hooks.example", "hooks.example 2", "Chat", "hooks.example 3", "hooks.example 4"]);
    let long = format!("https://{}.example/", ["a".repeat(50), "b".repeat(50)].join("."));
    webhook(&app, &long, json!({})).await;
    let name = webhook(&app, &long, json!({})).await["name"].clone();
    let name = name.as_str().unwrap();
    assert!(name.len() == 100 && name.ends_with("b 2"), "{name}");
}

#[actix_web::test]
async fn a_test_sends_exactly_what_a_real_event_would() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Answer(200));
    let made = webhook(&app, &receiver.url(), json!({})).await;
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    // Nothing has happened yet: an example.
    let tried =
        app.editor().post(&format!("{path}:test"), json!({"event": "rule.updated"})).await.expect(200).body;
    assert_eq!(
        (&tried["outcome"], &tried["status"], &tried["test"]),
        (&json!("delivered"), &json!(200), &json!(true))
    );
    assert_eq!(tried["event"], "rule.updated");
    let arrived = receiver.all().remove(0);
    assert_eq!(tried["request"]["body"], arrived.body.as_str());
    assert_eq!(tried["request"]["headers"]["X-Webhook-Id"], arrived.id().as_str());
    assert_eq!(tried["response"]["body"], "{}");
    // Something has: the same bytes but for the time.
    let exact = r#"{"key": "a", "type": "NUMBER", "defaultValue": 1.50}"#;
    let features = format!("{}/features", crate::support::PROD);
    app.editor().ask("POST", &features).body("application/json", exact).send().await.expect(201);
    let jobs = featured::jobs::Jobs::start(&app.app).unwrap();
    super::until("the event", || (receiver.count() == 2).then_some(()));
    jobs.stop();
    app.editor().post(&format!("{path}:test"), json!({})).await.expect(200);
    let all = receiver.all();
    let (mut real, mut test) = (all[1].json(), all[2].json());
    assert_ne!(all[1].id(), all[2].id());
    assert_eq!(real["event"], "feature.created");
    assert!(all[1].body.contains("\"defaultValue\":1.50"), "as written: {}", all[1].body);
    real["timestamp"] = Value::Null;
    test["timestamp"] = Value::Null;
    assert_eq!(real, test);
    for name in ["x-webhook-event", "content-type", "user-agent"] {
        assert_eq!(all[1].header(name), all[2].header(name), "{name}");
    }
    // Who tried it out stands in the audit log.
    assert_eq!(app.changes().pop().unwrap().what(), "webhook tested");
    app.editor().post(&format!("{path}:test"), json!({"event": "x"})).await.refused(422, "invalid");
}

#[actix_web::test]
async fn a_private_address_that_a_name_or_number_hides_is_refused_when_it_is_asked() {
    let app = TestApp::new().await;
    // `localhost` is a name, so it is looked up when it is asked.
    let made = webhook(&app, "https://localhost/x", json!({})).await;
    let path = format!("/api/v1/webhooks/{}:test", made["id"].as_str().unwrap());
    let tried = app.editor().post(&path, json!({})).await.expect(200).body;
    assert_eq!((&tried["outcome"], &tried["status"]), (&json!("failed"), &Value::Null));
    assert!(tried["error"].as_str().unwrap().contains("not public (loopback)"), "{tried}");
}

#[actix_web::test]
async fn a_test_that_is_sent_again_is_what_was_sent() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Answer(200));
    let made = webhook(&app, &receiver.url(), json!({})).await;
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    // An example, then the newest event, which is not the newest for long.
    for number in 0..2 {
        let tried = app.editor().post(&format!("{path}:test"), json!({})).await.expect(200).body;
        app.pass(std::time::Duration::from_secs(5));
        app.feature(json!({"key": format!("f{number}"), "type": "BOOLEAN"})).await;
        let again = format!("{path}/deliveries/{}:redeliver", tried["id"].as_str().unwrap());
        let again = app.editor().post(&again, Value::Null).await.expect(200).body;
        assert_eq!((&again["attempt"], &again["test"]), (&json!(2), &json!(true)));
        assert_eq!(again["request"], tried["request"], "one id, one body");
        let all = receiver.all();
        let [first, second] = &all[number * 2..] else { panic!("{all:#?}") };
        assert_eq!((first.id(), &first.body), (second.id(), &second.body));
    }
    // Of a long one, the log keeps the beginning.
    let long = json!({"key": "long", "type": "JSON", "defaultValue": {"a": "x".repeat(70_000)}});
    app.feature(long).await;
    let tried = app.editor().post(&format!("{path}:test"), json!({})).await.expect(200).body;
    let again = format!("{path}/deliveries/{}:redeliver", tried["id"].as_str().unwrap());
    app.editor().post(&again, Value::Null).await.refused(409, "body_cut");
    assert_eq!(receiver.count(), 5);
}

#[actix_web::test]
async fn tests_do_not_grow_the_log_for_ever() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Answer(200));
    let made = webhook(&app, &receiver.url(), json!({})).await;
    let test = format!("/api/v1/webhooks/{}:test", made["id"].as_str().unwrap());
    app.editor().post(&test, json!({})).await.expect(200);
    let id = app.app.read(|conn| featured::store::webhooks::list(conn, None)).unwrap()[0].id;
    {
        let mut writer = app.app.store.writer();
        let tx = writer.transaction().unwrap();
        let row = featured::store::webhooks::deliveries(&tx, id, None, 1).unwrap().remove(0);
        for number in 0..1005 {
            let copy = featured::store::webhooks::Delivery { uuid: format!("u{number}"), ..row.clone() };
            featured::store::webhooks::log(&tx, id, &copy).unwrap();
        }
        tx.commit().unwrap();
    }
    app.editor().post(&test, json!({})).await.expect(200);
    let left = app.app.read(|conn| featured::store::webhooks::deliveries(conn, id, None, 2000)).unwrap();
    assert_eq!(left.len(), 1000);
}

#[actix_web::test]
async fn an_answer_counts_once_its_head_is_there() {
    let app = TestApp::with(|config| {
        loopback(config);
        config.webhook_timeout = std::time::Duration::from_secs(1);
    })
    .await;
    for (does, outcome, status, note) in [
        (Do::Half(200), "delivered", 200, "closed before a whole answer"),
        (Do::Half(500), "failed", 500, "closed before a whole answer"),
        (Do::Hold(202), "delivered", 202, "no whole answer within 1 s"),
    ] {
        let receiver = Receiver::that(does);
        let made = webhook(&app, &receiver.url(), json!({})).await;
        let test = format!("/api/v1/webhooks/{}:test", made["id"].as_str().unwrap());
        let tried = app.editor().post(&test, json!({})).await.expect(200).body;
        assert_eq!((&tried["outcome"], &tried["status"]), (&json!(outcome), &json!(status)), "{tried}");
        assert!(tried["error"].as_str().unwrap().contains(note), "{tried}");
        assert_eq!(tried["response"]["body"], "short…");
        assert_eq!(tried["response"]["headers"]["set-cookie"], "a=1, b=2");
    }
}
