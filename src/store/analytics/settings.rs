//! Table `analytics_settings`: what a site decides about what is counted and what counts as stale.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use crate::engine::snapshot::is_uncounted;
use crate::error::Result;
use crate::ids::SiteId;
use crate::store::list_from_json;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Context fields whose values are never kept, see [`is_uncounted`].
    pub excluded: Vec<String>,
    /// Days after which a feature that never changes its answer is stale.
    pub unchanged_days: u32,
    /// Days after which a feature that nobody asks for is stale.
    pub unasked_days: u32,
}

/// Fields that tend to say who somebody is.
const PERSONAL: [&str; 12] = [
    "userId",
    "user_id",
    "userKey",
    "contextKey",
    "email",
    "mail",
    "name",
    "username",
    "phone",
    "ip",
    "ipAddress",
    "address",
];

impl Default for Settings {
    fn default() -> Self {
        Self { excluded: PERSONAL.map(str::to_owned).into(), unchanged_days: 90, unasked_days: 30 }
    }
}

/// Those of a site, which are the defaults until somebody sets them.
pub fn settings(conn: &Connection, site: SiteId) -> Result<Settings> {
    let found = conn
        .prepare_cached(
            "SELECT excluded, unchanged_days, unasked_days FROM analytics_settings WHERE site_id = ?1",
        )?
        .query_row([site], |row| {
            let excluded: String = row.get(0)?;
            Ok(Settings {
                excluded: list_from_json(&excluded),
                unchanged_days: row.get(1)?,
                unasked_days: row.get(2)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

pub fn save_settings(conn: &Connection, site: SiteId, settings: &Settings) -> Result<()> {
    let excluded = serde_json::to_string(&settings.excluded).map_err(crate::error::Error::internal)?;
    conn.execute(
        "INSERT INTO analytics_settings (site_id, excluded, unchanged_days, unasked_days) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (site_id) DO UPDATE SET excluded = excluded.excluded,
            unchanged_days = excluded.unchanged_days, unasked_days = excluded.unasked_days",
        (site, excluded, settings.unchanged_days, settings.unasked_days),
    )?;
    Ok(())
}

/// Forgets what was counted of fields that are excluded now.
pub fn forget_fields(conn: &Connection, site: SiteId, excluded: &[String]) -> Result<()> {
    let fields: Vec<String> = conn
        .prepare_cached(
            "SELECT DISTINCT field FROM field_counts
              WHERE environment_id IN (SELECT id FROM environments WHERE site_id = ?1)",
        )?
        .query_map([site], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for field in fields.iter().filter(|field| is_uncounted(excluded, field)) {
        conn.prepare_cached(
            "DELETE FROM field_counts
              WHERE field = ?2 AND environment_id IN (SELECT id FROM environments WHERE site_id = ?1)",
        )?
        .execute((site, field))?;
    }
    Ok(())
}

/// What every environment that there is excludes, by its row id.
pub fn excluded(conn: &Connection) -> Result<HashMap<i64, Vec<String>>> {
    let mut statement = conn.prepare_cached(
        "SELECT environments.id, analytics_settings.excluded
           FROM environments LEFT JOIN analytics_settings USING (site_id)",
    )?;
    let rows = statement.query_map([], |row| {
        let excluded = row.get_ref(1)?.as_str_or_null()?.map(list_from_json);
        Ok((row.get(0)?, excluded.unwrap_or_else(|| Settings::default().excluded)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
