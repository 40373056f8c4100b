//! `POST /evaluate:explain`: the test console's answer.

use serde_json::{Value, json};

use super::{EVALUATE, bucket, targeted, user_in};
use crate::support::{PROD, TestApp};

const EXPLAIN: &str = "/api/v1/evaluate:explain";

/// What a person sees for a feature of shop/prod.
async fn explain(app: &TestApp, feature: &str, context: Value) -> Value {
    let body = json!({"siteId": "shop", "environmentId": "prod", "feature": feature, "context": context});
    app.viewer().post(EXPLAIN, body).await.expect(200).body
}

#[actix_web::test]
async fn a_match_is_told_with_rule_and_rollout() {
    let app = TestApp::new().await;
    let inside = user_in("a", 0..2550);
    let made = app
        .feature(json!({
            "key": "a", "type": "BOOLEAN", "defaultValue": false,
            "rules": [
                {"name": "Nordic beta", "priority": 50,
                 "when": {"all": [{"attribute": "country", "operator": "in", "values": ["SE", "NO"]}]},
                 "rollout": {"percentage": 25.5}, "outcome": {"value": true}},
                {"name": "Later", "priority": 10, "outcome": {"value": true}},
            ],
        }))
        .await;
    let rule = &made["rules"][0]["id"];
    let mut seen = explain(&app, "a", json!({"country": "SE", "userId": inside})).await;
    let id = seen["decisionId"].take();
    assert_eq!(uuid::Uuid::parse_str(id.as_str().expect("an id")).expect("a UUID").get_version_num(), 7);
    let rollout = json!({"by": "userId", "key": inside, "bucket": bucket(&inside, "a"), "percentage": 25.5,
                         "included": true});
    assert_eq!(
        seen,
        json!({
            "feature": "a", "value": true, "type": "BOOLEAN", "enabled": true, "reason": "SPLIT",
            "decisionId": null, "cache": "MISS", "matchedRule": {"id": rule, "name": "Nordic beta", "priority": 50},
            "variant": null, "rollout": rollout, "context": null, "version": 1,
            "rules": [
                {"id": rule, "name": "Nordic beta", "priority": 50, "matched": true,
                 "why": {"all": [{"attribute": "country", "operator": "in", "values": ["SE", "NO"],
                                  "actual": "SE", "result": true}], "result": true},
                 "rollout": rollout},
                {"id": made["rules"][1]["id"], "name": "Later", "priority": 10, "matched": false, "why": null,
                 "rollout": null, "skipped": "something before it decided"},
            ],
        })
    );
}

#[actix_web::test]
async fn why_nothing_matched_is_told_leaf_by_leaf() {
    let app = TestApp::new().await;
    let segment = json!({"key": "staff", "conditions": {"attribute": "email", "operator": "ends_with", "value": "@shop.example"}});
    app.editor().post("/api/v1/sites/shop/segments", segment).await.expect(201);
    let outside = user_in("a", 1000..10_000);
    app.feature(json!({
        "key": "a", "type": "STRING", "defaultValue": "old",
        "rules": [
            {"name": "off", "priority": 90, "enabled": false, "outcome": {"value": "x"}},
            {"name": "groups", "priority": 80, "outcome": {"value": "x"}, "when": {"any": [
                {"not": {"attribute": "plan", "operator": "exists"}},
                {"segment": "staff"},
                {"attribute": "age", "operator": "greater_than", "value": 30},
            ]}},
            {"name": "ten", "priority": 70, "rollout": {"percentage": 10}, "outcome": {"value": "x"}},
            {"name": "by company", "priority": 60, "rollout": {"percentage": 10, "by": "company"}, "outcome": {"value": "x"}},
        ],
    }))
    .await;
    let seen =
        explain(&app, "a", json!({"userId": outside, "plan": "free", "age": "30", "email": "a@b.example"}))
            .await;
    assert_eq!((&seen["value"], &seen["reason"]), (&json!("old"), &json!("DEFAULT")));
    assert_eq!(seen["matchedRule"], json!(null));
    let rules = seen["rules"].as_array().expect("rules");
    assert_eq!(rules[0]["skipped"], "the rule is disabled");
    assert_eq!(
        rules[1]["why"],
        json!({"result": false, "any": [
            {"not": {"attribute": "plan", "operator": "exists", "actual": "free", "result": true}, "result": false},
            {"segment": "staff", "result": false,
             "why": {"attribute": "email", "operator": "ends_with", "value": "@shop.example",
                     "actual": "a@b.example", "result": false}},
            {"attribute": "age", "operator": "greater_than", "value": 30, "actual": "30", "result": false},
        ]})
    );
    assert_eq!(
        rules[2]["rollout"],
        json!({"by": "userId", "key": outside, "bucket": bucket(&outside, "a"), "percentage": 10, "included": false})
    );
    let by_company = &rules[3]["rollout"];
    assert_eq!((&by_company["by"], &by_company["key"]), (&json!("company"), &json!(null)));
    assert_eq!((&by_company["bucket"], &by_company["included"]), (&json!(null), &json!(false)));
    assert!(by_company["note"].is_string(), "why it is not applicable");
    assert_eq!(&seen["rollout"], by_company, "the last one that left the user out");
}

#[actix_web::test]
async fn variants_contexts_and_disabled_features_are_told() {
    let app = TestApp::new().await;
    app.feature(json!({
        "key": "split", "type": "STRING",
        "variants": [{"key": "a", "value": "A"}],
        "rules": [{"name": "all", "outcome": {"split": [{"variant": "a", "weight": 100}]}}],
    }))
    .await;
    app.feature(json!({"key": "off", "type": "BOOLEAN", "enabled": false})).await;
    app.contexts(
        json!([{"key": "team", "features": {"split": "theirs"}}, {"key": "ana", "prototypes": ["team"]}]),
    );
    let split = explain(&app, "split", json!({})).await;
    assert_eq!((&split["value"], &split["variant"]), (&json!("A"), &json!("a")));
    let stored = explain(&app, "split", json!({"userId": "ana"})).await;
    assert_eq!((&stored["reason"], &stored["context"]), (&json!("CONTEXT"), &json!("team")));
    assert_eq!(stored["rules"][0]["skipped"], "something before it decided");
    let off = explain(&app, "off", json!({})).await;
    assert_eq!(
        (&off["value"], &off["reason"], &off["enabled"]),
        (&json!(false), &json!("DISABLED"), &json!(false))
    );
}

#[actix_web::test]
async fn it_never_disagrees_with_evaluate() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    app.feature(json!({
        "key": "b", "type": "NUMBER", "defaultValue": 0,
        "rules": [{"name": "half", "rollout": {"percentage": 50}, "outcome": {"value": 1}}],
    }))
    .await;
    for user in 0..20 {
        let context =
            json!({"userId": format!("u{user}"), "country": if user % 2 == 0 { "SE" } else { "NO" }});
        let answer = app.sdk().post(EVALUATE, json!({"context": context})).await.expect(200).body;
        for key in ["a", "b"] {
            let seen = explain(&app, key, context.clone()).await;
            for member in ["value", "type", "enabled", "reason", "variant", "version"] {
                assert_eq!(seen[member], answer["features"][key][member], "{key}.{member} for {context}");
            }
            assert_eq!(
                seen["matchedRule"].get("id").unwrap_or(&json!(null)),
                &answer["features"][key]["ruleId"]
            );
        }
    }
}

#[actix_web::test]
async fn without_a_feature_every_one_is_explained() {
    let app = TestApp::new().await;
    app.feature(targeted("b", "SE")).await;
    app.feature(targeted("a", "SE")).await;
    let body = json!({"siteId": "shop", "environmentId": "prod"});
    let reply = app.viewer().post(EXPLAIN, body).await.expect(200);
    let keys: Vec<_> =
        reply.body["results"].as_array().expect("results").iter().map(|one| &one["feature"]).collect();
    assert_eq!(keys, ["a", "b"]);
}

#[actix_web::test]
async fn it_says_whether_the_cache_would_have_answered() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    let context = json!({"country": "SE"});
    assert_eq!(explain(&app, "a", context.clone()).await["cache"], "MISS");
    app.sdk().post(EVALUATE, json!({"context": context})).await.expect(200);
    assert_eq!(explain(&app, "a", context.clone()).await["cache"], "HIT");
    app.editor().patch(&format!("{PROD}/features/a"), json!({"enabled": false})).await.expect(200);
    assert_eq!(explain(&app, "a", context).await["cache"], "MISS");
}

#[actix_web::test]
async fn people_and_server_tokens_may_ask() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    let named = json!({"siteId": "shop", "environmentId": "prod", "feature": "a"});
    for actor in [app.viewer(), app.editor(), app.admin(), app.server_sdk()] {
        actor.post(EXPLAIN, named.clone()).await.expect(200);
    }
    app.sdk().post(EXPLAIN, named).await.refused(403, "forbidden");
    app.server_sdk().post(EXPLAIN, json!({"feature": "a"})).await.expect(200);
    app.server_sdk().post(EXPLAIN, json!({"environmentId": "dev"})).await.refused(403, "forbidden");
    let nameless = app.viewer().post(EXPLAIN, json!({})).await;
    nameless.refused(422, "invalid");
    assert_eq!(nameless.fields(), ["siteId", "environmentId"], "both at once");
    let gone = json!({"siteId": "shop", "environmentId": "prod", "feature": "gone"});
    let reply = app.viewer().post(EXPLAIN, gone).await;
    reply.refused(404, "not_found");
    assert!(reply.message().contains("gone"));
    let nowhere = json!({"siteId": "shop", "environmentId": "dev"});
    app.viewer().post(EXPLAIN, nowhere).await.refused(404, "not_found");
}
