//! Tables `contexts`, `context_prototypes` and `context_values`: stored Contexts (featuresd.md §2).

use std::collections::HashMap;

use rusqlite::{Connection, params};

use crate::clock::Millis;
use crate::engine::value::Json;
use crate::error::Result;
use crate::ids::{EnvironmentId, FeatureId};

/// A stored Context with values by feature key, as JSON of the feature's type.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextRow {
    pub key: String,
    pub description: String,
    pub version: u64,
    pub prototypes: Vec<String>,
    pub values: Vec<(String, Json)>,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub updated_by: String,
}

/// Every stored Context of an environment, by key; values by feature key.
pub fn all(conn: &Connection, environment: EnvironmentId) -> Result<Vec<ContextRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT key, description, version, created_at, updated_at, updated_by
           FROM contexts WHERE environment_id = ?1 ORDER BY key",
    )?;
    let mut contexts: Vec<ContextRow> = statement
        .query_map([environment], |row| {
            Ok(ContextRow {
                key: row.get(0)?,
                description: row.get(1)?,
                version: row.get::<_, i64>(2)?.unsigned_abs(),
                prototypes: Vec::new(),
                values: Vec::new(),
                created_at: row.get(3)?,
                updated_at: row.get(4)?,
                updated_by: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let at: HashMap<String, usize> =
        contexts.iter().enumerate().map(|(at, context)| (context.key.clone(), at)).collect();
    let mut statement = conn.prepare_cached(
        "SELECT context_key, prototype_key FROM context_prototypes
          WHERE environment_id = ?1 ORDER BY context_key, position",
    )?;
    let mut rows = statement.query([environment])?;
    while let Some(row) = rows.next()? {
        if let Some(&at) = at.get(row.get_ref(0)?.as_str().unwrap_or_default()) {
            contexts[at].prototypes.push(row.get(1)?);
        }
    }
    let mut statement = conn.prepare_cached(
        "SELECT v.context_key, f.key, v.value
           FROM context_values v JOIN features f ON f.id = v.feature_id
          WHERE v.environment_id = ?1 ORDER BY v.context_key, f.key",
    )?;
    let mut rows = statement.query([environment])?;
    while let Some(row) = rows.next()? {
        let value = Json::parse(row.get_ref(2)?.as_str().unwrap_or_default());
        if let (Some(&at), Some(value)) = (at.get(row.get_ref(0)?.as_str().unwrap_or_default()), value) {
            contexts[at].values.push((row.get(1)?, value));
        }
    }
    Ok(contexts)
}

/// Inserts a Context or replaces it whole, with everything it holds.
pub fn put(
    conn: &Connection,
    environment: EnvironmentId,
    context: &ContextRow,
    feature_ids: &HashMap<String, FeatureId>,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO contexts (environment_id, key, description, version, created_at, updated_at, updated_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (environment_id, key) DO UPDATE
            SET description = excluded.description, version = excluded.version,
                updated_at = excluded.updated_at, updated_by = excluded.updated_by",
    )?
    .execute(params![
        environment,
        context.key,
        context.description,
        context.version as i64,
        context.created_at,
        context.updated_at,
        context.updated_by,
    ])?;
    for table in ["context_prototypes", "context_values"] {
        conn.prepare_cached(&format!("DELETE FROM {table} WHERE environment_id = ?1 AND context_key = ?2"))?
            .execute((environment, &context.key))?;
    }
    let mut statement = conn.prepare_cached(
        "INSERT INTO context_prototypes (environment_id, context_key, position, prototype_key)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (position, prototype) in context.prototypes.iter().enumerate() {
        statement.execute((environment, &context.key, position, prototype))?;
    }
    let mut statement = conn.prepare_cached(
        "INSERT INTO context_values (environment_id, context_key, feature_id, value) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (feature, value) in &context.values {
        if let Some(id) = feature_ids.get(feature) {
            statement.execute((environment, &context.key, id, value.as_str()))?;
        }
    }
    Ok(())
}

pub fn delete(conn: &Connection, environment: EnvironmentId, key: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM contexts WHERE environment_id = ?1 AND key = ?2")?
        .execute((environment, key))?;
    Ok(())
}

/// How many Contexts hold a value for this feature, `override` included.
pub fn count_values(conn: &Connection, feature: FeatureId) -> Result<u64> {
    Ok(conn
        .prepare_cached("SELECT count(*) FROM context_values WHERE feature_id = ?1")?
        .query_row([feature], |row| row.get::<_, i64>(0))?
        .unsigned_abs())
}

/// Every value stored for a feature, with the Context that holds it.
pub fn values_of(conn: &Connection, feature: FeatureId) -> Result<Vec<(String, Json)>> {
    let mut statement = conn.prepare_cached(
        "SELECT context_key, value FROM context_values WHERE feature_id = ?1 ORDER BY context_key",
    )?;
    let rows = statement.query_map([feature], |row| {
        let value: String = row.get(1)?;
        Ok((row.get(0)?, Json::compacted(&value)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
