//! What the unit tests of several files need: environments made from JSON.

use serde_json::{Value, json};

use super::compile::StoredFeature;
use super::context::Context;
use super::decode::{Node, Problems};
use super::document::Document;
use super::evaluate::{Evaluation, Evaluator};
use super::explain::{Explanation, explain};
use super::matcher::Nanos;
use super::snapshot::Snapshot;

/// 2026-01-02T03:04:05Z.
pub const NOW: Nanos = 1_767_323_045_000_000_000;

/// An environment named `prod` with these features, segments and Contexts, which must be fine.
#[track_caller]
pub fn environment(features: Value, segments: Value, contexts: Value) -> Snapshot {
    let text = json!({"version": 1, "site": {"slug": "s"}, "segments": segments,
        "environments": [{"name": "prod", "features": features, "contexts": contexts}]})
    .to_string();
    let mut problems = Problems::default();
    let document = Document::decode(&Node::parse(&text).expect("JSON"), &mut problems);
    assert!(problems.is_empty(), "{:?} {:?}", problems.invalid, problems.unknown);
    let document = document.expect("a document without problems");
    let source = document.environments[0].source(&document, &mut problems);
    assert!(problems.is_empty(), "{:?}", problems.invalid);
    Snapshot::compile(source)
}

/// An environment of one feature.
#[track_caller]
pub fn one(feature: Value) -> Snapshot {
    environment(json!([feature]), json!([]), json!([]))
}

/// A feature as the store would hand it over.
#[track_caller]
pub fn stored(feature: Value) -> StoredFeature {
    let snapshot = one(feature);
    let feature = snapshot.features().next().expect("a feature");
    feature.stored.clone()
}

/// The answer for a feature, the same with and without a trace.
#[track_caller]
pub fn ask<'s>(snapshot: &'s Snapshot, key: &str, context: &Context<'_>) -> Evaluation<'s> {
    let evaluator = Evaluator::new(snapshot, context, NOW).expect("a chain");
    let feature = snapshot.feature(key).expect(key);
    let evaluation = evaluator.evaluate(feature);
    let explained = explain(&evaluator, feature).evaluation;
    assert_eq!(told(&evaluation), told(&explained), "the trace disagrees");
    evaluation
}

/// The explained answer, as JSON has it: the rules, and the rollout that decided.
#[track_caller]
pub fn explained(snapshot: &Snapshot, key: &str, context: &Value) -> (Value, Value) {
    let text = context.to_string();
    let context = Context::from_json(&text).expect("a context");
    let evaluator = Evaluator::new(snapshot, &context, NOW).expect("a chain");
    let explanation: Explanation<'_> = explain(&evaluator, snapshot.feature(key).expect(key));
    (json!(explanation.rules), json!(explanation.rollout()))
}

/// What an evaluation says in short: value, reason, and the rule, variant or Context that gave it.
pub fn told(evaluation: &Evaluation<'_>) -> String {
    let mut told = format!("{} {}", evaluation.value, evaluation.reason.as_str());
    let rule = evaluation.rule.map(|rule| rule.name.as_str());
    let variant = evaluation.variant.map(|variant| variant.key.as_str());
    for (what, name) in [("rule", rule), ("variant", variant), ("context", evaluation.context)] {
        if let Some(name) = name {
            told += &format!(" {what}={name}");
        }
    }
    told
}

/// The same for a context given as JSON.
#[track_caller]
pub fn answer(snapshot: &Snapshot, key: &str, context: &Value) -> String {
    let text = context.to_string();
    told(&ask(snapshot, key, &Context::from_json(&text).expect("a context")))
}
