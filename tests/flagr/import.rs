//! Taking flags over from a Flagr: what is kept, what is refused by name.

use featured::error::Error;
use serde_json::{Value, json};

use super::Flagr;
use crate::binary::Place;

fn flag() -> Value {
    json!({"ID": 7, "CreatedAt": "2025-01-01T00:00:00Z", "UpdatedAt": "2025-01-01T00:00:00Z", "DeletedAt": null,
        "Key": "checkout-v2", "Description": "New checkout", "CreatedBy": "ann", "UpdatedBy": "bo", "Enabled": true,
        "Segments": [
            {"ID": 22, "FlagID": 7, "Description": "rest", "Rank": 999, "RolloutPercent": 100, "Constraints": null, "Distributions": null},
            {"ID": 21, "FlagID": 7, "Description": "Germany", "Rank": 0, "RolloutPercent": 40,
            "Constraints": [{"ID": 31, "SegmentID": 21, "Property": "country", "Operator": "EQ", "Value": "\"DE\""}],
            "Distributions": [{"ID": 42, "SegmentID": 21, "VariantID": 12, "VariantKey": "new", "Percent": 50},
                              {"ID": 41, "SegmentID": 21, "VariantID": 11, "VariantKey": "control", "Percent": 50}]}],
        "Variants": [{"ID": 12, "FlagID": 7, "Key": "new", "Attachment": {"color": "teal"}}, {"ID": 11, "FlagID": 7, "Key": "control", "Attachment": {}}],
        "Tags": [{"ID": 2, "Value": "web"}], "SnapshotID": 93, "Notes": "n", "DataRecordsEnabled": true, "EntityType": "user"})
}

#[actix_web::test]
async fn numbers_are_kept_and_nobody_moves() {
    let flagr = Flagr::new().await;
    let report = flagr
        .import(json!([flag(), {"ID": 50, "Key": "old", "DeletedAt": "2025-01-01T00:00:00Z"}]))
        .expect("an import");
    assert_eq!(report.created, ["checkout-v2 (number 7)"]);
    assert_eq!(report.deleted, ["old (number 50)"]);
    assert_eq!(
        (report.variants, report.segments, report.constraints, report.distributions, report.tags),
        (2, 2, 1, 2, 1)
    );
    let shown = flagr.get("/flags/7").await;
    let expected = json!([{"id": 21, "description": "Germany", "rank": 0, "rolloutPercent": 40,
        "constraints": [{"id": 31, "property": "country", "operator": "EQ", "value": "\"DE\""}],
        "distributions": [{"id": 41, "percent": 50, "variantID": 11, "variantKey": "control"}, {"id": 42, "percent": 50, "variantID": 12, "variantKey": "new"}]},
        {"id": 22, "description": "rest", "rank": 999, "rolloutPercent": 100, "constraints": [], "distributions": []}]);
    assert_eq!(shown["segments"], expected);
    assert_eq!(
        shown["variants"],
        json!([{"id": 11, "key": "control", "attachment": {}}, {"id": 12, "key": "new", "attachment": {"color": "teal"}}])
    );
    assert_eq!(
        (&shown["tags"], &shown["notes"], &shown["createdBy"]),
        (&json!([{"id": 2, "value": "web"}]), &json!("n"), &json!("ann"))
    );
    // The specification's own users of this flag.
    for (entity, variant) in [("ann", json!("new")), ("user-1", json!("control")), ("user-3", Value::Null)] {
        let sent = json!({"entityID": entity, "entityContext": {"country": "DE"}, "flagID": 7});
        assert_eq!(
            flagr.post("/evaluation", sent).await.get("variantKey").cloned().unwrap_or_default(),
            variant,
            "{entity}"
        );
    }
    // Numbers go on behind all that were ever used, also by what was deleted there.
    let next = flagr.post("/flags", json!({"description": "d"})).await["id"].clone();
    assert_eq!(next, 51);
    assert_eq!(flagr.post("/flags/51/variants", json!({"key": "v"})).await["id"], 13);
    assert!(flagr.get("/flags/snapshots/max_id").await["maxID"].as_u64() > Some(93));
    // Again: nothing to do; changed there: brought up to date.
    assert_eq!(flagr.import(json!([flag()])).expect("an import").unchanged, 1);
    let mut changed = flag();
    changed["Enabled"] = json!(false);
    changed["Segments"][1]["RolloutPercent"] = json!(50);
    assert_eq!(flagr.import(json!([changed])).expect("an import").updated.len(), 1);
    assert_eq!(flagr.get("/flags/7").await["segments"][0]["rolloutPercent"], 50);
}

#[actix_web::test]
async fn what_cannot_be_represented_is_named_and_nothing_is_taken_over() {
    let flagr = Flagr::new().await;
    flagr.app.feature(json!({"key": "native", "type": "BOOLEAN"})).await;
    let (other, [variant, _], _) = flagr.split("other").await;
    type Spoil = Box<dyn Fn(&mut Value)>;
    let rows: Vec<(Spoil, &str)> = vec![
        (Box::new(|f| f["Key"] = json!("a b")), "flag 7 (a b) key must be"),
        (Box::new(|f| f["ID"] = json!(0)), "flag 0 (checkout-v2) has the number 0"),
        (Box::new(|f| f["ID"] = json!(5_000_000_000_u64)), "has the number 5000000000"),
        (Box::new(|f| f["Key"] = json!("native")), "flag 7 (native) has a key that another feature"),
        (Box::new(move |f| f["ID"] = json!(other)), "another feature has the flag number"),
        (
            Box::new(move |f| f["Variants"][0]["ID"] = json!(variant)),
            "is of the variant 12, which the flag does not have",
        ),
        (
            Box::new(|f| f["Variants"][0]["Key"] = json!("control")),
            "variant 12 (control) has the key of another variant",
        ),
        (
            Box::new(|f| f["Variants"][0]["Attachment"] = json!([1])),
            "variant 12 (new) has an attachment that is no JSON object",
        ),
        (
            Box::new(|f| f["Segments"][1]["RolloutPercent"] = json!(101)),
            "segment 21 (Germany) has a rollout of 101 percent",
        ),
        (Box::new(|f| f["Segments"][1]["Distributions"][0]["Percent"] = json!(40)), "add up to 90 percent"),
        (
            Box::new(|f| f["Segments"][1]["Distributions"][0]["VariantKey"] = json!("x")),
            "distribution 42 calls the variant 12 \"x\"",
        ),
        (
            Box::new(|f| f["Segments"][1]["Constraints"][0]["Value"] = json!("DE")),
            "constraint 31 cannot be evaluated",
        ),
        (
            Box::new(|f| f["Segments"][1]["Constraints"][0]["Operator"] = json!("IS")),
            "not supported operator",
        ),
        (Box::new(|f| f["Description"] = json!("x".repeat(4001))), "description must be at most 4000"),
        (Box::new(|f| f["Segments"][1]["Description"] = json!("x".repeat(201))), "name must be at most 200"),
    ];
    let before = flagr.app.dump();
    for (spoil, expected) in rows {
        let mut spoiled = flag();
        spoil(&mut spoiled);
        let fine = json!({"ID": 90, "Key": "fine", "Enabled": true});
        let error = flagr.import(json!([fine, spoiled])).expect_err(expected);
        assert!(matches!(error, Error::Invalid(_)), "{error:?}");
        assert!(error.explain().contains(expected), "{expected}: {}", error.explain());
        assert_eq!(flagr.app.dump().differing(&before), [] as [&str; 0]);
    }
}

#[actix_web::test]
async fn both_exports_can_be_taken_over_again() {
    let flagr = Flagr::new().await;
    flagr.import(json!([flag()])).expect("an import");
    let gone = flagr.post("/flags", json!({"description": "d", "key": "gone"})).await["id"].clone();
    flagr.delete(&format!("/flags/{gone}")).await;
    let json = flagr.ask("GET", "/export/eval_cache/json", Value::Null).await.expect(200);
    let sqlite = flagr.ask("GET", "/export/sqlite", Value::Null).await.expect(200);
    assert_eq!(sqlite.header("content-type"), Some("application/octet-stream"));
    assert!(sqlite.bytes.starts_with(b"SQLite format 3\0"));
    for (name, bytes, deleted) in [("flags.json", json.bytes, false), ("flagr.sqlite", sqlite.bytes, true)] {
        let place = Place::empty();
        place.import("{\"version\": 1, \"site\": {\"slug\": \"shop\", \"name\": \"S\"}, \"environments\": [{\"name\": \"prod\"}]}");
        let path = place.path(name);
        std::fs::write(&path, bytes).expect("a file");
        let file = path.to_str().expect("UTF-8");
        let arguments = ["import", "--from", "flagr", "--site", "shop", "--env", "prod", file];
        let dry = place.run([&arguments[..], &["--dry-run"]].concat()).ok();
        assert!(dry.contains("dry run: 1 flags created"), "{dry}");
        let told = place.run(arguments).ok();
        assert!(told.contains("+ checkout-v2 (number 7)"), "{told}");
        assert!(
            told.contains("1 flags created, 0 updated, 0 unchanged, with 2 variants, 2 segments"),
            "{told}"
        );
        assert_eq!(told.contains("deleted in Flagr, left out: gone"), deleted, "{told}");
        let context = r#"{"userId": "ann", "country": "DE"}"#;
        let answer = place
            .run([
                "evaluate",
                "--site",
                "shop",
                "--env",
                "prod",
                "--context",
                context,
                "--feature",
                "checkout-v2",
            ])
            .ok();
        assert!(answer.contains("\"new\""), "{answer}");
    }
    let place = Place::empty();
    let line = place.run(["import", "--from", "flagr", "nothing.json"]).failed(2);
    assert!(line.contains("--site"), "{line}");
}
