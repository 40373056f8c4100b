//! Table `mails`: mail to be sent, or kept for admins where no SMTP server is configured.

use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use crate::clock::Millis;
use crate::error::Result;

/// A mail as admins see it.
#[derive(Clone, Debug)]
pub struct Mail {
    pub id: i64,
    pub uuid: String,
    pub recipient: String,
    pub subject: String,
    /// Empty once it was sent: codes and links are not kept longer than needed.
    pub body: String,
    pub created_at: Millis,
    pub due_at: Millis,
    pub attempts: u32,
    pub sent_at: Option<Millis>,
    pub error: Option<String>,
}

/// Due never: given up.
pub const NEVER: Millis = Millis::MAX;

const COLUMNS: &str = "id, uuid, recipient, subject, body, created_at, due_at, attempts, sent_at, error";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Mail> {
    Ok(Mail {
        id: row.get(0)?,
        uuid: row.get(1)?,
        recipient: row.get(2)?,
        subject: row.get(3)?,
        body: row.get(4)?,
        created_at: row.get(5)?,
        due_at: row.get(6)?,
        attempts: row.get(7)?,
        sent_at: row.get(8)?,
        error: row.get(9)?,
    })
}

/// Adds a mail, due at once.
pub fn insert(conn: &Connection, recipient: &str, subject: &str, body: &str, now: Millis) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO mails (uuid, recipient, subject, body, created_at, due_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
    )?
    .execute((Uuid::now_v7().to_string(), recipient, subject, body, now))?;
    Ok(())
}

/// Whether a mail may be due; cheap.
pub fn is_due(conn: &Connection, now: Millis) -> Result<bool> {
    let mut statement =
        conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM mails WHERE sent_at IS NULL AND due_at <= ?1)")?;
    Ok(statement.query_row([now], |row| row.get(0))?)
}

/// Takes the mail that is due longest, for as long as the lease: who dies with it gives it back.
pub fn claim(conn: &Connection, now: Millis, lease: Millis) -> Result<Option<Mail>> {
    let mut statement = conn.prepare_cached(&format!(
        "UPDATE mails SET due_at = ?1 + ?2, attempts = attempts + 1
          WHERE id = (SELECT id FROM mails WHERE sent_at IS NULL AND due_at <= ?1 ORDER BY due_at, id LIMIT 1)
         RETURNING {COLUMNS}"
    ))?;
    Ok(statement.query_row((now, lease), from_row).optional()?)
}

/// Notes that a mail went out, and forgets what it said.
pub fn sent(conn: &Connection, id: i64, now: Millis) -> Result<()> {
    conn.prepare_cached("UPDATE mails SET sent_at = ?2, error = NULL, body = '' WHERE id = ?1")?
        .execute((id, now))?;
    Ok(())
}

/// Notes why a mail did not go out, and when to try again ([`NEVER`]: not any more).
pub fn failed(conn: &Connection, id: i64, error: &str, due_at: Millis) -> Result<()> {
    conn.prepare_cached("UPDATE mails SET error = ?2, due_at = ?3 WHERE id = ?1")?
        .execute((id, error, due_at))?;
    Ok(())
}

/// Makes a mail that was not sent due now. False when there is none.
pub fn retry(conn: &Connection, uuid: &str, now: Millis) -> Result<bool> {
    let changed = conn
        .prepare_cached("UPDATE mails SET due_at = ?2, attempts = 0 WHERE uuid = ?1 AND sent_at IS NULL")?
        .execute((uuid, now))?;
    Ok(changed > 0)
}

/// Deletes a mail. False when there is none.
pub fn delete(conn: &Connection, uuid: &str) -> Result<bool> {
    Ok(conn.prepare_cached("DELETE FROM mails WHERE uuid = ?1")?.execute([uuid])? > 0)
}

/// The newest mails: those not sent first.
pub fn list(conn: &Connection, limit: u32) -> Result<Vec<Mail>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM mails ORDER BY sent_at IS NOT NULL, id DESC LIMIT ?1"
    ))?;
    let rows = statement.query_map([limit], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Deletes mails older than this.
pub fn prune(conn: &Connection, before: Millis) -> Result<()> {
    conn.execute("DELETE FROM mails WHERE created_at < ?1", [before])?;
    Ok(())
}
