//! Table `gdpr_requests`, and the search for a person through every table.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::found;
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

/// Notes that a request is done, with its sealed file where it has one.
pub fn complete(
    conn: &Connection,
    id: i64,
    export: Option<&[u8]>,
    note: Option<&str>,
    now: Millis,
) -> Result<()> {
    conn.prepare_cached(
        "UPDATE gdpr_requests SET status = 'completed', completed_at = ?2, export = ?3, error = ?4 WHERE id = ?1",
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

/// Deletes rows that cannot be kept without saying of whom they are: failed sign-ins, mail, logs of webhooks.
pub fn delete_mentions(conn: &Connection, email: &str, names: &[String], addresses: &[String]) -> Result<()> {
    conn.execute("DELETE FROM mails WHERE lower(recipient) = lower(?1)", [email])?;
    for name in names {
        conn.execute(
            "DELETE FROM sign_in_failures WHERE subject = 'user:' || lower(?1) OR subject = 'user:' || ?1",
            [name],
        )?;
        conn.execute(
            "DELETE FROM deliveries
              WHERE instr(lower(request_body || char(10) || response_body || char(10) || response_headers
                                || char(10) || coalesce(error, '')), lower(?1)) > 0",
            [name],
        )?;
    }
    for address in addresses {
        conn.execute(
            "DELETE FROM sign_in_failures WHERE subject IN ('address:' || ?1, 'mail:' || ?1)",
            [address],
        )?;
    }
    Ok(())
}

/// Keys of stored Contexts that are a name, in any case.
pub fn context_keys(conn: &Connection, name: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare("SELECT DISTINCT key FROM contexts WHERE lower(key) = lower(?1)")?;
    let rows = statement.query_map([name], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
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

/// Runs `clean` over every text of every table but the audit trail's, where a needle stands in it. Gives the names
/// of the tables that changed. Tables that come later are found by themselves.
pub fn clean_everywhere(
    conn: &Connection,
    needles: &[String],
    clean: &dyn Fn(&str, &str) -> Option<String>,
) -> Result<Vec<String>> {
    // Keys that others refer to change on both sides before the transaction ends.
    conn.execute_batch("PRAGMA defer_foreign_keys = ON")?;
    let mut changed = Vec::new();
    for (table, column) in text_columns(conn)? {
        let mut texts: Vec<String> = Vec::new();
        for needle in needles {
            let mut find = conn.prepare(&format!(
                "SELECT DISTINCT \"{column}\" FROM \"{table}\"
                  WHERE typeof(\"{column}\") = 'text' AND instr(lower(\"{column}\"), lower(?1)) > 0"
            ))?;
            let rows = find.query_map([needle], |row| row.get(0))?;
            texts.extend(rows.collect::<rusqlite::Result<Vec<String>>>()?);
        }
        texts.sort_unstable();
        texts.dedup();
        for text in texts {
            let Some(cleaned) = clean(&column, &text) else { continue };
            conn.execute(
                &format!("UPDATE OR REPLACE \"{table}\" SET \"{column}\" = ?2 WHERE \"{column}\" = ?1"),
                (&text, &cleaned),
            )?;
            changed.push(table.clone());
        }
    }
    changed.dedup();
    Ok(changed)
}

fn text_columns(conn: &Connection) -> Result<Vec<(String, String)>> {
    let mut statement = conn.prepare(
        "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_xinfo(t.name) c
          WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'changes'
            AND upper(c.type) IN ('TEXT', 'ANY') AND c.hidden = 0
          ORDER BY t.name, c.cid",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Rewrites the whole file so that nothing of what was deleted is left in it, and empties the WAL. False when
/// somebody reads at the moment; to be tried again.
pub fn scrub(conn: &Connection) -> Result<bool> {
    conn.execute_batch("VACUUM")?;
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}
