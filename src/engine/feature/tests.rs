use serde_json::{Value, json};

use super::*;
use crate::document::FeatureEntry;

type Told = Vec<(String, String)>;

/// Reads a feature; what is wrong, by path.
fn read(feature: &Value, base: Option<&Definition>) -> (Option<Definition>, Told) {
    let text = feature.to_string();
    let mut problems = Problems::default();
    let mut object = Node::parse(&text).expect("JSON").object(&mut problems).expect("an object");
    let decoded = Definition::decode(&mut object, base, &mut problems);
    object.finish(&mut problems);
    assert!(decoded.definition.is_some() || !problems.is_empty(), "refused without a word: {feature}");
    let told = problems.unknown.into_iter().chain(problems.invalid);
    (decoded.definition, told.map(|problem| (problem.field, problem.message)).collect())
}

#[track_caller]
fn fine(feature: &Value) -> Definition {
    let (definition, told) = read(feature, None);
    assert_eq!(told, Told::new(), "{feature}");
    definition.expect("a definition without problems")
}

/// A feature with more or other members than a plain one.
fn with(members: Value) -> Value {
    let mut feature = json!({"key": "k", "type": "STRING"});
    if let (Some(feature), Value::Object(members)) = (feature.as_object_mut(), members) {
        feature.extend(members);
    }
    feature
}

fn with_rule(scheme: &str, rule: Value) -> Value {
    let mut whole = json!({"name": "r", "outcome": {"value": "x"}});
    if let (Some(whole), Value::Object(rule)) = (whole.as_object_mut(), rule) {
        whole.extend(rule);
    }
    let variants = json!([{"key": "a", "value": "a"}, {"key": "b", "value": "b"}]);
    with(json!({"bucketing": scheme, "variants": variants, "rules": [whole]}))
}

fn told(rows: &[(&str, &str)]) -> Told {
    rows.iter().map(|(field, message)| (field.to_string(), message.to_string())).collect()
}

#[test]
fn a_plain_feature_has_the_defaults_of_the_contract() {
    let definition = fine(&json!({"key": "a/b:c", "type": "NUMBER"}));
    let expected = Definition {
        key: "a/b:c".into(),
        kind: FeatureType::Number,
        integer: false,
        enabled: true,
        default_value: None,
        description: String::new(),
        tags: Vec::new(),
        properties: Default::default(),
        retired: false,
        bucketing: Bucketing::Sha256,
        bucketing_id: None,
        variants: Vec::new(),
        rules: Vec::new(),
        flagr: None,
    };
    assert_eq!(definition, expected);
    let rule = &fine(&with(json!({"rules": [{"name": "r", "outcome": {"value": "x"}}]}))).rules[0];
    let (when, rollout, outcome) = (None, None, Outcome::Value(Json::compacted("\"x\"")));
    let name = "r".to_owned();
    assert_eq!(*rule, Rule { id: Uuid::nil(), name, priority: 50, enabled: true, when, rollout, outcome });
}

#[test]
fn every_problem_is_told_with_its_path() {
    const KEY: &str = KEY_RULE;
    const KIND: &str = "must be one of STRING, NUMBER, BOOLEAN, JSON";
    let long = "x".repeat(4001);
    let rows: Vec<(Value, &[(&str, &str)])> = vec![
        (json!({}), &[("key", "is required"), ("type", "is required")]),
        (json!({"key": null, "type": "text"}), &[("key", "is required"), ("type", KIND)]),
        (json!({"key": ".", "type": 5}), &[("key", KEY), ("type", "must be a string")]),
        (
            json!({"key": "a b", "type": "STRING", "typo": 1}),
            &[("typo", "is not a known member"), ("key", KEY)],
        ),
        (with(json!({"defaultValue": 5})), &[("defaultValue", "must be a string")]),
        (
            with(json!({"enabled": 1, "locked": "no"})),
            &[("locked", "must be true or false"), ("enabled", "must be true or false")],
        ),
        (with(json!({"description": long})), &[("description", "must be at most 4000 characters")]),
        (with(json!({"description": "a\u{0}"})), &[("description", "must not contain NUL")]),
        (
            with(json!({"properties": {"fine": "x", "": "x"}})),
            &[("properties.", "must have a name of 1 to 100 characters without = and outer spaces")],
        ),
        (
            with(json!({"properties": {"a": 5, "b": "x".repeat(1001), "c": "\u{7}"}})),
            &[
                ("properties.a", "must be a string"),
                ("properties.b", "must be at most 1000 characters"),
                ("properties.c", "must have no line breaks and outer spaces"),
            ],
        ),
        (
            with(json!({"tags": ["", "a", 5, " b", "c,d", "a"]})),
            &[
                ("tags[0]", "must be 1 to 50 characters"),
                ("tags[2]", "must be a string"),
                ("tags[3]", "must have no commas, control characters or outer spaces"),
                ("tags[4]", "must have no commas, control characters or outer spaces"),
                ("tags[5]", "stands twice"),
            ],
        ),
        (with(json!({"bucketing": "md5"})), &[("bucketing", "must be one of sha256, murmur3, crc32")]),
        (with(json!({"bucketingId": "7"})), &[("bucketingId", "must be null under sha256")]),
        (
            with(json!({"bucketing": "murmur3", "bucketingId": 7})),
            &[("bucketingId", "must be a lower-case UUID under murmur3")],
        ),
        (
            with(json!({"bucketing": "murmur3", "bucketingId": "6B1F3C52-0D3E-4B8E-9A51-2F0C6F2B7A10"})),
            &[("bucketingId", "must be a lower-case UUID under murmur3")],
        ),
        (
            with(json!({"bucketing": "crc32", "bucketingId": 0})),
            &[("bucketingId", "must be a whole number from 1 under crc32")],
        ),
        (
            with(json!({"bucketing": "crc32", "bucketingId": "07"})),
            &[("bucketingId", "must be a whole number from 1 under crc32")],
        ),
        (
            with(
                json!({"variants": [{"key": "a", "value": 1}, {"value": "x", "attachment": 5}, {"key": "b", "value": "", "v": 1}]}),
            ),
            &[
                ("variants[2].v", "is not a known member"),
                ("variants[0].value", "must be a string"),
                ("variants[1].key", "is required"),
            ],
        ),
        (
            with(json!({"variants": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]})),
            &[("variants[1].key", "a stands twice")],
        ),
        (
            with(
                json!({"rules": [{}, {"name": " ", "outcome": {}}, {"name": "x", "outcome": {"value": 1, "split": []}}]}),
            ),
            &[
                ("rules[0].name", "is required"),
                ("rules[0].outcome", "is required"),
                ("rules[1].name", "must not be empty"),
                ("rules[1].outcome", "must have exactly one of value, split"),
                ("rules[2].outcome", "must have exactly one of value, split"),
            ],
        ),
        (
            with_rule(
                "sha256",
                json!({"id": 5, "priority": 0, "enabled": "x", "when": {}, "typo": 1,
                "rollout": {"percentage": -1, "by": 5, "otherwise": "skip", "salt": 1, "typo": 2}, "outcome": {"value": 7}}),
            ),
            &[
                ("rules[0].rollout.typo", "is not a known member"),
                ("rules[0].typo", "is not a known member"),
                ("rules[0].id", "must be a string"),
                ("rules[0].priority", "must be a whole number from 1 to 100"),
                ("rules[0].enabled", "must be true or false"),
                ("rules[0].when", "must have exactly one of all, any, not, attribute, segment, flagr"),
                ("rules[0].rollout.percentage", "must be between 0 and 100"),
                ("rules[0].rollout.by", "must be a string"),
                ("rules[0].rollout.salt", "must be a string"),
                ("rules[0].rollout.otherwise", "must be next or stop"),
                ("rules[0].outcome.value", "must be a string"),
            ],
        ),
        (with_rule("sha256", json!({"id": "x"})), &[("rules[0].id", "must be a UUID")]),
    ];
    for (feature, expected) in rows {
        assert_eq!(read(&feature, None).1, told(expected), "{feature}");
    }
}

#[test]
fn one_broken_rule_hides_nothing_about_the_others() {
    let feature = with(json!({"bucketing": "sha256", "rules": [
        {"name": "a", "priority": 500, "rollout": {"percentage": 1.001}, "outcome": {"value": "x"}},
        {"name": "b", "outcome": {"split": [{"variant": "gone", "weight": 99.999}, {"variant": "gone", "weight": 0.001}]}}]}));
    let found = read(&feature, None).1;
    let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "rules[0].priority",
            "rules[0].rollout.percentage",
            "rules[1].outcome.split[0].weight",
            "rules[1].outcome.split[0].variant",
            "rules[1].outcome.split[1].weight",
            "rules[1].outcome.split[1].variant",
        ]
    );
}

#[test]
fn percentages_have_the_decimals_of_their_scheme() {
    let two = "must have at most two decimals under sha256";
    let whole = "must have no decimals under crc32";
    let four = "must have at most four decimals";
    for (scheme, percentage, problem) in [
        ("sha256", "0", None),
        ("sha256", "100", None),
        ("sha256", "100.0", None),
        ("sha256", "33.33", None),
        ("sha256", "2e1", None),
        ("sha256", "0.01", None),
        ("sha256", "33.333", Some(two)),
        ("sha256", "0.0001", Some(two)),
        ("murmur3", "33.3333", None),
        ("murmur3", "0.0001", None),
        ("murmur3", "99.9999", None),
        ("murmur3", "33.33333", Some(four)),
        ("murmur3", "99.99999999", Some(four)),
        ("murmur3", "99.9999999999", Some(four)),
        ("murmur3", "0.00001", Some(four)),
        ("murmur3", "1e-300", Some(four)),
        ("crc32", "33", None),
        ("crc32", "33.5", Some(whole)),
        ("sha256", "-0.01", Some("must be between 0 and 100")),
        ("sha256", "100.01", Some("must be between 0 and 100")),
        ("sha256", "1e999", Some("must be a number between 0 and 100")),
        ("sha256", "\"50\"", Some("must be a number between 0 and 100")),
        ("sha256", "null", Some("is required")),
    ] {
        let placeholder = with_rule(scheme, json!({"rollout": {"percentage": "HERE"}})).to_string();
        let text = placeholder.replace("\"HERE\"", percentage);
        let mut problems = Problems::default();
        let mut object = Node::parse(&text).expect("JSON").object(&mut problems).expect("an object");
        let definition = Definition::decode(&mut object, None, &mut problems).definition;
        let messages: Vec<_> = problems.invalid.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, problem.into_iter().collect::<Vec<_>>(), "{scheme} {percentage}");
        let Some(rollout) = definition.and_then(|mut definition| definition.rules.remove(0).rollout) else {
            continue;
        };
        let shown = serde_json::to_string(&rollout.percentage).expect("JSON");
        assert_eq!(shown.parse::<f64>(), percentage.parse::<f64>(), "{percentage}");
    }
}

#[test]
fn splits_must_add_up_and_name_each_variant_once() {
    let split = |arms: Value| json!({"outcome": {"split": arms}});
    let path = "rules[0].outcome.split";
    for (scheme, arms, expected) in [
        ("sha256", json!([{"variant": "a", "weight": 33.33}, {"variant": "b", "weight": 66.67}]), vec![]),
        ("sha256", json!([{"variant": "a", "weight": 0}, {"variant": "b", "weight": 100}]), vec![]),
        (
            "murmur3",
            json!([{"variant": "a", "weight": 33.3333}, {"variant": "b", "weight": 66.6667}]),
            vec![],
        ),
        (
            "sha256",
            json!([]),
            vec![(path.to_owned(), "weights must add up to 100, they add up to 0".to_owned())],
        ),
        (
            "sha256",
            json!([{"variant": "a", "weight": 33.33}, {"variant": "b", "weight": 66.66}]),
            vec![(path.to_owned(), "weights must add up to 100, they add up to 99.99".to_owned())],
        ),
        (
            "crc32",
            json!([{"variant": "a", "weight": 33.5}, {"variant": "b", "weight": 66.5}]),
            vec![
                (format!("{path}[0].weight"), "must have no decimals under crc32".to_owned()),
                (format!("{path}[1].weight"), "must have no decimals under crc32".to_owned()),
            ],
        ),
        (
            "sha256",
            json!([{"variant": "a", "weight": 50}, {"variant": "a", "weight": 50}]),
            vec![(format!("{path}[1].variant"), "a stands twice".to_owned())],
        ),
        (
            "sha256",
            json!([{"variant": "z", "weight": 100}]),
            vec![(format!("{path}[0].variant"), "\"z\" is not a variant of this feature".to_owned())],
        ),
        (
            "sha256",
            json!([{"variant": 1}, {"variant": "a", "weight": 101, "x": 1}]),
            vec![
                (format!("{path}[1].x"), "is not a known member".to_owned()),
                (format!("{path}[0].variant"), "must be a string".to_owned()),
                (format!("{path}[0].weight"), "is required".to_owned()),
                (format!("{path}[1].weight"), "must be between 0 and 100".to_owned()),
            ],
        ),
    ] {
        assert_eq!(read(&with_rule(scheme, split(arms.clone())), None).1, expected, "{scheme} {arms}");
    }
}

#[test]
fn what_only_one_scheme_can_say_is_refused_under_the_others() {
    let rollout = |more: Value| {
        let mut rollout = json!({"percentage": 50});
        if let (Some(rollout), Value::Object(more)) = (rollout.as_object_mut(), more) {
            rollout.extend(more);
        }
        json!({"rollout": rollout})
    };
    let list = "must be one attribute (a list only under murmur3)";
    for (scheme, rule, problem) in [
        ("murmur3", rollout(json!({"by": ["a", "b"]})), None),
        ("sha256", rollout(json!({"by": ["a", "b"]})), Some(("rules[0].rollout.by", list))),
        ("crc32", rollout(json!({"by": ["a"]})), Some(("rules[0].rollout.by", list))),
        ("sha256", rollout(json!({"by": "a"})), None),
        (
            "sha256",
            rollout(json!({"by": ""})),
            Some(("rules[0].rollout.by", "must not be empty (leave it out for the targeting key)")),
        ),
        (
            "murmur3",
            rollout(json!({"by": []})),
            Some(("rules[0].rollout.by", "must name at least one attribute, none of them empty")),
        ),
        (
            "murmur3",
            rollout(json!({"by": ["a", ""]})),
            Some(("rules[0].rollout.by", "must name at least one attribute, none of them empty")),
        ),
        ("sha256", rollout(json!({"salt": "s"})), None),
        (
            "murmur3",
            rollout(json!({"salt": "s"})),
            Some(("rules[0].rollout.salt", "has no place under murmur3")),
        ),
        ("crc32", rollout(json!({"salt": "s"})), Some(("rules[0].rollout.salt", "has no place under crc32"))),
        ("murmur3", rollout(json!({"salt": ""})), None),
    ] {
        let expected: Vec<_> = problem.into_iter().collect();
        assert_eq!(read(&with_rule(scheme, rule.clone()), None).1, told(&expected), "{scheme} {rule}");
    }
    let both = |percentage: u32| {
        json!({"rollout": {"percentage": percentage},
            "outcome": {"split": [{"variant": "a", "weight": 50}, {"variant": "b", "weight": 50}]}})
    };
    let problem = ("rules[0].outcome.split", "cannot stand beside a rollout below 100 under murmur3");
    assert_eq!(read(&with_rule("murmur3", both(50)), None).1, told(&[problem]));
    assert_eq!(read(&with_rule("murmur3", both(100)), None).1, told(&[]));
    assert_eq!(read(&with_rule("sha256", both(50)), None).1, told(&[]));
}

#[test]
fn a_patch_keeps_what_it_does_not_name_and_is_checked_against_the_whole() {
    let base = fine(&with(
        json!({"defaultValue": "d", "description": "text", "tags": ["t"], "enabled": false,
        "variants": [{"key": "a", "value": "1"}],
        "rules": [{"name": "r", "rollout": {"percentage": 12.34}, "outcome": {"split": [{"variant": "a", "weight": 100}]}}]}),
    ));
    let patched = |patch: Value| read(&patch, Some(&base));
    assert_eq!(patched(json!({})), (Some(base.clone()), told(&[])));
    let same =
        json!({"key": "k", "type": "STRING", "id": 5, "version": 9, "createdAt": "", "updatedBy": "ana"});
    assert_eq!(patched(same), (Some(base.clone()), told(&[])));
    let (cleared, _) = patched(json!({"defaultValue": null, "rules": [], "variants": []}));
    let cleared = cleared.expect("a definition");
    assert_eq!((cleared.default_value, cleared.rules.len(), cleared.variants.len()), (None, 0, 0));
    assert_eq!(cleared.description, "text");
    for (patch, expected) in [
        (json!({"key": "other"}), ("key", "is fixed once made")),
        (
            json!({"variants": []}),
            ("rules[0].outcome.split[0].variant", "\"a\" is not a variant of this feature"),
        ),
        (json!({"bucketing": "crc32"}), ("rules[0].rollout.percentage", "must have no decimals under crc32")),
    ] {
        assert_eq!(patched(patch.clone()), (None, told(&[expected])), "{patch}");
    }
}

#[test]
fn rules_keep_their_ids_by_id_then_by_name() {
    let id = |n: u128| Uuid::from_u128(n);
    let rule = |name: &str| json!({"name": name, "outcome": {"value": "x"}});
    let mut base = fine(&with(json!({"rules": [rule("a"), rule("b"), rule("b")]})));
    for (at, known) in base.rules.iter_mut().enumerate() {
        known.id = id(at as u128 + 1);
    }
    let with_id = |name: &str, n: u128| json!({"name": name, "id": id(n), "outcome": {"value": "x"}});
    for (rules, expected) in [
        (json!([rule("b"), rule("a"), rule("b")]), vec![2, 1, 3]),
        (json!([with_id("renamed", 2), rule("b")]), vec![2, 3]),
        (json!([rule("b"), with_id("b", 2)]), vec![3, 2]),
        (json!([with_id("foreign", 9), rule("new")]), vec![0, 0]),
        (json!([with_id("a", 9)]), vec![1]),
    ] {
        let (definition, told) = read(&json!({"rules": rules}), Some(&base));
        let ids: Vec<_> =
            definition.expect("a definition").rules.iter().map(|rule| rule.id.as_u128()).collect();
        assert_eq!((ids, told), (expected, Told::new()), "{rules}");
    }
    let twice = json!({"rules": [with_id("a", 1), with_id("b", 1)]});
    assert_eq!(read(&twice, Some(&base)), (None, told(&[("rules[1].id", "stands twice")])));
}

#[test]
fn rules_are_put_into_the_order_of_evaluation() {
    let rule =
        |name: &str, priority: u8| json!({"name": name, "priority": priority, "outcome": {"value": "x"}});
    let rules = [rule("a", 1), rule("b", 50), rule("c", 100), rule("d", 50), rule("e", 1)];
    let names: Vec<_> =
        fine(&with(json!({"rules": rules}))).rules.into_iter().map(|rule| rule.name).collect();
    assert_eq!(names, ["c", "b", "d", "a", "e"]);
}

#[test]
fn flagrs_number_may_be_a_number_or_its_text() {
    for id in [json!(7), json!("7"), json!(7.0)] {
        let definition = fine(&with(json!({"bucketing": "crc32", "bucketingId": id})));
        assert_eq!(definition.bucketing_id.as_deref(), Some("7"));
        let written = serde_json::to_value(FeatureEntry(&definition)).expect("JSON");
        assert_eq!(written["bucketingId"], "7");
    }
}

#[test]
fn one_rule_reads_alone_and_over_another() {
    let decode = |rule: Value, base: Option<&Rule>| {
        let text = rule.to_string();
        let mut problems = Problems::default();
        let read =
            read_rule(&Node::parse(&text).expect("JSON"), Some(FeatureType::String), base, &mut problems);
        (read, problems.invalid.into_iter().map(|problem| (problem.field, problem.message)).collect::<Told>())
    };
    let whole = json!({"name": "r", "priority": 7, "enabled": false, "when": {"segment": "s"},
        "rollout": {"percentage": 5, "by": "b", "salt": "s", "otherwise": "stop"}, "outcome": {"value": "x"}});
    let (rule, problems) = decode(whole, None);
    let rule = rule.expect("a rule");
    assert_eq!(problems, Told::new());
    assert_eq!(decode(json!({}), Some(&rule)), (Some(rule.clone()), Told::new()));
    let (patched, _) = decode(json!({"when": null, "rollout": null, "enabled": true}), Some(&rule));
    assert_eq!(patched, Some(Rule { when: None, rollout: None, enabled: true, ..rule.clone() }));
    let (_, problems) = decode(json!({"name": null}), None);
    assert_eq!(problems, told(&[("name", "must not be empty"), ("outcome", "is required")]));
}

#[test]
fn stored_parts_of_a_rule_are_read_as_they_were_checked_and_damage_is_located() {
    let when = r#"{"all": [{"attribute": "plan", "operator": "in", "values": ["a", "b"]}, {"not": {"segment": "s"}}]}"#;
    let rollout = r#"{"percentage": 12.5, "by": "teamId"}"#;
    let outcome = r#"{"split": [{"variant": "x", "weight": 40}, {"variant": "y", "weight": 60}]}"#;
    let text = format!(r#"{{"name": "r", "when": {when}, "rollout": {rollout}, "outcome": {outcome}}}"#);
    let mut problems = Problems::default();
    let whole = read_rule(&Node::parse(&text).expect("JSON"), Some(FeatureType::String), None, &mut problems);
    let whole = whole.expect("a rule");
    let read = read_stored(FeatureType::String, Some(when), Some(rollout), outcome);
    assert_eq!(read, Ok((whole.when, whole.rollout, whole.outcome)));
    let always = read_stored(FeatureType::Number, None, None, r#"{"value": 1.50}"#).expect("fine");
    assert!(matches!(&always, (None, None, Outcome::Value(value)) if value.as_str() == "1.50"));
    for (kind, when, rollout, outcome, told) in [
        (
            FeatureType::String,
            Some(r#"{"all": [{"attribute": "a", "operator": "is", "value": 1}]}"#),
            None,
            r#"{"value": "x"}"#,
            "when.all[0].operator must be one of equals",
        ),
        (
            FeatureType::String,
            None,
            Some(r#"{"percentage": 101}"#),
            r#"{"value": "x"}"#,
            "rollout.percentage ",
        ),
        (FeatureType::Boolean, None, None, r#"{"value": "x"}"#, "outcome.value "),
        (FeatureType::Boolean, None, None, r#"{"value": true, "x": 1}"#, "outcome.x is not a known member"),
        (FeatureType::Boolean, Some("{"), None, r#"{"value": true}"#, "it is not JSON"),
        (
            FeatureType::String,
            None,
            None,
            r#"{"split": [{"variant": "x", "weight": 50}, {"variant": "x", "weight": 50}]}"#,
            "outcome.split[1].variant x stands twice",
        ),
    ] {
        let error = read_stored(kind, when, rollout, outcome).expect_err(outcome);
        assert!(error.starts_with(told), "{error}");
    }
}

fn segments(rows: &[(&str, &[&str])]) -> Vec<Segment> {
    let segment = |(key, uses): &(&str, &[&str])| Segment {
        key: key.to_string(),
        name: String::new(),
        conditions: Condition::All(uses.iter().map(|key| Condition::Segment(key.to_string())).collect()),
    };
    rows.iter().map(segment).collect()
}

#[test]
fn a_cycle_among_segments_is_named_from_where_it_closes() {
    type Row<'r> = (&'r [(&'r str, &'r [&'r str])], Option<&'r [&'r str]>);
    let rows: [Row<'_>; 7] = [
        (&[], None),
        (&[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d"]), ("d", &[])], None),
        (&[("a", &["gone"])], None),
        (&[("a", &["a"])], Some(&["a", "a"])),
        (&[("a", &["b"]), ("b", &["a"])], Some(&["a", "b", "a"])),
        (&[("a", &["b"]), ("b", &["c"]), ("c", &["d", "b"]), ("d", &[])], Some(&["b", "c", "b"])),
        (&[("x", &[]), ("a", &["x", "b"]), ("b", &["x", "a"])], Some(&["a", "b", "a"])),
    ];
    for (rows, cycle) in rows {
        let expected = cycle.map(|keys| keys.iter().map(|key| key.to_string()).collect::<Vec<_>>());
        assert_eq!(segment_cycle(&segments(rows)), expected, "{rows:?}");
    }
}

#[test]
fn segments_are_ordered_after_those_they_use_however_many() {
    let keys: Vec<String> = (0..100_000).map(|n| format!("s{n}")).collect();
    let chain: Vec<Segment> = (0..keys.len())
        .map(|n| Segment {
            key: keys[n].clone(),
            name: String::new(),
            conditions: keys
                .get(n + 1)
                .map_or(Condition::All(Vec::new()), |key| Condition::Segment(key.clone())),
        })
        .collect();
    let (order, cycle) = order_segments(&chain);
    assert_eq!(cycle, None);
    assert!(order.into_iter().eq((0..keys.len()).rev()));
}

#[test]
fn segments_are_checked_as_they_are_read() {
    let decode = |segment: Value, base: Option<&Segment>| {
        let text = segment.to_string();
        let mut problems = Problems::default();
        let mut object = Node::parse(&text).expect("JSON").object(&mut problems).expect("an object");
        let read = Segment::decode(&mut object, base, &mut problems);
        object.finish(&mut problems);
        let told = problems.unknown.into_iter().chain(problems.invalid);
        (read, told.map(|problem| (problem.field, problem.message)).collect::<Told>())
    };
    let (segment, problems) =
        decode(json!({"key": "staff", "conditions": {"all": []}, "id": 1, "usedBy": []}), None);
    let segment = segment.expect("a segment");
    assert_eq!((segment.name.as_str(), problems), ("staff", Told::new()));
    assert_eq!(decode(json!({"key": "staff"}), Some(&segment)), (Some(segment.clone()), Told::new()));
    let (renamed, _) = decode(json!({"name": "Staff"}), Some(&segment));
    assert_eq!(renamed, Some(Segment { name: "Staff".into(), ..segment.clone() }));
    for (sent, base, expected) in [
        (json!({}), None, vec![("key", "is required"), ("conditions", "is required")]),
        (
            json!({"key": "a b", "conditions": 5}),
            None,
            vec![("key", KEY_RULE), ("conditions", "must be an object")],
        ),
        (
            json!({"key": "other", "x": 1}),
            Some(&segment),
            vec![("x", "is not a known member"), ("key", "is fixed once made")],
        ),
    ] {
        assert_eq!(decode(sent.clone(), base).1, told(&expected), "{sent}");
    }
}

#[test]
fn keys_are_what_the_contract_says() {
    for good in ["a", "manage/plugins", "a.b:c-d_E9", "...", &"x".repeat(128)] {
        assert!(is_key(good), "{good}");
    }
    for bad in ["", ".", "..", "a b", "ä", "a\n", "a+b", &"x".repeat(129)] {
        assert!(!is_key(bad), "{bad}");
    }
}
