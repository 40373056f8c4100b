//! Locked features: nothing changes but by unlocking (feature-config §1).

use serde_json::json;

use super::{feature_path, plain, rule};
use crate::support::{PROD, TestApp};

#[actix_web::test]
async fn a_locked_feature_refuses_every_change_but_unlocking() {
    let app = TestApp::new().await;
    let editor = app.editor();
    let made = app
        .feature(json!({
            "key": "a", "type": "BOOLEAN", "defaultValue": false, "rules": [rule("SE", 50)],
            "variants": [{"key": "v", "value": true}],
        }))
        .await;
    let a = feature_path("a");
    editor.patch(&a, json!({"description": "two"})).await.expect(200);
    let id = made["rules"][0]["id"].as_str().expect("an id");
    let locked = editor.patch(&a, json!({"locked": true})).await.expect(200).body;
    assert_eq!((&locked["locked"], &locked["version"]), (&json!(true), &json!(3)));
    let before = app.dump();
    for (method, path, body) in [
        ("PATCH", a.clone(), json!({"enabled": false})),
        ("PATCH", a.clone(), json!({"description": "x"})),
        ("PATCH", a.clone(), json!({"locked": true, "tags": ["x"]})),
        ("PATCH", a.clone(), json!({"rules": []})),
        ("PUT", a.clone(), plain("a")),
        ("DELETE", a.clone(), json!(null)),
        ("DELETE", format!("{a}?force=true"), json!(null)),
        ("POST", format!("{a}:revert"), json!({"version": 1})),
        ("POST", format!("{a}/rules"), rule("NO", 50)),
        ("POST", format!("{a}/rules:reorder"), json!({"ids": [id]})),
        ("PATCH", format!("{a}/rules/{id}"), json!({"enabled": false})),
        ("DELETE", format!("{a}/rules/{id}"), json!(null)),
        ("POST", format!("{a}/variants"), json!({"key": "w", "value": true})),
        ("PATCH", format!("{a}/variants/v"), json!({"value": false})),
        ("DELETE", format!("{a}/variants/v"), json!(null)),
    ] {
        let reply = editor.ask(method, &path).json(&body).send().await;
        assert_eq!((reply.status, reply.code()), (409, "locked"), "{method} {path} {body}: {}", reply.text);
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
    let same = editor.patch(&a, json!({"locked": true})).await.expect(200).body;
    assert_eq!(same, locked, "locking twice changes nothing");
    let open = editor.patch(&a, json!({"locked": false, "enabled": false})).await.expect(200).body;
    assert_eq!(
        (&open["locked"], &open["enabled"], &open["version"]),
        (&json!(false), &json!(false), &json!(4))
    );
}

#[actix_web::test]
async fn a_feature_may_be_made_locked_and_is_served_as_ever() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "a", "type": "BOOLEAN", "defaultValue": true, "locked": true})).await;
    let reply = app.sdk().get(&feature_path("a")).await.expect(200);
    assert_eq!(reply.body["value"], true);
    app.contexts(json!([{"key": "override", "features": {"a": "no"}}]));
    let reply = app.sdk().get(&feature_path("a")).await.expect(200);
    assert_eq!((&reply.body["value"], &reply.body["reason"]), (&json!(false), &json!("OVERRIDE")));
    app.editor().post(&format!("{PROD}/features"), plain("a")).await.refused(409, "key_taken");
}

#[actix_web::test]
async fn a_put_leaves_the_lock_as_it_is() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "a", "type": "BOOLEAN", "defaultValue": true, "locked": true})).await;
    let same = json!({"key": "a", "type": "BOOLEAN", "defaultValue": true});
    let reply = app.editor().put(&feature_path("a"), same).await.expect(200);
    assert_eq!((&reply.body["locked"], &reply.body["version"]), (&json!(true), &json!(1)));
}
