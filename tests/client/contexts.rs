//! Stored Contexts as evaluation sees them (featuresd.md §3, §5.3).

use serde_json::json;

use super::{EVALUATE, targeted, value_of};
use crate::support::{PROD, TestApp};

#[actix_web::test]
async fn override_beats_everything_also_a_disabled_feature() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    app.feature(json!({"key": "off", "type": "STRING", "enabled": false})).await;
    app.contexts(json!([
        {"key": "override", "features": {"a": "no", "off": "forced"}},
        {"key": "ana", "features": {"a": "yes", "off": "hers"}},
    ]));
    let body = json!({"context": {"userId": "ana", "country": "SE"}});
    let features = app.sdk().post(EVALUATE, body).await.expect(200).body["features"].clone();
    assert_eq!((&features["a"]["value"], &features["a"]["reason"]), (&json!(false), &json!("OVERRIDE")));
    assert_eq!(
        (&features["off"]["value"], &features["off"]["reason"]),
        (&json!("forced"), &json!("OVERRIDE"))
    );
    assert_eq!(features["a"]["ruleId"], json!(null));
}

#[actix_web::test]
async fn the_users_context_and_its_prototypes_come_before_rules() {
    let app = TestApp::new().await;
    for key in ["own", "inherited", "ruled", "off"] {
        app.feature(targeted(key, "SE")).await;
    }
    app.editor().patch(&format!("{PROD}/features/off"), json!({"enabled": false})).await.expect(200);
    app.contexts(json!([
        {"key": "team", "features": {"own": "yes", "inherited": "yes", "off": "yes"}},
        {"key": "ana", "prototypes": ["team"], "features": {"own": "no"}},
    ]));
    let body = json!({"context": {"userId": "ana", "country": "SE"}});
    let features = app.sdk().post(EVALUATE, body).await.expect(200).body["features"].clone();
    for (key, value, reason) in [
        ("own", false, "CONTEXT"),
        ("inherited", true, "CONTEXT"),
        ("ruled", true, "TARGETING_MATCH"),
        ("off", false, "DISABLED"),
    ] {
        let found = (&features[key]["value"], &features[key]["reason"]);
        assert_eq!(found, (&json!(value), &json!(reason)), "{key}");
    }
    assert_eq!(value_of(&app, "inherited", json!({"userId": "ben"})).await, json!(false));
    assert_eq!(value_of(&app, "own", json!({"userId": "ben", "contextKey": "ana"})).await, json!(false));
    assert_eq!(value_of(&app, "own", json!({"contextPrototypes": ["team"]})).await, json!(true));
}

#[actix_web::test]
async fn an_environment_may_leave_user_ids_alone() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    app.contexts(json!([{"key": "ana", "features": {"a": "yes"}}]));
    assert_eq!(value_of(&app, "a", json!({"userId": "ana"})).await, json!(true));
    app.editor().patch(PROD, json!({"userIdIsContextKey": false})).await.expect(200);
    assert_eq!(value_of(&app, "a", json!({"userId": "ana"})).await, json!(false));
    assert_eq!(value_of(&app, "a", json!({"contextKey": "ana"})).await, json!(true));
}

#[actix_web::test]
async fn numbers_of_contexts_stay_as_written() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "price", "type": "NUMBER", "defaultValue": 1})).await;
    app.contexts(json!([{"key": "ana", "features": {"price": "1.50"}}]));
    let reply = app.sdk().post(EVALUATE, json!({"context": {"userId": "ana"}})).await.expect(200);
    assert!(reply.text.contains(r#""value":1.50,"#), "{}", reply.text);
}

#[actix_web::test]
async fn deleting_a_feature_that_contexts_hold_needs_force() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    app.contexts(json!([{"key": "ana", "features": {"a": "yes"}}]));
    let path = format!("{PROD}/features/a");
    let refused = app.editor().delete(&path).await;
    refused.refused(409, "feature_in_use");
    assert_eq!(refused.body["error"]["details"], json!({"contexts": 1}));
    app.editor().delete(&format!("{path}?force=true")).await.expect(204);
    app.feature(targeted("a", "SE")).await;
    assert_eq!(value_of(&app, "a", json!({"userId": "ana"})).await, json!(false), "the value went along");
}

#[actix_web::test]
async fn a_type_that_stored_values_do_not_fit_is_a_conflict() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "a", "type": "STRING"})).await;
    app.contexts(json!([{"key": "ana", "features": {"a": "text"}}]));
    let reply = app.editor().patch(&format!("{PROD}/features/a"), json!({"type": "NUMBER"})).await;
    reply.refused(409, "type_conflict");
    assert_eq!(reply.body["error"]["details"], json!({"contexts": ["ana"]}));
    app.editor().patch(&format!("{PROD}/features/a"), json!({"type": "JSON"})).await.expect(200);
}

#[actix_web::test]
async fn a_look_up_that_descends_too_deep_is_refused() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    let chain: Vec<_> = (0..=32)
        .map(|level| {
            let next = if level < 32 { vec![format!("c{}", level + 1)] } else { Vec::new() };
            json!({"key": format!("c{level}"), "prototypes": next})
        })
        .collect();
    app.contexts(json!(chain));
    app.sdk().post(EVALUATE, json!({"context": {"userId": "c0"}})).await.expect(200);
    let deeper = json!({"context": {"contextPrototypes": ["c0"]}});
    app.sdk().post(EVALUATE, deeper).await.refused(422, "prototype_graph_too_large");
}
