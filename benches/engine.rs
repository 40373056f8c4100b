//! How fast the engine is (design §9). Bars: one 5-leaf rule ≤ 150 ns; 180 studies for one context ≤ 60 µs;
//! a changed feature costs the same among 10 and among 100 000.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use featured::engine::compile::StoredFeature;
use featured::engine::context::Context;
use featured::engine::decode::{Node, Problems};
use featured::engine::document::Document;
use featured::engine::evaluate::Evaluator;
use featured::engine::lookup::{Lookup, Subject};
use featured::engine::snapshot::{Snapshot, StoredContext};

const NOW: i128 = 1_767_323_045_000_000_000;

const STUDIES: &str = include_str!("../tests/data/browser-studies.json");

/// A typical context: a dozen attributes, one list, one object.
const CONTEXT: &str = r#"{"userId": "0192f3a4-5b6c-7d8e-9f00-112233445566", "country": "SE", "plan": "premium",
    "email": "mia@shop.example", "age": 34, "beta": true, "appVersion": "2.14.3", "signup": "2025-11-02T08:15:30Z",
    "ip": "10.2.3.9", "language": "sv", "tags": ["early", "newsletter"], "user": {"team": "blue", "seats": 12}}"#;

const VISITOR: &str = r#"{"userId": "user-4711", "channel": "RELEASE", "platform": "WINDOWS", "country": "se",
    "version": "151.1.94.12"}"#;

const FIVE_LEAVES: &str = r#"{"key": "new_checkout", "type": "BOOLEAN", "defaultValue": false, "rules": [
    {"name": "Nordic", "outcome": {"value": true}, "when": {"all": [
        {"attribute": "country", "operator": "in", "values": ["DK", "NO", "SE"]},
        {"attribute": "plan", "operator": "equals", "value": "premium"},
        {"attribute": "age", "operator": "greater_or_equal", "value": 18},
        {"attribute": "appVersion", "operator": "semver_gte", "value": "2.4.0"},
        {"attribute": "email", "operator": "ends_with", "value": "@shop.example"}]}}]}"#;

/// The environment of a site that has these features.
fn snapshot(document: &str) -> Snapshot {
    let mut problems = Problems::default();
    let node = Node::parse(document).expect("JSON");
    let document = Document::decode(&node, &mut problems).expect("a document");
    let source = document.environments[0].source(&document, &mut problems);
    assert!(problems.is_empty(), "{:?}", problems.invalid);
    Snapshot::compile(source)
}

fn of_features(features: &[String]) -> Snapshot {
    let list = features.join(", ");
    snapshot(&format!(
        r#"{{"version": 1, "site": {{"slug": "s"}}, "environments": [{{"name": "prod", "features": [{list}]}}]}}"#
    ))
}

/// Twenty features such as a shop has: most with one rule of a few leaves, some with a rollout or a split.
fn twenty() -> Snapshot {
    let features: Vec<_> = (0..20)
        .map(|n| {
            let key = format!("feature_{n}");
            match n % 4 {
                0 => format!(r#"{{"key": "{key}", "type": "BOOLEAN", "defaultValue": true}}"#),
                1 => FIVE_LEAVES.replace("new_checkout", &key),
                2 => format!(
                    r#"{{"key": "{key}", "type": "STRING", "defaultValue": "a", "rules": [{{"name": "some",
                        "when": {{"attribute": "country", "operator": "in", "values": ["SE", "NO"]}},
                        "rollout": {{"percentage": 40}}, "outcome": {{"value": "b"}}}}]}}"#
                ),
                _ => format!(
                    r#"{{"key": "{key}", "type": "STRING", "variants": [{{"key": "a", "value": "a"}},
                        {{"key": "b", "value": "b"}}], "rules": [{{"name": "test", "outcome": {{"split": [
                        {{"variant": "a", "weight": 50}}, {{"variant": "b", "weight": 50}}]}}}}]}}"#
                ),
            }
        })
        .collect();
    of_features(&features)
}

/// Evaluates everything and says how many bytes the values have, so that nothing can be left out.
fn evaluate_all(snapshot: &Snapshot, context: &Context<'_>) -> usize {
    let evaluator = Evaluator::new(snapshot, context, NOW).expect("a chain");
    snapshot.features().map(|feature| evaluator.evaluate(feature).value.len()).sum()
}

fn evaluation(c: &mut Criterion) {
    let five = of_features(&[FIVE_LEAVES.to_owned()]);
    let context = Context::from_json(CONTEXT).expect("a context");
    let feature = five.feature("new_checkout").expect("the feature");
    let evaluator = Evaluator::new(&five, &context, NOW).expect("a chain");
    assert_eq!(evaluator.evaluate(feature).value, "true");
    c.bench_function("one rule of 5 leaves", |b| {
        b.iter(|| evaluator.evaluate(black_box(feature)).value.len())
    });

    let studies = snapshot(STUDIES);
    let visitor = Context::from_json(VISITOR).expect("a context");
    assert_eq!(studies.len(), 180);
    c.bench_function("180 studies for one context", |b| {
        b.iter(|| evaluate_all(&studies, black_box(&visitor)))
    });

    let twenty = twenty();
    c.bench_function("20 features for one context", |b| {
        b.iter(|| evaluate_all(&twenty, black_box(&context)))
    });
    c.bench_function("20 features, context parsed too", |b| {
        b.iter(|| evaluate_all(&twenty, &Context::from_json(black_box(CONTEXT)).expect("a context")));
    });
}

fn parsing(c: &mut Criterion) {
    c.bench_function("parse a typical context", |b| {
        b.iter(|| Context::from_json(black_box(CONTEXT)).expect("a context").members().len());
    });
}

fn compiling(c: &mut Criterion) {
    for count in [10, 1_000, 100_000] {
        let features: Vec<_> =
            (0..count).map(|n| FIVE_LEAVES.replace("new_checkout", &format!("feature_{n:06}"))).collect();
        let snapshot = of_features(&features);
        let changed: StoredFeature =
            snapshot.feature(&format!("feature_{:06}", count / 2)).expect("the feature").stored.clone();
        let key = changed.definition.key.clone();
        // Plainly repeated: keeping batches of snapshots alive would measure the allocator.
        c.bench_function(&format!("change one feature among {count}"), |b| {
            b.iter(|| snapshot.with_features(2, vec![(key.clone(), Some(changed.clone()))]).revision);
        });
    }
}

/// 200 features and 10 000 stored Contexts in chains of 8, each with three values (featuresd.md §7.2).
fn contexts(c: &mut Criterion) {
    let features: Vec<_> = (0..200)
        .map(|n| format!(r#"{{"key": "feature_{n:03}", "type": "NUMBER", "defaultValue": {n}}}"#))
        .collect();
    let contexts: Vec<_> = (0..10_000)
        .map(|n| {
            let prototypes = if n % 8 == 0 { String::new() } else { format!(r#""user-{:05}""#, n - 1) };
            let values: Vec<_> =
                (0..3).map(|v| format!(r#""feature_{:03}": {n}"#, (n * 3 + v) % 200)).collect();
            format!(
                r#"{{"key": "user-{n:05}", "prototypes": [{prototypes}], "features": {{{}}}}}"#,
                values.join(", ")
            )
        })
        .collect();
    let snapshot = snapshot(&format!(
        r#"{{"version": 1, "site": {{"slug": "s"}}, "environments": [{{"name": "prod", "features": [{}],
            "contexts": [{}]}}]}}"#,
        features.join(", "),
        contexts.join(", ")
    ));
    let subject = Subject::of("user-05007");
    let look_up = |subject: &Subject| {
        let lookup = Lookup::new(&snapshot, subject).expect("a chain");
        snapshot.features().filter_map(|feature| lookup.find(feature).value).map(str::len).sum::<usize>()
    };
    assert_eq!(Lookup::new(&snapshot, &subject).expect("a chain").order().len(), 10);
    c.bench_function("look 200 features up through 8 of 10000 Contexts", |b| {
        b.iter(|| look_up(black_box(&subject)));
    });
    let changed = StoredContext {
        key: "user-05007".into(),
        prototypes: ["user-05006".into()].into(),
        values: [("feature_001".into(), true.into())].into_iter().collect(),
    };
    c.bench_function("change one Context among 10000", |b| {
        b.iter(|| {
            let changed = vec![("user-05007".to_owned(), Some(changed.clone()))];
            snapshot.with_contexts(2, changed).0.revision
        });
    });
}

criterion_group!(benches, evaluation, parsing, compiling, contexts);
criterion_main!(benches);
