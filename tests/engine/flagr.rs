//! Flagr's published vectors, run through real features made as its door makes them (flagr.md §12).

use std::collections::BTreeMap;

use featured::engine::bucket;
use featured::engine::condition::Condition;
use featured::engine::context::{Context, Members};
use featured::engine::decode::{Node, Problems};
use featured::engine::snapshot::Snapshot;
use serde_json::{Value, json};

use super::{ask, one_feature, rows, text, vectors};

/// A segment as a rule named by its number (flagr.md §12).
fn rule(segment: &Value) -> Value {
    let distributions = rows(&segment["distributions"]);
    let arms: Vec<_> = distributions
        .iter()
        .map(|one| json!({"variant": one["variantKey"], "weight": one["percent"]}))
        .collect();
    let outcome = if arms.is_empty() { json!({"value": ""}) } else { json!({"split": arms}) };
    let mut rule = json!({"name": segment["id"].to_string(), "outcome": outcome,
        "rollout": {"percentage": segment["rolloutPercent"], "otherwise": "stop"}});
    let constraints = segment["constraints"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !constraints.is_empty() {
        rule["when"] = condition(constraints);
    }
    rule
}

fn condition(constraints: &[Value]) -> Value {
    let leaf = |one: &Value| json!({"flagr": {"property": one["property"], "operator": one["operator"], "value": one["value"]}});
    json!({"all": constraints.iter().map(leaf).collect::<Vec<_>>()})
}

/// A flag as a feature: variants by number, segments by rank, then number.
fn flag(id: &Value, segments: &[Value]) -> Snapshot {
    let mut variants: BTreeMap<u64, &str> = BTreeMap::new();
    for one in segments.iter().flat_map(|segment| rows(&segment["distributions"])) {
        variants.insert(one["variantID"].as_u64().expect("a number"), text(&one["variantKey"]));
    }
    let variants: Vec<_> = variants.values().map(|key| json!({"key": key, "value": key})).collect();
    let mut segments = segments.to_vec();
    segments.sort_by_key(|segment| (segment["rank"].as_u64(), segment["id"].as_u64()));
    one_feature(&json!({"key": "flag", "type": "STRING", "defaultValue": "", "bucketing": "crc32",
        "bucketingId": id.to_string(), "variants": variants,
        "rules": segments.iter().map(rule).collect::<Vec<_>>()}))
}

/// A flag of one segment without constraints, as the vectors on distributions have it.
fn of_row(row: &Value, distributions: &Value) -> Snapshot {
    let segment = json!({"id": 1, "rolloutPercent": row["rolloutPercent"], "distributions": distributions});
    flag(&row["flagID"], &[segment])
}

/// The variant for an entity; `None` is Flagr's blank answer, which is the value `""`.
fn variant<'s>(snapshot: &'s Snapshot, entity: &str, sent: &str) -> Option<&'s str> {
    let members: Members<'_> = serde_json::from_str(sent).expect("an object");
    let context = Context::with_targeting_key(members, Some(entity.to_owned().into()));
    let evaluation = ask(snapshot, &context);
    let variant = evaluation.variant.map(|variant| variant.key.as_str());
    assert_eq!(evaluation.value, format!("{:?}", variant.unwrap_or_default()), "{entity}");
    variant
}

#[test]
fn distributions_and_rollouts_fall_as_its_vectors_say() {
    let vectors = vectors("flagr");
    let mut answers = 0;
    for row in rows(&vectors["distribution"]) {
        let snapshot = of_row(row, &row["distributions"]);
        for (entity, expected) in row["expect"].as_object().expect("entities") {
            assert_eq!(variant(&snapshot, entity, "{}"), expected.as_str(), "{} {entity}", row["name"]);
            answers += 1;
        }
    }
    assert_eq!((rows(&vectors["distribution"]).len(), answers), (105, 105 * 15));
}

#[test]
fn ranges_lie_by_number_of_the_variant_not_in_the_order_sent() {
    let row = &vectors("flagr")["distribution_order"];
    let snapshot = of_row(row, &row["distributions_sent"]);
    let expected = row["expect"].as_object().expect("entities");
    assert_eq!(expected.len(), 10);
    for (entity, expected) in expected {
        assert_eq!(variant(&snapshot, entity, "{}"), expected.as_str(), "{entity}");
    }
}

#[test]
fn ten_thousand_users_are_counted_as_its_vectors_say() {
    let vectors = vectors("flagr");
    assert_eq!(rows(&vectors["distribution_counts"]).len(), 12);
    for row in rows(&vectors["distribution_counts"]) {
        let snapshot = of_row(row, &row["distributions"]);
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for n in 0..10_000 {
            let variant = variant(&snapshot, &format!("user-{n}"), "{}");
            *counts.entry(variant.unwrap_or_default()).or_default() += 1;
        }
        assert_eq!(json!(counts), row["counts"], "{} of flag {}", row["name"], row["flagID"]);
    }
}

#[test]
fn every_bucket_finds_its_range() {
    let vectors = vectors("flagr");
    let mut entities: BTreeMap<u32, String> = BTreeMap::new();
    for entity in (0..20_000).map(|n| format!("e{n}")) {
        entities.entry(bucket::crc32("1", &entity)).or_insert(entity);
    }
    assert_eq!(entities.len(), 1000);
    assert_eq!(rows(&vectors["bucket_lookup"]).len(), 136);
    for row in rows(&vectors["bucket_lookup"]) {
        let distributions: Vec<_> = rows(&row["percents"])
            .iter()
            .enumerate()
            .map(|(at, percent)| json!({"variantID": at, "variantKey": at.to_string(), "percent": percent}))
            .collect();
        let snapshot = of_row(&json!({"flagID": 1, "rolloutPercent": 100}), &json!(distributions));
        let entity = &entities[&(row["bucket"].as_u64().expect("a bucket") as u32)];
        let expected = row["index"].to_string();
        // One range of 100 percent is no allocation, and so needs no bucket.
        assert_eq!(variant(&snapshot, entity, "{}"), Some(expected.as_str()), "{row}");
    }
}

#[test]
fn segments_are_walked_as_its_vectors_say() {
    let vectors = vectors("flagr");
    assert_eq!(rows(&vectors["segment_walk"]).len(), 5);
    for row in rows(&vectors["segment_walk"]) {
        let snapshot = flag(&row["flagID"], rows(&row["segments"]));
        let entity = &row["entity"];
        let sent = entity["entityContext"].to_string();
        let expected = &row["expect"];
        assert_eq!(
            variant(&snapshot, text(&entity["entityID"]), &sent),
            expected["variantKey"].as_str(),
            "{row}"
        );
        let context = Context::from_json(&sent).expect("a context");
        if let Some(segment) = expected["segmentID"].as_u64() {
            let rule = ask(&snapshot, &context).rule.map(|rule| rule.name.clone());
            assert_eq!(rule, Some(segment.to_string()), "{row}");
        }
    }
}

/// Whether a segment with these constraints is taken for this context.
fn taken(constraints: &[Value], sent: &Value) -> bool {
    let snapshot = one_feature(
        &json!({"key": "flag", "type": "STRING", "defaultValue": "", "bucketing": "crc32",
        "bucketingId": "1", "rules": [{"name": "1", "when": condition(constraints), "outcome": {"value": "in"}}]}),
    );
    // A context that is no object has no properties (flagr.md §5): the door hands in an empty one.
    let sent = if sent.is_object() { sent.to_string() } else { "{}".to_owned() };
    ask(&snapshot, &Context::from_json(&sent).expect("a context")).rule.is_some()
}

#[test]
fn constraints_hold_as_its_vectors_say_alone_and_together() {
    let vectors = vectors("flagr");
    assert_eq!(rows(&vectors["constraints"]).len(), 271);
    for row in rows(&vectors["constraints"]) {
        let taken = taken(std::slice::from_ref(row), &row["context"]);
        assert_eq!(taken, row["outcome"] == "match", "{row}");
    }
    assert_eq!(rows(&vectors["constraint_sets"]).len(), 6);
    for row in rows(&vectors["constraint_sets"]) {
        let taken = taken(rows(&row["constraints"]), &row["context"]);
        assert_eq!(taken, row["outcome"] == "match", "{row}");
    }
}

#[test]
fn constraints_that_flagr_would_not_save_are_problems() {
    let vectors = vectors("flagr");
    assert_eq!(rows(&vectors["constraint_syntax_invalid"]).len(), 22);
    for row in rows(&vectors["constraint_syntax_invalid"]) {
        let condition = condition(std::slice::from_ref(row)).to_string();
        let mut problems = Problems::default();
        let read = Condition::decode(&Node::parse(&condition).expect("JSON"), &mut problems);
        assert!(read.is_none(), "{row}");
        let fields: Vec<_> = problems.invalid.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["all[0].flagr"], "{row}");
    }
}
