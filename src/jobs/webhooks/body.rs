//! What a webhook is sent: the JSON of feature-config §8, or a message in words for a chat.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::engine::diff::{self, Difference};
use crate::engine::words::{self, Piece, Sentence, Told};
use crate::error::{Error, Result};
use crate::store::webhooks::{Event, Format};

/// Characters of a value in a message.
const VALUE: usize = 120;
/// Discord takes this many.
const DISCORD: usize = 2000;

/// Every event, and what it tells of.
pub const EVENTS: &[(&str, &str)] = &[
    ("feature.created", "A feature was made"),
    ("feature.updated", "A feature was changed, switched or reverted"),
    ("feature.deleted", "A feature was deleted"),
    ("rule.created", "A rule was added"),
    ("rule.updated", "A rule was changed"),
    ("rule.deleted", "A rule was removed"),
    ("environment.created", "An environment was made"),
    ("environment.updated", "An environment was changed: its status, tags or description"),
    ("environment.deleted", "An environment was deleted"),
    ("token.created", "A token was made"),
    ("token.updated", "A token was changed or rotated"),
    ("token.deleted", "A token was revoked"),
    ("context.created", "A stored Context was made"),
    ("context.updated", "A stored Context was changed"),
    ("context.deleted", "A stored Context was deleted"),
    ("context.imported", "Stored Contexts were imported, all in one"),
];

/// The event of a change that names none itself: environments, tokens and Contexts have events, too.
pub fn event_of(entity: &str, action: &str) -> Option<&'static str> {
    if !matches!(entity, "environment" | "token" | "context") {
        return None;
    }
    let kind = match action {
        "created" => "created",
        "deleted" | "revoked" => "deleted",
        _ => "updated",
    };
    EVENTS
        .iter()
        .map(|(name, _)| *name)
        .find(|name| name.split_once('.').is_some_and(|(of, what)| of == entity && what == kind))
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    before: Option<&'a RawValue>,
    #[serde(borrow)]
    after: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Rules<'a> {
    #[serde(borrow, default)]
    rules: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    id: String,
}

#[derive(Deserialize)]
struct Keyed {
    key: Option<String>,
}

/// The rule of that id in a feature.
fn rule<'a>(feature: Option<&'a RawValue>, id: &str) -> Option<&'a RawValue> {
    let rules: Rules<'a> = serde_json::from_str(feature?.get()).ok()?;
    rules
        .rules
        .into_iter()
        .find(|rule| serde_json::from_str::<Named>(rule.get()).is_ok_and(|rule| rule.id == id))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    event: &'a str,
    timestamp: String,
    site_id: Option<&'a str>,
    environment_id: Option<&'a str>,
    data: Data<'a>,
}

#[derive(Default, Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a RawValue>,
    changes: Vec<Difference>,
}

/// The body of a request. `place` is the name of the environment, else of the site.
pub fn render(format: Format, event: &Event, place: &str) -> Result<String> {
    let payload: Payload<'_> = serde_json::from_str(&event.payload).map_err(Error::internal)?;
    let now = payload.after.or(payload.before);
    let changes = diff::recorded(&event.payload);
    if format == Format::Json {
        let mut data = Data { changes, ..Data::default() };
        match event.entity.as_str() {
            "rule" => {
                data.feature = now;
                data.rule = rule(payload.after, &event.entity_id).or(rule(payload.before, &event.entity_id));
            }
            "environment" => data.environment = now,
            "token" => data.token = now,
            "context" | "contexts" => data.context = now,
            _ => data.feature = now,
        }
        let whole = Whole {
            event: &event.name,
            timestamp: rfc3339(event.at),
            site_id: event.site.as_deref(),
            environment_id: event.environment.as_deref(),
            data,
        };
        return serde_json::to_string(&whole).map_err(Error::internal);
    }
    let feature = match event.entity.as_str() {
        "rule" => now.and_then(|now| serde_json::from_str::<Keyed>(now.get()).ok()?.key),
        _ => None,
    };
    let sentence = words::tell(
        &Told {
            entity: &event.entity,
            key: &event.entity_key,
            feature: feature.as_deref(),
            action: &event.action,
            differences: &changes,
            place,
            actor: &event.actor,
        },
        VALUE,
    );
    Ok(message(format, &sentence).to_string())
}

/// A sentence as a chat takes it.
fn message(format: Format, sentence: &Sentence) -> Value {
    match format {
        Format::Slack => {
            let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            // Slack has no way to escape its own marks, so a name that holds one stays unmarked. Inside a word,
            // `_` and `~` are none.
            let strong = |text: &str| {
                let edge = ['_', '~'];
                match text.contains(['*', '`']) || text.starts_with(edge) || text.ends_with(edge) {
                    true => text.to_owned(),
                    false => format!("*{text}*"),
                }
            };
            json!({ "text": marked(sentence, escape, strong) })
        }
        Format::Discord => {
            let text = marked(sentence, backslashed, |text| format!("**{text}**"));
            let text: String = match text.chars().count() > DISCORD {
                true => text.chars().take(DISCORD - 1).chain(['…']).collect(),
                false => text,
            };
            json!({ "content": text, "allowed_mentions": { "parse": [] } })
        }
        _ => {
            let text = marked(sentence, backslashed, |text| format!("**{text}**"));
            json!({
                "type": "message",
                "attachments": [{
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "contentUrl": null,
                    "content": {
                        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                        "type": "AdaptiveCard",
                        "version": "1.4",
                        "body": [{ "type": "TextBlock", "text": text, "wrap": true }],
                    },
                }],
            })
        }
    }
}

fn marked(sentence: &Sentence, escape: impl Fn(&str) -> String, strong: impl Fn(&str) -> String) -> String {
    sentence
        .0
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) | Piece::Before(text) | Piece::After(text) => escape(text),
            Piece::Name(name) => strong(&escape(name)),
        })
        .collect()
}

/// Markdown's marks, taken literally.
fn backslashed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_~|[]()<>#@!".contains(c) {
            out.push('\\');
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(entity: &str, id: &str, key: &str, action: &str, payload: Value) -> Event {
        Event {
            id: "0198c0de-7a11-7c3e-9d52-3f1b6c1e0e01".into(),
            name: format!("{entity}.{action}"),
            number: Some(7),
            at: 1_767_225_600_007,
            actor: "ana".into(),
            site: Some("s".into()),
            environment: Some("e".into()),
            entity: entity.into(),
            entity_id: id.into(),
            entity_key: key.into(),
            action: action.into(),
            payload: payload.to_string(),
        }
    }

    fn rollout(percentage: f64, name: &str) -> Value {
        json!({"key": "new_checkout", "rules": [{"id": "r1", "name": name, "rollout": {"percentage": percentage}}]})
    }

    fn body(format: Format, event: &Event) -> Value {
        serde_json::from_str(&render(format, event, "prod").unwrap()).unwrap()
    }

    #[test]
    fn json_is_as_specified() {
        let payload = json!({"before": rollout(10.0, "N"), "after": rollout(25.0, "N")});
        let made = body(Format::Json, &event("rule", "r1", "N", "updated", payload));
        assert_eq!(made["event"], "rule.updated");
        assert_eq!(made["timestamp"], "2026-01-01T00:00:00.007Z");
        assert_eq!((&made["siteId"], &made["environmentId"]), (&json!("s"), &json!("e")));
        assert_eq!(made["data"]["feature"]["key"], "new_checkout");
        assert_eq!(made["data"]["rule"]["rollout"]["percentage"], 25.0);
        assert_eq!(made["data"]["changes"][0]["field"], "rules[N].rollout");
        let deleted = json!({"before": rollout(10.0, "N"), "after": {"key": "new_checkout", "rules": []}});
        let made = body(Format::Json, &event("rule", "r1", "N", "deleted", deleted));
        assert_eq!(made["data"]["rule"]["id"], "r1", "as it was");
        let made = body(
            Format::Json,
            &event("token", "t", "web", "created", json!({"before": null, "after": {"id": "t"}})),
        );
        assert_eq!(made["data"], json!({"token": {"id": "t"}, "changes": []}));
        // Numbers stay as they were written.
        let mut exact = event("feature", "f", "limit", "deleted", json!(null));
        exact.payload = r#"{"before":{"key":"limit","defaultValue":1.50},"after":null}"#.into();
        assert!(render(Format::Json, &exact, "prod").unwrap().contains("\"defaultValue\":1.50"));
        exact.payload = r#"{"before":{"key":"limit","defaultValue":12345678901234567890.5},"after":{"key":"limit","defaultValue":12345678901234567890.25}}"#.into();
        let change = r#""changes":[{"field":"defaultValue","before":12345678901234567890.5,"after":12345678901234567890.25}]"#;
        assert!(render(Format::Json, &exact, "prod").unwrap().contains(change));
        let said = "default value 12345678901234567890.5 → 12345678901234567890.25, prod";
        assert!(render(Format::Slack, &exact, "prod").unwrap().contains(said));
    }

    #[test]
    fn chats_are_told_in_words_what_changed_and_by_whom() {
        let payload = json!({"before": rollout(10.0, "Nordic beta"), "after": rollout(25.0, "Nordic beta")});
        let event = event("rule", "r1", "Nordic beta", "updated", payload);
        assert_eq!(
            body(Format::Slack, &event),
            json!({"text": "*new_checkout*: rollout 10.0 % → 25.0 % on rule *Nordic beta*, prod, by *ana*"})
        );
        let discord = body(Format::Discord, &event);
        assert_eq!(
            discord["content"],
            "**new\\_checkout**: rollout 10.0 % → 25.0 % on rule **Nordic beta**, prod, by **ana**"
        );
        assert_eq!(discord["allowed_mentions"], json!({"parse": []}));
        let teams = body(Format::Teams, &event);
        let card = &teams["attachments"][0];
        assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
        assert_eq!(card["content"]["body"][0]["text"], discord["content"]);
    }

    #[test]
    fn nothing_that_people_type_becomes_a_mark_or_a_mention() {
        let payload = |text: &str| json!({"before": {"description": ""}, "after": {"description": text}});
        let slack =
            body(Format::Slack, &event("feature", "f", "a", "updated", payload("<!channel> & <http://x|y>")));
        let text = slack["text"].as_str().unwrap();
        assert!(text.contains("&lt;!channel&gt; &amp; &lt;http://x|y&gt;"), "{text}");
        let discord =
            body(Format::Discord, &event("feature", "f", "a", "updated", payload("@everyone **x** [a](b)")));
        let text = discord["content"].as_str().unwrap();
        assert!(text.contains(r"\@everyone \*\*x\*\* \[a\]\(b\)"), "{text}");
        for (key, shown) in [
            ("a_b~c", "*a_b~c* created"),
            ("_a", "_a created"),
            ("a~", "a~ created"),
            ("a*b", "a*b created"),
            ("`a", "`a created"),
        ] {
            let text = body(Format::Slack, &event("feature", "f", key, "created", json!({})));
            assert!(text["text"].as_str().unwrap().starts_with(shown), "{text}");
        }
        let long = body(Format::Discord, &event("feature", "f", &"_".repeat(3000), "created", json!({})));
        assert_eq!(long["content"].as_str().unwrap().chars().count(), DISCORD);
    }

    #[test]
    fn environments_tokens_and_contexts_have_events_and_the_rest_has_none() {
        for (entity, action, name) in [
            ("environment", "created", Some("environment.created")),
            ("environment", "maintenance", Some("environment.updated")),
            ("token", "rotated", Some("token.updated")),
            ("token", "deleted", Some("token.deleted")),
            ("context", "updated", Some("context.updated")),
            ("user", "created", None),
            ("site", "created", None),
        ] {
            assert_eq!(event_of(entity, action), name, "{entity} {action}");
        }
    }
}
