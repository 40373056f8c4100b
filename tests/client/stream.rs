//! `GET …/stream`: events of one context.

use serde_json::json;

use super::targeted;
use crate::support::{PROD, TestApp, query};

fn stream(context: &str) -> String {
    query(&format!("{PROD}/stream"), &[("context", context)])
}

#[actix_web::test]
async fn a_snapshot_comes_first_then_only_what_changed_for_this_context() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    app.feature(targeted("b", "NO")).await;
    let mut events = app.sdk().ask("GET", &stream(r#"{"country":"SE"}"#)).open().await;
    let first = events.next().await;
    assert_eq!(first.name, "snapshot");
    assert_eq!(first.id, Some(app.revision("prod").to_string()));
    assert_eq!(first.data["revision"], app.revision("prod"));
    assert_eq!(first.data["features"]["a"]["value"], true);
    assert_eq!(first.data["features"]["b"]["value"], false);

    let editor = app.editor();
    editor.patch(&format!("{PROD}/features/b"), json!({"description": "seen by nobody"})).await.expect(200);
    editor.patch(&format!("{PROD}/features/a"), json!({"enabled": false})).await.expect(200);
    let update = events.next().await;
    assert_eq!((update.name.as_str(), &update.data["revision"]), ("update", &json!(app.revision("prod"))));
    let features = update.data["features"].as_object().expect("features");
    assert_eq!(features.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(features["a"]["reason"], "DISABLED");

    editor.delete(&format!("{PROD}/features/b")).await.expect(204);
    let delete = events.next().await;
    assert_eq!((delete.name.as_str(), &delete.data["keys"]), ("delete", &json!(["b"])));
    assert_eq!(delete.id, Some(app.revision("prod").to_string()));
}

#[actix_web::test]
async fn a_current_last_event_id_needs_no_snapshot_any_other_gets_one() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    let revision = app.revision("prod");
    for old in [(revision - 1).to_string(), "0".into(), "x".into(), (revision + 1).to_string()] {
        let mut events = app.sdk().ask("GET", &stream("{}")).header("last-event-id", &old).open().await;
        assert_eq!(events.next().await.name, "snapshot", "{old}");
    }
    let current = revision.to_string();
    let mut events = app.sdk().ask("GET", &stream("{}")).header("last-event-id", &current).open().await;
    app.editor().patch(&format!("{PROD}/features/a"), json!({"defaultValue": true})).await.expect(200);
    assert_eq!(events.next().await.name, "update");
}

#[actix_web::test]
async fn leaving_and_entering_service_is_told() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    let mut events = app.sdk().ask("GET", &stream("{}")).open().await;
    events.next().await;
    app.editor().patch(PROD, json!({"status": "maintenance"})).await.expect(200);
    let status = events.next().await;
    assert_eq!((status.name.as_str(), status.data), ("status", json!({"status": "maintenance"})));
    app.editor().patch(&format!("{PROD}/features/a"), json!({"defaultValue": true})).await.expect(200);
    app.editor().patch(PROD, json!({"status": "active"})).await.expect(200);
    let status = events.next().await;
    assert_eq!((status.name.as_str(), status.data), ("status", json!({"status": "active"})));
    let update = events.next().await;
    assert_eq!(update.data["features"]["a"]["value"], true, "what happened meanwhile comes with it");
}

#[actix_web::test]
async fn a_stream_ends_when_its_token_is_revoked_or_its_environment_deleted() {
    let app = TestApp::new().await;
    let created = app
        .editor()
        .post(&format!("{PROD}/tokens"), json!({"description": "t", "kind": "client"}))
        .await
        .expect(201);
    let secret = created.body["token"].as_str().expect("a token");
    let mut revoked = app.anonymous().ask("GET", &format!("{PROD}/stream?apiKey={secret}")).open().await;
    let mut deleted = app.sdk().ask("GET", &stream("{}")).open().await;
    revoked.next().await;
    deleted.next().await;
    let path = format!("{PROD}/tokens/{}", created.body["id"].as_str().expect("an id"));
    app.editor().delete(&path).await.expect(204);
    app.feature(targeted("a", "SE")).await;
    assert!(revoked.next_or_end().await.is_none());
    assert_eq!(deleted.next().await.name, "update");
    app.editor().delete(PROD).await.expect(204);
    assert!(deleted.next_or_end().await.is_none());
}

#[actix_web::test]
async fn a_query_takes_client_tokens_only() {
    let app = TestApp::new().await;
    let server = app.token(json!({"description": "s", "kind": "server"}));
    app.anonymous().get(&format!("{PROD}/stream?apiKey={server}")).await.refused(403, "forbidden");
    app.anonymous().get(&format!("{PROD}/stream?apiKey=x")).await.refused(401, "unauthenticated");
    app.anonymous()
        .get(&format!("{PROD}/features?apiKey={}", app.sdk_secret()))
        .await
        .refused(401, "unauthenticated");
}
