//! The one function that every door asks: which value does this feature have for this context, and why.
//! The order is that of feature-config §2.

use std::borrow::Cow;

use super::bucket;
use super::compile::{CompiledOutcome, CompiledRule, Feature, Stick, slot};
use super::context::{Attribute, Context};
use super::feature::{Bucketing, Percent, Rule, Variant};
use super::matcher::{Nanos, Silent, Tracer};
use super::snapshot::{ChainTooLarge, Snapshot, StoredContext};
use super::value::Json;

/// Why a value was given: the emergency override, the feature is switched off, a stored Context, a rule, a rule
/// whose rollout or split decided, the default because nothing matched, or the default of a feature without rules.
/// OpenFeature's words where it has one (native-api "Client routes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    Override,
    Disabled,
    Context,
    TargetingMatch,
    Split,
    Default,
    Static,
}

impl Reason {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Override => "OVERRIDE",
            Self::Disabled => "DISABLED",
            Self::Context => "CONTEXT",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Split => "SPLIT",
            Self::Default => "DEFAULT",
            Self::Static => "STATIC",
        }
    }
}

/// A feature's value for one context, borrowed from the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'s> {
    pub feature: &'s Feature,
    /// JSON text; `null` when there is no value.
    pub value: &'s str,
    pub reason: Reason,
    pub rule: Option<&'s Rule>,
    /// The deciding rule's id as text.
    pub rule_id: Option<&'s str>,
    pub variant: Option<&'s Variant>,
    /// The stored Context that supplied the value.
    pub context: Option<&'s str>,
    /// The place of the deciding rule and of its variant among those of the definition.
    pub place: Option<(usize, Option<usize>)>,
    /// Which of the feature's ways to be answered this is, see [`slot`].
    pub slot: usize,
}

/// How a rollout or split came out, for explanations.
#[derive(Debug)]
pub struct Allotment<'a> {
    pub stick: &'a Stick,
    pub key: Option<&'a str>,
    /// In 0..10 000 under `sha256`, 0..1 000 000 under `murmur3`, 0..1000 under `crc32`.
    pub bucket: Option<u32>,
    pub percentage: Percent,
    pub included: bool,
}

/// A [`Tracer`] that also hears about rules.
pub trait RuleTracer: Tracer {
    fn begin(&mut self, rule: &Rule);
    fn allotted(&mut self, allotment: Allotment<'_>);
    fn end(&mut self, matched: bool);
}

impl RuleTracer for Silent {
    fn begin(&mut self, _: &Rule) {}
    fn allotted(&mut self, _: Allotment<'_>) {}
    fn end(&mut self, _: bool) {}
}

/// One context asked of one snapshot; features are evaluated one by one.
#[derive(Debug)]
pub struct Evaluator<'s, 'c> {
    overrides: Option<&'s StoredContext>,
    chain: Vec<&'s StoredContext>,
    context: &'c Context<'c>,
    now: Nanos,
}

impl<'s, 'c> Evaluator<'s, 'c> {
    /// Looks up the stored Contexts that concern this context. `now` is what rules read as the clock.
    pub fn new(snapshot: &'s Snapshot, context: &'c Context<'c>, now: Nanos) -> Result<Self, ChainTooLarge> {
        Ok(Self { overrides: snapshot.overrides(), chain: snapshot.chain(context)?, context, now })
    }

    /// The value of one feature.
    pub fn evaluate(&self, feature: &'s Feature) -> Evaluation<'s> {
        self.traced(feature, &mut Silent)
    }

    /// The same, telling the tracer why.
    pub fn traced<T: RuleTracer>(&self, feature: &'s Feature, tracer: &mut T) -> Evaluation<'s> {
        let definition = feature.definition();
        let answer = |value, reason| Evaluation {
            feature,
            value,
            reason,
            rule: None,
            rule_id: None,
            variant: None,
            context: None,
            place: None,
            slot: slot::SUPPLIED,
        };
        if let Some(context) = self.overrides
            && let Some(value) = context.values.get(&feature.key)
        {
            return Evaluation { context: Some(&context.key), ..answer(value.as_str(), Reason::Override) };
        }
        if !definition.enabled {
            let disabled = answer(definition.kind.disabled_value(), Reason::Disabled);
            return Evaluation { slot: slot::DISABLED, ..disabled };
        }
        for context in &self.chain {
            if let Some(value) = context.values.get(&feature.key) {
                return Evaluation { context: Some(&context.key), ..answer(value.as_str(), Reason::Context) };
            }
        }
        let mut bases = Bases::default();
        for (place, (compiled, rule)) in feature.rules.iter().zip(&definition.rules).enumerate() {
            if !rule.enabled {
                continue;
            }
            tracer.begin(rule);
            let holds = match &compiled.when {
                Some(when) => when.holds(self.context, self.now, tracer),
                None => true,
            };
            if !holds {
                tracer.end(false);
                continue;
            }
            let allotted = self.allot(feature, compiled, &mut bases, tracer);
            tracer.end(allotted.is_some());
            match (allotted, &compiled.outcome) {
                (None, _) if compiled.stops => break,
                (None, _) => {}
                (Some(at), outcome) => {
                    let (value, chosen, several) = match outcome {
                        CompiledOutcome::Value(value) => (value, None, false),
                        CompiledOutcome::Split(arms) => {
                            (&definition.variants[arms[at].0].value, Some(arms[at].0), arms.len() > 1)
                        }
                    };
                    let partial = several || compiled.percentage < Percent::FULL;
                    let reason = if partial { Reason::Split } else { Reason::TargetingMatch };
                    return Evaluation {
                        rule: Some(rule),
                        rule_id: Some(&compiled.id),
                        variant: chosen.map(|chosen| &definition.variants[chosen]),
                        place: Some((place, chosen)),
                        slot: compiled.first_slot + at,
                        ..answer(value.as_str(), reason)
                    };
                }
            }
        }
        let value = definition.default_value.as_ref().map_or("null", Json::as_str);
        let is_static = definition.rules.is_empty() && feature.broken.is_none();
        let default = answer(value, if is_static { Reason::Static } else { Reason::Default });
        Evaluation { slot: slot::DEFAULT, ..default }
    }

    /// Whether the rollout takes this user in, and with which arm of the split (0 where there is none).
    fn allot<'k, T: RuleTracer>(
        &'k self,
        feature: &Feature,
        rule: &CompiledRule,
        bases: &mut Bases<'k>,
        tracer: &mut T,
    ) -> Option<usize> {
        let scheme = feature.definition().bucketing;
        let arms: &[(usize, Percent)] = match &rule.outcome {
            CompiledOutcome::Split(arms) => arms,
            CompiledOutcome::Value(_) => &[],
        };
        if rule.percentage == Percent::FULL && arms.len() <= 1 {
            return Some(0);
        }
        let key = self.sticky_key(&rule.stick, scheme);
        let mut taken = 0;
        let (bucket, arm) = match &key {
            None => (None, None),
            Some(key) => {
                let (bucket, arm) = match scheme {
                    Bucketing::Sha256 => {
                        let (rollout, split) = bucket::sha256(&rule.salt, key, &feature.key);
                        let included = rollout * 100 < rule.percentage.0;
                        (rollout, included.then(|| pick(arms, split * 100)))
                    }
                    Bucketing::Murmur3 => {
                        let bucket = bucket::murmur3(key, feature.bucketing_id());
                        let base = if rule.unconditional { bases.of(key) } else { 0 };
                        let (arm, sum) = murmur3_arm(bucket, base, rule.percentage, arms);
                        taken = sum;
                        (bucket, arm)
                    }
                    Bucketing::Crc32 => {
                        let bucket = bucket::crc32(feature.bucketing_id(), key);
                        (bucket, crc32_arm(bucket, rule.percentage, arms))
                    }
                };
                (Some(bucket), arm)
            }
        };
        if T::THOROUGH {
            tracer.allotted(Allotment {
                stick: &rule.stick,
                key: key.as_deref(),
                bucket,
                percentage: rule.percentage,
                included: arm.is_some(),
            });
        }
        if let (None, Some(key), true) = (arm, key, rule.unconditional && scheme == Bucketing::Murmur3) {
            bases.set(key, taken);
        }
        arm
    }

    fn sticky_key(&self, stick: &Stick, scheme: Bucketing) -> Option<Cow<'_, str>> {
        let attribute = |path| self.context.attribute(path);
        match stick {
            Stick::TargetingKey => self.context.targeting_key().map(Cow::Borrowed),
            Stick::Attribute(path) if scheme != Bucketing::Murmur3 => attribute(path)?.as_key(),
            Stick::Attribute(path) => Some(joined(std::slice::from_ref(path), attribute)),
            Stick::Attributes(paths) => Some(joined(paths, attribute)),
        }
    }
}

impl Feature {
    fn bucketing_id(&self) -> &str {
        self.definition().bucketing_id.as_deref().unwrap_or_default()
    }
}

/// Attribute values as FeatureHub's clients join them: every value by `$`, a missing one as `<none>`
/// (featurehub.md §5.2).
fn joined<'c, 'p, P>(paths: &'p [P], attribute: impl Fn(&'p P) -> Option<&'c Attribute<'c>>) -> Cow<'c, str> {
    let mut text = String::new();
    let mut first = true;
    for path in paths {
        let mut push = |part: &str| {
            if !std::mem::take(&mut first) {
                text.push('$');
            }
            text.push_str(part);
        };
        match attribute(path) {
            Some(Attribute::List(items)) if items.iter().any(|item| item.as_key().is_some()) => {
                items.iter().filter_map(Attribute::as_key).for_each(|key| push(&key));
            }
            found => push(found.and_then(Attribute::as_key).as_deref().unwrap_or("<none>")),
        }
    }
    text.into()
}

/// The arm whose cumulative weight first exceeds the position (0..1 000 000), in the order written.
fn pick(arms: &[(usize, Percent)], position: u32) -> usize {
    let mut sum = 0;
    let found = arms.iter().position(|(_, weight)| {
        sum += weight.0;
        position < sum
    });
    // Weights add up to 100, so only a feature without a split gets past the last one.
    found.unwrap_or(0)
}

/// What rules without conditions have already taken, per targeting key (featurehub.md §5.2).
#[derive(Default)]
struct Bases<'k>(Vec<(Cow<'k, str>, u32)>);

impl<'k> Bases<'k> {
    fn of(&self, key: &str) -> u32 {
        self.0.iter().find(|(have, _)| have == key).map_or(0, |(_, taken)| *taken)
    }

    fn set(&mut self, key: Cow<'k, str>, taken: u32) {
        match self.0.iter_mut().find(|(have, _)| *have == key) {
            Some((_, before)) => *before = taken,
            None => self.0.push((key, taken)),
        }
    }
}

/// FeatureHub's walk (featurehub.md §5.2 and §12): a rule without conditions begins where earlier ones of
/// that kind ended, a rule with conditions at 0; bounds are inclusive; 0 % is nobody. Also says where the
/// rule ended.
fn murmur3_arm(
    bucket: u32,
    base: u32,
    percentage: Percent,
    arms: &[(usize, Percent)],
) -> (Option<usize>, u32) {
    let whole = [(0, percentage)];
    let bands = if arms.len() > 1 { arms } else { &whole };
    let mut sum = base;
    for (at, (_, share)) in bands.iter().enumerate() {
        sum += share.0;
        if share.0 > 0 && bucket <= sum {
            return (Some(at), sum);
        }
    }
    (None, sum)
}

/// Flagr's allocation (flagr.md §5): the range of the bucket, then the rollout from its low end.
fn crc32_arm(bucket: u32, percentage: Percent, arms: &[(usize, Percent)]) -> Option<usize> {
    let whole = [(0, Percent::FULL)];
    let arms = if arms.is_empty() { &whole } else { arms };
    let mut low = 0;
    for (at, (_, weight)) in arms.iter().enumerate() {
        let high = low + weight.0 / 1000;
        if bucket < high {
            return bucket::crc32_included(bucket, low, high, percentage.0 / 10_000).then_some(at);
        }
        low = high;
    }
    None
}

#[cfg(test)]
mod tests;
