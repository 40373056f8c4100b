//! Making, changing and deleting Contexts (featuresd.md §2.3, §3.4, §3.5, §4, §6.2).

use serde_json::{Value, json};

use super::{at, features, problems, worked_example};
use crate::support::{PROD, TestApp};

#[actix_web::test]
async fn a_context_is_made_read_changed_and_deleted() {
    let app = TestApp::new().await;
    features(&app).await;
    let editor = app.editor();
    app.set_time("2026-03-01T12:00:00Z");
    let body = json!({"key": "team:blue", "features": {"seats": 5}, "description": "Blue"});
    let made = editor.post(&at(""), body).await.expect(201);
    assert_eq!(
        made.body,
        json!({"key": "team:blue", "prototypes": [], "features": {"seats": "5"}, "description": "Blue",
            "version": 1, "createdAt": "2026-03-01T12:00:00.000Z", "updatedAt": "2026-03-01T12:00:00.000Z",
            "updatedBy": "eddie"})
    );
    assert_eq!(made.header("etag"), Some("\"1\""));
    let location = made.header("location").expect("Location");
    assert_eq!(editor.get(location).await.expect(200).body, made.body);
    assert_eq!(editor.get(&at("/team:blue")).await.expect(200).body, made.body, "a bare colon will do");
    editor.post(&at(""), json!({"key": "team:blue"})).await.refused(409, "context_exists");
    editor.post(&at(""), json!({"key": "default"})).await.refused(409, "context_exists");
    // PATCH merges, null removes.
    let patched = editor.patch(&at("/team:blue"), json!({"features": {"banner": "x", "seats": null}})).await;
    assert_eq!(patched.expect(200).body["features"], json!({"banner": "x"}));
    // What changes nothing makes no version.
    let same = editor.patch(&at("/team:blue"), json!({"features": {"banner": "x", "seats": null}})).await;
    assert_eq!(same.expect(200).body["version"], 2);
    // PUT replaces whole, and must say everything.
    let half = editor.put(&at("/team:blue"), json!({"features": {}})).await;
    half.refused(422, "invalid");
    assert_eq!(half.fields(), ["prototypes"]);
    let whole = editor.put(&at("/team:blue"), json!({"prototypes": [], "features": {"ratio": 1}})).await;
    assert_eq!(whole.expect(200).body["features"], json!({"ratio": "1"}));
    let new = editor.put(&at("/new"), json!({"prototypes": ["team:blue"], "features": {}})).await;
    assert_eq!(new.expect(201).body["version"], 1);
    for (body, code, status) in [
        (json!({"prototypes": [], "features": {"ratio": null}}), "invalid_value", 422),
        (json!({"prototypes": [], "features": {}, "colour": 1}), "unknown_field", 400),
        (json!({"key": "other", "prototypes": [], "features": {}}), "invalid", 422),
    ] {
        editor.put(&at("/new"), body).await.refused(status, code);
    }
    // One value.
    let value = editor.put(&at("/new/features/banner"), json!({"value": "one"})).await.expect(200);
    assert_eq!(value.body["features"], json!({"banner": "one"}));
    editor.put(&at("/new/features/gone"), json!({"value": "one"})).await.refused(404, "feature_not_found");
    editor.put(&at("/gone/features/banner"), json!({"value": "x"})).await.refused(404, "context_not_found");
    editor.put(&at("/new/features/banner"), json!({})).await.refused(422, "invalid");
    editor.delete(&at("/new/features/banner")).await.expect(204);
    editor.delete(&at("/new/features/banner")).await.expect(204);
    editor.delete(&at("/new/features/gone")).await.refused(404, "feature_not_found");
    assert_eq!(editor.get(&at("/new")).await.expect(200).body["features"], json!({}));
    editor.delete(&at("/new")).await.expect(204);
    for (method, path) in [("GET", "/new"), ("PATCH", "/new"), ("DELETE", "/new"), ("GET", "/new/children")] {
        let ask = editor.ask(method, &at(path));
        let reply = if method == "PATCH" { ask.json(&json!({})).send().await } else { ask.send().await };
        reply.refused(404, "context_not_found");
    }
}

#[actix_web::test]
async fn a_version_guards_against_overwriting() {
    let app = TestApp::new().await;
    features(&app).await;
    let editor = app.editor();
    editor.post(&at(""), json!({"key": "mia"})).await.expect(201);
    let write = async |method: &str, path: &str, version: &str, body: Value| {
        editor.ask(method, &at(path)).header("if-match", version).json(&body).send().await
    };
    let put = json!({"prototypes": [], "features": {"seats": 1}});
    write("PUT", "/mia", "\"1\"", put.clone()).await.expect(200);
    let old = write("PUT", "/mia", "\"1\"", put.clone()).await;
    old.refused(412, "version_conflict");
    assert_eq!(old.body["error"]["details"]["version"], 2);
    write("PUT", "/none", "\"1\"", put).await.refused(412, "version_conflict");
    write("PATCH", "/mia", "\"1\"", json!({"description": "x"})).await.refused(412, "version_conflict");
    write("PATCH", "/mia", "*", json!({"description": "x"})).await.expect(200);
    write("DELETE", "/mia", "\"2\"", json!({})).await.refused(412, "version_conflict");
    write("PUT", "/mia/features/seats", "\"2\"", json!({"value": 2})).await.refused(412, "version_conflict");
    let revision = editor.get(&at("/default")).await.expect(200).body["version"].as_u64().expect("a version");
    assert_eq!(revision, app.revision("prod"));
    let default = json!({"features": {"seats": 4}});
    write("PATCH", "/default", &format!("\"{revision}\""), default.clone()).await.expect(200);
    write("PATCH", "/default", &format!("\"{revision}\""), default).await.refused(412, "version_conflict");
    let get = editor.ask("GET", &at("/mia")).header("if-none-match", "\"3\"").send().await;
    assert_eq!(get.status, 304);
}

#[actix_web::test]
async fn every_problem_is_told_at_once() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let editor = app.editor();
    let before = app.dump();
    let body = json!({
        "key": "-bad", "prototypes": ["mia", "mia", "gone", "default", "pilots"],
        "features": {"seats": "x", "nothing": "1", "beta_ui": "maybe", "banner": "fine"},
    });
    let reply = editor.post(&at(""), body).await;
    reply.refused(422, "invalid_key");
    let told = |code: &str, field: &str| (code.to_owned(), field.to_owned());
    assert_eq!(
        problems(&reply),
        [
            told("invalid_key", "key"),
            told("duplicate_prototype", "prototypes[1]"),
            told("unknown_prototype", "prototypes[2]"),
            told("reserved_context", "prototypes[3]"),
            told("invalid_value", "features.beta_ui"),
            told("unknown_feature", "features.nothing"),
            told("invalid_value", "features.seats"),
        ]
    );
    let many: Vec<String> = (0..33).map(|n| format!("p{n}")).collect();
    for (method, path, body, code) in [
        ("POST", "", json!({"key": "a", "prototypes": many}), "too_many_prototypes"),
        ("POST", "", json!({"key": "a", "prototypes": ["a"]}), "prototype_cycle"),
        ("PATCH", "/mia", json!({"features": {"nothing": null}}), "unknown_feature"),
        ("PATCH", "/default", json!({"prototypes": ["mia"]}), "reserved_context"),
        ("PATCH", "/override", json!({"prototypes": ["mia"]}), "reserved_context"),
    ] {
        let reply = editor.ask(method, &at(path)).json(&body).send().await;
        reply.refused(422, code);
    }
    for key in ["", "a/b", "a b", "ä", "-a", ":a", &"k".repeat(201)] {
        editor.post(&at(""), json!({"key": key})).await.refused(422, "invalid_key");
    }
    assert_eq!(app.dump().differing(&before), [""; 0], "a failed write changes nothing");
    editor.post(&at(""), json!({"key": "k".repeat(200)})).await.expect(201);
    editor.post(&at(""), json!({"key": "9:x@y+z~._-"})).await.expect(201);
}

#[actix_web::test]
async fn graphs_and_maps_have_their_limits() {
    let app = TestApp::with(|config| config.max_contexts = 40).await;
    let editor = app.editor();
    for level in 0..=32 {
        let prototypes = if level == 0 { vec![] } else { vec![format!("c{}", level - 1)] };
        editor.post(&at(""), json!({"key": format!("c{level}"), "prototypes": prototypes})).await.expect(201);
    }
    editor
        .post(&at(""), json!({"key": "deep", "prototypes": ["c32"]}))
        .await
        .refused(422, "prototype_graph_too_large");
    editor.get(&at("/c32/features")).await.expect(200);
    // An ancestor that grows later makes the look-up fail rather than lie.
    editor.patch(&at("/c0"), json!({"prototypes": []})).await.expect(200);
    editor.post(&at(""), json!({"key": "root"})).await.expect(201);
    editor.patch(&at("/c0"), json!({"prototypes": ["root"]})).await.expect(200);
    editor.get(&at("/c32/features")).await.refused(422, "prototype_graph_too_large");
    for n in 0..6 {
        editor.post(&at(""), json!({"key": format!("x{n}")})).await.expect(201);
    }
    editor.post(&at(""), json!({"key": "over"})).await.refused(422, "limit_reached");
    editor.patch(&at("/override"), json!({"description": "not counted"})).await.expect(200);
}

#[actix_web::test]
async fn no_way_leads_past_the_most_contexts_that_an_environment_may_have() {
    let app = TestApp::with(|config| config.max_contexts = 3).await;
    let editor = app.editor();
    let writer = json!({"description": "writer", "kind": "server", "permissions": ["CONTEXTS_WRITE"]});
    let writer = app.bearer(&app.token(writer));
    let merge = async |key: &str, prototypes: &[&str]| {
        writer.post("/featuresd/api/contexts", json!({"key": key, "prototypes": prototypes})).await
    };
    let import = async |contexts: Value| {
        let document = json!({
            "version": 1, "site": {"slug": "shop", "name": "Shop"},
            "environments": [{"name": "prod", "tags": ["production"], "contexts": contexts}],
        });
        editor.post("/api/v1/sites/shop/import", document).await
    };
    merge("mia", &["team"]).await.expect(201);
    let before = app.dump();
    // Prototypes that are made on the way count, for a new Context and for one that is there.
    merge("new", &["a"]).await.refused(422, "limit_reached");
    merge("mia", &["a", "b"]).await.refused(422, "limit_reached");
    import(json!([{"key": "a"}, {"key": "b"}])).await.refused(409, "limit_reached");
    editor
        .post(&at(":import"), json!({"version": 1, "contexts": {"a": null, "b": null}}))
        .await
        .refused(422, "limit_reached");
    assert_eq!(app.dump().differing(&before), [""; 0]);
    merge("mia", &["a"]).await.expect(200);
    // Those that are there may be changed where there is no more room.
    merge("mia", &["team", "a"]).await.expect(200);
    import(json!([{"key": "a", "description": "changed"}, {"key": "override"}])).await.expect(200);
    import(json!([{"key": "b"}])).await.refused(409, "limit_reached");
}

#[actix_web::test]
async fn a_thousand_values_and_no_more() {
    let app = TestApp::new().await;
    let features: Vec<_> = (0..1001).map(|n| json!({"key": format!("f{n}"), "type": "NUMBER"})).collect();
    app.import(json!({"version": 1, "site": {"slug": "shop"}, "environments": [{"name": "prod", "features": features}]}));
    let values = |count: usize| -> Value {
        (0..count).map(|n| (format!("f{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into()
    };
    let editor = app.editor();
    editor
        .post(&at(""), json!({"key": "a", "features": values(1001)}))
        .await
        .refused(422, "too_many_features");
    editor.post(&at(""), json!({"key": "a", "features": values(1000)})).await.expect(201);
    editor.patch(&at("/a"), json!({"features": {"f1000": 1}})).await.refused(422, "too_many_features");
    editor.patch(&at("/a"), json!({"features": {"f1000": 1, "f0": null}})).await.expect(200);
    editor.patch(&at("/override"), json!({"features": values(1001)})).await.expect(200);
}

#[actix_web::test]
async fn what_others_inherit_from_is_deleted_with_detach_only() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let editor = app.editor();
    let refused = editor.delete(&at("/org-nordic")).await;
    refused.refused(409, "context_in_use");
    assert_eq!(refused.body["error"]["details"], json!({"dependants": ["team-blue"], "total": 1}));
    let before = app.revision("prod");
    editor.delete(&at("/org-nordic?detach=true")).await.expect(204);
    assert_eq!(app.revision("prod"), before + 1);
    let blue = editor.get(&at("/team-blue")).await.expect(200).body;
    assert_eq!((&blue["prototypes"], &blue["version"]), (&json!([]), &json!(2)));
    assert_eq!(app.dump().rows("context_prototypes"), 3, "no dangling entry");
    let answer = app.server_sdk().get(&at("/mia/features?explain=true")).await.expect(200).body;
    assert_eq!(answer["order"], json!(["override", "mia", "team-blue", "pilots", "default"]));
    for special in ["default", "override"] {
        editor.delete(&at(&format!("/{special}"))).await.refused(409, "reserved_context");
    }
    let all = app.changes();
    let contexts = all.iter().rev().filter(|change| change.entity == "context");
    let last: Vec<_> = contexts.take(2).map(|change| change.what()).collect();
    assert_eq!(last, ["context deleted", "context updated"]);
}

#[actix_web::test]
async fn default_is_the_features_own_values() {
    let app = TestApp::new().await;
    features(&app).await;
    let editor = app.editor();
    let default = editor.get(&at("/default")).await.expect(200).body;
    assert_eq!(default["features"], json!({"banner": "Welcome", "beta_ui": "no", "seats": "3"}));
    let changed = editor.patch(&at("/default"), json!({"features": {"ratio": "0.50", "seats": null}})).await;
    assert_eq!(
        changed.expect(200).body["features"],
        json!({"banner": "Welcome", "beta_ui": "no", "ratio": "0.50"})
    );
    let ratio = editor.get(&format!("{PROD}/features/ratio")).await.expect(200);
    assert!(ratio.text.contains(r#""defaultValue":0.50,"#), "{}", ratio.text);
    assert_eq!(ratio.body["version"], 2);
    assert_eq!(app.sdk().get(&at("/anybody/features")).await.expect(200).body["features"]["ratio"], "0.50");
    let changes = app.changes();
    let updated = changes.iter().filter(|change| change.event.as_deref() == Some("feature.updated")).count();
    assert_eq!(updated, 2, "one for each feature");
    editor.put(&at("/default"), json!({"prototypes": [], "features": {"seats": 9}})).await.expect(200);
    assert_eq!(editor.get(&at("/default")).await.expect(200).body["features"], json!({"seats": "9"}));
    editor.patch(&format!("{PROD}/features/seats"), json!({"locked": true})).await.expect(200);
    editor.patch(&at("/default"), json!({"features": {"seats": 1}})).await.refused(409, "locked");
}

#[actix_web::test]
async fn override_is_there_from_the_start_and_keeps_the_reason() {
    let app = TestApp::new().await;
    features(&app).await;
    let editor = app.editor();
    let untouched = editor.get(&at("/override")).await.expect(200).body;
    assert_eq!((&untouched["version"], &untouched["features"]), (&json!(1), &json!({})));
    let body = json!({"features": {"beta_ui": "yes"}, "reason": "the old page is down"});
    let written = editor.ask("PATCH", &at("/override")).header("if-match", "\"1\"").json(&body).send().await;
    assert_eq!(written.expect(200).body["version"], 2);
    let change = app.changes().pop().expect("a change");
    assert_eq!(change.what(), "context updated");
    assert!(change.summary.contains("the old page is down"), "{}", change.summary);
    assert_eq!(change.payload["after"]["reason"], "the old page is down");
    assert_eq!(change.payload["after"]["features"], json!({"beta_ui": "yes"}));
    assert_eq!(change.event.as_deref(), Some("context.updated"));
    let evaluated =
        app.sdk().post("/api/v1/evaluate", json!({"features": ["beta_ui"]})).await.expect(200).body;
    assert_eq!(evaluated["features"]["beta_ui"]["reason"], "OVERRIDE");
    editor.delete(&at("/override/features/beta_ui?reason=it+is+up+again")).await.expect(204);
    assert!(app.changes().pop().expect("a change").summary.contains("it is up again"));
    let evaluated =
        app.sdk().post("/api/v1/evaluate", json!({"features": ["beta_ui"]})).await.expect(200).body;
    assert_eq!(evaluated["features"]["beta_ui"]["reason"], "STATIC");
}

#[actix_web::test]
async fn each_change_is_recorded_once_and_streams_hear_of_it() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let path = crate::support::query(&format!("{PROD}/stream"), &[("context", r#"{"userId":"mia"}"#)]);
    let mut stream = app.sdk().ask("GET", &path).open().await;
    assert_eq!(stream.next().await.name, "snapshot");
    let editor = app.editor();
    let before = app.changes().len();
    editor.patch(&at("/org-nordic"), json!({"features": {"seats": 60}})).await.expect(200);
    let update = stream.next().await;
    assert_eq!(update.name, "update");
    assert_eq!(update.data["features"].as_object().expect("features").keys().collect::<Vec<_>>(), ["seats"]);
    editor.patch(&at("/mia"), json!({"prototypes": ["pilots"]})).await.expect(200);
    let update = stream.next().await;
    let changed: Vec<_> = update.data["features"].as_object().expect("features").keys().collect();
    assert_eq!(changed, ["banner", "ratio", "seats"]);
    let changes = app.changes();
    assert_eq!(changes.len(), before + 2);
    assert_eq!(changes[before].event.as_deref(), Some("context.updated"));
    assert_eq!(changes[before].payload["before"]["features"], json!({"banner": "Hej", "seats": "50"}));
    assert!(changes[before].summary.contains("features.seats"), "{}", changes[before].summary);
}

#[actix_web::test]
async fn a_feature_that_contexts_use_goes_by_force_with_all_its_values() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let path = format!("{PROD}/features/banner");
    let refused = app.editor().delete(&path).await;
    refused.refused(409, "feature_in_use");
    assert_eq!(refused.body["error"]["details"]["contexts"], 3);
    app.editor().delete(&format!("{path}?force=true")).await.expect(204);
    let mia = app.sdk().get(&at("/mia/features")).await.expect(200).body;
    assert_eq!(mia["features"], json!({"beta_ui": "yes", "seats": "50", "ratio": "0.25"}));
    app.feature(json!({"key": "banner", "type": "string"})).await;
    let mia = app.sdk().get(&at("/mia/features/banner")).await.expect(200).body;
    assert_eq!(mia["value"], json!(null), "the values do not come back");
}
