//! The test console's answer: the value, and why each rule did or did not give it (native-api
//! `POST /evaluate:explain`). Made by a [`Tracer`] on the evaluation itself.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::compile::{Feature, Stick};
use super::condition::Leaf;
use super::context::Attribute;
use super::evaluate::{Allotment, Evaluation, Evaluator, RuleTracer};
use super::feature::{Percent, Rule};
use super::flagr::Constraint;
use super::matcher::{Group, Tracer};

/// How one part of a condition came out.
#[derive(Debug, Clone)]
pub enum Why {
    Group { kind: &'static str, segment: Option<String>, parts: Vec<Why>, result: bool },
    Leaf { leaf: Leaf, actual: Option<Value>, result: bool },
    Flagr { property: String, result: bool, problem: Option<String> },
}

/// How a rollout came out.
#[derive(Debug, Clone, Serialize)]
pub struct Rollout {
    /// The attribute stuck to, or several; `userId` for the targeting key.
    pub by: Value,
    pub key: Option<String>,
    pub bucket: Option<u32>,
    pub percentage: Percent,
    pub included: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

/// How one rule came out.
#[derive(Debug, Clone, Serialize)]
pub struct RuleTrace {
    pub id: String,
    pub name: String,
    pub priority: u8,
    pub matched: bool,
    /// `null` for a rule without conditions, and where `skipped` says why it was not asked.
    pub why: Option<Why>,
    pub rollout: Option<Rollout>,
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
            property: constraint.property().to_owned(),
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
            Self::Flagr { property, result, problem } => {
                map.serialize_entry("flagr", property)?;
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
