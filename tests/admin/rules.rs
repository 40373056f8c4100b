//! `…/features/{key}/rules`, `…/rules/{rule}`, `…/rules:reorder`.

use serde_json::{Value, json};

use super::{feature_path, follow, plain, rule};
use crate::support::TestApp;

fn rules() -> String {
    format!("{}/rules", feature_path("a"))
}

/// A feature `a` with these rules; gives their ids by name.
async fn with_rules(app: &TestApp, rules: &[(&str, u8)]) -> impl Fn(&str) -> String + use<> {
    let list: Vec<Value> = rules.iter().map(|(name, priority)| rule(name, *priority)).collect();
    let made =
        app.feature(json!({"key": "a", "type": "BOOLEAN", "defaultValue": false, "rules": list})).await;
    let made = made["rules"].as_array().expect("rules").clone();
    move |name| {
        let found = made.iter().find(|rule| rule["name"] == name).expect(name);
        found["id"].as_str().expect("an id").to_owned()
    }
}

#[actix_web::test]
async fn a_new_rule_comes_last_among_those_of_its_priority() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    let editor = app.editor();
    for (name, priority) in [("m1", 50), ("low", 10), ("m2", 50), ("high", 90), ("m3", 50)] {
        let reply = editor.post(&rules(), rule(name, priority)).await;
        let read = follow(&editor, &reply).await;
        assert_eq!(read, reply.body);
        assert_eq!(read["name"], name);
    }
    let list = editor.get(&rules()).await.expect(200);
    assert_eq!(list.items("name"), ["high", "m1", "m2", "m3", "low"]);
    assert_eq!(list.header("etag"), Some("\"6\""), "each was a version");
    assert_eq!(list.body["items"], editor.get(&feature_path("a")).await.expect(200).body["rules"]);
}

#[actix_web::test]
async fn a_rule_is_changed_in_part() {
    let app = TestApp::new().await;
    let id = with_rules(&app, &[("SE", 50), ("NO", 50)]).await;
    let path = format!("{}/{}", rules(), id("SE"));
    let before = app.viewer().get(&path).await.expect(200).body;
    let reply = app.editor().patch(&path, json!({"rollout": {"percentage": 10.25}})).await.expect(200);
    assert_eq!(reply.header("etag"), Some("\"2\""));
    assert_eq!(reply.body["rollout"], json!({"percentage": 10.25}));
    for member in ["id", "name", "priority", "enabled", "when", "outcome"] {
        assert_eq!(reply.body[member], before[member], "{member}");
    }
    let off = app
        .editor()
        .patch(&path, json!({"enabled": false, "when": null, "rollout": null}))
        .await
        .expect(200)
        .body;
    assert_eq!((&off["enabled"], &off["when"], &off["rollout"]), (&json!(false), &json!(null), &json!(null)));
    assert_eq!(app.viewer().get(&path).await.expect(200).body, off);
    let same = app.editor().patch(&path, off.clone()).await.expect(200);
    assert_eq!(
        (same.body, same.headers.get("etag").map(|tag| tag.as_bytes())),
        (off, Some(b"\"3\"".as_slice()))
    );
    let moved = app.editor().patch(&path, json!({"priority": 1})).await.expect(200);
    assert_eq!(moved.body["priority"], 1);
    assert_eq!(app.viewer().get(&rules()).await.expect(200).items("name"), ["NO", "SE"]);
}

#[actix_web::test]
async fn a_rules_id_is_its_own() {
    let app = TestApp::new().await;
    let id = with_rules(&app, &[("SE", 50), ("NO", 50)]).await;
    let path = format!("{}/{}", rules(), id("SE"));
    let mut body = rule("SE", 50);
    body["id"] = json!(id("NO"));
    let reply = app.editor().patch(&path, body.clone()).await.expect(200);
    assert_eq!(reply.body["id"], json!(id("SE")), "an id in the body changes nothing");
    let made = app.editor().post(&rules(), body).await.expect(201);
    assert!(made.body["id"] != json!(id("NO")) && made.body["id"] != json!(id("SE")));
}

#[actix_web::test]
async fn a_rule_is_deleted() {
    let app = TestApp::new().await;
    let id = with_rules(&app, &[("SE", 50), ("NO", 50)]).await;
    let path = format!("{}/{}", rules(), id("SE"));
    app.editor().delete(&path).await.expect(204);
    app.editor().delete(&path).await.refused(404, "not_found");
    app.viewer().get(&path).await.refused(404, "not_found");
    assert_eq!(app.viewer().get(&rules()).await.expect(200).items("name"), ["NO"]);
    app.viewer().get(&format!("{}/no-uuid", rules())).await.refused(404, "not_found");
}

#[actix_web::test]
async fn reordering_decides_what_is_evaluated_first() {
    let app = TestApp::new().await;
    let id = with_rules(&app, &[("a", 90), ("b", 50), ("c", 50), ("d", 10)]).await;
    let reorder = format!("{}:reorder", rules());
    for order in [["d", "c", "b", "a"], ["b", "a", "d", "c"], ["a", "b", "c", "d"], ["c", "d", "a", "b"]] {
        let reply = app.editor().post(&reorder, json!({"ids": order.map(&id)})).await.expect(200);
        assert_eq!(reply.items("name"), order);
        let listed = app.viewer().get(&rules()).await.expect(200);
        assert_eq!(listed.items("name"), order);
        let priorities: Vec<_> =
            listed.body["items"].as_array().expect("items").iter().map(|r| &r["priority"]).collect();
        assert_eq!(priorities, [90, 50, 50, 10], "the scale stays");
        let read = app.viewer().get(&feature_path("a")).await.expect(200).body;
        let names: Vec<_> =
            read["rules"].as_array().expect("rules").iter().map(|rule| &rule["name"]).collect();
        assert_eq!(names, order);
    }
}

#[actix_web::test]
async fn after_reordering_clients_get_the_new_first_rule() {
    let app = TestApp::new().await;
    let made = app
        .feature(json!({
            "key": "a", "type": "STRING",
            "rules": [{"name": "one", "outcome": {"value": "1"}}, {"name": "two", "outcome": {"value": "2"}}],
        }))
        .await;
    let ids = [made["rules"][1]["id"].clone(), made["rules"][0]["id"].clone()];
    app.editor().post(&format!("{}:reorder", rules()), json!({"ids": ids})).await.expect(200);
    let reply = app.sdk().post("/api/v1/evaluate", json!({})).await.expect(200);
    assert_eq!(reply.body["features"]["a"]["value"], "2");
}

#[actix_web::test]
async fn a_reordering_names_every_rule_once() {
    let app = TestApp::new().await;
    let id = with_rules(&app, &[("a", 50), ("b", 50), ("c", 50)]).await;
    let reorder = format!("{}:reorder", rules());
    for (ids, fields) in [
        (json!([id("a"), id("b")]), vec!["ids"]),
        (json!([]), vec!["ids"]),
        (json!([id("a"), id("a"), id("b"), id("c")]), vec!["ids[1]"]),
        (json!([id("a"), "x", id("b")]), vec!["ids[1]", "ids"]),
    ] {
        let reply = app.editor().post(&reorder, json!({"ids": ids})).await;
        reply.refused(422, "invalid");
        assert_eq!(reply.fields(), fields, "{ids}");
    }
    assert_eq!(app.viewer().get(&rules()).await.expect(200).items("name"), ["a", "b", "c"]);
}

#[actix_web::test]
async fn if_match_holds_for_rules_too() {
    let app = TestApp::new().await;
    let id = with_rules(&app, &[("SE", 50)]).await;
    let path = format!("{}/{}", rules(), id("SE"));
    for (method, path, body) in [
        ("POST", rules(), rule("NO", 50)),
        ("PATCH", path.clone(), json!({"enabled": false})),
        ("DELETE", path.clone(), json!(null)),
        ("POST", format!("{}:reorder", rules()), json!({"ids": [id("SE")]})),
        ("POST", format!("{}:revert", feature_path("a")), json!({"version": 1})),
    ] {
        let reply = app.editor().ask(method, &path).header("if-match", "\"7\"").json(&body).send().await;
        assert_eq!((reply.status, reply.code()), (412, "version_conflict"), "{method} {path}");
    }
    let patch = app.editor().ask("PATCH", &path).header("if-match", "\"1\"").json(&json!({"enabled": false}));
    patch.send().await.expect(200);
}

#[actix_web::test]
async fn problems_of_a_rule_are_told_by_its_own_members() {
    let app = TestApp::new().await;
    let id = with_rules(&app, &[("SE", 50), ("NO", 50)]).await;
    let bad = json!({
        "name": "", "priority": 0, "when": {"segment": "gone"}, "rollout": {"percentage": 10.125},
        "outcome": {"split": [{"variant": "gone", "weight": 100}]},
    });
    for reply in [
        app.editor().post(&rules(), bad.clone()).await,
        app.editor().patch(&format!("{}/{}", rules(), id("NO")), bad).await,
    ] {
        reply.refused(422, "invalid");
        let mut fields = reply.fields();
        fields.sort_unstable();
        assert!(fields.contains(&"name") && fields.contains(&"priority"), "{fields:?}");
    }
    let bad = json!({
        "name": "x", "when": {"segment": "gone"}, "rollout": {"percentage": 10.125},
        "outcome": {"split": [{"variant": "gone", "weight": 100}]},
    });
    for reply in [
        app.editor().post(&rules(), bad.clone()).await,
        app.editor().patch(&format!("{}/{}", rules(), id("NO")), bad).await,
    ] {
        reply.refused(422, "invalid");
        let mut fields = reply.fields();
        fields.sort_unstable();
        assert_eq!(fields, ["outcome.split[0].variant", "rollout.percentage", "when"]);
    }
}

#[actix_web::test]
async fn a_feature_has_room_for_500_rules_and_variants() {
    let app = TestApp::new().await;
    let list: Vec<Value> = (0..500).map(|number| rule(&number.to_string(), 50)).collect();
    let variants: Vec<Value> =
        (0..500).map(|number| json!({"key": number.to_string(), "value": true})).collect();
    app.feature(json!({"key": "a", "type": "BOOLEAN", "rules": list, "variants": variants})).await;
    app.editor().post(&rules(), rule("one more", 50)).await.refused(409, "limit_reached");
    let variant = json!({"key": "one-more", "value": true});
    let path = format!("{}/variants", feature_path("a"));
    app.editor().post(&path, variant).await.refused(409, "limit_reached");
    assert_eq!(app.viewer().get(&feature_path("a")).await.expect(200).body["version"], 1);
}
