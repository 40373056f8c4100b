//! Evaluation allocates nothing worth speaking of (feature-config §2), counted on the thread that asks.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use featured::engine::context::Context;
use featured::engine::evaluate::Evaluator;
use featured::engine::snapshot::Snapshot;
use serde_json::{Value, json};

use super::{NOW, document, file, one_feature, snapshot};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands every request on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations one evaluation of everything makes, once regular expressions have warmed up.
fn allocations(snapshot: &Snapshot, context: &Value) -> usize {
    let sent = context.to_string();
    let context = Context::from_json(&sent).expect("a context");
    // Walking the map of features keeps its place on the heap, once for all of them.
    let features: Vec<_> = snapshot.features().collect();
    let ask = || {
        let evaluator = Evaluator::new(snapshot, &context, NOW).expect("a chain");
        for feature in &features {
            black_box(evaluator.evaluate(feature).value);
        }
    };
    ask();
    let before = COUNT.get();
    ask();
    COUNT.get() - before
}

fn ruled(scheme: &str, id: Value, rules: Value) -> Snapshot {
    one_feature(&json!({"key": "flag", "type": "STRING", "bucketing": scheme, "bucketingId": id,
        "variants": [{"key": "a", "value": "a"}, {"key": "b", "value": "b"}], "rules": rules}))
}

#[test]
fn the_counter_counts() {
    let before = COUNT.get();
    black_box(String::from("text on the heap"));
    assert_eq!(COUNT.get() - before, 1);
}

#[test]
fn evaluating_180_studies_allocates_nothing() {
    let studies = snapshot(&document(&file("data/browser-studies.json")), "prod");
    let visitor = json!({"userId": "user-4711", "channel": "RELEASE", "platform": "WINDOWS", "country": "se",
        "version": "151.1.94.12"});
    assert_eq!(allocations(&studies, &visitor), 0);
}

#[test]
fn no_operator_allocates() {
    let leaf = |attribute: &str, operator: &str, value: Value| json!({"attribute": attribute, "operator": operator, "value": value});
    let all = json!({"all": [
        leaf("text", "equals", json!("abc")), leaf("text", "not_in", json!("x")), leaf("text", "contains", json!("b")),
        leaf("text", "starts_with", json!("a")), leaf("text", "ends_with", json!("c")), leaf("text", "matches", json!("^a.c$")),
        leaf("number", "greater_than", json!(5)), leaf("numeric", "equals", json!(5)), leaf("user.plan", "equals", json!("pro")),
        leaf("version", "semver_gte", json!("1.0.0")), leaf("time", "before", json!("2030-01-01")),
        leaf("now", "before", json!("2030-01-01")), leaf("ip", "ip_in", json!("10.0.0.0/8")), leaf("list", "contains", json!("y")),
        {"attribute": "gone", "operator": "not_exists"},
        {"attribute": "text", "operator": "equals", "value": "ABC", "ignoreCase": true},
        {"flagr": {"property": "text", "operator": "EQ", "value": "\"abc\""}}]});
    let snapshot =
        ruled("sha256", json!(null), json!([{"name": "r", "when": all, "outcome": {"value": "in"}}]));
    let context = json!({"text": "abc", "number": 6, "numeric": "5", "user": {"plan": "pro"}, "version": "1.2.3",
        "time": "2026-01-01T00:00:00Z", "ip": "10.1.1.1", "list": ["x", "y"]});
    let sent = context.to_string();
    assert!(super::ask(&snapshot, &Context::from_json(&sent).expect("a context")).rule.is_some());
    assert_eq!(allocations(&snapshot, &context), 0);
}

#[test]
fn no_bucket_allocates_and_bands_keep_one_list() {
    let split = json!({"split": [{"variant": "a", "weight": 50}, {"variant": "b", "weight": 50}]});
    let several = json!([{"name": "r", "outcome": split}]);
    let uuid = json!("6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10");
    let band =
        |name: &str| json!({"name": name, "rollout": {"percentage": 0.0001}, "outcome": {"value": "x"}});
    let bands = json!([band("1"), band("2"), band("3")]);
    let user = json!({"userId": "user-4711"});
    for (scheme, id, rules, expected) in [
        ("sha256", json!(null), &several, 0),
        ("crc32", json!("7"), &several, 0),
        ("murmur3", uuid.clone(), &several, 0),
        ("murmur3", uuid, &bands, 1),
    ] {
        assert_eq!(allocations(&ruled(scheme, id, rules.clone()), &user), expected, "{scheme} {rules}");
    }
}
