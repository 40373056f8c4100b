//! `/export`: all flags as Flagr's own programs read them (flagr.md §3.4): the JSON of its eval cache, which is
//! also its JSON-file mode, and an SQLite file with the tables of Flagr's.

use actix_web::{HttpRequest, HttpResponse};
use rusqlite::{Connection, params};
use serde::Serialize;
use serde_json::Value;

use super::request::{Query, as_number};
use super::wire::{Tags, attachment, is_flag};
use super::{Manager, Result, ok};
use crate::admin::features::read_recorded;
use crate::admin::flagr::{segment_of, variant_number};
use crate::clock::rfc3339;
use crate::engine::compile::StoredFeature;
use crate::engine::feature::Definition;
use crate::engine::value::Json;
use crate::error::{Error, Result as OurResult};
use crate::store;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Constraint<'f> {
    #[serde(rename = "ID")]
    id: u32,
    #[serde(rename = "SegmentID")]
    segment: u32,
    property: &'f str,
    operator: &'f str,
    value: &'f str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Distribution<'f> {
    #[serde(rename = "ID")]
    id: u32,
    #[serde(rename = "SegmentID")]
    segment: u32,
    #[serde(rename = "VariantID")]
    variant: u32,
    variant_key: &'f str,
    percent: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Segment<'f> {
    #[serde(rename = "ID")]
    id: u32,
    #[serde(rename = "FlagID")]
    flag: u32,
    description: &'f str,
    rank: u32,
    rollout_percent: u32,
    constraints: Vec<Constraint<'f>>,
    distributions: Vec<Distribution<'f>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Variant<'f> {
    #[serde(rename = "ID")]
    id: u32,
    #[serde(rename = "FlagID")]
    flag: u32,
    key: &'f str,
    attachment: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    #[serde(rename = "ID")]
    id: u32,
    value: String,
}

/// A flag in the names of Flagr's eval cache.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Flag<'f> {
    #[serde(rename = "ID")]
    id: u32,
    created_at: String,
    updated_at: String,
    deleted_at: Option<String>,
    key: &'f str,
    description: &'f str,
    created_by: String,
    updated_by: &'f str,
    enabled: bool,
    segments: Vec<Segment<'f>>,
    variants: Vec<Variant<'f>>,
    tags: Vec<Tag>,
    #[serde(rename = "SnapshotID")]
    snapshot: u32,
    notes: String,
    data_records_enabled: bool,
    entity_type: String,
}

impl<'f> Flag<'f> {
    fn of(feature: &'f StoredFeature, tags: &Tags) -> Self {
        let definition = &feature.definition;
        let number = feature.number;
        let flagr = definition.flagr.clone().unwrap_or_default();
        let tags = tags.of(&definition.tags).into_iter().map(|tag| Tag { id: tag.id, value: tag.value });
        let variants = definition.variants.iter().zip(flagr.variants.iter().copied());
        Self {
            id: number,
            created_at: rfc3339(feature.created_at),
            updated_at: rfc3339(feature.updated_at),
            deleted_at: None,
            key: &definition.key,
            description: &definition.description,
            created_by: flagr.created_by.clone(),
            updated_by: &feature.updated_by,
            enabled: definition.enabled,
            segments: segments(definition, number),
            variants: variants
                .map(|(variant, id)| Variant {
                    id,
                    flag: number,
                    key: &variant.key,
                    attachment: attachment(variant),
                })
                .collect(),
            tags: tags.collect(),
            snapshot: feature.snapshot,
            notes: flagr.notes.clone(),
            data_records_enabled: flagr.data_records_enabled,
            entity_type: flagr.entity_type.clone(),
        }
    }
}

fn segments(definition: &Definition, flag: u32) -> Vec<Segment<'_>> {
    let parts = (0..definition.rules.len()).filter_map(|at| segment_of(definition, at));
    parts
        .map(|parts| {
            let segment = parts.segment.number;
            let constraints = parts.constraints.iter().zip(&parts.segment.constraints);
            let mut distributions: Vec<_> = parts
                .arms
                .iter()
                .zip(&parts.segment.distributions)
                .map(|(arm, id)| Distribution {
                    id: *id,
                    segment,
                    variant: variant_number(definition, &arm.variant),
                    variant_key: &arm.variant,
                    percent: arm.weight.0 / 10_000,
                })
                .collect();
            distributions.sort_by_key(|one| one.variant);
            Segment {
                id: segment,
                flag,
                description: parts.description,
                rank: parts.segment.rank,
                rollout_percent: parts.percent,
                constraints: constraints
                    .map(|((property, operator, value), id)| Constraint {
                        id: *id,
                        segment,
                        property,
                        operator,
                        value,
                    })
                    .collect(),
                distributions,
            }
        })
        .collect()
}

pub async fn eval_cache(req: HttpRequest, manager: Manager) -> Result {
    let query = Query::of(&req);
    let (ids, keys, tags) = (query.list("ids"), query.list("keys"), query.list("tags"));
    let all = query.choice("tagsOperator", ["ANY", "ALL"])? == Some("ALL");
    let enabled = query.flag("enabled");
    let numbers: Vec<u32> = ids.iter().filter_map(|id| id.parse::<i64>().ok()).map(as_number).collect();
    let has = |definition: &Definition, tag: &&str| definition.tags.iter().any(|have| have == tag);
    // Each filter hides those behind it.
    let wanted = |feature: &StoredFeature| {
        let definition = &feature.definition;
        if !ids.is_empty() {
            return numbers.contains(&feature.number);
        }
        if !keys.is_empty() {
            return keys.contains(&definition.key.as_str());
        }
        let mut tagged = tags.iter();
        enabled.is_none_or(|enabled| enabled == definition.enabled)
            && (tags.is_empty()
                || if all {
                    tagged.all(|tag| has(definition, tag))
                } else {
                    tagged.any(|tag| has(definition, tag))
                })
    };
    let known = manager.tags().await?;
    let snapshot = manager.key.token.environment.snapshot();
    let flags =
        snapshot.flags().all().filter(|feature| is_flag(feature.definition()) && wanted(&feature.stored));
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Cache<'f> {
        flags: Vec<Flag<'f>>,
    }
    ok(&Cache { flags: flags.map(|feature| Flag::of(&feature.stored, &known)).collect() })
}

/// Flagr's tables, as its object mapper makes them.
const TABLES: &str = "
CREATE TABLE flags (id integer PRIMARY KEY AUTOINCREMENT, created_at datetime, updated_at datetime,
    deleted_at datetime, key varchar(64), description text, created_by text, updated_by text, enabled numeric,
    snapshot_id integer, notes text, data_records_enabled numeric, entity_type text);
CREATE TABLE segments (id integer PRIMARY KEY AUTOINCREMENT, created_at datetime, updated_at datetime,
    deleted_at datetime, flag_id integer, description text, rank integer, rollout_percent integer);
CREATE TABLE variants (id integer PRIMARY KEY AUTOINCREMENT, created_at datetime, updated_at datetime,
    deleted_at datetime, flag_id integer, key text, attachment text);
CREATE TABLE constraints (id integer PRIMARY KEY AUTOINCREMENT, created_at datetime, updated_at datetime,
    deleted_at datetime, segment_id integer, property text, operator text, value text);
CREATE TABLE distributions (id integer PRIMARY KEY AUTOINCREMENT, created_at datetime, updated_at datetime,
    deleted_at datetime, segment_id integer, variant_id integer, variant_key text, percent integer, bitmap text);
CREATE TABLE tags (id integer PRIMARY KEY AUTOINCREMENT, created_at datetime, updated_at datetime,
    deleted_at datetime, value varchar(64));
CREATE TABLE flags_tags (tag_id integer, flag_id integer, PRIMARY KEY (tag_id, flag_id));
CREATE TABLE flag_entity_types (id integer PRIMARY KEY AUTOINCREMENT, created_at datetime, updated_at datetime,
    deleted_at datetime, key varchar(64));
CREATE TABLE flag_snapshots (id integer PRIMARY KEY AUTOINCREMENT, created_at datetime, updated_at datetime,
    deleted_at datetime, flag_id integer, updated_by text, flag text);
CREATE UNIQUE INDEX idx_flag_key ON flags (key);
CREATE INDEX idx_segment_flagid ON segments (flag_id);
CREATE INDEX idx_variant_flagid ON variants (flag_id);
CREATE INDEX idx_constraint_segmentid ON constraints (segment_id);
CREATE INDEX idx_distribution_segmentid ON distributions (segment_id);
CREATE INDEX idx_distribution_variantid ON distributions (variant_id);
CREATE UNIQUE INDEX idx_tag_value ON tags (value);
CREATE UNIQUE INDEX flag_entity_type_key ON flag_entity_types (key);
CREATE INDEX idx_flagsnapshot_flagid ON flag_snapshots (flag_id);";

fn insert(conn: &Connection, flag: &Flag<'_>) -> rusqlite::Result<()> {
    let (made, changed) = (&flag.created_at, &flag.updated_at);
    conn.prepare_cached("INSERT INTO flags VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")?
        .execute(params![
            flag.id,
            made,
            changed,
            flag.deleted_at,
            flag.key,
            flag.description,
            flag.created_by,
            flag.updated_by,
            flag.enabled,
            flag.snapshot,
            flag.notes,
            flag.data_records_enabled,
            flag.entity_type
        ])?;
    for variant in &flag.variants {
        conn.prepare_cached("INSERT INTO variants VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6)")?.execute(
            params![variant.id, made, changed, flag.id, variant.key, variant.attachment.to_string()],
        )?;
    }
    for segment in &flag.segments {
        conn.prepare_cached("INSERT INTO segments VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7)")?.execute(
            params![
                segment.id,
                made,
                changed,
                flag.id,
                segment.description,
                segment.rank,
                segment.rollout_percent
            ],
        )?;
        for one in &segment.constraints {
            conn.prepare_cached("INSERT INTO constraints VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7)")?
                .execute(params![one.id, made, changed, segment.id, one.property, one.operator, one.value])?;
        }
        for one in &segment.distributions {
            conn.prepare_cached("INSERT INTO distributions VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7, '')")?
                .execute(params![
                    one.id,
                    made,
                    changed,
                    segment.id,
                    one.variant,
                    one.variant_key,
                    one.percent
                ])?;
        }
    }
    for tag in &flag.tags {
        conn.prepare_cached("INSERT INTO flags_tags VALUES (?1, ?2)")?.execute((tag.id, flag.id))?;
    }
    Ok(())
}

/// The feature that the audit trail or the table of deleted flags keeps.
fn recorded(json: &Json) -> Option<StoredFeature> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kept {
        version: u64,
        created_at: String,
        updated_at: String,
        updated_by: String,
    }
    let (definition, locked) = read_recorded(json)?;
    let kept: Kept = serde_json::from_str(json.as_str()).ok()?;
    Some(StoredFeature {
        id: uuid::Uuid::nil(),
        version: kept.version,
        locked,
        number: definition.bucketing_id.as_deref()?.parse().ok()?,
        snapshot: 0,
        created_at: crate::clock::parse(&kept.created_at)?,
        updated_at: crate::clock::parse(&kept.updated_at)?,
        updated_by: kept.updated_by,
        definition,
        damage: None,
    })
}

/// The export as the bytes of an SQLite file.
fn database(
    conn: &Connection,
    environment: crate::ids::EnvironmentId,
    snapshots: bool,
) -> OurResult<Vec<u8>> {
    let file = Connection::open_in_memory()?;
    file.execute_batch("BEGIN")?;
    file.execute_batch(TABLES)?;
    let known = store::flagr::tags(conn, environment)?;
    for (number, value) in &known {
        file.prepare_cached("INSERT INTO tags (id, value) VALUES (?1, ?2)")?.execute((number, value))?;
    }
    let tags = Tags::new(known);
    for (at, kind) in (1..).zip(store::flagr::entity_types(conn, environment)?) {
        let at: i64 = at;
        file.prepare_cached("INSERT INTO flag_entity_types (id, key) VALUES (?1, ?2)")?
            .execute((at, kind))?;
    }
    let live = store::features::all(conn, environment)?;
    let live = live.into_iter().map(|row| row.stored).filter(|feature| is_flag(&feature.definition));
    for feature in live {
        insert(&file, &Flag::of(&feature, &tags))?;
        if snapshots {
            let id = feature.id.to_string();
            for row in store::flagr::snapshots(conn, environment, &id, true, -1, 0)? {
                let Some(then) = row.feature.as_ref().and_then(recorded) else { continue };
                let flag = serde_json::to_string(&Flag::of(&then, &tags)).map_err(Error::internal)?;
                file.prepare_cached("INSERT INTO flag_snapshots VALUES (?1, ?2, ?2, NULL, ?3, ?4, ?5)")?
                    .execute(params![row.number, rfc3339(row.at), feature.number, row.actor, flag])?;
            }
        }
    }
    for row in store::flagr::deleted(conn, environment)? {
        if let Some(feature) = recorded(&row.json) {
            let flag = Flag { deleted_at: Some(rfc3339(row.deleted_at)), ..Flag::of(&feature, &tags) };
            insert(&file, &flag)?;
        }
    }
    file.execute_batch("COMMIT")?;
    let bytes = file.serialize(rusqlite::MAIN_DB)?;
    Ok(bytes.to_vec())
}

pub async fn sqlite(req: HttpRequest, manager: Manager) -> Result {
    let snapshots = !Query::of(&req).flag("exclude_snapshots").unwrap_or(false);
    let bytes = manager
        .run(move |app, _, environment| app.read_consistent(|conn| database(conn, environment, snapshots)))
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header(("content-disposition", "attachment; filename=\"flagr.sqlite\""))
        .body(bytes))
}
