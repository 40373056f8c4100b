//! Look-ups: the ten rows of featuresd.md §3.9, and what the parameters do.

use serde_json::{Value, json};

use super::{at, problems, worked_example};
use crate::support::{PROD, TestApp, query};

async fn values(app: &TestApp, path: &str) -> Value {
    app.server_sdk().get(&at(path)).await.expect(200).body["features"].clone()
}

async fn explained(app: &TestApp, path: &str) -> Value {
    let separator = if path.contains('?') { '&' } else { '?' };
    app.server_sdk().get(&at(&format!("{path}{separator}explain=true"))).await.expect(200).body
}

fn order(answer: &Value) -> Vec<&str> {
    answer["order"].as_array().expect("an order").iter().map(|key| key.as_str().expect("a key")).collect()
}

#[actix_web::test]
async fn the_ten_worked_examples_come_out_as_written() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let fifty = json!({"banner": "Hej", "beta_ui": "yes", "seats": "50", "ratio": "0.25"});
    // Row 1.
    assert_eq!(values(&app, "/mia/features").await, fifty);
    let answer = explained(&app, "/mia/features").await;
    assert_eq!(order(&answer), ["override", "mia", "team-blue", "org-nordic", "pilots", "default"]);
    assert_eq!(answer["context_exists"], true);
    assert_eq!(answer["warnings"], json!([]));
    let features = &answer["features"];
    assert_eq!(
        features["banner"],
        json!({"value": "Hej", "type": "string", "source": "org-nordic",
            "path": ["mia", "team-blue", "org-nordic"],
            "shadowed": [{"context": "pilots", "value": "Pilot"}, {"context": "default", "value": "Welcome"}]})
    );
    assert_eq!(
        features["ratio"],
        json!({"value": "0.25", "type": "number", "source": "team-blue", "path": ["mia", "team-blue"],
            "shadowed": []})
    );
    assert_eq!(
        features["beta_ui"],
        json!({"value": "yes", "type": "flag", "source": "pilots", "path": ["mia", "pilots"],
            "shadowed": [{"context": "default", "value": "no"}]})
    );
    assert_eq!(features["seats"]["type"], "integer");
    // Row 2: an empty text is a value.
    let phone = explained(&app, "/mia-phone/features").await;
    let around = ["override", "mia-phone", "mia", "team-blue", "org-nordic", "pilots", "default"];
    assert_eq!(order(&phone), around);
    assert_eq!(phone["features"]["banner"]["value"], "");
    assert_eq!(phone["features"]["banner"]["path"], json!(["mia-phone"]));
    assert_eq!(phone["features"]["seats"]["path"], json!(["mia-phone", "mia", "team-blue", "org-nordic"]));
    // Row 3: override decides.
    let editor = app.editor();
    editor.patch(&at("/override"), json!({"features": {"beta_ui": "no"}})).await.expect(200);
    let answer = explained(&app, "/mia/features").await;
    assert_eq!(
        answer["features"]["beta_ui"],
        json!({"value": "no", "type": "flag", "source": "override", "path": ["override"],
            "shadowed": [{"context": "pilots", "value": "yes"}, {"context": "default", "value": "no"}]})
    );
    editor.patch(&at("/override"), json!({"features": {"beta_ui": null}})).await.expect(200);
    // Row 5: who is not stored.
    let nobody = app.server_sdk().get(&at("/nobody/features")).await.expect(200).body;
    assert_eq!(nobody["features"], json!({"banner": "Welcome", "beta_ui": "no", "seats": "3"}));
    assert_eq!(nobody["context_exists"], false);
    let answer = explained(&app, "/nobody/features").await;
    assert_eq!(order(&answer), ["override", "default"]);
    let none = json!({"value": null, "type": "number", "source": null, "path": [], "shadowed": []});
    assert_eq!(answer["features"]["ratio"], none);
    // Row 6: virtual prototypes.
    let pilot = explained(&app, "/nobody/features?prototypes=pilots").await;
    assert_eq!(order(&pilot), ["override", "pilots", "default"]);
    assert_eq!(pilot["features"]["banner"]["value"], "Pilot");
    assert_eq!(pilot["features"]["beta_ui"]["value"], "yes");
    assert_eq!(pilot["features"]["seats"]["value"], "3");
    assert_eq!(pilot["features"]["banner"]["path"], json!(["nobody", "pilots"]));
    // Row 7: a cycle is refused with its path.
    let cycle = editor.patch(&at("/org-nordic"), json!({"prototypes": ["mia"]})).await;
    cycle.refused(422, "prototype_cycle");
    let path = json!(["org-nordic", "mia", "team-blue", "org-nordic"]);
    assert_eq!(cycle.body["error"]["details"]["path"], path);
    // Rows 8 and 9.
    for special in ["default", "override"] {
        let answer = explained(&app, &format!("/{special}/features")).await;
        assert_eq!(order(&answer), ["override", "default"], "{special}");
        assert_eq!(answer["context_exists"], true);
        assert_eq!(answer["features"]["banner"]["value"], "Welcome");
    }
    // Row 4: another order of the prototypes.
    editor.patch(&at("/mia"), json!({"prototypes": ["pilots", "team-blue"]})).await.expect(200);
    let answer = explained(&app, "/mia/features").await;
    assert_eq!(order(&answer), ["override", "mia", "pilots", "team-blue", "org-nordic", "default"]);
    assert_eq!(answer["features"]["banner"]["value"], "Pilot");
    assert_eq!(answer["features"]["seats"]["value"], "50");
    // Row 10: a diamond.
    for (key, prototypes, features) in [
        ("D", json!([]), json!({"banner": "d"})),
        ("C", json!(["D"]), json!({"banner": "c"})),
        ("B", json!(["D"]), json!({})),
        ("A", json!(["B", "C"]), json!({})),
    ] {
        let body = json!({"key": key, "prototypes": prototypes, "features": features});
        editor.post(&at(""), body).await.expect(201);
    }
    let answer = explained(&app, "/A/features").await;
    assert_eq!(order(&answer), ["override", "A", "B", "D", "C", "default"]);
    assert_eq!(answer["features"]["banner"]["source"], "D");
    assert_eq!(answer["features"]["banner"]["path"], json!(["A", "B", "D"]));
}

#[actix_web::test]
async fn one_feature_keys_and_native_values() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let sdk = app.sdk();
    let one = sdk.get(&at("/mia/features/seats")).await.expect(200);
    assert_eq!(one.body["value"], "50");
    assert_eq!((one.body["feature"].as_str(), one.body["key"].as_str()), (Some("seats"), Some("mia")));
    let typed = sdk.get(&at("/mia/features?typed=true&keys=seats,ratio,beta_ui")).await.expect(200);
    assert_eq!(typed.body["features"], json!({"seats": 50, "ratio": 0.25, "beta_ui": true}));
    let none = sdk.get(&at("/nobody/features/ratio")).await.expect(200);
    assert!(none.body["value"].is_null() && none.body.get("value").is_some(), "{}", none.text);
    sdk.get(&at("/mia/features/gone")).await.refused(404, "feature_not_found");
    sdk.get(&at("/mia/features?keys=seats,gone")).await.refused(404, "feature_not_found");
    sdk.get(&at("/nobody/features?strict=true")).await.refused(404, "context_not_found");
    sdk.get(&at("/mia/features?strict=true")).await.expect(200);
    sdk.get(&at("/mia/features?colour=red")).await.refused(400, "unknown_parameter");
    sdk.get(&at("/mia/features?typed=maybe")).await.refused(422, "invalid");
    let reserved = sdk.get(&at("/mia/features?prototypes=default")).await;
    reserved.refused(422, "reserved_context");
    sdk.get(&at(&format!("/{}/features", "k".repeat(201)))).await.refused(422, "invalid_key");
    // Keys that could not be stored may be looked up: an application has users of every kind.
    let odd = sdk.get(&at("/%C3%A5sa%20b%2Fc/features")).await.expect(200);
    assert_eq!(
        (odd.body["key"].as_str(), odd.body["context_exists"].as_bool()),
        (Some("åsa b/c"), Some(false))
    );
}

#[actix_web::test]
async fn an_answer_is_not_sent_twice() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let path = at("/mia/features?explain=true");
    let sdk = app.server_sdk();
    let first = sdk.get(&path).await.expect(200);
    let etag = first.header("etag").expect("an entity tag").to_owned();
    assert!(etag.starts_with(&format!("\"{}-", first.body["revision"])), "{etag}");
    let again = sdk.ask("GET", &path).header("if-none-match", &etag).send().await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    let other = sdk.ask("GET", &at("/mia/features")).header("if-none-match", &etag).send().await;
    assert_eq!(other.status, 200, "another request is another answer");
    app.editor().patch(&at("/pilots"), json!({"features": {"banner": "New"}})).await.expect(200);
    let changed = sdk.ask("GET", &path).header("if-none-match", &etag).send().await.expect(200);
    assert_eq!(changed.body["features"]["banner"]["shadowed"][0]["value"], "New", "read your own write");
}

#[actix_web::test]
async fn many_subjects_at_once_and_virtual_ones() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let body = json!({"subjects": [
        {"key": "mia"},
        {"key": "x9", "prototypes": ["pilots"], "features": {"seats": "7", "beta_ui": false}},
        {"key": "mia", "prototypes": ["pilots", "gone"], "features": {"banner": "mine", "seats": 9}},
    ], "keys": ["banner", "seats", "beta_ui"]});
    let reply = app.sdk().post(&at(":lookup"), body.clone()).await.expect(200);
    let results = reply.body["results"].as_array().expect("results");
    assert_eq!(results[0]["features"], json!({"banner": "Hej", "seats": "50", "beta_ui": "yes"}));
    assert_eq!(results[1]["features"], json!({"banner": "Pilot", "seats": "7", "beta_ui": "no"}));
    assert_eq!(results[1]["context_exists"], false);
    assert_eq!(results[2]["features"], json!({"banner": "mine", "seats": "9", "beta_ui": "yes"}));
    // Explained, the subject stands in the order once it says something.
    let mut explain = body;
    explain["explain"] = true.into();
    app.sdk().post(&at(":lookup"), explain.clone()).await.refused(403, "forbidden");
    let reply = app.server_sdk().post(&at(":lookup"), explain).await.expect(200);
    let results = reply.body["results"].as_array().expect("results");
    assert_eq!(order(&results[1]), ["override", "x9", "pilots", "default"]);
    assert_eq!(results[1]["features"]["seats"]["source"], "x9");
    assert_eq!(order(&results[2]), ["override", "mia", "team-blue", "org-nordic", "pilots", "default"]);
    assert_eq!(results[2]["warnings"], json!(["the prototype gone does not exist"]));
    // What is wrong with one is told with its index, and nothing is answered.
    for (subject, code) in [
        (json!({"key": "a", "features": {"gone": 1}}), "unknown_feature"),
        (json!({"key": "a", "features": {"seats": "1.5"}}), "invalid_value"),
        (json!({"key": "", "features": {}}), "invalid_key"),
        (json!({"key": "a", "prototypes": ["override"]}), "reserved_context"),
        (json!({"key": "default", "features": {"seats": 1}}), "reserved_context"),
    ] {
        let body = json!({"subjects": [{"key": "mia"}, subject]});
        let reply = app.sdk().post(&at(":lookup"), body).await;
        reply.refused(422, code);
        assert_eq!(reply.body["error"]["details"]["index"], 1, "{}", reply.text);
    }
    let strict = json!({"subjects": [{"key": "mia"}, {"key": "nobody"}], "strict": true});
    app.sdk().post(&at(":lookup"), strict).await.refused(422, "context_not_found");
    let unknown = app.sdk().post(&at(":lookup"), json!({"subjects": [], "keys": ["gone"]})).await;
    assert_eq!(problems(&unknown), [("unknown_feature".into(), "keys[0]".into())]);
    let many: Vec<_> = (0..101).map(|n| json!({"key": format!("u{n}")})).collect();
    app.sdk().post(&at(":lookup"), json!({"subjects": many})).await.refused(422, "invalid");
    app.sdk().post(&at(":lookup"), json!({"subjects": many[..100]})).await.expect(200);
}

#[actix_web::test]
async fn with_rules_the_order_is_that_of_evaluation() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let rule = json!({"name": "All", "outcome": {"value": "ruled"}});
    let made = app.editor().post(&format!("{PROD}/features/banner/rules"), rule).await.expect(201).body;
    app.editor().patch(&format!("{PROD}/features/beta_ui"), json!({"enabled": false})).await.expect(200);
    assert_eq!(
        values(&app, "/nobody/features").await["banner"],
        "Welcome",
        "the documented order knows no rules"
    );
    assert_eq!(values(&app, "/mia/features").await["beta_ui"], "yes", "nor switches");
    let nobody = explained(&app, "/nobody/features?rules=true").await;
    let banner = &nobody["features"]["banner"];
    assert_eq!((&banner["value"], &banner["path"]), (&json!("ruled"), &json!([])));
    assert_eq!(banner["source"], json!(format!("rule:{}", made["id"].as_str().expect("an id"))));
    assert_eq!(banner["shadowed"], json!([{"context": "default", "value": "Welcome"}]));
    let mia = explained(&app, "/mia/features?rules=true").await;
    assert_eq!(mia["features"]["banner"]["source"], "org-nordic", "Contexts come before rules");
    assert_eq!(
        (&mia["features"]["beta_ui"]["value"], &mia["features"]["beta_ui"]["source"]),
        (&json!("no"), &Value::Null)
    );
    // The same as evaluation says.
    for user in ["mia", "nobody", "mia-phone"] {
        let body = json!({"context": {"userId": user}});
        let evaluated = app.sdk().post("/api/v1/evaluate", body).await.expect(200).body;
        let looked =
            app.sdk().get(&at(&format!("/{user}/features?rules=true&typed=true"))).await.expect(200).body;
        for (key, feature) in evaluated["features"].as_object().expect("features") {
            assert_eq!(
                looked["features"].get(key).unwrap_or(&Value::Null),
                &feature["value"],
                "{user} {key}"
            );
        }
    }
}

#[actix_web::test]
async fn an_environment_in_maintenance_is_edited_and_an_archived_one_rests() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let (sdk, editor) = (app.server_sdk(), app.editor());
    editor.patch(PROD, json!({"status": "maintenance"})).await.expect(200);
    for who in [&sdk, &editor] {
        let reply = who.get(&at("/mia/features")).await;
        reply.refused(503, "environment_maintenance");
        assert!(reply.header("retry-after").is_some());
        let body = json!({"subjects": [{"key": "mia"}]});
        who.post(&at(":lookup"), body).await.refused(503, "environment_maintenance");
    }
    editor.patch(&at("/mia"), json!({"description": "x"})).await.expect(200);
    editor.patch(PROD, json!({"status": "archived"})).await.expect(200);
    for who in [&sdk, &editor] {
        who.get(&at("/mia/features")).await.refused(410, "environment_archived");
        who.get(&at("/mia/features/banner")).await.refused(410, "environment_archived");
    }
    for (method, path, body) in [
        ("PATCH", at("/mia"), json!({"description": "y"})),
        ("POST", at(""), json!({"key": "new"})),
        ("PUT", at("/new"), json!({"prototypes": [], "features": {}})),
        ("DELETE", at("/mia-phone"), json!(null)),
        ("PUT", at("/mia/features/banner"), json!({"value": "x"})),
        ("DELETE", at("/mia/features/banner"), json!(null)),
        ("POST", at(":import"), json!({"version": 1})),
    ] {
        let ask = editor.ask(method, &path);
        let reply = if body.is_null() { ask.send().await } else { ask.json(&body).send().await };
        reply.refused(409, "environment_archived");
    }
    editor.get(&at("/mia")).await.expect(200);
}

#[actix_web::test]
async fn walks_over_everything_count_as_ten_requests() {
    let app = TestApp::with(|config| config.rate_limit = 12).await;
    worked_example(&app).await;
    app.set_time("2026-03-01T12:00:00Z");
    let sdk = app.server_sdk();
    let path = query(&at(""), &[("matches", "beta_ui")]);
    assert_eq!(sdk.get(&path).await.expect(200).items("key"), ["mia", "mia-phone", "pilots"]);
    sdk.get(&at("?limit=1")).await.expect(200);
    sdk.get(&path).await.refused(429, "rate_limited");
}
