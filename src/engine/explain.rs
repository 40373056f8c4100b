//! The test console's answer: the value, and why each rule did or did not give it (native-api
//! `POST /evaluate:explain`). Made by a [`Tracer`] on the evaluation itself.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use super::compile::{Feature, Stick};
use super::condition::Leaf;
use super::context::Attribute;
use super::evaluate::{Allotment, Evaluation, Evaluator, RuleTracer};
use super::feature::{Percent, Rule, StickTo};
use super::flagr::Constraint;
use super::matcher::{Group, Tracer};
use super::shapes::WhyShape;

/// How one part of a condition came out.
#[derive(Debug, Clone)]
pub enum Why {
    Group {
        kind: &'static str,
        segment: Option<String>,
        parts: Vec<Why>,
        result: bool,
    },
    Leaf {
        leaf: Leaf,
        actual: Option<Value>,
        result: bool,
    },
    /// A constraint of the Flagr door, as the expression that was sent.
    Flagr {
        constraint: String,
        result: bool,
        problem: Option<String>,
    },
}

/// How a rollout came out.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RolloutTrace, example = json!({
    "by": "userId", "key": "123", "bucket": 1207, "percentage": 25.5, "included": true
}))]
pub struct Rollout {
    /// The attribute stuck to, or several; `userId` for the targeting key.
    #[schema(value_type = StickTo)]
    pub by: Value,
    /// What was hashed; `null` when the context has no such key.
    #[schema(required)]
    pub key: Option<String>,
    /// In 0..10 000 under `sha256`, 0..1 000 000 under `murmur3`, 0..1 000 under `crc32`.
    #[schema(required)]
    pub bucket: Option<u32>,
    pub percentage: Percent,
    pub included: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

/// How one rule came out.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RuleTrace {
    pub id: String,
    pub name: String,
    pub priority: u8,
    pub matched: bool,
    /// `null` for a rule without conditions, and where `skipped` says why it was not asked.
    #[schema(required, value_type = Option<WhyShape>)]
    pub why: Option<Why>,
    #[schema(required)]
    pub rollout: Option<Rollout>,
    /// Why the rule was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<&'static str>,
}

impl RuleTrace {
    fn new(rule: &Rule) -> Self {
        Self {
            id: rule.id.to_string(),
            name: rule.name.clone(),
            priority: rule.priority,
            matched: false,
            why: None,
            rollout: None,
            skipped: None,
        }
    }
}

/// An evaluation with its trace.
#[derive(Debug)]
pub struct Explanation<'s> {
    pub evaluation: Evaluation<'s>,
    pub rules: Vec<RuleTrace>,
}

impl Explanation<'_> {
    /// How the rollout that decided, or else the last one that left the user out, came out.
    pub fn rollout(&self) -> Option<&Rollout> {
        self.rules
            .iter()
            .filter(|rule| rule.rollout.is_some())
            .max_by_key(|rule| rule.matched)
            .and_then(|rule| rule.rollout.as_ref())
    }
}

/// Evaluates one feature and tells why.
pub fn explain<'s>(evaluator: &Evaluator<'s, '_>, feature: &'s Feature) -> Explanation<'s> {
    let mut trace = Trace::default();
    let evaluation = evaluator.traced(feature, &mut trace);
    // The enabled rules were asked in order, until one decided.
    let mut traced = trace.rules.into_iter();
    let rules = feature
        .definition()
        .rules
        .iter()
        .map(|rule| {
            if rule.enabled
                && let Some(next) = traced.next()
            {
                return next;
            }
            let skipped = if !rule.enabled {
                "the rule is disabled"
            } else if feature.broken.is_some() {
                "the feature could not be compiled"
            } else {
                "something before it decided"
            };
            RuleTrace { skipped: Some(skipped), ..RuleTrace::new(rule) }
        })
        .collect();
    Explanation { evaluation, rules }
}

#[derive(Default)]
struct Trace {
    rules: Vec<RuleTrace>,
    open: Vec<(Opened, Vec<Why>)>,
}

/// A [`Group`] whose parts are being collected.
struct Opened {
    kind: &'static str,
    segment: Option<String>,
}

impl Trace {
    fn push(&mut self, why: Why) {
        match self.open.last_mut() {
            Some((_, parts)) => parts.push(why),
            None => {
                if let Some(rule) = self.rules.last_mut() {
                    rule.why = Some(why);
                }
            }
        }
    }
}

impl Tracer for Trace {
    const THOROUGH: bool = true;

    fn leaf(&mut self, leaf: &Leaf, actual: Option<&Attribute<'_>>, result: bool) {
        self.push(Why::Leaf { leaf: leaf.clone(), actual: actual.map(Attribute::to_json), result });
    }

    fn flagr(&mut self, constraint: &Constraint, outcome: &Result<bool, String>) {
        self.push(Why::Flagr {
            constraint: constraint.to_string(),
            result: matches!(outcome, Ok(true)),
            problem: outcome.as_ref().err().cloned(),
        });
    }

    fn open(&mut self, group: Group<'_>) {
        let group = match group {
            Group::All => Opened { kind: "all", segment: None },
            Group::Any => Opened { kind: "any", segment: None },
            Group::Not => Opened { kind: "not", segment: None },
            Group::Segment(key) => Opened { kind: "segment", segment: Some(key.to_owned()) },
        };
        self.open.push((group, Vec::new()));
    }

    fn close(&mut self, result: bool) {
        if let Some((group, parts)) = self.open.pop() {
            self.push(Why::Group { kind: group.kind, segment: group.segment, parts, result });
        }
    }
}

impl RuleTracer for Trace {
    fn begin(&mut self, rule: &Rule) {
        self.rules.push(RuleTrace::new(rule));
    }

    fn allotted(&mut self, allotment: Allotment<'_>) {
        let by = match allotment.stick {
            Stick::TargetingKey => "userId".into(),
            Stick::Attribute(path) => path.as_str().into(),
            Stick::Attributes(paths) => paths.iter().map(|path| path.as_str()).collect(),
        };
        let note = match (allotment.key, allotment.included) {
            (None, _) => Some("the context has no key to stick to, so a partial rollout leaves it out"),
            _ => None,
        };
        if let Some(rule) = self.rules.last_mut() {
            rule.rollout = Some(Rollout {
                by,
                key: allotment.key.map(str::to_owned),
                bucket: allotment.bucket,
                percentage: allotment.percentage,
                included: allotment.included,
                note,
            });
        }
    }

    fn end(&mut self, matched: bool) {
        if let Some(rule) = self.rules.last_mut() {
            rule.matched = matched;
        }
    }
}

impl Serialize for Why {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Group { kind, segment, parts, result } => {
                match (segment, parts.as_slice()) {
                    (Some(key), parts) => {
                        map.serialize_entry("segment", key)?;
                        map.serialize_entry("why", &parts.first())?;
                    }
                    (None, [only]) if *kind == "not" => map.serialize_entry(kind, only)?,
                    (None, parts) => map.serialize_entry(kind, &Parts(parts))?,
                }
                map.serialize_entry("result", result)?;
            }
            Self::Leaf { leaf, actual, result } => {
                leaf.entries(&mut map)?;
                map.serialize_entry("actual", actual)?;
                map.serialize_entry("result", result)?;
            }
            Self::Flagr { constraint, result, problem } => {
                map.serialize_entry("flagr", constraint)?;
                map.serialize_entry("result", result)?;
                if let Some(problem) = problem {
                    map.serialize_entry("problem", problem)?;
                }
            }
        }
        map.end()
    }
}

struct Parts<'a>(&'a [Why]);

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for part in self.0 {
            seq.serialize_element(part)?;
        }
        seq.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{environment, explained, one};

    #[test]
    fn the_trace_has_the_shape_of_the_contract() {
        let snapshot = one(
            json!({"key": "new_checkout", "type": "BOOLEAN", "defaultValue": false, "rules": [
            {"name": "Nordic", "priority": 90, "outcome": {"value": true},
                "when": {"all": [{"attribute": "country", "operator": "in", "values": ["SE"]}]}},
            {"name": "off", "priority": 80, "enabled": false, "outcome": {"value": true}},
            {"name": "some", "priority": 70, "rollout": {"percentage": 0.5}, "outcome": {"value": true}},
            {"name": "most", "priority": 60, "rollout": {"percentage": 99.99, "by": "company"}, "outcome": {"value": true}},
            {"name": "rest", "priority": 50, "outcome": {"value": true}}]}),
        );
        // tests/spec/native.json: 123 of new_checkout is in bucket 3672.
        let context = json!({"userId": "123", "country": "DE", "company": "acme"});
        let (rules, rollout) = explained(&snapshot, "new_checkout", &context);
        let id = "00000000-0000-0000-0000-000000000000";
        let bucket = crate::bucket::sha256("", "acme", "new_checkout").0;
        let stuck =
            json!({"by": "company", "key": "acme", "bucket": bucket, "percentage": 99.99, "included": true});
        assert_eq!(rollout, stuck);
        let expected = json!([
            {"id": id, "name": "Nordic", "priority": 90, "matched": false, "rollout": null,
                "why": {"all": [{"attribute": "country", "operator": "in", "values": ["SE"],
                    "actual": "DE", "result": false}], "result": false}},
            {"id": id, "name": "off", "priority": 80, "matched": false, "why": null, "rollout": null,
                "skipped": "the rule is disabled"},
            {"id": id, "name": "some", "priority": 70, "matched": false, "why": null,
                "rollout": {"by": "userId", "key": "123", "bucket": 3672, "percentage": 0.5, "included": false}},
            {"id": id, "name": "most", "priority": 60, "matched": true, "why": null, "rollout": stuck},
            {"id": id, "name": "rest", "priority": 50, "matched": false, "why": null, "rollout": null,
                "skipped": "something before it decided"},
        ]);
        assert_eq!(rules, expected);
    }

    #[test]
    fn every_part_is_told_also_after_the_one_that_decides() {
        let yes = json!({"attribute": "a", "operator": "equals", "value": 1});
        let no = json!({"attribute": "b", "operator": "exists"});
        let told = |mut leaf: Value, actual: Value, result: bool| {
            leaf["actual"] = actual;
            leaf["result"] = result.into();
            leaf
        };
        let (told_yes, told_no) = (told(yes.clone(), json!(1), true), told(no.clone(), json!(null), false));
        let segments = json!([{"key": "s", "conditions": {"any": [yes, no]}}]);
        let in_segment =
            json!({"segment": "s", "why": {"any": [told_yes, told_no], "result": true}, "result": true});
        for (when, expected) in [
            (yes.clone(), told_yes.clone()),
            (json!({"all": [no, yes]}), json!({"all": [told_no, told_yes], "result": false})),
            (json!({"any": [yes, no]}), json!({"any": [told_yes, told_no], "result": true})),
            (json!({"not": no}), json!({"not": told_no, "result": true})),
            (json!({"not": {"all": []}}), json!({"not": {"all": [], "result": true}, "result": false})),
            (json!({"segment": "s"}), in_segment.clone()),
            (json!({"not": {"segment": "s"}}), json!({"not": in_segment, "result": false})),
            (
                json!({"all": [{"flagr": {"property": "a", "operator": "EQ", "value": "1"}}]}),
                json!({"all": [{"flagr": "({a} EQ 1)", "result": true}], "result": true}),
            ),
            (
                json!({"flagr": {"property": "b", "operator": "NEQ", "value": "1"}}),
                json!({"flagr": "({b} NEQ 1)", "result": false, "problem": "argument not found, or null"}),
            ),
        ] {
            let feature = json!({"key": "f", "type": "BOOLEAN", "rules": [{"name": "r", "when": when, "outcome": {"value": true}}]});
            let snapshot = environment(json!([feature]), segments.clone(), json!([]));
            let (rules, _) = explained(&snapshot, "f", &json!({"a": 1}));
            assert_eq!(rules[0]["why"], expected, "{when}");
        }
    }

    #[test]
    fn actual_values_are_shown_as_they_were_sent() {
        let rule = json!({"name": "r", "when": {"attribute": "a", "operator": "exists"}, "outcome": {"value": true}});
        let snapshot = one(json!({"key": "f", "type": "BOOLEAN", "rules": [rule]}));
        for sent in
            [json!(1.5), json!("x"), json!(false), json!([1, null, {"b": []}]), json!({"c": {"d": 1}})]
        {
            let (rules, _) = explained(&snapshot, "f", &json!({"a": sent}));
            assert_eq!(rules[0]["why"]["actual"], sent);
        }
    }

    #[test]
    fn a_rollout_without_a_key_says_why_it_does_not_apply() {
        let rule = json!({"name": "r", "rollout": {"percentage": 50}, "outcome": {"value": true}});
        let snapshot = one(json!({"key": "f", "type": "BOOLEAN", "rules": [rule]}));
        let (rules, rollout) = explained(&snapshot, "f", &json!({}));
        assert_eq!(rules[0]["matched"], false);
        let note = "the context has no key to stick to, so a partial rollout leaves it out";
        let expected = json!({"by": "userId", "key": null, "bucket": null, "percentage": 50, "included": false, "note": note});
        assert_eq!(rollout, expected);
    }

    #[test]
    fn what_decides_before_the_rules_skips_them_all() {
        let rule = json!({"name": "r", "outcome": {"value": true}});
        let feature =
            |enabled: bool| json!({"key": "f", "type": "BOOLEAN", "enabled": enabled, "rules": [rule, rule]});
        let overrides = json!([{"key": "override", "features": {"f": "no"}}]);
        for snapshot in [
            environment(json!([feature(true)]), json!([]), overrides),
            environment(json!([feature(false)]), json!([]), json!([])),
        ] {
            let (rules, rollout) = explained(&snapshot, "f", &json!({"userId": "u"}));
            assert_eq!(rollout, Value::Null);
            let skipped: Vec<_> =
                rules.as_array().expect("rules").iter().map(|rule| rule["skipped"].clone()).collect();
            assert_eq!(skipped, ["something before it decided", "something before it decided"]);
        }
    }

    #[test]
    fn several_attributes_to_stick_to_are_listed() {
        let rollout = json!({"percentage": 50, "by": ["team", "org.id"]});
        let rule = json!({"name": "r", "rollout": rollout, "outcome": {"value": true}});
        let snapshot = one(json!({"key": "f", "type": "BOOLEAN", "bucketing": "murmur3",
            "bucketingId": "6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10", "rules": [rule]}));
        let (_, rollout) = explained(&snapshot, "f", &json!({"org": {"id": "acme"}}));
        assert_eq!((&rollout["by"], &rollout["key"]), (&json!(["team", "org.id"]), &json!("<none>$acme")));
    }
}
