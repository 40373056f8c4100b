//! Tables `sessions`, `sign_in_failures` and `links`.

use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use crate::clock::Millis;
use crate::engine::permission::Role;
use crate::error::Result;
use crate::ids::UserId;
use crate::store::counters;
use crate::store::tokens::Hash;

/// A session ends after this long without a request: 7 days.
pub const IDLE: Millis = 7 * 24 * 3600 * 1000;
/// A session ends after this long in any case: 30 days.
pub const ABSOLUTE: Millis = 30 * 24 * 3600 * 1000;

/// A signed-in browser with whose it is.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: i64,
    pub uuid: String,
    pub user: UserId,
    pub confirmed: bool,
    pub created_at: Millis,
    pub last_seen_at: Millis,
    pub address: String,
    pub user_agent: String,
    pub user_uuid: String,
    pub username: String,
    pub email: String,
    pub role: Role,
    pub two_factor: String,
    pub user_created_at: Millis,
    pub theme: String,
    pub dense: bool,
    pub single_keys: bool,
}

const SELECT: &str = "SELECT s.id, s.uuid, s.user_id, s.confirmed, s.created_at, s.last_seen_at, s.address,
                             s.user_agent, u.uuid, u.username, u.email, u.role, u.two_factor, u.created_at,
                             coalesce(p.theme, 'system'), coalesce(p.dense, 0), coalesce(p.single_keys, 1)
                        FROM sessions s JOIN users u ON u.id = s.user_id AND u.active
                             LEFT JOIN preferences p ON p.user_id = u.id";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Session> {
    let role: String = row.get(11)?;
    Ok(Session {
        id: row.get(0)?,
        uuid: row.get(1)?,
        user: row.get(2)?,
        confirmed: row.get(3)?,
        created_at: row.get(4)?,
        last_seen_at: row.get(5)?,
        address: row.get(6)?,
        user_agent: row.get(7)?,
        user_uuid: row.get(8)?,
        username: row.get(9)?,
        email: row.get(10)?,
        role: Role::parse(&role).unwrap_or(Role::Viewer),
        two_factor: row.get(12)?,
        user_created_at: row.get(13)?,
        theme: row.get(14)?,
        dense: row.get(15)?,
        single_keys: row.get(16)?,
    })
}

/// The session of a cookie, unless it has ended or its user is not active.
pub fn find(conn: &Connection, hash: &Hash, now: Millis) -> Result<Option<Session>> {
    let session = conn
        .prepare_cached(&format!("{SELECT} WHERE s.hash = ?1 AND s.last_seen_at > ?2 AND s.created_at > ?3"))?
        .query_row((hash, now - IDLE, now - ABSOLUTE), from_row)
        .optional()?;
    Ok(session)
}

/// The living sessions of a user, the most recent first.
pub fn list(conn: &Connection, user: UserId, now: Millis) -> Result<Vec<Session>> {
    let mut statement = conn.prepare_cached(&format!(
        "{SELECT} WHERE s.user_id = ?1 AND s.last_seen_at > ?2 AND s.created_at > ?3 ORDER BY s.last_seen_at DESC"
    ))?;
    let rows = statement.query_map((user, now - IDLE, now - ABSOLUTE), from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn insert(
    conn: &Connection,
    user: UserId,
    hash: &Hash,
    confirmed: bool,
    address: &str,
    user_agent: &str,
    now: Millis,
) -> Result<()> {
    // A request may come to its end long after the session that it began with.
    let id = counters::next_id(conn, "sessions")?;
    conn.prepare_cached(
        "INSERT INTO sessions (id, uuid, user_id, hash, confirmed, created_at, last_seen_at, address, user_agent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8)",
    )?
    .execute((id, Uuid::now_v7().to_string(), user, hash, confirmed, now, address, user_agent))?;
    Ok(())
}

/// Notes that a session is alive.
pub fn touch(conn: &Connection, id: i64, now: Millis) -> Result<()> {
    conn.prepare_cached("UPDATE sessions SET last_seen_at = ?2 WHERE id = ?1")?.execute((id, now))?;
    Ok(())
}

/// The second factor was given; false when the session has ended.
pub fn confirm(conn: &Connection, session: &Session) -> Result<bool> {
    let confirmed = conn
        .prepare_cached("UPDATE sessions SET confirmed = 1 WHERE id = ?1 AND uuid = ?2")?
        .execute((session.id, &session.uuid))?;
    Ok(confirmed > 0)
}

pub fn delete(conn: &Connection, id: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Ends one session of a user by its id; false when there is none.
pub fn delete_of(conn: &Connection, user: UserId, uuid: &str) -> Result<bool> {
    let deleted = conn
        .prepare_cached("DELETE FROM sessions WHERE user_id = ?1 AND uuid = ?2")?
        .execute((user, uuid))?;
    Ok(deleted > 0)
}

/// Ends every session of a user, but for one where it is given.
pub fn delete_all(conn: &Connection, user: UserId, but: Option<i64>) -> Result<()> {
    conn.prepare_cached("DELETE FROM sessions WHERE user_id = ?1 AND id IS NOT ?2")?.execute((user, but))?;
    Ok(())
}

/// Until when attempts of this subject are refused; 0 when they are not.
pub fn blocked_to(conn: &Connection, subject: &str) -> Result<Millis> {
    let until = conn
        .prepare_cached("SELECT blocked_to FROM sign_in_failures WHERE subject = ?1")?
        .query_row([subject], |row| row.get(0))
        .optional()?;
    Ok(until.unwrap_or(0))
}

/// Counts a failed sign-in and gives how many there were of late. What lies further back than `window` is
/// forgotten.
pub fn count_failure(conn: &Connection, subject: &str, window: Millis, now: Millis) -> Result<u32> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO sign_in_failures (subject, failures, blocked_to, last_at) VALUES (?1, 1, 0, ?2)
         ON CONFLICT (subject) DO UPDATE
            SET failures = iif(last_at < ?2 - ?3, 1, failures + 1), last_at = ?2
         RETURNING failures",
    )?;
    Ok(statement.query_row((subject, now, window), |row| row.get(0))?)
}

/// Refuses attempts of this subject until then.
pub fn block(conn: &Connection, subject: &str, until: Millis) -> Result<()> {
    conn.prepare_cached("UPDATE sign_in_failures SET blocked_to = ?2 WHERE subject = ?1")?
        .execute((subject, until))?;
    Ok(())
}

/// Forgets the failures of a subject.
pub fn forgive(conn: &Connection, subject: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM sign_in_failures WHERE subject = ?1")?.execute([subject])?;
    Ok(())
}

/// Deletes sessions that have ended and failures nobody counts any more.
pub fn prune(conn: &Connection, now: Millis) -> Result<()> {
    conn.execute(
        "DELETE FROM sessions WHERE last_seen_at <= ?1 OR created_at <= ?2",
        (now - IDLE, now - ABSOLUTE),
    )?;
    conn.execute("DELETE FROM trusted_devices WHERE expires_at <= ?1", [now])?;
    conn.execute("DELETE FROM links WHERE expires_at <= ?1", [now])?;
    conn.execute("DELETE FROM sign_in_failures WHERE last_at <= ?1", [now - 24 * 3600 * 1000])?;
    Ok(())
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Setup,
    Reset,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Reset => "reset",
        }
    }
}

/// Stores a link; earlier ones of the same purpose and user stop working.
pub fn put_link(
    conn: &Connection,
    hash: &Hash,
    purpose: Purpose,
    user: Option<UserId>,
    expires_at: Millis,
) -> Result<()> {
    conn.execute("DELETE FROM links WHERE purpose = ?1 AND user_id IS ?2", (purpose.as_str(), user))?;
    conn.execute(
        "INSERT INTO links (hash, purpose, user_id, expires_at) VALUES (?1, ?2, ?3, ?4)",
        (hash, purpose.as_str(), user, expires_at),
    )?;
    Ok(())
}

/// Whose a link is; `None` when it is unknown or expired.
pub fn find_link(
    conn: &Connection,
    hash: &Hash,
    purpose: Purpose,
    now: Millis,
) -> Result<Option<Option<UserId>>> {
    let found = conn
        .prepare_cached("SELECT user_id FROM links WHERE hash = ?1 AND purpose = ?2 AND expires_at > ?3")?
        .query_row((hash, purpose.as_str(), now), |row| row.get(0))
        .optional()?;
    Ok(found)
}

/// Uses a link up.
pub fn delete_link(conn: &Connection, hash: &Hash) -> Result<()> {
    conn.execute("DELETE FROM links WHERE hash = ?1", [hash])?;
    Ok(())
}

/// Makes every link of a user stop working.
pub fn delete_links_of(conn: &Connection, user: UserId) -> Result<()> {
    conn.prepare_cached("DELETE FROM links WHERE user_id = ?1")?.execute([user])?;
    Ok(())
}

/// Whether a user has a link for a new password that ends within this span.
pub fn has_link_within(conn: &Connection, user: UserId, span: (Millis, Millis)) -> Result<bool> {
    let mut statement = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM links WHERE user_id = ?1 AND purpose = 'reset'
                  AND expires_at > ?2 AND expires_at <= ?3)",
    )?;
    Ok(statement.query_row((user, span.0, span.1), |row| row.get(0))?)
}
