//! `POST /evaluate`: values, reasons, and who may ask.

use std::time::Duration;

use serde_json::json;

use super::{EVALUATE, targeted, user_in};
use crate::support::{PROD, TestApp};

#[actix_web::test]
async fn every_reason_is_told_with_value_rule_and_variant() {
    let app = TestApp::new().await;
    let inside = user_in("rolled", 0..2500);
    let outside = user_in("rolled", 2500..10_000);
    app.feature(json!({"key": "plain", "type": "NUMBER", "defaultValue": 17})).await;
    app.feature(json!({"key": "none", "type": "JSON"})).await;
    app.feature(json!({"key": "off", "type": "BOOLEAN", "defaultValue": true, "enabled": false})).await;
    app.feature(json!({"key": "off_text", "type": "STRING", "defaultValue": "x", "enabled": false})).await;
    let targeted = app.feature(targeted("targeted", "SE")).await;
    let rolled = app
        .feature(json!({
            "key": "rolled", "type": "STRING", "defaultValue": "old",
            "rules": [{"name": "quarter", "rollout": {"percentage": 25}, "outcome": {"value": "new"}}],
        }))
        .await;
    let split = app
        .feature(json!({
            "key": "split", "type": "STRING", "defaultValue": "none",
            "variants": [{"key": "a", "value": "A"}, {"key": "b", "value": "B"}],
            "rules": [{"name": "test", "outcome": {"split": [{"variant": "a", "weight": 0}, {"variant": "b", "weight": 100}]}}],
        }))
        .await;
    app.feature(json!({
        "key": "one_arm", "type": "STRING", "defaultValue": "none",
        "variants": [{"key": "all", "value": "everybody"}],
        "rules": [{"name": "all", "outcome": {"split": [{"variant": "all", "weight": 100}]}}],
    }))
    .await;

    let sdk = app.sdk();
    let swede = sdk.post(EVALUATE, json!({"context": {"userId": inside, "country": "SE"}})).await.expect(200);
    let features = &swede.body["features"];
    let rule = |feature: &serde_json::Value| feature["rules"][0]["id"].clone();
    assert_eq!(
        features["targeted"],
        json!({"value": true, "type": "BOOLEAN", "enabled": true, "reason": "TARGETING_MATCH",
               "ruleId": rule(&targeted), "variant": null, "version": 1})
    );
    assert_eq!(
        features["rolled"],
        json!({"value": "new", "type": "STRING", "enabled": true, "reason": "SPLIT",
               "ruleId": rule(&rolled), "variant": null, "version": 1})
    );
    assert_eq!(
        features["split"],
        json!({"value": "B", "type": "STRING", "enabled": true, "reason": "SPLIT",
               "ruleId": rule(&split), "variant": "b", "version": 1})
    );
    assert_eq!(
        features["plain"],
        json!({"value": 17, "type": "NUMBER", "enabled": true, "reason": "STATIC",
               "ruleId": null, "variant": null, "version": 1})
    );
    assert_eq!(features["none"]["value"], json!(null));
    assert_eq!(features["none"]["reason"], "STATIC");
    assert_eq!(
        features["off"],
        json!({"value": false, "type": "BOOLEAN", "enabled": false, "reason": "DISABLED",
               "ruleId": null, "variant": null, "version": 1})
    );
    assert_eq!(
        (&features["off_text"]["value"], &features["off_text"]["reason"]),
        (&json!(null), &json!("DISABLED"))
    );
    assert_eq!(
        (&features["one_arm"]["reason"], &features["one_arm"]["variant"]),
        (&json!("TARGETING_MATCH"), &json!("all"))
    );

    let dane = sdk.post(EVALUATE, json!({"context": {"userId": outside, "country": "DK"}})).await.expect(200);
    for (key, value) in [("targeted", json!(false)), ("rolled", json!("old"))] {
        assert_eq!(
            (&dane.body["features"][key]["value"], &dane.body["features"][key]["reason"]),
            (&value, &json!("DEFAULT")),
            "{key}"
        );
    }
    let nobody = sdk.post(EVALUATE, json!({})).await.expect(200);
    assert_eq!(
        nobody.body["features"]["rolled"]["reason"], "DEFAULT",
        "without a key a rollout takes nobody in"
    );
    assert_eq!(nobody.body["features"]["split"]["reason"], "DEFAULT");
    assert_eq!(nobody.body["features"]["one_arm"]["value"], "everybody", "one arm needs no key");
}

#[actix_web::test]
async fn an_answer_names_its_environment_revision_time_and_decision() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T12:00:00.250Z");
    app.feature(targeted("a", "SE")).await;
    let revision = app.revision("prod");
    let (one, two) = (app.sdk().post(EVALUATE, json!({})).await, app.sdk().post(EVALUATE, json!({})).await);
    for reply in [&one, &two] {
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.body["site"], "shop");
        assert_eq!(reply.body["environment"], "prod");
        assert_eq!(reply.body["revision"], revision);
        assert_eq!(reply.body["evaluatedAt"], "2026-03-01T12:00:00.250Z");
        assert_eq!(reply.body["missing"], json!([]));
        let id = reply.body["decisionId"].as_str().expect("an id");
        assert_eq!(uuid::Uuid::parse_str(id).expect("a UUID").get_version_num(), 7);
    }
    assert_ne!(one.body["decisionId"], two.body["decisionId"], "also when the second came from the cache");
}

#[actix_web::test]
async fn values_are_given_as_they_were_written() {
    let app = TestApp::new().await;
    let editor = app.editor();
    for (key, kind, value) in [
        ("decimals", "NUMBER", "1.50"),
        ("exponent", "NUMBER", "1e3"),
        ("large", "NUMBER", "12345678901234567890"),
        ("json", "JSON", r#"{"b":[1.0,{"a":"\u00e4"}],"a":null}"#),
        ("text", "STRING", r#""quo\"te ä 😀""#),
    ] {
        let body = format!(r#"{{"key": "{key}", "type": "{kind}", "defaultValue": {value}}}"#);
        editor
            .ask("POST", &format!("{PROD}/features"))
            .body("application/json", body)
            .send()
            .await
            .expect(201);
        let answers = [
            app.sdk().post(EVALUATE, json!({"features": [key]})).await,
            app.sdk().get(&format!("{PROD}/features/{key}")).await,
            editor.get(&format!("{PROD}/features/{key}")).await,
        ];
        for reply in answers {
            let written = format!(r#"alue":{value}"#);
            assert!(reply.text.contains(&written), "{key}: {}", reply.text);
        }
    }
}

#[actix_web::test]
async fn features_limits_the_keys_and_unknown_ones_are_missing() {
    let app = TestApp::new().await;
    for key in ["a", "b", "c"] {
        app.feature(targeted(key, "SE")).await;
    }
    let body = json!({"features": ["c", "gone", "a", "c", "far"]});
    let reply = app.sdk().post(EVALUATE, body).await.expect(200);
    let keys: Vec<_> = reply.body["features"].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["a", "c"]);
    assert_eq!(reply.body["missing"], json!(["gone", "far"]));
    let none = app.sdk().post(EVALUATE, json!({"features": []})).await.expect(200);
    assert_eq!((&none.body["features"], &none.body["missing"]), (&json!({}), &json!([])));
}

#[actix_web::test]
async fn the_environment_may_be_named_by_id_or_name_or_left_to_the_token() {
    let app = TestApp::new().await;
    let site = app.viewer().get("/api/v1/sites/shop").await.expect(200).body["id"].clone();
    let environment = app.viewer().get(PROD).await.expect(200).body["id"].clone();
    for body in [
        json!({}),
        json!({"siteId": null, "environmentId": null, "context": null, "features": null}),
        json!({"siteId": "shop"}),
        json!({"environmentId": "prod"}),
        json!({"siteId": "shop", "environmentId": "prod"}),
        json!({"siteId": site, "environmentId": "prod"}),
        json!({"siteId": "shop", "environmentId": environment}),
        json!({"siteId": site, "environmentId": environment}),
    ] {
        let reply = app.sdk().post(EVALUATE, body.clone()).await;
        assert_eq!(reply.status, 200, "{body}: {}", reply.text);
    }
}

#[actix_web::test]
async fn a_token_used_for_another_environment_is_403() {
    let app = TestApp::new().await;
    let editor = app.editor();
    editor.post("/api/v1/sites", json!({"name": "Other"})).await.expect(201);
    editor.post("/api/v1/sites/shop/environments", json!({"name": "dev"})).await.expect(201);
    let other = editor.get("/api/v1/sites/other").await.body["id"].clone();
    for body in [
        json!({"siteId": "other"}),
        json!({"siteId": other}),
        json!({"siteId": "nowhere"}),
        json!({"environmentId": "dev"}),
        json!({"siteId": "shop", "environmentId": "nowhere"}),
        json!({"siteId": "other", "environmentId": "prod"}),
    ] {
        let reply = app.sdk().post(EVALUATE, body.clone()).await;
        assert_eq!((reply.status, reply.code()), (403, "forbidden"), "{body}");
    }
    for path in [
        "/api/v1/sites/other/environments/prod/features",
        "/api/v1/sites/shop/environments/dev/features",
        "/api/v1/sites/shop/environments/dev/features/a",
        "/api/v1/sites/shop/environments/nowhere/stream",
    ] {
        app.sdk().get(path).await.refused(403, "forbidden");
    }
    app.server_sdk().get("/api/v1/sites/shop/environments/dev/ruleset").await.refused(403, "forbidden");
}

#[actix_web::test]
async fn without_a_known_credential_nobody_evaluates() {
    let app = TestApp::new().await;
    let almost = format!("{}x", app.sdk_secret());
    for actor in [
        app.anonymous(),
        app.bearer(""),
        app.bearer("alm_env_shop_prod_unknown"),
        app.bearer("something else"),
        app.bearer("alm_pat_unknown"),
        app.bearer(&almost),
    ] {
        let reply = actor.post(EVALUATE, json!({})).await;
        reply.refused(401, "unauthenticated");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        actor.get(&format!("{PROD}/features")).await.refused(401, "unauthenticated");
        actor.get(&format!("{PROD}/ruleset")).await.refused(401, "unauthenticated");
        actor.get(&format!("{PROD}/stream")).await.refused(401, "unauthenticated");
        actor.post("/api/v1/evaluate:explain", json!({})).await.refused(401, "unauthenticated");
    }
    let secret = app.sdk_secret();
    let basic = app.anonymous().ask("POST", EVALUATE).header("authorization", &format!("Basic {secret}"));
    basic.json(&json!({})).send().await.refused(401, "unauthenticated");
    let lower = app.anonymous().ask("POST", EVALUATE).header("authorization", &format!("bearer {secret}"));
    lower.json(&json!({})).send().await.expect(200);
}

#[actix_web::test]
async fn a_personal_token_does_not_evaluate() {
    let app = TestApp::new().await;
    app.admin().post(EVALUATE, json!({})).await.refused(403, "forbidden");
    app.admin().get(&format!("{PROD}/ruleset")).await.refused(403, "forbidden");
    app.admin().get(&format!("{PROD}/stream")).await.refused(403, "forbidden");
}

#[actix_web::test]
async fn a_token_works_until_the_moment_it_expires() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T12:00:00Z");
    let token = app.token(json!({
        "description": "short", "kind": "client", "expiresAt": "2026-03-01T13:00:00Z"
    }));
    let sdk = app.bearer(&token);
    app.set_time("2026-03-01T12:59:59.999Z");
    sdk.post(EVALUATE, json!({})).await.expect(200);
    app.set_time("2026-03-01T13:00:00Z");
    sdk.post(EVALUATE, json!({})).await.refused(401, "unauthenticated");
    app.pass(Duration::from_secs(3600));
    sdk.get(&format!("{PROD}/features")).await.refused(401, "unauthenticated");
}

#[actix_web::test]
async fn nested_contexts_and_odd_attributes_evaluate() {
    let app = TestApp::new().await;
    app.feature(json!({
        "key": "team", "type": "BOOLEAN", "defaultValue": false,
        "rules": [{"name": "blue", "when": {"attribute": "user.team", "operator": "in", "values": ["blue"]},
                   "outcome": {"value": true}}],
    }))
    .await;
    for (context, expected) in [
        (json!({"user": {"team": "blue"}}), true),
        (json!({"user.team": "blue", "user": {"team": "red"}}), true),
        (json!({"user": {"team": ["red", "blue"]}}), true),
        (json!({"user": {"team": {"blue": true}}}), false),
        (json!({"user": "blue"}), false),
        (json!({"user": null, "": [], "ключ": {"a": [[1.5e300]]}}), false),
    ] {
        assert_eq!(super::value_of(&app, "team", context.clone()).await, json!(expected), "{context}");
    }
}
