//! Table `segments`.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{found, unique};
use crate::clock::Millis;
use crate::engine::condition::Condition;
use crate::engine::decode::{Node, Problems};
use crate::engine::feature::Segment;
use crate::error::{Error, Result};
use crate::ids::{SegmentId, SiteId};

/// A segment with what the store keeps about it.
#[derive(Clone, Debug)]
pub struct SegmentRow {
    pub id: SegmentId,
    pub uuid: String,
    pub segment: Segment,
    pub created_at: Millis,
    pub updated_at: Millis,
}

const SELECT: &str = "SELECT id, uuid, key, name, conditions, created_at, updated_at FROM segments";

fn from_row(row: &Row<'_>) -> rusqlite::Result<SegmentRow> {
    let conditions: String = row.get(4)?;
    // What cannot be read back holds for nobody.
    let condition = Node::parse(&conditions)
        .ok()
        .and_then(|node| Condition::decode(&node, &mut Problems::default()))
        .unwrap_or(Condition::Any(Vec::new()));
    Ok(SegmentRow {
        id: row.get(0)?,
        uuid: row.get(1)?,
        segment: Segment { key: row.get(2)?, name: row.get(3)?, conditions: condition },
        created_at: row.get(5)?,
        updated_at: row.get(6)?,
    })
}

/// The segment of a site with this key or id.
pub fn find(conn: &Connection, site: SiteId, key_or_id: &str) -> Result<SegmentRow> {
    let row = conn
        .prepare_cached(&format!(
            "{SELECT} WHERE site_id = ?1 AND (key = ?2 OR uuid = ?2) ORDER BY key = ?2 DESC"
        ))?
        .query_row((site, key_or_id), from_row);
    found(row, || format!("segment {key_or_id}"))
}

/// The segments of a site, by key.
pub fn list(conn: &Connection, site: SiteId) -> Result<Vec<SegmentRow>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT} WHERE site_id = ?1 ORDER BY key"))?;
    let rows = statement.query_map([site], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn conditions(segment: &Segment) -> Result<String> {
    serde_json::to_string(&segment.conditions).map_err(Error::internal)
}

/// Inserts a segment. `key_taken` when the site has one of that key.
pub fn insert(conn: &Connection, site: SiteId, segment: &Segment, now: Millis) -> Result<SegmentRow> {
    conn.prepare_cached(
        "INSERT INTO segments (uuid, site_id, key, name, conditions, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
    )?
    .execute((Uuid::now_v7().to_string(), site, &segment.key, &segment.name, conditions(segment)?, now))
    .map_err(|error| {
        unique(error, "key_taken", &format!("the site has a segment {} already", segment.key))
    })?;
    find(conn, site, &segment.key)
}

/// Writes a segment's name and conditions back.
pub fn update(conn: &Connection, id: SegmentId, segment: &Segment, now: Millis) -> Result<()> {
    conn.prepare_cached("UPDATE segments SET name = ?2, conditions = ?3, updated_at = ?4 WHERE id = ?1")?
        .execute((id, &segment.name, conditions(segment)?, now))?;
    Ok(())
}

pub fn delete(conn: &Connection, id: SegmentId) -> Result<()> {
    conn.prepare_cached("DELETE FROM segments WHERE id = ?1")?.execute([id])?;
    Ok(())
}
