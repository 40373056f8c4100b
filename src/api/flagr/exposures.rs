//! `POST /exposures`: what clients showed (flagr.md §4.4). The rows of flags that keep data records reach the
//! analytics: who was shown a variant takes part in the comparison of variants, and is a user of the flag. They are
//! no evaluations: those are counted where they are answered, and nothing counts twice.

use std::sync::Arc;

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evaluation::look_up;
use super::request::{Sent, as_number};
use super::{Door, Failure, Result, ok};
use crate::api::rest::client::nanos;
use crate::app::App;
use crate::clock::Millis;
use crate::engine::compile::Feature;
use crate::engine::context::{Context, Members};
use crate::engine::evaluate::Evaluator;
use crate::engine::feature::Definition;
use crate::engine::snapshot::Snapshot;
use crate::live::counters::Shown;
use crate::live::reports::may_be;

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

fn flag<'s>(snapshot: &'s Snapshot, row: &Row) -> std::result::Result<&'s Arc<Feature>, String> {
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

/// The variant of a flag that a row names; `None` when it names none.
fn variant(definition: &Definition, row: &Row) -> std::result::Result<Option<String>, String> {
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
    Ok(key.map(str::to_owned).or_else(|| found.cloned()))
}

/// The rule that gave an entity its variant, which rows do not say: where only one splits with it, that one; else
/// the one that decides for the entity now, or the first.
fn rule(
    snapshot: &Snapshot,
    feature: &Arc<Feature>,
    row: &Row,
    variant: &str,
    now: Millis,
) -> Option<String> {
    let mut rules = feature.definition().rules.iter().filter(|rule| rule.outcome.splits_with(variant));
    let first = rules.next()?.id.to_string();
    if rules.next().is_none() {
        return Some(first);
    }
    let sent = row.entity_context.as_ref().and_then(|context| serde_json::to_string(context).ok());
    let members: Members<'_> =
        sent.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let context = Context::with_targeting_key(members, row.entity_id.as_deref().map(Into::into));
    let evaluator = Evaluator::new(snapshot, &context, nanos(now)).ok()?;
    let evaluation = evaluator.evaluate(feature);
    let same = evaluation.variant.is_some_and(|found| found.key == variant);
    Some(evaluation.rule_id.filter(|_| same).map_or(first, str::to_owned))
}

/// What is recorded of a row: `None` for a flag that keeps no data records.
fn read(app: &App, snapshot: &Snapshot, row: Option<&Row>) -> std::result::Result<Option<Shown>, String> {
    let row = row.ok_or("exposure row is null")?;
    let user = row.entity_id.clone().filter(|id| !id.is_empty()).ok_or("entityID is required")?;
    let at = match &row.timestamp {
        None => app.now(),
        Some(time) => {
            crate::clock::parse(time).ok_or_else(|| format!("timestamp is no RFC 3339 time: {time:?}"))?
        }
    };
    let feature = flag(snapshot, row)?;
    let variant = variant(feature.definition(), row)?;
    if !feature.definition().flagr.as_ref().is_some_and(|flagr| flagr.data_records_enabled) {
        return Ok(None);
    }
    if !may_be(at, app.now(), app.config.retention) {
        return Err("timestamp is in the future, or older than records are kept".into());
    }
    let given = variant.and_then(|variant| {
        let rule = rule(snapshot, feature, row, &variant, app.now())?;
        Some((rule, variant))
    });
    Ok(Some(Shown { feature: feature.key.to_string(), given, user, at }))
}

pub async fn post(app: Data<App>, door: Door, body: Sent) -> Result {
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
        match read(&app, &snapshot, row.as_ref()) {
            Ok(None) => {}
            Ok(Some(shown)) => {
                logged_count += u64::from(app.live.counters.show(door.0.token.environment.id.0, shown));
            }
            Err(message) => errors.push(RowError { index, message }),
        }
    }
    app.metrics.analytics_accepted.inc_by(logged_count);
    let errors = Some(errors).filter(|errors| !errors.is_empty());
    ok(&Answer { logged_count, message: "Exposures logged successfully", errors })
}
