//! What holds for every input: rollouts that only grow, even buckets, explanations that agree, decoding that
//! neither panics nor loses anything.

use featured::engine::bucket;
use featured::engine::condition::Condition;
use featured::engine::context::{Context, Path};
use featured::engine::decode::{Node, Problems};
use featured::engine::document::{Document, FeatureEntry};
use featured::engine::evaluate::{Evaluator, Reason};
use featured::engine::explain::{RuleTrace, explain};
use featured::engine::feature::{Definition, segment_cycle};
use featured::engine::snapshot::Snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::random::{any_json, condition, context, feature, spoiled, weights};
use super::{NOW, one_feature, random, snapshot, summary};

/// A feature of one rule with this rollout; a share of everybody may be taken before it.
fn rolled_out(scheme: &str, earlier: f64, percentage: f64, weights: Option<&[f64]>) -> Snapshot {
    let id = match scheme {
        "murmur3" => json!("6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10"),
        "crc32" => json!("7"),
        _ => Value::Null,
    };
    let outcome = match weights {
        Some(weights) => {
            let arm = |(at, weight): (usize, &f64)| json!({"variant": format!("v{at}"), "weight": weight});
            json!({"split": weights.iter().enumerate().map(arm).collect::<Vec<_>>()})
        }
        None => json!({"value": "in"}),
    };
    let variants: Vec<_> = (0..weights.map_or(0, <[f64]>::len))
        .map(|at| json!({"key": format!("v{at}"), "value": format!("v{at}")}))
        .collect();
    one_feature(
        &json!({"key": "flag", "type": "STRING", "bucketing": scheme, "bucketingId": id, "variants": variants,
        "defaultValue": "out", "rules": [
            {"name": "earlier", "outcome": {"value": "earlier"}, "rollout": {"percentage": earlier, "otherwise": "next"}},
            {"name": "rule", "outcome": outcome, "rollout": {"percentage": percentage}}]}),
    )
}

fn answer(snapshot: &Snapshot, user: &str) -> String {
    let sent = json!({"userId": user}).to_string();
    super::ask(snapshot, &Context::from_json(&sent).expect("a context")).value.to_owned()
}

/// Two percentages of a scheme, the smaller first.
fn two_percentages(scheme: &'static str) -> impl Strategy<Value = (f64, f64)> {
    (weights(scheme, 2), weights(scheme, 2)).prop_map(|(a, b)| (a[0].min(b[0]), a[0].max(b[0])))
}

fn schemes() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["sha256", "murmur3", "crc32"])
}

proptest! {
    #[test]
    fn raising_a_percentage_removes_nobody(
        (scheme, (low, high), earlier) in schemes().prop_flat_map(|scheme| {
            (Just(scheme), two_percentages(scheme), prop::sample::select(vec![0.0, 5.0, 30.0]))
        }),
        users in prop::collection::vec("[a-z0-9-]{1,12}", 40),
    ) {
        let before = rolled_out(scheme, earlier, low, None);
        let after = rolled_out(scheme, earlier, high, None);
        for user in users {
            let (was, is) = (answer(&before, &user), answer(&after, &user));
            prop_assert!(was == is || was == "\"out\"", "{user}: {was} at {low}, {is} at {high} under {scheme}");
        }
    }

    #[test]
    fn a_growing_rollout_moves_nobody_between_variants(
        (scheme, (low, high), weights) in prop::sample::select(vec!["sha256", "crc32"]).prop_flat_map(|scheme| {
            (Just(scheme), two_percentages(scheme), (1_usize..5).prop_flat_map(move |count| weights(scheme, count)))
        }),
        users in prop::collection::vec("[a-z0-9-]{1,12}", 40),
    ) {
        let before = rolled_out(scheme, 0.0, low, Some(&weights));
        let after = rolled_out(scheme, 0.0, high, Some(&weights));
        for user in users {
            let (was, is) = (answer(&before, &user), answer(&after, &user));
            prop_assert!(was == is || was == "\"out\"", "{user}: {was} at {low}, {is} at {high} of {weights:?}");
        }
    }

    #[test]
    fn an_explanation_agrees_with_the_evaluation(feature in feature(&[]), contexts in prop::collection::vec(context(), 8)) {
        let snapshot = one_feature(&feature);
        let feature = snapshot.features().next().expect("a feature");
        for sent in contexts {
            let sent = sent.to_string();
            let context = Context::from_json(&sent).expect("a context");
            let evaluator = Evaluator::new(&snapshot, &context, NOW).expect("a chain");
            let evaluation = evaluator.evaluate(feature);
            let explanation = explain(&evaluator, feature);
            prop_assert_eq!(summary(&evaluation), summary(&explanation.evaluation), "{}", sent);

            let rules = &feature.definition().rules;
            prop_assert_eq!(explanation.rules.len(), rules.len());
            let matched: Vec<&RuleTrace> = explanation.rules.iter().filter(|rule| rule.matched).collect();
            let names: Vec<_> = matched.iter().map(|rule| rule.name.as_str()).collect();
            prop_assert_eq!(names, evaluation.rule.map(|rule| rule.name.as_str()).into_iter().collect::<Vec<_>>());
            for (trace, rule) in explanation.rules.iter().zip(rules) {
                prop_assert_eq!(&trace.name, &rule.name);
                prop_assert!(rule.enabled || trace.skipped.is_some());
                prop_assert_eq!(trace.why.is_some(), trace.skipped.is_none() && rule.when.is_some());
                let why = serde_json::to_value(&trace.why).expect("JSON");
                if trace.matched && rule.when.is_some() {
                    prop_assert_eq!(&why["result"], &json!(true), "{}", why);
                }
            }
            let partial = explanation.rollout().is_some_and(|rollout| rollout.included);
            prop_assert_eq!(partial, evaluation.reason == Reason::Split);
        }
    }

    #[test]
    fn what_is_serialised_reads_back_the_same(condition in condition(&["s"]), feature in feature(&["s"])) {
        let condition = decoded(&condition.to_string(), Condition::decode);
        let text = serde_json::to_string(&condition).expect("JSON");
        prop_assert_eq!(decoded(&text, Condition::decode), condition);

        let definition = decoded(&feature.to_string(), definition);
        let text = serde_json::to_string(&FeatureEntry(&definition)).expect("JSON");
        prop_assert_eq!(decoded(&text, self::definition), definition);
    }

    #[test]
    fn a_document_reads_back_the_same_and_answers_the_same(sent in random::document(), who in context()) {
        let document = decoded(&sent.to_string(), Document::decode);
        let text = serde_json::to_string(&document).expect("JSON");
        let again = decoded(&text, Document::decode);
        prop_assert_eq!(&again, &document);
        prop_assert_eq!(serde_json::to_string(&again).expect("JSON"), text);
        prop_assert_eq!(segment_cycle(&document.segments), None);

        let who = who.to_string();
        let context = Context::from_json(&who).expect("a context");
        for environment in &document.environments {
            let (one, other) = (snapshot(&document, &environment.name), snapshot(&again, &environment.name));
            let asked = Evaluator::new(&one, &context, NOW).expect("a chain");
            let asked_again = Evaluator::new(&other, &context, NOW).expect("a chain");
            for (feature, same) in one.features().zip(other.features()) {
                prop_assert_eq!(&feature.broken, &None);
                prop_assert_eq!(summary(&asked.evaluate(feature)), summary(&asked_again.evaluate(same)));
            }
        }
    }

    #[test]
    fn no_json_makes_decoding_panic(json in any_json()) {
        try_everything(&json.to_string());
    }

    #[test]
    fn no_spoiled_document_makes_decoding_or_evaluation_panic(
        whole in random::document(),
        place in any::<usize>(),
        part in any_json(),
        who in any_json(),
    ) {
        let sent = spoiled(whole, place, part).to_string();
        try_everything(&sent);
        let mut problems = Problems::default();
        let node = Node::parse(&sent).expect("JSON");
        let Some(document) = Document::decode(&node, &mut problems) else {
            prop_assert!(!problems.is_empty(), "refused without a word: {}", sent);
            return Ok(());
        };
        let who = who.to_string();
        let Ok(context) = Context::from_json(&who) else { return Ok(()) };
        for environment in &document.environments {
            let snapshot = Snapshot::compile(environment.source(&document, &mut problems));
            if let Ok(evaluator) = Evaluator::new(&snapshot, &context, NOW) {
                for feature in snapshot.features() {
                    let evaluation = evaluator.evaluate(feature);
                    prop_assert!(serde_json::from_str::<Value>(evaluation.value).is_ok());
                    prop_assert_eq!(summary(&evaluation), summary(&explain(&evaluator, feature).evaluation));
                }
            }
        }
    }

    #[test]
    fn no_text_makes_decoding_panic(text in ".{0,60}", hacked in "[\\[\\]{}:,\"\\\\a-z0-9.eE+ -]{0,60}") {
        try_everything(&text);
        try_everything(&hacked);
    }
}

/// Reads what must be fine.
#[track_caller]
fn decoded<T>(text: &str, read: impl Fn(&Node<'_>, &mut Problems) -> Option<T>) -> T {
    let mut problems = Problems::default();
    let read = read(&Node::parse(text).expect("JSON"), &mut problems);
    assert!(problems.is_empty(), "{text}: {:?} {:?}", problems.invalid, problems.unknown);
    read.expect("a value without problems")
}

fn definition(node: &Node<'_>, problems: &mut Problems) -> Option<Definition> {
    let mut object = node.object(problems)?;
    let decoded = Definition::decode(&mut object, None, problems);
    object.finish(problems);
    decoded.definition
}

/// Hands the text to everything that reads JSON from outside. What is refused must say why.
fn try_everything(text: &str) {
    if let Ok(context) = Context::from_json(text) {
        let _ = context.attribute(&Path::new("user.plan.x"));
        let _ = context.targeting_key();
    }
    let Ok(node) = Node::parse(text) else { return };
    let refused = |read: &dyn Fn(&mut Problems) -> bool| {
        let mut problems = Problems::default();
        assert_eq!(
            read(&mut problems),
            problems.is_empty(),
            "{text}: {:?} {:?}",
            problems.invalid,
            problems.unknown
        );
    };
    refused(&|problems| Condition::decode(&node, problems).is_some() && problems.is_empty());
    refused(&|problems| definition(&node, problems).is_some() && problems.is_empty());
    refused(&|problems| Document::decode(&node, problems).is_some() && problems.is_empty());
}

/// How far counts are from even: for 99 degrees of freedom above 148.2 once in a thousand, below 60.0 so too.
fn chi_square(counts: &[u32; 100]) -> f64 {
    let expected = f64::from(counts.iter().sum::<u32>()) / 100.0;
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

#[test]
fn buckets_are_even_for_every_scheme() {
    for (feature, number, id) in [
        ("checkout", "1", "6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10"),
        ("new_search", "77", "d41c9e0a-77aa-4c8f-8f55-1c3b2a9e6d02"),
        ("a/b:c", "123456", "00000000-0000-4000-8000-000000000000"),
    ] {
        let mut counts = [[0_u32; 100]; 4];
        let mut joint = [0_u32; 100];
        for n in 0..100_000_u32 {
            // Ids as applications have them: numbers scattered by a fixed multiplier.
            let user = format!("user-{:08x}", n.wrapping_mul(2_654_435_761));
            let (rollout, split) = bucket::sha256("", &user, feature);
            counts[0][(rollout / 100) as usize] += 1;
            counts[1][(split / 100) as usize] += 1;
            counts[2][(bucket::murmur3(&user, id) / 10_000) as usize] += 1;
            counts[3][(bucket::crc32(number, &user) / 10) as usize] += 1;
            joint[(rollout / 1000 * 10 + split / 1000) as usize] += 1;
        }
        for (at, counts) in counts.iter().enumerate() {
            let far = chi_square(counts);
            assert!(far < 148.2, "{feature} {at}: {far}");
        }
        // Who is in says nothing about the variant.
        let far = chi_square(&joint);
        assert!(far < 148.2, "{feature}: {far}");
    }
    let mut lopsided = [1000_u32; 100];
    lopsided[0] = 1600;
    assert!(chi_square(&lopsided) > 148.2);
}

#[test]
fn two_features_put_the_same_users_into_unrelated_buckets() {
    let mut joint = [[0_u32; 100]; 3];
    for n in 0..100_000_u32 {
        let user = format!("user-{:08x}", n.wrapping_mul(2_654_435_761));
        let pairs = [
            (
                bucket::sha256("", &user, "checkout").0 / 1000,
                bucket::sha256("", &user, "new_search").0 / 1000,
            ),
            (bucket::sha256("", &user, "checkout").0 / 1000, bucket::sha256("s", &user, "checkout").0 / 1000),
            (
                bucket::murmur3(&user, "6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10") / 100_000,
                bucket::murmur3(&user, "d41c9e0a-77aa-4c8f-8f55-1c3b2a9e6d02") / 100_000,
            ),
        ];
        for (joint, (one, other)) in joint.iter_mut().zip(pairs) {
            joint[(one * 10 + other) as usize] += 1;
        }
    }
    for (at, joint) in joint.iter().enumerate() {
        let far = chi_square(joint);
        assert!(far < 148.2, "{at}: {far}");
    }
}
