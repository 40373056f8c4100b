//! Every published vector through the door: flags taken over under their numbers, answers by HTTP.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Flagr;
use crate::engine::{rows, text, vectors};

/// A flag in the names of Flagr's export.
fn flag(id: &Value, segments: &[Value]) -> Value {
    let mut variants: BTreeMap<u64, &str> = BTreeMap::new();
    for one in segments.iter().flat_map(|segment| rows(&segment["distributions"])) {
        variants.insert(one["variantID"].as_u64().expect("a number"), text(&one["variantKey"]));
    }
    let number = id.as_u64().expect("a number");
    // Distributions and constraints have no numbers in the vectors.
    let mut next = number % 1_000_000 * 1000;
    let mut fresh = || {
        next += 1;
        next
    };
    let segments: Vec<_> = segments
        .iter()
        .map(|segment| {
            let shares = rows(&segment["distributions"]).iter().map(|one| json!({"ID": fresh(),
                "VariantID": one["variantID"], "VariantKey": one["variantKey"], "Percent": one["percent"]}));
            let shares: Vec<_> = shares.collect();
            let constraints = segment["constraints"].as_array().map(Vec::as_slice).unwrap_or_default();
            let constraints = constraints.iter().map(|one| json!({"ID": fresh(), "Property": one["property"],
                "Operator": one["operator"], "Value": one["value"]}));
            let constraints: Vec<_> = constraints.collect();
            json!({"ID": segment.get("id").cloned().unwrap_or(json!(number)), "Description": "segment",
                "Rank": segment.get("rank").cloned().unwrap_or(json!(0)),
                "RolloutPercent": segment["rolloutPercent"], "Constraints": constraints, "Distributions": shares})
        })
        .collect();
    let variants: Vec<_> = variants.into_iter().map(|(id, key)| json!({"ID": id, "Key": key})).collect();
    json!({"ID": id, "Key": format!("flag{id}"), "Description": "", "Enabled": true, "Variants": variants,
        "Segments": segments})
}

/// A server with this flag alone.
async fn serve(id: &Value, segments: &[Value]) -> Flagr {
    let flagr = Flagr::new().await;
    flagr.import(json!([flag(id, segments)])).expect("an import");
    flagr
}

/// The variants that a batch of entities gets; null is the blank answer.
async fn variants(flagr: &Flagr, id: &Value, entities: &[Value]) -> Vec<Value> {
    let body = json!({"entities": entities, "flagIDs": [id]});
    let answer = flagr.post("/evaluation/batch", body).await;
    rows(&answer["evaluationResults"]).iter().map(|row| row["variantKey"].clone()).collect()
}

async fn check(row: &Value, shares: &Value) {
    let segment =
        json!({"rolloutPercent": row.get("rolloutPercent").unwrap_or(&json!(100)), "distributions": shares});
    let flagr = serve(&row["flagID"], &[segment]).await;
    let expected = row["expect"].as_object().expect("entities");
    let entities: Vec<_> = expected.keys().map(|id| json!({"entityID": id})).collect();
    let found = variants(&flagr, &row["flagID"], &entities).await;
    assert_eq!(found, expected.values().cloned().collect::<Vec<_>>(), "{row}");
}

#[actix_web::test]
async fn distributions_and_their_order() {
    let vectors = vectors("flagr");
    assert_eq!(rows(&vectors["distribution"]).len(), 105);
    for row in rows(&vectors["distribution"]) {
        check(row, &row["distributions"]).await;
    }
    let row = &vectors["distribution_order"];
    check(row, &row["distributions_sent"]).await;
}

#[actix_web::test]
async fn counts_over_ten_thousand_users() {
    for row in rows(&vectors("flagr")["distribution_counts"]) {
        let segment = json!({"rolloutPercent": row["rolloutPercent"], "distributions": row["distributions"]});
        let flagr = serve(&row["flagID"], &[segment]).await;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for part in 0..10 {
            let entities: Vec<_> =
                (0..1000).map(|n| json!({"entityID": format!("user-{}", part * 1000 + n)})).collect();
            for variant in variants(&flagr, &row["flagID"], &entities).await {
                *counts.entry(variant.as_str().unwrap_or_default().to_owned()).or_default() += 1;
            }
        }
        assert_eq!(json!(counts), row["counts"], "{}", row["name"]);
    }
}

#[actix_web::test]
async fn segments_are_walked() {
    for row in rows(&vectors("flagr")["segment_walk"]) {
        let flagr = serve(&row["flagID"], rows(&row["segments"])).await;
        let mut sent = row["entity"].clone();
        sent["flagID"] = row["flagID"].clone();
        let answer = flagr.post("/evaluation", sent).await;
        let got = json!({"variantKey": answer["variantKey"], "segmentID": answer["segmentID"]});
        for name in ["variantKey", "segmentID"] {
            assert_eq!(got[name], row["expect"][name], "{row}");
        }
    }
}

#[actix_web::test]
async fn constraints_alone_and_together() {
    let vectors = vectors("flagr");
    let flagr = Flagr::new().await;
    let all = rows(&vectors["constraints"]).iter().chain(rows(&vectors["constraint_sets"]));
    let mut flags = Vec::new();
    let mut asked = Vec::new();
    for (row, id) in all.zip(1_u64..) {
        let constraints = row["constraints"].as_array().cloned().unwrap_or(vec![row.clone()]);
        let share = json!({"variantID": id, "variantKey": "yes", "percent": 100});
        let segment =
            json!({"id": id, "rolloutPercent": 100, "constraints": constraints, "distributions": [share]});
        flags.push(flag(&json!(id), &[segment]));
        asked.push((id, row));
    }
    assert!(flags.len() > 200, "{}", flags.len());
    flagr.import(json!(flags)).expect("an import");
    for (id, row) in asked {
        let sent = json!({"entityID": "e", "entityContext": row["context"], "flagID": id});
        let answer = flagr.post("/evaluation", sent).await;
        assert_eq!(answer["variantKey"] == "yes", row["outcome"] == "match", "{row} {answer}");
    }
}

#[actix_web::test]
async fn bad_constraints_are_refused_on_save_with_their_status() {
    let flagr = Flagr::new().await;
    let (flag, _, segment) = flagr.split("f").await;
    let path = format!("/flags/{flag}/segments/{segment}/constraints");
    for row in rows(&vectors("flagr")["constraint_syntax_invalid"]) {
        let reply = flagr
            .ask(
                "POST",
                &path,
                json!({"property": row["property"], "operator": row["operator"], "value": row["value"]}),
            )
            .await;
        let status = row["create_status"].as_u64().expect("a status");
        assert_eq!(u64::from(reply.status), status, "{row} {}", reply.text);
        assert!(reply.body["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
}

#[actix_web::test]
async fn names_are_taken_or_refused() {
    let flagr = Flagr::new().await;
    let (flag, ..) = flagr.split("f").await;
    let vectors = vectors("flagr");
    for (list, status) in [("valid", 200), ("invalid", 400)] {
        for value in rows(&vectors["keys"]["tag_value"][list]) {
            let reply = flagr.ask("POST", &format!("/flags/{flag}/tags"), json!({"value": value})).await;
            assert_eq!(reply.status, status, "{value} {}", reply.text);
        }
    }
    let keys = &vectors["keys"]["flag_and_variant_key"];
    for (list, status) in [("valid", 200), ("invalid", 400)] {
        for key in rows(&keys[list]).iter().filter(|key| !matches!(key.as_str(), Some("" | "." | ".."))) {
            let reply = flagr.ask("POST", "/flags", json!({"description": "d", "key": key})).await;
            assert_eq!(reply.status, status, "{key} {}", reply.text);
            let reply = flagr.ask("POST", &format!("/flags/{flag}/variants"), json!({"key": key})).await;
            assert_eq!(reply.status, status, "{key} {}", reply.text);
        }
    }
}
