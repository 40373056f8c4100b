//! What evaluating counts: one for each feature whose value was answered for a context (feature-config §8).

use serde_json::{Value, json};

use super::{EVALUATE, targeted};
use crate::support::{PROD, TestApp, query};

/// How often each value of each feature was counted: feature, value, count.
fn counted(app: &TestApp) -> Vec<String> {
    app.run_jobs();
    let conn = app.app.store.read().expect("a connection");
    let mut statement = conn
        .prepare("SELECT feature || ' ' || value || ' ' || sum(count) FROM evaluation_counts GROUP BY feature, value ORDER BY 1")
        .expect("SQL");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("rows")
}

async fn with_two_features() -> TestApp {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    app.feature(targeted("b", "NO")).await;
    app
}

#[actix_web::test]
async fn a_cached_answer_counts_as_the_first_one_did() {
    let app = with_two_features().await;
    for expected in ["MISS", "HIT", "HIT"] {
        let reply = app.sdk().post(EVALUATE, json!({"context": {"country": "SE"}})).await.expect(200);
        assert_eq!(reply.header("x-cache"), Some(expected));
    }
    assert_eq!(counted(&app), ["a true 3", "b false 3"]);
    app.sdk().post(EVALUATE, json!({"context": {"country": "SE"}})).await.expect(200);
    assert_eq!(counted(&app), ["a true 4", "b false 4"], "after a flush, too");
}

/// Without the cache, who sends the same again is known: as long as everything else is the same, too.
#[actix_web::test]
async fn a_request_that_is_sent_again_counts_as_the_first_one_did() {
    let app = TestApp::with(|config| config.cache_ttl = std::time::Duration::ZERO).await;
    app.feature(targeted("a", "SE")).await;
    let (ana, ben) = (json!({"userId": "ana", "country": "SE", "plan": "pro"}), json!({"userId": "ben"}));
    for context in [&ana, &ana, &ben, &ana] {
        app.sdk().post(EVALUATE, json!({ "context": context })).await.expect(200);
    }
    let when = json!({"attribute": "plan", "operator": "equals", "value": "pro"});
    let rule = json!({"name": "pro", "when": when, "outcome": {"value": true}});
    app.feature(json!({"key": "b", "type": "BOOLEAN", "rules": [rule]})).await;
    for context in [&ana, &ben, &ana] {
        app.sdk().post(EVALUATE, json!({ "context": context })).await.expect(200);
    }
    assert_eq!(counted(&app), ["a false 2", "a true 5", "b null 1", "b true 2"]);
    let ask = async |what: &str| {
        app.viewer().get(&format!("/api/v1/analytics/{what}site=shop&env=prod")).await.expect(200).body
    };
    let users = (ask("summary?").await, ask("summary?feature=b&").await);
    assert_eq!((&users.0["uniqueUsers"], &users.1["uniqueUsers"]), (&json!(2), &json!(2)));
    let fields = ask("contexts?").await["items"].clone();
    let of = |at: usize| (fields[at]["field"].clone(), fields[at]["count"].clone());
    assert_eq!((of(0), of(1)), ((json!("country"), json!(5)), (json!("plan"), json!(2))), "{fields}");
}

#[actix_web::test]
async fn every_route_that_answers_values_counts_them() {
    let app = with_two_features().await;
    let sdk = app.sdk();
    let context = r#"{"country":"SE"}"#;
    sdk.post(EVALUATE, json!({"context": {"country": "SE"}, "features": ["a", "gone"]})).await.expect(200);
    let entities = json!([{"country": "SE"}, {"country": "NO"}]);
    sdk.post("/api/v1/evaluate/batch", json!({"entities": entities})).await.expect(200);
    assert_eq!(counted(&app), ["a false 1", "a true 2", "b false 1", "b true 1"]);
    sdk.get(&query(&format!("{PROD}/features"), &[("context", context)])).await.expect(200);
    sdk.get(&query(&format!("{PROD}/features/b"), &[("context", context)])).await.expect(200);
    assert_eq!(counted(&app), ["a false 1", "a true 3", "b false 3", "b true 1"]);

    let mut events = sdk.ask("GET", &query(&format!("{PROD}/stream"), &[("context", context)])).open().await;
    events.next().await;
    assert_eq!(counted(&app), ["a false 1", "a true 4", "b false 4", "b true 1"]);
    app.editor().patch(&format!("{PROD}/features/b"), json!({"enabled": false})).await.expect(200);
    events.next().await;
    assert_eq!(counted(&app), ["a false 1", "a true 4", "b false 5", "b true 1"], "what changed alone");
}

#[actix_web::test]
async fn what_answers_no_value_counts_none() {
    let app = with_two_features().await;
    let path = query(&format!("{PROD}/features"), &[("context", "{}")]);
    let reply = app.sdk().get(&path).await.expect(200);
    let etag = reply.header("etag").expect("an etag").to_owned();
    assert_eq!(counted(&app), ["a false 1", "b false 1"]);
    app.sdk().ask("GET", &path).header("if-none-match", &etag).send().await.expect(304);
    app.server_sdk().get(&format!("{PROD}/ruleset")).await.expect(200);
    let body = json!({"siteId": "shop", "environmentId": "prod", "context": {}});
    app.viewer().post("/api/v1/evaluate:explain", body).await.expect(200);
    app.sdk().post(EVALUATE, json!({"context": {}, "features": []})).await.expect(200);
    app.sdk().post(EVALUATE, json!({"context": []})).await.expect(422);
    app.sdk().get(&format!("{PROD}/features/gone")).await.expect(404);
    assert_eq!(counted(&app), ["a false 1", "b false 1"]);
}

#[actix_web::test]
async fn rules_that_read_the_clock_count_when_they_are_answered_anew() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T12:00:00Z");
    let when = json!({"attribute": "now", "operator": "after", "value": "2026-03-02"});
    let rule = json!({"name": "later", "when": when, "outcome": {"value": true}});
    app.feature(json!({"key": "c", "type": "BOOLEAN", "defaultValue": false, "rules": [rule]})).await;
    let path = format!("{PROD}/features");
    let reply = app.sdk().get(&path).await.expect(200);
    let etag = reply.header("etag").expect("an etag").to_owned();
    app.sdk().ask("GET", &path).header("if-none-match", &etag).send().await.expect(304);
    assert_eq!(counted(&app), ["c false 1"]);
    app.set_time("2026-03-03T12:00:00Z");
    app.sdk().ask("GET", &path).header("if-none-match", &etag).send().await.expect(200);
    assert_eq!(counted(&app), ["c false 1", "c true 1"]);
}

#[actix_web::test]
async fn rule_variant_and_day_are_kept_apart() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T23:59:59Z");
    let split = json!({"split": [{"variant": "x", "weight": 100}]});
    let feature: Value = app
        .feature(json!({
            "key": "v", "type": "STRING", "defaultValue": "d", "variants": [{"key": "x", "value": "X"}],
            "rules": [{"name": "r", "when": {"attribute": "in", "operator": "equals", "value": true}, "outcome": split}],
        }))
        .await;
    app.contexts(json!([{"key": "mia", "features": {"v": "hers"}}]));
    let contexts =
        [json!({"in": true}), json!({}), json!({"userId": "mia"}), json!({"in": true, "userId": "mia"})];
    app.sdk().post("/api/v1/evaluate/batch", json!({"entities": contexts})).await.expect(200);
    app.set_time("2026-03-02T00:00:00Z");
    app.sdk().post("/api/v1/evaluate/batch", json!({"entities": contexts[..2]})).await.expect(200);
    app.run_jobs();
    let rule = feature["rules"][0]["id"].as_str().expect("an id");
    let expected = [
        "2026-03-01 v   \"d\" 1".to_owned(),
        "2026-03-01 v   \"hers\" 2".to_owned(),
        format!("2026-03-01 v {rule} x \"X\" 1"),
        "2026-03-02 v   \"d\" 1".to_owned(),
        format!("2026-03-02 v {rule} x \"X\" 1"),
    ];
    assert_eq!(super::analytics::counts(&app), expected);
}

#[actix_web::test]
async fn nothing_is_counted_where_sampling_is_off() {
    let app = TestApp::with(|config| config.sampling = 0.0).await;
    app.feature(targeted("a", "SE")).await;
    app.sdk().post(EVALUATE, json!({})).await.expect(200);
    assert_eq!(counted(&app), [""; 0]);
}
