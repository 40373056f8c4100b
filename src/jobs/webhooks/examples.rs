//! What each event looks like, made by what makes the real ones: for the pages, and for tests of a webhook whose site
//! has had no such event yet.

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::admin::{contexts, documents, environments, features, tokens};
use crate::clock::{Millis, rfc3339};
use crate::engine::compile::StoredFeature;
use crate::engine::snapshot::Status;
use crate::engine::value::Json;
use crate::store::tokens::Kind;
use crate::store::webhooks::Event;

/// Ids of things that are not there.
const FEATURE: Uuid = Uuid::from_u128(0x0198_c0de_7a11_7c3e_9d52_3f1b_6c1e_0a01);
const RULE: Uuid = Uuid::from_u128(0x0198_c0de_7a11_7c3e_9d52_3f1b_6c1e_0a02);
const OTHER: Uuid = Uuid::from_u128(0x0198_c0de_7a11_7c3e_9d52_3f1b_6c1e_0a03);
/// When they were made and changed: 2026-01-31 12:00 and 2026-02-02 09:30.
const MADE: Millis = 1_769_860_800_000;
const CHANGED: Millis = 1_770_024_600_000;

/// What a change records.
#[derive(Serialize)]
struct Payload {
    before: Option<Json>,
    after: Option<Json>,
}

/// An event of that name as it would be recorded in this site and environment.
pub fn event(name: &str, site: &str, environment: Option<&str>, actor: &str, now: Millis) -> Option<Event> {
    let (entity, action) = name.split_once('.')?;
    let id = match entity {
        "feature" => FEATURE.to_string(),
        "rule" => RULE.to_string(),
        "context" if action != "imported" => "team:blue".into(),
        _ => OTHER.to_string(),
    };
    let (key, before, after) = match entity {
        "feature" => ("new_checkout", feature(false, Some(10)), feature(true, Some(10))),
        "rule" => {
            let rule = |percentage| feature(true, percentage);
            let (before, after) = match action {
                "created" => (rule(None), rule(Some(10))),
                "deleted" => (rule(Some(10)), rule(None)),
                _ => (rule(Some(10)), rule(Some(25))),
            };
            ("Nordic beta", before, after)
        }
        "environment" => ("staging", environment_of(Status::Active), environment_of(Status::Maintenance)),
        "token" => ("web shop", token("web"), token("web shop")),
        "context" if action == "imported" => ("prod", None, imported()),
        "context" => ("team:blue", context("no", 3), context("yes", 4)),
        _ => return None,
    };
    let payload = match action {
        "created" if entity != "rule" => Payload { before: None, after },
        "deleted" if entity != "rule" => Payload { before: after, after: None },
        _ => Payload { before, after },
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
        entity_id: id,
        entity_key: key.to_owned(),
        action: if name == "token.deleted" { "revoked".into() } else { action.to_owned() },
        payload: serde_json::to_string(&payload).ok()?,
    })
}

fn feature(enabled: bool, percentage: Option<u8>) -> Option<Json> {
    let rules: Vec<_> = percentage
        .into_iter()
        .map(|percentage| {
            json!({
                "id": RULE, "name": "Nordic beta", "priority": 50,
                "when": {"attribute": "country", "operator": "in", "values": ["SE", "NO"]},
                "rollout": {"percentage": percentage}, "outcome": {"value": true},
            })
        })
        .collect();
    let (definition, locked) = features::read_recorded(&Json::from(&json!({
        "key": "new_checkout", "type": "BOOLEAN", "enabled": enabled, "defaultValue": false,
        "description": "One-page checkout", "tags": ["checkout"], "rules": rules,
    })))?;
    Json::of(&StoredFeature {
        id: FEATURE,
        version: 7,
        locked,
        number: 0,
        snapshot: 0,
        created_at: MADE,
        updated_at: CHANGED,
        updated_by: "ana".into(),
        definition,
        damage: None,
    })
}

fn environment_of(status: Status) -> Option<Json> {
    Json::of(&environments::View {
        id: OTHER.to_string(),
        name: "staging".into(),
        description: String::new(),
        tags: Vec::new(),
        status,
        user_id_is_context_key: true,
        revision: 12,
        created_at: rfc3339(MADE),
        updated_at: rfc3339(CHANGED),
    })
}

fn token(description: &str) -> Option<Json> {
    Json::of(&tokens::View {
        id: OTHER.to_string(),
        description: description.into(),
        kind: Kind::Client,
        permissions: vec!["READ".into()],
        expires_at: None,
        rate_limit: None,
        created_at: rfc3339(MADE),
        created_by: "ana".into(),
        last_used_at: None,
        uses: 0,
        previous_until: None,
    })
}

fn imported() -> Option<Json> {
    Json::of(&documents::Plan {
        created: vec![documents::PlanEntry { path: "contexts/team:blue".into() }],
        unchanged: 3,
        ..documents::Plan::default()
    })
}

fn context(checkout: &str, version: u64) -> Option<Json> {
    Json::of(&contexts::Recorded {
        key: "team:blue",
        description: "",
        prototypes: &[],
        features: &[("new_checkout".to_owned(), checkout.to_owned())].into(),
        version,
        reason: "",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

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
