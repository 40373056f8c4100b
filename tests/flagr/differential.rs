//! The door against a small Flagr written in Python (`tests/reference/flagr_model.py`): 100 000 pairs of flag and
//! entity, the same variants and segments.

use serde_json::{Value, json};

use super::Flagr;
use crate::engine::rows;
use crate::reference::{has_python, python};

const FLAGS: usize = 200;
const ENTITIES: usize = 500;

#[actix_web::test]
async fn a_hundred_thousand_pairs_come_out_as_flagr_has_them() {
    if !has_python() {
        return;
    }
    let seed = std::env::var("FEATURED_SEED").unwrap_or_else(|_| "1".into());
    let arguments = ["--seed", &seed, "--flags", &FLAGS.to_string(), "--entities", &ENTITIES.to_string()];
    let told = python("flagr_model.py", &arguments, "");
    let mut lines = told.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let flagr = Flagr::new().await;
    let report = flagr.import(lines.next().expect("the flags")["Flags"].clone()).expect("an import");
    assert_eq!(report.created.len(), FLAGS);
    let (mut pairs, mut assigned, mut differences) = (0, 0, Vec::new());
    for batch in lines {
        let body = json!({"entities": batch["entities"], "flagIDs": batch["flagIDs"]});
        let answer = flagr.post("/evaluation/batch", body).await;
        let (found, expected) = (rows(&answer["evaluationResults"]), rows(&batch["rows"]));
        assert_eq!(found.len(), expected.len());
        for (row, expected) in found.iter().zip(expected) {
            pairs += 1;
            assigned += usize::from(expected[0].is_string());
            let got = json!([row.get("variantKey"), row.get("segmentID")]);
            if got != *expected {
                differences.push(format!("expected {expected}: {row}"));
            }
        }
    }
    assert_eq!(pairs, FLAGS * ENTITIES);
    assert!(assigned > pairs / 10 && assigned < pairs * 9 / 10, "{assigned}");
    assert!(
        differences.is_empty(),
        "{} differences, such as {:#?}",
        differences.len(),
        &differences[..5.min(differences.len())]
    );
}
