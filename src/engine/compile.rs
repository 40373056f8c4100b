//! From what people wrote to what runs: one feature, and the segments of a site.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;
use uuid::Uuid;

use super::context::Path;
use super::feature::{self, Arm, Bucketing, Definition, Otherwise, Outcome, Percent, Rule, Segment, StickTo};
use super::matcher::{self, Matcher, SegmentMatcher, Size};
use super::value::Json;

/// Parts one condition may have once its segments are written out: segments that use segments could
/// otherwise grow without bound.
const MAX_EXPANDED: usize = 20_000;
/// Levels one condition may have once its segments are written out, since evaluation descends them.
const MAX_LEVELS: usize = 200;

/// A feature as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredFeature {
    pub id: Uuid,
    pub version: u64,
    pub locked: bool,
    /// Unique in the environment; what Flagr's programs call the flag by (flagr.md §12). 0 where nothing is stored.
    pub number: u32,
    /// The number of Flagr's snapshot of this version; 0: none.
    pub snapshot: u32,
    /// Milliseconds since 1970 UTC, as `updated_at`.
    pub created_at: i64,
    pub updated_at: i64,
    pub updated_by: String,
    pub definition: Definition,
    /// What of the stored data could not be read.
    pub damage: Option<String>,
}

/// A feature ready to be evaluated, with everything it was made from.
#[derive(Debug)]
pub struct Feature {
    pub stored: StoredFeature,
    pub key: Arc<str>,
    /// In the order of evaluation, disabled ones too; as many as `stored.definition.rules`.
    pub rules: Box<[CompiledRule]>,
    /// Why it could not be compiled. It is then served as its default (design §8).
    pub broken: Option<String>,
    pub reads_clock: bool,
    /// The attributes at which its rules look, each once.
    pub attributes: Box<[Box<str>]>,
    /// One for each way to be answered, see [`slot`].
    pub slots: Box<[Slot]>,
}

/// The ways in which a feature can be answered, numbered; those of rules come behind, see
/// [`CompiledRule::first_slot`].
pub mod slot {
    /// A stored Context or the override supplied the value: as many ways as there are values. Its mark is free for
    /// what concerns the feature as a whole.
    pub const SUPPLIED: usize = 0;
    /// The switch is off.
    pub const DISABLED: usize = 1;
    /// No rule answered.
    pub const DEFAULT: usize = 2;
    /// The first slot of rules.
    pub const RULES: usize = 3;
}

/// What is kept for one way in which a feature can be answered. Both are read with each such answer, so they lie together.
#[derive(Debug, Default)]
pub struct Slot {
    pub mark: Mark,
    /// The member of an answer, once it was written.
    pub written: OnceLock<Box<[u8]>>,
}

/// Room for whoever counts to note a number, so that counting needs no look-up; it means nothing here. Zero until
/// one was noted.
#[derive(Debug, Default)]
pub struct Mark(AtomicU64);

impl Mark {
    /// The number that was noted last.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes a number.
    pub fn set(&self, to: u64) {
        self.0.store(to, Ordering::Relaxed);
    }
}

/// What a rule needs beyond what is written in it.
#[derive(Debug)]
pub struct CompiledRule {
    pub id: Box<str>,
    pub when: Option<Matcher>,
    pub reads_clock: bool,
    /// No conditions, or none that any context could fail, such as `{"all": []}`.
    pub unconditional: bool,
    pub stick: Stick,
    pub salt: Box<str>,
    /// Below [`Percent::FULL`] only some users are in.
    pub percentage: Percent,
    pub stops: bool,
    pub outcome: CompiledOutcome,
    /// The slot of its value, or of the first arm of its split; those of the other arms follow.
    pub first_slot: usize,
}

/// What a rollout takes its key from.
#[derive(Debug)]
pub enum Stick {
    TargetingKey,
    Attribute(Path),
    Attributes(Box<[Path]>),
}

/// What a rule gives to those it answers.
#[derive(Debug)]
pub enum CompiledOutcome {
    Value(Json),
    /// Indexes of variants and their weights, in the order of allocation.
    Split(Box<[(usize, Percent)]>),
}

/// The segments of a site, compiled; one that could not be is absent, and why is told by its users.
pub type Segments = HashMap<String, Arc<SegmentMatcher>>;

/// Compiles the segments of a site, each after those it uses. What is part of a cycle, names a missing
/// segment or grows too large is left out.
pub fn segments(all: &[Segment]) -> Segments {
    let mut done = Segments::with_capacity(all.len());
    for at in feature::order_segments(all).0 {
        let segment = &all[at];
        if let Ok(matcher) = matcher::compile(&segment.conditions, &done) {
            let compiled = SegmentMatcher::new(&segment.key, matcher);
            if fits(compiled.size()) {
                done.insert(segment.key.clone(), Arc::new(compiled));
            }
        }
    }
    done
}

fn fits(size: Size) -> bool {
    size.parts <= MAX_EXPANDED && size.depth <= MAX_LEVELS
}

impl Feature {
    /// Compiles one feature. It never fails: what cannot be compiled is marked [`Feature::broken`].
    pub fn compile(stored: StoredFeature, segments: &Segments) -> Self {
        let mut slots = slot::RULES;
        let rules = matcher::each(&stored.definition.rules, |rule| {
            let mut compiled = compile_rule(rule, &stored.definition, segments)
                .map_err(|error| format!("rule {:?}: {error}", rule.name))?;
            compiled.first_slot = slots;
            slots += match &compiled.outcome {
                CompiledOutcome::Value(_) => 1,
                CompiledOutcome::Split(arms) => arms.len(),
            };
            Ok::<_, String>(compiled)
        });
        let (rules, broken) = match (rules, &stored.damage) {
            (Ok(rules), None) => (rules, None),
            (Err(error), _) => (Box::default(), Some(error)),
            (_, Some(damage)) => (Box::default(), Some(damage.clone())),
        };
        let reads_clock = rules.iter().any(|rule| rule.reads_clock);
        let mut attributes: SmallVec<[&str; 8]> = SmallVec::new();
        for when in rules.iter().filter_map(|rule| rule.when.as_ref()) {
            when.attributes(&mut |name| attributes.push(name));
        }
        attributes.sort_unstable();
        attributes.dedup();
        let attributes = attributes.into_iter().map(Box::from).collect();
        let slots = (0..slots).map(|_| Slot::default()).collect();
        let key = stored.definition.key.as_str().into();
        Self { key, rules, broken, reads_clock, attributes, slots, stored }
    }

    /// What people wrote.
    pub fn definition(&self) -> &Definition {
        &self.stored.definition
    }

    /// Whether a rule splits people between this variant and others.
    pub fn splits_with(&self, variant: &str) -> bool {
        self.definition().rules.iter().any(|rule| rule.outcome.splits_with(variant))
    }
}

fn compile_rule(rule: &Rule, definition: &Definition, segments: &Segments) -> Result<CompiledRule, String> {
    let when = rule.when.as_ref().map(|condition| matcher::compile(condition, segments)).transpose()?;
    let size = when.as_ref().map(Matcher::size);
    if size.is_some_and(|size| !fits(size)) {
        return Err("is too large with its segments written out".into());
    }
    let is_crc32 = definition.bucketing == Bucketing::Crc32;
    let outcome = match &rule.outcome {
        Outcome::Value(value) => CompiledOutcome::Value(value.clone()),
        Outcome::Split(arms) => {
            let arm = |arm: &Arm| {
                let at = definition.variants.iter().position(|variant| variant.key == arm.variant);
                at.map(|at| (at, arm.weight))
                    .ok_or_else(|| format!("variant {:?} does not exist", arm.variant))
            };
            let mut arms = arms.iter().map(arm).collect::<Result<Vec<_>, _>>()?;
            if arms.is_empty() {
                return Err("the split has no variants".into());
            }
            if is_crc32 {
                // Flagr lays its ranges out by variant number, and that is the order of the variants.
                arms.sort_by_key(|(at, _)| *at);
            }
            CompiledOutcome::Split(arms.into())
        }
    };
    let rollout = rule.rollout.as_ref();
    Ok(CompiledRule {
        id: (&*rule.id.hyphenated().encode_lower(&mut Uuid::encode_buffer())).into(),
        when,
        reads_clock: size.is_some_and(|size| size.reads_clock),
        unconditional: size.is_none_or(|size| size.constant == Some(true)),
        stick: match rollout.and_then(|rollout| rollout.by.as_ref()) {
            None => Stick::TargetingKey,
            Some(StickTo::Attribute(name)) => Stick::Attribute(Path::new(name)),
            Some(StickTo::Attributes(names)) => {
                Stick::Attributes(names.iter().map(|name| Path::new(name)).collect())
            }
        },
        salt: rollout.map_or("", |rollout| rollout.salt.as_str()).into(),
        percentage: rollout.map_or(Percent::FULL, |rollout| rollout.percentage),
        stops: match rollout.and_then(|rollout| rollout.otherwise) {
            Some(otherwise) => otherwise == Otherwise::Stop,
            None => is_crc32,
        },
        outcome,
        first_slot: slot::RULES,
    })
}

/// The full shape of native-api "Feature", as REST, webhooks and the audit trail show it.
impl serde::Serialize for StoredFeature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let definition = &self.definition;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("key", &definition.key)?;
        map.serialize_entry("type", &definition.kind)?;
        map.serialize_entry("contextType", definition.context_type())?;
        map.serialize_entry("integer", &definition.integer)?;
        map.serialize_entry("enabled", &definition.enabled)?;
        map.serialize_entry("locked", &self.locked)?;
        map.serialize_entry("defaultValue", &definition.default_value)?;
        map.serialize_entry("description", &definition.description)?;
        map.serialize_entry("tags", &definition.tags)?;
        map.serialize_entry("properties", &definition.properties)?;
        map.serialize_entry("retired", &definition.retired)?;
        map.serialize_entry("bucketing", &definition.bucketing)?;
        map.serialize_entry("bucketingId", &definition.bucketing_id)?;
        map.serialize_entry("variants", &definition.variants)?;
        map.serialize_entry("rules", &definition.rules)?;
        if let Some(flagr) = &definition.flagr {
            map.serialize_entry("flagr", flagr)?;
        }
        map.serialize_entry("version", &self.version)?;
        map.serialize_entry("createdAt", &super::time::rfc3339(self.created_at))?;
        map.serialize_entry("updatedAt", &super::time::rfc3339(self.updated_at))?;
        map.serialize_entry("updatedBy", &self.updated_by)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::condition::Condition;
    use crate::testing::{answer, environment, stored};

    fn segment(key: &str, conditions: Condition) -> Segment {
        Segment { key: key.into(), name: key.into(), conditions }
    }

    fn uses(keys: &[&str]) -> Condition {
        Condition::All(keys.iter().map(|key| Condition::Segment(key.to_string())).collect())
    }

    fn compiled(all: &[Segment]) -> Vec<String> {
        let mut keys: Vec<_> = segments(all).into_keys().collect();
        keys.sort();
        keys
    }

    #[test]
    fn segments_may_use_segments_in_any_order() {
        let all = [
            segment("a", uses(&["b", "c"])),
            segment("b", uses(&["d"])),
            segment("c", uses(&["d"])),
            segment("d", uses(&[])),
        ];
        assert_eq!(compiled(&all), ["a", "b", "c", "d"]);
        let conditions = json!([
            {"key": "nordic", "conditions": {"not": {"segment": "elsewhere"}}},
            {"key": "elsewhere", "conditions": {"attribute": "country", "operator": "not_in", "values": ["SE", "NO"]}}]);
        let feature = json!({"key": "f", "type": "BOOLEAN", "defaultValue": false,
            "rules": [{"name": "r", "when": {"segment": "nordic"}, "outcome": {"value": true}}]});
        let snapshot = environment(json!([feature]), conditions, json!([]));
        assert_eq!(answer(&snapshot, "f", &json!({"country": "SE"})), "true TARGETING_MATCH rule=r");
        assert_eq!(answer(&snapshot, "f", &json!({"country": "DK"})), "false DEFAULT");
    }

    #[test]
    fn cycles_and_missing_segments_leave_out_their_users_alone() {
        let all = [
            segment("fine", uses(&[])),
            segment("a", uses(&["fine", "b"])),
            segment("b", uses(&["a"])),
            segment("above", uses(&["a"])),
            segment("lost", uses(&["gone"])),
            segment("self", uses(&["self"])),
        ];
        assert_eq!(compiled(&all), ["fine"]);
    }

    #[test]
    fn segments_that_would_grow_or_nest_without_bound_are_left_out() {
        // Each is twice the one before: 2^n parts written out.
        let doubling: Vec<_> = (0..40)
            .map(|n| {
                segment(
                    &format!("s{n}"),
                    if n == 0 { uses(&[]) } else { uses(&[format!("s{}", n - 1).as_str(); 2]) },
                )
            })
            .collect();
        let kept = segments(&doubling);
        assert!(kept.contains_key("s10") && !kept.contains_key("s20"));
        assert!(kept.values().all(|segment| segment.size().parts <= MAX_EXPANDED));

        // A chain: each level is a group and a segment.
        let chain: Vec<_> = (0..50_000)
            .map(|n| {
                segment(
                    &format!("s{n}"),
                    if n == 0 { uses(&[]) } else { uses(&[format!("s{}", n - 1).as_str()]) },
                )
            })
            .collect();
        assert_eq!(segments(&chain).len(), 100);
    }

    #[test]
    fn a_rule_may_not_be_larger_with_its_segments_than_a_segment() {
        let fine = segment("s", Condition::Any(vec![uses(&[]); 500]));
        let compiled = segments(&[fine]);
        let mut feature = stored(
            json!({"key": "f", "type": "BOOLEAN", "rules": [{"name": "r", "outcome": {"value": true}}]}),
        );
        for (times, broken) in
            [(39, None), (40, Some("rule \"r\": is too large with its segments written out"))]
        {
            feature.definition.rules[0].when = Some(uses(&vec!["s"; times]));
            assert_eq!(Feature::compile(feature.clone(), &compiled).broken.as_deref(), broken, "{times}");
        }
    }

    #[test]
    fn stored_data_that_no_write_lets_through_breaks_one_feature_and_panics_nowhere() {
        let sound = stored(json!({"key": "f", "type": "STRING", "defaultValue": "d",
            "variants": [{"key": "a", "value": "a"}],
            "rules": [{"name": "r", "outcome": {"split": [{"variant": "a", "weight": 100}]}}]}));
        type Spoil = fn(&mut Definition);
        let rows: [(Spoil, &str); 3] = [
            (|f| f.variants.clear(), "rule \"r\": variant \"a\" does not exist"),
            (|f| f.rules[0].outcome = Outcome::Split(Vec::new()), "rule \"r\": the split has no variants"),
            (
                |f| {
                    f.rules[0].when = Some(Condition::Flagr {
                        property: "a".into(),
                        operator: "is".into(),
                        value: "1".into(),
                    });
                },
                "rule \"r\": not supported operator: is",
            ),
        ];
        for (spoil, message) in rows {
            let mut spoiled = sound.clone();
            spoil(&mut spoiled.definition);
            let feature = Feature::compile(spoiled, &Segments::new());
            assert_eq!(feature.broken.as_deref(), Some(message));
            assert!(feature.rules.is_empty());
        }
        assert_eq!(Feature::compile(sound, &Segments::new()).broken, None);
    }

    #[test]
    fn a_feature_reads_the_clock_where_a_rule_or_its_segment_does() {
        let clock = json!({"attribute": "now", "operator": "after", "value": "2026-01-01"});
        let segments = json!([{"key": "s", "conditions": clock}]);
        for (when, reads) in [
            (json!({"segment": "s"}), true),
            (json!({"any": [{"not": {"segment": "s"}}]}), true),
            (clock.clone(), true),
            (json!({"attribute": "then", "operator": "after", "value": "2026-01-01"}), false),
            (json!(null), false),
        ] {
            let feature = json!({"key": "f", "type": "BOOLEAN", "rules": [{"name": "r", "when": when, "outcome": {"value": true}}]});
            let snapshot = environment(json!([feature]), segments.clone(), json!([]));
            assert_eq!(snapshot.reads_clock(), reads, "{when}");
        }
    }
}
