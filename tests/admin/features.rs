//! `…/features`, `…/features/{key}`.

use serde_json::{Value, json};

use super::{a_minute_later, feature_path, follow, noon, pages, plain, rule};
use crate::support::{PROD, TestApp};

fn features() -> String {
    format!("{PROD}/features")
}

/// A feature that uses every member.
fn full() -> Value {
    json!({
        "key": "checkout", "type": "STRING", "enabled": false, "locked": false, "defaultValue": "old",
        "description": "One page", "tags": ["shop", "beta"], "properties": {"owner": "web", "Jira": "A-1 = B-2"}, "bucketing": "sha256", "bucketingId": null,
        "variants": [{"key": "blue", "value": "b", "attachment": {"colour": "#00f"}},
                     {"key": "red", "value": "r", "attachment": null}],
        "rules": [
            {"name": "first", "priority": 90, "enabled": false,
             "when": {"any": [{"not": {"attribute": "a.b", "operator": "in", "values": ["x", 1, true], "ignoreCase": true}},
                              {"attribute": "c", "operator": "exists", "strict": true}]},
             "rollout": {"percentage": 25.5, "by": "company", "salt": "s", "otherwise": "stop"},
             "outcome": {"value": "new"}},
            {"name": "second", "priority": 50, "enabled": true, "when": null, "rollout": null,
             "outcome": {"split": [{"variant": "blue", "weight": 33.33}, {"variant": "red", "weight": 66.67}]}},
        ],
    })
}

#[actix_web::test]
async fn a_feature_is_read_back_as_it_was_made() {
    let app = TestApp::new().await;
    noon(&app);
    let editor = app.editor();
    let reply = editor.post(&features(), full()).await.expect(201);
    assert_eq!(reply.header("location"), Some(feature_path("checkout").as_str()));
    assert_eq!(reply.header("etag"), Some("\"1\""));
    assert_eq!(follow(&editor, &reply).await, reply.body);
    let mut body = reply.body.clone();
    for rule in body["rules"].as_array_mut().expect("rules") {
        let id = rule.as_object_mut().expect("a rule").remove("id").expect("an id");
        assert!(uuid::Uuid::parse_str(id.as_str().expect("text")).is_ok());
    }
    for (member, value) in full().as_object().expect("an object") {
        assert_eq!(body[member], *value, "{member}");
    }
    for (member, value) in [
        ("version", json!(1)),
        ("createdAt", json!("2026-03-01T12:00:00.000Z")),
        ("updatedAt", json!("2026-03-01T12:00:00.000Z")),
        ("updatedBy", json!("eddie")),
    ] {
        assert_eq!(body[member], value, "{member}");
    }
}

#[actix_web::test]
async fn what_is_left_out_gets_its_default() {
    let app = TestApp::new().await;
    let made = app.editor().post(&features(), json!({"key": "a", "type": "JSON"})).await.expect(201).body;
    for (member, value) in [
        ("enabled", json!(true)),
        ("locked", json!(false)),
        ("defaultValue", json!(null)),
        ("description", json!("")),
        ("tags", json!([])),
        ("bucketing", json!("sha256")),
        ("bucketingId", json!(null)),
        ("variants", json!([])),
        ("rules", json!([])),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    app.feature(json!({
        "key": "b", "type": "BOOLEAN", "rules": [{"name": "r", "outcome": {"value": true}}]
    }))
    .await;
    let read = app.viewer().get(&feature_path("b")).await.expect(200).body;
    let rule = &read["rules"][0];
    assert_eq!((&rule["priority"], &rule["enabled"]), (&json!(50), &json!(true)));
    assert_eq!((&rule["when"], &rule["rollout"]), (&json!(null), &json!(null)));
}

#[actix_web::test]
async fn keys_of_other_schemes_get_what_they_hash() {
    let app = TestApp::new().await;
    let body = |key: &str, bucketing: &str| json!({"key": key, "type": "BOOLEAN", "bucketing": bucketing});
    let hub = app.feature(body("hub", "murmur3")).await;
    assert_eq!(hub["bucketingId"], hub["id"]);
    assert_eq!(app.feature(body("one", "crc32")).await["bucketingId"], "1");
    assert_eq!(app.feature(body("two", "crc32")).await["bucketingId"], "2");
    app.editor().delete(&feature_path("two")).await.expect(204);
    assert_eq!(
        app.feature(body("three", "crc32")).await["bucketingId"],
        "3",
        "numbers are never given again"
    );
    let mut taken = body("four", "crc32");
    taken["bucketingId"] = json!(3);
    app.editor().post(&features(), taken).await.refused(409, "number_taken");
}

#[actix_web::test]
async fn a_key_is_unique_in_its_environment() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    app.editor().post(&features(), plain("a")).await.refused(409, "key_taken");
    app.feature(plain("A")).await;
    app.editor().post("/api/v1/sites/shop/environments", json!({"name": "dev"})).await.expect(201);
    app.editor().post("/api/v1/sites/shop/environments/dev/features", plain("a")).await.expect(201);
}

#[actix_web::test]
async fn features_are_listed_by_key_page_by_page_and_filtered() {
    let app = TestApp::new().await;
    for (key, kind, enabled, tags, description) in [
        ("b/2", "STRING", true, json!(["x", "y"]), "The Blue one"),
        ("a", "BOOLEAN", true, json!([]), ""),
        ("c:3", "NUMBER", false, json!(["y"]), "100%"),
        ("B", "JSON", true, json!(["x"]), "under_score"),
    ] {
        app.feature(
            json!({"key": key, "type": kind, "enabled": enabled, "tags": tags, "description": description}),
        )
        .await;
    }
    let viewer = app.viewer();
    let all = ["B", "a", "b/2", "c:3"];
    for limit in [1, 2, 3, 4, 500] {
        assert_eq!(pages(&viewer, &features(), limit, "key").await, all, "limit {limit}");
    }
    for (filter, found) in [
        ("q=b", vec!["B", "b/2"]),
        ("q=BLUE", vec!["b/2"]),
        ("q=100%25", vec!["c:3"]),
        ("q=under_", vec!["B"]),
        ("q=r_s", vec!["B"]),
        ("q=e_o", vec![]),
        ("tag=x", vec!["B", "b/2"]),
        ("tag=z", vec![]),
        ("type=NUMBER", vec!["c:3"]),
        ("enabled=false", vec!["c:3"]),
        ("enabled=true&tag=y", vec!["b/2"]),
        ("q=&tag=&type=&enabled=", all.to_vec()),
    ] {
        let reply = viewer.get(&format!("{}?{filter}", features())).await.expect(200);
        assert_eq!(reply.items("key"), found, "{filter}");
    }
    assert_eq!(pages(&viewer, &format!("{}?tag=x", features()), 1, "key").await, ["B", "b/2"]);
    let whole = viewer.get(&features()).await.expect(200);
    assert_eq!(whole.body["items"][1], viewer.get(&feature_path("a")).await.expect(200).body);
}

#[actix_web::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let app = TestApp::new().await;
    noon(&app);
    let before = app.feature(full()).await;
    a_minute_later(&app);
    let path = feature_path("checkout");
    let admin = app.admin();
    for (at, (member, value)) in [
        ("enabled", json!(true)),
        ("defaultValue", json!("older")),
        ("description", json!("Two pages")),
        ("tags", json!([])),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = admin.patch(&path, json!({member: value})).await.expect(200);
        assert_eq!(reply.body[member], value);
        assert_eq!(reply.body["version"], at + 2);
        assert_eq!(reply.header("etag"), Some(format!("\"{}\"", at + 2).as_str()));
    }
    let after = admin.get(&path).await.expect(200).body;
    for member in ["id", "key", "type", "locked", "bucketing", "variants", "rules", "createdAt"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    assert_eq!(
        (&after["updatedAt"], &after["updatedBy"]),
        (&json!("2026-03-01T12:01:00.000Z"), &json!("ada"))
    );
    let none = admin.patch(&path, json!({"defaultValue": null})).await.expect(200).body;
    assert_eq!(none["defaultValue"], json!(null));
}

#[actix_web::test]
async fn what_was_read_can_be_sent_back_and_changes_nothing() {
    let app = TestApp::new().await;
    noon(&app);
    let before = app.feature(full()).await;
    a_minute_later(&app);
    let dump = app.dump();
    for method in ["PATCH", "PUT"] {
        let reply =
            app.editor().ask(method, &feature_path("checkout")).json(&before).send().await.expect(200);
        assert_eq!(reply.body, before, "{method}");
    }
    app.editor().patch(&feature_path("checkout"), json!({})).await.expect(200);
    assert_eq!(app.dump().differing(&dump), [""; 0]);
}

#[actix_web::test]
async fn a_put_resets_what_it_leaves_out() {
    let app = TestApp::new().await;
    let before = app.feature(full()).await;
    let put = json!({"key": "checkout", "type": "STRING", "defaultValue": "plain"});
    let after = app.editor().put(&feature_path("checkout"), put).await.expect(200).body;
    for (member, value) in [
        ("defaultValue", json!("plain")),
        ("enabled", json!(true)),
        ("description", json!("")),
        ("tags", json!([])),
        ("variants", json!([])),
        ("rules", json!([])),
        ("version", json!(2)),
        ("id", before["id"].clone()),
        ("createdAt", before["createdAt"].clone()),
    ] {
        assert_eq!(after[member], value, "{member}");
    }
    let put = json!({"key": "checkout", "type": "NUMBER", "defaultValue": 1.5});
    let after = app.editor().put(&feature_path("checkout"), put).await.expect(200).body;
    assert_eq!((&after["type"], &after["defaultValue"]), (&json!("NUMBER"), &json!(1.5)));
    app.editor().put(&feature_path("gone"), plain("gone")).await.refused(404, "not_found");
}

#[actix_web::test]
async fn a_put_of_another_type_takes_no_notice_of_old_values() {
    let app = TestApp::new().await;
    app.feature(full()).await;
    let put = json!({"type": "BOOLEAN", "rules": [{"name": "first", "outcome": {"value": true}}]});
    let after = app.editor().put(&feature_path("checkout"), put).await.expect(200).body;
    assert_eq!((&after["type"], &after["rules"][0]["outcome"]), (&json!("BOOLEAN"), &json!({"value": true})));
}

#[actix_web::test]
async fn a_new_type_must_fit_every_value() {
    let app = TestApp::new().await;
    app.feature(full()).await;
    let reply = app.editor().patch(&feature_path("checkout"), json!({"type": "NUMBER"})).await;
    reply.refused(422, "invalid");
    let mut fields = reply.fields();
    fields.sort_unstable();
    assert_eq!(fields, ["defaultValue", "rules[0].outcome.value", "variants[0].value", "variants[1].value"]);
    app.editor().patch(&feature_path("checkout"), json!({"type": "JSON"})).await.expect(200);
}

#[actix_web::test]
async fn if_match_refuses_a_lost_update() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    let path = feature_path("a");
    let patch = async |version: &str, body: Value| {
        app.editor().ask("PATCH", &path).header("if-match", version).json(&body).send().await
    };
    patch("\"1\"", json!({"enabled": false})).await.expect(200);
    let lost = patch("\"1\"", json!({"description": "mine"})).await;
    lost.refused(412, "version_conflict");
    assert_eq!(lost.body["error"]["details"], json!({"version": 2}));
    patch("\"2\"", json!({"description": "mine"})).await.expect(200);
    patch("*", json!({"description": "any"})).await.expect(200);
    let delete =
        async |version: &str| app.editor().ask("DELETE", &path).header("if-match", version).send().await;
    delete("\"3\"").await.refused(412, "version_conflict");
    delete("\"4\"").await.expect(204);
}

#[actix_web::test]
async fn a_known_version_is_answered_304() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    let ask = async |tag: &str| {
        app.viewer().ask("GET", &feature_path("a")).header("if-none-match", tag).send().await
    };
    let same = ask("\"1\"").await.expect(304);
    assert_eq!((same.text.as_str(), same.header("etag")), ("", Some("\"1\"")));
    ask("\"2\"").await.expect(200);
}

#[actix_web::test]
async fn a_version_is_never_used_again() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    app.editor().patch(&feature_path("a"), json!({"enabled": false})).await.expect(200);
    app.editor().delete(&feature_path("a")).await.expect(204);
    let again = app.feature(plain("a")).await;
    assert_eq!(again["version"], 4, "the deletion was version 3");
    app.editor().delete(&feature_path("a")).await.expect(204);
    assert_eq!(app.feature(plain("a")).await["version"], 6);
    assert_eq!(app.feature(plain("b")).await["version"], 1);
}

#[actix_web::test]
async fn rules_of_a_patch_replace_the_list_and_keep_ids_by_id_or_name() {
    let app = TestApp::new().await;
    let before = app
        .feature(
            json!({"key": "a", "type": "BOOLEAN", "rules": [rule("SE", 50), rule("NO", 50), rule("DK", 50)]}),
        )
        .await;
    let id = |at: usize| before["rules"][at]["id"].clone();
    let mut renamed = rule("Norway", 70);
    renamed["id"] = id(1);
    let body = json!({"rules": [rule("FI", 50), rule("SE", 50), renamed]});
    let after = app.editor().patch(&feature_path("a"), body).await.expect(200).body;
    let rules = after["rules"].as_array().expect("rules");
    let names: Vec<_> = rules.iter().map(|rule| rule["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["Norway", "FI", "SE"], "by priority, then as listed");
    assert_eq!((&rules[0]["id"], &rules[2]["id"]), (&id(1), &id(0)));
    assert!([id(0), id(1), id(2)].iter().all(|old| *old != rules[1]["id"]));
    let none = app.editor().patch(&feature_path("a"), json!({"rules": []})).await.expect(200).body;
    assert_eq!(none["rules"], json!([]));
}

#[actix_web::test]
async fn taking_away_a_variant_that_a_rule_gives_is_a_conflict() {
    let app = TestApp::new().await;
    app.feature(full()).await;
    let only_red = json!([{"key": "red", "value": "r"}]);
    let reply = app.editor().patch(&feature_path("checkout"), json!({"variants": only_red})).await;
    reply.refused(409, "in_use");
    assert_eq!(reply.body["error"]["details"], json!({"rules": ["second"]}));
    let body = json!({"variants": only_red, "rules": []});
    let after = app.editor().patch(&feature_path("checkout"), body).await.expect(200).body;
    assert_eq!(after["variants"].as_array().map(Vec::len), Some(1));
}

#[actix_web::test]
async fn keys_with_slashes_and_colons_work_on_every_route() {
    let app = TestApp::new().await;
    let editor = app.editor();
    for (key, encoded) in
        [("manage/plugins", "manage%2Fplugins"), ("a:b", "a%3Ab"), ("x:revert", "x%3arevert")]
    {
        let made = editor.post(&features(), plain(key)).await.expect(201);
        assert_eq!(follow(&editor, &made).await["key"], key);
        let path = feature_path(encoded);
        editor.patch(&path, json!({"description": "d"})).await.expect(200);
        let created = editor.post(&format!("{path}/rules"), rule("SE", 50)).await.expect(201);
        let location = created.header("location").expect("Location");
        let id = created.body["id"].as_str().expect("an id");
        assert_eq!(location.to_ascii_lowercase(), format!("{path}/rules/{id}").to_ascii_lowercase());
        assert_eq!(follow(&editor, &created).await, created.body);
        editor.post(&format!("{path}/rules:reorder"), json!({"ids": [id]})).await.expect(200);
        let variant = editor
            .post(&format!("{path}/variants"), json!({"key": "v/1:2", "value": true}))
            .await
            .expect(201);
        assert_eq!(follow(&editor, &variant).await["key"], "v/1:2");
        editor.delete(&format!("{path}/variants/v%2F1%3A2")).await.expect(204);
        editor.post(&format!("{path}:revert"), json!({"version": 1})).await.expect(200);
        let history = editor.get(&format!("{path}/history")).await.expect(200);
        assert_eq!(history.body["items"].as_array().map(Vec::len), Some(6));
        editor.delete(&path).await.expect(204);
        editor.get(&path).await.refused(404, "not_found");
    }
    editor.get(&format!("{PROD}/features/manage/plugins")).await.refused(404, "not_found");
}

#[actix_web::test]
async fn what_belongs_to_another_site_is_not_there() {
    let app = TestApp::new().await;
    let editor = app.editor();
    let made = app.feature(json!({"key": "a", "type": "BOOLEAN", "rules": [rule("SE", 50)]})).await;
    let rule_id = made["rules"][0]["id"].as_str().expect("an id");
    let prod = editor.get(PROD).await.expect(200).body["id"].as_str().expect("an id").to_owned();
    let token = editor
        .post(&format!("{PROD}/tokens"), json!({"description": "t", "kind": "client"}))
        .await
        .expect(201);
    let token = token.body["id"].as_str().expect("an id").to_owned();
    let segment =
        editor.post("/api/v1/sites/shop/segments", json!({"key": "s", "conditions": {"all": []}})).await;
    let segment = segment.expect(201).body["id"].as_str().expect("an id").to_owned();
    editor.post("/api/v1/sites", json!({"name": "Other"})).await.expect(201);
    let other = "/api/v1/sites/other";
    editor.post(&format!("{other}/environments/prod/features"), plain("b")).await.expect(201);
    let b = format!("{other}/environments/prod/features/b");
    let before = app.dump();
    for (method, path, body) in [
        ("GET", format!("{other}/environments/{prod}"), json!(null)),
        ("PATCH", format!("{other}/environments/{prod}"), json!({"description": "x"})),
        ("DELETE", format!("{other}/environments/{prod}"), json!(null)),
        ("GET", format!("{other}/environments/{prod}/features"), json!(null)),
        ("GET", format!("{other}/environments/prod/features/a"), json!(null)),
        ("PATCH", format!("{other}/environments/prod/features/a"), json!({"enabled": false})),
        ("DELETE", format!("{other}/environments/prod/features/a"), json!(null)),
        ("GET", format!("{b}/rules/{rule_id}"), json!(null)),
        ("PATCH", format!("{b}/rules/{rule_id}"), json!({"enabled": false})),
        ("DELETE", format!("{b}/rules/{rule_id}"), json!(null)),
        ("GET", format!("{other}/environments/prod/tokens/{token}"), json!(null)),
        ("PATCH", format!("{other}/environments/prod/tokens/{token}"), json!({"description": "x"})),
        ("POST", format!("{other}/environments/prod/tokens/{token}:rotate"), json!({})),
        ("DELETE", format!("{other}/environments/prod/tokens/{token}"), json!(null)),
        ("GET", format!("{other}/segments/{segment}"), json!(null)),
        ("PATCH", format!("{other}/segments/{segment}"), json!({"name": "x"})),
        ("DELETE", format!("{other}/segments/{segment}"), json!(null)),
    ] {
        let reply = editor.ask(method, &path).json(&body).send().await;
        assert_eq!((reply.status, reply.code()), (404, "not_found"), "{method} {path}: {}", reply.text);
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
}
