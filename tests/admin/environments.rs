//! `/sites/{site}/environments`, `…/{env}`.

use serde_json::json;

use super::{a_minute_later, feature_path, follow, noon, pages, plain, rule};
use crate::support::{PROD, TestApp};

const ENVIRONMENTS: &str = "/api/v1/sites/shop/environments";

#[actix_web::test]
async fn an_environment_is_made_and_read_back() {
    let app = TestApp::new().await;
    noon(&app);
    let editor = app.editor();
    let bare = editor.post(ENVIRONMENTS, json!({"name": "dev"})).await.expect(201);
    assert_eq!(bare.header("location"), Some("/api/v1/sites/shop/environments/dev"));
    assert_eq!(follow(&editor, &bare).await, bare.body, "also its revision");
    for (member, value) in [
        ("name", json!("dev")),
        ("description", json!("")),
        ("tags", json!([])),
        ("status", json!("active")),
        ("userIdIsContextKey", json!(true)),
        ("createdAt", json!("2026-03-01T12:00:00.000Z")),
    ] {
        assert_eq!(bare.body[member], value, "{member}");
    }
    let body = json!({"name": "test_2-b", "description": "d", "tags": ["b", "a"], "status": "maintenance",
                      "userIdIsContextKey": false});
    let full = editor.post(ENVIRONMENTS, body.clone()).await.expect(201);
    for (member, value) in body.as_object().expect("an object") {
        assert_eq!(full.body[member], *value, "{member}");
    }
    assert_eq!(follow(&editor, &full).await, full.body);
    let recorded = app.changes().pop().expect("a change").payload;
    assert_eq!(recorded["after"], full.body, "the audit trail tells the same");
}

#[actix_web::test]
async fn environments_are_listed_in_the_order_they_were_made() {
    let app = TestApp::new().await;
    for name in ["z", "a", "m"] {
        app.editor().post(ENVIRONMENTS, json!({"name": name})).await.expect(201);
    }
    let all = ["prod", "z", "a", "m"];
    assert_eq!(app.viewer().get(ENVIRONMENTS).await.expect(200).items("name"), all);
    for limit in [1, 2, 3, 4, 500] {
        assert_eq!(pages(&app.viewer(), ENVIRONMENTS, limit, "name").await, all, "limit {limit}");
    }
}

#[actix_web::test]
async fn a_site_has_room_for_ten_or_as_many_as_set() {
    let app = TestApp::new().await;
    for number in 1..10 {
        app.editor().post(ENVIRONMENTS, json!({"name": format!("e{number}")})).await.expect(201);
    }
    app.editor().post(ENVIRONMENTS, json!({"name": "e10"})).await.refused(409, "limit_reached");
    app.editor().delete(&format!("{ENVIRONMENTS}/e1")).await.expect(204);
    app.editor().post(ENVIRONMENTS, json!({"name": "e10"})).await.expect(201);

    let app = TestApp::with(|config| config.max_environments = 2).await;
    app.editor().post(ENVIRONMENTS, json!({"name": "two"})).await.expect(201);
    app.editor().post(ENVIRONMENTS, json!({"name": "three"})).await.refused(409, "limit_reached");
}

#[actix_web::test]
async fn a_name_is_unique_in_its_site() {
    let app = TestApp::new().await;
    let editor = app.editor();
    editor.post(ENVIRONMENTS, json!({"name": "prod"})).await.refused(409, "name_taken");
    editor.post(ENVIRONMENTS, json!({"name": "dev"})).await.expect(201);
    editor.patch(&format!("{ENVIRONMENTS}/dev"), json!({"name": "prod"})).await.refused(409, "name_taken");
    editor.post("/api/v1/sites", json!({"name": "Other"})).await.expect(201);
    editor.post("/api/v1/sites/other/environments", json!({"name": "dev"})).await.expect(201);
}

#[actix_web::test]
async fn a_patch_changes_what_it_names_and_what_was_read_can_be_sent_back() {
    let app = TestApp::new().await;
    noon(&app);
    let editor = app.editor();
    let before = editor.get(PROD).await.expect(200).body;
    a_minute_later(&app);
    assert_eq!(editor.patch(PROD, before.clone()).await.expect(200).body, before);
    let after = editor.patch(PROD, json!({"description": "live", "tags": ["x"]})).await.expect(200).body;
    assert_eq!((&after["description"], &after["tags"]), (&json!("live"), &json!(["x"])));
    assert_eq!(after["updatedAt"], "2026-03-01T12:01:00.000Z");
    assert_eq!(after["revision"], before["revision"], "no answer changed");
    let renamed = editor.patch(PROD, json!({"name": "live"})).await.expect(200).body;
    assert_eq!(renamed["id"], before["id"]);
    editor.get(PROD).await.refused(404, "not_found");
    let read = editor.get(&format!("{ENVIRONMENTS}/live")).await.expect(200).body;
    assert_eq!(read, renamed, "also its revision");
}

#[actix_web::test]
async fn an_archived_environment_is_read_only_until_active_again() {
    let app = TestApp::new().await;
    let editor = app.editor();
    let made = app.feature(json!({
        "key": "a", "type": "BOOLEAN", "rules": [rule("SE", 50)], "variants": [{"key": "v", "value": true}],
    })).await;
    let rule_id = made["rules"][0]["id"].as_str().expect("an id");
    let token = editor
        .post(&format!("{PROD}/tokens"), json!({"description": "t", "kind": "client"}))
        .await
        .expect(201);
    let token = format!("{PROD}/tokens/{}", token.body["id"].as_str().expect("an id"));
    editor.patch(PROD, json!({"status": "archived"})).await.expect(200);
    let before = app.dump();
    let a = feature_path("a");
    for (method, path, body) in [
        ("PATCH", PROD.to_owned(), json!({"description": "x"})),
        ("PATCH", PROD.to_owned(), json!({"name": "x"})),
        ("POST", format!("{PROD}/features"), plain("b")),
        ("PATCH", a.clone(), json!({"enabled": false})),
        ("PATCH", a.clone(), json!({"locked": true})),
        ("PUT", a.clone(), plain("a")),
        ("DELETE", a.clone(), json!(null)),
        ("POST", format!("{a}:revert"), json!({"version": 1})),
        ("POST", format!("{a}/rules"), rule("NO", 50)),
        ("POST", format!("{a}/rules:reorder"), json!({"ids": [rule_id]})),
        ("PATCH", format!("{a}/rules/{rule_id}"), json!({"enabled": false})),
        ("DELETE", format!("{a}/rules/{rule_id}"), json!(null)),
        ("POST", format!("{a}/variants"), json!({"key": "w", "value": true})),
        ("PATCH", format!("{a}/variants/v"), json!({"value": false})),
        ("DELETE", format!("{a}/variants/v"), json!(null)),
        ("POST", format!("{PROD}/tokens"), json!({"description": "u", "kind": "client"})),
        ("PATCH", token.clone(), json!({"description": "u"})),
        ("POST", format!("{token}:rotate"), json!({})),
    ] {
        let reply = editor.ask(method, &path).json(&body).send().await;
        assert_eq!(
            (reply.status, reply.code()),
            (409, "environment_archived"),
            "{method} {path}: {}",
            reply.text
        );
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
    editor.delete(&token).await.expect(204);
    editor.patch(PROD, json!({"status": "active", "description": "back"})).await.expect(200);
    editor.patch(&a, json!({"enabled": false})).await.expect(200);
}

#[actix_web::test]
async fn an_environment_is_deleted_with_everything_in_it_and_its_neighbours_stay() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    app.editor().post(ENVIRONMENTS, json!({"name": "dev"})).await.expect(201);
    let dev = format!("{ENVIRONMENTS}/dev");
    app.editor().post(&format!("{dev}/features"), plain("a")).await.expect(201);
    app.editor().delete(&dev).await.expect(204);
    app.viewer().get(&dev).await.refused(404, "not_found");
    app.editor().delete(&dev).await.refused(404, "not_found");
    app.viewer().get(&feature_path("a")).await.expect(200);
    assert_eq!(app.dump().rows("features"), 1);
}

#[actix_web::test]
async fn environments_of_a_site_are_independent() {
    let app = TestApp::new().await;
    app.editor().post(ENVIRONMENTS, json!({"name": "dev"})).await.expect(201);
    app.feature(plain("a")).await;
    let other = json!({"key": "a", "type": "STRING", "defaultValue": "x"});
    app.editor().post(&format!("{ENVIRONMENTS}/dev/features"), other).await.expect(201);
    let revision = app.revision("dev");
    app.editor().patch(&feature_path("a"), json!({"enabled": false})).await.expect(200);
    assert_eq!(app.revision("dev"), revision);
    let dev = app.viewer().get(&format!("{ENVIRONMENTS}/dev/features/a")).await.expect(200).body;
    assert_eq!((&dev["type"], &dev["enabled"]), (&json!("STRING"), &json!(true)));
}
