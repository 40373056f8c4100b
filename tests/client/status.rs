//! Environments in maintenance and archived ones.

use serde_json::json;

use super::{EVALUATE, targeted};
use crate::support::{PROD, Reply, TestApp};

/// Every client route, by a server token.
async fn ask_everything(app: &TestApp) -> Vec<Reply> {
    let service = app.server_sdk();
    let report = json!({"evaluations": [{"featureKey": "a", "value": true}]});
    vec![
        service.post(EVALUATE, json!({})).await,
        service.post("/api/v1/evaluate/batch", json!({"entities": [{}]})).await,
        service.post("/api/v1/evaluate:explain", json!({})).await,
        service.post("/api/v1/analytics/evaluations", report).await,
        service.get(&format!("{PROD}/features")).await,
        service.get(&format!("{PROD}/features/a")).await,
        service.get(&format!("{PROD}/ruleset")).await,
        service.get(&format!("{PROD}/stream")).await,
    ]
}

#[actix_web::test]
async fn maintenance_is_503_with_retry_after_and_editing_goes_on() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    app.editor().patch(PROD, json!({"status": "maintenance"})).await.expect(200);
    for reply in ask_everything(&app).await {
        reply.refused(503, "environment_maintenance");
        let seconds: u32 = reply.header("retry-after").expect("Retry-After").parse().expect("seconds");
        assert!(seconds > 0);
    }
    app.feature(targeted("b", "SE")).await;
    app.editor().patch(&format!("{PROD}/features/a"), json!({"enabled": false})).await.expect(200);
    let console = json!({"siteId": "shop", "environmentId": "prod", "feature": "a"});
    app.viewer().post("/api/v1/evaluate:explain", console).await.expect(200);
    app.editor().patch(PROD, json!({"status": "active"})).await.expect(200);
    let reply = app.sdk().post(EVALUATE, json!({})).await.expect(200);
    assert_eq!(reply.body["features"]["a"]["reason"], "DISABLED");
}

#[actix_web::test]
async fn archived_is_410_and_read_only() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    let (sdk, _) = (app.sdk(), app.server_sdk());
    app.editor().patch(PROD, json!({"status": "archived"})).await.expect(200);
    for reply in ask_everything(&app).await {
        reply.refused(410, "environment_archived");
        assert_eq!(reply.header("retry-after"), None);
    }
    app.viewer().get(&format!("{PROD}/features/a")).await.expect(200);
    app.editor().patch(PROD, json!({"status": "active"})).await.expect(200);
    sdk.post(EVALUATE, json!({})).await.expect(200);
}

#[actix_web::test]
async fn a_deleted_environment_takes_its_tokens_along() {
    let app = TestApp::new().await;
    app.sdk().post(EVALUATE, json!({})).await.expect(200);
    app.editor().delete(PROD).await.expect(204);
    app.sdk().post(EVALUATE, json!({})).await.refused(401, "unauthenticated");
    let token = {
        app.editor().post("/api/v1/sites/shop/environments", json!({"name": "dev"})).await.expect(201);
        app.token_of("shop", "dev", json!({"description": "dev", "kind": "client"}))
    };
    app.bearer(&token).post(EVALUATE, json!({})).await.expect(200);
    app.editor().delete("/api/v1/sites/shop").await.expect(204);
    app.bearer(&token).post(EVALUATE, json!({})).await.refused(401, "unauthenticated");
}

#[actix_web::test]
async fn new_names_show_in_the_next_answer() {
    let app = TestApp::new().await;
    let sdk = app.sdk();
    app.editor().patch(PROD, json!({"name": "live"})).await.expect(200);
    app.editor().patch("/api/v1/sites/shop", json!({"slug": "store"})).await.expect(200);
    let reply = sdk.post(EVALUATE, json!({"siteId": "store", "environmentId": "live"})).await.expect(200);
    assert_eq!((&reply.body["site"], &reply.body["environment"]), (&json!("store"), &json!("live")));
    sdk.post(EVALUATE, json!({"siteId": "shop"})).await.refused(403, "forbidden");
    sdk.get("/api/v1/sites/store/environments/live/features").await.expect(200);
}
