//! The stream that says: ask again.

use std::time::Duration;

use serde_json::{Value, json};

use super::{FLAGS, failed, with_vectors};
use crate::support::{PROD, TestApp};

/// The address that a bulk answer announces.
async fn announced(app: &TestApp) -> String {
    let bulk = app.sdk().post(FLAGS, json!({})).await.expect(200).body;
    bulk["eventStreams"][0]["endpoint"]["requestUri"].as_str().expect("an address").to_owned()
}

async fn set(app: &TestApp, value: i64) {
    let path = format!("{PROD}/features/num-int");
    app.editor().patch(&path, json!({"defaultValue": value})).await.expect(200);
}

#[actix_web::test]
async fn a_change_is_told_with_its_revision_to_whoever_holds_a_ticket() {
    let app = with_vectors().await;
    app.set_time("2026-09-21T14:13:20.500Z");
    let address = announced(&app).await;
    let mut events = app.anonymous().ask("GET", &address).open().await;
    set(&app, 6).await;
    let event = events.next().await;
    let revision = app.revision("prod").to_string();
    assert_eq!((event.name.as_str(), event.id.as_deref()), ("message", Some(revision.as_str())));
    let expected = json!({"type": "refetchEvaluation", "etag": revision, "lastModified": 1_790_000_000});
    assert_eq!(event.data, expected);
    set(&app, 7).await;
    assert_eq!(events.next().await.id, Some(app.revision("prod").to_string()));
}

#[actix_web::test]
async fn what_changed_between_the_answer_and_the_stream_is_told_at_once() {
    let app = with_vectors().await;
    let address = announced(&app).await;
    set(&app, 6).await;
    let revision = app.revision("prod").to_string();
    let mut events = app.anonymous().ask("GET", &address).open().await;
    assert_eq!(events.next().await.id.as_deref(), Some(revision.as_str()));
    // Who comes again says what it has heard of.
    let again = |id: &str| app.anonymous().ask("GET", &address).header("last-event-id", id);
    let mut events = again("1").open().await;
    assert_eq!(events.next().await.id.as_deref(), Some(revision.as_str()));
    let mut events = again(&revision).open().await;
    set(&app, 7).await;
    assert_eq!(events.next().await.id, Some(app.revision("prod").to_string()));
}

#[actix_web::test]
async fn rules_that_read_the_clock_have_their_clients_ask_from_time_to_time() {
    let app = TestApp::with(|config| config.heartbeat = Duration::from_millis(20)).await;
    let when = json!({"attribute": "now", "operator": "after", "value": "2026-01-01T00:00:00Z"});
    let rule = json!({"name": "later", "when": when, "outcome": {"value": true}});
    app.feature(json!({"key": "f", "type": "BOOLEAN", "rules": [rule]})).await;
    let address = announced(&app).await;
    let mut events = app.anonymous().ask("GET", &address).open().await;
    for _ in 0..2 {
        assert_eq!(events.next().await.data["type"], "refetchEvaluation");
    }
}

#[actix_web::test]
async fn a_ticket_opens_the_stream_alone_and_for_a_while() {
    let app = with_vectors().await;
    app.set_time("2026-01-01T00:01:00Z");
    let address = announced(&app).await;
    let ticket = address.split("ticket=").nth(1).and_then(|rest| rest.split('&').next()).expect("a ticket");
    failed(&app.bearer(ticket).post(FLAGS, json!({})).await, 401, "GENERAL");
    app.bearer(ticket).get(&format!("{PROD}/features")).await.expect(401);
    let query = |ticket: &str| format!("/ofrep/v1/events?ticket={ticket}");
    let forged = ticket.replace(ticket.rsplit('.').next().expect("a proof"), &"0".repeat(32));
    let later = ticket.replacen('.', ".9", 1);
    for wrong in ["", "x", "..", &forged, &later, &app.sdk_secret()] {
        failed(&app.anonymous().get(&query(wrong)).await, 401, "GENERAL");
    }
    failed(&app.sdk().get("/ofrep/v1/events").await, 401, "GENERAL");
    app.pass(Duration::from_secs(18 * 60));
    app.anonymous().ask("GET", &query(ticket)).open().await;
    app.pass(Duration::from_secs(2 * 60));
    failed(&app.anonymous().get(&query(ticket)).await, 401, "GENERAL");
}

#[actix_web::test]
async fn a_stream_lives_no_longer_than_its_token_but_through_maintenance() {
    let app = with_vectors().await;
    let made = json!({"description": "t", "kind": "client"});
    let made: Value = app.editor().post(&format!("{PROD}/tokens"), made).await.expect(201).body;
    let sdk = app.bearer(made["token"].as_str().expect("a token"));
    let bulk = sdk.post(FLAGS, json!({})).await.expect(200).body;
    let address = bulk["eventStreams"][0]["endpoint"]["requestUri"].as_str().expect("an address");
    let mut events = app.anonymous().ask("GET", address).open().await;
    for status in ["maintenance", "active"] {
        app.editor().patch(PROD, json!({"status": status})).await.expect(200);
        assert_eq!(events.next().await.data["type"], "refetchEvaluation", "{status}");
    }
    let path = format!("{PROD}/tokens/{}", made["id"].as_str().expect("an id"));
    app.editor().delete(&path).await.expect(204);
    assert!(events.next_or_end().await.is_none());
    failed(&app.anonymous().get(address).await, 401, "GENERAL");
}
