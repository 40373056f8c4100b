//! Why an evaluation came out as it did, in the words of Flagr's debug log (flagr.md §4.5). People read these;
//! the first words are Flagr's.

use std::sync::Arc;

use serde::Serialize;

use crate::admin::flagr::{segment_of, variant_number};
use crate::engine::compile::Feature;
use crate::engine::condition::Leaf;
use crate::engine::context::Attribute;
use crate::engine::evaluate::{Allotment, RuleTracer};
use crate::engine::feature::{Outcome, Percent, Rule};
use crate::engine::flagr::Constraint;
use crate::engine::matcher::{Group, Tracer};

/// What is said of one segment that was visited.
#[derive(Serialize)]
pub struct SegmentLog {
    #[serde(rename = "segmentID")]
    segment: u32,
    msg: String,
}

/// Listens to an evaluation.
pub struct Log<'f> {
    feature: &'f Arc<Feature>,
    /// Whether the context was an object.
    is_object: bool,
    logs: Vec<SegmentLog>,
    /// Of the segment that is looked at: its place, what did not hold, its bucket.
    at: usize,
    missed: Option<String>,
    bucket: Option<u32>,
    included: bool,
}

impl<'f> Log<'f> {
    pub fn new(feature: &'f Arc<Feature>, is_object: bool) -> Self {
        Self { feature, is_object, logs: Vec::new(), at: 0, missed: None, bucket: None, included: false }
    }

    pub fn finish(self) -> Vec<SegmentLog> {
        self.logs
    }

    fn miss(&mut self, message: String) {
        self.missed.get_or_insert(message);
    }

    /// Why the rollout took the entity in or not.
    fn rollout(&self, rule: &Rule, matched: bool) -> String {
        let percent = rule.rollout.as_ref().map_or(Percent::FULL, |rollout| rollout.percentage);
        if percent == Percent(0) {
            return "rollout no. 0% rolloutPercent".into();
        }
        let arms = match &rule.outcome {
            Outcome::Split(arms) => arms,
            Outcome::Value(value) if value.as_str() == "\"\"" => {
                return "rollout no. there's no distribution set".into();
            }
            Outcome::Value(_) => {
                return format!("rollout {}. value {percent}%", if matched { "yes" } else { "no" });
            }
        };
        let definition = self.feature.definition();
        let mut shares: Vec<(u32, u32)> =
            arms.iter().map(|arm| (variant_number(definition, &arm.variant), arm.weight.0 / 1000)).collect();
        shares.sort_by_key(|(variant, _)| *variant);
        let mut sum = 0;
        let ends: Vec<u32> = shares
            .iter()
            .map(|(_, share)| {
                sum += share;
                sum
            })
            .collect();
        let bucket = self.bucket.unwrap_or_default();
        let chosen = ends.iter().position(|end| bucket < *end).and_then(|at| shares.get(at));
        let list = |numbers: Vec<u32>| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        format!(
            "rollout {}. {{BucketNum:{bucket} DistributionArray:{{VariantIDs:[{}] PercentsAccumulated:[{}]}} \
             VariantID:{} RolloutPercent:{percent}}}",
            if matched { "yes" } else { "no" },
            list(shares.iter().map(|(variant, _)| *variant).collect()),
            list(ends),
            chosen.map_or(0, |(variant, _)| *variant),
        )
    }
}

impl Tracer for Log<'_> {
    const THOROUGH: bool = true;

    fn leaf(&mut self, leaf: &Leaf, _: Option<&Attribute<'_>>, result: bool) {
        if !result {
            self.miss(format!(
                "constraint not match. constraint: {} {}",
                leaf.attribute,
                leaf.operator.as_str()
            ));
        }
    }

    fn flagr(&mut self, constraint: &Constraint, outcome: &Result<bool, String>) {
        match outcome {
            Ok(true) => {}
            Ok(false) => self.miss(format!("constraint not match. constraint: {constraint}")),
            Err(why) => self.miss(format!("{why}: {constraint}")),
        }
    }

    fn open(&mut self, _: Group<'_>) {}

    fn close(&mut self, _: bool) {}
}

impl RuleTracer for Log<'_> {
    fn begin(&mut self, rule: &Rule) {
        let rules = &self.feature.definition().rules;
        self.at = rules.iter().position(|other| std::ptr::eq(other, rule)).unwrap_or(self.logs.len());
        (self.missed, self.bucket, self.included) = (None, None, false);
    }

    fn allotted(&mut self, allotment: Allotment<'_>) {
        self.bucket = allotment.bucket;
        self.included = allotment.included;
    }

    fn end(&mut self, matched: bool) {
        let definition = self.feature.definition();
        let Some(rule) = definition.rules.get(self.at) else { return };
        let segment = definition.flagr.as_ref().and_then(|flagr| flagr.segments.get(self.at));
        let segment = segment.map_or(0, |segment| segment.number);
        let constrained = segment_of(definition, self.at).is_some_and(|parts| !parts.constraints.is_empty());
        // A rule whose conditions hold is asked for its rollout; only then is there a bucket, or it matched.
        let held = matched || self.bucket.is_some() || self.missed.is_none();
        let msg = if constrained && !self.is_object && !held {
            format!(
                "constraints are present in the segment_id {segment}, but got invalid entity_context: it is no object."
            )
        } else if held {
            format!("matched all constraints. {}", self.rollout(rule, matched))
        } else {
            self.missed.take().unwrap_or_default()
        };
        self.logs.push(SegmentLog { segment, msg });
    }
}
