//! The comparison of a feature's variants: who was given which, and what they did afterwards.

use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;

use super::Question;
use crate::engine::feature::{Definition, Outcome};
use crate::error::{Error, Result};
use crate::statistics::{self, Proportion};
use crate::store::analytics::read::{self, Arms};

/// The probability of a false alarm that is accepted, over all comparisons with the control together.
const ALPHA: f64 = 0.05;
/// Below this probability a split is called a mismatch: rare enough not to cry wolf (Fabijan et al. 2019).
const MISMATCH: f64 = 0.001;

/// How the variants of a feature do.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VariantComparison, example = json!({
    "feature": "new_checkout", "event": "purchase", "events": ["purchase"], "variants": [
        {"variant": "control", "people": 1000, "converted": 200, "rate": 0.2, "interval": [0.1764, 0.2259], "value": 9800.0,
         "expected": 0.5, "control": true, "comparison": null},
        {"variant": "blue", "people": 1000, "converted": 240, "rate": 0.24, "interval": [0.2146, 0.2674], "value": 11900.0,
         "expected": 0.5, "control": false, "comparison": {"difference": 0.04, "interval": [0.0037, 0.0762],
         "pValue": 0.0308, "significant": true, "enough": true}}],
    "sampleRatio": {"pValue": 1.0, "mismatch": false}, "mixed": 0, "sampled": 1.0
}))]
pub struct View {
    pub feature: String,
    /// The event that counts as a success; `null` while none was reported.
    #[schema(required)]
    pub event: Option<String>,
    /// All that were reported in the environment.
    pub events: Vec<String>,
    /// The control first.
    pub variants: Vec<VariantFigures>,
    /// Whether people were split as the weights say; `null` where there is nothing to test.
    #[schema(required)]
    pub sample_ratio: Option<SampleRatio>,
    /// People who were given several variants. They are left out.
    pub mixed: u64,
    /// The share of people who take part, chosen by hash: 1 up to 50 000 people of the feature.
    pub sampled: f64,
}

/// One variant: people who were first given it in the range, and how many of them did it afterwards.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VariantFigures)]
pub struct VariantFigures {
    pub variant: String,
    pub people: u64,
    pub converted: u64,
    /// 0 to 1.
    pub rate: f64,
    /// Where the true rate lies with 95 % confidence (Wilson).
    pub interval: [f64; 2],
    /// The sum of the values of their events.
    pub value: f64,
    /// The share of people who should have it, as the weights stand now; `null` when no rule splits with it any more.
    #[schema(required)]
    pub expected: Option<f64>,
    pub control: bool,
    /// With the control; `null` for the control itself.
    #[schema(required)]
    pub comparison: Option<VariantDifference>,
}

/// How a variant differs from the control.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VariantDifference)]
pub struct VariantDifference {
    /// Its rate less that of the control.
    pub difference: f64,
    /// Where the true difference lies (Newcombe), with 95 % confidence over all comparisons together (Bonferroni).
    pub interval: [f64; 2],
    /// Of the two-sided two-proportion z test, multiplied by the number of comparisons; `null` where there is nothing
    /// to test.
    #[schema(required)]
    pub p_value: Option<f64>,
    /// Whether `pValue` is below 0.05 and there are enough people.
    pub significant: bool,
    /// Whether there are enough people for the test: at least five expected successes and failures on both sides.
    pub enough: bool,
}

/// The test of the split itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SampleRatio)]
pub struct SampleRatio {
    /// How likely a split this far off would be, if people were split as they should be (Pearson's χ²).
    pub p_value: f64,
    /// Whether it is below 0.001: something loses or favours people, and no rate here can be trusted.
    pub mismatch: bool,
}

/// The weights of the variants in a rule's split, in percent.
fn weights(definition: &Definition, rule: &str) -> Option<Vec<(String, f64)>> {
    let rule = definition.rules.iter().find(|one| one.id.to_string() == rule)?;
    match &rule.outcome {
        Outcome::Split(arms) if arms.len() > 1 => {
            Some(arms.iter().map(|arm| (arm.variant.clone(), f64::from(arm.weight.0))).collect())
        }
        _ => None,
    }
}

/// How many people should have been given each variant: those of each rule that still splits, by its weights. Of the
/// people of other rules nothing is expected. With the people of those rules, by variant.
fn expected(definition: &Definition, arms: &Arms) -> Vec<(String, f64, u64)> {
    let mut found: Vec<(String, f64, u64)> = Vec::new();
    let mut rules: Vec<&str> = arms.arms.iter().map(|arm| arm.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    for rule in rules {
        let Some(weights) = weights(definition, rule) else { continue };
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let of_rule = || arms.arms.iter().filter(|arm| arm.rule == rule);
        let people: u64 = of_rule().map(|arm| arm.people).sum();
        let mut note = |variant: &str, wanted: f64, had: u64| match found
            .iter_mut()
            .find(|(have, ..)| have == variant)
        {
            Some((_, sum, count)) => {
                *sum += wanted;
                *count += had;
            }
            None => found.push((variant.to_owned(), wanted, had)),
        };
        for (variant, weight) in &weights {
            note(variant, people as f64 * weight / total.max(1.0), 0);
        }
        for arm in of_rule() {
            note(&arm.variant, 0.0, arm.people);
        }
    }
    found
}

/// Compares the variants of the question's feature by an event: the first one that was reported when none is named.
pub fn compare(
    conn: &Connection,
    question: &Question,
    event: Option<&str>,
    control: Option<&str>,
) -> Result<View> {
    let Some((key, _)) = &question.feature else {
        return Err(Error::invalid("feature", "is required"));
    };
    let feature = question.snapshot.feature(key);
    let definition = feature.ok_or_else(|| Error::NotFound(format!("feature {key}")))?.definition();
    let events = read::events(conn, question.environment)?;
    let event = event.map(str::to_owned).or_else(|| events.first().cloned());
    let arms =
        read::arms(conn, question.environment, key, event.as_deref().unwrap_or_default(), &question.days)?;

    let mut rows: Vec<(String, Proportion, f64)> = Vec::new();
    for arm in &arms.arms {
        let more = Proportion { successes: arm.converted, tries: arm.people };
        match rows.iter_mut().find(|(variant, ..)| *variant == arm.variant) {
            Some((_, have, value)) => {
                have.successes += more.successes;
                have.tries += more.tries;
                *value += arm.total;
            }
            None => rows.push((arm.variant.clone(), more, arm.total)),
        }
    }
    let place = |variant: &str| definition.variants.iter().position(|one| one.key == variant);
    rows.sort_by_key(|(variant, ..)| (place(variant).unwrap_or(usize::MAX), variant.clone()));
    if let Some(wanted) = control {
        let at = rows.iter().position(|(variant, ..)| variant == wanted);
        let at = at.ok_or_else(|| Error::invalid("control", "nobody was given this variant"))?;
        let row = rows.remove(at);
        rows.insert(0, row);
    }

    let wanted = expected(definition, &arms);
    let observed: Vec<u64> = wanted.iter().map(|(_, _, people)| *people).collect();
    let shares: Vec<f64> = wanted.iter().map(|(_, people, _)| *people).collect();
    let all: f64 = shares.iter().sum();
    let sample_ratio = statistics::sample_ratio(&observed, &shares)
        .map(|p_value| SampleRatio { p_value, mismatch: p_value < MISMATCH });

    let comparisons = rows.len().saturating_sub(1).max(1) as f64;
    let base = rows.first().map(|(_, proportion, _)| *proportion);
    let z = statistics::normal_critical(ALPHA);
    let variants = rows
        .iter()
        .enumerate()
        .map(|(at, (variant, proportion, value))| {
            let interval = proportion.interval(z);
            let comparison = base.filter(|_| at > 0).map(|base| {
                let found = statistics::compare(base, *proportion, ALPHA / comparisons);
                let p_value = found.p_value.map(|p| (p * comparisons).min(1.0));
                VariantDifference {
                    difference: found.difference,
                    interval: [found.interval.0, found.interval.1],
                    p_value,
                    significant: found.enough && p_value.is_some_and(|p| p < ALPHA),
                    enough: found.enough,
                }
            });
            let should = wanted.iter().find(|(have, ..)| have == variant);
            VariantFigures {
                variant: variant.clone(),
                people: proportion.tries,
                converted: proportion.successes,
                rate: proportion.rate(),
                interval: [interval.0, interval.1],
                value: *value,
                expected: should.filter(|_| all > 0.0).map(|(_, people, _)| people / all),
                control: at == 0,
                comparison,
            }
        })
        .collect();
    Ok(View {
        feature: key.clone(),
        event,
        events,
        variants,
        sample_ratio,
        mixed: arms.mixed,
        sampled: arms.share,
    })
}
