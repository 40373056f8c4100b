//! Answers of the client API, written straight into bytes: at these rates a tree of values would cost more
//! than the evaluation.

use std::collections::BTreeMap;

use utoipa::ToSchema;
use uuid::Uuid;

use crate::engine::answer::push_member;
pub use crate::engine::answer::{push_evaluation, push_number, push_string};
use crate::engine::evaluate::{Evaluation, Reason};
use crate::engine::feature::Segment;
use crate::engine::shapes::Feature;
use crate::engine::snapshot::Snapshot;
use crate::engine::value::{FeatureType, Json};

/// A feature's value for one context: what [`push_evaluation`] writes.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "value": true, "type": "BOOLEAN", "enabled": true, "reason": "TARGETING_MATCH",
    "ruleId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "variant": null, "version": 7
}))]
pub struct Evaluated {
    /// Of the feature's type; `null` when it has none for this context, so that the client's own default applies.
    pub value: Json,
    #[schema(rename = "type")]
    pub kind: FeatureType,
    pub enabled: bool,
    pub reason: Reason,
    /// The rule that decided.
    #[schema(required)]
    pub rule_id: Option<Uuid>,
    /// The key of the variant that was given.
    #[schema(required)]
    pub variant: Option<String>,
    /// Of the feature.
    pub version: u64,
}

/// The features of an environment for one context.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "site": "shop", "environment": "prod", "revision": 412, "evaluatedAt": "2026-02-02T09:30:00.000Z",
    "decisionId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0c01",
    "features": {"new_checkout": {
        "value": true, "type": "BOOLEAN", "enabled": true, "reason": "TARGETING_MATCH",
        "ruleId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "variant": null, "version": 7
    }},
    "missing": []
}))]
pub struct Answer {
    /// Slug of the site.
    pub site: String,
    /// Name of the environment.
    pub environment: String,
    /// Grows with each change that evaluation can see.
    pub revision: u64,
    #[schema(format = DateTime)]
    pub evaluated_at: String,
    /// New in every answer.
    pub decision_id: Uuid,
    /// By key.
    pub features: BTreeMap<String, Evaluated>,
    /// Keys that were asked for and do not exist.
    pub missing: Vec<String>,
}

/// The same for a GET, whose body depends on nothing but the request and the revision: time and id of the decision
/// are headers.
#[derive(ToSchema)]
#[schema(example = json!({
    "site": "shop", "environment": "prod", "revision": 412,
    "features": {"new_checkout": {
        "value": true, "type": "BOOLEAN", "enabled": true, "reason": "TARGETING_MATCH",
        "ruleId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "variant": null, "version": 7
    }},
    "missing": []
}))]
pub struct FeaturesAnswer {
    pub site: String,
    pub environment: String,
    pub revision: u64,
    /// By key.
    pub features: BTreeMap<String, Evaluated>,
    /// Keys that were asked for and do not exist.
    pub missing: Vec<String>,
}

/// One feature for one context.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "site": "shop", "environment": "prod", "revision": 412, "key": "new_checkout",
    "value": true, "type": "BOOLEAN", "enabled": true, "reason": "TARGETING_MATCH",
    "ruleId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "variant": null, "version": 7
}))]
pub struct FeatureAnswer {
    pub site: String,
    pub environment: String,
    pub revision: u64,
    pub key: String,
    pub value: Json,
    #[schema(rename = "type")]
    pub kind: FeatureType,
    pub enabled: bool,
    pub reason: Reason,
    #[schema(required)]
    pub rule_id: Option<Uuid>,
    #[schema(required)]
    pub variant: Option<String>,
    pub version: u64,
}

/// The features of an environment for several contexts.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "site": "shop", "environment": "prod", "revision": 412, "evaluatedAt": "2026-02-02T09:30:00.000Z",
    "results": [{
        "decisionId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0c01",
        "features": {"new_checkout": {
            "value": true, "type": "BOOLEAN", "enabled": true, "reason": "TARGETING_MATCH",
            "ruleId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "variant": null, "version": 7
        }},
        "missing": []
    }]
}))]
pub struct BatchAnswer {
    pub site: String,
    pub environment: String,
    pub revision: u64,
    #[schema(format = DateTime)]
    pub evaluated_at: String,
    /// One for each entity, in their order.
    pub results: Vec<BatchResult>,
}

/// The features for one context of a batch.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct BatchResult {
    pub decision_id: Uuid,
    /// By key.
    pub features: BTreeMap<String, Evaluated>,
    /// Keys that were asked for and do not exist.
    pub missing: Vec<String>,
}

/// Everything a trusted client needs to evaluate by itself.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = Ruleset)]
pub struct RulesetShape {
    pub site: String,
    pub environment: String,
    pub revision: u64,
    /// Whether `userId` names a stored Context, or only `contextKey` does.
    pub user_id_is_context_key: bool,
    pub segments: Vec<Segment>,
    /// By key.
    pub features: Vec<Feature>,
    /// The emergency override: its values are everyone's.
    #[schema(required)]
    pub r#override: Option<RulesetContext>,
    /// By key.
    pub contexts: Vec<RulesetContext>,
}

/// A stored Context in a ruleset.
#[derive(ToSchema)]
#[schema(example = json!({"key": "team:blue", "prototypes": [], "values": {"new_checkout": true}}))]
pub struct RulesetContext {
    pub key: String,
    /// Keys of the Contexts that are asked next.
    pub prototypes: Vec<String>,
    /// By feature key.
    pub values: BTreeMap<String, Json>,
}

/// How many of the reported evaluations were counted.
#[derive(ToSchema)]
#[schema(example = json!({"accepted": 1}))]
pub struct Accepted {
    pub accepted: u64,
}

/// Appends `{"key": {…}, …}`.
pub fn push_features<'s>(out: &mut Vec<u8>, evaluations: impl Iterator<Item = Evaluation<'s>>) {
    out.push(b'{');
    let mut first = true;
    for evaluation in evaluations {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        push_member(out, &evaluation);
    }
    out.push(b'}');
}

/// Appends `"site":…,"environment":…,"revision":…` behind an opening brace.
pub fn push_head(out: &mut Vec<u8>, snapshot: &Snapshot) {
    out.extend_from_slice(b"{\"site\":");
    push_string(out, &snapshot.info.site);
    out.extend_from_slice(b",\"environment\":");
    push_string(out, &snapshot.info.name);
    out.extend_from_slice(b",\"revision\":");
    push_number(out, snapshot.revision);
}

/// Appends `"missing":[…]`.
pub fn push_missing(out: &mut Vec<u8>, missing: &[&str]) {
    out.extend_from_slice(b"\"missing\":[");
    for (at, key) in missing.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_string(out, key);
    }
    out.push(b']');
}

/// How many bytes an answer over so many features is likely to take.
pub fn capacity(features: usize) -> usize {
    256 + features * 176
}
