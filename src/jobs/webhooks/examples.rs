//! What each event looks like, made by what makes the real ones: for the pages, and for tests of a webhook whose site
//! has had no such event yet.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Millis;
use crate::store::webhooks::Event;

/// Ids of things that are not there.
const FEATURE: &str = "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a01";
const RULE: &str = "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02";
const OTHER: &str = "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a03";

/// An event of that name as it would be recorded in this site and environment.
pub fn event(name: &str, site: &str, environment: Option<&str>, actor: &str, now: Millis) -> Option<Event> {
    let (entity, action) = name.split_once('.')?;
    let (id, key, before, after) = match entity {
        "feature" => (FEATURE, "new_checkout", feature(false, Some(10)), feature(true, Some(10))),
        "rule" => (RULE, "Nordic beta", feature(true, Some(10)), feature(true, Some(25))),
        "environment" => (OTHER, "staging", environment_of("active"), environment_of("maintenance")),
        "token" => (OTHER, "web shop", token("web"), token("web shop")),
        "context" if action == "imported" => (OTHER, "prod", Value::Null, imported()),
        "context" => ("team:blue", "team:blue", context(false), context(true)),
        _ => return None,
    };
    let (before, after) = match (action, entity) {
        ("created", "rule") => (feature(true, None), feature(true, Some(10))),
        ("deleted", "rule") => (feature(true, Some(10)), feature(true, None)),
        ("created", _) => (Value::Null, after),
        ("deleted", _) => (before, Value::Null),
        _ => (before, after),
    };
    Some(Event {
        id: Uuid::now_v7().to_string(),
        name: name.to_owned(),
        number: None,
        at: now,
        actor: actor.to_owned(),
        site: Some(site.to_owned()),
        environment: environment.map(str::to_owned),
        entity: if action == "imported" { "contexts".into() } else { entity.to_owned() },
        entity_id: id.to_owned(),
        entity_key: key.to_owned(),
        action: action.to_owned(),
        payload: json!({ "before": before, "after": after }).to_string(),
    })
}

fn feature(enabled: bool, percentage: Option<u8>) -> Value {
    let rules: Vec<Value> = percentage
        .into_iter()
        .map(|percentage| {
            json!({
                "id": RULE, "name": "Nordic beta", "priority": 50, "enabled": true,
                "when": {"attribute": "country", "operator": "in", "values": ["SE", "NO"]},
                "rollout": {"percentage": percentage}, "outcome": {"value": true},
            })
        })
        .collect();
    json!({
        "id": FEATURE, "key": "new_checkout", "type": "BOOLEAN", "contextType": "flag", "enabled": enabled,
        "locked": false, "defaultValue": false, "description": "One-page checkout", "tags": ["checkout"],
        "bucketing": "sha256", "bucketingId": null, "variants": [], "rules": rules, "version": 7,
        "createdAt": "2026-01-31T12:00:00.000Z", "updatedAt": "2026-02-02T09:30:00.000Z", "updatedBy": "ana",
    })
}

fn environment_of(status: &str) -> Value {
    json!({
        "id": OTHER, "name": "staging", "description": "", "tags": [], "status": status,
        "userIdIsContextKey": true, "revision": 12, "createdAt": "2026-01-31T12:00:00.000Z",
        "updatedAt": "2026-02-02T09:30:00.000Z",
    })
}

fn token(description: &str) -> Value {
    json!({
        "id": OTHER, "description": description, "kind": "client", "permissions": ["READ"], "expiresAt": null,
        "rateLimit": null, "createdAt": "2026-01-31T12:00:00.000Z", "createdBy": "ana", "lastUsedAt": null,
        "uses": 0, "previousUntil": null,
    })
}

fn imported() -> Value {
    json!({
        "dryRun": false, "created": [{"path": "contexts/team:blue"}], "updated": [], "deleted": [], "unchanged": 3,
    })
}

fn context(on: bool) -> Value {
    json!({"key": "team:blue", "description": "", "prototypes": [], "features": {"new_checkout": on}})
}

#[cfg(test)]
mod tests {
    use super::super::body::{EVENTS, render};
    use super::*;
    use crate::store::webhooks::Format;

    #[test]
    fn every_event_has_an_example_in_every_format() {
        for (name, _) in EVENTS {
            let event = event(name, "s", Some("e"), "ana", 0).unwrap_or_else(|| panic!("{name}"));
            for format in Format::ALL {
                let body: Value = serde_json::from_str(&render(format, &event, "prod").unwrap()).unwrap();
                if format == Format::Json {
                    let entity = name.split_once('.').unwrap().0;
                    assert!(body["data"][entity].is_object(), "{name}: {body}");
                    let changed = body["data"]["changes"].as_array().unwrap().len();
                    assert_eq!(changed > 0, name.ends_with("updated") || entity == "rule", "{name}: {body}");
                }
            }
        }
    }
}
