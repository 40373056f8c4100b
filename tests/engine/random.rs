//! Random JSON: valid conditions, features, documents and contexts, drawn from small pools so that conditions
//! often hold; and JSON of any shape.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

const ATTRIBUTES: [&str; 6] = ["a", "b", "user.plan", "now", "userId", "list"];
const TEXTS: [&str; 12] = [
    "",
    "x",
    "SE",
    "se",
    "30",
    "true",
    "1.2.3",
    "2026-01-02T00:00:00Z",
    "2026-01-03",
    "10.0.0.1",
    "ÅΣ",
    "u1",
];
const SCHEMES: [&str; 3] = ["sha256", "murmur3", "crc32"];
const KINDS: [&str; 4] = ["BOOLEAN", "STRING", "NUMBER", "JSON"];
const VARIANTS: [&str; 4] = ["on", "off", "blue", "a.b/c:1"];
const CONTEXTS: [&str; 3] = ["u1", "team:blue", "pilots"];

fn number() -> impl Strategy<Value = Value> {
    select(vec![json!(0), json!(30), json!(30.5), json!(-1), json!(9_007_199_254_740_993_u64), json!(1e300)])
}

fn text() -> impl Strategy<Value = Value> {
    select(&TEXTS[..]).prop_map(Value::from)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![3 => text(), 2 => number(), 1 => any::<bool>().prop_map(Value::from)]
}

/// Operators with operands that suit them: the operator, `value` or `values`, and what that holds.
fn operation(
    operators: &[&'static str],
    operand: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<(&'static str, &'static str, Value)> {
    (select(operators.to_vec()), vec(operand, 0..12), any::<bool>())
        .prop_map(|(operator, mut values, one)| match values.pop() {
            Some(value) if one => (operator, "value", value),
            last => {
                values.extend(last);
                (operator, "values", values.into())
            }
        })
        .boxed()
}

fn leaf() -> impl Strategy<Value = Value> {
    let of = |texts: &[&'static str]| select(texts.to_vec()).prop_map(Value::from);
    let operations = prop_oneof![
        operation(&["equals", "not_equals", "in", "not_in"], scalar()),
        operation(&["contains", "not_contains", "starts_with", "ends_with", "matches"], text()),
        operation(
            &["greater_than", "greater_or_equal", "less_than", "less_or_equal"],
            prop_oneof![number(), text()]
        ),
        operation(
            &["semver_eq", "semver_gt", "semver_gte", "semver_lt", "semver_lte"],
            of(&["1.2.3", "1.2", "2.0.0-rc.1"])
        ),
        operation(
            &["before", "after"],
            of(&["2026-01-02T00:00:00Z", "2026-01-02", "2027-01-01T00:00:00+01:00"])
        ),
        operation(&["ip_in"], of(&["10.0.0.0/8", "::/0", "10.0.0.1"])),
    ];
    let compared = (select(&ATTRIBUTES[..]), operations, any::<Option<bool>>(), any::<Option<bool>>())
        .prop_map(|(attribute, (operator, member, value), ignore_case, strict)| {
            let mut leaf = json!({"attribute": attribute, "operator": operator, member: value});
            for (name, flag) in [("ignoreCase", ignore_case), ("strict", strict)] {
                if let Some(flag) = flag {
                    leaf[name] = flag.into();
                }
            }
            leaf
        });
    let existing = (select(&ATTRIBUTES[..]), select(vec!["exists", "not_exists"]))
        .prop_map(|(attribute, operator)| json!({"attribute": attribute, "operator": operator}));
    let flagr = (
        select(vec!["a", "b", "user.plan", "list[0]"]),
        select(vec![("EQ", "\"x\""), ("NEQ", "30"), ("IN", "[\"x\",\"SE\"]"), ("LT", "31"), ("EREG", "\"^S\"")]),
    )
        .prop_map(|(property, (operator, value))| {
            json!({"flagr": {"property": property, "operator": operator, "value": value}})
        });
    prop_oneof![8 => compared, 1 => existing, 1 => flagr]
}

/// A condition over these segments.
pub fn condition(segments: &'static [&'static str]) -> BoxedStrategy<Value> {
    let leaf = if segments.is_empty() {
        leaf().boxed()
    } else {
        prop_oneof![4 => leaf(), 1 => select(segments).prop_map(|key| json!({"segment": key}))].boxed()
    };
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|parts| json!({"all": parts})),
            vec(inner.clone(), 0..4).prop_map(|parts| json!({"any": parts})),
            inner.prop_map(|part| json!({"not": part})),
        ]
    })
    .boxed()
}

/// Percentages that add up to 100, as the scheme writes them.
pub fn weights(scheme: &'static str, count: usize) -> impl Strategy<Value = Vec<f64>> {
    let units = match scheme {
        "crc32" => 100,
        "sha256" => 10_000,
        _ => 1_000_000,
    };
    vec(0..=units, count - 1).prop_map(move |mut cuts| {
        cuts.sort_unstable();
        cuts.push(units);
        let mut before = 0;
        let weight = |cut: u32| {
            let share = f64::from(cut - std::mem::replace(&mut before, cut));
            share / (f64::from(units) / 100.0)
        };
        cuts.into_iter().map(weight).collect()
    })
}

fn percentage(scheme: &'static str) -> impl Strategy<Value = f64> {
    weights(scheme, 2).prop_map(|weights| weights[0])
}

fn rollout(scheme: &'static str) -> impl Strategy<Value = Value> {
    let by = select(if scheme == "murmur3" {
        vec![json!(null), json!("b"), json!(["a", "user.plan"])]
    } else {
        vec![json!(null), json!("b")]
    });
    let salt = select(if scheme == "sha256" { vec!["", "s"] } else { vec![""] });
    let otherwise = select(vec![json!(null), json!("next"), json!("stop")]);
    let some = (percentage(scheme), by, salt, otherwise).prop_map(|(percentage, by, salt, otherwise)| {
        json!({"percentage": percentage, "by": by, "salt": salt, "otherwise": otherwise})
    });
    prop_oneof![1 => Just(Value::Null), 2 => some]
}

fn value(kind: &'static str) -> BoxedStrategy<Value> {
    match kind {
        "BOOLEAN" => any::<bool>().prop_map(Value::from).boxed(),
        "STRING" => text().boxed(),
        "NUMBER" => number().boxed(),
        _ => prop_oneof![scalar(), Just(json!({"k": [1, null]})), Just(json!([]))].boxed(),
    }
}

fn rule(
    kind: &'static str,
    scheme: &'static str,
    variants: usize,
    segments: &'static [&'static str],
) -> impl Strategy<Value = Value> {
    let plain = value(kind).prop_map(|value| json!({"value": value})).boxed();
    let outcome = if variants == 0 {
        plain
    } else {
        let split = (1..=variants).prop_flat_map(move |count| weights(scheme, count)).prop_map(|weights| {
            let arm = |(at, weight): (usize, f64)| json!({"variant": VARIANTS[at], "weight": weight});
            json!({"split": weights.into_iter().enumerate().map(arm).collect::<Vec<_>>()})
        });
        prop_oneof![plain, split].boxed()
    };
    let when = prop_oneof![Just(Value::Null), condition(segments)];
    let priority = prop_oneof![Just(json!(50)), (1..=100_u8).prop_map(Value::from)];
    (priority, prop::bool::weighted(0.85), when, rollout(scheme), outcome).prop_map(
        move |(priority, enabled, when, mut rollout, outcome)| {
            let several = outcome["split"].as_array().is_some_and(|arms| arms.len() > 1);
            if scheme == "murmur3" && several && rollout.is_object() {
                rollout["percentage"] = 100.into();
            }
            json!({"priority": priority, "enabled": enabled, "when": when, "rollout": rollout, "outcome": outcome})
        },
    )
}

/// A valid feature. Its rules are named by their place.
pub fn feature(segments: &'static [&'static str]) -> BoxedStrategy<Value> {
    (select(&KINDS[..]), select(&SCHEMES[..]), 0..=VARIANTS.len())
        .prop_flat_map(move |(kind, scheme, count)| {
            (
                Just((kind, scheme)),
                vec(value(kind), count),
                vec(rule(kind, scheme, count, segments), 0..5),
                prop::bool::weighted(0.9),
                prop_oneof![Just(Value::Null), value(kind)],
                vec(select(vec!["new", "ä b", "x"]), 0..2),
            )
        })
        .prop_map(|((kind, scheme), values, mut rules, enabled, default, tags)| {
            for (at, rule) in rules.iter_mut().enumerate() {
                rule["name"] = format!("r{at}").into();
            }
            let variants = VARIANTS.iter().zip(values).map(|(key, value)| json!({"key": key, "value": value}));
            let id = match scheme {
                "murmur3" => json!("6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10"),
                "crc32" => json!(7),
                _ => Value::Null,
            };
            json!({"key": "flag", "type": kind, "enabled": enabled, "defaultValue": default, "tags": tags, "properties": {"owner": "web"},
                "bucketing": scheme, "bucketingId": id, "variants": variants.collect::<Vec<_>>(), "rules": rules})
        })
        .boxed()
}

/// A valid document of one or two environments.
pub fn document() -> impl Strategy<Value = Value> {
    // Each segment may use those before it, so there is no cycle.
    let segments = (condition(&[]), condition(&["s0"]), condition(&["s0", "s1"])).prop_map(|(s0, s1, s2)| {
        let parts = [("s0", s0), ("s1", s1), ("s2", s2)];
        parts.map(
            |(key, conditions)| json!({"key": key, "name": key.to_uppercase(), "conditions": conditions}),
        )
    });
    let environment =
        (vec(feature(&["s0", "s1", "s2"]), 0..4), vec(0_usize..4, 0..3), any::<bool>(), any::<bool>());
    (segments, vec(environment, 1..3)).prop_map(|(segments, environments)| {
        let mut made = Vec::new();
        for (at, (mut features, mut held, maintained, by_user)) in environments.into_iter().enumerate() {
            for (at, feature) in features.iter_mut().enumerate() {
                feature["key"] = format!("flag{at}").into();
            }
            held.retain(|at| *at < features.len());
            let value = |feature: &Value| match feature["type"].as_str() {
                Some("BOOLEAN") => json!("yes"),
                Some("JSON") => json!("{\"a\": 1}"),
                _ => json!("8"),
            };
            let values: Map<_, _> =
                held.iter().map(|at| (format!("flag{at}"), value(&features[*at]))).collect();
            let contexts = CONTEXTS.iter().enumerate().map(|(at, key)| {
                json!({"key": key, "prototypes": &CONTEXTS[at + 1..], "features": if at == 0 { json!(values) } else { json!({}) }})
            });
            made.push(json!({"name": format!("env-{at}"), "description": "d", "tags": ["t"],
                "status": if maintained { "maintenance" } else { "active" }, "userIdIsContextKey": by_user,
                "features": features, "contexts": contexts.collect::<Vec<_>>()}));
        }
        json!({"version": 1, "site": {"slug": "site", "name": "Site", "description": ""}, "segments": segments,
            "environments": made})
    })
}

/// A context with the attributes that conditions ask for.
pub fn context() -> impl Strategy<Value = Value> {
    let attribute = prop_oneof![
        6 => scalar(),
        2 => vec(prop_oneof![scalar(), Just(Value::Null)], 0..4).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => scalar().prop_map(|value| json!({"plan": value})),
    ];
    let members =
        vec((select(vec!["a", "b", "user", "user.plan", "now", "list", "contextKey"]), attribute), 0..7);
    let user = prop_oneof![
        8 => (0..200_u32).prop_map(|n| json!(format!("u{n}"))),
        1 => scalar(),
        1 => Just(Value::Null),
    ];
    (members, user).prop_map(|(members, user)| {
        let mut context: Map<_, _> =
            members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        context.insert("userId".into(), user);
        Value::Object(context)
    })
}

/// JSON of any shape, with members that mean something here and there.
pub fn any_json() -> impl Strategy<Value = Value> {
    let names = vec![
        "all",
        "any",
        "not",
        "attribute",
        "operator",
        "value",
        "values",
        "segment",
        "flagr",
        "property",
        "strict",
        "key",
        "type",
        "rules",
        "variants",
        "when",
        "rollout",
        "percentage",
        "by",
        "outcome",
        "split",
        "weight",
        "version",
        "site",
        "slug",
        "environments",
        "features",
        "contexts",
        "prototypes",
        "userId",
        "contextKey",
        "contextPrototypes",
        "bucketing",
        "bucketingId",
        "defaultValue",
        "priority",
        "id",
        "name",
    ];
    let name = prop_oneof![3 => select(names).prop_map(str::to_owned), 1 => any::<String>()];
    let leaf = prop_oneof![
        scalar(),
        Just(Value::Null),
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|f| json!(f)),
        select(vec!["equals", "in", "matches", "semver_gt", "before", "ip_in", "STRING", "murmur3", "crc32"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((name.clone(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A value with one of its parts, chosen by `place`, replaced.
pub fn spoiled(mut whole: Value, place: usize, part: Value) -> Value {
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(members) => members.values().map(count).sum(),
            _ => 0,
        }
    }
    fn replace(value: &mut Value, place: &mut usize, part: &mut Option<Value>) {
        if *place == 0 {
            if let Some(part) = part.take() {
                *value = part;
            }
            return;
        }
        *place -= 1;
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| replace(item, place, part)),
            Value::Object(members) => members.values_mut().for_each(|member| replace(member, place, part)),
            _ => {}
        }
    }
    let mut place = place % count(&whole);
    replace(&mut whole, &mut place, &mut Some(part));
    whole
}
