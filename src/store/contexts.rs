//! Tables `contexts`, `context_prototypes` and `context_values`: stored Contexts (featuresd.md §2).

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{beside, each_of};

use crate::clock::Millis;
use crate::engine::snapshot::StoredContext;
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

fn from_row(row: &Row<'_>) -> rusqlite::Result<ContextRow> {
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
}

/// Every stored Context of an environment, by key; values by feature key.
pub fn all(conn: &Connection, environment: EnvironmentId) -> Result<Vec<ContextRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT key, description, version, created_at, updated_at, updated_by
           FROM contexts WHERE environment_id = ?1 ORDER BY key",
    )?;
    let mut contexts: Vec<ContextRow> =
        statement.query_map([environment], from_row)?.collect::<rusqlite::Result<_>>()?;
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

/// Every stored Context as a snapshot holds it. `features` are the environment's by row id; text that repeats is
/// kept once.
pub fn for_snapshot(conn: &Connection, environment: EnvironmentId) -> Result<Vec<StoredContext>> {
    let mut names: HashMap<String, Arc<str>> = HashMap::new();
    let mut texts: HashMap<String, Json> = HashMap::new();
    // All three are read in the order of their primary key, so that they can be walked side by side.
    let mut keys = conn.prepare_cached("SELECT key FROM contexts WHERE environment_id = ?1 ORDER BY key")?;
    let mut prototypes = conn.prepare_cached(
        "SELECT context_key, prototype_key FROM context_prototypes
          WHERE environment_id = ?1 ORDER BY context_key, position",
    )?;
    let mut values = conn.prepare_cached(
        "SELECT context_key, feature_id, value FROM context_values
          WHERE environment_id = ?1 ORDER BY context_key, feature_id",
    )?;
    let mut keys = keys.query([environment])?;
    let mut prototypes = beside(prototypes.query([environment])?)?;
    let mut values = beside(values.query([environment])?)?;
    let features: HashMap<i64, Arc<str>> = match values.get() {
        Some(_) => {
            let ids = super::features::ids(conn, environment)?.into_iter();
            ids.map(|(key, (id, ..))| (id.0, key.into())).collect()
        }
        None => HashMap::new(),
    };
    let mut contexts = Vec::new();
    while let Some(row) = keys.next()? {
        let key: String = row.get(0)?;
        let owner = |row: &Row<'_>| Ok(row.get_ref(0)?.as_str().unwrap_or_default().cmp(&key));
        let (mut own_prototypes, mut own_values) = (Vec::new(), Vec::new());
        each_of(&mut prototypes, owner, |row| {
            own_prototypes.push(shared(&mut names, row.get(1)?));
            Ok(())
        })?;
        each_of(&mut values, owner, |row| {
            let text = row.get_ref(2)?.as_str().unwrap_or_default();
            if let (Some(feature), Some(json)) =
                (features.get(&row.get::<_, i64>(1)?), once(&mut texts, text))
            {
                own_values.push((feature.clone(), json));
            }
            Ok(())
        })?;
        contexts.push(StoredContext {
            key: shared(&mut names, key),
            prototypes: own_prototypes.into(),
            values: own_values.into_iter().collect(),
        });
    }
    Ok(contexts)
}

fn shared(names: &mut HashMap<String, Arc<str>>, text: String) -> Arc<str> {
    if let Some(name) = names.get(&text) {
        return name.clone();
    }
    let name: Arc<str> = text.as_str().into();
    names.insert(text, name.clone());
    name
}

/// A value, kept once where it is short enough to be likely to repeat. `None`: it is not JSON.
fn once(texts: &mut HashMap<String, Json>, text: &str) -> Option<Json> {
    if let Some(json) = texts.get(text) {
        return Some(json.clone());
    }
    let json = Json::parse(text)?;
    if text.len() <= 16 && texts.len() < 10_000 {
        texts.insert(text.to_owned(), json.clone());
    }
    Some(json)
}

/// Some stored Contexts for a snapshot; one that is gone is `None`.
pub fn some_for_snapshot(
    conn: &Connection,
    environment: EnvironmentId,
    keys: &[String],
) -> Result<Vec<(String, Option<StoredContext>)>> {
    keys.iter()
        .map(|key| {
            let stored = find(conn, environment, key)?.map(|row| StoredContext {
                key: row.key.as_str().into(),
                prototypes: row.prototypes.iter().map(|prototype| prototype.as_str().into()).collect(),
                values: row.values.into_iter().map(|(key, value)| (key.as_str().into(), value)).collect(),
            });
            Ok((key.clone(), stored))
        })
        .collect()
}

/// One stored Context; `None` when there is none of that key.
pub fn find(conn: &Connection, environment: EnvironmentId, key: &str) -> Result<Option<ContextRow>> {
    let found = conn
        .prepare_cached(
            "SELECT key, description, version, created_at, updated_at, updated_by
               FROM contexts WHERE environment_id = ?1 AND key = ?2",
        )?
        .query_row((environment, key), from_row)
        .optional()?;
    let Some(mut context) = found else { return Ok(None) };
    context.prototypes = prototypes(conn, environment, key)?;
    let mut statement = conn.prepare_cached(
        "SELECT f.key, v.value
           FROM context_values v JOIN features f ON f.id = v.feature_id
          WHERE v.environment_id = ?1 AND v.context_key = ?2 ORDER BY f.key",
    )?;
    let mut rows = statement.query((environment, key))?;
    while let Some(row) = rows.next()? {
        if let Some(value) = Json::parse(row.get_ref(1)?.as_str().unwrap_or_default()) {
            context.values.push((row.get(0)?, value));
        }
    }
    Ok(Some(context))
}

/// Whether there is a stored Context of that key.
pub fn exists(conn: &Connection, environment: EnvironmentId, key: &str) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT 1 FROM contexts WHERE environment_id = ?1 AND key = ?2")?
        .exists((environment, key))?)
}

/// The prototypes of a stored Context, in their order.
pub fn prototypes(conn: &Connection, environment: EnvironmentId, key: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(
        "SELECT prototype_key FROM context_prototypes
          WHERE environment_id = ?1 AND context_key = ?2 ORDER BY position",
    )?;
    let rows = statement.query_map((environment, key), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The stored Contexts that name this one as a prototype, by key, those after `after`, at most `limit`.
pub fn children(
    conn: &Connection,
    environment: EnvironmentId,
    key: &str,
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(
        "SELECT DISTINCT context_key FROM context_prototypes
          WHERE environment_id = ?1 AND prototype_key = ?2 AND (?3 IS NULL OR context_key > ?3)
          ORDER BY context_key LIMIT ?4",
    )?;
    let rows = statement
        .query_map(params![environment, key, after, limit.min(i64::MAX as u64) as i64], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many stored Contexts name this one as a prototype.
pub fn count_children(conn: &Connection, environment: EnvironmentId, key: &str) -> Result<u64> {
    count(
        conn,
        "SELECT count(DISTINCT context_key) FROM context_prototypes WHERE environment_id = ?1 AND prototype_key = ?2",
        (environment, key),
    )
}

/// How many Contexts an environment stores beside `override`.
pub fn count_all(conn: &Connection, environment: EnvironmentId) -> Result<u64> {
    count(
        conn,
        "SELECT count(*) FROM contexts WHERE environment_id = ?1 AND key <> 'override'",
        [environment],
    )
}

fn count(conn: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<u64> {
    Ok(conn.prepare_cached(sql)?.query_row(parameters, |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Which stored Contexts a list shows.
#[derive(Debug, Default, Clone)]
pub struct Filter {
    /// Part of the key or description.
    pub q: String,
    /// Only those that name this one as a prototype.
    pub prototype: Option<String>,
    /// Only those that inherit from this one, at whatever distance.
    pub descends_from: Option<String>,
    /// Only those with a value for this feature.
    pub feature: Option<FeatureId>,
    /// The key of the last one of the page before.
    pub after: Option<String>,
    pub limit: u64,
}

/// The keys of one page of stored Contexts, `override` left out.
pub fn keys(conn: &Connection, environment: EnvironmentId, filter: &Filter) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(
        "WITH RECURSIVE descendants (key) AS (
             SELECT context_key FROM context_prototypes
              WHERE environment_id = ?1 AND prototype_key = ?4
             UNION
             SELECT p.context_key FROM descendants d
               JOIN context_prototypes p ON p.environment_id = ?1 AND p.prototype_key = d.key)
         SELECT key FROM contexts c
          WHERE environment_id = ?1 AND key <> 'override'
            AND (?2 = '' OR instr(lower(key || char(10) || description), lower(?2)) > 0)
            AND (?3 IS NULL OR EXISTS (SELECT 1 FROM context_prototypes p
                                        WHERE p.environment_id = ?1 AND p.prototype_key = ?3 AND p.context_key = c.key))
            AND (?4 IS NULL OR key IN descendants)
            AND (?5 IS NULL OR EXISTS (SELECT 1 FROM context_values v
                                        WHERE v.environment_id = ?1 AND v.context_key = c.key AND v.feature_id = ?5))
            AND (?6 IS NULL OR key > ?6)
          ORDER BY key LIMIT ?7",
    )?;
    let rows = statement.query_map(
        params![
            environment,
            filter.q,
            filter.prototype,
            filter.descends_from,
            filter.feature,
            filter.after,
            filter.limit.min(i64::MAX as u64) as i64
        ],
        |row| row.get(0),
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
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
    insert_prototypes(conn, environment, context)?;
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

/// Writes back the prototypes of a Context that is there, with its version and who changed it.
pub fn put_prototypes(conn: &Connection, environment: EnvironmentId, context: &ContextRow) -> Result<()> {
    conn.prepare_cached(
        "UPDATE contexts SET version = ?3, updated_at = ?4, updated_by = ?5
          WHERE environment_id = ?1 AND key = ?2",
    )?
    .execute(params![
        environment,
        context.key,
        context.version as i64,
        context.updated_at,
        context.updated_by,
    ])?;
    conn.prepare_cached("DELETE FROM context_prototypes WHERE environment_id = ?1 AND context_key = ?2")?
        .execute((environment, &context.key))?;
    insert_prototypes(conn, environment, context)
}

fn insert_prototypes(conn: &Connection, environment: EnvironmentId, context: &ContextRow) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO context_prototypes (environment_id, context_key, position, prototype_key)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (position, prototype) in context.prototypes.iter().enumerate() {
        statement.execute((environment, &context.key, position, prototype))?;
    }
    Ok(())
}

pub fn delete(conn: &Connection, environment: EnvironmentId, key: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM contexts WHERE environment_id = ?1 AND key = ?2")?
        .execute((environment, key))?;
    Ok(())
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
