//! Taking flags over from a Flagr (flagr.md §12): from the JSON of its eval cache (`/export/eval_cache/json`, also
//! its JSON-file mode), or from its SQLite database. Numbers are kept, so nobody is put into another bucket. One
//! transaction: what cannot be represented is named, and then nothing is taken over.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::flagr::wrong;
use super::{features, require_writable, scope};
use crate::app::{Actor, App, Tx, Written};
use crate::engine::condition::Condition;
use crate::engine::decode::{Node, Problems};
use crate::engine::document::FeatureEntry;
use crate::engine::feature::{
    Arm, Bucketing, Definition, Otherwise, Outcome, Percent, Rollout, Rule, Variant,
};
use crate::engine::flagr::{Constraint as Compiled, valid_key};
use crate::engine::numbers::{Flagr, NEW_RANK, Segment as Numbers, UNTITLED};
use crate::engine::permission::Permission;
use crate::engine::value::{FeatureType, Json};
use crate::error::{self, Error, Result};
use crate::store;
use crate::store::environments::Environment;

/// What is read from a Flagr.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Source {
    pub flags: Vec<Flag>,
}

/// A flag as Flagr's eval cache names it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Flag {
    #[serde(rename = "ID")]
    id: u64,
    deleted_at: Option<Value>,
    key: String,
    description: String,
    created_by: String,
    enabled: bool,
    segments: Option<Vec<Segment>>,
    variants: Option<Vec<FlagVariant>>,
    tags: Option<Vec<Tag>>,
    #[serde(rename = "SnapshotID")]
    snapshot: u64,
    notes: String,
    data_records_enabled: bool,
    entity_type: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Segment {
    #[serde(rename = "ID")]
    id: u64,
    description: String,
    rank: Option<u64>,
    rollout_percent: u64,
    constraints: Option<Vec<Constraint>>,
    distributions: Option<Vec<Distribution>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Constraint {
    #[serde(rename = "ID")]
    id: u64,
    property: String,
    operator: String,
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Distribution {
    #[serde(rename = "ID")]
    id: u64,
    #[serde(rename = "VariantID")]
    variant: u64,
    variant_key: String,
    percent: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct FlagVariant {
    #[serde(rename = "ID")]
    id: u64,
    key: String,
    attachment: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Tag {
    #[serde(rename = "ID")]
    id: u64,
    value: String,
}

/// What was taken over, or in a dry run would be.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub dry_run: bool,
    /// Keys with their numbers.
    pub created: Vec<String>,
    pub updated: Vec<String>,
    pub unchanged: usize,
    pub variants: usize,
    pub segments: usize,
    pub constraints: usize,
    pub distributions: usize,
    pub tags: usize,
    /// Flags that Flagr has deleted: left out, and their numbers never given to others.
    pub deleted: Vec<String>,
    /// What is otherwise than in Flagr without mattering to evaluation.
    pub notes: Vec<String>,
}

impl Report {
    /// Lines for a person.
    pub fn lines(&self) -> String {
        let mut lines: Vec<String> = self.created.iter().map(|flag| format!("+ {flag}")).collect();
        lines.extend(self.updated.iter().map(|flag| format!("~ {flag}")));
        lines.extend(self.deleted.iter().map(|flag| format!("deleted in Flagr, left out: {flag}")));
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines.push(format!(
            "{}{} flags created, {} updated, {} unchanged, with {} variants, {} segments, {} constraints, {} \
             distributions, {} tags; all numbers kept",
            if self.dry_run { "dry run: " } else { "" },
            self.created.len(),
            self.updated.len(),
            self.unchanged,
            self.variants,
            self.segments,
            self.constraints,
            self.distributions,
            self.tags
        ));
        lines.join("\n")
    }
}

/// Reads either form from a file.
pub fn read(path: &Path) -> std::result::Result<Source, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    if bytes.starts_with(b"SQLite format 3\0") {
        return read_database(path).map_err(|error| format!("is no database of Flagr's: {error}"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is neither JSON nor an SQLite database".to_owned())?;
    read_json(&text)
}

/// Reads `{"Flags": [...]}`.
pub fn read_json(text: &str) -> std::result::Result<Source, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Whole {
        flags: Option<Vec<Flag>>,
    }
    let whole: Whole =
        serde_json::from_str(text).map_err(|error| format!("is no export of Flagr's eval cache: {error}"))?;
    let flags = whole.flags.ok_or("is no export of Flagr's eval cache: it has no \"Flags\"")?;
    Ok(Source { flags })
}

/// A column that an older Flagr may lack.
fn column<T: rusqlite::types::FromSql + Default>(row: &Row<'_>, name: &str) -> rusqlite::Result<T> {
    match row.get::<_, Option<T>>(name) {
        Ok(value) => Ok(value.unwrap_or_default()),
        Err(rusqlite::Error::InvalidColumnName(_)) => Ok(T::default()),
        Err(error) => Err(error),
    }
}

fn number(row: &Row<'_>, name: &str) -> rusqlite::Result<u64> {
    // A negative one is none, and refused as 0 is.
    Ok(u64::try_from(column::<i64>(row, name)?).unwrap_or_default())
}

fn rows<T>(
    conn: &Connection,
    sql: &str,
    of: i64,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    conn.prepare_cached(sql)?.query_map([of], read)?.collect()
}

fn read_database(path: &Path) -> rusqlite::Result<Source> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = conn.prepare("SELECT * FROM flags ORDER BY id")?;
    let mut flags = Vec::new();
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let id: i64 = row.get("id")?;
        let variants = rows(
            &conn,
            "SELECT * FROM variants WHERE flag_id = ?1 AND deleted_at IS NULL ORDER BY id",
            id,
            |row| {
                let attachment: String = column(row, "attachment")?;
                let attachment = match attachment.trim() {
                    "" => None,
                    text => Some(serde_json::from_str(text).unwrap_or(Value::String(text.to_owned()))),
                };
                Ok(FlagVariant { id: number(row, "id")?, key: column(row, "key")?, attachment })
            },
        )?;
        let segments = rows(
            &conn,
            "SELECT * FROM segments WHERE flag_id = ?1 AND deleted_at IS NULL ORDER BY rank, id",
            id,
            |row| read_segment(&conn, row),
        )?;
        let tags = rows(
            &conn,
            "SELECT t.* FROM tags t JOIN flags_tags f ON f.tag_id = t.id
              WHERE f.flag_id = ?1 AND t.deleted_at IS NULL ORDER BY t.id",
            id,
            |row| Ok(Tag { id: number(row, "id")?, value: column(row, "value")? }),
        )?;
        let deleted: Option<Value> = row
            .get_ref("deleted_at")
            .ok()
            .filter(|at| *at != rusqlite::types::ValueRef::Null)
            .map(|_| true.into());
        flags.push(Flag {
            id: number(row, "id")?,
            deleted_at: deleted,
            key: column(row, "key")?,
            description: column(row, "description")?,
            created_by: column(row, "created_by")?,
            enabled: column(row, "enabled")?,
            segments: Some(segments),
            variants: Some(variants),
            tags: Some(tags),
            snapshot: number(row, "snapshot_id")?,
            notes: column(row, "notes")?,
            data_records_enabled: column(row, "data_records_enabled")?,
            entity_type: column(row, "entity_type")?,
        });
    }
    Ok(Source { flags })
}

fn read_segment(conn: &Connection, row: &Row<'_>) -> rusqlite::Result<Segment> {
    let id: i64 = row.get("id")?;
    let constraints = rows(
        conn,
        "SELECT * FROM constraints WHERE segment_id = ?1 AND deleted_at IS NULL ORDER BY created_at, id",
        id,
        |row| {
            Ok(Constraint {
                id: number(row, "id")?,
                property: column(row, "property")?,
                operator: column(row, "operator")?,
                value: column(row, "value")?,
            })
        },
    )?;
    let distributions = rows(
        conn,
        "SELECT * FROM distributions WHERE segment_id = ?1 AND deleted_at IS NULL ORDER BY variant_id",
        id,
        |row| {
            Ok(Distribution {
                id: number(row, "id")?,
                variant: number(row, "variant_id")?,
                variant_key: column(row, "variant_key")?,
                percent: number(row, "percent")?,
            })
        },
    )?;
    Ok(Segment {
        id: number(row, "id")?,
        description: column(row, "description")?,
        rank: Some(number(row, "rank")?),
        rollout_percent: number(row, "rollout_percent")?,
        constraints: Some(constraints),
        distributions: Some(distributions),
    })
}

/// What is wrong with one flag, with the number in front.
struct Check<'a> {
    path: String,
    problems: &'a mut Problems,
}

impl Check<'_> {
    fn add(&mut self, what: &str, message: impl Into<String>) {
        let field = if what.is_empty() { self.path.clone() } else { format!("{} {what}", self.path) };
        self.problems.add(field, message);
    }

    /// A number that can be kept.
    fn number(&mut self, what: &str, number: u64) -> u32 {
        match u32::try_from(number) {
            Ok(number) if number > 0 => number,
            _ => {
                self.add(what, format!("has the number {number}, which is not from 1 to {}", u32::MAX));
                0
            }
        }
    }
}

fn text(text: &str) -> Json {
    Json::from(&Value::from(text))
}

/// A flag as a feature (flagr.md §12); problems are added.
fn definition(flag: &Flag, problems: &mut Problems) -> Option<Definition> {
    let before = problems.count();
    let mut check = Check { path: format!("flag {} ({})", flag.id, flag.key), problems };
    let id = check.number("", flag.id);
    if !valid_key(&flag.key) || flag.key == "." || flag.key == ".." {
        check.add("key", "must be 1 to 63 of A-Z a-z 0-9 _ - / . :");
    }
    let mut flagr = Flagr {
        notes: flag.notes.clone(),
        entity_type: flag.entity_type.clone(),
        data_records_enabled: flag.data_records_enabled,
        created_by: flag.created_by.chars().take(200).collect(),
        ..Flagr::default()
    };
    let mut known: Vec<&FlagVariant> = flag.variants.iter().flatten().collect();
    known.sort_by_key(|variant| variant.id);
    let mut variants: Vec<Variant> = Vec::with_capacity(known.len());
    for variant in known {
        let what = format!("variant {} ({})", variant.id, variant.key);
        flagr.variants.push(check.number(&what, variant.id));
        if variants.iter().any(|other| other.key == variant.key) {
            check.add(&what, "has the key of another variant, by which rules here tell them apart");
        }
        let attachment = match &variant.attachment {
            None | Some(Value::Null) => None,
            Some(Value::Object(members)) if members.is_empty() => None,
            Some(object @ Value::Object(_)) => Some(Json::from(object)),
            Some(_) => {
                check.add(&what, "has an attachment that is no JSON object");
                None
            }
        };
        variants.push(Variant { key: variant.key.clone(), value: text(&variant.key), attachment });
    }
    let mut listed: Vec<&Segment> = flag.segments.iter().flatten().collect();
    listed.sort_by_key(|segment| (segment.rank.unwrap_or(0), segment.id));
    let mut rules = Vec::with_capacity(listed.len());
    for segment in listed {
        let (rule, numbers) = rule(segment, flag, &mut check);
        rules.push(rule);
        flagr.segments.push(numbers);
    }
    let definition = Definition {
        properties: Default::default(),
        retired: false,
        key: flag.key.clone(),
        kind: FeatureType::String,
        integer: false,
        enabled: flag.enabled,
        default_value: Some(text("")),
        description: flag.description.clone(),
        tags: flag.tags.iter().flatten().map(|tag| tag.value.clone()).collect(),
        bucketing: Bucketing::Crc32,
        bucketing_id: Some(id.to_string()),
        variants,
        rules,
        flagr: Some(flagr),
    };
    if check.problems.count() > before {
        return None;
    }
    // What a feature could not hold: too long, too many, characters.
    let mut found = Problems::default();
    let json = Json::of(&FeatureEntry(&definition))?;
    if let Some(mut object) = Node::parse(json.as_str()).ok().and_then(|node| node.object(&mut found)) {
        Definition::decode(&mut object, None, &mut found);
    }
    for problem in found.unknown.into_iter().chain(found.invalid) {
        check.add(&problem.field, problem.message);
    }
    (check.problems.count() == before).then_some(definition)
}

fn rule(segment: &Segment, flag: &Flag, check: &mut Check<'_>) -> (Rule, Numbers) {
    let what = format!("segment {} ({})", segment.id, segment.description);
    let mut numbers = Numbers {
        number: check.number(&what, segment.id),
        rank: segment.rank.map_or(NEW_RANK, |rank| u32::try_from(rank).unwrap_or(u32::MAX)),
        untitled: segment.description.trim().is_empty(),
        ..Numbers::default()
    };
    let percent = segment.rollout_percent;
    if percent > 100 {
        check.add(&what, format!("has a rollout of {percent} percent"));
    }
    let mut leaves = Vec::new();
    for one in segment.constraints.iter().flatten() {
        let place = format!("{what} constraint {}", one.id);
        numbers.constraints.push(check.number(&place, one.id));
        if let Err(why) = Compiled::compile(&one.property, &one.operator, &one.value) {
            check.add(&place, format!("cannot be evaluated: {why}"));
        }
        leaves.push(Condition::Flagr {
            property: one.property.clone(),
            operator: one.operator.clone(),
            value: one.value.clone(),
        });
    }
    let mut shares: Vec<&Distribution> = segment.distributions.iter().flatten().collect();
    shares.sort_by_key(|share| share.variant);
    let sum: u64 = shares.iter().map(|share| share.percent.min(1000)).sum();
    if !shares.is_empty() && sum != 100 {
        check.add(&what, format!("has distributions that add up to {sum} percent, not to 100"));
    }
    let mut arms: Vec<Arm> = Vec::new();
    for share in shares {
        let place = format!("{what} distribution {}", share.id);
        numbers.distributions.push(check.number(&place, share.id));
        let variant = flag.variants.iter().flatten().find(|variant| variant.id == share.variant);
        let Some(variant) = variant else {
            check.add(&place, format!("is of the variant {}, which the flag does not have", share.variant));
            continue;
        };
        if !share.variant_key.is_empty() && share.variant_key != variant.key {
            check.add(&place, format!("calls the variant {} {:?}", variant.id, share.variant_key));
        }
        let weight = Percent(u32::try_from(share.percent.min(100)).unwrap_or(100) * 10_000);
        arms.push(Arm { variant: variant.key.clone(), weight });
    }
    let percentage = Percent(u32::try_from(percent.min(100)).unwrap_or(100) * 10_000);
    let rule = Rule {
        id: uuid::Uuid::nil(),
        name: if numbers.untitled { UNTITLED.into() } else { segment.description.clone() },
        priority: crate::engine::feature::DEFAULT_PRIORITY,
        enabled: true,
        when: (!leaves.is_empty()).then_some(Condition::All(leaves)),
        rollout: Some(Rollout {
            percentage,
            by: None,
            salt: String::new(),
            otherwise: Some(Otherwise::Stop),
        }),
        outcome: if arms.is_empty() { Outcome::Value(text("")) } else { Outcome::Split(arms) },
    };
    (rule, numbers)
}

/// Takes the flags over into an environment, all or none. A flag that is there under its number and key is
/// brought up to date.
pub fn import(
    app: &App,
    actor: &Actor,
    site: &str,
    environment: &str,
    source: &Source,
    dry_run: bool,
) -> Result<Report> {
    actor.require(Permission::Change)?;
    let apply = |tx: &Tx<'_>| {
        let (site, environment) = scope(tx, site, environment)?;
        require_writable(&environment)?;
        let mut report = Report { dry_run, ..Report::default() };
        let mut problems = Problems::default();
        let mut changes = Vec::new();
        let (mut ids, mut keys) = (HashSet::new(), HashSet::new());
        for flag in &source.flags {
            let name = format!("{} (number {})", flag.key, flag.id);
            if flag.deleted_at.as_ref().is_some_and(|at| !at.is_null()) {
                if let Ok(number) = u32::try_from(flag.id) {
                    store::flagr::note_flag(tx, environment.id, number)?;
                }
                report.deleted.push(name);
                continue;
            }
            if !ids.insert(flag.id) || !keys.insert(flag.key.as_str()) {
                problems.add(format!("flag {} ({})", flag.id, flag.key), "stands twice");
                continue;
            }
            let Some(definition) = definition(flag, &mut problems) else { continue };
            tags(tx, &environment, flag, &mut report)?;
            store::flagr::note_snapshot(tx, environment.id, u32::try_from(flag.snapshot).unwrap_or(0))?;
            let count = |report: &mut Report, definition: &Definition| {
                let flagr = definition.flagr.as_ref();
                for (kind, _) in flagr.map(Flagr::all).unwrap_or_default() {
                    *match kind {
                        "variant" => &mut report.variants,
                        "segment" => &mut report.segments,
                        "constraint" => &mut report.constraints,
                        _ => &mut report.distributions,
                    } += 1;
                }
            };
            count(&mut report, &definition);
            let path = format!("flag {} ({})", flag.id, flag.key);
            let there = match store::features::find(tx, environment.id, &flag.key) {
                Ok(row) => Some(row),
                Err(Error::NotFound(_)) => None,
                Err(error) => return Err(error),
            };
            let result = match there {
                Some(row) if row.stored.definition.bucketing_id != definition.bucketing_id => {
                    problems.add(path, "has a key that another feature of this environment has");
                    continue;
                }
                Some(row) => {
                    let mut definition = definition;
                    // Rules keep their ids where their numbers are the same.
                    let old = row.stored.definition.flagr.clone().unwrap_or_default();
                    let new = definition.flagr.clone().unwrap_or_default();
                    for (rule, segment) in definition.rules.iter_mut().zip(&new.segments) {
                        let at = old.segments.iter().position(|other| other.number == segment.number);
                        if let Some(same) = at.and_then(|at| row.stored.definition.rules.get(at)) {
                            rule.id = same.id;
                        }
                    }
                    features::save(tx, &site, &environment, &row, definition, row.stored.locked)
                        .map(|(_, change)| change)
                }
                None => features::insert(tx, &site, &environment, definition, false)
                    .map(|(_, change)| Some(change)),
            };
            match result {
                Ok(None) => report.unchanged += 1,
                Ok(Some(change)) => {
                    let made = change.action == "created";
                    if made { &mut report.created } else { &mut report.updated }.push(name);
                    changes.push(change);
                }
                Err(Error::Conflict(_, message, _)) => problems.add(path, message),
                Err(error) => return Err(error),
            }
        }
        error::check(problems)?;
        Ok(Written { value: report, changes })
    };
    if dry_run { app.rehearse(actor, apply) } else { app.write(actor, apply) }
}

/// Makes the tags of a flag under their numbers, as far as those are free.
fn tags(tx: &Tx<'_>, environment: &Environment, flag: &Flag, report: &mut Report) -> Result<()> {
    let known = store::flagr::tags(tx, environment.id)?;
    for tag in flag.tags.iter().flatten() {
        if tag.value.is_empty() {
            return Err(wrong(format!("flag {} ({}): a tag is empty", flag.id, flag.key)));
        }
        if known.iter().any(|(_, value)| *value == tag.value) {
            continue;
        }
        report.tags += 1;
        let number = u32::try_from(tag.id).unwrap_or(0);
        if number > 0 && known.iter().all(|(have, _)| *have != number) {
            store::flagr::insert_tag(tx, environment.id, number, &tag.value)?;
        } else {
            let given = store::flagr::tag_number(tx, environment.id, &tag.value)?;
            report
                .notes
                .push(format!("the tag {} has the number {given} here, {} in Flagr", tag.value, tag.id));
        }
    }
    Ok(())
}
