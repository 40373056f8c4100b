//! Both ways: flags as ordinary features, and ordinary features by this door (flagr.md §12).

use featured::admin::{flagr as admin, sites};
use featured::app::Actor as Author;
use featured::engine::permission::Role;
use serde_json::{Value, json};

use super::Flagr;
use crate::browser::{Server, between};
use crate::engine::rows;
use crate::support::PROD;

#[actix_web::test]
async fn a_flag_is_an_ordinary_feature() {
    let flagr = Flagr::new().await;
    let (flag, variants, segment) = flagr.split("f").await;
    let path = format!("{PROD}/features/f");
    let feature = flagr.app.editor().get(&path).await.expect(200).body;
    assert_eq!(
        (&feature["type"], &feature["bucketing"], &feature["defaultValue"]),
        (&json!("STRING"), &json!("crc32"), &json!(""))
    );
    assert_eq!(feature["bucketingId"], flag.to_string());
    assert_eq!(feature["flagr"]["variants"], json!(variants));
    assert_eq!(feature["rules"][0]["name"], "all");
    // The native door gives the same answer.
    let mine =
        flagr.post("/evaluation", json!({"entityID": "ann", "flagID": flag})).await["variantKey"].clone();
    let body = json!({"context": {"userId": "ann"}, "features": ["f"]});
    let native = flagr.app.sdk().post("/api/v1/evaluate", body).await.expect(200).body;
    assert_eq!(native["features"]["f"]["value"], mine);
    // Edited natively, numbers stay with what they name.
    let mut rules = feature["rules"].clone();
    rules[0]["rollout"]["percentage"] = json!(40);
    let added = json!({"name": "other", "outcome": {"value": ""}});
    rules.as_array_mut().expect("rules").push(added);
    flagr.app.editor().patch(&path, json!({"rules": rules, "tags": ["native"]})).await.expect(200);
    let shown = flagr.get(&format!("/flags/{flag}")).await;
    assert_eq!(
        (&shown["segments"][0]["id"], &shown["segments"][0]["rolloutPercent"]),
        (&json!(segment), &json!(40))
    );
    assert_eq!(shown["segments"][1]["description"], "other");
    assert_eq!(shown["tags"][0]["value"], "native");
    let numbers: Vec<_> =
        rows(&shown["variants"]).iter().map(|one| one["id"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, variants);
    // Taken out of Flagr's words, a segment is not listed, and segments cannot be written.
    rules[0]["when"] = json!({"attribute": "country", "operator": "equals", "value": "DE"});
    flagr.app.editor().patch(&path, json!({"rules": rules})).await.expect(200);
    let listed = flagr.get(&format!("/flags/{flag}/segments")).await;
    assert_eq!(rows(&listed).len(), 1, "{listed}");
    let refused = flagr
        .ask("POST", &format!("/flags/{flag}/segments"), json!({"description": "d", "rolloutPercent": 1}))
        .await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.body["message"].as_str().is_some_and(|text| text.contains("\"all\"")),
        "{}",
        refused.text
    );
    // It still evaluates.
    let sent = json!({"entityID": "ann", "flagID": flag, "entityContext": {"country": "DE"}});
    assert_eq!(flagr.post("/evaluation", sent).await["flagID"], flag);
}

#[actix_web::test]
async fn a_new_key_moves_the_feature_everywhere() {
    let flagr = Flagr::new().await;
    let (flag, ..) = flagr.split("f").await;
    let answer =
        flagr.post("/evaluation", json!({"entityID": "ann", "flagKey": "f"})).await["variantKey"].clone();
    flagr.put(&format!("/flags/{flag}"), json!({"key": "g"})).await;
    assert!(
        flagr.post("/evaluation", json!({"entityID": "ann", "flagKey": "f"})).await.get("flagID").is_none()
    );
    let moved = flagr.post("/evaluation", json!({"entityID": "ann", "flagKey": "g"})).await;
    assert_eq!((&moved["flagID"], &moved["variantKey"]), (&json!(flag), &answer));
    flagr.app.editor().get(&format!("{PROD}/features/f")).await.refused(404, "not_found");
    assert_eq!(flagr.app.editor().get(&format!("{PROD}/features/g")).await.expect(200).body["version"], 7);
    // What takes the old key goes on behind its versions.
    let made = flagr.app.feature(json!({"key": "f", "type": "BOOLEAN"})).await;
    assert_eq!(made["version"], 8);
}

#[actix_web::test]
async fn features_made_elsewhere_are_evaluated_too() {
    let flagr = Flagr::new().await;
    for feature in [
        json!({"key": "bool", "type": "BOOLEAN", "defaultValue": true}),
        json!({"key": "no", "type": "BOOLEAN", "defaultValue": false}),
        json!({"key": "number", "type": "NUMBER", "defaultValue": 1.50}),
        json!({"key": "nothing", "type": "JSON"}),
        json!({"key": "off", "type": "BOOLEAN", "defaultValue": true, "enabled": false}),
        json!({"key": "split", "type": "STRING", "tags": ["shop"], "variants": [{"key": "a", "value": "A"}, {"key": "b", "value": "B", "attachment": [1]}],
            "rules": [{"name": "b", "when": {"attribute": "userId", "operator": "equals", "value": "bo"}, "outcome": {"split": [{"variant": "b", "weight": 100}]}},
                      {"name": "a", "outcome": {"split": [{"variant": "a", "weight": 100}]}}]}),
    ] {
        flagr.app.feature(feature).await;
    }
    let ask = async |key: &str, entity: &str| {
        flagr.post("/evaluation", json!({"entityID": entity, "flagKey": key})).await
    };
    for (key, entity, variant, attachment) in [
        ("bool", "ann", json!("on"), json!({"value": true})),
        ("no", "ann", json!("off"), json!({"value": false})),
        ("number", "ann", json!("value"), json!({"value": 1.5})),
        ("nothing", "ann", Value::Null, Value::Null),
        ("off", "ann", Value::Null, Value::Null),
        ("split", "ann", json!("a"), json!({"value": "A"})),
        ("split", "bo", json!("b"), json!({"value": [1]})),
    ] {
        let answer = ask(key, entity).await;
        let got = |name: &str| answer.get(name).cloned().unwrap_or_default();
        assert_eq!((got("variantKey"), got("variantAttachment")), (variant, attachment), "{answer}");
        assert!(answer.get("segmentID").is_none() && answer.get("flagSnapshotID").is_none());
        let number = answer["flagID"].as_u64().expect("a number of its own");
        let again = flagr.post("/evaluation", json!({"entityID": entity, "flagID": number})).await;
        assert_eq!(again["flagKey"], key);
        // Management does not show it.
        assert_eq!(flagr.ask("GET", &format!("/flags/{number}"), Value::Null).await.status, 404);
    }
    let tagged = json!({"entities": [{"entityID": "ann"}], "flagTags": ["shop"]});
    assert_eq!(
        rows(&flagr.post("/evaluation/batch", tagged).await["evaluationResults"])[0]["variantKey"],
        "a"
    );
    assert_eq!(flagr.get("/flags").await, json!([]));
    // Flags count from 1 beside them.
    assert_eq!(flagr.post("/flags", json!({"description": "d"})).await["id"], 1);
}

#[actix_web::test]
async fn documents_carry_the_numbers_and_refuse_those_of_others() {
    let flagr = Flagr::new().await;
    let (flag, ..) = flagr.split("f").await;
    flagr.put(&format!("/flags/{flag}"), json!({"notes": "n", "entityType": "t"})).await;
    let before = flagr.get(&format!("/flags/{flag}")).await;
    let document = flagr.app.admin().get("/api/v1/sites/shop/export").await.expect(200).body;
    // Again into the same site: nothing differs.
    let plan = flagr.app.admin().post("/api/v1/sites/shop/import", document.clone()).await.expect(200).body;
    assert_eq!((rows(&plan["created"]).len(), rows(&plan["updated"]).len()), (0, 0), "{plan}");
    // Into another site: the same numbers.
    let text = document.to_string().replace("\"slug\":\"shop\"", "\"slug\":\"copy\"");
    flagr.app.import(serde_json::from_str(&text).expect("JSON"));
    let token = flagr.app.token_of(
        "copy",
        "prod",
        json!({"description": "x", "kind": "server", "permissions": ["FLAGR_ADMIN"]}),
    );
    let copy = flagr.app.bearer(&token).get(&format!("{}/flags/{flag}", super::API)).await.expect(200).body;
    for name in ["id", "key", "notes", "entityType", "variants", "segments"] {
        assert_eq!(copy[name], before[name], "{name}");
    }
    // A second flag with numbers of the first is refused.
    let mut stolen = flagr.app.editor().get(&format!("{PROD}/features/f")).await.expect(200).body;
    stolen["key"] = json!("thief");
    stolen["bucketingId"] = Value::Null;
    let reply = flagr.app.editor().post(&format!("{PROD}/features"), stolen).await;
    reply.refused(409, "number_taken");
    assert!(reply.message().contains("variant number"), "{}", reply.text);
}

#[actix_web::test]
async fn reverting_brings_numbers_back() {
    let flagr = Flagr::new().await;
    let (flag, ..) = flagr.split("f").await;
    let before = flagr.get(&format!("/flags/{flag}")).await;
    let version = flagr.app.editor().get(&format!("{PROD}/features/f")).await.body["version"].clone();
    let segment = &before["segments"][0]["id"];
    flagr.delete(&format!("/flags/{flag}/segments/{segment}")).await;
    flagr
        .app
        .editor()
        .post(&format!("{PROD}/features/f:revert"), json!({ "version": version }))
        .await
        .expect(200);
    assert_eq!(flagr.get(&format!("/flags/{flag}")).await["segments"], before["segments"]);
}

#[actix_web::test]
async fn the_history_on_the_page_names_the_snapshot_of_each_version() {
    let server = Server::new();
    let system = Author::system("test");
    let (_, environment) = (
        sites::create(&server.app, &system, r#"{"name": "Shop"}"#).expect("a site"),
        featured::ids::EnvironmentId(server.number("SELECT id FROM environments WHERE name = 'prod'")),
    );
    let other =
        admin::NewFlag { key: Some("other"), description: "takes a snapshot's number", template: None };
    admin::create(&server.app, &system, environment, &other).expect("a flag");
    let new = admin::NewFlag { key: Some("f"), description: "d", template: Some("simple_boolean_flag") };
    let flag = admin::create(&server.app, &system, environment, &new).expect("a flag").number;
    admin::set_enabled(&server.app, &system, environment, flag, true).expect("a change");
    server.user("eddie", Role::Editor);
    let mut browser = server.signed_in("eddie").await;
    let page = browser.get("/sites/shop/environments/prod/features/f/history").await.body;
    for (version, snapshot) in [(1, 2), (2, 3)] {
        let entry = between(&page, &format!("<li id=\"v{version}\">"), "</li>");
        assert!(entry.contains(&format!("Flagr snapshot <span class=\"num\">{snapshot}</span>")), "{entry}");
    }
}

#[actix_web::test]
async fn a_new_key_takes_what_contexts_say_of_the_feature_along() {
    let flagr = Flagr::new().await;
    let (flag, ..) = flagr.split("f").await;
    let editor = flagr.app.editor();
    let contexts = format!("{PROD}/contexts");
    editor.patch(&format!("{contexts}/override"), json!({"features": {"f": "all"}})).await.expect(200);
    editor.post(&contexts, json!({"key": "ann", "features": {"f": "own"}})).await.expect(201);
    flagr.put(&format!("/flags/{flag}"), json!({"key": "g"})).await;
    let ask = async || {
        let body = json!({"context": {"userId": "ann"}, "features": ["f", "g"]});
        flagr.app.sdk().post("/api/v1/evaluate", body).await.expect(200).body["features"].clone()
    };
    assert_eq!(ask().await["g"]["value"], "all");
    // Nobody inherits what was said of another.
    flagr.app.feature(json!({"key": "f", "type": "STRING", "defaultValue": "new"})).await;
    assert_eq!(ask().await["f"]["value"], "new");
    editor.patch(&format!("{contexts}/override"), json!({"features": {"g": null}})).await.expect(200);
    assert_eq!((&ask().await["g"]["value"], &ask().await["f"]["value"]), (&json!("own"), &json!("new")));
}

#[actix_web::test]
async fn numbers_and_keys_of_deleted_flags_are_not_taken_by_a_change_either() {
    let flagr = Flagr::new().await;
    let (flag, ..) = flagr.split("f").await;
    flagr.ask("DELETE", &format!("/flags/{flag}"), Value::Null).await.expect(200);
    flagr.app.feature(json!({"key": "x", "type": "STRING"})).await;
    let number = json!({"bucketing": "crc32", "bucketingId": flag.to_string()});
    flagr.app.editor().patch(&format!("{PROD}/features/x"), number).await.refused(409, "number_taken");
    let (other, ..) = flagr.split("other").await;
    let renamed = flagr.ask("PUT", &format!("/flags/{other}"), json!({"key": "f"})).await;
    assert!(renamed.status == 400 || renamed.status == 409, "{}", renamed.text);
    flagr.ask("PUT", &format!("/flags/{flag}/restore"), Value::Null).await.expect(200);
}
