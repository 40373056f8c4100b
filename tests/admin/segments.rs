//! `/sites/{site}/segments`, `…/{segment}`.

use serde_json::{Value, json};

use super::{a_minute_later, feature_path, follow, noon, pages};
use crate::support::{PROD, TestApp};

const SEGMENTS: &str = "/api/v1/sites/shop/segments";

fn segment(key: &str, conditions: Value) -> Value {
    json!({"key": key, "name": key.to_uppercase(), "conditions": conditions})
}

fn country(code: &str) -> Value {
    json!({"attribute": "country", "operator": "equals", "value": code})
}

#[actix_web::test]
async fn a_segment_is_made_read_changed_and_listed() {
    let app = TestApp::new().await;
    noon(&app);
    let editor = app.editor();
    let reply = editor.post(SEGMENTS, segment("nordics", country("SE"))).await;
    let made = follow(&editor, &reply).await;
    assert_eq!(made, reply.body);
    assert_eq!(
        (&made["key"], &made["name"], &made["conditions"]),
        (&json!("nordics"), &json!("NORDICS"), &country("SE"))
    );
    assert_eq!(made["createdAt"], "2026-03-01T12:00:00.000Z");
    let id = made["id"].as_str().expect("an id");
    assert_eq!(editor.get(&format!("{SEGMENTS}/{id}")).await.expect(200).body, made);
    a_minute_later(&app);
    let path = format!("{SEGMENTS}/nordics");
    assert_eq!(editor.patch(&path, made.clone()).await.expect(200).body, made, "sent back as read");
    let renamed = editor.patch(&path, json!({"name": "North"})).await.expect(200).body;
    assert_eq!((&renamed["name"], &renamed["conditions"]), (&json!("North"), &country("SE")));
    assert_eq!(renamed["updatedAt"], "2026-03-01T12:01:00.000Z");
    let nameless =
        editor.post(SEGMENTS, json!({"key": "z", "conditions": {"any": []}})).await.expect(201).body;
    assert_eq!(nameless["name"], "z");
    editor.post(SEGMENTS, segment("a", country("NO"))).await.expect(201);
    editor.post(SEGMENTS, segment("a", country("NO"))).await.refused(409, "key_taken");
    assert_eq!(editor.get(SEGMENTS).await.expect(200).items("key"), ["a", "nordics", "z"]);
    for limit in [1, 2, 3, 500] {
        assert_eq!(
            pages(&app.viewer(), SEGMENTS, limit, "key").await,
            ["a", "nordics", "z"],
            "limit {limit}"
        );
    }
}

#[actix_web::test]
async fn every_rule_that_uses_a_segment_follows_it() {
    let app = TestApp::new().await;
    app.editor().post(SEGMENTS, segment("staff", country("SE"))).await.expect(201);
    app.editor().post(SEGMENTS, segment("team", json!({"all": [{"segment": "staff"}]}))).await.expect(201);
    app.feature(json!({
        "key": "a", "type": "BOOLEAN", "defaultValue": false,
        "rules": [{"name": "team", "when": {"segment": "team"}, "outcome": {"value": true}}],
    }))
    .await;
    let ask = async |code: &str| {
        let reply =
            app.sdk().post("/api/v1/evaluate", json!({"context": {"country": code}})).await.expect(200);
        reply.body["features"]["a"]["value"].clone()
    };
    assert_eq!((ask("SE").await, ask("NO").await), (json!(true), json!(false)));
    let revision = app.revision("prod");
    app.editor().patch(&format!("{SEGMENTS}/staff"), json!({"conditions": country("NO")})).await.expect(200);
    assert_eq!((ask("SE").await, ask("NO").await), (json!(false), json!(true)));
    assert_eq!(app.revision("prod"), revision + 1);
    let feature = app.viewer().get(&feature_path("a")).await.expect(200).body;
    assert_eq!(feature["version"], 1, "the feature itself did not change");
}

#[actix_web::test]
async fn a_segment_in_use_is_not_deleted_and_where_is_told() {
    let app = TestApp::new().await;
    for (key, conditions) in
        [("used", country("SE")), ("user", json!({"not": {"segment": "used"}})), ("free", country("SE"))]
    {
        app.editor().post(SEGMENTS, segment(key, conditions)).await.expect(201);
    }
    app.feature(json!({
        "key": "a", "type": "BOOLEAN",
        "rules": [{"name": "r", "when": {"any": [{"segment": "used"}]}, "outcome": {"value": true}}],
    }))
    .await;
    let refused = app.editor().delete(&format!("{SEGMENTS}/used")).await;
    refused.refused(409, "in_use");
    assert_eq!(
        refused.body["error"]["details"]["usedBy"],
        json!([{"segment": "user"}, {"environment": "prod", "feature": "a", "rule": "r"}])
    );
    app.editor().delete(&format!("{SEGMENTS}/free")).await.expect(204);
    app.editor().patch(&feature_path("a"), json!({"rules": []})).await.expect(200);
    app.editor().delete(&format!("{SEGMENTS}/user")).await.expect(204);
    app.editor().delete(&format!("{SEGMENTS}/used")).await.expect(204);
    app.editor().delete(&format!("{SEGMENTS}/used")).await.refused(404, "not_found");
}

#[actix_web::test]
async fn segments_do_not_go_in_circles() {
    let app = TestApp::new().await;
    let itself = app.editor().post(SEGMENTS, segment("a", json!({"segment": "a"}))).await;
    itself.refused(422, "segment_cycle");
    assert_eq!(itself.body["error"]["details"], json!({"path": ["a", "a"]}));
    app.editor().post(SEGMENTS, segment("a", country("SE"))).await.expect(201);
    app.editor().post(SEGMENTS, segment("b", json!({"segment": "a"}))).await.expect(201);
    app.editor().post(SEGMENTS, segment("c", json!({"all": [{"segment": "b"}]}))).await.expect(201);
    let before = app.dump();
    let cycle = app.editor().patch(&format!("{SEGMENTS}/a"), json!({"conditions": {"segment": "c"}})).await;
    cycle.refused(422, "segment_cycle");
    assert_eq!(cycle.body["error"]["details"]["path"].as_array().map(Vec::len), Some(4));
    let missing =
        app.editor().patch(&format!("{SEGMENTS}/a"), json!({"conditions": {"segment": "gone"}})).await;
    missing.refused(422, "invalid");
    assert_eq!(missing.fields(), ["conditions"]);
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

#[actix_web::test]
async fn segments_that_use_segments_cannot_grow_without_bound() {
    let app = TestApp::new().await;
    let leaves: Vec<Value> = (0..400).map(|_| country("SE")).collect();
    app.editor().post(SEGMENTS, segment("s0", json!({"any": leaves}))).await.expect(201);
    let many: Vec<Value> = (0..100).map(|_| json!({"segment": "s0"})).collect();
    let refused = app.editor().post(SEGMENTS, segment("s1", json!({"any": many}))).await;
    refused.refused(422, "invalid");
    assert_eq!(refused.fields(), ["conditions"]);
}

#[actix_web::test]
async fn a_rule_names_segments_of_its_own_site() {
    let app = TestApp::new().await;
    app.editor().post("/api/v1/sites", json!({"name": "Other"})).await.expect(201);
    app.editor().post("/api/v1/sites/other/segments", segment("theirs", country("SE"))).await.expect(201);
    let body = json!({
        "key": "a", "type": "BOOLEAN",
        "rules": [{"name": "ok", "outcome": {"value": true}},
                  {"name": "r", "when": {"segment": "theirs"}, "outcome": {"value": true}}],
    });
    let reply = app.editor().post(&format!("{PROD}/features"), body).await;
    reply.refused(422, "invalid");
    assert_eq!(reply.fields(), ["rules[1].when"]);
}

#[actix_web::test]
async fn a_site_has_room_for_1000_segments() {
    let app = TestApp::new().await;
    let segments: Vec<Value> =
        (0..1000).map(|number| segment(&format!("s{number}"), json!({"all": []}))).collect();
    let site = json!({"slug": "shop", "name": "Shop"});
    app.import(json!({"version": 1, "site": site, "segments": segments}));
    app.editor().post(SEGMENTS, segment("new", json!({"all": []}))).await.refused(409, "limit_reached");
    let document = json!({"version": 1, "site": site, "segments": [segment("new", json!({"all": []}))]});
    app.editor().post("/api/v1/sites/shop/import", document).await.refused(409, "limit_reached");
}
