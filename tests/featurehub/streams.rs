//! `GET /features/{key}` as Server-Sent Events.

use std::time::Duration;

use serde_json::{Value, json};

use super::{furnish, path_of, poll};
use crate::support::{PROD, TestApp};

#[actix_web::test]
async fn features_come_first_and_then_each_change_as_the_key_sees_it() {
    let app = TestApp::new().await;
    furnish(&app).await;
    let (client, server) = (app.featurehub_key(true, &[]), app.featurehub_key(false, &[]));
    let who = app.anonymous();
    let mut raw = who.ask("GET", &format!("/features/{client}")).open().await;
    let mut old = who.ask("GET", &format!("/features/default/{client}")).open().await;
    let mut turk =
        who.ask("GET", &format!("/features/{server}")).header("x-featurehub", "country=turkey").open().await;
    let query = "?xfeaturehub=country%3Dgreece".replace("%3D", "=");
    let mut greek = who.ask("GET", &format!("/features/{server}{query}")).open().await;
    for stream in [&mut raw, &mut old, &mut turk, &mut greek] {
        let ack = stream.next().await;
        assert_eq!((ack.name.as_str(), &ack.data), ("ack", &json!({"status": "discover"})));
        let features = stream.next().await;
        assert_eq!((features.name.as_str(), features.id.is_some()), ("features", true));
        assert_eq!(features.data.as_array().expect("a flat list").len(), 5);
    }
    // A change that reaches everybody, though not everybody sees the same.
    let rule = json!({"name": "Greece", "when": {"attribute": "country", "operator": "equals", "value": "greece"},
                      "outcome": {"value": true}});
    app.editor().post(&format!("{}/rules", path_of("FLAG")), rule).await.expect(201);
    for stream in [&mut raw, &mut old] {
        let event = stream.next().await;
        assert_eq!((event.name.as_str(), &event.id), ("feature", &None));
        assert_eq!(event.data["strategies"].as_array().expect("strategies").len(), 2);
    }
    assert_eq!(greek.next().await.data["value"], json!(true));
    // To the Turk nothing has changed: the next thing he hears is the next change.
    app.editor().patch(&path_of("TEXT"), json!({"defaultValue": "x"})).await.expect(200);
    let event = turk.next().await;
    assert_eq!((&event.data["key"], &event.data["value"]), (&json!("TEXT"), &json!("x")));
    raw.next().await;
    app.editor().patch(&path_of("FLAG"), json!({"locked": true})).await.expect(200);
    assert_eq!(raw.next().await.data["l"], json!(true));
    assert_eq!(turk.next().await.data["l"], json!(true));
    app.editor().delete(&path_of("COUNT")).await.expect(204);
    let mut version = 0;
    for stream in [&mut raw, &mut turk] {
        let event = stream.next().await;
        assert_eq!((event.name.as_str(), &event.data["key"]), ("delete_feature", &json!("COUNT")));
        version = event.data["version"].as_u64().expect("a version");
    }
    app.feature(json!({"key": "COUNT", "type": "NUMBER", "defaultValue": 2})).await;
    let event = raw.next().await;
    assert_eq!((event.name.as_str(), &event.data["value"]), ("feature", &json!(2)));
    assert!(event.data["version"].as_u64() > Some(version));
}

#[actix_web::test]
async fn segments_and_stored_contexts_reach_streams_too() {
    let app = TestApp::new().await;
    let segment = |country: &str| json!({"attribute": "country", "operator": "equals", "value": country});
    let body = json!({"key": "s", "conditions": segment("SE")});
    app.editor().post("/api/v1/sites/shop/segments", body).await.expect(201);
    for key in ["A", "B"] {
        let rule = json!({"name": "s", "when": {"segment": "s"}, "outcome": {"value": true}});
        let rules = if key == "A" { json!([rule]) } else { json!([]) };
        app.feature(json!({"key": key, "type": "BOOLEAN", "defaultValue": false, "rules": rules})).await;
    }
    let who = app.anonymous();
    let mut raw = who.ask("GET", &format!("/features/{}", app.featurehub_key(true, &[]))).open().await;
    let server = app.featurehub_key(false, &[]);
    let mut ana = who
        .ask("GET", &format!("/features/{server}"))
        .header("x-featurehub", "country=NO,userkey=ana")
        .open()
        .await;
    for stream in [&mut raw, &mut ana] {
        stream.next().await;
        stream.next().await;
    }
    app.editor()
        .patch("/api/v1/sites/shop/segments/s", json!({"conditions": segment("NO")}))
        .await
        .expect(200);
    let told = raw.next().await;
    assert_eq!(
        (&told.data["key"], &told.data["strategies"][0]["attributes"][0]["values"]),
        (&json!("A"), &json!(["NO"]))
    );
    let told = ana.next().await;
    assert_eq!((&told.data["key"], &told.data["value"]), (&json!("A"), &json!(true)));
    app.contexts(json!([{"key": "ana", "features": {"B": "yes"}}]));
    let told = raw.next().await;
    assert_eq!(told.data["key"], json!("B"), "and A is not told again");
    assert_eq!(told.data["strategies"][0]["attributes"][0]["fieldName"], json!("userkey"));
    assert_eq!(told.data["strategies"][0]["value"], json!(true));
    let told = ana.next().await;
    assert_eq!((&told.data["key"], &told.data["value"]), (&json!("B"), &json!(true)));
}

#[actix_web::test]
async fn a_feature_that_can_no_longer_be_expressed_is_deleted_for_those_clients() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "F", "type": "BOOLEAN", "defaultValue": false})).await;
    let who = app.anonymous();
    let mut raw = who.ask("GET", &format!("/features/{}", app.featurehub_key(true, &[]))).open().await;
    raw.next().await;
    raw.next().await;
    let rule =
        json!({"name": "r", "when": {"attribute": "a", "operator": "exists"}, "outcome": {"value": true}});
    app.editor().patch(&path_of("F"), json!({"rules": [rule]})).await.expect(200);
    assert_eq!(raw.next().await.name, "delete_feature");
    app.editor().patch(&path_of("F"), json!({"rules": []})).await.expect(200);
    assert_eq!(raw.next().await.name, "feature");
}

#[actix_web::test]
async fn who_holds_the_current_tag_goes_without_the_list() {
    let app = TestApp::new().await;
    furnish(&app).await;
    let who = app.anonymous();
    for (key, depends) in [(app.featurehub_key(true, &[]), false), (app.featurehub_key(false, &[]), true)] {
        let open = |context: &'static str, id: String| {
            let ask = who.ask("GET", &format!("/features/{key}")).header("x-featurehub", context);
            async move { ask.header("last-event-id", &id).open().await }
        };
        let mut change = 0;
        for quoted in [false, true] {
            let mut first = open("userkey=a", "stale".into()).await;
            assert_eq!(first.next().await.name, "ack");
            let id = first.next().await.id.expect("a tag");
            let held = if quoted { format!("\"{id}\"") } else { id.clone() };
            let mut same = open("userkey=a", held.clone()).await;
            let mut other = open("userkey=b", held.clone()).await;
            change += 1;
            app.editor()
                .patch(&path_of("TEXT"), json!({"defaultValue": change.to_string()}))
                .await
                .expect(200);
            assert_eq!(same.next().await.name, "feature");
            assert_eq!(other.next().await.name, if depends { "ack" } else { "feature" });
            let mut stale = open("userkey=a", held).await;
            assert_eq!(stale.next().await.name, "ack");
            assert_eq!(stale.next().await.name, "features");
            app.editor().patch(&path_of("TEXT"), json!({"defaultValue": "between"})).await.expect(200);
        }
    }
}

#[actix_web::test]
async fn unknown_keys_hear_a_failure_and_malformed_ones_are_404() {
    let app = TestApp::new().await;
    let who = app.anonymous();
    let key = app.featurehub_key(true, &[]);
    let environment = key.split('/').next().expect("an id");
    who.get("/features/nonsense").await.expect(404);
    who.get("/features/a/b").await.expect(404);
    let mut stream = who.ask("GET", &format!("/features/{environment}/none")).open().await;
    assert_eq!(stream.next().await.name, "ack");
    let failure = stream.next().await;
    assert_eq!(failure.name, "failure");
    assert!(failure.data["status"].is_string());
    let began = std::time::Instant::now();
    assert!(stream.next_or_end().await.is_none());
    assert!(began.elapsed() > Duration::from_secs(3), "a client that comes back at once is held up");
    app.editor().patch(PROD, json!({"status": "archived"})).await.expect(200);
    let mut stream = who.ask("GET", &format!("/features/{key}")).open().await;
    assert_eq!(stream.next().await.name, "ack");
    assert_eq!(stream.next().await.name, "failure");
}

#[actix_web::test]
async fn a_key_that_is_revoked_hears_a_failure() {
    let app = TestApp::new().await;
    let editor = app.editor();
    let body = json!({"description": "short-lived", "kind": "server"});
    let token = editor.post(&format!("{PROD}/tokens"), body).await.expect(201).body;
    let text = |name: &str| token[name].as_str().expect("text").to_owned();
    let mut stream = app.anonymous().ask("GET", &format!("/features/{}", text("featurehubKey"))).open().await;
    stream.next().await;
    stream.next().await;
    editor.delete(&format!("{PROD}/tokens/{}", text("id"))).await.expect(204);
    assert_eq!(stream.next().await.name, "failure");
    assert!(stream.next_or_end().await.is_none());
}

#[actix_web::test]
async fn streams_hear_bye_in_maintenance_and_go_on_behind_it() {
    let app = TestApp::new().await;
    furnish(&app).await;
    let who = app.anonymous();
    let path = format!("/features/{}", app.featurehub_key(false, &[]));
    let mut before = who.ask("GET", &path).open().await;
    before.next().await;
    before.next().await;
    app.editor().patch(PROD, json!({"status": "maintenance"})).await.expect(200);
    assert_eq!(before.next().await.name, "bye");
    let mut during = who.ask("GET", &path).open().await;
    assert_eq!(during.next().await.name, "ack");
    app.editor().patch(&path_of("TEXT"), json!({"defaultValue": "new"})).await.expect(200);
    app.editor().patch(PROD, json!({"status": "active"})).await.expect(200);
    assert_eq!(before.next().await.data["value"], json!("new"));
    let mut event = during.next().await;
    if event.name == "bye" {
        event = during.next().await;
    }
    assert_eq!(event.name, "features");
}

#[actix_web::test]
async fn over_its_limit_a_stream_waits_for_its_turn() {
    let app = TestApp::with(|config| config.rate_limit = 1).await;
    furnish(&app).await;
    let body = json!({"description": "few", "kind": "server"});
    let token = app.editor().post(&format!("{PROD}/tokens"), body).await.expect(201).body;
    let key = token["featurehubKey"].as_str().expect("a key").to_owned();
    let who = app.anonymous();
    // Near the end of a window of a minute, so that the next begins soon.
    app.set_time("2026-01-01T00:00:58Z");
    who.get(&poll(&[&key])).await.expect(200);
    let mut stream = who.ask("GET", &format!("/features/{key}")).open().await;
    assert_eq!(stream.next().await.name, "ack");
    let mut event = stream.next().await;
    if event.name == "bye" {
        event = stream.next().await;
    }
    assert_eq!(event.name, "features");
}

#[actix_web::test]
async fn streams_beat_and_are_closed_where_the_settings_say_so() {
    let app = TestApp::with(|config| {
        config.featurehub.heartbeat = Duration::from_secs(1);
        config.featurehub.drop_after = Duration::from_millis(2500);
    })
    .await;
    let path = format!("/features/{}", app.featurehub_key(true, &[]));
    let mut stream = app.anonymous().ask("GET", &path).open().await;
    let mut names = Vec::new();
    let mut data = Vec::new();
    while let Some(event) = stream.next_or_end().await {
        names.push(event.name);
        data.push(event.data);
    }
    assert_eq!(names.first().map(String::as_str), Some("ack"));
    assert_eq!(names.last().map(String::as_str), Some("bye"));
    assert_eq!(data.last(), Some(&json!({"status": "closed"})));
    assert!(names[2..].iter().any(|name| name == "ack"), "{names:?}");
    assert!(data.contains(&Value::from("❤️")));
}

#[actix_web::test]
async fn the_end_of_the_server_is_told() {
    let app = TestApp::new().await;
    let path = format!("/features/{}", app.featurehub_key(true, &[]));
    let mut stream = app.anonymous().ask("GET", &path).open().await;
    stream.next().await;
    stream.next().await;
    app.app.live.shut_down();
    assert_eq!(stream.next().await.name, "bye");
    assert!(stream.next_or_end().await.is_none());
}
