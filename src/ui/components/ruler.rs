//! The ruler: every share in the product is drawn on the same 0–100. SVG with positions in percent attributes,
//! so that no inline style is needed.

use maud::{Markup, html};

use crate::engine::compile::Feature;
use crate::engine::feature::{Definition, Outcome, Percent, Rule};
use crate::engine::value::Json;

/// One part of a ruler.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// `f` for a plain share, `v1`–`v3` for variants, `v0` for those who get the default anyway.
    pub class: &'static str,
    pub percent: Percent,
    pub label: String,
}

/// `35 %`.
pub fn percent(share: Percent) -> String {
    format!("{share}\u{a0}%")
}

const VARIANTS: [&str; 3] = ["v1", "v2", "v3"];

/// A bar from 0 to 100 with these parts.
pub fn ruler(shares: &[Share], label: &str, tall: bool) -> Markup {
    let mut from = 0;
    let placed: Vec<(u32, &Share)> = shares
        .iter()
        .map(|share| {
            let at = from;
            from += share.percent.0;
            (at, share)
        })
        .collect();
    html! {
        svg.ruler.tall[tall] role="img" aria-label=(label) {
            rect.bed width="100%" height="100%" rx="2" {}
            @for (from, share) in &placed {
                rect class=(share.class) x={ (Percent(*from)) "%" } width={ (share.percent) "%" } height="100%" {}
            }
            @for (from, _) in placed.iter().skip(1) {
                line.tick x1={ (Percent(*from)) "%" } x2={ (Percent(*from)) "%" } y1="0" y2="100%" {}
            }
        }
    }
}

/// The colour of a variant, for rows and legends.
pub fn swatch(class: &str) -> Markup {
    html! { svg.sw aria-hidden="true" { rect class=(class) width="100%" height="100%" {} } }
}

fn anchor(at: u32) -> &'static str {
    match at {
        0 => "start",
        100 => "end",
        _ => "middle",
    }
}

/// Ticks every five percent, numbers every 25.
pub fn scale() -> Markup {
    html! {
        svg.scale aria-hidden="true" {
            @for at in (0..=100_u32).step_by(5) {
                @let place = format!("{at}%");
                line x1=(place) x2=(place) y1="0" y2=(if at % 25 == 0 { "5" } else { "3" }) {}
                @if at % 25 == 0 { text x=(place) y="17" text-anchor=(anchor(at)) { (at) } }
            }
        }
    }
}

/// Where a bucket falls beside a rollout.
pub fn bucket(at: Percent, rollout: Percent, included: bool) -> Markup {
    let place = format!("{at}%");
    let side = if included { "inside" } else { "outside" };
    html! {
        svg.bucket role="img" aria-label={ "Bucket " (at) " of 100, " (side) " the rollout of " (rollout) " percent" } {
            rect.bed x="0" y="26" width="100%" height="10" {}
            rect.f x="0" y="26" width={ (rollout) "%" } height="10" {}
            line.pin x1=(place) x2=(place) y1="16" y2="40" {}
            circle.tip cx=(place) cy="16" r="3" {}
            text.here x=(place) y="8" text-anchor=(if at.0 < 80_000 { "start" } else if at.0 > 920_000 { "end" } else { "middle" }) { (at) }
            @for tick in (0..=100_u32).step_by(5) {
                @let place = format!("{tick}%");
                line.t x1=(place) x2=(place) y1="40" y2=(if tick % 25 == 0 { "46" } else { "43" }) {}
                @if tick % 25 == 0 { text x=(place) y="58" text-anchor=(anchor(tick)) { (tick) } }
            }
        }
    }
}

/// A value on one line: text without quotes, anything long cut short.
pub fn short_value(value: &Json) -> String {
    let text = value.to_text().unwrap_or_else(|| value.to_string());
    if text.chars().count() <= 48 {
        return text;
    }
    text.chars().take(47).chain(['…']).collect()
}

/// What a rule gives to how many of those it is for, in the order of allocation.
pub fn shares(rule: &Rule, definition: &Definition) -> Vec<Share> {
    let rollout = rule.rollout.as_ref().map_or(Percent::FULL, |rollout| rollout.percentage);
    let default = definition.default_value.as_ref();
    match &rule.outcome {
        Outcome::Value(value) => {
            let class = if Some(value) == default { "v0" } else { "f" };
            vec![Share { class, percent: rollout, label: short_value(value) }]
        }
        Outcome::Split(arms) => arms
            .iter()
            .filter(|arm| arm.weight.0 > 0)
            .map(|arm| Share {
                class: variant_class(definition, &arm.variant),
                percent: Percent((u64::from(arm.weight.0) * u64::from(rollout.0) / 1_000_000) as u32),
                label: arm.variant.clone(),
            })
            .collect(),
    }
}

/// The colour of a variant: none for one that holds the default value.
pub fn variant_class(definition: &Definition, key: &str) -> &'static str {
    let Some(at) = definition.variants.iter().position(|variant| variant.key == key) else { return "v0" };
    let default = definition.default_value.as_ref();
    if Some(&definition.variants[at].value) == default {
        return "v0";
    }
    let before = definition.variants[..at].iter().filter(|variant| Some(&variant.value) != default).count();
    VARIANTS[before % VARIANTS.len()]
}

/// The share of those a rule is for who get something else than the default.
pub fn reach(rule: &Rule, definition: &Definition) -> Percent {
    let rollout = rule.rollout.as_ref().map_or(Percent::FULL, |rollout| rollout.percentage);
    let weight = match &rule.outcome {
        Outcome::Value(value) if Some(value) == definition.default_value.as_ref() => 0,
        Outcome::Value(_) => Percent::FULL.0,
        Outcome::Split(arms) => arms
            .iter()
            .filter(|arm| variant_class(definition, &arm.variant) != "v0")
            .map(|arm| arm.weight.0)
            .sum(),
    };
    Percent((u64::from(weight) * u64::from(rollout.0) / 1_000_000) as u32)
}

/// The enabled rule that reaches the largest share.
pub fn widest(feature: &Feature) -> Option<(&Rule, Percent)> {
    let definition = feature.definition();
    let rules = definition.rules.iter().filter(|rule| rule.enabled);
    rules.map(|rule| (rule, reach(rule, definition))).rev().max_by_key(|(_, reach)| *reach)
}

/// Shares in words: `banner_type_B 11.5 %, Default 88.5 %`.
pub fn in_words(shares: &[Share]) -> String {
    match shares {
        [only] if only.percent == Percent::FULL => only.label.clone(),
        many => {
            let words: Vec<_> =
                many.iter().map(|share| format!("{} {}", share.label, percent(share.percent))).collect();
            words.join(", ")
        }
    }
}
