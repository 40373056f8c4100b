//! `POST /evaluate/batch`: many contexts in one call.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::targeted;
use crate::support::TestApp;

const BATCH: &str = "/api/v1/evaluate/batch";

#[actix_web::test]
async fn results_come_in_the_order_of_the_contexts() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T12:00:00Z");
    app.feature(targeted("a", "SE")).await;
    app.feature(targeted("b", "NO")).await;
    let countries = ["SE", "NO", "DK", "SE"];
    let entities: Vec<Value> = countries.iter().map(|country| json!({"country": country})).collect();
    let reply = app
        .sdk()
        .post(BATCH, json!({"siteId": "shop", "environmentId": "prod", "entities": entities}))
        .await
        .expect(200);
    assert_eq!(reply.body["site"], "shop");
    assert_eq!(reply.body["environment"], "prod");
    assert_eq!(reply.body["revision"], app.revision("prod"));
    assert_eq!(reply.body["evaluatedAt"], "2026-03-01T12:00:00.000Z");
    let results = reply.body["results"].as_array().expect("results");
    let values: Vec<_> = results.iter().map(|one| one["features"]["a"]["value"].clone()).collect();
    assert_eq!(values, [true, false, false, true]);
    let values: Vec<_> = results.iter().map(|one| one["features"]["b"]["value"].clone()).collect();
    assert_eq!(values, [false, true, false, false]);
    let ids: HashSet<_> = results.iter().map(|one| one["decisionId"].to_string()).collect();
    assert_eq!(ids.len(), 4, "each decision has an id of its own");
}

#[actix_web::test]
async fn keys_are_limited_and_missing_told_in_every_result() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    app.feature(targeted("b", "NO")).await;
    let body = json!({"entities": [{}, {}], "features": ["b", "gone"]});
    let reply = app.sdk().post(BATCH, body).await.expect(200);
    for result in reply.body["results"].as_array().expect("results") {
        assert_eq!(result["features"].as_object().expect("features").len(), 1);
        assert_eq!(result["missing"], json!(["gone"]));
    }
}

#[actix_web::test]
async fn a_batch_has_at_most_1000_contexts() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    let batch = |size: usize| json!({"entities": vec![json!({}); size]});
    assert_eq!(app.sdk().post(BATCH, batch(0)).await.expect(200).body["results"], json!([]));
    let full = app.sdk().post(BATCH, batch(1000)).await.expect(200);
    assert_eq!(full.body["results"].as_array().map(Vec::len), Some(1000));
    let over = app.sdk().post(BATCH, batch(1001)).await;
    over.refused(422, "invalid");
    assert_eq!(over.fields(), ["entities"]);
}

#[actix_web::test]
async fn one_bad_context_refuses_the_batch_by_its_place() {
    let app = TestApp::new().await;
    let reply = app.sdk().post(BATCH, json!({"entities": [{}, 1, {}, "x", null]})).await;
    reply.refused(422, "invalid");
    assert_eq!(reply.fields(), ["entities[1]", "entities[3]", "entities[4]"]);
    app.sdk().post(BATCH, json!({"entities": [{}], "environmentId": "dev"})).await.refused(403, "forbidden");
}
