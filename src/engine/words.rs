//! What changed, said in words: one renderer for the audit log and for the messages of webhooks. A sentence is made
//! of pieces, so that pages, Slack, Teams and Discord can each mark names and values in their own way.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::diff::Difference;
use super::value::Json;

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// A key or name that somebody gave.
    Name(String),
    /// What it was.
    Before(String),
    /// What it is now.
    After(String),
}

/// A sentence, or part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence(pub Vec<Piece>);

impl Sentence {
    fn text(mut self, text: &str) -> Self {
        self.0.push(Piece::Text(text.into()));
        self
    }

    fn name(mut self, name: &str) -> Self {
        self.0.push(Piece::Name(name.into()));
        self
    }

    fn changed(mut self, before: String, after: String) -> Self {
        self.0.push(Piece::Before(before));
        self.text(" → ").after(after)
    }

    fn after(mut self, after: String) -> Self {
        self.0.push(Piece::After(after));
        self
    }

    fn on(self, what: &str, name: &str) -> Self {
        self.text(what).name(name)
    }

    /// Without any marks.
    pub fn plain(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) | Piece::Name(text) | Piece::Before(text) | Piece::After(text) => {
                    text.as_str()
                }
            })
            .collect()
    }
}

fn words() -> Sentence {
    Sentence::default()
}

/// A value as people write it, cut off after so many characters.
fn value(side: Option<&Json>, limit: usize) -> String {
    let text = match side.map(|json| serde_json::from_str(json.as_str()).unwrap_or(Value::Null)) {
        None | Some(Value::Null) => "none".into(),
        Some(Value::Bool(true)) => "on".into(),
        Some(Value::Bool(false)) => "off".into(),
        Some(Value::String(text)) if text.is_empty() => "empty".into(),
        Some(Value::String(text)) => text,
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            if items.is_empty() { "none".into() } else { items.join(", ") }
        }
        Some(_) => side.map(|json| json.as_str().to_owned()).unwrap_or_default(),
    };
    cut(&text, limit)
}

/// The same for a time, to the minute: `2026-01-31 12:00 UTC`.
fn moment(side: Option<&Json>, limit: usize) -> String {
    let text = value(side, limit);
    let is_time = text.is_ascii() && text.len() >= 20 && text.ends_with('Z') && text[10..].starts_with('T');
    if is_time { format!("{} {} UTC", &text[..10], &text[11..16]) } else { text }
}

/// The value of a feature: as JSON writes it, so that `true` and `"true"` differ.
fn feature_value(side: Option<&Json>, limit: usize) -> String {
    match side.map(Json::as_str) {
        None | Some("null") => "none".into(),
        Some(text) => cut(text, limit),
    }
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn parsed(side: Option<&Json>) -> Value {
    side.and_then(|json| serde_json::from_str(json.as_str()).ok()).unwrap_or(Value::Null)
}

/// What differs, in words: `rollout 10 % → 25 % on rule Nordic beta`. Values are cut off after `limit` characters.
pub fn phrase(difference: &Difference, limit: usize) -> Sentence {
    let (field, before, after) =
        (difference.field.as_str(), difference.before.as_ref(), difference.after.as_ref());
    if let Some((name, part)) = inside(field, "rules[") {
        return of_rule(name, part, before, after, limit);
    }
    if let Some((name, part)) = inside(field, "variants[") {
        return match (part, before, after) {
            ("", None, _) => words().on("variant ", name).text(" added"),
            ("", _, None) => words().on("variant ", name).text(" removed"),
            ("value", ..) => words()
                .text("value ")
                .changed(feature_value(before, limit), feature_value(after, limit))
                .on(" of variant ", name),
            _ => words().on("variant ", name).text(" changed"),
        };
    }
    let is_true = |side: Option<&Json>| side.is_some_and(|json| json.as_str() == "true");
    match field {
        "enabled" if is_true(after) => words().text("turned on"),
        "enabled" => words().text("turned off"),
        "locked" if is_true(after) => words().text("locked"),
        "locked" => words().text("unlocked"),
        "retired" if is_true(after) => words().text("retired for FeatureHub’s clients"),
        "retired" => words().text("no longer retired for FeatureHub’s clients"),
        "defaultValue" => {
            words().text("default value ").changed(feature_value(before, limit), feature_value(after, limit))
        }
        "rules.order" | "rules" => words().text("rules reordered"),
        "variants.order" | "variants" => words().text("variants reordered"),
        "conditions" => words().text("conditions changed"),
        "previousUntil" => match after {
            Some(until) if until.as_str() != "null" => {
                words().text("the old secret works until ").after(moment(after, limit))
            }
            _ => words().text("the old secret works no more"),
        },
        _ if field.ends_with("At") || field.ends_with("Since") => {
            words().text(&format!("{} ", spoken(field))).changed(moment(before, limit), moment(after, limit))
        }
        _ => match field.strip_prefix("features.") {
            Some(key) => words()
                .text("value of ")
                .name(key)
                .text(" ")
                .changed(feature_value(before, limit), feature_value(after, limit)),
            None => words()
                .text(&format!("{} ", spoken(field)))
                .changed(value(before, limit), value(after, limit)),
        },
    }
}

/// `rules[Nordic beta].enabled` is `enabled` of `Nordic beta`. Names may hold brackets.
fn inside<'f>(field: &'f str, list: &str) -> Option<(&'f str, &'f str)> {
    let rest = field.strip_prefix(list)?;
    rest.strip_suffix(']').map(|name| (name, "")).or_else(|| rest.rsplit_once("]."))
}

/// `expiresAt` is spoken `expires at`.
fn spoken(field: &str) -> String {
    let mut out = String::new();
    for c in field.chars() {
        if c.is_uppercase() {
            out.push(' ');
            out.extend(c.to_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}

fn of_rule(name: &str, part: &str, before: Option<&Json>, after: Option<&Json>, limit: usize) -> Sentence {
    match (part, before, after) {
        ("", None, _) => words().on("rule ", name).text(" added"),
        ("", _, None) => words().on("rule ", name).text(" removed"),
        ("name", ..) => {
            words().text("rule ").changed(value(before, limit), value(after, limit)).text(" (renamed)")
        }
        ("enabled", _, Some(json)) if json.as_str() == "true" => words().on("rule ", name).text(" turned on"),
        ("enabled", ..) => words().on("rule ", name).text(" turned off"),
        ("priority", ..) => {
            words().text("priority ").changed(value(before, limit), value(after, limit)).on(" of rule ", name)
        }
        ("when", None, _) => words().on("conditions added to rule ", name),
        ("when", _, None) => words().on("conditions removed from rule ", name),
        ("when", ..) => words().on("conditions changed on rule ", name),
        ("rollout.percentage", ..) => rollout(name, &parsed(before), &parsed(after)),
        ("rollout", ..) => {
            let (old, new) = (parsed(before), parsed(after));
            let rest = |side: &Value| {
                let mut side = side.as_object().cloned().unwrap_or_default();
                side.remove("percentage");
                side
            };
            let percentage = |side: &Value| side.get("percentage").cloned().unwrap_or(Value::from(100));
            match percentage(&old) != percentage(&new) {
                true => rollout(name, &percentage(&old), &percentage(&new)),
                false if rest(&old) != rest(&new) => words().on("rollout changed on rule ", name),
                false => words().on("rollout kept on rule ", name),
            }
        }
        ("outcome" | "outcome.value", ..) => words()
            .text("outcome ")
            .changed(outcome(before, limit), outcome(after, limit))
            .on(" on rule ", name),
        _ => words()
            .text(&format!("{} ", spoken(part)))
            .changed(value(before, limit), value(after, limit))
            .on(" on rule ", name),
    }
}

fn rollout(name: &str, before: &Value, after: &Value) -> Sentence {
    let percent = |side: &Value| match side {
        Value::Null => "100 %".to_owned(),
        side => format!("{side} %"),
    };
    words().text("rollout ").changed(percent(before), percent(after)).on(" on rule ", name)
}

/// `true`, or `control 50 %, blue 50 %`.
fn outcome(side: Option<&Json>, limit: usize) -> String {
    let parsed = parsed(side);
    if let Some(arms) = parsed.get("split").and_then(Value::as_array) {
        let arms: Vec<String> = arms
            .iter()
            .map(|arm| format!("{} {} %", arm["variant"].as_str().unwrap_or_default(), arm["weight"]))
            .collect();
        return cut(&arms.join(", "), limit);
    }
    // As it was written, every digit of it.
    let members: BTreeMap<String, &RawValue> =
        side.and_then(|json| serde_json::from_str(json.as_str()).ok()).unwrap_or_default();
    match members.get("value").filter(|_| members.len() == 1) {
        Some(value) => cut(value.get(), limit),
        None => feature_value(side, limit),
    }
}

/// A change as it is told.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub entity: &'a str,
    /// Key or name of what changed; for a rule, that of the rule.
    pub key: &'a str,
    /// The feature whose rule changed.
    pub feature: Option<&'a str>,
    pub action: &'a str,
    pub differences: &'a [Difference],
    /// Where: the name of the environment, or of the site.
    pub place: &'a str,
    pub actor: &'a str,
}

/// Phrases of one message; the rest is counted.
const PHRASES: usize = 8;

/// The whole of it: `new_checkout: rollout 10 % → 25 % on rule Nordic beta, prod, by ana`.
pub fn tell(told: &Told<'_>, limit: usize) -> Sentence {
    let mut out = Sentence::default();
    match told.feature {
        Some(feature) => out.0.push(Piece::Name(feature.into())),
        None if told.entity == "feature" => out.0.push(Piece::Name(told.key.into())),
        None => out = out.text(&format!("{} ", told.entity)).name(told.key),
    }
    // What differs says by itself that it was changed; what else was done is said before it.
    if told.differences.is_empty() || !matches!(told.action, "created" | "updated" | "deleted") {
        out = match told.feature {
            Some(_) => out.on(&format!(": {} ", told.entity), told.key).text(&format!(" {}", told.action)),
            None => out.text(&format!(" {}", told.action)),
        };
    }
    for (at, difference) in told.differences.iter().take(PHRASES).enumerate() {
        out = out.text(if at == 0 { ": " } else { "; " });
        out.0.extend(phrase(difference, limit).0);
    }
    if told.differences.len() > PHRASES {
        out = out.text(&format!("; and {} more", told.differences.len() - PHRASES));
    }
    out.text(&format!(", {}, by ", told.place)).name(told.actor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(field: &str, before: &str, after: &str) -> Difference {
        let side = |text: &str| (!text.is_empty()).then(|| Json::parse(text).expect("JSON"));
        Difference { field: field.into(), before: side(before), after: side(after) }
    }

    #[test]
    fn every_kind_of_difference_is_said_in_words() {
        for (field, before, after, words) in [
            ("enabled", "false", "true", "turned on"),
            ("enabled", "true", "false", "turned off"),
            ("locked", "false", "true", "locked"),
            ("locked", "true", "false", "unlocked"),
            ("defaultValue", "null", "true", "default value none → true"),
            ("defaultValue", "\"a\"", "\"b\"", "default value \"a\" → \"b\""),
            ("description", "\"\"", "\"new\"", "description empty → new"),
            ("tags", "[]", "[\"a\",\"b\"]", "tags none → a, b"),
            ("status", "\"active\"", "\"maintenance\"", "status active → maintenance"),
            ("expiresAt", "null", "\"2026-01-31\"", "expires at none → 2026-01-31"),
            ("expiresAt", "\"2026-01-31T08:05:00.000Z\"", "null", "expires at 2026-01-31 08:05 UTC → none"),
            ("previousUntil", "\"2026-01-31T08:05:00.000Z\"", "null", "the old secret works no more"),
            ("userIdIsContextKey", "true", "false", "user id is context key on → off"),
            ("rules[Nordic beta].rollout.percentage", "10", "25", "rollout 10 % → 25 % on rule Nordic beta"),
            (
                "rules[N].rollout",
                "{\"percentage\":10}",
                "{\"percentage\":25.5}",
                "rollout 10 % → 25.5 % on rule N",
            ),
            ("rules[N].rollout", "", "{\"percentage\":10}", "rollout 100 % → 10 % on rule N"),
            (
                "rules[N].rollout",
                "{\"percentage\":10}",
                "{\"percentage\":10,\"by\":\"team\"}",
                "rollout changed on rule N",
            ),
            ("rules[N]", "", "{}", "rule N added"),
            ("rules[N]", "{}", "", "rule N removed"),
            ("rules[a].b].enabled", "true", "false", "rule a].b turned off"),
            ("rules[N].name", "\"N\"", "\"M\"", "rule N → M (renamed)"),
            ("rules[N].priority", "50", "60", "priority 50 → 60 of rule N"),
            ("rules[N].when", "", "{\"segment\":\"s\"}", "conditions added to rule N"),
            ("rules[N].when", "{\"segment\":\"s\"}", "{\"all\":[]}", "conditions changed on rule N"),
            ("rules[N].outcome", "{\"value\":true}", "{\"value\":false}", "outcome true → false on rule N"),
            ("rules[N].outcome.value", "1", "2", "outcome 1 → 2 on rule N"),
            (
                "rules[N].outcome",
                "{\"value\":1.50}",
                "{\"value\":12345678901234567890.5}",
                "outcome 1.50 → 12345678901234567890.5 on rule N",
            ),
            (
                "rules[N].outcome",
                "{\"value\":1}",
                "{\"split\":[{\"variant\":\"a\",\"weight\":50},{\"variant\":\"b\",\"weight\":50}]}",
                "outcome 1 → a 50 %, b 50 % on rule N",
            ),
            ("rules.order", "[]", "[]", "rules reordered"),
            ("variants[blue]", "", "{}", "variant blue added"),
            ("variants[blue].value", "1", "2", "value 1 → 2 of variant blue"),
            ("features.dark_mode", "", "true", "value of dark_mode none → true"),
        ] {
            assert_eq!(phrase(&difference(field, before, after), 60).plain(), words, "{field}");
        }
        let long = difference("defaultValue", "1", &format!("\"{}\"", "x".repeat(100)));
        assert!(phrase(&long, 20).plain().ends_with("x…"));
    }

    #[test]
    fn a_message_says_what_changed_where_and_by_whom() {
        let rollout =
            [difference("rules[Nordic beta].rollout", "{\"percentage\":10}", "{\"percentage\":25}")];
        let told = Told {
            entity: "feature",
            key: "new_checkout",
            feature: None,
            action: "updated",
            differences: &rollout,
            place: "prod",
            actor: "ana",
        };
        assert_eq!(
            tell(&told, 60).plain(),
            "new_checkout: rollout 10 % → 25 % on rule Nordic beta, prod, by ana"
        );
        let created = Told { action: "created", differences: &[], ..told };
        assert_eq!(tell(&created, 60).plain(), "new_checkout created, prod, by ana");
        let rule = Told { entity: "rule", key: "Nordic beta", feature: Some("new_checkout"), ..created };
        assert_eq!(tell(&rule, 60).plain(), "new_checkout: rule Nordic beta created, prod, by ana");
        let token = Told { entity: "token", key: "web", action: "deleted", ..created };
        assert_eq!(tell(&token, 60).plain(), "token web deleted, prod, by ana");
        // What was done stands before what differs, and times are easy to read.
        let until = [difference("previousUntil", "null", "\"2026-02-01T12:01:00.000Z\"")];
        let rotated = Told { entity: "token", key: "web", action: "rotated", differences: &until, ..told };
        assert_eq!(
            tell(&rotated, 60).plain(),
            "token web rotated: the old secret works until 2026-02-01 12:01 UTC, prod, by ana"
        );
        let reverted = Told { action: "reverted", ..told };
        assert_eq!(
            tell(&reverted, 60).plain(),
            "new_checkout reverted: rollout 10 % → 25 % on rule Nordic beta, prod, by ana"
        );
        let many: Vec<_> = (0..10).map(|n| difference(&format!("rules[{n}]"), "", "{}")).collect();
        let text = tell(&Told { differences: &many, ..told }, 60).plain();
        assert!(text.contains("rule 7 added; and 2 more, prod"), "{text}");
    }
}
