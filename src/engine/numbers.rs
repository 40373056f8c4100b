//! What Flagr keeps beside a feature (flagr.md §12): its numbers of variants, segments, constraints and
//! distributions, the ranks of segments, notes, entity type. Nothing of it changes an answer but the order of
//! the variants; it lets Flagr's programs name what they made.

use serde::Serialize;
use utoipa::ToSchema;

use super::condition::Condition;
use super::decode::{Node, Problems};
use super::feature::{Definition, MAX_RULES, Outcome, Rule};

/// The rank of a segment that nobody has put in order.
pub const NEW_RANK: u32 = 999;
/// Numbers from here on belong to features that Flagr does not know, so that they never stand in the way of a
/// flag's.
pub const ELSEWHERE: u32 = 1_000_000_000;

/// See the module. Its lists stand beside those of the feature, entry by entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "notes": "", "entityType": "user", "dataRecordsEnabled": false, "createdBy": "deploy", "variants": [11, 12],
    "segments": [{"number": 21, "rank": 0, "constraints": [31], "distributions": [41, 42]}]
}))]
pub struct Flagr {
    /// Markdown.
    #[schema(max_length = 65536)]
    pub notes: String,
    /// What takes the place of the entity type that a request names; empty: nothing does.
    #[schema(max_length = 63)]
    pub entity_type: String,
    /// Whether evaluations shall be recorded.
    pub data_records_enabled: bool,
    pub created_by: String,
    /// The numbers of the variants.
    pub variants: Vec<u32>,
    /// The numbers of the rules.
    pub segments: Vec<Segment>,
}

/// The numbers of one rule, as Flagr's segment. 0: not given yet.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = FlagrSegment)]
pub struct Segment {
    pub number: u32,
    pub rank: u32,
    /// Of the constraints, in their order.
    pub constraints: Vec<u32>,
    /// Of the arms of the split, in their order.
    pub distributions: Vec<u32>,
    /// It has no description of its own: the rule's name was given by the server.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untitled: bool,
}

/// The name of a rule whose segment has no description.
pub const UNTITLED: &str = "Segment";

impl Default for Segment {
    fn default() -> Self {
        let (constraints, distributions) = (Vec::new(), Vec::new());
        Self { number: 0, rank: NEW_RANK, constraints, distributions, untitled: false }
    }
}

impl Flagr {
    /// Reads it as it stands in a feature.
    pub fn decode(node: &Node<'_>, problems: &mut Problems) -> Option<Self> {
        let before = problems.count();
        let mut object = node.object(problems)?;
        let mut text = |name: &str, max: usize, problems: &mut Problems| {
            super::feature::text(&mut object, name, None, max, problems).unwrap_or_default()
        };
        let notes = text("notes", 64 << 10, problems);
        let entity_type = text("entityType", 63, problems);
        let created_by = text("createdBy", 200, problems);
        let data_records_enabled =
            object.take_value("dataRecordsEnabled").and_then(|node| node.boolean(problems)).unwrap_or(false);
        let variants = object.take_value("variants").map(|node| numbers(&node, problems)).unwrap_or_default();
        let mut segments = Vec::new();
        if let Some(node) = object.take_value("segments") {
            for node in node.list(MAX_RULES, problems).unwrap_or_default() {
                let Some(mut object) = node.object(problems) else { continue };
                let mut list = |name: &str, problems: &mut Problems| {
                    object.take_value(name).map(|node| numbers(&node, problems)).unwrap_or_default()
                };
                let (constraints, distributions) =
                    (list("constraints", problems), list("distributions", problems));
                let mut one = |name: &str, otherwise: u32, problems: &mut Problems| {
                    let read = object.take_value(name).map(|node| number(&node, problems));
                    read.flatten().unwrap_or(otherwise)
                };
                let (number, rank) = (one("number", 0, problems), one("rank", NEW_RANK, problems));
                let untitled =
                    object.take_value("untitled").and_then(|node| node.boolean(problems)).unwrap_or(false);
                object.finish(problems);
                segments.push(Segment { number, rank, constraints, distributions, untitled });
            }
        }
        object.finish(problems);
        let flagr = Self { notes, entity_type, data_records_enabled, created_by, variants, segments };
        (problems.count() == before).then_some(flagr)
    }

    /// Every number with its kind: `variant`, `segment`, `constraint` or `distribution`.
    pub fn all(&self) -> Vec<(&'static str, u32)> {
        let mut all: Vec<_> = self.variants.iter().map(|number| ("variant", *number)).collect();
        for segment in &self.segments {
            all.push(("segment", segment.number));
            all.extend(segment.constraints.iter().map(|number| ("constraint", *number)));
            all.extend(segment.distributions.iter().map(|number| ("distribution", *number)));
        }
        all
    }

    /// The same, to be given.
    pub fn all_mut(&mut self) -> Vec<(&'static str, &mut u32)> {
        let mut all: Vec<_> = self.variants.iter_mut().map(|number| ("variant", number)).collect();
        for segment in &mut self.segments {
            all.push(("segment", &mut segment.number));
            all.extend(segment.constraints.iter_mut().map(|number| ("constraint", number)));
            all.extend(segment.distributions.iter_mut().map(|number| ("distribution", number)));
        }
        all
    }
}

fn number(node: &Node<'_>, problems: &mut Problems) -> Option<u32> {
    node.integer(0, u64::from(u32::MAX), problems).map(|number| number as u32)
}

fn numbers(node: &Node<'_>, problems: &mut Problems) -> Vec<u32> {
    let items = node.list(MAX_RULES, problems).unwrap_or_default();
    items.iter().filter_map(|node| number(node, problems)).collect()
}

/// A constraint as it was sent: property, operator, value.
pub type Sent<'a> = (&'a str, &'a str, &'a str);

/// The constraints of a rule, in their order.
pub fn constraints(rule: &Rule) -> Vec<Sent<'_>> {
    let mut found = Vec::new();
    if let Some(when) = &rule.when {
        collect(when, &mut found);
    }
    found
}

fn collect<'c>(condition: &'c Condition, found: &mut Vec<Sent<'c>>) {
    match condition {
        Condition::All(list) | Condition::Any(list) => list.iter().for_each(|one| collect(one, found)),
        Condition::Not(inner) => collect(inner, found),
        Condition::Flagr { property, operator, value } => found.push((property, operator, value)),
        Condition::Segment(_) | Condition::Leaf(_) => {}
    }
}

fn arms(rule: &Rule) -> Vec<&str> {
    match &rule.outcome {
        Outcome::Split(arms) => arms.iter().map(|arm| arm.variant.as_str()).collect(),
        Outcome::Value(_) => Vec::new(),
    }
}

/// Brings the numbers of a `crc32` feature into line with its variants and rules: what was there before keeps
/// its number, what is new has 0. Numbers that the caller wrote itself stay. The variants then stand by number,
/// as Flagr lays out its ranges (flagr.md §5).
pub fn align(before: Option<&Definition>, definition: &mut Definition) {
    let untouched = |before: &&Definition| definition.flagr.is_none() || before.flagr == definition.flagr;
    let kept = before
        .filter(|before| before.flagr.is_some())
        .filter(untouched)
        .map(|before| carried(before, definition));
    let mut flagr = kept.or(definition.flagr.take()).unwrap_or_default();
    flagr.variants.resize(definition.variants.len(), 0);
    flagr.segments.resize(definition.rules.len(), Segment::default());
    let mut paired: Vec<_> =
        flagr.variants.iter().copied().zip(std::mem::take(&mut definition.variants)).collect();
    // New ones stay behind, as they stand.
    paired.sort_by_key(|(number, _)| number.wrapping_sub(1));
    (flagr.variants, definition.variants) = paired.into_iter().unzip();
    let mut last = None;
    let mut in_order = true;
    for (rule, segment) in definition.rules.iter().zip(&mut flagr.segments) {
        segment.constraints.resize(constraints(rule).len(), 0);
        segment.distributions.resize(arms(rule).len(), 0);
        let place = (segment.rank, segment.number.wrapping_sub(1));
        in_order &=
            last.is_none_or(|last: (u32, u32)| last < place || segment.number == 0 && last.0 <= segment.rank);
        last = Some(place);
    }
    if !in_order {
        for (rank, segment) in (0..).zip(&mut flagr.segments) {
            segment.rank = rank;
        }
    }
    definition.flagr = Some(flagr);
}

/// The numbers that `before` had, for what of it is still in `after`.
fn carried(before: &Definition, after: &Definition) -> Flagr {
    let old = before.flagr.clone().unwrap_or_default();
    let variant_number = |definition: &Definition, flagr: &Flagr, key: &str| {
        let at = definition.variants.iter().position(|variant| variant.key == key)?;
        flagr.variants.get(at).copied()
    };
    let same_length = before.variants.len() == after.variants.len();
    let renamed = |at: usize| {
        // In the place of one that is gone: that one, with another key.
        let gone = &before.variants.get(at)?.key;
        let is_gone = same_length && after.variants.iter().all(|variant| variant.key != *gone);
        old.variants.get(at).copied().filter(|_| is_gone)
    };
    let variants: Vec<u32> = after
        .variants
        .iter()
        .enumerate()
        .map(|(at, variant)| {
            variant_number(before, &old, &variant.key).or_else(|| renamed(at)).unwrap_or_default()
        })
        .collect();
    let new = Flagr { variants, ..old.clone() };
    let segments = after
        .rules
        .iter()
        .map(|rule| {
            let at = before.rules.iter().position(|other| !rule.id.is_nil() && other.id == rule.id);
            let Some((other, known)) = at.and_then(|at| Some((&before.rules[at], old.segments.get(at)?)))
            else {
                return Segment::default();
            };
            let (was, is) = (constraints(other), constraints(rule));
            let alone = was.len() == is.len();
            let mut left: Vec<_> = was.into_iter().zip(known.constraints.iter().copied()).map(Some).collect();
            let mut numbers: Vec<Option<u32>> = vec![None; is.len()];
            if alone {
                // What did not move first: one that was edited may read like another now.
                for ((one, number), same) in is.iter().zip(&mut numbers).zip(&mut left) {
                    *number = same.take_if(|same| same.0 == *one).map(|(_, number)| number);
                }
            }
            for (one, number) in is.iter().zip(&mut numbers).filter(|(_, number)| number.is_none()) {
                let same = left.iter_mut().find(|same| matches!(same, Some((text, _)) if text == one));
                *number = same.and_then(Option::take).map(|(_, number)| number);
            }
            if alone {
                // One that was edited keeps its place among those that were not.
                let mut left = left.into_iter().flatten();
                for number in numbers.iter_mut().filter(|number| number.is_none()) {
                    *number = left.next().map(|(_, number)| number);
                }
            }
            let constraints = numbers.into_iter().map(Option::unwrap_or_default).collect();
            let distributions = arms(rule)
                .into_iter()
                .map(|key| {
                    let number = variant_number(after, &new, key).filter(|number| *number > 0);
                    let at = arms(other)
                        .iter()
                        .position(|key| number.is_some() && variant_number(before, &old, key) == number);
                    at.and_then(|at| known.distributions.get(at).copied()).unwrap_or_default()
                })
                .collect();
            Segment { constraints, distributions, ..known.clone() }
        })
        .collect();
    Flagr { segments, ..new }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::stored;

    fn flag() -> Definition {
        let split = json!({"split": [{"variant": "a", "weight": 50}, {"variant": "b", "weight": 50}]});
        let leaf = |value: &str| json!({"flagr": {"property": "x", "operator": "EQ", "value": value}});
        let mut definition =
            stored(json!({"key": "f", "type": "STRING", "defaultValue": "", "bucketing": "crc32",
            "bucketingId": "7",
            "variants": [{"key": "a", "value": "a"}, {"key": "b", "value": "b"}],
            "rules": [{"name": "one", "when": {"all": [leaf("1"), leaf("2")]}, "outcome": split},
                      {"name": "two", "outcome": {"value": ""}}],
            "flagr": {"variants": [11, 12], "segments": [
                {"number": 21, "rank": 0, "constraints": [31, 32], "distributions": [41, 42]},
                {"number": 22, "rank": 999}]}}))
            .definition;
        for (rule, id) in definition.rules.iter_mut().zip(1..) {
            rule.id = uuid::Uuid::from_u128(id);
        }
        definition
    }

    /// The first rule with constraints of these values instead.
    fn constrain(definition: &mut Definition, values: &[&str]) {
        let leaf = |value: &&str| Condition::Flagr {
            property: "x".into(),
            operator: "EQ".into(),
            value: (*value).into(),
        };
        definition.rules[0].when = Some(Condition::All(values.iter().map(leaf).collect()));
    }

    fn numbers(definition: &Definition) -> String {
        let flagr = definition.flagr.as_ref().expect("numbers");
        let segments: Vec<_> = flagr
            .segments
            .iter()
            .map(|s| format!("{}@{} {:?} {:?}", s.number, s.rank, s.constraints, s.distributions))
            .collect();
        format!("{:?} | {}", flagr.variants, segments.join(" | "))
    }

    #[test]
    fn what_stays_keeps_its_number_through_native_edits() {
        type Edit = fn(&mut Definition);
        let rows: [(Edit, &str); 12] = [
            (|_| {}, "[11, 12] | 21@0 [31, 32] [41, 42] | 22@999 [] []"),
            (|f| f.variants.swap(0, 1), "[11, 12] | 21@0 [31, 32] [41, 42] | 22@999 [] []"),
            (
                |f| {
                    f.variants[0].key = "c".into();
                    if let Outcome::Split(arms) = &mut f.rules[0].outcome {
                        arms[0].variant = "c".into();
                    }
                },
                "[11, 12] | 21@0 [31, 32] [41, 42] | 22@999 [] []",
            ),
            (|f| f.rules.swap(0, 1), "[11, 12] | 22@0 [] [] | 21@1 [31, 32] [41, 42]"),
            (|f| drop(f.rules.remove(0)), "[11, 12] | 22@999 [] []"),
            (|f| constrain(f, &["2", "9"]), "[11, 12] | 21@0 [32, 31] [41, 42] | 22@999 [] []"),
            (|f| constrain(f, &["2", "1"]), "[11, 12] | 21@0 [32, 31] [41, 42] | 22@999 [] []"),
            (|f| constrain(f, &["2", "2"]), "[11, 12] | 21@0 [31, 32] [41, 42] | 22@999 [] []"),
            (|f| constrain(f, &["1", "1"]), "[11, 12] | 21@0 [31, 32] [41, 42] | 22@999 [] []"),
            (|f| constrain(f, &["2"]), "[11, 12] | 21@0 [32] [41, 42] | 22@999 [] []"),
            (|f| constrain(f, &["1", "9", "2"]), "[11, 12] | 21@0 [31, 0, 32] [41, 42] | 22@999 [] []"),
            (
                |f| {
                    let mut rule = f.rules[1].clone();
                    rule.id = uuid::Uuid::nil();
                    f.rules.push(rule);
                    f.variants.insert(
                        0,
                        super::super::feature::Variant { key: "z".into(), ..f.variants[0].clone() },
                    );
                },
                "[11, 12, 0] | 21@0 [31, 32] [41, 42] | 22@999 [] [] | 0@999 [] []",
            ),
        ];
        for (edit, expected) in rows {
            let before = flag();
            let mut after = before.clone();
            edit(&mut after);
            align(Some(&before), &mut after);
            assert_eq!(numbers(&after), expected);
            // Written down and read again, nothing moves.
            let again = after.clone();
            align(Some(&again), &mut after);
            assert_eq!(again, after);
        }
    }

    #[test]
    fn a_feature_without_numbers_gets_room_for_them() {
        let mut feature = flag();
        feature.flagr = None;
        align(None, &mut feature);
        assert_eq!(numbers(&feature), "[0, 0] | 0@999 [0, 0] [0, 0] | 0@999 [] []");
        let mut kept = flag();
        kept.flagr = None;
        align(Some(&flag()), &mut kept);
        assert_eq!(numbers(&kept), numbers(&flag()));
    }
}
