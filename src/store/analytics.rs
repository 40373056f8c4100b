//! Table `evaluation_counts`.

use rusqlite::Connection;

use crate::clock::{self, Millis};
use crate::error::Result;
use crate::live::counters::Count;

/// Adds to one count. Nothing happens when its environment is gone.
pub fn add(conn: &Connection, count: &Count, times: u64) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO evaluation_counts (environment_id, day, feature, rule, variant, value, count)
         SELECT id, ?2, ?3, ?4, ?5, ?6, ?7 FROM environments WHERE id = ?1
         ON CONFLICT (environment_id, day, feature, rule, variant, value)
         DO UPDATE SET count = count + excluded.count",
    )?
    .execute((
        count.environment,
        &count.day,
        &count.feature,
        count.rule.as_deref().unwrap_or_default(),
        count.variant.as_deref().unwrap_or_default(),
        &count.value,
        times,
    ))?;
    Ok(())
}

/// Deletes the days before a time.
pub fn prune(conn: &Connection, before: Millis) -> Result<()> {
    conn.prepare_cached("DELETE FROM evaluation_counts WHERE day < ?1")?.execute([clock::day(before)])?;
    Ok(())
}
