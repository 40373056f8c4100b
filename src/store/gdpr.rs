//! Table `gdpr_requests`, and the search for a person through every table.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;
use uuid::Uuid;

use super::found;
use super::users::User;
use crate::clock::Millis;
use crate::error::Result;
use crate::ids::UserId;

/// What somebody asks for (GDPR articles 15, 20 and 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = GdprRequestType)]
pub enum Kind {
    /// To see their data.
    Access,
    /// To take it elsewhere.
    Portability,
    /// To be forgotten.
    Erasure,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Access, Self::Portability, Self::Erasure];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Portability => "portability",
            Self::Erasure => "erasure",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = GdprRequestStatus)]
pub enum Status {
    Pending,
    Completed,
    Failed,
}

impl Status {
    fn parse(text: &str) -> Self {
        match text {
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            _ => Self::Pending,
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    pub id: i64,
    pub uuid: String,
    pub kind: Kind,
    pub user_uuid: String,
    pub user_name: String,
    pub notes: String,
    pub status: Status,
    pub error: Option<String>,
    pub requested_by: String,
    pub created_at: Millis,
    pub due_at: Millis,
    pub completed_at: Option<Millis>,
    pub attempts: u32,
    /// Whether there is a file to download.
    pub has_export: bool,
}

const SELECT: &str =
    "SELECT id, uuid, type, user_uuid, user_name, notes, status, error, requested_by, created_at, due_at,
            completed_at, attempts, export IS NOT NULL FROM gdpr_requests";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Request> {
    let kind: String = row.get(2)?;
    let status: String = row.get(6)?;
    Ok(Request {
        id: row.get(0)?,
        uuid: row.get(1)?,
        kind: Kind::parse(&kind).unwrap_or(Kind::Access),
        user_uuid: row.get(3)?,
        user_name: row.get(4)?,
        notes: row.get(5)?,
        status: Status::parse(&status),
        error: row.get(7)?,
        requested_by: row.get(8)?,
        created_at: row.get(9)?,
        due_at: row.get(10)?,
        completed_at: row.get(11)?,
        attempts: row.get(12)?,
        has_export: row.get(13)?,
    })
}

/// The request with this id.
pub fn find(conn: &Connection, uuid: &str) -> Result<Request> {
    let row = conn.prepare_cached(&format!("{SELECT} WHERE uuid = ?1"))?.query_row([uuid], from_row);
    found(row, || format!("GDPR request {uuid}"))
}

/// Every request, newest first; those of one person where they are named.
pub fn list(conn: &Connection, user: Option<&str>) -> Result<Vec<Request>> {
    let mut statement = conn.prepare_cached(&format!(
        "{SELECT} WHERE ?1 IS NULL OR user_uuid = ?1 ORDER BY id DESC LIMIT 10000"
    ))?;
    let rows = statement.query_map([user], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A request to be made.
pub struct New<'a> {
    pub kind: Kind,
    pub user_uuid: &'a str,
    pub user_name: &'a str,
    pub notes: &'a str,
    pub requested_by: &'a str,
    pub due_at: Millis,
}

/// Inserts a request that the job takes at once.
pub fn insert(conn: &Connection, new: &New<'_>, now: Millis) -> Result<Request> {
    let uuid = Uuid::now_v7().to_string();
    conn.prepare_cached(
        "INSERT INTO gdpr_requests (uuid, type, user_uuid, user_name, notes, status, requested_by, created_at, due_at, run_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6, ?7, ?8, ?7)",
    )?
    .execute(params![
        uuid,
        new.kind.as_str(),
        new.user_uuid,
        new.user_name,
        new.notes,
        new.requested_by,
        now,
        new.due_at,
    ])?;
    find(conn, &uuid)
}

pub fn delete(conn: &Connection, uuid: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM gdpr_requests WHERE uuid = ?1")?.execute([uuid])?;
    Ok(())
}

/// Whether a request waits; cheap.
pub fn is_due(conn: &Connection, now: Millis) -> Result<bool> {
    let mut statement = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM gdpr_requests WHERE status = 'pending' AND run_at <= ?1)",
    )?;
    Ok(statement.query_row([now], |row| row.get(0))?)
}

/// Takes the request that waits longest, for as long as the lease: who dies with it gives it back.
pub fn claim(conn: &Connection, now: Millis, lease: Millis) -> Result<Option<Request>> {
    let uuid: Option<String> = conn
        .prepare_cached(
            "UPDATE gdpr_requests SET run_at = ?1 + ?2, attempts = attempts + 1
              WHERE id = (SELECT id FROM gdpr_requests WHERE status = 'pending' AND run_at <= ?1
                          ORDER BY run_at, id LIMIT 1)
             RETURNING uuid",
        )?
        .query_row((now, lease), |row| row.get(0))
        .optional()?;
    uuid.map(|uuid| find(conn, &uuid)).transpose()
}

/// Notes that a request is done, with its sealed file where it has one. Done again, it keeps its time.
pub fn complete(
    conn: &Connection,
    id: i64,
    export: Option<&[u8]>,
    note: Option<&str>,
    now: Millis,
) -> Result<()> {
    conn.prepare_cached(
        "UPDATE gdpr_requests
            SET status = 'completed', completed_at = coalesce(completed_at, ?2), export = ?3, error = ?4
          WHERE id = ?1",
    )?
    .execute((id, now, export, note))?;
    Ok(())
}

/// Notes why a request was not done; `again`: when it is tried again.
pub fn fail(conn: &Connection, id: i64, error: &str, again: Option<Millis>) -> Result<()> {
    conn.prepare_cached(
        "UPDATE gdpr_requests
            SET error = ?2, status = CASE WHEN ?3 IS NULL THEN 'failed' ELSE status END, run_at = coalesce(?3, run_at)
          WHERE id = ?1",
    )?
    .execute((id, error, again))?;
    Ok(())
}

/// The sealed file of a request.
pub fn export(conn: &Connection, uuid: &str) -> Result<Option<Vec<u8>>> {
    let mut statement = conn.prepare_cached("SELECT export FROM gdpr_requests WHERE uuid = ?1")?;
    Ok(statement.query_row([uuid], |row| row.get(0)).optional()?.flatten())
}

/// Deletes the files of requests that were completed before this.
pub fn prune_exports(conn: &Connection, before: Millis) -> Result<()> {
    conn.execute(
        "UPDATE gdpr_requests SET export = NULL WHERE export IS NOT NULL AND completed_at < ?1",
        [before],
    )?;
    Ok(())
}

/// Deletes every file that could quote a person, and has those of people who are still there collected again.
pub fn collect_again(conn: &Connection, now: Millis) -> Result<()> {
    conn.execute(
        "UPDATE gdpr_requests SET export = NULL, status = 'pending', attempts = 0, run_at = ?1
          WHERE export IS NOT NULL AND user_uuid IN (SELECT uuid FROM users)",
        [now],
    )?;
    conn.execute("UPDATE gdpr_requests SET export = NULL WHERE export IS NOT NULL", [])?;
    Ok(())
}

/// What somebody is called, and was before.
#[derive(Debug, Default)]
pub struct Identity {
    pub names: Vec<String>,
    pub emails: Vec<String>,
    /// Those of them that another account has by now, in small letters.
    pub taken: HashSet<String>,
}

impl Identity {
    /// Those of these that mean nobody else.
    pub fn certain<'a>(&'a self, called: &'a [String]) -> impl Iterator<Item = &'a str> {
        called.iter().map(String::as_str).filter(|one| !self.taken.contains(&one.to_lowercase()))
    }
}

/// What a person is called, and what their account and the audit trail tell of before.
pub fn identity(conn: &Connection, user: &User) -> Result<Identity> {
    let mut names = vec![user.username.clone()];
    let mut statement = conn.prepare(
        "SELECT actor FROM changes WHERE actor_kind = 'user' AND actor_id = ?1
         UNION SELECT entity_key FROM changes WHERE entity = 'user' AND entity_id = ?1
         UNION SELECT user_name FROM gdpr_requests WHERE user_uuid = ?1",
    )?;
    names.extend(
        statement.query_map([&user.uuid], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?,
    );
    let mut emails = vec![user.email.clone()];
    let mut statement =
        conn.prepare("SELECT payload FROM changes WHERE entity = 'user' AND entity_id = ?1")?;
    let mut rows = statement.query([&user.uuid])?;
    while let Some(row) = rows.next()? {
        let payload: Value = serde_json::from_str(&row.get::<_, String>(0)?).unwrap_or_default();
        for side in [&payload["before"], &payload["after"]] {
            names.extend(side["username"].as_str().map(str::to_owned));
            emails.extend(side["email"].as_str().map(str::to_owned));
        }
    }
    for called in [&mut names, &mut emails] {
        called.retain(|one| !one.is_empty());
        called.sort_unstable();
        called.dedup();
    }
    let mut statement = conn.prepare("SELECT username, email FROM users WHERE id <> ?1")?;
    let mut rows = statement.query([user.id])?;
    let mut taken = HashSet::new();
    while let Some(row) = rows.next()? {
        taken.extend([row.get::<_, String>(0)?.to_lowercase(), row.get::<_, String>(1)?.to_lowercase()]);
    }
    taken.retain(|other| names.iter().chain(&emails).any(|one| one.to_lowercase() == *other));
    Ok(Identity { names, emails, taken })
}

/// Deletes what is a person's alone, and makes their row one that says nothing of them.
pub fn anonymise_user(conn: &Connection, id: UserId, uuid: &str, alias: &str, email: &str) -> Result<()> {
    for table in [
        "sessions",
        "trusted_devices",
        "backup_codes",
        "email_codes",
        "links",
        "totp_steps",
        "preferences",
        "personal_tokens",
    ] {
        conn.execute(&format!("DELETE FROM {table} WHERE user_id = ?1"), [id])?;
    }
    conn.execute(
        "UPDATE users
            SET username = ?2, email = ?3, password = '', active = 0, role = 'viewer', two_factor = 'none',
                totp_seed = NULL, last_login_at = NULL
          WHERE id = ?1",
        (id, alias, email),
    )?;
    conn.execute(
        "UPDATE gdpr_requests SET user_name = ?2, export = NULL WHERE user_uuid = ?1",
        (uuid, alias),
    )?;
    Ok(())
}

/// The new text of a column where it names the person; the last says whether the row is theirs or about them.
pub type Clean<'a> = dyn Fn(&str, &str, bool) -> Option<String> + 'a;

/// Deletes rows that cannot be kept without saying of whom they are: failed sign-ins, mail, logs of webhooks.
pub fn delete_mentions(
    conn: &Connection,
    person: &str,
    identity: &Identity,
    addresses: &[String],
    clean: &Clean<'_>,
) -> Result<()> {
    for email in identity.certain(&identity.emails) {
        conn.execute("DELETE FROM mails WHERE lower(recipient) = lower(?1)", [email])?;
    }
    for name in identity.certain(&identity.names).chain(identity.certain(&identity.emails)) {
        conn.execute(
            "DELETE FROM sign_in_failures WHERE subject IN ('user:' || ?1, 'user:' || ?2)",
            [name, &name.to_lowercase()],
        )?;
    }
    for address in addresses {
        conn.execute(
            "DELETE FROM sign_in_failures WHERE subject IN ('address:' || ?1, 'mail:' || ?1)",
            [address],
        )?;
    }
    let mut statement = conn.prepare(
        "SELECT id, request_body, response_body, response_headers, coalesce(error, ''),
                EXISTS (SELECT 1 FROM changes WHERE number = change_number AND actor_id = ?1)
           FROM deliveries",
    )?;
    let mut rows = statement.query([person])?;
    let mut theirs: Vec<i64> = Vec::new();
    while let Some(row) = rows.next()? {
        let mut names: bool = row.get(5)?;
        for index in 1..5 {
            let text: String = row.get(index)?;
            names =
                names || clean("summary", &text, false).is_some() || clean("payload", &text, false).is_some();
        }
        if names {
            theirs.push(row.get(0)?);
        }
    }
    drop(rows);
    for id in theirs {
        conn.execute("DELETE FROM deliveries WHERE id = ?1", [id])?;
    }
    Ok(())
}

/// Keys of stored Contexts that are a name, in any case.
pub fn context_keys(conn: &Connection, name: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare("SELECT DISTINCT key FROM contexts")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let name = name.to_lowercase();
    Ok(rows
        .filter(|key| key.as_ref().is_ok_and(|key| key.to_lowercase() == name))
        .collect::<rusqlite::Result<_>>()?)
}

/// Where a person came from.
pub fn addresses(conn: &Connection, id: UserId, uuid: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare(
        "SELECT address FROM sessions WHERE user_id = ?1
         UNION SELECT address FROM changes WHERE actor_id = ?2 AND address IS NOT NULL",
    )?;
    let rows = statement.query_map((id, uuid), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Columns that hold the name of whoever did something.
pub const PEOPLE: &[&str] =
    &["actor", "created_by", "updated_by", "deleted_by", "requested_by", "user_name", "username"];

/// What [`Clean`] is told for a column whose text may be their name as a whole, and is no prose.
pub const WHOSE: &str = "whose";

/// Runs `clean` over every text of every table but the audit trail's that the person is found in. Tables that come
/// later are found by themselves.
pub fn clean_everywhere(
    conn: &Connection,
    user: &User,
    names: &[&str],
    finds: &dyn Fn(&str) -> bool,
    clean: &Clean<'_>,
) -> Result<()> {
    // Keys that others refer to change on both sides before the transaction ends.
    conn.execute_batch("PRAGMA defer_foreign_keys = ON")?;
    for table in tables(conn)? {
        let theirs = theirs(&table, user, names);
        // Last the columns that tell whose a row is.
        let (people, others): (Vec<_>, Vec<_>) =
            table.texts.iter().partition(|column| PEOPLE.contains(&column.as_str()));
        for column in others.into_iter().chain(people) {
            let name = &table.name;
            let mut find = conn.prepare(&format!(
                "SELECT DISTINCT \"{column}\", {theirs} FROM \"{name}\" WHERE typeof(\"{column}\") = 'text'"
            ))?;
            let mut update = conn.prepare(&format!(
                "UPDATE OR REPLACE \"{name}\" SET \"{column}\" = ?2 WHERE \"{column}\" = ?1 AND {theirs} = ?3"
            ))?;
            let mut rows = find.query([])?;
            let mut cleaned = Vec::new();
            while let Some(row) = rows.next()? {
                let text = row.get_ref(0)?.as_str().unwrap_or_default();
                let theirs: bool = row.get(1)?;
                if finds(text)
                    && let Some(new) = clean(column, text, theirs)
                {
                    cleaned.push((text.to_owned(), new, theirs));
                }
            }
            drop(rows);
            for row in cleaned {
                update.execute(row)?;
            }
        }
    }
    Ok(())
}

struct Table {
    name: String,
    columns: Vec<String>,
    /// Columns of text.
    texts: Vec<String>,
}

/// An expression that is 1 in rows that are a person's, or that they changed last, and else 0.
fn theirs(table: &Table, user: &User, names: &[&str]) -> String {
    let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let names: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let mut tests: Vec<String> = Vec::new();
    for column in &table.columns {
        match column.as_str() {
            "owner_id" | "user_id" => tests.push(format!("\"{column}\" IS {}", user.id.0)),
            "user_uuid" => tests.push(format!("\"{column}\" IS {}", quote(&user.uuid))),
            _ if PEOPLE.contains(&column.as_str()) => {
                tests.push(format!("coalesce(\"{column}\" IN ({}), 0)", names.join(", ")));
            }
            _ => {}
        }
    }
    if tests.is_empty() { "0".into() } else { format!("({})", tests.join(" OR ")) }
}

fn tables(conn: &Connection) -> Result<Vec<Table>> {
    let mut statement = conn.prepare(
        "SELECT t.name, c.name, upper(c.type) IN ('TEXT', 'ANY') FROM sqlite_schema t JOIN pragma_table_xinfo(t.name) c
          WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'changes' AND c.hidden = 0
          ORDER BY t.name, c.cid",
    )?;
    let mut rows = statement.query([])?;
    let mut tables: Vec<Table> = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, column): (String, String) = (row.get(0)?, row.get(1)?);
        if tables.last().is_none_or(|table| table.name != name) {
            tables.push(Table { name, columns: Vec::new(), texts: Vec::new() });
        }
        if let Some(table) = tables.last_mut() {
            if row.get(2)? {
                table.texts.push(column.clone());
            }
            table.columns.push(column);
        }
    }
    Ok(tables)
}

/// Rewrites the whole file so that nothing of what was deleted is left in it, and empties the WAL. False when
/// somebody reads at the moment; to be tried again.
pub fn scrub(conn: &Connection) -> Result<bool> {
    conn.execute_batch("VACUUM")?;
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}
