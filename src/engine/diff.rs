//! What differs between two states of a feature, field by field, in words a person can follow. Import plans,
//! history and the audit trail are made of it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::feature::{Definition, Outcome, Rule, Variant};
use super::value::Json;

/// One field that differs. `null`: it is not there on that side.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({"field": "rules[Nordic beta].rollout.percentage", "before": 10, "after": 25.5}))]
pub struct Difference {
    pub field: String,
    #[schema(value_type = Json)]
    pub before: Option<Json>,
    #[schema(value_type = Json)]
    pub after: Option<Json>,
}

struct Differences(Vec<Difference>);

impl Differences {
    fn compare<T: Serialize + PartialEq>(
        &mut self,
        field: impl Into<String>,
        before: Option<&T>,
        after: Option<&T>,
    ) {
        if before != after {
            let (before, after) = (before.and_then(Json::of), after.and_then(Json::of));
            self.0.push(Difference { field: field.into(), before, after });
        }
    }
}

/// What differs from `before` to `after`; `None` is a feature that is not there. Rules are told apart by id,
/// else by name; ids themselves are not compared.
pub fn differences(before: Option<&Definition>, after: Option<&Definition>) -> Vec<Difference> {
    let mut out = Differences(Vec::new());
    fn side<'d, T: ?Sized>(
        of: Option<&'d Definition>,
        get: impl Fn(&'d Definition) -> &'d T,
    ) -> Option<&'d T> {
        of.map(get)
    }
    macro_rules! fields {
        ($($field:ident $name:literal,)*) => {
            $(out.compare($name, side(before, |d| &d.$field), side(after, |d| &d.$field));)*
        };
    }
    fields! {
        key "key",
        kind "type",
        integer "integer",
        enabled "enabled",
    }
    let default = |of: Option<&Definition>| of.and_then(|definition| definition.default_value.clone());
    out.compare("defaultValue", default(before).as_ref(), default(after).as_ref());
    fields! {
        description "description",
        tags "tags",
        properties "properties",
        retired "retired",
        bucketing "bucketing",
    }
    let id = |of: Option<&Definition>| of.and_then(|definition| definition.bucketing_id.clone());
    out.compare("bucketingId", id(before).as_ref(), id(after).as_ref());
    fn variants(of: Option<&Definition>) -> &[Variant] {
        of.map(|definition| definition.variants.as_slice()).unwrap_or_default()
    }
    let (old, new) = (variants(before), variants(after));
    for variant in old {
        let other = new.iter().find(|other| other.key == variant.key);
        out.compare(format!("variants[{}]", variant.key), Some(variant), other);
    }
    for variant in new.iter().filter(|variant| !old.iter().any(|other| other.key == variant.key)) {
        out.compare(format!("variants[{}]", variant.key), None, Some(variant));
    }
    if old.len() == new.len()
        && old.iter().zip(new).any(|(a, b)| a.key != b.key)
        && old.iter().all(|a| new.iter().any(|b| b.key == a.key))
    {
        let order = |list: &[Variant]| list.iter().map(|v| v.key.clone()).collect::<Vec<_>>();
        out.compare("variants.order", Some(&order(old)), Some(&order(new)));
    }
    fn rules(of: Option<&Definition>) -> &[Rule] {
        of.map(|definition| definition.rules.as_slice()).unwrap_or_default()
    }
    compare_rules(&mut out, rules(before), rules(after));
    compare_flagr(&mut out, before, after);
    out.0
}

/// What the Flagr door keeps; numbers only where they are all that differs.
fn compare_flagr(out: &mut Differences, before: Option<&Definition>, after: Option<&Definition>) {
    let (Some(old), Some(new)) =
        (before.and_then(|d| d.flagr.as_ref()), after.and_then(|d| d.flagr.as_ref()))
    else {
        return;
    };
    out.compare("notes", Some(&old.notes), Some(&new.notes));
    out.compare("entityType", Some(&old.entity_type), Some(&new.entity_type));
    out.compare("dataRecordsEnabled", Some(&old.data_records_enabled), Some(&new.data_records_enabled));
    if out.0.is_empty() {
        out.compare("flagr.variants", Some(&old.variants), Some(&new.variants));
        out.compare("flagr.segments", Some(&old.segments), Some(&new.segments));
    }
}

fn same_rule(a: &Rule, b: &Rule) -> bool {
    if a.id.is_nil() || b.id.is_nil() { a.name == b.name } else { a.id == b.id }
}

fn compare_rules(out: &mut Differences, old: &[Rule], new: &[Rule]) {
    for rule in old {
        let path = format!("rules[{}]", rule.name);
        match new.iter().find(|other| same_rule(rule, other)) {
            None => out.compare(path, Some(rule), None),
            Some(other) => {
                out.compare(format!("{path}.name"), Some(&rule.name), Some(&other.name));
                out.compare(format!("{path}.priority"), Some(&rule.priority), Some(&other.priority));
                out.compare(format!("{path}.enabled"), Some(&rule.enabled), Some(&other.enabled));
                out.compare(format!("{path}.when"), rule.when.as_ref(), other.when.as_ref());
                match (&rule.rollout, &other.rollout) {
                    (Some(a), Some(b)) if a.by == b.by && a.salt == b.salt && a.otherwise == b.otherwise => {
                        let field = format!("{path}.rollout.percentage");
                        out.compare(field, Some(&a.percentage), Some(&b.percentage));
                    }
                    (a, b) => out.compare(format!("{path}.rollout"), a.as_ref(), b.as_ref()),
                }
                match (&rule.outcome, &other.outcome) {
                    (Outcome::Value(a), Outcome::Value(b)) => {
                        out.compare(format!("{path}.outcome.value"), Some(a), Some(b));
                    }
                    (a, b) => out.compare(format!("{path}.outcome"), Some(a), Some(b)),
                }
            }
        }
    }
    for rule in new.iter().filter(|rule| !old.iter().any(|other| same_rule(other, rule))) {
        out.compare(format!("rules[{}]", rule.name), None, Some(rule));
    }
    let kept = |list: &[Rule], other: &[Rule]| -> Vec<String> {
        list.iter()
            .filter(|rule| other.iter().any(|o| same_rule(rule, o)))
            .map(|rule| rule.name.clone())
            .collect()
    };
    let (before, after) = (kept(old, new), kept(new, old));
    let renamed = |name: &String| !after.contains(name);
    if before.len() == after.len() && before != after && !before.iter().any(renamed) {
        out.compare("rules.order", Some(&before), Some(&after));
    }
}

/// One line that says what changed: "enabled true → false, rules[Nordic beta].rollout.percentage 10 → 25".
pub fn summary(differences: &[Difference]) -> String {
    const SHOWN: usize = 3;
    let short = |side: &Option<Json>| match side {
        None => "nothing".to_owned(),
        Some(json) if json.as_str().chars().count() <= 40 => json.to_string(),
        Some(_) => "…".to_owned(),
    };
    let mut parts: Vec<String> = differences
        .iter()
        .take(SHOWN)
        .map(|difference| match (&difference.before, &difference.after) {
            (None, Some(_)) if difference.field.ends_with(']') => format!("{} added", difference.field),
            (Some(_), None) if difference.field.ends_with(']') => format!("{} removed", difference.field),
            (before, after) => format!("{} {} → {}", difference.field, short(before), short(after)),
        })
        .collect();
    if differences.len() > SHOWN {
        parts.push(format!("and {} more", differences.len() - SHOWN));
    }
    parts.join(", ")
}

/// Members that differ with every change and say nothing.
const NOISE: &[&str] = &[
    "id",
    "version",
    "revision",
    "createdAt",
    "updatedAt",
    "updatedBy",
    "contextType",
    "uses",
    "lastUsedAt",
];

/// What differs in a recorded `{"before", "after"}`, member by member; what cannot be read differs in nothing.
/// Rules and variants are told apart by id or key. Values are compared and told as they were written: a number keeps
/// all of its digits.
pub fn recorded(payload: &str) -> Vec<Difference> {
    let mut out = Vec::new();
    let payload = members(payload).unwrap_or_default();
    let side = |name: &str| payload.get(name).copied().filter(|side| *side != "null");
    if let (Some(before), Some(after)) = (side("before"), side("after")) {
        compare_texts("", Some(before), Some(after), &mut out);
    }
    out
}

/// The members of an object, each as its text; `None` for anything else.
fn members(json: &str) -> Option<BTreeMap<String, &str>> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    Some(members.into_iter().map(|(name, value)| (name, value.get())).collect())
}

/// A rule or variant of a list: what it is told apart by, what it is called, and its text.
struct Entry<'a> {
    identity: String,
    label: String,
    text: &'a str,
}

/// The rules or variants of a list; `None` for anything else.
fn entries<'a>(list: &'a str, identity: &str, label: &str) -> Option<Vec<Entry<'a>>> {
    let items: Vec<&RawValue> = serde_json::from_str(list).ok()?;
    let entry = |item: &'a RawValue| {
        let members = members(item.get()).unwrap_or_default();
        let name = |member: &str| {
            members.get(member).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
        };
        Entry { identity: name(identity), label: name(label), text: item.get() }
    };
    Some(items.into_iter().map(entry).collect())
}

fn compare_texts(path: &str, before: Option<&str>, after: Option<&str>, out: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    if let (Some(old), Some(new)) = (before, after) {
        let has_members = path.is_empty() || path.ends_with(']') || path == "features";
        if has_members && let (Some(a), Some(b)) = (members(old), members(new)) {
            let mut names: Vec<&String> =
                a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))).collect();
            names.retain(|name| !NOISE.contains(&name.as_str()));
            for name in names {
                let child = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare_texts(&child, a.get(name).copied(), b.get(name).copied(), out);
            }
            return;
        }
        let (identity, label) = if path == "rules" { ("id", "name") } else { ("key", "key") };
        if matches!(path, "rules" | "variants")
            && let (Some(a), Some(b)) = (entries(old, identity, label), entries(new, identity, label))
        {
            for old in &a {
                let new = b.iter().find(|new| new.identity == old.identity);
                compare_texts(&format!("{path}[{}]", old.label), Some(old.text), new.map(|n| n.text), out);
            }
            for new in b.iter().filter(|new| !a.iter().any(|old| old.identity == new.identity)) {
                compare_texts(&format!("{path}[{}]", new.label), None, Some(new.text), out);
            }
            return;
        }
    }
    let (before, after) = (before.map(Json::compacted), after.map(Json::compacted));
    if before != after {
        out.push(Difference { field: path.to_owned(), before, after });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(before: &str, after: &str) -> Vec<(String, String, String)> {
        let side = |side: Option<Json>| side.map_or_else(String::new, |json| json.to_string());
        recorded(&format!("{{\"before\":{before},\"after\":{after}}}"))
            .into_iter()
            .map(|found| (found.field, side(found.before), side(found.after)))
            .collect()
    }

    #[test]
    fn numbers_of_a_record_are_compared_and_told_as_they_were_written() {
        for (before, after) in [
            ("1.50", "2"),
            ("12345678901234567890.5", "12345678901234567890.25"),
            ("{\"a\":1e3}", "{\"a\":1000}"),
        ] {
            let record = |value: &str| format!("{{\"defaultValue\":{value},\"version\":1}}");
            let told = [("defaultValue".to_owned(), before.to_owned(), after.to_owned())];
            assert_eq!(found(&record(before), &record(after)), told);
            assert_eq!(found(&record(before), &record(before)), []);
        }
        let rules = |value: &str| {
            format!("{{\"rules\":[{{\"id\":\"1\",\"name\":\"N\",\"outcome\":{{\"value\":{value}}}}}]}}")
        };
        assert_eq!(
            found(&rules("0.10"), &rules("0.1")),
            [("rules[N].outcome".to_owned(), "{\"value\":0.10}".to_owned(), "{\"value\":0.1}".to_owned())]
        );
    }

    #[test]
    fn rules_and_variants_of_a_record_are_told_apart() {
        let before = r#"{"rules":[{"id":"1","name":"A","enabled":true},{"id":"2","name":"B"}],"variants":[{"key":"x"}]}"#;
        let after =
            r#"{"rules":[{"id":"1","name":"A2","enabled":false},{"id":"3","name":"C"}],"variants":[]}"#;
        let fields: Vec<_> = found(before, after).into_iter().map(|(field, ..)| field).collect();
        assert_eq!(fields, ["rules[A].enabled", "rules[A].name", "rules[B]", "rules[C]", "variants[x]"]);
        assert_eq!(recorded("not JSON"), []);
        assert_eq!(found("null", before), []);
        assert_eq!(found("1", "2").len(), 1);
    }
}
