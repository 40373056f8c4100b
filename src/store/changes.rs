//! Tables `changes`, `chain_head` and `outbox`: what was changed, by whom, and who must be told.

use std::collections::{HashMap, HashSet};

use rand::RngCore;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::clock::Millis;
use crate::engine::value::Json;
use crate::error::Result;
use crate::ids::EnvironmentId;
use crate::store::gdpr::{Clean, WHOSE};

/// Who makes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    User,
    Token,
    System,
}

impl ActorKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Token => "token",
            Self::System => "system",
        }
    }
}

/// One change to be recorded.
#[derive(Debug)]
pub struct Entry<'a> {
    pub at: Millis,
    pub actor_kind: ActorKind,
    pub actor_id: Option<&'a str>,
    pub actor: &'a str,
    pub address: Option<&'a str>,
    pub site: Option<&'a str>,
    pub environment: Option<&'a str>,
    pub entity: &'a str,
    pub entity_id: &'a str,
    pub entity_key: &'a str,
    pub action: &'a str,
    pub summary: &'a str,
    /// The feature this is a version of.
    pub feature: Option<(&'a str, u64)>,
    /// The environment whose answers changed, and its new revision.
    pub revision: Option<(EnvironmentId, u64)>,
    /// The feature keys that changed; `None`: everything.
    pub touched: Option<&'a [String]>,
    pub before: Option<&'a Json>,
    pub after: Option<&'a Json>,
    /// The webhook event to send.
    pub event: Option<&'a str>,
}

/// Appends a change to the chain, and its event to the outbox.
pub fn append(conn: &Connection, entry: &Entry<'_>) -> Result<()> {
    let (last, previous): (i64, Vec<u8>) = conn
        .prepare_cached("SELECT number, hash FROM chain_head WHERE id = 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or((0, vec![0; 32]));
    let number = last + 1;
    let json = |value: Option<&Json>| value.map_or("null", Json::as_str).to_owned();
    let payload = format!(r#"{{"before":{},"after":{}}}"#, json(entry.before), json(entry.after));
    let mut salt = [0_u8; 16];
    rand::rng().fill_bytes(&mut salt);
    let digest = digest(&salt, &payload);
    let touched = entry.touched.map(super::list_to_json);
    let hash = chain_hash(&previous, number, entry, touched.as_deref(), &digest);
    conn.prepare_cached(
        "INSERT INTO changes (number, at, actor_kind, actor_id, actor, address, site, environment, entity,
                              entity_id, entity_key, action, summary, feature, version, environment_id,
                              revision, touched, payload, salt, digest, previous, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
                 ?21, ?22, ?23)",
    )?
    .execute(params![
        number,
        entry.at,
        entry.actor_kind.as_str(),
        entry.actor_id,
        entry.actor,
        entry.address,
        entry.site,
        entry.environment,
        entry.entity,
        entry.entity_id,
        entry.entity_key,
        entry.action,
        entry.summary,
        entry.feature.map(|(id, _)| id),
        entry.feature.map(|(_, version)| version as i64),
        entry.revision.map(|(environment, _)| environment),
        entry.revision.map(|(_, revision)| revision as i64),
        touched,
        payload,
        salt,
        digest,
        previous,
        hash,
    ])?;
    conn.prepare_cached(
        "INSERT INTO chain_head (id, number, hash) VALUES (1, ?1, ?2)
         ON CONFLICT (id) DO UPDATE SET number = excluded.number, hash = excluded.hash",
    )?
    .execute((number, hash))?;
    if let Some(event) = entry.event {
        conn.prepare_cached(
            "INSERT INTO outbox (uuid, change_number, event, created_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((Uuid::now_v7().to_string(), number, event, entry.at))?;
    }
    Ok(())
}

fn digest(salt: &[u8], payload: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(payload).finalize().into()
}

/// SHA-256 over the hash before and every column but the payload, each with its length in front so that no
/// two rows can read the same.
fn chain_hash(
    previous: &[u8],
    number: i64,
    entry: &Entry<'_>,
    touched: Option<&str>,
    digest: &[u8],
) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut field = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => {
            hasher.update((bytes.len() as u64 + 1).to_be_bytes());
            hasher.update(bytes);
        }
        None => hasher.update(0_u64.to_be_bytes()),
    };
    let version = entry.feature.map(|(_, version)| version.to_be_bytes());
    let environment = entry.revision.map(|(environment, _)| environment.0.to_be_bytes());
    let revision = entry.revision.map(|(_, revision)| revision.to_be_bytes());
    field(Some(previous));
    field(Some(&number.to_be_bytes()));
    field(Some(&entry.at.to_be_bytes()));
    for text in [
        Some(entry.actor_kind.as_str()),
        entry.actor_id,
        Some(entry.actor),
        entry.address,
        entry.site,
        entry.environment,
        Some(entry.entity),
        Some(entry.entity_id),
        Some(entry.entity_key),
        Some(entry.action),
        Some(entry.summary),
        entry.feature.map(|(id, _)| id),
        touched,
    ] {
        field(text.map(str::as_bytes));
    }
    for number in [&version, &environment, &revision] {
        field(number.as_ref().map(|bytes| bytes.as_slice()));
    }
    field(Some(digest));
    hasher.finalize().into()
}

/// A row of the chain as it stands, for checking and for making people unrecognisable.
struct Link {
    number: i64,
    at: Millis,
    actor_kind: String,
    actor_id: Option<String>,
    actor: String,
    address: Option<String>,
    site: Option<String>,
    environment: Option<String>,
    entity: String,
    entity_id: String,
    entity_key: String,
    action: String,
    summary: String,
    feature: Option<String>,
    version: Option<i64>,
    environment_id: Option<EnvironmentId>,
    revision: Option<i64>,
    touched: Option<String>,
    payload: String,
    salt: Vec<u8>,
    digest: Vec<u8>,
    previous: Vec<u8>,
    hash: Vec<u8>,
}

const LINK: &str = "SELECT number, at, actor_kind, actor_id, actor, address, site, environment, entity, entity_id,
                           entity_key, action, summary, feature, version, environment_id, revision, touched, payload,
                           salt, digest, previous, hash
                      FROM changes";

impl Link {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            at: row.get(1)?,
            actor_kind: row.get(2)?,
            actor_id: row.get(3)?,
            actor: row.get(4)?,
            address: row.get(5)?,
            site: row.get(6)?,
            environment: row.get(7)?,
            entity: row.get(8)?,
            entity_id: row.get(9)?,
            entity_key: row.get(10)?,
            action: row.get(11)?,
            summary: row.get(12)?,
            feature: row.get(13)?,
            version: row.get(14)?,
            environment_id: row.get(15)?,
            revision: row.get(16)?,
            touched: row.get(17)?,
            payload: row.get(18)?,
            salt: row.get(19)?,
            digest: row.get(20)?,
            previous: row.get(21)?,
            hash: row.get(22)?,
        })
    }

    /// The hash of what stands in the row now.
    fn content_hash(&self) -> [u8; 32] {
        let kind = [ActorKind::User, ActorKind::Token, ActorKind::System]
            .into_iter()
            .find(|kind| kind.as_str() == self.actor_kind);
        let entry = Entry {
            at: self.at,
            actor_kind: kind.unwrap_or(ActorKind::System),
            actor_id: self.actor_id.as_deref(),
            actor: &self.actor,
            address: self.address.as_deref(),
            site: self.site.as_deref(),
            environment: self.environment.as_deref(),
            entity: &self.entity,
            entity_id: &self.entity_id,
            entity_key: &self.entity_key,
            action: &self.action,
            summary: &self.summary,
            feature: self.feature.as_deref().zip(self.version.map(|version| version as u64)),
            revision: self.environment_id.zip(self.revision.map(|revision| revision as u64)),
            touched: None,
            before: None,
            after: None,
            event: None,
        };
        chain_hash(&self.previous, self.number, &entry, self.touched.as_deref(), &self.digest)
    }
}

/// What a change is called that lists rewritten ones; its payload is `{"after": {"rewritten": [{number, hash}]}}`.
pub const ERASED: (&str, &str) = ("gdpr request", "erased");

/// A change that was rewritten so that it names nobody any more, and the hash of what it says now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rewritten {
    pub number: i64,
    pub hash: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is wrong with the trail.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditProblem, example = json!({"number": 17, "problem": "the entry is not what was written"}))]
pub struct ChainProblem {
    /// Of the entry.
    pub number: i64,
    pub problem: String,
}

/// What came of checking the trail.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditVerification, example = json!({"ok": true, "entries": 412, "rewritten": 0, "head": "9f2c…", "problems": []}))]
pub struct Verification {
    pub ok: bool,
    /// Entries that were looked at.
    pub entries: u64,
    /// Entries that an erasure made unrecognisable, as a later entry says.
    pub rewritten: u64,
    /// The hash of the newest entry: whoever noted it elsewhere can tell that nothing before it was changed.
    pub head: String,
    /// The first ones, oldest first.
    pub problems: Vec<ChainProblem>,
}

/// Problems that are listed; one edit breaks no other entry, so there are rarely many.
const LISTED: usize = 100;

/// Computes the whole chain anew. An entry is in order when it is what was written, or what a later entry says that
/// an erasure made of it.
pub fn verify(conn: &Connection) -> Result<Verification> {
    let rewritten = rewritten(conn)?;
    let mut statement = conn.prepare(&format!("{LINK} ORDER BY number"))?;
    let mut rows = statement.query([])?;
    let (mut problems, mut entries, mut replaced) = (Vec::new(), 0, 0);
    let (mut last, mut previous) = (0, vec![0_u8; 32]);
    let mut report = |number: i64, problem: &str| {
        if problems.len() < LISTED {
            problems.push(ChainProblem { number, problem: problem.into() });
        }
    };
    while let Some(row) = rows.next()? {
        let link = match Link::from_row(row) {
            Ok(link) => link,
            Err(_) => {
                let number = row.get::<_, i64>(0)?;
                report(number, "the entry cannot be read");
                (last, previous) = (number, row.get(22).unwrap_or_default());
                continue;
            }
        };
        entries += 1;
        if link.number != last + 1 {
            report(link.number, "entries before this one are missing");
        } else if link.previous != previous {
            report(link.number, "it does not follow the entry before");
        }
        if digest(&link.salt, &link.payload).as_slice() != link.digest {
            report(link.number, "what it says of before and after is not what was written");
        }
        let content = link.content_hash();
        match rewritten.get(&link.number) {
            Some(hash) if *hash == hex(&content) => replaced += 1,
            None if content.as_slice() == link.hash => {}
            _ => report(link.number, "the entry is not what was written"),
        }
        (last, previous) = (link.number, link.hash);
    }
    let head: Option<(i64, Vec<u8>)> = conn
        .query_row("SELECT number, hash FROM chain_head WHERE id = 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    match head {
        Some((number, _)) if number > last => report(number, "the newest entries are missing"),
        Some((number, hash)) if number < last || hash != previous => {
            report(last, "the newest entry is not the one that was written last");
        }
        None if last > 0 => report(last, "the note of the newest entry is missing"),
        _ => {}
    }
    Ok(Verification { ok: problems.is_empty(), entries, rewritten: replaced, head: hex(&previous), problems })
}

/// What erasures made of entries; the newest erasure counts.
fn rewritten(conn: &Connection) -> Result<HashMap<i64, String>> {
    #[derive(Deserialize)]
    struct Payload {
        after: Option<After>,
    }
    #[derive(Deserialize)]
    struct After {
        #[serde(default)]
        rewritten: Vec<Rewritten>,
    }
    let mut statement =
        conn.prepare_cached("SELECT payload FROM changes WHERE entity = ?1 AND action = ?2 ORDER BY number")?;
    let mut rows = statement.query(ERASED)?;
    let mut found = HashMap::new();
    while let Some(row) = rows.next()? {
        let payload: String = row.get(0)?;
        let payload: Payload = serde_json::from_str(&payload).unwrap_or(Payload { after: None });
        let list = payload.after.map(|after| after.rewritten).unwrap_or_default();
        found.extend(list.into_iter().map(|one| (one.number, one.hash)));
    }
    Ok(found)
}

/// Makes a person unrecognisable in the trail: `finds` says whether a text may name them, `clean` gives the new one
/// where it does. Every link keeps its hash, and so the chain its form; what is given back must be recorded as
/// [`ERASED`].
pub fn rewrite(
    conn: &Connection,
    person: &str,
    finds: &dyn Fn(&str) -> bool,
    clean: &Clean<'_>,
    alias: &str,
) -> Result<Vec<Rewritten>> {
    let mut numbers: Vec<i64> = Vec::new();
    // What they asked for, or others for them.
    let mut requests: HashSet<String> = HashSet::new();
    let asked = format!(r#""userId":"{person}""#);
    let mut every = conn.prepare(
        "SELECT number, actor_id IS ?1 OR entity_id = ?1, entity, entity_id, payload, actor, entity_key, summary,
                coalesce(touched, '')
           FROM changes ORDER BY number",
    )?;
    let mut rows = every.query([person])?;
    while let Some(row) = rows.next()? {
        let text =
            |index: usize| row.get_ref(index).ok().and_then(|value| value.as_str().ok()).unwrap_or_default();
        if text(2) == ERASED.0 && text(4).contains(&asked) {
            requests.insert(text(3).to_owned());
        }
        if row.get(1)? || (3..9).any(|index| finds(text(index))) {
            numbers.push(row.get(0)?);
        }
    }
    drop(rows);
    let mut find = conn.prepare(&format!("{LINK} WHERE number = ?1"))?;
    let mut update = conn.prepare(
        "UPDATE changes
            SET actor = ?2, address = ?3, entity_id = ?4, entity_key = ?5, summary = ?6, touched = ?7, payload = ?8,
                salt = ?9, digest = ?10
          WHERE number = ?1",
    )?;
    let mut done = Vec::new();
    for number in numbers {
        let mut link = find.query_row([number], Link::from_row)?;
        let theirs = link.actor_id.as_deref() == Some(person);
        let mut changed = theirs && (link.actor != alias || link.address.is_some());
        if theirs {
            link.actor = alias.to_owned();
            link.address = None;
        }
        let is_person = link.entity == "user" && link.entity_id == person;
        if is_person && link.entity_key != alias {
            link.entity_key = alias.to_owned();
            changed = true;
        }
        // A stored Context may be keyed by a person.
        let of_context = link.entity.starts_with("context");
        let key = match link.entity.as_str() {
            _ if link.entity == ERASED.0 || of_context => WHOSE,
            // Its key is what somebody wrote about it.
            "token" | "webhook" => "description",
            _ => "entity_key",
        };
        let about = theirs
            || is_person
            || requests.contains(&link.entity_id)
            || (of_context && clean(key, &link.entity_key, false).is_some());
        let mut put = |column: &str, text: &mut String| {
            if let Some(cleaned) = clean(column, text, about) {
                *text = cleaned;
                changed = true;
            }
        };
        // Whoever had their name before them keeps what they did.
        if theirs || link.actor_kind != ActorKind::User.as_str() || link.actor_id.is_none() {
            put("actor", &mut link.actor);
        }
        put(key, &mut link.entity_id);
        put(key, &mut link.entity_key);
        put("summary", &mut link.summary);
        put(if of_context { "contexts" } else { "payload" }, &mut link.payload);
        if let Some(touched) = &mut link.touched {
            put("contexts", touched);
        }
        if !changed {
            continue;
        }
        // Without the old salt and digest nobody can find out what was there by guessing.
        let mut salt = [0_u8; 16];
        rand::rng().fill_bytes(&mut salt);
        link.digest = digest(&salt, &link.payload).to_vec();
        update.execute(params![
            link.number,
            link.actor,
            link.address,
            link.entity_id,
            link.entity_key,
            link.summary,
            link.touched,
            link.payload,
            salt,
            link.digest,
        ])?;
        done.push(Rewritten { number: link.number, hash: hex(&link.content_hash()) });
    }
    Ok(done)
}

/// One version of a feature as it was recorded.
#[derive(Debug)]
pub struct Version {
    pub version: u64,
    pub at: Millis,
    pub actor: String,
    pub summary: String,
    pub before: Option<Json>,
    pub after: Option<Json>,
}

fn version_from_row(row: &Row<'_>) -> rusqlite::Result<Version> {
    #[derive(serde::Deserialize)]
    struct Payload {
        before: Option<Json>,
        after: Option<Json>,
    }
    let payload: String = row.get(4)?;
    let payload: Payload = serde_json::from_str(&payload).unwrap_or(Payload { before: None, after: None });
    Ok(Version {
        version: row.get::<_, i64>(0)?.unsigned_abs(),
        at: row.get(1)?,
        actor: row.get(2)?,
        summary: row.get(3)?,
        before: payload.before,
        after: payload.after,
    })
}

/// The versions of a feature, newest first, those before `below` where it is given.
pub fn history(conn: &Connection, feature: &str, below: Option<u64>, limit: u64) -> Result<Vec<Version>> {
    let mut statement = conn.prepare_cached(
        "SELECT version, at, actor, summary, payload FROM changes
          WHERE feature = ?1 AND version < ?2 ORDER BY version DESC LIMIT ?3",
    )?;
    let below = below.map_or(i64::MAX, |below| below as i64);
    let rows = statement.query_map((feature, below, limit), version_from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// One version of a feature.
pub fn version(conn: &Connection, feature: &str, version: u64) -> Result<Version> {
    let row = conn
        .prepare_cached(
            "SELECT version, at, actor, summary, payload FROM changes WHERE feature = ?1 AND version = ?2",
        )?
        .query_row((feature, version as i64), version_from_row);
    super::found(row, || format!("version {version}"))
}

/// Marks a stored Context in a list of what changed: no key of a feature begins with it. Alone it means all of them.
const CONTEXT_MARK: char = '@';
/// More Contexts than this in one change are recorded as all of them.
const MAX_TOUCHED: usize = 1000;

/// How a change of stored Contexts (`None`: all of them) and features is recorded in `touched`.
pub fn touched_contexts(contexts: Option<&[String]>, features: &[String]) -> Vec<String> {
    let mut touched: Vec<String> = features.to_vec();
    match contexts.filter(|contexts| contexts.len() <= MAX_TOUCHED) {
        Some(contexts) => touched.extend(contexts.iter().map(|key| format!("{CONTEXT_MARK}{key}"))),
        None => touched.push(CONTEXT_MARK.to_string()),
    }
    touched
}

/// What changed between two revisions: features and stored Contexts by key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TouchedSince {
    pub features: Vec<String>,
    /// `None`: all of them.
    pub contexts: Option<Vec<String>>,
}

impl TouchedSince {
    fn of(touched: Vec<String>) -> Self {
        let (contexts, features): (Vec<_>, Vec<_>) =
            touched.into_iter().partition(|key| key.starts_with(CONTEXT_MARK));
        let keys = contexts.iter().map(|key| key[1..].to_owned()).collect::<Vec<_>>();
        let all = keys.iter().any(String::is_empty);
        Self { features, contexts: (!all).then_some(keys) }
    }
}

/// What changed in an environment after one revision up to another; `None` when that cannot be told one by one.
pub fn touched_since(
    conn: &Connection,
    environment: EnvironmentId,
    after: u64,
    to: u64,
) -> Result<Option<TouchedSince>> {
    let mut statement = conn.prepare_cached(
        "SELECT revision, touched FROM changes
          WHERE environment_id = ?1 AND revision > ?2 AND revision <= ?3
          ORDER BY revision",
    )?;
    let mut rows = statement.query((environment, after as i64, to as i64))?;
    let (mut keys, mut revisions, mut last) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        let revision: i64 = row.get(0)?;
        revisions += u64::from(last != Some(revision));
        last = Some(revision);
        match row.get::<_, Option<String>>(1)? {
            Some(list) => keys.extend(super::list_from_json(&list)),
            None => return Ok(None),
        }
    }
    // A change of the whole site is recorded with one of its environments only.
    if revisions != to.saturating_sub(after) {
        return Ok(None);
    }
    keys.sort();
    keys.dedup();
    Ok(Some(TouchedSince::of(keys)))
}

/// Deletes events that are older than this, but for those that a webhook may still be owed and that are not older than
/// `patience`.
pub fn prune_outbox(conn: &Connection, before: Millis, patience: Millis) -> Result<()> {
    conn.prepare_cached(
        "DELETE FROM outbox
          WHERE created_at < ?1
            AND (created_at < ?2 OR change_number <=
                 coalesce((SELECT min(position) FROM webhooks WHERE enabled), change_number))",
    )?
    .execute((before, patience))?;
    Ok(())
}

/// Which entries a list of the audit log shows.
#[derive(Debug, Default)]
pub struct AuditFilter {
    /// UUID of an environment.
    pub environment: Option<String>,
    /// Part of a key, a summary or a value.
    pub q: String,
    pub actor: String,
    /// UUID of who acted.
    pub actor_id: Option<String>,
    /// UUID of a user whose account it is about.
    pub about: Option<String>,
    pub entity: String,
    pub action: String,
    pub since: Option<Millis>,
    /// Entries before this moment.
    pub until: Option<Millis>,
    /// UUID of a site.
    pub site: Option<String>,
    /// Entries before this number.
    pub below: Option<i64>,
    pub limit: u64,
}

/// An entry of the audit log with what differs.
#[derive(Debug)]
pub struct AuditEntry {
    pub number: i64,
    pub at: Millis,
    pub actor: String,
    pub address: Option<String>,
    pub site: Option<String>,
    pub environment: Option<String>,
    pub entity: String,
    pub entity_id: String,
    pub entity_key: String,
    pub action: String,
    pub summary: String,
    pub differences: Vec<crate::engine::diff::Difference>,
}

/// Entries of the audit log, newest first.
pub fn list(conn: &Connection, filter: &AuditFilter) -> Result<Vec<AuditEntry>> {
    let mut statement = conn.prepare_cached(
        "SELECT number, at, actor, address, entity, entity_key, action, summary, payload, site, environment, entity_id
           FROM changes
          WHERE (?1 IS NULL OR environment = ?1)
            AND (?2 = '' OR instr(lower(entity_key || char(10) || summary || char(10) || payload), lower(?2)) > 0)
            AND (?3 = '' OR actor = ?3)
            AND (?4 = '' OR entity = ?4)
            AND (?5 IS NULL OR at >= ?5)
            AND (?6 IS NULL OR number < ?6)
            AND (?8 IS NULL OR site = ?8)
            AND (?9 IS NULL OR actor_id = ?9)
            AND (?10 = '' OR action = ?10)
            AND (?11 IS NULL OR at < ?11)
            AND (?12 IS NULL OR (entity = 'user' AND entity_id = ?12))
          ORDER BY number DESC
          LIMIT ?7",
    )?;
    let rows = statement.query_map(
        params![
            filter.environment,
            filter.q,
            filter.actor,
            filter.entity,
            filter.since,
            filter.below,
            i64::try_from(filter.limit).unwrap_or(i64::MAX),
            filter.site,
            filter.actor_id,
            filter.action,
            filter.until,
            filter.about,
        ],
        |row| {
            let payload: String = row.get(8)?;
            let entity: String = row.get(4)?;
            Ok(AuditEntry {
                number: row.get(0)?,
                at: row.get(1)?,
                actor: row.get(2)?,
                address: row.get(3)?,
                differences: crate::engine::diff::recorded(&payload),
                entity,
                entity_key: row.get(5)?,
                action: row.get(6)?,
                summary: row.get(7)?,
                site: row.get(9)?,
                environment: row.get(10)?,
                entity_id: row.get(11)?,
            })
        },
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Everybody who ever changed something, by name.
pub fn actors(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT DISTINCT actor FROM changes ORDER BY actor LIMIT 200")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
