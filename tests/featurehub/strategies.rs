//! Native rules as strategies (featurehub.md §12), and what has none.

use serde_json::{Value, json};

use super::{features, path_of};
use crate::support::{PROD, TestApp};

async fn strategies(app: &TestApp, key: &str) -> Value {
    features(&app.anonymous(), &app.featurehub_key(true, &[]), "").await[key].clone()
}

fn country(value: &str) -> Value {
    json!({"attribute": "country", "operator": "equals", "value": value})
}

#[actix_web::test]
async fn rules_are_sent_in_order_until_one_is_for_everyone() {
    let app = TestApp::new().await;
    let feature = app
        .feature(json!({"key": "F", "type": "STRING", "defaultValue": "d", "bucketing": "murmur3", "rules": [
            {"name": "last", "priority": 10, "outcome": {"value": "never asked"}},
            {"name": "all", "priority": 20, "rollout": {"percentage": 100}, "outcome": {"value": "all"}},
            {"name": "off", "priority": 95, "enabled": false, "outcome": {"value": "off"}},
            {"name": "two", "priority": 90, "when": {"any": [country("SE"), country("NO")]}, "outcome": {"value": "n"}},
            {"name": "some", "priority": 80, "rollout": {"percentage": 20.5, "by": ["userId", "company"]},
             "outcome": {"value": "s"}},
            {"name": "some of", "priority": 70, "when": country("DK"), "rollout": {"percentage": 0.0001, "by": "company"},
             "outcome": {"value": "d"}},
            {"name": "nobody", "priority": 60, "when": country("FI"), "rollout": {"percentage": 0}, "outcome": {"value": "x"}},
        ]}))
        .await;
    let told = strategies(&app, "F").await;
    assert_eq!((&told["value"], &told["id"]), (&json!("all"), &feature["bucketingId"]));
    let id = |name: &str| {
        let rules = feature["rules"].as_array().expect("rules");
        rules.iter().find(|rule| rule["name"] == name).expect(name)["id"].as_str().expect("an id").to_owned()
    };
    let attribute = |value: &str| json!([{"conditional": "EQUALS", "fieldName": "country", "values": [value], "type": "STRING"}]);
    assert_eq!(
        told["strategies"],
        json!([
            {"id": id("two"), "percentage": 0, "attributes": attribute("SE"), "value": "n"},
            {"id": format!("{}-2", id("two")), "percentage": 0, "attributes": attribute("NO"), "value": "n"},
            {"id": id("some"), "percentage": 205_000, "percentageAttributes": ["userkey", "company"], "attributes": [],
             "value": "s"},
            {"id": id("some of"), "percentage": 1, "percentageAttributes": ["company"], "attributes": attribute("DK"),
             "value": "d"},
        ])
    );
}

#[actix_web::test]
async fn a_split_is_a_band_for_each_arm() {
    let app = TestApp::new().await;
    let arms = json!({"split": [{"variant": "a", "weight": 20}, {"variant": "b", "weight": 0},
                                {"variant": "c", "weight": 80}]});
    let variants: Vec<_> = ["a", "b", "c"].iter().map(|key| json!({"key": key, "value": key})).collect();
    app.feature(json!({"key": "F", "type": "STRING", "bucketing": "murmur3", "variants": variants, "rules": [
        {"name": "of some", "priority": 90, "when": {"any": [country("SE"), country("NO")]}, "outcome": arms},
        {"name": "of all", "outcome": arms},
    ]}))
    .await;
    let told = strategies(&app, "F").await;
    let seen: Vec<_> = told["strategies"]
        .as_array()
        .expect("strategies")
        .iter()
        .map(|one| {
            (one["percentage"].as_u64(), one["attributes"].as_array().map(Vec::len), one["value"].as_str())
        })
        .collect();
    let some = |percentage, attributes, value| (Some(percentage), Some(attributes), Some(value));
    assert_eq!(
        seen,
        [
            some(200_000, 1, "a"),
            some(200_000, 1, "a"),
            some(1_000_000, 1, "c"),
            some(1_000_000, 1, "c"),
            some(200_000, 0, "a"),
            some(800_000, 0, "c"),
        ]
    );
}

#[actix_web::test]
async fn what_decides_before_the_rules_is_sent_alone() {
    let app = TestApp::new().await;
    let rules = json!([{"name": "r", "when": country("SE"), "outcome": {"value": true}}]);
    for key in ["A", "B", "C"] {
        app.feature(json!({"key": key, "type": "BOOLEAN", "defaultValue": true, "rules": rules})).await;
    }
    app.feature(json!({"key": "D", "type": "STRING", "defaultValue": "d", "enabled": false})).await;
    app.editor().patch(&path_of("B"), json!({"enabled": false})).await.expect(200);
    app.contexts(json!([
        {"key": "override", "features": {"A": "no"}},
        {"key": "team", "features": {"C": "no"}},
        {"key": "ana", "prototypes": ["team"], "features": {}},
        {"key": "bo", "prototypes": ["team"], "features": {"C": "yes"}},
    ]));
    let told = features(&app.anonymous(), &app.featurehub_key(true, &[]), "").await;
    for (key, value) in [("A", json!(false)), ("B", json!(false))] {
        assert_eq!((&told[key]["value"], &told[key]["strategies"]), (&value, &json!([])), "{key}");
    }
    assert_eq!((told["D"].get("value"), &told["D"]["strategies"]), (None, &json!([])));
    let contexts = |at: usize, value: bool, keys: Value| {
        json!({"id": format!("context-{at}"), "value": value, "attributes": [
            {"conditional": "EQUALS", "fieldName": "userkey", "values": keys, "type": "STRING"}]})
    };
    let sent = told["C"]["strategies"].as_array().expect("strategies");
    assert_eq!(sent[..2], [contexts(1, false, json!(["ana", "team"])), contexts(2, true, json!(["bo"]))]);
    assert_eq!(sent.len(), 3);
    // What is evaluated here says the same.
    let server = app.featurehub_key(false, &[]);
    for (user, value) in [("ana", false), ("bo", true), ("team", false), ("eve", true)] {
        let told = features(&app.anonymous(), &server, &format!("userkey={user},session=ana")).await;
        assert_eq!(told["C"]["value"], json!(value), "{user}");
    }
}

#[actix_web::test]
async fn what_cannot_be_expressed_is_left_out_and_named_with_the_reason() {
    let app = TestApp::new().await;
    let rule = |rest: Value| {
        let mut rule = json!({"name": "r", "outcome": {"value": true}});
        rule.as_object_mut().expect("a rule").extend(rest.as_object().expect("members").clone());
        json!([rule])
    };
    let leaf = |operator: &str, value: Value| json!({"when": {"attribute": "a", "operator": operator, "value": value}});
    let mut expected = Vec::new();
    for (key, rest, reason) in [
        ("a", rule(json!({"rollout": {"percentage": 50}})), "murmur3"),
        ("b", rule(leaf("not_equals", json!("x"))), "make it strict"),
        ("c", rule(json!({"when": {"attribute": "a", "operator": "exists"}})), "no counterpart"),
        ("d", rule(leaf("matches", json!(r"\d+"))), "write [0-9]"),
        ("e", rule(leaf("semver_gte", json!("1.2.3.4"))), "three parts"),
    ] {
        app.feature(json!({"key": key, "type": "BOOLEAN", "defaultValue": false, "rules": rest})).await;
        expected.push((key, reason));
    }
    let stop = json!({"when": country("SE"), "rollout": {"percentage": 50, "otherwise": "stop"}});
    let mut rules = rule(stop);
    rules
        .as_array_mut()
        .expect("rules")
        .push(json!({"name": "s", "when": country("NO"), "outcome": {"value": true}}));
    app.feature(json!({"key": "f", "type": "BOOLEAN", "bucketing": "murmur3", "rules": rules})).await;
    expected.push(("f", "next rule"));
    app.feature(json!({"key": "fine", "type": "BOOLEAN"})).await;
    let told = features(&app.anonymous(), &app.featurehub_key(true, &[]), "").await;
    assert_eq!(told.as_object().expect("features").keys().collect::<Vec<_>>(), ["fine"]);
    let all = features(&app.anonymous(), &app.featurehub_key(false, &[]), "").await;
    assert_eq!(all.as_object().expect("features").len(), 7, "values are served for all");
    let named = app.viewer().get(&format!("{PROD}/compatibility")).await.expect(200).body;
    let items = named["items"].as_array().expect("items");
    assert_eq!(items.len(), expected.len(), "{named}");
    for (item, (key, reason)) in items.iter().zip(expected) {
        assert_eq!((item["feature"].as_str(), item["door"].as_str()), (Some(key), Some("featurehub")));
        let told = item["reason"].as_str().expect("a reason");
        assert!(told.starts_with("rule “r”: ") && told.contains(reason), "{told}");
    }
}

#[actix_web::test]
async fn a_context_that_cannot_be_followed_takes_only_what_contexts_say_something_of() {
    let app = TestApp::new().await;
    for key in ["plain", "personal"] {
        app.feature(json!({"key": key, "type": "BOOLEAN", "defaultValue": true})).await;
    }
    let editor = app.editor();
    editor.patch(PROD, json!({"userIdIsContextKey": true})).await.expect(200);
    let contexts = format!("{PROD}/contexts");
    for level in 0..=32 {
        let prototypes = if level == 0 { vec![] } else { vec![format!("c{}", level - 1)] };
        let body =
            json!({"key": format!("c{level}"), "prototypes": prototypes, "features": {"personal": false}});
        editor.post(&contexts, body).await.expect(201);
    }
    editor.post(&contexts, json!({"key": "root"})).await.expect(201);
    editor.patch(&format!("{contexts}/c0"), json!({"prototypes": ["root"]})).await.expect(200);
    let told = features(&app.anonymous(), &app.featurehub_key(true, &[]), "").await;
    assert_eq!(told["plain"]["value"], true, "{told}");
    assert_eq!(told["personal"], Value::Null);
}

#[actix_web::test]
async fn what_follows_from_contexts_is_kept_while_features_change() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "f", "type": "BOOLEAN"})).await;
    let editor = app.editor();
    let made = |new: u8| {
        let environments = app.app.live.environments();
        environments.iter().map(|one| *one.snapshot().from_contexts.get_or_make(|| new)).max()
    };
    assert_eq!(made(1), Some(1));
    editor.patch(&path_of("f"), json!({"defaultValue": true})).await.expect(200);
    assert_eq!(made(2), Some(1), "no Context changed");
    editor.post(&format!("{PROD}/contexts"), json!({"key": "ann"})).await.expect(201);
    assert_eq!(made(3), Some(3));
}
