//! `GET …/features` and `GET …/features/{key}` with an environment token.

use serde_json::json;

use super::{EVALUATE, targeted};
use crate::support::{PROD, TestApp, query};

fn features() -> String {
    format!("{PROD}/features")
}

#[actix_web::test]
async fn the_body_is_that_of_evaluate_and_the_rest_stands_in_headers() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T12:00:00Z");
    app.feature(targeted("a", "SE")).await;
    app.feature(targeted("b", "NO")).await;
    let context = json!({"country": "NO", "userId": "ä b&c"});
    let got = app.sdk().get(&query(&features(), &[("context", &context.to_string())])).await.expect(200);
    let mut posted = app.sdk().post(EVALUATE, json!({"context": context})).await.expect(200).body;
    let members = posted.as_object_mut().expect("an object");
    members.remove("evaluatedAt");
    members.remove("decisionId");
    assert_eq!(got.body, posted);
    assert_eq!(got.header("x-evaluated-at"), Some("2026-03-01T12:00:00.000Z"));
    let id = got.header("x-decision-id").expect("a decision id");
    assert_eq!(uuid::Uuid::parse_str(id).expect("a UUID").get_version_num(), 7);
    assert_eq!(got.header("cache-control"), Some("private, max-age=0, must-revalidate"));
    let etag = got.header("etag").expect("a tag");
    assert!(etag.starts_with('"') && etag.ends_with('"'), "a strong tag: {etag}");
}

#[actix_web::test]
async fn a_known_tag_is_answered_304_until_something_changes() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    let sdk = app.sdk();
    let ask = async |tag: &str| sdk.ask("GET", &features()).header("if-none-match", tag).send().await;
    let first = sdk.get(&features()).await.expect(200);
    let tag = first.header("etag").expect("a tag").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let reply = ask(&known).await.expect(304);
        assert_eq!(reply.text, "");
        assert_eq!(reply.header("etag"), Some(tag.as_str()), "{known}");
        assert_eq!(reply.header("cache-control"), Some("private, max-age=0, must-revalidate"));
    }
    ask("\"other\"").await.expect(200);
    app.editor().patch(&format!("{PROD}/features/a"), json!({"defaultValue": true})).await.expect(200);
    let changed = ask(&tag).await.expect(200);
    assert_eq!(changed.body["features"]["a"]["value"], true);
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
}

#[actix_web::test]
async fn the_tag_depends_on_context_keys_and_environment() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    app.editor().post("/api/v1/sites/shop/environments", json!({"name": "dev"})).await.expect(201);
    let dev = app.bearer(&app.token_of("shop", "dev", json!({"description": "dev", "kind": "client"})));
    let sdk = app.sdk();
    let mut tags = vec![
        sdk.get(&features()).await,
        sdk.get(&query(&features(), &[("context", r#"{"country":"SE"}"#)])).await,
        sdk.get(&query(&features(), &[("context", r#"{"country":"NO"}"#)])).await,
        sdk.get(&query(&features(), &[("keys", "a")])).await,
        sdk.get(&query(&features(), &[("keys", "b")])).await,
        sdk.get(&format!("{PROD}/features/a")).await,
        dev.get("/api/v1/sites/shop/environments/dev/features").await,
    ]
    .into_iter()
    .map(|reply| reply.expect(200).header("etag").expect("a tag").to_owned())
    .collect::<Vec<_>>();
    let all = tags.len();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), all);
}

#[actix_web::test]
async fn keys_limits_the_features_and_unknown_ones_are_missing() {
    let app = TestApp::new().await;
    for key in ["a", "b", "with/slash", "with:colon"] {
        app.feature(targeted(key, "SE")).await;
    }
    let path = query(&features(), &[("keys", "b,gone,with/slash,with:colon")]);
    let reply = app.sdk().get(&path).await.expect(200);
    let keys: Vec<_> = reply.body["features"].as_object().expect("features").keys().collect();
    assert_eq!(keys, ["b", "with/slash", "with:colon"]);
    assert_eq!(reply.body["missing"], json!(["gone"]));
}

#[actix_web::test]
async fn one_feature_is_given_by_its_key() {
    let app = TestApp::new().await;
    let made = app.feature(targeted("a", "SE")).await;
    let path = query(&format!("{PROD}/features/a"), &[("context", r#"{"country":"SE"}"#)]);
    let reply = app.sdk().get(&path).await.expect(200);
    assert_eq!(
        reply.body,
        json!({"site": "shop", "environment": "prod", "revision": app.revision("prod"), "key": "a",
               "value": true, "type": "BOOLEAN", "enabled": true, "reason": "TARGETING_MATCH",
               "ruleId": made["rules"][0]["id"], "variant": null, "version": 1})
    );
    let tag = reply.header("etag").expect("a tag").to_owned();
    assert!(reply.header("x-evaluated-at").is_some() && reply.header("x-decision-id").is_some());
    app.sdk().ask("GET", &path).header("if-none-match", &tag).send().await.expect(304);
}

#[actix_web::test]
async fn an_unknown_feature_is_404_with_the_key_named() {
    let app = TestApp::new().await;
    let reply = app.sdk().get(&format!("{PROD}/features/manage%2Fgone")).await;
    reply.refused(404, "not_found");
    assert!(reply.message().contains("manage/gone"), "{}", reply.message());
}

#[actix_web::test]
async fn keys_with_slashes_and_colons_are_percent_encoded() {
    let app = TestApp::new().await;
    for (key, path) in [
        ("manage/plugins", "manage%2Fplugins"),
        ("a:b", "a%3Ab"),
        ("a:b/c:d", "a%3ab%2fc%3Ad"),
        ("urn:x:revert", "urn%3Ax%3Arevert"),
        ("dots.and-dashes_", "dots.and-dashes_"),
        ("rules", "rules"),
    ] {
        app.feature(targeted(key, "SE")).await;
        let reply = app.sdk().get(&format!("{PROD}/features/{path}")).await.expect(200);
        assert_eq!(reply.body["key"], key);
    }
}

#[actix_web::test]
async fn a_context_that_cannot_be_read_is_refused() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    for path in [features(), format!("{PROD}/features/a"), format!("{PROD}/stream")] {
        app.sdk().get(&query(&path, &[("context", "{")])).await.refused(400, "bad_json");
        let reply = app.sdk().get(&query(&path, &[("context", "[1]")])).await;
        reply.refused(422, "invalid");
        assert_eq!(reply.fields(), ["context"]);
    }
}
