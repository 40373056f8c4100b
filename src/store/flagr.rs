//! What Flagr's programs know of an environment (flagr.md §12): tables `flagr_numbers`, `flagr_tags`,
//! `flagr_snapshots`, `flagr_entity_types` and `flagr_deleted`. Numbers are counted up in `counters` and never
//! given twice.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::unique;
use crate::clock::Millis;
use crate::engine::compile::StoredFeature;
use crate::engine::feature::{Bucketing, Definition};
use crate::engine::numbers::{ELSEWHERE, Flagr, align};
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::ids::{EnvironmentId, FeatureId};

/// The next number of a kind. `flag` counts on from [`super::features::next_flag_number`].
fn next(conn: &Connection, environment: EnvironmentId, kind: &str) -> Result<u32> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO counters (name, value) VALUES ('flagr_' || ?2 || ':' || ?1, ?3)
         ON CONFLICT (name) DO UPDATE SET value = value + 1
         RETURNING value",
    )?;
    let first = if kind == "elsewhere" { i64::from(ELSEWHERE) + 1 } else { 1 };
    let number: i64 = statement.query_row((environment, kind, first), |row| row.get(0))?;
    u32::try_from(number).map_err(|_| Error::conflict("limit_reached", "the numbers are used up"))
}

/// Remembers a number as used.
fn note(conn: &Connection, environment: EnvironmentId, kind: &str, number: u32) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO counters (name, value) VALUES ('flagr_' || ?2 || ':' || ?1, ?3)
         ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
    )?
    .execute((environment, kind, number))?;
    Ok(())
}

/// Remembers a flag's number as used, for flags that are left out of an import.
pub fn note_flag(conn: &Connection, environment: EnvironmentId, number: u32) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO counters (name, value) VALUES ('flag_number:' || ?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
    )?
    .execute((environment, number))?;
    Ok(())
}

/// Remembers a snapshot's number as used.
pub fn note_snapshot(conn: &Connection, environment: EnvironmentId, number: u32) -> Result<()> {
    note(conn, environment, "snapshot", number)
}

/// The highest number of a kind that was ever given; 0: none.
pub fn highest(conn: &Connection, environment: EnvironmentId, kind: &str) -> Result<u32> {
    super::counters::read(conn, &format!("flagr_{kind}:{}", environment.0))
        .map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// Gives a `crc32` feature the numbers it lacks, keeping those it had; takes what Flagr keeps away from others.
pub fn settle(
    conn: &Connection,
    environment: EnvironmentId,
    before: Option<&Definition>,
    definition: &mut Definition,
) -> Result<()> {
    if definition.bucketing != Bucketing::Crc32 {
        definition.flagr = None;
        return Ok(());
    }
    align(before, definition);
    for (kind, number) in definition.flagr.iter_mut().flat_map(Flagr::all_mut) {
        if *number == 0 {
            *number = next(conn, environment, kind)?;
        }
    }
    Ok(())
}

/// The number that a feature is known by: the flag's own under `crc32`, else one that no flag has.
pub fn number(
    conn: &Connection,
    environment: EnvironmentId,
    definition: &Definition,
    before: Option<u32>,
) -> Result<u32> {
    match (definition.bucketing, &definition.bucketing_id, before) {
        (Bucketing::Crc32, Some(id), _) => {
            id.parse().map_err(|_| Error::invalid("bucketingId", "must be a whole number"))
        }
        (_, _, Some(number)) if number > 0 => Ok(number),
        _ => next(conn, environment, "elsewhere"),
    }
}

/// The number of the snapshot that a change of this feature makes.
pub fn next_snapshot(conn: &Connection, environment: EnvironmentId, feature: &StoredFeature) -> Result<u32> {
    if feature.definition.bucketing != Bucketing::Crc32 {
        return Ok(0);
    }
    let number = next(conn, environment, "snapshot")?;
    conn.prepare_cached(
        "INSERT INTO flagr_snapshots (environment_id, number, feature, version) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((environment, number, feature.id.to_string(), feature.version as i64))?;
    Ok(number)
}

/// Writes down which numbers, tags and entity type a feature uses. `number_taken` when another one has a number.
pub fn register(
    conn: &Connection,
    environment: EnvironmentId,
    id: FeatureId,
    before: Option<&Definition>,
    definition: &Definition,
) -> Result<()> {
    let all = |definition: &Definition| definition.flagr.as_ref().map(Flagr::all).unwrap_or_default();
    let (old, new) = (before.map(all).unwrap_or_default(), all(definition));
    if old != new {
        conn.prepare_cached("DELETE FROM flagr_numbers WHERE feature_id = ?1")?.execute([id])?;
        let mut insert = conn.prepare_cached(
            "INSERT INTO flagr_numbers (environment_id, kind, number, feature_id) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for (kind, number) in new {
            insert.execute((environment, kind, number, id)).map_err(|error| {
                unique(error, "number_taken", &format!("another flag has the {kind} number {number}"))
            })?;
            note(conn, environment, kind, number)?;
        }
    }
    let Some(flagr) = &definition.flagr else { return Ok(()) };
    if before.is_none_or(|before| before.tags != definition.tags || before.flagr.is_none()) {
        for tag in &definition.tags {
            tag_number(conn, environment, tag)?;
        }
    }
    if !flagr.entity_type.is_empty() {
        conn.prepare_cached(
            "INSERT OR IGNORE INTO flagr_entity_types (environment_id, value) VALUES (?1, ?2)",
        )?
        .execute((environment, &flagr.entity_type))?;
    }
    Ok(())
}

/// The number of a tag, which is made where there is none.
pub fn tag_number(conn: &Connection, environment: EnvironmentId, value: &str) -> Result<u32> {
    let mut find =
        conn.prepare_cached("SELECT number FROM flagr_tags WHERE environment_id = ?1 AND value = ?2")?;
    if let Some(number) = find.query_row((environment, value), |row| row.get(0)).optional()? {
        return Ok(number);
    }
    let number = next(conn, environment, "tag")?;
    insert_tag(conn, environment, number, value)?;
    Ok(number)
}

/// Makes a tag under a number of its own. `number_taken` when another tag has it.
pub fn insert_tag(conn: &Connection, environment: EnvironmentId, number: u32, value: &str) -> Result<()> {
    conn.prepare_cached("INSERT INTO flagr_tags (environment_id, number, value) VALUES (?1, ?2, ?3)")?
        .execute((environment, number, value))
        .map_err(|error| {
            unique(error, "number_taken", &format!("another tag has the number {number} or the name {value}"))
        })?;
    note(conn, environment, "tag", number)
}

/// Every tag of an environment, by number.
pub fn tags(conn: &Connection, environment: EnvironmentId) -> Result<Vec<(u32, String)>> {
    let mut statement = conn
        .prepare_cached("SELECT number, value FROM flagr_tags WHERE environment_id = ?1 ORDER BY number")?;
    let rows = statement.query_map([environment], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every entity type that a flag of the environment ever had, sorted.
pub fn entity_types(conn: &Connection, environment: EnvironmentId) -> Result<Vec<String>> {
    let mut statement =
        conn.prepare_cached("SELECT value FROM flagr_entity_types WHERE environment_id = ?1 ORDER BY value")?;
    let rows = statement.query_map([environment], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The key of the `crc32` STRING feature with this number.
pub fn key_of(conn: &Connection, environment: EnvironmentId, number: u32) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached(
            "SELECT key FROM features
              WHERE environment_id = ?1 AND number = ?2 AND bucketing = 'crc32' AND type = 'STRING'",
        )?
        .query_row((environment, number), |row| row.get(0))
        .optional()?)
}

/// One snapshot of a flag: its number, and what the audit trail keeps of that version.
pub struct Snapshot {
    pub number: u32,
    pub at: Millis,
    pub actor: String,
    pub version: u64,
    /// The feature as it was then; for a deletion, as it was before.
    pub feature: Option<Json>,
}

/// The snapshots of a feature, newest first unless `ascending`.
pub fn snapshots(
    conn: &Connection,
    environment: EnvironmentId,
    feature: &str,
    ascending: bool,
    limit: i64,
    offset: i64,
) -> Result<Vec<Snapshot>> {
    #[derive(serde::Deserialize)]
    struct Payload {
        before: Option<Json>,
        after: Option<Json>,
    }
    let order = if ascending { "ASC" } else { "DESC" };
    let mut statement = conn.prepare_cached(&format!(
        "SELECT s.number, c.at, c.actor, c.version, c.payload
           FROM flagr_snapshots s JOIN changes c ON c.feature = s.feature AND c.version = s.version
          WHERE s.environment_id = ?1 AND s.feature = ?2
          ORDER BY s.number {order} LIMIT ?3 OFFSET ?4"
    ))?;
    let rows = statement.query_map((environment, feature, limit, offset), |row| {
        let payload: String = row.get(4)?;
        let payload: Option<Payload> = serde_json::from_str(&payload).ok();
        Ok(Snapshot {
            number: row.get(0)?,
            at: row.get(1)?,
            actor: row.get(2)?,
            version: row.get::<_, i64>(3)?.unsigned_abs(),
            feature: payload.and_then(|payload| payload.after.or(payload.before)),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The numbers of the snapshots of a feature, by version.
pub fn snapshot_numbers(conn: &Connection, feature: &str) -> Result<HashMap<u64, u32>> {
    let mut statement =
        conn.prepare_cached("SELECT version, number FROM flagr_snapshots WHERE feature = ?1")?;
    let rows =
        statement.query_map([feature], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A deleted flag that can be restored.
#[derive(Clone, Debug)]
pub struct Deleted {
    pub number: u32,
    pub key: String,
    pub deleted_at: Millis,
    pub deleted_by: String,
    /// The UUID of the feature.
    pub feature: String,
    /// The feature as JSON, as it was.
    pub json: Json,
}

/// Keeps a flag that was deleted.
pub fn keep_deleted(
    conn: &Connection,
    environment: EnvironmentId,
    feature: &StoredFeature,
    now: Millis,
    by: &str,
) -> Result<()> {
    let json = Json::of(feature).ok_or_else(|| Error::internal("a feature cannot be written as JSON"))?;
    conn.prepare_cached(
        "INSERT INTO flagr_deleted (environment_id, number, key, deleted_at, deleted_by, feature, json)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        environment,
        feature.number,
        &feature.definition.key,
        now,
        by,
        feature.id.to_string(),
        json.as_str(),
    ))?;
    Ok(())
}

/// The deleted flags of an environment, by number.
pub fn deleted(conn: &Connection, environment: EnvironmentId) -> Result<Vec<Deleted>> {
    let mut statement = conn.prepare_cached(
        "SELECT number, key, deleted_at, deleted_by, feature, json FROM flagr_deleted
          WHERE environment_id = ?1 ORDER BY number",
    )?;
    let rows = statement.query_map([environment], |row| {
        Ok(Deleted {
            number: row.get(0)?,
            key: row.get(1)?,
            deleted_at: row.get(2)?,
            deleted_by: row.get(3)?,
            feature: row.get(4)?,
            json: Json::compacted(&row.get::<_, String>(5)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Forgets a deleted flag; its key is free again. False when there is none of that number.
pub fn purge(conn: &Connection, environment: EnvironmentId, number: u32) -> Result<bool> {
    let rows = conn
        .prepare_cached("DELETE FROM flagr_deleted WHERE environment_id = ?1 AND number = ?2")?
        .execute((environment, number))?;
    Ok(rows > 0)
}

/// `key_taken` or `number_taken` where a deleted flag, which may be restored, has this key or number.
pub fn require_free(conn: &Connection, environment: EnvironmentId, definition: &Definition) -> Result<()> {
    let mut by_key =
        conn.prepare_cached("SELECT 1 FROM flagr_deleted WHERE environment_id = ?1 AND key = ?2")?;
    if by_key.exists((environment, &definition.key))? {
        let message = format!(
            "a deleted flag has the key {}; restore it, or purge it on the page of deleted flags",
            definition.key
        );
        return Err(Error::conflict("key_taken", message));
    }
    if let (Bucketing::Crc32, Some(id)) = (definition.bucketing, &definition.bucketing_id) {
        let mut by_number =
            conn.prepare_cached("SELECT 1 FROM flagr_deleted WHERE environment_id = ?1 AND number = ?2")?;
        if by_number.exists((environment, id.parse::<u32>().unwrap_or_default()))? {
            return Err(Error::conflict("number_taken", format!("a deleted flag has the flag number {id}")));
        }
    }
    Ok(())
}

/// Features of which a part has no number yet, since their database is older than the numbers.
pub fn unnumbered(conn: &Connection) -> Result<Vec<(EnvironmentId, String)>> {
    let mut statement = conn.prepare_cached(
        "SELECT environment_id, key FROM features WHERE bucketing = 'crc32' AND flagr IS NULL ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
