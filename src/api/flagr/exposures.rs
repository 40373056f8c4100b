//! `POST /exposures`: what clients showed (flagr.md §4.4). Rows are checked and counted; the server keeps its own
//! counts of what it answered.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evaluation::look_up;
use super::request::{Sent, as_number};
use super::{Door, Failure, Result, ok};
use crate::app::App;
use crate::engine::compile::Feature;
use crate::engine::snapshot::Snapshot;

/// Rows in one request (Flagr's default).
const MAX_ROWS: usize = 100;

#[derive(Deserialize)]
struct Exposures {
    exposures: Option<Vec<Option<Row>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(rename = "flagID")]
    flag_id: Option<i64>,
    flag_key: Option<String>,
    #[serde(rename = "entityID")]
    entity_id: Option<String>,
    #[serde(rename = "variantID")]
    variant_id: Option<i64>,
    variant_key: Option<String>,
    timestamp: Option<String>,
    #[allow(dead_code, reason = "of its type or refused")]
    entity_type: Option<String>,
    #[allow(dead_code, reason = "of its type or refused")]
    entity_context: Option<serde_json::Map<String, Value>>,
    #[allow(dead_code, reason = "of its type or refused")]
    #[serde(rename = "flagSnapshotID")]
    flag_snapshot_id: Option<i64>,
}

#[derive(Serialize)]
struct RowError {
    #[serde(skip_serializing_if = "is_zero")]
    index: usize,
    message: String,
}

fn is_zero(index: &usize) -> bool {
    *index == 0
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    logged_count: u64,
    message: &'static str,
    errors: Option<Vec<RowError>>,
}

fn flag<'s>(snapshot: &'s Snapshot, row: &Row) -> std::result::Result<&'s Feature, String> {
    let id = as_number(row.flag_id.unwrap_or_default());
    let key = row.flag_key.as_deref().unwrap_or_default();
    if id == 0 && key.is_empty() {
        return Err("flagID or flagKey is required".into());
    }
    match (look_up(snapshot, id, ""), look_up(snapshot, 0, key)) {
        (Some(one), Some(other)) if one.stored.number != other.stored.number => {
            Err("flagID and flagKey refer to different flags".into())
        }
        (Some(found), _) | (None, Some(found)) => Ok(found),
        (None, None) => Err("flag not found".into()),
    }
}

fn check(snapshot: &Snapshot, row: Option<&Row>) -> std::result::Result<bool, String> {
    let row = row.ok_or("exposure row is null")?;
    if row.entity_id.as_deref().unwrap_or_default().is_empty() {
        return Err("entityID is required".into());
    }
    if let Some(time) = &row.timestamp
        && crate::clock::parse(time).is_none()
    {
        return Err(format!("timestamp is no RFC 3339 time: {time:?}"));
    }
    let definition = flag(snapshot, row)?.definition();
    let number = as_number(row.variant_id.unwrap_or_default());
    let key = row.variant_key.as_deref().filter(|key| !key.is_empty());
    let by_number = || {
        let numbers = definition.flagr.as_ref()?.variants.iter();
        numbers.zip(&definition.variants).find(|(have, _)| **have == number).map(|(_, variant)| &variant.key)
    };
    let found = if number > 0 {
        Some(by_number().ok_or_else(|| format!("variantID {number} not found on flag"))?)
    } else {
        None
    };
    if let Some(key) = key {
        if !definition.variants.iter().any(|variant| variant.key == key) && !definition.variants.is_empty() {
            return Err(format!("variantKey {key:?} not found on flag"));
        }
        if found.is_some_and(|found| found != key) {
            return Err("variantID and variantKey do not match".into());
        }
    }
    Ok(definition.flagr.as_ref().is_some_and(|flagr| flagr.data_records_enabled))
}

pub async fn post(_app: Data<App>, door: Door, body: Sent) -> Result {
    let rows = body.read::<Exposures>()?.exposures.unwrap_or_default();
    if rows.is_empty() {
        return Err(Failure::handler(400, "exposures array is required and must not be empty"));
    }
    if rows.len() > MAX_ROWS {
        let size = rows.len();
        let message = format!("exposure batch size {size} exceeds maximum allowed size of {MAX_ROWS}");
        return Err(Failure::handler(400, message));
    }
    let snapshot = door.0.snapshot()?;
    let (mut errors, mut logged_count) = (Vec::new(), 0);
    for (index, row) in rows.iter().enumerate() {
        match check(&snapshot, row.as_ref()) {
            Ok(recorded) => logged_count += u64::from(recorded),
            Err(message) => errors.push(RowError { index, message }),
        }
    }
    let errors = Some(errors).filter(|errors| !errors.is_empty());
    ok(&Answer { logged_count, message: "Exposures logged successfully", errors })
}
