//! Rate limits: per token and minute, for `client` tokens per address too.

use std::time::Duration;

use serde_json::{Value, json};

use super::EVALUATE;
use crate::support::{PROD, TestApp};

/// The beginning of a minute.
const MINUTE: &str = "2026-03-01T12:00:00Z";

fn limits(reply: &crate::support::Reply) -> [Option<&str>; 3] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"].map(|name| reply.header(name))
}

fn limited(kind: &str, limit: Value) -> Value {
    json!({"description": "limited", "kind": kind, "rateLimit": limit})
}

#[actix_web::test]
async fn a_token_has_100_requests_a_minute() {
    let app = TestApp::new().await;
    app.set_time(MINUTE);
    let sdk = app.sdk();
    for used in 1..=100 {
        let reply = sdk.post(EVALUATE, json!({})).await.expect(200);
        assert_eq!(limits(&reply), [Some("100"), Some((100 - used).to_string().as_str()), Some("60")]);
    }
    app.pass(Duration::from_millis(20_500));
    let over = sdk.post(EVALUATE, json!({})).await;
    over.refused(429, "rate_limited");
    assert_eq!(over.header("retry-after"), Some("40"));
    assert_eq!(limits(&over), [Some("100"), Some("0"), Some("40")]);
    sdk.get(&format!("{PROD}/features")).await.refused(429, "rate_limited");
    sdk.get(&format!("{PROD}/stream")).await.refused(429, "rate_limited");
    app.set_time("2026-03-01T12:01:00Z");
    let next = sdk.post(EVALUATE, json!({})).await.expect(200);
    assert_eq!(limits(&next), [Some("100"), Some("99"), Some("60")]);
}

#[actix_web::test]
async fn a_client_token_is_counted_per_address_and_a_server_token_as_a_whole() {
    let app = TestApp::new().await;
    app.set_time(MINUTE);
    let page = app.bearer(&app.token(limited("client", json!(1))));
    let (here, there) = (page.at("192.0.2.7"), page.at("2001:db8::7"));
    here.post(EVALUATE, json!({})).await.expect(200);
    here.post(EVALUATE, json!({})).await.expect(429);
    there.post(EVALUATE, json!({})).await.expect(200);
    let other = app.bearer(&app.token(limited("client", json!(1))));
    other.at("192.0.2.7").post(EVALUATE, json!({})).await.expect(200);

    let service = app.bearer(&app.token(limited("server", json!(1))));
    service.at("192.0.2.7").post(EVALUATE, json!({})).await.expect(200);
    service.at("192.0.2.8").post(EVALUATE, json!({})).await.expect(429);
}

#[actix_web::test]
async fn behind_a_trusted_proxy_the_address_it_names_counts() {
    let app =
        TestApp::with(|config| config.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")]).await;
    app.set_time(MINUTE);
    let page = app.bearer(&app.token(limited("client", json!(1))));
    let ask = async |peer: &str, forwarded: &str| {
        let ask = page.at(peer).ask("POST", EVALUATE).header("x-forwarded-for", forwarded);
        ask.json(&json!({})).send().await.status
    };
    assert_eq!(ask("10.0.0.1", "192.0.2.1").await, 200);
    assert_eq!(
        ask("10.0.0.2", "203.0.113.9, 192.0.2.1, 10.0.0.1").await,
        429,
        "the same visitor by another way"
    );
    assert_eq!(ask("10.0.0.1", "192.0.2.2").await, 200);
    assert_eq!(ask("192.0.2.3", "192.0.2.4").await, 200);
    assert_eq!(ask("192.0.2.3", "192.0.2.5").await, 429, "a stranger's word is not taken");
}

#[actix_web::test]
async fn a_limit_of_0_is_none_and_null_is_the_servers() {
    let app = TestApp::with(|config| config.rate_limit = 2).await;
    app.set_time(MINUTE);
    let free = app.bearer(&app.token(limited("client", json!(0))));
    for _ in 0..5 {
        let reply = free.post(EVALUATE, json!({})).await.expect(200);
        assert_eq!(limits(&reply), [None, None, None]);
    }
    let usual = app.bearer(&app.token(limited("client", json!(null))));
    let seen: Vec<u16> = [
        usual.post(EVALUATE, json!({})).await,
        usual.post(EVALUATE, json!({})).await,
        usual.post(EVALUATE, json!({})).await,
    ]
    .map(|reply| reply.status)
    .into();
    assert_eq!(seen, [200, 200, 429]);

    let app = TestApp::with(|config| config.rate_limit = 0).await;
    let reply = app.sdk().post(EVALUATE, json!({})).await.expect(200);
    assert_eq!(limits(&reply), [None, None, None]);
}

#[actix_web::test]
async fn every_client_route_tells_where_the_token_stands() {
    let app = TestApp::new().await;
    app.set_time(MINUTE);
    app.feature(super::targeted("a", "SE")).await;
    let service = app.server_sdk();
    let etag = service.get(&format!("{PROD}/features")).await.header("etag").expect("a tag").to_owned();
    let replies = [
        service.post(EVALUATE, json!({})).await.expect(200),
        service.post("/api/v1/evaluate/batch", json!({"entities": []})).await.expect(200),
        service.post("/api/v1/evaluate:explain", json!({})).await.expect(200),
        service.post("/api/v1/analytics/evaluations", json!({"evaluations": []})).await.expect(202),
        service.post("/api/v1/analytics/events", json!({"event": "e", "userId": "u"})).await.expect(202),
        service.get(&format!("{PROD}/features")).await.expect(200),
        service.get(&format!("{PROD}/features/a")).await.expect(200),
        service.get(&format!("{PROD}/ruleset")).await.expect(200),
        service
            .ask("GET", &format!("{PROD}/features"))
            .header("if-none-match", &etag)
            .send()
            .await
            .expect(304),
    ];
    for (at, reply) in replies.iter().enumerate() {
        let left = (98 - at).to_string();
        assert_eq!(limits(reply), [Some("100"), Some(left.as_str()), Some("60")], "reply {at}");
    }
}

#[actix_web::test]
async fn people_are_not_counted() {
    let app = TestApp::with(|config| config.rate_limit = 1).await;
    for _ in 0..5 {
        let reply = app.viewer().get(&format!("{PROD}/features")).await.expect(200);
        assert_eq!(limits(&reply), [None, None, None]);
    }
}

#[actix_web::test]
async fn a_new_limit_takes_effect_at_once_and_counting_goes_on() {
    let app = TestApp::new().await;
    app.set_time(MINUTE);
    let created = app.editor().post(&format!("{PROD}/tokens"), limited("server", json!(2))).await.expect(201);
    let service = app.bearer(created.body["token"].as_str().expect("a token"));
    service.post(EVALUATE, json!({})).await.expect(200);
    service.post(EVALUATE, json!({})).await.expect(200);
    service.post(EVALUATE, json!({})).await.expect(429);
    let path = format!("{PROD}/tokens/{}", created.body["id"].as_str().expect("an id"));
    app.editor().patch(&path, json!({"rateLimit": 10})).await.expect(200);
    let reply = service.post(EVALUATE, json!({})).await.expect(200);
    assert_eq!(limits(&reply), [Some("10"), Some("6"), Some("60")]);
}
