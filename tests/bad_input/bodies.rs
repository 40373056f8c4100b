//! Every route that takes a body, with one that it accepts.

use serde_json::{Value, json};

use super::SHOP;
use crate::support::PROD;

/// Method, path and a body that succeeds.
pub fn routes() -> Vec<(&'static str, String, Value)> {
    let feature = format!("{PROD}/features/a");
    let condition = json!({"any": [
        {"all": [{"attribute": "country", "operator": "in", "values": ["SE", 1.5, true], "ignoreCase": true},
                 {"attribute": "v", "operator": "semver_gte", "value": "2.4.0"},
                 {"attribute": "ip", "operator": "ip_in", "value": "10.0.0.0/8"},
                 {"attribute": "now", "operator": "before", "value": "2026-01-31T12:00:00Z"},
                 {"attribute": "mail", "operator": "matches", "value": "^a+@[a-z]+$", "strict": true}]},
        {"not": {"segment": "s"}},
        {"flagr": {"property": "age", "operator": "GT", "value": "18"}},
    ]});
    let rule = json!({
        "name": "r", "priority": 70, "enabled": true, "when": condition,
        "rollout": {"percentage": 25.5, "by": "company", "salt": "x", "otherwise": "stop"},
        "outcome": {"value": true},
    });
    let split = json!({"split": [{"variant": "v", "weight": 33.33}, {"variant": "spare", "weight": 66.67}]});
    let full = json!({
        "key": "a", "type": "BOOLEAN", "enabled": true, "defaultValue": false, "description": "d",
        "tags": ["x"], "properties": {"owner": "web"}, "bucketing": "sha256", "bucketingId": null,
        "variants": [{"key": "v", "value": true, "attachment": {"a": [1]}}, {"key": "spare", "value": false}],
        "rules": [rule, {"name": "s", "outcome": split}],
    });
    let mut new = full.clone();
    new["key"] = json!("b");
    let context = json!({"userId": "u", "plan": {"name": "pro", "seats": [1, 2.5, null, true]}});
    let document = json!({
        "version": 1, "site": {"slug": "shop", "name": "Shop", "description": "d"},
        "segments": [{"key": "s", "name": "S", "conditions": {"all": []}}],
        "environments": [{
            "name": "prod", "description": "", "tags": ["production"], "status": "active", "userIdIsContextKey": true,
            "features": [full],
            "contexts": [{"key": "ana", "description": "d", "prototypes": ["team"], "features": {"a": "yes"}},
                         {"key": "team", "features": {"a": false}}],
        }],
    });
    vec![
        (
            "POST",
            "/api/v1/evaluate".into(),
            json!({"siteId": "shop", "environmentId": "prod", "context": context, "features": ["a"]}),
        ),
        ("POST", "/api/v1/evaluate/batch".into(), json!({"entities": [context, {}], "features": ["a"]})),
        (
            "POST",
            "/api/v1/evaluate:explain".into(),
            json!({"siteId": "shop", "environmentId": "prod", "context": context, "feature": "a"}),
        ),
        (
            "POST",
            "/api/v1/analytics/evaluations".into(),
            json!({"evaluations": [{"featureKey": "a", "value": true, "ruleId": "r", "variant": "v", "userId": "u",
                                    "context": context, "count": 2}]}),
        ),
        (
            "POST",
            "/api/v1/analytics/events".into(),
            json!({"event": "purchase", "userId": "u", "value": 49.9, "timestamp": null}),
        ),
        (
            "PATCH",
            format!("{SHOP}/analytics"),
            json!({"excludedFields": ["email"], "staleUnchangedDays": 60, "staleUnaskedDays": 10}),
        ),
        ("POST", "/api/v1/sites".into(), json!({"name": "New", "slug": "new", "description": "d"})),
        ("PATCH", SHOP.into(), json!({"name": "Shop", "slug": "shop", "description": "d"})),
        ("PUT", format!("{SHOP}/owner"), json!({"userId": "vera"})),
        ("POST", format!("{SHOP}/segments"), json!({"key": "u", "name": "U", "conditions": condition})),
        ("PATCH", format!("{SHOP}/segments/t"), json!({"name": "T", "conditions": condition})),
        (
            "POST",
            format!("{SHOP}/environments"),
            json!({"name": "dev", "description": "d", "tags": ["x"], "status": "maintenance", "userIdIsContextKey": false}),
        ),
        (
            "PATCH",
            PROD.into(),
            json!({"name": "prod", "description": "d", "tags": ["x"], "status": "active", "userIdIsContextKey": true}),
        ),
        ("POST", format!("{PROD}/features"), new),
        ("PATCH", feature.clone(), full.clone()),
        ("PUT", feature.clone(), full),
        ("POST", format!("{feature}:revert"), json!({"version": 1})),
        ("POST", format!("{feature}/rules"), rule.clone()),
        ("PATCH", format!("{feature}/rules/{{rule}}"), rule),
        ("POST", format!("{feature}/rules:reorder"), json!({"ids": ["{rule2}", "{rule}"]})),
        ("POST", format!("{feature}/variants"), json!({"key": "w", "value": true, "attachment": {"a": 1}})),
        (
            "PATCH",
            format!("{feature}/variants/spare"),
            json!({"key": "spare", "value": true, "attachment": null}),
        ),
        (
            "POST",
            format!("{PROD}/tokens"),
            json!({"description": "t", "kind": "server", "permissions": ["LOCK"], "expiresAt": "2099-01-01T00:00:00Z", "rateLimit": 5}),
        ),
        (
            "PATCH",
            format!("{PROD}/tokens/{{token}}"),
            json!({"description": "t", "permissions": ["LOCK"], "expiresAt": "2099-01-01T00:00:00Z", "rateLimit": 0}),
        ),
        ("POST", format!("{PROD}/tokens/{{token}}:rotate"), json!({"graceSeconds": 60})),
        ("POST", format!("{SHOP}/import"), document),
        ("PUT", format!("{SHOP}/branding"), json!({"companyName": "Shop", "primary": "#335577"})),
        (
            "POST",
            format!("{PROD}/contexts"),
            json!({"key": "new", "description": "d", "prototypes": ["ana"], "features": {"a": "yes"}}),
        ),
        ("PUT", format!("{PROD}/contexts/ana"), json!({"prototypes": [], "features": {"a": "no"}})),
        ("PATCH", format!("{PROD}/contexts/ana"), json!({"features": {"a": null}})),
        ("PUT", format!("{PROD}/contexts/ana/features/a"), json!({"value": "no"})),
        (
            "POST",
            format!("{PROD}/contexts:lookup"),
            json!({"subjects": [{"key": "ana"}, {"key": "x", "prototypes": ["ana"]}], "keys": ["a"], "explain": false}),
        ),
        (
            "POST",
            format!("{PROD}/contexts:import"),
            json!({"version": 1, "contexts": {"ben": {"prototypes": ["ana"], "features": {"a": "yes"}}}}),
        ),
        (
            "POST",
            "/api/v1/webhooks".into(),
            json!({"siteId": "shop", "url": "https://hooks.example/x", "events": ["rule.updated"], "format": "slack"}),
        ),
        (
            "PATCH",
            "/api/v1/webhooks/{webhook}".into(),
            json!({"events": ["feature.created"], "enabled": false}),
        ),
        ("POST", "/api/v1/webhooks/{webhook}:rotate".into(), json!({"graceSeconds": 60})),
        ("POST", "/api/v1/webhooks/{webhook}:test".into(), json!({"event": "feature.updated"})),
        ("POST", "/api/v1/gdpr/requests".into(), json!({"type": "access", "user": "vera", "notes": "n"})),
        (
            "POST",
            "/api/v1/users".into(),
            json!({"username": "new", "email": "new@shop.example", "role": "viewer", "password": "correct horse battery"}),
        ),
        (
            "PATCH",
            "/api/v1/users/{user}".into(),
            json!({"username": "dora.2", "email": "dora@mail.example", "role": "editor", "active": false}),
        ),
        ("PATCH", "/api/v1/me".into(), json!({"theme": "dark", "dense": true, "singleKeys": false})),
        (
            "POST",
            "/api/v1/me/tokens".into(),
            json!({"description": "terraform", "expiresAt": "2099-01-01T00:00:00Z"}),
        ),
    ]
}

#[actix_web::test]
async fn each_of_these_bodies_is_accepted() {
    for (method, path, body) in routes() {
        let fixture = super::Fixture::new().await;
        let path = fixture.fill(&path);
        let body = fixture.fill(&body.to_string());
        let reply = fixture.actor(&path).ask(method, &path).body("application/json", body).send().await;
        assert!((200..300).contains(&reply.status), "{method} {path}: {}", reply.text);
    }
}

#[test]
fn no_route_with_a_body_is_left_out() {
    let table = include_str!("../../src/api/rest/mod.rs");
    let count = |call: &str| table.matches(call).count();
    // These take none.
    let bodiless = count("admin::webhooks::redeliver)") + count("admin::audit::check)");
    assert_eq!(routes().len() + bodiless, count("(post()") + count("(patch()") + count("(put()"));
}
