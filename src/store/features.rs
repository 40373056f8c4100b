//! Tables `features`, `rules`, `variants` and `tombstones`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, Row, Rows, ToSql, params, params_from_iter};
use uuid::Uuid;

use super::{beside, each_of, found, is_unique_violation, list_from_json, list_to_json};
use crate::engine::compile::StoredFeature;
use crate::engine::decode::{Node, Problems};
use crate::engine::feature::{self, Bucketing, Definition, Rule, Variant};
use crate::engine::numbers::Flagr;
use crate::engine::value::{FeatureType, Json};
use crate::error::{Error, Result};
use crate::ids::{EnvironmentId, FeatureId};

/// A feature with its row id.
#[derive(Clone, Debug)]
pub struct FeatureRow {
    pub id: FeatureId,
    pub stored: StoredFeature,
}

const SELECT: &str =
    "SELECT id, uuid, key, type, default_value, enabled, locked, description, tags, bucketing,
                             bucketing_id, version, created_at, updated_at, updated_by, is_integer,
                             properties, number, snapshot, flagr, retired, environment_id
                        FROM features";

fn from_row(row: &Row<'_>) -> rusqlite::Result<FeatureRow> {
    let mut damage = None;
    let default_value = match row.get_ref(4)?.as_str_or_null()?.map(Json::parse) {
        None => None,
        Some(Some(json)) => Some(json),
        Some(None) => {
            damage = Some("the stored default value is not JSON".to_owned());
            None
        }
    };
    let text = |at: usize| Ok::<_, rusqlite::Error>(row.get_ref(at)?.as_str()?);
    let flagr = row.get_ref(19)?.as_str_or_null()?;
    Ok(FeatureRow {
        id: row.get(0)?,
        stored: StoredFeature {
            id: Uuid::parse_str(text(1)?).unwrap_or_default(),
            version: row.get::<_, i64>(11)?.unsigned_abs(),
            locked: row.get(6)?,
            number: row.get(17)?,
            snapshot: row.get(18)?,
            created_at: row.get(12)?,
            updated_at: row.get(13)?,
            updated_by: row.get(14)?,
            definition: Definition {
                key: row.get(2)?,
                kind: FeatureType::parse(text(3)?).unwrap_or(FeatureType::Json),
                integer: row.get(15)?,
                enabled: row.get(5)?,
                default_value,
                description: row.get(7)?,
                tags: list_from_json(text(8)?),
                properties: match text(16)? {
                    "{}" => BTreeMap::new(),
                    json => serde_json::from_str(json).unwrap_or_default(),
                },
                retired: row.get(20)?,
                bucketing: Bucketing::parse(text(9)?).unwrap_or_default(),
                bucketing_id: row.get(10)?,
                variants: Vec::new(),
                rules: Vec::new(),
                flagr: flagr.and_then(read_flagr),
            },
            damage,
        },
    })
}

/// What Flagr keeps; what cannot be read is given anew with the next change.
fn read_flagr(json: &str) -> Option<Flagr> {
    Flagr::decode(&Node::parse(json).ok()?, &mut Problems::default())
}

/// One feature of an environment. `NotFound` when there is none of that key.
pub fn find(conn: &Connection, environment: EnvironmentId, key: &str) -> Result<FeatureRow> {
    let row = conn
        .prepare_cached(&format!("{SELECT} WHERE environment_id = ?1 AND key = ?2"))?
        .query_row((environment, key), from_row);
    let mut feature = found(row, || format!("feature {key}"))?;
    let id = feature.id;
    add_parts(conn, "WHERE feature_id = ?1", Some(&id), std::slice::from_mut(&mut feature))?;
    Ok(feature)
}

/// Whether there is a feature of that key.
pub fn exists(conn: &Connection, environment: EnvironmentId, key: &str) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT 1 FROM features WHERE environment_id = ?1 AND key = ?2")?
        .exists((environment, key))?)
}

/// Every feature of an environment, by key.
pub fn all(conn: &Connection, environment: EnvironmentId) -> Result<Vec<FeatureRow>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT} WHERE environment_id = ?1 ORDER BY key"))?;
    let mut features: Vec<FeatureRow> =
        statement.query_map([environment], from_row)?.collect::<rusqlite::Result<_>>()?;
    let scope = "WHERE feature_id IN (SELECT id FROM features WHERE environment_id = ?1)";
    add_parts(conn, scope, Some(&environment), &mut features)?;
    Ok(features)
}

/// Hands over every feature there is, one after the other in no order. Reading whole tables once is far less work than
/// environment by environment, and each feature is gone before the next is read.
pub fn for_each(conn: &Connection, mut found: impl FnMut(EnvironmentId, StoredFeature)) -> Result<()> {
    let mut features = conn.prepare_cached(&format!("{SELECT} ORDER BY id"))?;
    let mut features = features.query([])?;
    Parts::read(conn, "", None, |mut parts| {
        while let Some(row) = features.next()? {
            let environment = row.get(21)?;
            let mut feature = from_row(row)?;
            parts.attach(&mut feature)?;
            found(environment, feature.stored);
        }
        Ok(())
    })
}

/// A feature's own value, and who changed the feature last.
#[derive(Clone, Debug)]
pub struct OwnValue {
    pub key: String,
    pub value: Option<Json>,
    pub updated_at: crate::clock::Millis,
    pub updated_by: String,
}

/// The own values of the features of an environment, by key.
pub fn defaults(conn: &Connection, environment: EnvironmentId) -> Result<Vec<OwnValue>> {
    let mut statement = conn.prepare_cached(
        "SELECT key, default_value, updated_at, updated_by FROM features WHERE environment_id = ?1 ORDER BY key",
    )?;
    let rows = statement.query_map([environment], |row| {
        Ok(OwnValue {
            key: row.get(0)?,
            value: row.get_ref(1)?.as_str_or_null()?.and_then(Json::parse),
            updated_at: row.get(2)?,
            updated_by: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Row, type and whether it takes whole numbers alone, of every feature of an environment, by key.
pub fn ids(
    conn: &Connection,
    environment: EnvironmentId,
) -> Result<HashMap<String, (FeatureId, FeatureType, bool)>> {
    let mut statement =
        conn.prepare_cached("SELECT key, id, type, is_integer FROM features WHERE environment_id = ?1")?;
    let rows = statement.query_map([environment], |row| {
        let kind = FeatureType::parse(row.get_ref(2)?.as_str()?).unwrap_or(FeatureType::Json);
        Ok((row.get(0)?, (row.get(1)?, kind, row.get(3)?)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A feature as far as its values need it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub id: FeatureId,
    pub kind: FeatureType,
    /// Whole numbers alone.
    pub integer: bool,
}

/// Row and type of one feature; `None` when there is none of that key.
pub fn kind_of(conn: &Connection, environment: EnvironmentId, key: &str) -> Result<Option<Kind>> {
    let kind = conn
        .prepare_cached("SELECT id, type, is_integer FROM features WHERE environment_id = ?1 AND key = ?2")?
        .query_row((environment, key), |row| {
            Ok(Kind {
                id: row.get(0)?,
                kind: FeatureType::parse(row.get_ref(1)?.as_str()?).unwrap_or(FeatureType::Json),
                integer: row.get(2)?,
            })
        });
    Ok(kind.optional()?)
}

/// Which features a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    /// Part of the key or description.
    pub q: String,
    pub tag: Option<String>,
    pub kind: Option<FeatureType>,
    pub enabled: Option<bool>,
    /// The key of the last one of the page before.
    pub after: Option<String>,
    pub limit: u64,
}

/// One page of the features of an environment, by key.
pub fn list(conn: &Connection, environment: EnvironmentId, filter: &Filter) -> Result<Vec<FeatureRow>> {
    let mut statement = conn.prepare_cached(&format!(
        "{SELECT}
          WHERE environment_id = ?1
            AND (?2 = '' OR instr(lower(key || char(10) || description), lower(?2)) > 0)
            AND (?3 IS NULL OR EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?3))
            AND (?4 IS NULL OR type = ?4)
            AND (?5 IS NULL OR enabled = ?5)
            AND (?6 IS NULL OR key > ?6)
          ORDER BY key
          LIMIT ?7"
    ))?;
    let rows = statement.query_map(
        params![
            environment,
            filter.q,
            filter.tag,
            filter.kind.map(FeatureType::as_str),
            filter.enabled,
            filter.after,
            filter.limit as i64,
        ],
        from_row,
    )?;
    let mut features: Vec<FeatureRow> = rows.collect::<rusqlite::Result<_>>()?;
    let ids: Vec<i64> = features.iter().map(|feature| feature.id.0).collect();
    let ids = serde_json::to_string(&ids).map_err(Error::internal)?;
    add_parts(conn, "WHERE feature_id IN (SELECT value FROM json_each(?1))", Some(&ids), &mut features)?;
    Ok(features)
}

/// Reads the variants and rules of these features. `scope` says which rows those are; ones of other features are
/// passed over.
fn add_parts(
    conn: &Connection,
    scope: &str,
    parameter: Option<&dyn ToSql>,
    features: &mut [FeatureRow],
) -> Result<()> {
    let mut by_id: Vec<&mut FeatureRow> = features.iter_mut().collect();
    by_id.sort_unstable_by_key(|feature| feature.id.0);
    Parts::read(conn, scope, parameter, |mut parts| {
        by_id.into_iter().try_for_each(|feature| parts.attach(feature))
    })
}

/// Rows of variants and of rules in the order of their features, to be walked beside those.
struct Parts<'s> {
    variants: Rows<'s>,
    rules: Rows<'s>,
}

impl Parts<'_> {
    /// Reads the rows of a scope.
    fn read(
        conn: &Connection,
        scope: &str,
        parameter: Option<&dyn ToSql>,
        walk: impl FnOnce(Parts<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut variants = conn.prepare_cached(&format!("{SELECT_VARIANTS} {scope} ORDER BY feature_id"))?;
        let mut rules =
            conn.prepare_cached(&format!("{SELECT_RULES} {scope} ORDER BY feature_id, position"))?;
        walk(Parts {
            variants: beside(variants.query(params_from_iter(parameter))?)?,
            rules: beside(rules.query(params_from_iter(parameter))?)?,
        })
    }

    /// Gives a feature its variants and rules. To be called in the order of the features' ids.
    fn attach(&mut self, feature: &mut FeatureRow) -> Result<()> {
        let FeatureRow { id, stored } = feature;
        let owner = |row: &Row<'_>| Ok(row.get::<_, i64>(0)?.cmp(&id.0));
        let mut variants = Vec::new();
        each_of(&mut self.variants, owner, |row| {
            variants.extend(read_variant(row, stored)?);
            Ok(())
        })?;
        variants.sort_by_key(|(position, _)| *position);
        stored.definition.variants.extend(variants.into_iter().map(|(_, variant)| variant));
        each_of(&mut self.rules, owner, |row| {
            if let Some(rule) = read_rule(row, stored)? {
                push_rule(stored, rule);
            }
            Ok(())
        })?;
        stored.definition.rules.sort_by_key(|rule| Reverse(rule.priority));
        Ok(())
    }
}

const SELECT_VARIANTS: &str = "SELECT feature_id, position, key, value, attachment FROM variants";

/// A variant and its position; one that cannot be read is the feature's damage.
fn read_variant(row: &Row<'_>, feature: &mut StoredFeature) -> rusqlite::Result<Option<(i64, Variant)>> {
    let (position, key): (i64, String) = (row.get(1)?, row.get(2)?);
    let json = |at: usize| Ok::<_, rusqlite::Error>(row.get_ref(at)?.as_str_or_null()?.and_then(Json::parse));
    let Some(value) = json(3)? else {
        feature.damage = Some(format!("the stored variant {key} is not JSON"));
        return Ok(None);
    };
    Ok(Some((position, Variant { key, value, attachment: json(4)? })))
}

const SELECT_RULES: &str =
    "SELECT feature_id, uuid, name, priority, enabled, condition, rollout, outcome FROM rules";

/// A rule; one that cannot be read is the feature's damage.
fn read_rule(row: &Row<'_>, feature: &mut StoredFeature) -> rusqlite::Result<Option<Rule>> {
    let text = |at: usize| row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from);
    let name: String = row.get(2)?;
    match feature::read_stored(feature.definition.kind, text(5)?, text(6)?, text(7)?.unwrap_or_default()) {
        Ok((when, rollout, outcome)) => {
            let id = Uuid::parse_str(text(1)?.unwrap_or_default()).unwrap_or_default();
            let (priority, enabled) = (row.get(3)?, row.get(4)?);
            Ok(Some(Rule { id, name, priority, enabled, when, rollout, outcome }))
        }
        Err(problem) => {
            feature.damage = Some(format!("the stored rule {name:?}: {problem}"));
            Ok(None)
        }
    }
}

fn push_rule(feature: &mut StoredFeature, rule: Rule) {
    let rules = &mut feature.definition.rules;
    if rules.is_empty() {
        // Most have one; room for four would be most of what a feature takes.
        rules.reserve_exact(1);
    }
    rules.push(rule);
}

/// The version a new feature of this key begins with: behind the one of a deleted predecessor.
pub fn first_version(conn: &Connection, environment: EnvironmentId, key: &str) -> Result<u64> {
    let mut statement = conn.prepare_cached(
        "SELECT coalesce((SELECT version FROM tombstones WHERE environment_id = ?1 AND key = ?2), 0) + 1",
    )?;
    Ok(statement.query_row((environment, key), |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// The smallest flag number that no feature of the environment has, now or in its recorded past.
pub fn next_flag_number(conn: &Connection, environment: EnvironmentId) -> Result<String> {
    let mut statement = conn.prepare_cached(
        "SELECT max(coalesce((SELECT max(CAST(bucketing_id AS INTEGER)) FROM features
                               WHERE environment_id = ?1 AND bucketing = 'crc32'), 0),
                    coalesce((SELECT value FROM counters WHERE name = 'flag_number:' || ?1), 0)) + 1",
    )?;
    let number: i64 = statement.query_row([environment], |row| row.get(0))?;
    Ok(number.to_string())
}

/// Remembers a flag number as used, so that it is never given again.
fn note_flag_number(conn: &Connection, environment: EnvironmentId, definition: &Definition) -> Result<()> {
    if definition.bucketing == Bucketing::Crc32 {
        conn.prepare_cached(
            "INSERT INTO counters (name, value) VALUES ('flag_number:' || ?1, CAST(?2 AS INTEGER))
             ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        )?
        .execute((environment, &definition.bucketing_id))?;
    }
    Ok(())
}

/// Inserts a feature with its parts. `key_taken` when there is one of that key.
pub fn insert(conn: &Connection, environment: EnvironmentId, feature: &StoredFeature) -> Result<FeatureId> {
    let definition = &feature.definition;
    conn.prepare_cached(
        "INSERT INTO features (uuid, environment_id, key, type, default_value, enabled, locked, description,
                               tags, bucketing, bucketing_id, version, created_at, updated_at, updated_by, is_integer,
                               properties, number, snapshot, flagr, retired)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    )?
    .execute(params![
        feature.id.to_string(),
        environment,
        definition.key,
        definition.kind.as_str(),
        definition.default_value.as_ref().map(Json::as_str),
        definition.enabled,
        feature.locked,
        definition.description,
        list_to_json(&definition.tags),
        definition.bucketing.as_str(),
        definition.bucketing_id,
        feature.version as i64,
        feature.created_at,
        feature.updated_at,
        feature.updated_by,
        definition.integer,
        properties(definition)?,
        feature.number,
        feature.snapshot,
        definition.flagr.as_ref().map(to_json).transpose()?,
        definition.retired,
    ])
    .map_err(|error| taken(error, definition))?;
    let id = FeatureId(conn.last_insert_rowid());
    note_flag_number(conn, environment, definition)?;
    super::flagr::register(conn, environment, id, None, definition)?;
    insert_variants(conn, id, &definition.variants)?;
    insert_rules(conn, id, &definition.rules)?;
    Ok(id)
}

/// Writes a feature back. Rules and variants are rewritten only where they differ from `before`.
pub fn update(
    conn: &Connection,
    environment: EnvironmentId,
    id: FeatureId,
    before: &StoredFeature,
    feature: &StoredFeature,
) -> Result<()> {
    let definition = &feature.definition;
    // To set what an index holds writes a page of that index, also when it is what it was.
    if indexed(before) != indexed(feature) {
        conn.prepare_cached(
            "UPDATE features SET key = ?3, number = ?4, bucketing = ?5, bucketing_id = ?6
              WHERE environment_id = ?1 AND id = ?2",
        )?
        .execute(params![
            environment,
            id,
            definition.key,
            feature.number,
            definition.bucketing.as_str(),
            definition.bucketing_id,
        ])
        .map_err(|error| taken(error, definition))?;
    }
    conn.prepare_cached(
        "UPDATE features
            SET default_value = ?3, enabled = ?4, locked = ?5, description = ?6, tags = ?7, version = ?8,
                updated_at = ?9, updated_by = ?10, type = ?11, is_integer = ?12, properties = ?13, snapshot = ?14,
                flagr = ?15, retired = ?16
          WHERE environment_id = ?1 AND id = ?2",
    )?
    .execute(params![
        environment,
        id,
        definition.default_value.as_ref().map(Json::as_str),
        definition.enabled,
        feature.locked,
        definition.description,
        list_to_json(&definition.tags),
        feature.version as i64,
        feature.updated_at,
        feature.updated_by,
        definition.kind.as_str(),
        definition.integer,
        properties(definition)?,
        feature.snapshot,
        definition.flagr.as_ref().map(to_json).transpose()?,
        definition.retired,
    ])?;
    note_flag_number(conn, environment, definition)?;
    super::flagr::register(conn, environment, id, Some(&before.definition), definition)?;
    if before.definition.key != definition.key {
        bury(conn, environment, &before.definition.key, feature.version)?;
    }
    if before.definition.variants != definition.variants || before.damage.is_some() {
        conn.prepare_cached("DELETE FROM variants WHERE feature_id = ?1")?.execute([id])?;
        insert_variants(conn, id, &definition.variants)?;
    }
    if before.definition.rules != definition.rules || before.damage.is_some() {
        conn.prepare_cached("DELETE FROM rules WHERE feature_id = ?1")?.execute([id])?;
        insert_rules(conn, id, &definition.rules)?;
    }
    Ok(())
}

/// What indexes hold of a feature.
fn indexed(feature: &StoredFeature) -> (&str, u32, Bucketing, Option<&str>) {
    let definition = &feature.definition;
    (&definition.key, feature.number, definition.bucketing, definition.bucketing_id.as_deref())
}

/// Deletes a feature and remembers its version.
pub fn delete(
    conn: &Connection,
    environment: EnvironmentId,
    id: FeatureId,
    feature: &StoredFeature,
    version: u64,
) -> Result<()> {
    conn.prepare_cached("DELETE FROM features WHERE environment_id = ?1 AND id = ?2")?
        .execute((environment, id))?;
    bury(conn, environment, &feature.definition.key, version)
}

/// Remembers the last version under a key that no feature has any more.
fn bury(conn: &Connection, environment: EnvironmentId, key: &str, version: u64) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO tombstones (environment_id, key, version) VALUES (?1, ?2, ?3)
         ON CONFLICT (environment_id, key) DO UPDATE SET version = max(version, excluded.version)",
    )?
    .execute((environment, key, version as i64))?;
    Ok(())
}

fn properties(definition: &Definition) -> Result<String> {
    serde_json::to_string(&definition.properties).map_err(Error::internal)
}

fn taken(error: rusqlite::Error, definition: &Definition) -> Error {
    if !is_unique_violation(&error) {
        return error.into();
    }
    let text = error.to_string();
    if text.contains("bucketing_id") || text.contains("features.number") {
        let number = definition.bucketing_id.as_deref().unwrap_or_default();
        return Error::conflict("number_taken", format!("another feature has the flag number {number}"));
    }
    Error::conflict("key_taken", format!("the environment has a feature {} already", definition.key))
}

fn insert_variants(conn: &Connection, id: FeatureId, variants: &[Variant]) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO variants (feature_id, position, key, value, attachment) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (position, variant) in variants.iter().enumerate() {
        let attachment = variant.attachment.as_ref().map(Json::as_str);
        statement.execute((id, position, &variant.key, variant.value.as_str(), attachment))?;
    }
    Ok(())
}

fn insert_rules(conn: &Connection, id: FeatureId, rules: &[Rule]) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO rules (uuid, feature_id, position, name, priority, enabled, condition, rollout, outcome)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for (position, rule) in rules.iter().enumerate() {
        statement.execute(params![
            rule.id.to_string(),
            id,
            position,
            rule.name,
            rule.priority,
            rule.enabled,
            rule.when.as_ref().map(to_json).transpose()?,
            rule.rollout.as_ref().map(to_json).transpose()?,
            to_json(&rule.outcome)?,
        ])?;
    }
    Ok(())
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

/// The rule's feature key and name for every rule of a site whose condition may name this segment.
pub fn rules_with_conditions(
    conn: &Connection,
    site: crate::ids::SiteId,
) -> Result<Vec<(String, String, String, String)>> {
    let mut statement = conn.prepare_cached(
        "SELECT e.name, f.key, r.name, r.condition
           FROM rules r JOIN features f ON f.id = r.feature_id JOIN environments e ON e.id = f.environment_id
          WHERE e.site_id = ?1 AND r.condition LIKE '%\"segment\"%'
          ORDER BY e.id, f.key, r.position",
    )?;
    let rows = statement.query_map([site], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
