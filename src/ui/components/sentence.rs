//! Conditions as sentences: what a closed rule, a segment and the history say.

use maud::{Markup, html};

use crate::engine::condition::{Condition, Operator, Scalar};

/// Values shown before "and 7 more".
const SHOWN: usize = 3;

/// An operator as the list of choices names it.
pub fn operator_name(operator: Operator) -> &'static str {
    match operator {
        Operator::Equals => "equals",
        Operator::NotEquals => "not equals",
        Operator::In => "is one of",
        Operator::NotIn => "is none of",
        Operator::Contains => "contains",
        Operator::NotContains => "does not contain",
        Operator::StartsWith => "starts with",
        Operator::EndsWith => "ends with",
        Operator::GreaterThan => "greater than",
        Operator::GreaterOrEqual => "at least",
        Operator::LessThan => "less than",
        Operator::LessOrEqual => "at most",
        Operator::Matches => "matches (regex)",
        Operator::Exists => "exists",
        Operator::NotExists => "does not exist",
        Operator::SemverEq => "version is",
        Operator::SemverGt => "version after",
        Operator::SemverGte => "version at least",
        Operator::SemverLt => "version before",
        Operator::SemverLte => "version at most",
        Operator::Before => "before",
        Operator::After => "after",
        Operator::IpIn => "in network",
    }
}

fn operator_words(operator: Operator, several: bool) -> &'static str {
    match operator {
        Operator::Equals | Operator::In if !several => "is",
        Operator::NotEquals | Operator::NotIn if !several => "is not",
        Operator::Equals => "is one of",
        Operator::NotEquals => "is none of",
        Operator::GreaterThan => "is greater than",
        Operator::GreaterOrEqual => "is at least",
        Operator::LessThan => "is less than",
        Operator::LessOrEqual => "is at most",
        Operator::Matches => "matches",
        Operator::SemverEq => "is version",
        Operator::SemverGt => "is after version",
        Operator::SemverGte => "is at least version",
        Operator::SemverLt => "is before version",
        Operator::SemverLte => "is at most version",
        Operator::Before => "is before",
        Operator::After => "is after",
        Operator::IpIn => "is in network",
        other => operator_name(other),
    }
}

/// A scalar as people read it.
pub fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) if text.is_empty() => "\"\"".into(),
        Scalar::Text(text) => text.clone(),
        Scalar::Number(text) => text.clone(),
        Scalar::Bool(value) => value.to_string(),
    }
}

/// A whole condition; nothing of it is left out but long lists of values.
pub fn condition(when: Option<&Condition>) -> Markup {
    html! {
        @match when {
            None => "Everyone.",
            Some(Condition::All(parts)) if parts.is_empty() => "Everyone.",
            Some(Condition::Any(parts)) if parts.is_empty() => "Nobody.",
            Some(when) => { (part(when, true)) "." },
        }
    }
}

fn joined(parts: &[Condition], word: &str, outer: bool) -> Markup {
    let brackets = !outer && parts.len() > 1;
    html! {
        @if parts.is_empty() { em { (if word == "and" { "everyone" } else { "nobody" }) } }
        @if brackets { em { "(" } }
        @for (at, inner) in parts.iter().enumerate() {
            @if at > 0 { " " (word) " " }
            (part(inner, parts.len() == 1 && outer))
        }
        @if brackets { em { ")" } }
    }
}

fn part(when: &Condition, outer: bool) -> Markup {
    match when {
        Condition::All(parts) => joined(parts, "and", outer),
        Condition::Any(parts) => joined(parts, "or", outer),
        Condition::Not(inner) => html! { "not " (part(inner, false)) },
        Condition::Segment(key) => html! { "in segment " code { (key) } },
        Condition::Flagr { property, operator, value } => {
            html! { b { (property) } " " (operator) " " code { (value) } }
        }
        Condition::Leaf(leaf) => {
            let values = leaf.operands.as_slice();
            html! {
                b { (leaf.attribute) } " " (operator_words(leaf.operator, values.len() > 1))
                @for value in values.iter().take(SHOWN) { " " code { (scalar(value)) } }
                @if values.len() > SHOWN { " " em { "and " (values.len() - SHOWN) " more" } }
            }
        }
    }
}
