//! The cache of answers: seen in `X-Cache`, and never in a value.

use std::time::Duration;

use serde_json::json;

use super::{EVALUATE, targeted};
use crate::support::{PROD, TestApp};

#[actix_web::test]
async fn the_second_equal_request_is_a_hit_until_something_changes() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    let ask = async || {
        let reply = app.sdk().post(EVALUATE, json!({"context": {"country": "SE"}})).await.expect(200);
        let value = reply.body["features"]["a"]["value"].clone();
        (reply.header("x-cache").expect("X-Cache").to_owned(), value, reply.body)
    };
    let (first, value, miss) = ask().await;
    assert_eq!((first.as_str(), value), ("MISS", json!(true)));
    let (second, _, hit) = ask().await;
    assert_eq!(second, "HIT");
    for member in ["site", "environment", "revision", "features", "missing"] {
        assert_eq!(miss[member], hit[member]);
    }
    app.editor().patch(&format!("{PROD}/features/a"), json!({"enabled": false})).await.expect(200);
    let (third, value, _) = ask().await;
    assert_eq!((third.as_str(), value), ("MISS", json!(false)), "the very next request sees the change");
    assert_eq!(ask().await.0, "HIT");
}

#[actix_web::test]
async fn another_context_key_or_environment_is_another_question() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    app.editor().post("/api/v1/sites/shop/environments", json!({"name": "dev"})).await.expect(201);
    let dev = app.bearer(&app.token_of("shop", "dev", json!({"description": "dev", "kind": "client"})));
    let sdk = app.sdk();
    for body in [json!({}), json!({"context": {}}), json!({"context": {"a": 1}}), json!({"features": ["a"]})]
    {
        let reply = sdk.post(EVALUATE, body.clone()).await.expect(200);
        assert_eq!(reply.header("x-cache"), Some("MISS"), "{body}");
    }
    let other = dev.post(EVALUATE, json!({})).await.expect(200);
    assert_eq!(other.header("x-cache"), Some("MISS"));
    assert_eq!(other.body["environment"], "dev");
    let again = app.server_sdk().post(EVALUATE, json!({})).await.expect(200);
    assert_eq!(again.header("x-cache"), Some("HIT"), "two tokens of one environment share");
}

#[actix_web::test]
async fn a_refused_request_is_never_kept() {
    let app = TestApp::new().await;
    for _ in 0..2 {
        app.sdk().post(EVALUATE, json!({"environmentId": "dev"})).await.refused(403, "forbidden");
        app.sdk().post(EVALUATE, json!({"contexts": {}})).await.refused(400, "unknown_field");
    }
}

#[actix_web::test]
async fn the_cache_can_be_turned_off() {
    let app = TestApp::with(|config| config.cache_ttl = Duration::ZERO).await;
    for _ in 0..2 {
        let reply = app.sdk().post(EVALUATE, json!({})).await.expect(200);
        assert_eq!(reply.header("x-cache"), Some("MISS"));
    }
}

#[actix_web::test]
async fn rules_that_read_the_clock_are_asked_each_time() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T11:59:59Z");
    app.feature(json!({
        "key": "sale", "type": "BOOLEAN", "defaultValue": false,
        "rules": [{"name": "from noon",
                   "when": {"attribute": "now", "operator": "after", "value": "2026-03-01T12:00:00Z"},
                   "outcome": {"value": true}}],
    }))
    .await;
    let path = format!("{PROD}/features");
    let post = async |context: serde_json::Value| {
        let reply = app.sdk().post(EVALUATE, json!({"context": context})).await.expect(200);
        assert_eq!(reply.header("x-cache"), Some("MISS"));
        reply.body["features"]["sale"]["value"].clone()
    };
    let tag = app.sdk().get(&path).await.expect(200).header("etag").expect("a tag").to_owned();
    let ask = async || app.sdk().ask("GET", &path).header("if-none-match", &tag).send().await;
    assert_eq!(post(json!({})).await, json!(false));
    ask().await.expect(304);
    app.set_time("2026-03-01T12:00:01Z");
    assert_eq!(post(json!({})).await, json!(true), "nothing but time has passed");
    assert_eq!(ask().await.expect(200).body["features"]["sale"]["value"], true);
    assert_eq!(
        post(json!({"now": "2026-01-01T00:00:00Z"})).await,
        json!(false),
        "the context's own now wins"
    );
}
