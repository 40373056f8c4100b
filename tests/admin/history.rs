//! `…/features/{key}/history` and `…:revert`.

use serde_json::{Value, json};

use super::{a_minute_later, feature_path, noon, plain, rule};
use crate::support::TestApp;

fn history() -> String {
    format!("{}/history", feature_path("a"))
}

async fn revert(app: &TestApp, version: u64) -> crate::support::Reply {
    app.editor().post(&format!("{}:revert", feature_path("a")), json!({"version": version})).await
}

/// A feature without what a new version changes.
fn content(feature: &Value) -> Value {
    let mut feature = feature.clone();
    let members = feature.as_object_mut().expect("an object");
    for member in ["version", "updatedAt", "updatedBy"] {
        members.remove(member);
    }
    feature
}

#[actix_web::test]
async fn every_version_is_told_with_who_when_and_what_differs() {
    let app = TestApp::new().await;
    noon(&app);
    let editor = app.editor();
    app.feature(plain("a")).await;
    a_minute_later(&app);
    app.admin().patch(&feature_path("a"), json!({"enabled": false, "description": "off"})).await.expect(200);
    let made = editor.post(&format!("{}/rules", feature_path("a")), rule("SE", 50)).await.expect(201).body;
    let path = format!("{}/rules/{}", feature_path("a"), made["id"].as_str().expect("an id"));
    editor.patch(&path, json!({"rollout": {"percentage": 10}})).await.expect(200);
    editor.patch(&path, json!({"rollout": {"percentage": 25}, "name": "Sweden"})).await.expect(200);
    editor.patch(&feature_path("a"), json!({"locked": true})).await.expect(200);
    let reply = app.viewer().get(&history()).await.expect(200);
    assert_eq!(reply.body["nextCursor"], json!(null));
    let items = reply.body["items"].as_array().expect("items");
    let versions: Vec<_> = items.iter().map(|item| &item["version"]).collect();
    assert_eq!(versions, [6, 5, 4, 3, 2, 1]);
    let fields = |at: usize| -> Vec<_> {
        let differences = items[at]["differences"].as_array().expect("differences");
        differences.iter().map(|one| one["field"].as_str().expect("a field")).collect()
    };
    assert_eq!(items[0]["differences"], json!([{"field": "locked", "before": false, "after": true}]));
    assert_eq!(fields(1), ["rules[SE].name", "rules[SE].rollout.percentage"]);
    assert_eq!(
        items[1]["differences"][1],
        json!({"field": "rules[SE].rollout.percentage", "before": 10, "after": 25})
    );
    assert_eq!(fields(2), ["rules[SE].rollout"]);
    assert_eq!(fields(3), ["rules[SE]"]);
    assert_eq!(
        items[4]["differences"],
        json!([{"field": "enabled", "before": true, "after": false},
               {"field": "description", "before": "", "after": "off"}])
    );
    assert_eq!((&items[4]["actor"], &items[4]["at"]), (&json!("ada"), &json!("2026-03-01T12:01:00.000Z")));
    assert_eq!((&items[5]["actor"], &items[5]["at"]), (&json!("eddie"), &json!("2026-03-01T12:00:00.000Z")));
    assert!(fields(5).contains(&"key") && fields(5).contains(&"type"), "the first version: {:?}", fields(5));
    assert!(items.iter().all(|item| item["summary"].as_str().is_some_and(|text| !text.is_empty())));
}

#[actix_web::test]
async fn history_comes_in_pages() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    for number in 0..6 {
        let body = json!({"description": number.to_string()});
        app.editor().patch(&feature_path("a"), body).await.expect(200);
    }
    for limit in [1, 3, 7, 500] {
        let mut versions = Vec::new();
        let mut cursor = String::new();
        loop {
            let reply = app.viewer().get(&format!("{}?limit={limit}{cursor}", history())).await.expect(200);
            versions.extend(
                reply.body["items"].as_array().expect("items").iter().map(|item| item["version"].clone()),
            );
            match reply.body["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(versions, [7, 6, 5, 4, 3, 2, 1], "limit {limit}");
    }
    app.viewer().get(&format!("{}/history", feature_path("gone"))).await.refused(404, "not_found");
}

#[actix_web::test]
async fn a_revert_brings_an_earlier_version_back_as_a_new_one() {
    let app = TestApp::new().await;
    let editor = app.editor();
    let first = app
        .feature(json!({
            "key": "a", "type": "STRING", "defaultValue": "x", "description": "d", "tags": ["t"],
            "variants": [{"key": "v", "value": "w", "attachment": {"n": 1}}],
            "rules": [{"name": "one", "priority": 90, "rollout": {"percentage": 10}, "outcome": {"value": "1"}},
                      {"name": "two", "outcome": {"split": [{"variant": "v", "weight": 100}]}}],
        }))
        .await;
    let put = json!({"type": "BOOLEAN", "defaultValue": true, "enabled": false});
    editor.put(&feature_path("a"), put).await.expect(200);
    let reply = revert(&app, 1).await.expect(200);
    assert_eq!(reply.body["version"], 3);
    assert_eq!(reply.header("etag"), Some("\"3\""));
    assert_eq!(content(&reply.body), content(&first), "rules keep their ids");
    assert_eq!(editor.get(&feature_path("a")).await.expect(200).body, reply.body);
    let evaluated = app.sdk().post("/api/v1/evaluate", json!({})).await.expect(200);
    assert_eq!(evaluated.body["features"]["a"]["value"], "w");
    let again = revert(&app, 1).await.expect(200);
    assert_eq!(again.body["version"], 3, "it is that already");
    let forward = revert(&app, 2).await.expect(200);
    assert_eq!((&forward.body["version"], &forward.body["type"]), (&json!(4), &json!("BOOLEAN")));
}

#[actix_web::test]
async fn a_revert_that_cannot_be_is_refused() {
    let app = TestApp::new().await;
    let editor = app.editor();
    let segment = json!({"key": "staff", "conditions": {"all": []}});
    editor.post("/api/v1/sites/shop/segments", segment).await.expect(201);
    let using = json!([{"name": "staff", "when": {"segment": "staff"}, "outcome": {"value": true}}]);
    app.feature(json!({"key": "a", "type": "BOOLEAN", "rules": using})).await;
    editor.patch(&feature_path("a"), json!({"rules": []})).await.expect(200);
    editor.delete("/api/v1/sites/shop/segments/staff").await.expect(204);
    let before = app.dump();
    let missing = revert(&app, 1).await;
    missing.refused(422, "invalid");
    assert_eq!(missing.fields(), ["rules[0].when"]);
    revert(&app, 3).await.refused(404, "not_found");
    let zero = revert(&app, 0).await;
    zero.refused(422, "invalid");
    assert_eq!(zero.fields(), ["version"]);
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

#[actix_web::test]
async fn a_feature_made_anew_begins_a_history_of_its_own() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    app.editor().delete(&feature_path("a")).await.expect(204);
    app.feature(plain("a")).await;
    let items = app.viewer().get(&history()).await.expect(200).body["items"].clone();
    assert_eq!(items.as_array().map(Vec::len), Some(1));
    assert_eq!(items[0]["version"], 3);
    revert(&app, 1).await.refused(404, "not_found");
}
