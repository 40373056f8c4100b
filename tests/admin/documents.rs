//! `/sites/{site}/export` and `/import`: a site as one document.

use featured::admin::documents::{self, Mode};
use featured::app::Actor as Author;
use serde_json::{Value, json};

use super::{feature_path, plain, rule};
use crate::support::{PROD, Reply, TestApp};

const EXPORT: &str = "/api/v1/sites/shop/export";
const IMPORT: &str = "/api/v1/sites/shop/import";

/// A document of the site shop with these features in prod.
fn with_features(features: Value) -> Value {
    json!({
        "version": 1, "site": {"slug": "shop", "name": "Shop"},
        "environments": [{"name": "prod", "tags": ["production"], "features": features}],
    })
}

/// The paths of the plan: created, updated, deleted.
fn plan(reply: &Reply) -> [Vec<&str>; 3] {
    assert_eq!(reply.status, 200, "{}", reply.text);
    ["created", "updated", "deleted"].map(|list| {
        let entries = reply.body[list].as_array().expect(list);
        entries.iter().map(|entry| entry["path"].as_str().expect("a path")).collect()
    })
}

/// A site that uses everything a document can hold.
async fn fill(app: &TestApp) {
    let editor = app.editor();
    editor
        .patch("/api/v1/sites/shop", json!({"description": "ä: \"quoted\" # not a comment"}))
        .await
        .expect(200);
    for (key, conditions) in [
        ("team", json!({"any": [{"segment": "staff"}, {"not": {"attribute": "x", "operator": "exists"}}]})),
        ("staff", json!({"attribute": "email", "operator": "ends_with", "value": "@shop.example", "ignoreCase": true})),
    ]
    .into_iter()
    .rev()
    {
        editor.post("/api/v1/sites/shop/segments", json!({"key": key, "conditions": conditions})).await.expect(201);
    }
    for body in [
        json!({"name": "dev", "description": "d", "tags": ["x"], "userIdIsContextKey": false}),
        json!({"name": "old"}),
    ] {
        editor.post("/api/v1/sites/shop/environments", body).await.expect(201);
    }
    let numbers = r#"{"key": "price", "type": "NUMBER", "defaultValue": 1.50, "variants": [{"key": "v", "value": 1e3,
        "attachment": {"n": 2.10}}], "rules": [{"name": "r", "when": {"attribute": "n", "operator": "in",
        "values": [1.0, 10]}, "outcome": {"value": 12345678901234567890}}]}"#;
    editor
        .ask("POST", &format!("{PROD}/features"))
        .body("application/json", numbers)
        .send()
        .await
        .expect(201);
    for feature in [
        json!({"key": "b/eta:1", "type": "BOOLEAN", "enabled": false, "description": "multi\nline", "tags": ["t"],
               "rules": [rule("SE", 10), rule("NO", 90), rule("DK", 10),
                         {"name": "team", "when": {"segment": "team"}, "rollout": {"percentage": 25.5, "by": "company", "salt": "s"},
                          "outcome": {"value": false}}]}),
        json!({"key": "alpha", "type": "STRING", "defaultValue": "yes", "locked": true,
               "variants": [{"key": "z", "value": "1"}, {"key": "a", "value": "null"}],
               "rules": [{"name": "s", "enabled": false,
                          "outcome": {"split": [{"variant": "z", "weight": 33.33}, {"variant": "a", "weight": 66.67}]}}]}),
        json!({"key": "hub", "type": "JSON", "defaultValue": {"b": [1, null], "a": "ä"}, "bucketing": "murmur3",
               "properties": {"owner": "web", "a": ""},
               "rules": [{"name": "h", "rollout": {"percentage": 0.0001, "by": ["a", "b"]}, "outcome": {"value": []}}]}),
        json!({"key": "flag", "type": "STRING", "defaultValue": "", "bucketing": "crc32", "bucketingId": 7}),
    ] {
        app.feature(feature).await;
    }
    editor.post("/api/v1/sites/shop/environments/old/features", plain("past")).await.expect(201);
    app.contexts(json!([
        {"key": "override", "features": {"b/eta:1": "yes"}},
        {"key": "user", "description": "d", "prototypes": ["team"], "features": {"price": "1.50", "alpha": "no"}},
        {"key": "team", "features": {"hub": "{\"x\":1.0}"}},
    ]));
    editor.patch("/api/v1/sites/shop/environments/old", json!({"status": "archived"})).await.expect(200);
}

#[actix_web::test]
async fn an_export_reads_like_the_manual_says() {
    let app = TestApp::new().await;
    fill(&app).await;
    let reply = app.viewer().get(EXPORT).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let document = &reply.body;
    assert_eq!(document["version"], 1);
    assert_eq!(document["site"]["slug"], "shop");
    let keys = |list: &Value, member: &str| -> Vec<String> {
        list.as_array()
            .expect("a list")
            .iter()
            .map(|one| one[member].as_str().expect("text").to_owned())
            .collect()
    };
    assert_eq!(keys(&document["segments"], "key"), ["staff", "team"]);
    assert_eq!(keys(&document["environments"], "name"), ["prod", "dev", "old"]);
    let prod = &document["environments"][0];
    assert_eq!(keys(&prod["features"], "key"), ["alpha", "b/eta:1", "flag", "hub", "price"]);
    assert_eq!(keys(&prod["features"][1]["rules"], "name"), ["NO", "team", "SE", "DK"]);
    assert_eq!(keys(&prod["features"][0]["variants"], "key"), ["z", "a"]);
    assert_eq!(keys(&prod["contexts"], "key"), ["override", "team", "user"]);
    assert_eq!(prod["features"][2]["bucketingId"], "7");
    assert_eq!(prod["contexts"][2]["features"], json!({"price": "1.50", "alpha": "no"}));
    for absent in ["\"id\"", "version\":2", "createdAt", "locked", "\"enabled\":true", "token"] {
        assert!(!reply.text.contains(absent), "{absent}");
    }
}

#[actix_web::test]
async fn importing_an_export_changes_nothing() {
    let app = TestApp::new().await;
    fill(&app).await;
    let editor = app.editor();
    let json_text = editor.get(EXPORT).await.expect(200).text;
    let yaml = editor.ask("GET", EXPORT).header("accept", "application/yaml").send().await.expect(200);
    assert_eq!(yaml.header("content-type"), Some("application/yaml"));
    let before = app.dump();
    for (content_type, text) in [("application/json", &json_text), ("application/yaml", &yaml.text)] {
        for mode in ["merge", "replace"] {
            let path = format!("{IMPORT}?mode={mode}");
            let reply = editor.ask("POST", &path).body(content_type, text.clone()).send().await;
            assert_eq!(plan(&reply), [vec![], vec![], vec![]] as [Vec<&str>; 3], "{content_type} {mode}");
            assert_eq!(
                reply.body["unchanged"], 15,
                "site, 2 segments, 3 environments, 6 features, 3 Contexts"
            );
        }
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

#[actix_web::test]
async fn a_site_moves_to_another_server_whole() {
    let app = TestApp::new().await;
    fill(&app).await;
    let from_json = app.viewer().get(EXPORT).await.expect(200).text;
    let from_yaml =
        app.viewer().ask("GET", EXPORT).header("accept", "text/yaml").send().await.expect(200).text;
    for text in [from_json.clone(), featured::yaml::to_json(&from_yaml).expect("YAML")] {
        let other = TestApp::new().await;
        other.editor().delete("/api/v1/sites/shop").await.expect(204);
        let document = documents::read(&text).expect("a document");
        let author = Author::system("test");
        documents::import(&other.app, &author, &document, None, Mode::Merge, false).expect("an import");
        assert_eq!(other.viewer().get(EXPORT).await.expect(200).text, from_json);
        let hub = |feature: Reply| feature.expect(200).body["bucketingId"].clone();
        let path = feature_path("hub");
        assert_eq!(
            hub(other.viewer().get(&path).await),
            hub(app.viewer().get(&path).await),
            "nobody is re-bucketed"
        );
    }
}

#[actix_web::test]
async fn numbers_survive_as_they_were_written() {
    let app = TestApp::new().await;
    fill(&app).await;
    let json_text = app.viewer().get(EXPORT).await.expect(200).text;
    let yaml =
        app.viewer().ask("GET", EXPORT).header("accept", "application/x-yaml").send().await.expect(200).text;
    let spaced = |text: &str| text.replace(": ", ":");
    for text in [&json_text, &spaced(&yaml).replace("defaultValue:", "\"defaultValue\":")] {
        for written in ["\"defaultValue\":1.50", "12345678901234567890"] {
            assert!(text.contains(written), "{written} in {text}");
        }
    }
    assert!(json_text.contains(r#""value":1e3"#) && yaml.contains("value: 1e3"), "{yaml}");
    let changed = json_text.replace("1.50", "1.5");
    let reply = app.editor().ask("POST", IMPORT).body("application/json", changed).send().await;
    let [_, updated, _] = plan(&reply);
    assert_eq!(
        updated,
        ["environments/prod/features/price", "environments/prod/contexts/user"],
        "the text is the value"
    );
}

#[actix_web::test]
async fn the_plan_names_what_is_made_changed_and_deleted() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "a", "type": "BOOLEAN", "defaultValue": false, "rules": [rule("SE", 50)]}))
        .await;
    app.feature(plain("same")).await;
    app.feature(plain("gone")).await;
    app.contexts(json!([{"key": "old", "features": {"a": "yes"}}, {"key": "kept"}]));
    for key in ["unused", "staff"] {
        let segment = json!({"key": key, "conditions": {"all": []}});
        app.editor().post("/api/v1/sites/shop/segments", segment).await.expect(201);
    }
    let document = json!({
        "version": 1, "site": {"slug": "shop", "name": "The Shop"},
        "segments": [{"key": "staff", "name": "Staff", "conditions": {"any": []}}, {"key": "new", "conditions": {"all": []}}],
        "environments": [
            {"name": "prod", "tags": [], "features": [
                {"key": "a", "type": "BOOLEAN", "defaultValue": true, "rules": [rule("SE", 50), rule("NO", 50)]},
                {"key": "same", "type": "BOOLEAN", "defaultValue": false},
                {"key": "b", "type": "STRING"},
            ], "contexts": [{"key": "kept", "features": {"a": "no"}}, {"key": "fresh", "prototypes": ["kept"]}]},
            {"name": "dev"},
        ],
    });
    let before = app.dump();
    let trial = app.editor().post(&format!("{IMPORT}?dryRun=true&mode=replace"), document.clone()).await;
    assert_eq!(
        plan(&trial),
        [
            vec![
                "segments/new",
                "environments/prod/features/b",
                "environments/prod/contexts/fresh",
                "environments/dev"
            ],
            vec![
                "site",
                "segments/staff",
                "environments/prod",
                "environments/prod/features/a",
                "environments/prod/contexts/kept"
            ],
            vec!["environments/prod/features/gone", "environments/prod/contexts/old", "segments/unused"],
        ]
    );
    assert_eq!((&trial.body["dryRun"], &trial.body["unchanged"]), (&json!(true), &json!(1)));
    let updated = trial.body["updated"].as_array().expect("a list");
    assert_eq!(updated[0]["differences"], json!([{"field": "name", "before": "Shop", "after": "The Shop"}]));
    assert_eq!(updated[2]["differences"], json!([{"field": "tags", "before": ["production"], "after": []}]));
    let fields: Vec<_> =
        updated[3]["differences"].as_array().expect("a list").iter().map(|one| &one["field"]).collect();
    assert_eq!(fields, ["defaultValue", "rules[NO]"]);
    assert_eq!(updated[4]["differences"], json!([{"field": "features.a", "before": null, "after": false}]));
    assert_eq!(app.dump().differing(&before), [""; 0], "a dry run changes nothing");

    let merged = app.editor().post(IMPORT, document.clone()).await;
    let [created, updated, deleted] = plan(&merged);
    assert_eq!((created.len(), updated.len(), deleted.len()), (4, 5, 0), "merge deletes nothing");
    app.viewer().get(&feature_path("gone")).await.expect(200);
    let replaced = app.editor().post(&format!("{IMPORT}?mode=replace"), document.clone()).await;
    let [created, updated, deleted] = plan(&replaced);
    assert_eq!((created.len(), updated.len(), deleted.len()), (0, 0, 3));
    app.viewer().get(&feature_path("gone")).await.refused(404, "not_found");
    let again = app.editor().post(&format!("{IMPORT}?mode=replace"), document).await;
    assert_eq!(plan(&again), [vec![], vec![], vec![]] as [Vec<&str>; 3]);
    let a = app.viewer().get(&feature_path("a")).await.expect(200).body;
    assert_eq!((&a["version"], &a["defaultValue"]), (&json!(2), &json!(true)));
}

#[actix_web::test]
async fn an_import_is_seen_by_the_next_request_as_one_revision() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    let revision = app.revision("prod");
    let document = with_features(json!([
        {"key": "a", "type": "BOOLEAN", "defaultValue": true}, {"key": "b", "type": "NUMBER", "defaultValue": 5},
    ]));
    app.editor().post(IMPORT, document).await.expect(200);
    let reply = app.sdk().post("/api/v1/evaluate", json!({})).await.expect(200);
    assert_eq!(reply.body["revision"], revision + 1);
    assert_eq!(
        (&reply.body["features"]["a"]["value"], &reply.body["features"]["b"]["value"]),
        (&json!(true), &json!(5))
    );
}

#[actix_web::test]
async fn rules_keep_their_ids_by_name() {
    let app = TestApp::new().await;
    let before =
        app.feature(json!({"key": "a", "type": "BOOLEAN", "rules": [rule("SE", 50), rule("NO", 50)]})).await;
    let document =
        with_features(json!([{"key": "a", "type": "BOOLEAN", "rules": [rule("NO", 50), rule("SE", 50)]}]));
    let reply = app.editor().post(IMPORT, document).await;
    assert_eq!(plan(&reply)[1], ["environments/prod/features/a"]);
    assert_eq!(reply.body["updated"][0]["differences"][0]["field"], "rules.order");
    let after = app.viewer().get(&feature_path("a")).await.expect(200).body;
    assert_eq!(after["rules"][0]["id"], before["rules"][1]["id"]);
    assert_eq!(after["rules"][1]["id"], before["rules"][0]["id"]);
}

#[actix_web::test]
async fn one_bad_entry_refuses_the_document_and_every_problem_is_listed_by_path() {
    let app = TestApp::new().await;
    let before = app.dump();
    let document = json!({
        "version": 2, "site": {"slug": "Shop!", "name": "Shop", "color": "red"},
        "segments": [{"key": "a b", "conditions": {"all": []}}, {"key": "ok", "conditions": {"attribute": "x", "operator": "is"}}],
        "environments": [
            {"name": "PROD", "status": "on", "features": [
                {"key": "a", "type": "BOOL"},
                {"key": "b", "type": "NUMBER", "defaultValue": "1", "rules": [{"name": "r", "priority": 101, "outcome": {"value": "x"}}]},
            ]},
            {"name": "dev", "contexts": [{"key": "default"}, {"key": "-x"}, {"key": "override", "prototypes": ["y"]}]},
        ],
    });
    let reply = app.editor().post(IMPORT, document.clone()).await;
    reply.refused(400, "unknown_field");
    assert_eq!(reply.fields(), ["site.color"]);
    let mut document = document;
    document["site"].as_object_mut().expect("an object").remove("color");
    let reply = app.editor().post(IMPORT, document).await;
    reply.refused(422, "invalid");
    let mut fields = reply.fields();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "environments[0].features[0].type",
            "environments[0].features[1].defaultValue",
            "environments[0].features[1].rules[0].outcome.value",
            "environments[0].features[1].rules[0].priority",
            "environments[0].name",
            "environments[0].status",
            "environments[1].contexts[0].key",
            "environments[1].contexts[1].key",
            "environments[1].contexts[2].prototypes",
            "segments[0].key",
            "segments[1].conditions.operator",
            "site.slug",
            "version",
        ]
    );
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

#[actix_web::test]
async fn what_does_not_fit_together_is_listed_across_environments() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "text", "type": "STRING"})).await;
    app.contexts(json!([{"key": "ana", "features": {"text": "words"}}]));
    let before = app.dump();
    let document = json!({
        "version": 1, "site": {"slug": "shop", "name": "Shop"},
        "environments": [
            {"name": "prod", "tags": ["production"], "features": [
                {"key": "a", "type": "BOOLEAN", "rules": [{"name": "r", "when": {"segment": "gone"}, "outcome": {"value": true}}]},
                {"key": "text", "type": "NUMBER"},
            ], "contexts": [
                {"key": "ben", "prototypes": ["nobody"], "features": {"a": "maybe", "missing": "1"}},
            ]},
            {"name": "dev", "contexts": [
                {"key": "x", "prototypes": ["y"]}, {"key": "y", "prototypes": ["x"]},
            ]},
        ],
    });
    let reply = app.editor().post(IMPORT, document).await;
    reply.refused(422, "invalid");
    let mut fields = reply.fields();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "environments[0].contexts[0].features.a",
            "environments[0].contexts[0].features.missing",
            "environments[0].contexts[0].prototypes[0]",
            "environments[0].features[0].rules[0].when",
            "environments[0].features[1].type",
            "environments[1].contexts[0].prototypes",
            "environments[1].contexts[1].prototypes",
        ]
    );
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

#[actix_web::test]
async fn a_document_is_of_the_site_of_its_path() {
    let app = TestApp::new().await;
    let mut document = with_features(json!([]));
    document["site"]["slug"] = json!("other");
    let reply = app.editor().post(IMPORT, document.clone()).await;
    reply.refused(422, "invalid");
    assert_eq!(reply.fields(), ["site.slug"]);
    app.editor().post("/api/v1/sites/other/import", document).await.refused(404, "not_found");
    app.viewer().get("/api/v1/sites/other/export").await.refused(404, "not_found");
}

#[actix_web::test]
async fn locked_features_must_be_unlocked_by_hand_first() {
    let app = TestApp::new().await;
    for key in ["a", "b", "c"] {
        app.feature(plain(key)).await;
        app.editor().patch(&feature_path(key), json!({"locked": true})).await.expect(200);
    }
    let same = with_features(json!([plain("a"), plain("b"), plain("c")]));
    app.editor().post(&format!("{IMPORT}?mode=replace"), same).await.expect(200);
    let before = app.dump();
    let document = with_features(
        json!([plain("new"), {"key": "a", "type": "BOOLEAN", "defaultValue": true}, plain("b")]),
    );
    let reply = app.editor().post(&format!("{IMPORT}?mode=replace"), document).await;
    reply.refused(409, "locked");
    let paths = json!(["environments/prod/features/a", "environments/prod/features/c"]);
    assert_eq!(reply.body["error"]["details"], json!({"paths": paths}));
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

#[actix_web::test]
async fn an_archived_environment_takes_no_import_unless_it_is_made_active() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    app.editor().patch(PROD, json!({"status": "archived"})).await.expect(200);
    let before = app.dump();
    let features = json!([{"key": "a", "type": "BOOLEAN", "defaultValue": true}]);
    let mut document = with_features(features);
    document["environments"][0]["status"] = json!("archived");
    app.editor().post(IMPORT, document.clone()).await.refused(409, "environment_archived");
    let mut described = with_features(json!([plain("a")]));
    described["environments"][0]["status"] = json!("archived");
    let same = app.editor().post(IMPORT, described.clone()).await;
    assert_eq!(plan(&same), [vec![], vec![], vec![]] as [Vec<&str>; 3]);
    described["environments"][0]["description"] = json!("new");
    app.editor().post(IMPORT, described).await.refused(409, "environment_archived");
    assert_eq!(app.dump().differing(&before), [""; 0]);
    document["environments"][0]["status"] = json!("active");
    app.editor().post(IMPORT, document).await.expect(200);
    assert_eq!(app.sdk().get(&feature_path("a")).await.expect(200).body["value"], true);
    let mut document = with_features(json!([plain("a")]));
    document["environments"][0]["status"] = json!("archived");
    app.editor().post(IMPORT, document).await.expect(200);
    assert_eq!(app.viewer().get(&feature_path("a")).await.expect(200).body["defaultValue"], false);
}

#[actix_web::test]
async fn an_import_respects_the_limit_of_environments() {
    let app = TestApp::with(|config| config.max_environments = 2).await;
    let document = json!({
        "version": 1, "site": {"slug": "shop", "name": "Shop"},
        "environments": [{"name": "one"}, {"name": "two"}],
    });
    app.editor().post(IMPORT, document).await.refused(409, "limit_reached");
    assert_eq!(app.dump().rows("environments"), 1);
}

#[actix_web::test]
async fn a_segment_that_another_environment_uses_is_not_replaced_away() {
    let app = TestApp::new().await;
    let segment = json!({"key": "staff", "conditions": {"all": []}});
    app.editor().post("/api/v1/sites/shop/segments", segment).await.expect(201);
    app.editor().post("/api/v1/sites/shop/environments", json!({"name": "dev"})).await.expect(201);
    let using = json!({"key": "a", "type": "BOOLEAN", "rules": [{"name": "r", "when": {"segment": "staff"}, "outcome": {"value": true}}]});
    app.editor().post("/api/v1/sites/shop/environments/dev/features", using).await.expect(201);
    let before = app.dump();
    let reply = app.editor().post(&format!("{IMPORT}?mode=replace"), with_features(json!([]))).await;
    reply.refused(409, "in_use");
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

#[actix_web::test]
async fn segments_that_use_one_another_are_replaced_away_together() {
    let app = TestApp::new().await;
    for (key, conditions) in [
        ("a", json!({"all": []})),
        ("b", json!({"segment": "a"})),
        ("z", json!({"all": []})),
        ("y", json!({"segment": "z"})),
    ] {
        let segment = json!({"key": key, "conditions": conditions});
        app.editor().post("/api/v1/sites/shop/segments", segment).await.expect(201);
    }
    let reply = app.editor().post(&format!("{IMPORT}?mode=replace"), with_features(json!([]))).await;
    assert_eq!(plan(&reply)[2], ["segments/a", "segments/b", "segments/y", "segments/z"]);
    assert_eq!(app.dump().rows("segments"), 0);
}

#[actix_web::test]
async fn a_flagr_flag_gets_a_new_key_by_document_and_keeps_its_numbers() {
    let app = TestApp::new().await;
    app.feature(json!({
        "key": "old", "type": "STRING", "defaultValue": "", "bucketing": "crc32", "bucketingId": 7,
        "variants": [{"key": "one", "value": "one"}, {"key": "two", "value": "two"}],
        "rules": [{"name": "all", "outcome": {"split": [
            {"variant": "one", "weight": 60}, {"variant": "two", "weight": 40},
        ]}}],
    }))
    .await;
    let value = async |key: &str| {
        let body = json!({"context": {"userId": "ann"}});
        let reply = app.sdk().post("/api/v1/evaluate", body).await.expect(200);
        reply.body["features"][key]["value"].clone()
    };
    let (old, given) = (app.viewer().get(&feature_path("old")).await.expect(200).body, value("old").await);
    let text = app.viewer().get(EXPORT).await.expect(200).text.replace(r#""key":"old""#, r#""key":"new""#);
    let before = app.dump();
    let send = async |query: &str| {
        let path = format!("{IMPORT}?{query}");
        app.editor().ask("POST", &path).body("application/json", text.clone()).send().await
    };
    send("mode=merge").await.refused(409, "number_taken");
    let renamed = [vec!["environments/prod/features/new"], vec![], vec!["environments/prod/features/old"]];
    assert_eq!(plan(&send("mode=replace&dryRun=true").await), renamed);
    assert_eq!(app.dump().differing(&before), [""; 0]);
    assert_eq!(plan(&send("mode=replace").await), renamed);
    app.viewer().get(&feature_path("old")).await.refused(404, "not_found");
    let new = app.viewer().get(&feature_path("new")).await.expect(200).body;
    assert_eq!((&new["bucketingId"], &new["flagr"]), (&json!("7"), &old["flagr"]));
    assert_eq!((value("new").await, value("old").await), (given, Value::Null), "nobody is re-bucketed");
    assert_eq!(plan(&send("mode=replace").await), [vec![], vec![], vec![]] as [Vec<&str>; 3]);
}

#[actix_web::test]
async fn prototypes_that_a_look_up_would_refuse_are_not_imported() {
    let app = TestApp::new().await;
    let key = |at: usize| format!("p{at}");
    let chain = |length: usize| -> Vec<Value> {
        let next = |at: usize| if at < length { vec![key(at + 1)] } else { Vec::new() };
        (1..=length).map(|at| json!({"key": key(at), "prototypes": next(at)})).collect()
    };
    let with_contexts = |contexts: Vec<Value>| {
        let mut document = with_features(json!([]));
        document["environments"][0]["contexts"] = json!(contexts);
        document
    };
    // All but the last of the chain stand in the list too, but a look-up goes down the chain first.
    let prototypes: Vec<String> = (1..=32).map(key).collect();
    let mut wide = vec![json!({"key": "a", "prototypes": prototypes})];
    wide.extend(chain(33));
    let before = app.dump();
    for contexts in [chain(34), wide] {
        let reply = app.editor().post(IMPORT, with_contexts(contexts)).await;
        reply.refused(422, "prototype_graph_too_large");
        let problems = &reply.body["error"]["details"]["problems"];
        assert_eq!(problems.as_array().map(Vec::len), Some(1), "{}", reply.text);
        assert_eq!(problems[0]["field"], "environments[0].contexts[0].prototypes");
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
    app.editor().post(IMPORT, with_contexts(chain(33))).await.expect(200);
    app.editor().get(&format!("{PROD}/contexts/p1/features")).await.expect(200);
}

#[actix_web::test]
async fn a_document_may_be_yaml_as_people_write_it() {
    let app = TestApp::new().await;
    let yaml = r#"
# flags of the shop
version: 1
site: {slug: shop, name: Shop}
segments:
  - {key: staff, name: Staff, conditions: {all: [{attribute: email, operator: ends_with, value: "@shop.example"}]}}
environments:
  - name: prod
    features:
      - key: new_checkout
        type: BOOLEAN
        defaultValue: false
        rules:
          - {name: Staff first, priority: 90, when: {segment: staff}, outcome: {value: true}}
      - key: version
        type: STRING
        defaultValue: "1.10"
      - {key: price, type: NUMBER, defaultValue: 1.10}
    contexts:
      - {key: team:blue, features: {new_checkout: yes, price: "2.50"}}
"#;
    for content_type in ["application/yaml", "text/yaml; charset=utf-8", "application/x-yaml"] {
        let path = format!("{IMPORT}?dryRun=true");
        app.editor().ask("POST", &path).body(content_type, yaml).send().await.expect(200);
    }
    app.editor().ask("POST", IMPORT).body("application/yaml", yaml).send().await.expect(200);
    let body = json!({"context": {"userId": "team:blue"}});
    let reply = app.sdk().post("/api/v1/evaluate", body).await.expect(200);
    assert_eq!(reply.body["features"]["new_checkout"]["value"], true);
    assert_eq!(reply.body["features"]["version"]["value"], "1.10");
    assert!(reply.text.contains(r#""value":2.50"#), "{}", reply.text);
}

#[actix_web::test]
async fn the_studies_of_a_browser_are_imported_exported_and_served() {
    let app = TestApp::with(|config| config.rate_limit = 0).await;
    let document = include_str!("../data/browser-studies.json");
    app.editor().post("/api/v1/sites", json!({"name": "Browser"})).await.expect(201);
    let path = "/api/v1/sites/browser/import";
    let first = app.editor().ask("POST", path).body("application/json", document).send().await;
    let features = plan(&first)[0].iter().filter(|path| path.contains("/features/")).count();
    assert_eq!(features, 180);
    let exported = app.viewer().get("/api/v1/sites/browser/export").await.expect(200).text;
    let again = app.editor().ask("POST", path).body("application/json", exported).send().await;
    assert_eq!(plan(&again), [vec![], vec![], vec![]] as [Vec<&str>; 3]);
    let token = app.token_of("browser", "prod", json!({"description": "t", "kind": "client"}));
    let context = json!({"userId": "17", "channel": "NIGHTLY", "platform": "LINUX", "version": "144.1.88.0"});
    let reply = app.bearer(&token).post("/api/v1/evaluate", json!({"context": context})).await.expect(200);
    assert_eq!(reply.body["features"].as_object().map(serde_json::Map::len), Some(180));
}
