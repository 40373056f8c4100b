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
