//! `GET …/ruleset`: for services that evaluate by themselves.

use serde_json::json;

use super::targeted;
use crate::support::{PROD, TestApp};

fn ruleset() -> String {
    format!("{PROD}/ruleset")
}

#[actix_web::test]
async fn a_client_token_gets_no_rules() {
    let app = TestApp::new().await;
    app.sdk().get(&ruleset()).await.refused(403, "forbidden");
}

#[actix_web::test]
async fn a_server_token_gets_all_that_evaluation_needs() {
    let app = TestApp::new().await;
    let segment = json!({"key": "staff", "name": "Staff",
                         "conditions": {"attribute": "email", "operator": "ends_with", "value": "@shop.example"}});
    app.editor().post("/api/v1/sites/shop/segments", segment.clone()).await.expect(201);
    let made = app.feature(targeted("a", "SE")).await;
    app.feature(json!({"key": "price", "type": "NUMBER"})).await;
    app.contexts(json!([
        {"key": "override", "features": {"a": "no"}},
        {"key": "team", "features": {"price": "1.50"}},
        {"key": "user", "prototypes": ["team"]},
    ]));
    let reply = app.server_sdk().get(&ruleset()).await.expect(200);
    assert_eq!(reply.body["site"], "shop");
    assert_eq!(reply.body["environment"], "prod");
    assert_eq!(reply.body["revision"], app.revision("prod"));
    assert_eq!(reply.body["userIdIsContextKey"], true);
    assert_eq!(reply.body["segments"], json!([segment]));
    assert_eq!(reply.body["features"][0], made);
    assert_eq!(reply.body["override"]["values"], json!({"a": false}));
    assert_eq!(reply.body["contexts"][1], json!({"key": "user", "prototypes": ["team"], "values": {}}));
    assert!(reply.text.contains(r#""values":{"price":1.50}"#), "numbers as written: {}", reply.text);
}

#[actix_web::test]
async fn the_tag_stays_until_something_changes() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    let service = app.server_sdk();
    let first = service.get(&ruleset()).await.expect(200);
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(first.header("cache-control"), Some("private, max-age=0, must-revalidate"));
    let ask = async || service.ask("GET", &ruleset()).header("if-none-match", &tag).send().await;
    assert_eq!(ask().await.expect(304).text, "");
    app.editor().delete(&format!("{PROD}/features/a")).await.expect(204);
    let changed = ask().await.expect(200);
    assert_eq!(changed.body["features"], json!([]));
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
}
