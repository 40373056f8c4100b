//! What arrives, when, and how often.

use std::time::Duration;

use featured::jobs::Jobs;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::receiver::{Do, Received, Receiver};
use super::{loopback, until, webhook};
use crate::admin::rule;
use crate::support::{PROD, TestApp};

fn hmac(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect::<String>())
}

fn secret(made: &Value) -> String {
    made["secret"].as_str().unwrap().to_owned()
}

fn path(made: &Value) -> String {
    format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap())
}

/// Waits for so many requests.
#[track_caller]
fn arrived(receiver: &Receiver, count: usize) -> Vec<Received> {
    until(&format!("{count} requests"), || (receiver.count() >= count).then(|| receiver.all()))
}

/// Lets time pass for those who wait to try again.
fn skip(app: &TestApp, time: Duration) {
    app.pass(time);
    app.app.bell.ring();
}

async fn log(app: &TestApp, made: &Value) -> Vec<Value> {
    let page = app.viewer().get(&format!("{}/deliveries?limit=500", path(made))).await.expect(200).body;
    page["items"].as_array().unwrap().clone()
}

/// Waits until the log says so.
async fn logged(app: &TestApp, made: &Value, count: usize) -> Vec<Value> {
    let end = std::time::Instant::now() + super::PATIENCE;
    loop {
        let rows = log(app, made).await;
        if rows.len() >= count {
            return rows;
        }
        assert!(std::time::Instant::now() < end, "waited in vain for {count} rows: {rows:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[actix_web::test]
async fn every_change_arrives_in_order_signed_and_once() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Answer(204));
    let made = webhook(&app, &receiver.url(), json!({})).await;
    let jobs = Jobs::start(&app.app).unwrap();
    app.feature(json!({"key": "a", "type": "BOOLEAN", "defaultValue": false})).await;
    let feature = format!("{PROD}/features/a");
    app.editor().post(&format!("{feature}/rules"), rule("NO", 50)).await.expect(201);
    app.editor().patch(&feature, json!({"enabled": false})).await.expect(200);
    app.editor().patch(&feature, json!({"enabled": false})).await.expect(200);
    app.editor().delete(&feature).await.expect(204);
    let all = arrived(&receiver, 4);
    jobs.stop();
    let names: Vec<_> = all.iter().map(|one| one.header("x-webhook-event").unwrap()).collect();
    assert_eq!(names, ["feature.created", "rule.created", "feature.updated", "feature.deleted"]);
    let site = app.editor().get("/api/v1/sites/shop").await.expect(200).body["id"].clone();
    let environment = app.editor().get(PROD).await.expect(200).body["id"].clone();
    for one in &all {
        let body = one.json();
        assert_eq!(one.header("x-webhook-signature"), Some(hmac(&secret(&made), &one.body).as_str()));
        assert_eq!(one.header("x-webhook-signature-previous"), None);
        assert_eq!(one.header("x-webhook-event"), body["event"].as_str());
        assert_eq!(one.header("x-webhook-timestamp"), body["timestamp"].as_str());
        assert_eq!(one.header("content-type"), Some("application/json"));
        assert_eq!((&body["siteId"], &body["environmentId"]), (&site, &environment));
        assert_eq!(body["data"]["feature"]["key"], "a");
    }
    assert_eq!(all[1].json()["data"]["rule"]["when"]["attribute"], "country");
    let change = json!([{"field": "enabled", "before": true, "after": false}]);
    assert_eq!(all[2].json()["data"]["changes"], change);
    let ids: std::collections::HashSet<_> = all.iter().map(Received::id).collect();
    assert_eq!((ids.len(), receiver.count()), (4, 4), "each once, each with an id of its own");
    let rows = log(&app, &made).await;
    assert_eq!(rows.len(), 4);
    assert!(
        rows.iter().all(|row| row["outcome"] == "delivered" && row["status"] == 204 && row["attempt"] == 1)
    );
    assert_eq!(rows[0]["event"], "feature.deleted", "newest first");
    let one = format!("{}/deliveries/{}", path(&made), rows[0]["id"].as_str().unwrap());
    assert_eq!(app.viewer().get(&one).await.expect(200).body, rows[0]);
}

#[actix_web::test]
async fn only_what_was_asked_for_arrives() {
    let app = TestApp::with(loopback).await;
    app.editor().post("/api/v1/sites/shop/environments", json!({"name": "dev"})).await.expect(201);
    app.editor().post("/api/v1/sites", json!({"name": "Other"})).await.expect(201);
    let (dev, deletes, others, all) = (
        Receiver::that(Do::Answer(200)),
        Receiver::that(Do::Answer(200)),
        Receiver::that(Do::Answer(200)),
        Receiver::that(Do::Answer(200)),
    );
    webhook(&app, &dev.url(), json!({"environmentId": "dev"})).await;
    webhook(&app, &deletes.url(), json!({"events": ["feature.deleted"]})).await;
    webhook(&app, &others.url(), json!({"siteId": "other"})).await;
    let entities =
        ["environment.updated", "token.created", "token.updated", "context.created", "feature.created"];
    webhook(&app, &all.url(), json!({ "events": entities })).await;
    let jobs = Jobs::start(&app.app).unwrap();
    for environment in ["prod", "dev"] {
        let features = format!("/api/v1/sites/shop/environments/{environment}/features");
        app.editor().post(&features, json!({"key": "a", "type": "BOOLEAN"})).await.expect(201);
    }
    app.editor().patch(PROD, json!({"description": "x"})).await.expect(200);
    let token =
        app.editor().post(&format!("{PROD}/tokens"), json!({"description": "web", "kind": "client"})).await;
    let token = token.expect(201).body;
    let rotate = format!("{PROD}/tokens/{}:rotate", token["id"].as_str().unwrap());
    app.editor().post(&rotate, json!({})).await.expect(200);
    app.contexts(json!([{"key": "ben", "features": {"a": true}}]));
    app.editor().delete("/api/v1/sites/shop/environments/dev/features/a").await.expect(204);
    let names = |receiver: &Receiver, count| -> Vec<String> {
        arrived(receiver, count).iter().map(|one| one.header("x-webhook-event").unwrap().to_owned()).collect()
    };
    assert_eq!(names(&dev, 2), ["feature.created", "feature.deleted"]);
    assert_eq!(names(&deletes, 1), ["feature.deleted"]);
    // The import also gives the environment a tag.
    let mut found = names(&all, 7);
    jobs.stop();
    found.retain(|name| name != "environment.updated");
    assert_eq!(
        found,
        ["feature.created", "feature.created", "token.created", "token.updated", "context.created"]
    );
    let token_event =
        all.all().into_iter().find(|one| one.header("x-webhook-event") == Some("token.created")).unwrap();
    assert_eq!(token_event.json()["data"]["token"]["description"], "web");
    let text = token["token"].as_str().unwrap();
    assert!(all.all().iter().all(|one| !one.body.contains(text)), "no secret leaves");
    assert_eq!((dev.count(), deletes.count(), others.count()), (2, 1, 0));
}

#[actix_web::test]
async fn a_failure_is_tried_again_with_the_same_id_and_holds_back_what_follows() {
    let app = TestApp::with(loopback).await;
    let target = Receiver::that(Do::Answer(200));
    let port = target.port;
    let receiver = Receiver::new(move |_, before| match before {
        0 => Do::Answer(500),
        1 => Do::Redirect(port),
        2 => Do::Die,
        _ => Do::Answer(200),
    });
    let made = webhook(&app, &receiver.url(), json!({})).await;
    app.set_time("2026-01-31T12:00:00Z");
    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    app.feature(json!({"key": "b", "type": "BOOLEAN"})).await;
    let jobs = Jobs::start(&app.app).unwrap();
    for tries in 1..=3 {
        let rows = logged(&app, &made, tries).await;
        assert_eq!((&rows[0]["outcome"], &rows[0]["attempt"]), (&json!("failed"), &json!(tries)));
        let read = app.viewer().get(&path(&made)).await.expect(200).body;
        assert_eq!(read["failingSince"], "2026-01-31T12:00:00.000Z", "since the first failure");
        // Not before its time: 5 s, 30 s, 2 min, each give or take a tenth.
        assert_eq!(receiver.count(), tries);
        let pause = [5, 30, 120][tries - 1];
        let due: i64 =
            app.app.read(|conn| Ok(featured::store::webhooks::list(conn, None)?[0].due_at)).unwrap();
        let wait = due - app.app.now();
        assert!((pause * 900..=pause * 1100).contains(&wait), "{wait}");
        app.app.clock.set(due);
        app.app.bell.ring();
        arrived(&receiver, tries + 1);
    }
    let all = arrived(&receiver, 5);
    let rows = logged(&app, &made, 5).await;
    jobs.stop();
    let keys: Vec<_> = all.iter().map(|one| one.json()["data"]["feature"]["key"].clone()).collect();
    assert_eq!(keys, ["a", "a", "a", "a", "b"]);
    assert!(
        all[..4].iter().all(|one| one.id() == all[0].id() && one.body == all[0].body),
        "the same each time"
    );
    assert_eq!(target.count(), 0, "redirects are not followed");
    let told: Vec<_> = rows.iter().rev().map(|row| (row["status"].clone(), row["error"].clone())).collect();
    assert_eq!(told[0], (json!(500), Value::Null));
    assert_eq!(told[1], (json!(302), json!("redirects are not followed")));
    assert_eq!((&told[2].0, told[2].1.as_str().unwrap().contains("closed")), (&Value::Null, true));
    assert_eq!(app.viewer().get(&path(&made)).await.expect(200).body["failingSince"], Value::Null);
}

#[actix_web::test]
async fn an_event_is_given_up_after_eight_tries_and_the_next_goes() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::new(|received, _| match received.json()["data"]["feature"]["key"].as_str() {
        Some("bad") => Do::Answer(400),
        _ => Do::Answer(200),
    });
    let made = webhook(&app, &receiver.url(), json!({})).await;
    app.set_time("2026-01-31T12:00:00Z");
    for key in ["bad", "good"] {
        app.feature(json!({"key": key, "type": "BOOLEAN"})).await;
    }
    let jobs = Jobs::start(&app.app).unwrap();
    for tries in 1..=8 {
        logged(&app, &made, tries).await;
        skip(&app, Duration::from_secs(2 * 3600 + 1000));
    }
    let rows = logged(&app, &made, 9).await;
    jobs.stop();
    let outcomes: Vec<_> = rows.iter().rev().map(|row| row["outcome"].as_str().unwrap().to_owned()).collect();
    assert_eq!(outcomes[..7], ["failed"; 7]);
    assert_eq!(outcomes[7..], ["given_up", "delivered"]);
    // What was given up can still be sent by hand, under its own id.
    let given_up = &rows[1];
    let again = format!("{}/deliveries/{}:redeliver", path(&made), given_up["id"].as_str().unwrap());
    let tried = app.editor().post(&again, Value::Null).await.expect(200).body;
    assert_eq!((&tried["eventId"], &tried["attempt"]), (&given_up["eventId"], &json!(9)));
    assert_eq!(tried["outcome"], "given_up", "nobody tries it again");
    assert_eq!(tried["request"]["body"], given_up["request"]["body"]);
    assert_eq!(receiver.all().last().unwrap().header("x-webhook-id"), given_up["eventId"].as_str());
}

/// Waits until the one webhook has failed and waits to try again, or is turned off; whether it is.
fn rests(app: &TestApp) -> bool {
    until("a pause or the end", || {
        let webhook =
            app.app.read(|conn| Ok(featured::store::webhooks::list(conn, None)?.remove(0))).unwrap();
        let pauses = webhook.attempts > 0 && webhook.due_at > app.app.now();
        (pauses || !webhook.settings.enabled).then_some(!webhook.settings.enabled)
    })
}

#[actix_web::test]
async fn one_that_had_nothing_to_say_for_days_is_not_turned_off_by_one_failure() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::new(|_, before| Do::Answer(if before < 9 { 503 } else { 200 }));
    let made = webhook(&app, &receiver.url(), json!({})).await;
    app.set_time("2026-01-30T12:00:00Z");
    app.feature(json!({"key": "friday", "type": "BOOLEAN"})).await;
    let jobs = Jobs::start(&app.app).unwrap();
    for tries in 1..=8 {
        logged(&app, &made, tries).await;
        skip(&app, Duration::from_secs(2 * 3600 + 1000));
    }
    app.set_time("2026-02-02T22:00:00Z");
    app.feature(json!({"key": "monday", "type": "BOOLEAN"})).await;
    let rows = logged(&app, &made, 9).await;
    assert_eq!((&rows[0]["outcome"], &rows[1]["outcome"]), (&json!("failed"), &json!("given_up")));
    assert!(!rests(&app), "it is tried again");
    skip(&app, Duration::from_secs(60));
    assert_eq!(arrived(&receiver, 10)[9].json()["data"]["feature"]["key"], "monday");
    logged(&app, &made, 10).await;
    jobs.stop();
    let read = app.viewer().get(&path(&made)).await.expect(200).body;
    assert_eq!((&read["enabled"], &read["failingSince"]), (&json!(true), &Value::Null));
    assert!(app.app.read(|conn| featured::store::mails::list(conn, 9)).unwrap().is_empty());
}

#[actix_web::test]
async fn one_that_fails_for_days_is_turned_off_and_its_maker_told() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Answer(503));
    let made = webhook(&app, &receiver.url(), json!({"name": "Chat"})).await;
    app.set_time("2026-01-31T12:00:00Z");
    for number in 0..30 {
        app.feature(json!({"key": format!("f{number}"), "type": "BOOLEAN"})).await;
    }
    let jobs = Jobs::start(&app.app).unwrap();
    let mut hours = 0;
    while !rests(&app) {
        assert!(hours < 200);
        skip(&app, Duration::from_secs(3 * 3600));
        hours += 3;
    }
    jobs.stop();
    assert_eq!(hours, 84, "when the first event is given up after three days: the fourth, 21 hours for each");
    assert_eq!(receiver.count(), 4 * 8);
    let read = app.viewer().get(&path(&made)).await.expect(200).body;
    assert_eq!(read["disabledReason"], "nothing could be delivered for three days");
    let mails = app.app.read(|conn| featured::store::mails::list(conn, 9)).unwrap();
    let to: Vec<_> = mails.iter().map(|mail| mail.recipient.as_str()).collect();
    assert_eq!(to, ["eddie@shop.example"], "who made it, once");
    assert!(
        mails[0].body.contains("\"Chat\"") && mails[0].body.contains("/sites/shop/webhooks"),
        "{}",
        mails[0].body
    );
    let change = app.changes().into_iter().rfind(|change| change.entity == "webhook").unwrap();
    assert_eq!((change.action.as_str(), change.actor.as_str()), ("turned off", "webhooks"));
    // Turned on again, it is told of what happens from then on.
    let count = receiver.count();
    let on = app.editor().patch(&path(&made), json!({"enabled": true})).await.expect(200).body;
    assert_eq!((&on["disabledReason"], &on["failingSince"]), (&Value::Null, &Value::Null));
    app.feature(json!({"key": "later", "type": "BOOLEAN"})).await;
    let jobs = Jobs::start(&app.app).unwrap();
    let all = arrived(&receiver, count + 1);
    jobs.stop();
    assert_eq!(all[count].json()["data"]["feature"]["key"], "later");
}

#[actix_web::test]
async fn who_hangs_or_drips_delays_nobody_else() {
    // Three threads: one of them is free for whoever answers.
    let app = TestApp::with(|config| {
        loopback(config);
        config.workers = 3;
        config.webhook_timeout = Duration::from_secs(5);
    })
    .await;
    let (hanging, dripping, good) =
        (Receiver::that(Do::Hang), Receiver::that(Do::Drip), Receiver::that(Do::Answer(200)));
    let bad = webhook(&app, &hanging.url(), json!({})).await;
    let slow = webhook(&app, &dripping.url(), json!({})).await;
    app.feature(json!({"key": "first", "type": "BOOLEAN"})).await;
    let jobs = Jobs::start(&app.app).unwrap();
    arrived(&hanging, 1);
    arrived(&dripping, 1);
    // Their threads wait; meanwhile others are served.
    let made = webhook(&app, &good.url(), json!({})).await;
    for number in 0..50 {
        app.feature(json!({"key": format!("f{number}"), "type": "BOOLEAN"})).await;
        arrived(&good, number + 1);
    }
    assert_eq!((hanging.count(), dripping.count()), (1, 1), "or these would be the second tries");
    for webhook in [&bad, &slow] {
        let rows = logged(&app, webhook, 1).await;
        assert!(rows[0]["error"].as_str().unwrap().contains("no whole answer within 5 s"), "{}", rows[0]);
    }
    logged(&app, &made, 50).await;
    jobs.stop();
}

#[actix_web::test]
async fn after_a_rotation_both_secrets_sign_for_a_while() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Answer(200));
    let given = "a secret of my own";
    let made = webhook(&app, &receiver.url(), json!({ "secret": given })).await;
    assert_eq!(made["secret"], given);
    app.set_time("2026-01-31T12:00:00Z");
    let rotate = format!("{}:rotate", path(&made));
    let rotated = app.editor().post(&rotate, json!({"graceSeconds": 60})).await.expect(200).body;
    assert_eq!(rotated["previousUntil"], "2026-01-31T12:01:00.000Z");
    let new = secret(&rotated);
    assert_ne!(new, given);
    let test = format!("{}:test", path(&made));
    app.editor().post(&test, json!({})).await.expect(200);
    let read = app.viewer().get(&path(&made)).await.expect(200).body;
    assert_eq!(read["previousUntil"], "2026-01-31T12:01:00.000Z");
    app.pass(Duration::from_secs(61));
    assert_eq!(app.viewer().get(&path(&made)).await.expect(200).body["previousUntil"], Value::Null);
    app.editor().post(&test, json!({})).await.expect(200);
    featured::store::webhooks::forget_previous(&app.app.store.writer(), app.app.now()).unwrap();
    let sealed: Option<Vec<u8>> = app
        .app
        .read(|conn| Ok(conn.query_row("SELECT previous_secret FROM webhooks", [], |row| row.get(0))?))
        .unwrap();
    assert_eq!(sealed, None);
    app.editor().post(&rotate, json!({"graceSeconds": 0, "secret": "one more of my own"})).await.expect(200);
    app.editor().post(&test, json!({})).await.expect(200);
    let all = receiver.all();
    assert_eq!(all[0].header("x-webhook-signature"), Some(hmac(&new, &all[0].body).as_str()));
    assert_eq!(all[0].header("x-webhook-signature-previous"), Some(hmac(given, &all[0].body).as_str()));
    assert_eq!(all[1].header("x-webhook-signature"), Some(hmac(&new, &all[1].body).as_str()));
    assert_eq!(all[1].header("x-webhook-signature-previous"), None, "its time is over");
    let last = &all[2];
    assert_eq!(last.header("x-webhook-signature"), Some(hmac("one more of my own", &last.body).as_str()));
    assert_eq!(last.header("x-webhook-signature-previous"), None);
    for wrong in [json!({"graceSeconds": 7_776_001}), json!({"secret": "short"})] {
        app.editor().post(&rotate, wrong).await.refused(422, "invalid");
    }
}

#[actix_web::test]
async fn chats_are_told_in_words() {
    let app = TestApp::with(loopback).await;
    let rules = json!([{"name": "Nordic beta", "rollout": {"percentage": 10}, "outcome": {"value": true}}]);
    let made = app.feature(json!({"key": "checkout", "type": "BOOLEAN", "rules": rules})).await;
    let mut receivers = Vec::new();
    for format in ["slack", "teams", "discord"] {
        let receiver = Receiver::that(Do::Answer(200));
        webhook(&app, &receiver.url(), json!({ "format": format })).await;
        receivers.push(receiver);
    }
    let rule = format!("{PROD}/features/checkout/rules/{}", made["rules"][0]["id"].as_str().unwrap());
    app.editor().patch(&rule, json!({"rollout": {"percentage": 25}})).await.expect(200);
    app.run_jobs();
    let jobs = Jobs::start(&app.app).unwrap();
    let body = |at: usize| arrived(&receivers[at], 1)[0].json();
    let words = |mark: &str| {
        format!(
            "{mark}checkout{mark}: rollout 10 % → 25 % on rule {mark}Nordic beta{mark}, prod, by {mark}eddie{mark}"
        )
    };
    assert_eq!(body(0)["text"], words("*"));
    assert_eq!(body(1)["attachments"][0]["content"]["body"][0]["text"], words("**"));
    assert_eq!(body(2)["content"], words("**"));
    jobs.stop();
    // The audit log is made of the same words.
    let change = app.changes().into_iter().rfind(|change| change.entity == "rule").unwrap();
    let differences = featured::engine::diff::recorded(&change.payload.to_string());
    let said = featured::engine::words::phrase(&differences[0], 200).plain();
    assert_eq!(said, "rollout 10 % → 25 % on rule Nordic beta");
}

#[actix_web::test]
async fn what_was_taken_is_free_again_after_its_time_or_when_a_lone_server_starts() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Answer(200));
    webhook(&app, &receiver.url(), json!({})).await;
    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    let now = app.app.now();
    let due = || app.app.read(|conn| featured::store::webhooks::due(conn, app.app.now())).unwrap();
    let taken = due().remove(0);
    {
        let writer = app.app.store.writer();
        assert!(featured::store::webhooks::lease(&writer, &taken, now, now + 30_000).unwrap());
        assert!(!featured::store::webhooks::lease(&writer, &taken, now, now + 30_000).unwrap(), "once");
    }
    assert!(due().is_empty());
    featured::jobs::webhooks::release(&app.app).unwrap();
    assert_eq!(due().len(), 1);
    let writer = app.app.store.writer();
    assert!(featured::store::webhooks::lease(&writer, &taken, now, now + 30_000).unwrap());
    drop(writer);
    app.app.clock.set(now + 30_001);
    assert_eq!(due().len(), 1, "whoever had it died");
}

#[actix_web::test]
async fn the_log_is_kept_short() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Answer(200));
    let made = webhook(&app, &receiver.url(), json!({})).await;
    let id = app.app.read(|conn| featured::store::webhooks::list(conn, None)).unwrap()[0].id;
    app.editor().post(&format!("{}:test", path(&made)), json!({})).await.expect(200);
    let writer = app.app.store.writer();
    let row = featured::store::webhooks::deliveries(&writer, id, None, 1).unwrap().remove(0);
    for number in 0..20 {
        let copy =
            featured::store::webhooks::Delivery { uuid: format!("u{number}"), at: number, ..row.clone() };
        featured::store::webhooks::log(&writer, id, &copy).unwrap();
    }
    let left = || featured::store::webhooks::deliveries(&writer, id, None, 100).unwrap().len();
    featured::store::webhooks::prune_log(&writer, id, 15).unwrap();
    assert_eq!(left(), 15);
    featured::store::webhooks::prune(&writer, 10).unwrap();
    assert_eq!(left(), 10, "the old ones go first");
}

/// Such as `feature.created a`, in order.
fn told(all: &[Received]) -> Vec<String> {
    all.iter()
        .map(|one| {
            let body = one.json();
            format!(
                "{} {}",
                body["event"].as_str().unwrap(),
                body["data"]["feature"]["key"].as_str().unwrap()
            )
        })
        .collect()
}

#[actix_web::test]
async fn told_of_more_it_hears_nothing_old() {
    let app = TestApp::with(loopback).await;
    app.editor().post("/api/v1/sites/shop/environments", json!({"name": "dev"})).await.expect(201);
    let (names, places) = (Receiver::that(Do::Answer(200)), Receiver::that(Do::Answer(200)));
    let by_name =
        webhook(&app, &names.url(), json!({"events": ["feature.created", "feature.deleted"]})).await;
    let by_place = webhook(&app, &places.url(), json!({"environmentId": "dev"})).await;
    let make = async |environment: &str, key: &str| {
        let features = format!("/api/v1/sites/shop/environments/{environment}/features");
        let body = json!({"key": key, "type": "BOOLEAN"});
        app.editor().post(&features, body).await.expect(201);
    };
    make("prod", "a").await;
    make("dev", "b").await;
    app.editor().patch(&format!("{PROD}/features/a"), json!({"enabled": false})).await.expect(200);
    app.editor().delete(&format!("{PROD}/features/a")).await.expect(204);
    // Less of one, more of another; the rest of what it is owed is not lost.
    let events = json!(["feature.created", "feature.updated"]);
    app.editor().patch(&path(&by_name), json!({ "events": events })).await.expect(200);
    app.editor().patch(&path(&by_place), json!({"environmentId": null})).await.expect(200);
    // Nor does it bring back what was called off in between.
    app.editor().patch(&path(&by_name), json!({"events": ["feature.created"]})).await.expect(200);
    make("prod", "c").await;
    app.editor().patch(&format!("{PROD}/features/c"), json!({"description": "x"})).await.expect(200);
    app.editor().patch(&path(&by_name), json!({ "events": events })).await.expect(200);
    app.editor().patch(&path(&by_name), json!({"name": "of another name"})).await.expect(200);
    app.editor().patch(&format!("{PROD}/features/c"), json!({"enabled": false})).await.expect(200);
    let waiting = app.app.read(|conn| {
        let all = featured::store::webhooks::list(conn, None)?;
        all.iter().map(|one| featured::store::webhooks::owed_count(conn, one)).collect::<Result<Vec<_>, _>>()
    });
    assert_eq!(waiting.unwrap(), [4, 4]);
    let jobs = Jobs::start(&app.app).unwrap();
    let (names, places) = (arrived(&names, 4), arrived(&places, 4));
    jobs.stop();
    assert_eq!(
        told(&names),
        ["feature.created a", "feature.created b", "feature.created c", "feature.updated c"]
    );
    assert_eq!(
        told(&places),
        ["feature.created b", "feature.created c", "feature.updated c", "feature.updated c"]
    );
}

#[actix_web::test]
async fn an_event_does_not_inherit_the_tries_of_the_one_before() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Answer(500));
    let made = webhook(&app, &receiver.url(), json!({})).await;
    app.set_time("2026-01-31T12:00:00Z");
    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    app.editor().patch(&format!("{PROD}/features/a"), json!({"enabled": false})).await.expect(200);
    app.editor().delete(&format!("{PROD}/features/a")).await.expect(204);
    let jobs = Jobs::start(&app.app).unwrap();
    logged(&app, &made, 1).await;
    // As after seven tries, before the event was called off, by age and by a person.
    let nearly = |more: &str| {
        app.app
            .store
            .writer()
            .execute_batch(&format!("UPDATE webhooks SET attempts = 7 WHERE attempts > 0; {more}"))
            .unwrap();
    };
    nearly("DELETE FROM outbox WHERE event = 'feature.created'");
    skip(&app, Duration::from_secs(60));
    let rows = logged(&app, &made, 2).await;
    assert_eq!(
        (&rows[0]["event"], &rows[0]["attempt"], &rows[0]["outcome"]),
        (&json!("feature.updated"), &json!(1), &json!("failed"))
    );
    nearly("");
    app.editor().patch(&path(&made), json!({"events": ["feature.deleted"]})).await.expect(200);
    app.app.bell.ring();
    let rows = logged(&app, &made, 3).await;
    jobs.stop();
    assert_eq!(
        (&rows[0]["event"], &rows[0]["attempt"], &rows[0]["outcome"]),
        (&json!("feature.deleted"), &json!(1), &json!("failed"))
    );
}

/// A second is long enough to wait for somebody who hangs.
fn impatient(config: &mut featured::config::Config) {
    loopback(config);
    config.webhook_timeout = Duration::from_secs(1);
}

#[actix_web::test]
async fn a_mended_address_is_tried_at_once_though_a_try_was_in_flight() {
    let app = TestApp::with(impatient).await;
    let (hanging, good) = (Receiver::that(Do::Hang), Receiver::that(Do::Answer(200)));
    let made = webhook(&app, &hanging.url(), json!({})).await;
    app.set_time("2026-01-31T12:00:00Z");
    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    let jobs = Jobs::start(&app.app).unwrap();
    arrived(&hanging, 1);
    app.editor().patch(&path(&made), json!({"url": good.url()})).await.expect(200);
    // The clock stands: whatever waits for it waits for ever.
    arrived(&good, 1);
    let rows = logged(&app, &made, 2).await;
    jobs.stop();
    let told: Vec<_> = rows.iter().map(|row| (&row["outcome"], &row["attempt"])).collect();
    assert_eq!(told, [(&json!("delivered"), &json!(1)), (&json!("failed"), &json!(1))]);
    assert_eq!(app.viewer().get(&path(&made)).await.expect(200).body["failingSince"], Value::Null);
}

#[actix_web::test]
async fn a_test_that_arrives_ends_the_waiting_though_a_try_was_in_flight() {
    let app = TestApp::with(impatient).await;
    let receiver = Receiver::new(|_, before| match before {
        0 => Do::Answer(500),
        1 => Do::Hang,
        _ => Do::Answer(200),
    });
    let made = webhook(&app, &receiver.url(), json!({})).await;
    app.set_time("2026-01-31T12:00:00Z");
    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    let jobs = Jobs::start(&app.app).unwrap();
    logged(&app, &made, 1).await;
    skip(&app, Duration::from_secs(6));
    arrived(&receiver, 2);
    let tried = app.editor().post(&format!("{}:test", path(&made)), json!({})).await.expect(200).body;
    assert_eq!(tried["outcome"], "delivered");
    let all = arrived(&receiver, 4);
    let rows = logged(&app, &made, 4).await;
    jobs.stop();
    assert_eq!((all[3].id(), &rows[0]["outcome"]), (all[0].id(), &json!("delivered")));
}

#[actix_web::test]
async fn what_is_delivered_by_hand_is_not_delivered_again() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::new(|_, before| Do::Answer(if before < 2 { 500 } else { 200 }));
    let made = webhook(&app, &receiver.url(), json!({})).await;
    app.set_time("2026-01-31T12:00:00Z");
    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    app.feature(json!({"key": "b", "type": "BOOLEAN"})).await;
    let jobs = Jobs::start(&app.app).unwrap();
    let rows = logged(&app, &made, 1).await;
    let again = format!("{}/deliveries/{}:redeliver", path(&made), rows[0]["id"].as_str().unwrap());
    let tried = app.editor().post(&again, Value::Null).await.expect(200).body;
    assert_eq!(tried["outcome"], "failed", "it is tried again");
    let tried = app.editor().post(&again, Value::Null).await.expect(200).body;
    assert_eq!(tried["outcome"], "delivered");
    app.app.bell.ring();
    let all = arrived(&receiver, 4);
    let rows = logged(&app, &made, 4).await;
    jobs.stop();
    assert_eq!(
        told(&all),
        ["feature.created a", "feature.created a", "feature.created a", "feature.created b"]
    );
    assert_eq!((&rows[0]["outcome"], &rows[0]["attempt"]), (&json!("delivered"), &json!(1)));
}

#[actix_web::test]
async fn a_rotation_in_the_midst_of_a_turn_signs_the_rest_of_it() {
    let app = TestApp::with(loopback).await;
    let ((here, arrives), (go, wait)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let (here, wait) = (std::sync::Mutex::new(here), std::sync::Mutex::new(wait));
    let receiver = Receiver::new(move |_, before| {
        if before == 0 {
            here.lock().unwrap().send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
        }
        Do::Answer(200)
    });
    let made = webhook(&app, &receiver.url(), json!({})).await;
    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    app.feature(json!({"key": "b", "type": "BOOLEAN"})).await;
    let jobs = Jobs::start(&app.app).unwrap();
    arrives.recv().unwrap();
    let rotate = format!("{}:rotate", path(&made));
    let rotated = app.editor().post(&rotate, json!({"graceSeconds": 0})).await.expect(200).body;
    go.send(()).unwrap();
    let all = arrived(&receiver, 2);
    jobs.stop();
    assert_eq!(all[0].header("x-webhook-signature"), Some(hmac(&secret(&made), &all[0].body).as_str()));
    assert_eq!(all[1].header("x-webhook-signature"), Some(hmac(&secret(&rotated), &all[1].body).as_str()));
    assert_eq!(told(&all), ["feature.created a", "feature.created b"], "each once");
}

#[actix_web::test]
async fn a_clock_that_is_set_back_stops_nobody() {
    let app = TestApp::with(loopback).await;
    let receiver = Receiver::that(Do::Answer(200));
    let made = webhook(&app, &receiver.url(), json!({})).await;
    app.set_time("2026-01-31T12:00:00Z");
    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    let jobs = Jobs::start(&app.app).unwrap();
    logged(&app, &made, 1).await;
    app.set_time("2026-01-31T11:00:00Z");
    app.feature(json!({"key": "b", "type": "BOOLEAN"})).await;
    arrived(&receiver, 2);
    jobs.stop();
}

#[actix_web::test]
async fn what_is_owed_outlives_the_retention_until_a_webhook_would_be_turned_off() {
    let app = TestApp::with(loopback).await;
    let made = webhook(&app, "http://127.0.0.1:9/", json!({})).await;
    app.set_time("2026-01-31T12:00:00Z");
    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    const DAY: i64 = 24 * 3600 * 1000;
    let owed = || {
        let writer = app.app.store.writer();
        let now = app.app.now();
        featured::store::changes::prune_outbox(&writer, now - DAY, now - featured::jobs::webhooks::OWED)
            .unwrap();
        let webhook = featured::store::webhooks::list(&writer, None).unwrap().remove(0);
        featured::store::webhooks::owed_count(&writer, &webhook).unwrap()
    };
    app.set_time("2026-02-03T12:00:00Z");
    assert_eq!(owed(), 1);
    app.set_time("2026-02-04T12:00:01Z");
    assert_eq!(owed(), 0);
    // One that is off is owed nothing.
    app.feature(json!({"key": "b", "type": "BOOLEAN"})).await;
    app.editor().patch(&path(&made), json!({"enabled": false})).await.expect(200);
    app.pass(Duration::from_secs(25 * 3600));
    assert_eq!(owed(), 0);
}
