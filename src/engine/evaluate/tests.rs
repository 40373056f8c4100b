use serde_json::{Value, json};

use crate::bucket;
use crate::testing::{answer, one};

const UUID: &str = "6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10";

fn user(id: &str) -> Value {
    json!({"userId": id})
}

/// A feature of these rules under a scheme, with variants a, b and c.
fn ruled(scheme: &str, rules: Value) -> Value {
    let id = match scheme {
        "murmur3" => json!(UUID),
        "crc32" => json!("7"),
        _ => Value::Null,
    };
    let variants: Vec<_> = ["a", "b", "c"].iter().map(|key| json!({"key": key, "value": key})).collect();
    json!({"key": "flag", "type": "STRING", "defaultValue": "default", "bucketing": scheme, "bucketingId": id,
        "variants": variants, "rules": rules})
}

/// A rollout rule.
fn rolled(name: &str, percentage: f64) -> Value {
    json!({"name": name, "outcome": {"value": name}, "rollout": {"percentage": percentage}})
}

fn split(weights: [f64; 3]) -> Value {
    let arms =
        ["a", "b", "c"].iter().zip(weights).map(|(key, weight)| json!({"variant": key, "weight": weight}));
    json!({"split": arms.collect::<Vec<_>>()})
}

#[test]
fn a_feature_without_rules_is_static_and_a_disabled_one_is_silent() {
    for (members, expected) in [
        (json!({"type": "BOOLEAN", "defaultValue": true}), "true STATIC"),
        (json!({"type": "NUMBER", "defaultValue": 1}), "1 STATIC"),
        (json!({"type": "JSON"}), "null STATIC"),
        (json!({"type": "BOOLEAN", "defaultValue": true, "enabled": false}), "false DISABLED"),
        (json!({"type": "STRING", "defaultValue": "x", "enabled": false}), "null DISABLED"),
        (
            json!({"type": "STRING", "defaultValue": "x", "rules": [
                {"name": "r", "enabled": false, "outcome": {"value": "r"}}]}),
            "\"x\" DEFAULT",
        ),
        (
            json!({"type": "STRING", "rules": [
                {"name": "r", "when": {"any": []}, "outcome": {"value": "r"}}]}),
            "null DEFAULT",
        ),
    ] {
        let mut feature = members.clone();
        feature["key"] = "flag".into();
        assert_eq!(answer(&one(feature), "flag", &json!({})), expected, "{members}");
    }
}

#[test]
fn the_first_rule_that_holds_decides_by_priority_then_place() {
    let rule = |name: &str, priority: u8, wanted: &str| {
        json!({"name": name, "priority": priority, "outcome": {"value": name},
            "when": {"attribute": "plan", "operator": "in", "values": wanted.split(' ').collect::<Vec<_>>()}})
    };
    let rules = json!([
        rule("low", 10, "x y"),
        rule("first", 50, "x z"),
        rule("second", 50, "x z"),
        rule("high", 90, "y")
    ]);
    let snapshot = one(ruled("sha256", rules));
    for (plan, expected) in [
        ("x", "\"first\" TARGETING_MATCH rule=first"),
        ("y", "\"high\" TARGETING_MATCH rule=high"),
        ("z", "\"first\" TARGETING_MATCH rule=first"),
        ("w", "\"default\" DEFAULT"),
    ] {
        assert_eq!(answer(&snapshot, "flag", &json!({"plan": plan})), expected, "{plan}");
    }
}

#[test]
fn a_rollout_takes_in_the_buckets_below_it_and_says_split() {
    // tests/spec/native.json: user-1 of checkout is in bucket 4911.
    let at = |percentage: f64| {
        let mut feature = ruled("sha256", json!([rolled("in", percentage)]));
        feature["key"] = "checkout".into();
        answer(&one(feature), "checkout", &user("user-1"))
    };
    assert_eq!(at(0.0), "\"default\" DEFAULT");
    assert_eq!(at(49.11), "\"default\" DEFAULT");
    assert_eq!(at(49.12), "\"in\" SPLIT rule=in");
    assert_eq!(at(99.99), "\"in\" SPLIT rule=in");
    assert_eq!(at(100.0), "\"in\" TARGETING_MATCH rule=in");
}

#[test]
fn without_a_key_partial_rollouts_and_splits_pass_over_and_full_ones_do_not() {
    let nobody = [
        json!({}),
        json!({"userId": ""}),
        json!({"userId": null}),
        json!({"userId": ["u"]}),
        json!({"userId": {}}),
    ];
    for scheme in ["sha256", "murmur3"] {
        let several = json!({"name": "split", "outcome": split([50.0, 50.0, 0.0])});
        let rules = json!([rolled("almost all", 99.99), several, rolled("rest", 100.0)]);
        for context in &nobody {
            let told = answer(&one(ruled(scheme, rules.clone())), "flag", context);
            assert_eq!(told, "\"rest\" TARGETING_MATCH rule=rest", "{scheme} {context}");
        }
    }
    let single = json!([{"name": "one", "outcome": {"split": [{"variant": "b", "weight": 100}]}}]);
    for scheme in ["sha256", "murmur3", "crc32"] {
        let told = answer(&one(ruled(scheme, single.clone())), "flag", &json!({}));
        assert_eq!(told, "\"b\" TARGETING_MATCH rule=one variant=b", "{scheme}");
    }
}

#[test]
fn a_miss_goes_to_the_next_rule_or_stops_as_scheme_and_rule_say() {
    for (scheme, otherwise, expected) in [
        ("sha256", None, "\"rest\" TARGETING_MATCH rule=rest"),
        ("murmur3", None, "\"rest\" TARGETING_MATCH rule=rest"),
        ("crc32", None, "\"default\" DEFAULT"),
        ("sha256", Some("stop"), "\"default\" DEFAULT"),
        ("murmur3", Some("stop"), "\"default\" DEFAULT"),
        ("crc32", Some("next"), "\"rest\" TARGETING_MATCH rule=rest"),
    ] {
        let mut nobody = rolled("nobody", 0.0);
        nobody["rollout"]["otherwise"] = json!(otherwise);
        let snapshot = one(ruled(scheme, json!([nobody, rolled("rest", 100.0)])));
        assert_eq!(answer(&snapshot, "flag", &user("u")), expected, "{scheme} {otherwise:?}");
    }
    // Conditions that do not hold never stop.
    let mut nobody = rolled("nobody", 0.0);
    nobody["when"] = json!({"any": []});
    let snapshot = one(ruled("crc32", json!([nobody, rolled("rest", 100.0)])));
    assert_eq!(answer(&snapshot, "flag", &user("u")), "\"rest\" TARGETING_MATCH rule=rest");
    // A split without a key is passed over like a rollout, and so stops under crc32.
    let several = json!({"name": "split", "outcome": split([50.0, 50.0, 0.0])});
    let snapshot = one(ruled("crc32", json!([several, rolled("rest", 100.0)])));
    assert_eq!(answer(&snapshot, "flag", &json!({})), "\"default\" DEFAULT");
}

#[test]
fn a_split_gives_each_user_the_variant_of_its_bucket() {
    for scheme in ["sha256", "crc32"] {
        let weights = [20.0, 0.0, 80.0];
        let snapshot = one(ruled(scheme, json!([{"name": "r", "outcome": split(weights)}])));
        let mut counts = [0; 3];
        for n in 0..500 {
            let id = format!("u{n}");
            let share = match scheme {
                "sha256" => f64::from(bucket::sha256("", &id, "flag").1) / 100.0,
                _ => f64::from(bucket::crc32("7", &id)) / 10.0,
            };
            let at = if share < 20.0 { 0 } else { 2 };
            let variant = ["a", "b", "c"][at];
            let expected = format!("\"{variant}\" SPLIT rule=r variant={variant}");
            assert_eq!(answer(&snapshot, "flag", &user(&id)), expected, "{scheme} {id}");
            counts[at] += 1;
        }
        assert!(counts[0] > 50 && counts[2] > 300, "{counts:?}");
    }
}

#[test]
fn a_split_ends_an_arm_just_below_its_weight() {
    // tests/spec/native.json: user-1 of checkout has split bucket 9049.
    let at = |weight: f64| {
        let mut feature = ruled(
            "sha256",
            json!([{"name": "r", "outcome": split([weight, 0.0, (10_000.0 - weight * 100.0).round() / 100.0])}]),
        );
        feature["key"] = "checkout".into();
        answer(&one(feature), "checkout", &user("user-1"))
    };
    assert_eq!(at(90.5), "\"a\" SPLIT rule=r variant=a");
    assert_eq!(at(90.49), "\"c\" SPLIT rule=r variant=c");
}

#[test]
fn under_crc32_ranges_lie_by_variant_and_the_rollout_takes_their_low_end() {
    // tests/spec/flagr.json: entityID1 of flag 100 is in bucket 221, the middle of 0..500.
    let at = |percentage: u32, order: [&str; 2]| {
        let arms = order.map(|key| json!({"variant": key, "weight": 50}));
        let rule = json!({"name": "r", "rollout": {"percentage": percentage}, "outcome": {"split": arms}});
        let mut feature = ruled("crc32", json!([rule]));
        feature["bucketingId"] = "100".into();
        answer(&one(feature), "flag", &user("entityID1"))
    };
    for order in [["a", "b"], ["b", "a"]] {
        assert_eq!(at(100, order), "\"a\" SPLIT rule=r variant=a");
        assert_eq!(at(45, order), "\"a\" SPLIT rule=r variant=a");
        assert_eq!(at(44, order), "\"default\" DEFAULT");
    }
}

#[test]
fn under_murmur3_rules_without_conditions_follow_one_another() {
    // tests/spec/featurehub.json: fred is in bucket 218878 of this feature.
    let when = json!({"attribute": "userId", "operator": "exists"});
    let always = json!({"not": {"any": [{"any": []}]}});
    let with = |name: &str, percentage: f64, when: &Value| {
        let mut rule = rolled(name, percentage);
        rule["when"] = when.clone();
        rule
    };
    let by = |name: &str, percentage: f64, by: Value| {
        let mut rule = rolled(name, percentage);
        rule["rollout"]["by"] = by;
        rule
    };
    let disabled = |mut rule: Value| {
        rule["enabled"] = false.into();
        rule
    };
    let first = "\"first\" SPLIT rule=first";
    let second = "\"second\" SPLIT rule=second";
    let neither = "\"default\" DEFAULT";
    for (rules, expected) in [
        (json!([rolled("first", 20.0), rolled("second", 1.8878)]), second),
        (json!([rolled("first", 20.0), rolled("second", 1.8877)]), neither),
        (json!([rolled("first", 21.8878), rolled("second", 50.0)]), first),
        // Bounds are inclusive, and nobody is nobody.
        (json!([rolled("first", 0.0), rolled("second", 21.8878)]), second),
        (json!([rolled("first", 0.0), rolled("second", 21.8877)]), neither),
        // One with conditions neither uses what was taken nor takes.
        (json!([with("first", 20.0, &when), rolled("second", 21.8877)]), neither),
        (json!([with("first", 20.0, &when), rolled("second", 21.8878)]), second),
        (json!([rolled("first", 20.0), with("second", 21.8878, &when)]), second),
        (json!([rolled("first", 20.0), with("second", 1.8878, &when)]), neither),
        // A condition that every context passes is none.
        (json!([with("first", 20.0, &json!({"all": []})), rolled("second", 1.8878)]), second),
        (json!([with("first", 20.0, &always), with("second", 1.8878, &always)]), second),
        // A disabled rule takes nothing.
        (json!([disabled(rolled("first", 20.0)), rolled("second", 21.8877)]), neither),
        (json!([disabled(rolled("first", 20.0)), rolled("second", 21.8878)]), second),
        // Each key has a sum of its own, which equal texts share.
        (json!([by("first", 20.0, json!("team")), rolled("second", 21.8877)]), neither),
        (json!([by("first", 20.0, json!("userId")), rolled("second", 1.8878)]), second),
        (json!([by("first", 20.0, json!(["userId"])), by("second", 1.8878, json!("userId"))]), second),
    ] {
        let snapshot = one(ruled("murmur3", rules.clone()));
        // The bucket of this team is above 20 %.
        assert!(bucket::murmur3("blue", UUID) > 200_000);
        assert_eq!(
            answer(&snapshot, "flag", &json!({"userId": "fred", "team": "blue"})),
            expected,
            "{rules}"
        );
    }
}

#[test]
fn under_murmur3_nobody_is_in_a_band_of_nothing_not_even_bucket_0() {
    let zero = "u40413";
    assert_eq!(bucket::murmur3(zero, UUID), 0);
    let told = |rules: Value| answer(&one(ruled("murmur3", rules)), "flag", &user(zero));
    assert_eq!(told(json!([rolled("none", 0.0)])), "\"default\" DEFAULT");
    assert_eq!(told(json!([rolled("none", 0.0001)])), "\"none\" SPLIT rule=none");
    let rule = json!({"name": "r", "outcome": split([0.0, 0.0, 100.0])});
    assert_eq!(told(json!([rule])), "\"c\" SPLIT rule=r variant=c");
}

#[test]
fn under_murmur3_a_split_is_as_many_bands_as_it_has_arms() {
    let told = |rules: Value| answer(&one(ruled("murmur3", rules)), "flag", &user("fred"));
    let rule = |weights: [f64; 3]| json!({"name": "r", "outcome": split(weights)});
    // fred: 218878.
    assert_eq!(told(json!([rule([21.8877, 0.0, 78.1123])])), "\"c\" SPLIT rule=r variant=c");
    assert_eq!(told(json!([rule([21.8878, 78.1122, 0.0])])), "\"a\" SPLIT rule=r variant=a");
    // After 10 % it begins there; with conditions it begins at 0.
    assert_eq!(
        told(json!([rolled("x", 10.0), rule([11.8877, 50.0, 38.1123])])),
        "\"b\" SPLIT rule=r variant=b"
    );
    assert_eq!(
        told(json!([rolled("x", 10.0), rule([11.8878, 50.0, 38.1122])])),
        "\"a\" SPLIT rule=r variant=a"
    );
    let mut conditional = rule([21.8877, 50.0, 28.1123]);
    conditional["when"] = json!({"attribute": "userId", "operator": "exists"});
    assert_eq!(told(json!([rolled("x", 10.0), conditional])), "\"b\" SPLIT rule=r variant=b");
}

#[test]
fn a_rollout_may_stick_to_other_attributes_and_salts() {
    let key_of = |scheme: &str, by: Value, context: Value| {
        let mut rule = rolled("in", 50.0);
        rule["rollout"]["by"] = by;
        let (_, rollout) = crate::testing::explained(&one(ruled(scheme, json!([rule]))), "flag", &context);
        rollout["key"].as_str().map(str::to_owned)
    };
    let context = json!({"userId": "u", "companyId": 17.0, "org": {"id": true}, "list": ["a", 1, null, "", {}], "no": []});
    for (scheme, by, expected) in [
        ("sha256", json!(null), Some("u")),
        ("sha256", json!("companyId"), Some("17")),
        ("sha256", json!("org.id"), Some("true")),
        ("sha256", json!("list"), None),
        ("sha256", json!("org"), None),
        ("sha256", json!("gone"), None),
        ("crc32", json!("companyId"), Some("17")),
        ("crc32", json!("gone"), None),
        ("murmur3", json!(null), Some("u")),
        ("murmur3", json!("companyId"), Some("17")),
        ("murmur3", json!("gone"), Some("<none>")),
        ("murmur3", json!("org"), Some("<none>")),
        ("murmur3", json!("no"), Some("<none>")),
        ("murmur3", json!("list"), Some("a$1")),
        ("murmur3", json!(["list", "gone", "org.id"]), Some("a$1$<none>$true")),
    ] {
        assert_eq!(key_of(scheme, by.clone(), context.clone()).as_deref(), expected, "{scheme} {by}");
    }
    // tests/spec/native.json has salts: a salt stands before the key.
    let salted = |salt: &str| {
        let mut rule = rolled("in", 50.0);
        rule["rollout"]["salt"] = salt.into();
        let (_, rollout) =
            crate::testing::explained(&one(ruled("sha256", json!([rule]))), "flag", &user("u"));
        rollout["bucket"].as_u64()
    };
    assert_eq!(salted("s"), Some(bucket::sha256("s", "u", "flag").0.into()));
    assert_eq!(salted("s"), Some(bucket::sha256("", "su", "flag").0.into()));
    assert_ne!(salted("s"), salted(""));
}

#[test]
fn a_feature_that_does_not_compile_is_served_as_its_default() {
    let mut broken = crate::testing::stored(ruled("sha256", json!([rolled("in", 100.0)])));
    broken.definition.rules[0].when = Some(crate::condition::Condition::Segment("gone".into()));
    let snapshot = one(json!({"key": "other", "type": "BOOLEAN", "defaultValue": true}))
        .with_features(2, vec![("flag".into(), Some(broken))]);
    assert_eq!(answer(&snapshot, "flag", &user("u")), "\"default\" DEFAULT");
    assert_eq!(answer(&snapshot, "other", &user("u")), "true STATIC");
    let feature = snapshot.feature("flag").expect("the feature");
    assert_eq!(feature.broken.as_deref(), Some("rule \"in\": segment gone does not exist"));
}
