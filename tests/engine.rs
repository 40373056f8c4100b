//! The engine as a whole: published vectors, properties, and what it must not know.

mod allocations;
mod contexts;
pub mod featurehub;
mod flagr;
mod properties;
mod purity;
mod random;

use featured::engine::context::Context;
use featured::engine::decode::{Node, Problems};
use featured::engine::document::Document;
use featured::engine::evaluate::{Evaluation, Evaluator};
use featured::engine::explain::explain;
use featured::engine::matcher::Nanos;
use featured::engine::snapshot::Snapshot;
use serde_json::{Value, json};

/// 2026-01-02T03:04:05Z, what the clock says in these tests.
pub const NOW: Nanos = 1_767_323_045_000_000_000;

/// A file below `tests/`.
pub fn file(path: &str) -> String {
    let path = format!("{}/tests/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The published vectors of a protocol.
pub fn vectors(name: &str) -> Value {
    serde_json::from_str(&file(&format!("spec/{name}.json"))).expect("JSON")
}

pub fn rows(value: &Value) -> &[Value] {
    value.as_array().expect("rows")
}

pub fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// A site document that must be fine.
#[track_caller]
pub fn document(text: &str) -> Document {
    let mut problems = Problems::default();
    let document = Document::decode(&Node::parse(text).expect("JSON"), &mut problems);
    assert!(problems.is_empty(), "{:?} {:?}", problems.invalid, problems.unknown);
    document.expect("a document without problems")
}

/// An environment of a document, ready to be asked.
#[track_caller]
pub fn snapshot(document: &Document, environment: &str) -> Snapshot {
    let mut problems = Problems::default();
    let environment = document.environments.iter().find(|one| one.name == environment).expect(environment);
    let source = environment.source(document, &mut problems);
    assert!(problems.is_empty(), "{:?}", problems.invalid);
    Snapshot::compile(source)
}

/// An environment of one feature.
#[track_caller]
pub fn one_feature(feature: &Value) -> Snapshot {
    let document = document(
        &json!({"version": 1, "site": {"slug": "s"}, "environments": [{"name": "prod", "features": [feature]}]})
            .to_string(),
    );
    snapshot(&document, "prod")
}

/// Evaluates the feature of [`one_feature`], with and without a trace.
#[track_caller]
pub fn ask<'s>(snapshot: &'s Snapshot, context: &Context<'_>) -> Evaluation<'s> {
    let evaluator = Evaluator::new(snapshot, context, NOW).expect("a chain");
    let feature = snapshot.features().next().expect("a feature");
    assert_eq!(feature.broken, None);
    let evaluation = evaluator.evaluate(feature);
    let explained = explain(&evaluator, feature).evaluation;
    assert_eq!(summary(&evaluation), summary(&explained), "the trace disagrees");
    evaluation
}

/// What an evaluation says, to be compared: value, reason, rule, variant, Context.
pub fn summary<'s>(
    evaluation: &Evaluation<'s>,
) -> (&'s str, &'static str, Option<&'s str>, Option<&'s str>, Option<&'s str>) {
    (
        evaluation.value,
        evaluation.reason.as_str(),
        evaluation.rule.map(|rule| rule.name.as_str()),
        evaluation.variant.map(|variant| variant.key.as_str()),
        evaluation.context,
    )
}
