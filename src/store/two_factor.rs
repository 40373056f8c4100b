//! Tables `trusted_devices`, `backup_codes`, `email_codes` and `totp_steps`, and the seeds in `users`.

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use crate::clock::Millis;
use crate::error::Result;
use crate::ids::UserId;
use crate::store::tokens::Hash;

/// How long a browser is trusted: 30 days.
pub const TRUST: Millis = 30 * 24 * 3600 * 1000;
/// How long a mailed code works: 10 minutes.
pub const EMAIL_CODE: Millis = 10 * 60 * 1000;
/// Tries at one mailed code.
pub const EMAIL_TRIES: u32 = 5;

/// Whether a browser is trusted by this user; notes that it was used.
pub fn use_device(conn: &Connection, user: UserId, hash: &Hash, now: Millis) -> Result<bool> {
    let used = conn
        .prepare_cached(
            "UPDATE trusted_devices SET last_used_at = ?3 WHERE user_id = ?1 AND hash = ?2 AND expires_at > ?3",
        )?
        .execute((user, hash, now))?;
    Ok(used > 0)
}

/// A browser that skips the second factor.
#[derive(Clone, Debug)]
pub struct Device {
    pub uuid: String,
    pub created_at: Millis,
    pub last_used_at: Millis,
    pub expires_at: Millis,
    pub user_agent: String,
    pub hash: Hash,
}

/// Trusts a browser.
pub fn insert_device(
    conn: &Connection,
    user: UserId,
    hash: &Hash,
    user_agent: &str,
    now: Millis,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO trusted_devices (uuid, user_id, hash, created_at, last_used_at, expires_at, user_agent)
         VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)",
    )?
    .execute((Uuid::now_v7().to_string(), user, hash, now, now + TRUST, user_agent))?;
    Ok(())
}

/// The browsers a user trusts, the one used last first.
pub fn devices(conn: &Connection, user: UserId, now: Millis) -> Result<Vec<Device>> {
    let mut statement = conn.prepare_cached(
        "SELECT uuid, created_at, last_used_at, expires_at, user_agent, hash
           FROM trusted_devices WHERE user_id = ?1 AND expires_at > ?2 ORDER BY last_used_at DESC, id DESC",
    )?;
    let rows = statement.query_map((user, now), |row| {
        Ok(Device {
            uuid: row.get(0)?,
            created_at: row.get(1)?,
            last_used_at: row.get(2)?,
            expires_at: row.get(3)?,
            user_agent: row.get(4)?,
            hash: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Trusts a browser no more; false when it was not.
pub fn delete_device(conn: &Connection, user: UserId, uuid: &str) -> Result<bool> {
    Ok(conn
        .prepare_cached("DELETE FROM trusted_devices WHERE user_id = ?1 AND uuid = ?2")?
        .execute((user, uuid))?
        > 0)
}

/// Trusts no browser of this user any more.
pub fn delete_devices(conn: &Connection, user: UserId) -> Result<()> {
    conn.prepare_cached("DELETE FROM trusted_devices WHERE user_id = ?1")?.execute([user])?;
    Ok(())
}

/// The sealed seed of a user's authenticator app: in use, or waiting for its first code.
pub fn seed(conn: &Connection, user: UserId) -> Result<Option<Vec<u8>>> {
    Ok(conn
        .prepare_cached("SELECT totp_seed FROM users WHERE id = ?1")?
        .query_row([user], |row| row.get(0))
        .optional()?
        .flatten())
}

/// Stores a sealed seed that waits for its first code, unless an app is in use already. False then.
pub fn put_seed(conn: &Connection, user: UserId, sealed: &[u8]) -> Result<bool> {
    Ok(conn
        .prepare_cached("UPDATE users SET totp_seed = ?2 WHERE id = ?1 AND two_factor <> 'totp'")?
        .execute((user, sealed))?
        > 0)
}

/// Drops a seed that waits for its first code.
pub fn drop_pending_seed(conn: &Connection, user: UserId) -> Result<()> {
    conn.prepare_cached("UPDATE users SET totp_seed = NULL WHERE id = ?1 AND two_factor <> 'totp'")?
        .execute([user])?;
    Ok(())
}

/// Sets which second factor a user has: `totp` or `email`.
pub fn set_kind(conn: &Connection, user: UserId, kind: &str) -> Result<()> {
    conn.prepare_cached("UPDATE users SET two_factor = ?2 WHERE id = ?1")?.execute((user, kind))?;
    Ok(())
}

/// Sealed seeds with the user's UUID, to see whether they open.
pub fn seeds(conn: &Connection) -> Result<Vec<(String, Vec<u8>)>> {
    let mut statement =
        conn.prepare_cached("SELECT uuid, totp_seed FROM users WHERE totp_seed IS NOT NULL")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Uses a time step up: true for one caller alone, and only when no later step was used.
pub fn use_step(conn: &Connection, user: UserId, step: u64) -> Result<bool> {
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let used = conn
        .prepare_cached(
            "INSERT INTO totp_steps (user_id, step) VALUES (?1, ?2)
             ON CONFLICT (user_id) DO UPDATE SET step = excluded.step WHERE excluded.step > totp_steps.step",
        )?
        .execute((user, step))?;
    Ok(used > 0)
}

/// Replaces a user's backup codes.
pub fn put_backup_codes(conn: &Connection, user: UserId, hashes: &[Hash]) -> Result<()> {
    conn.prepare_cached("DELETE FROM backup_codes WHERE user_id = ?1")?.execute([user])?;
    let mut insert = conn.prepare_cached("INSERT INTO backup_codes (user_id, hash) VALUES (?1, ?2)")?;
    for hash in hashes {
        insert.execute((user, hash))?;
    }
    Ok(())
}

/// Uses a backup code up: true for one caller alone.
pub fn use_backup_code(conn: &Connection, user: UserId, hash: &Hash, now: Millis) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "UPDATE backup_codes SET used_at = ?3 WHERE user_id = ?1 AND hash = ?2 AND used_at IS NULL",
        )?
        .execute((user, hash, now))?
        > 0)
}

/// Backup codes that were not used yet.
pub fn backup_codes_left(conn: &Connection, user: UserId) -> Result<u32> {
    let mut statement =
        conn.prepare_cached("SELECT count(*) FROM backup_codes WHERE user_id = ?1 AND used_at IS NULL")?;
    Ok(statement.query_row([user], |row| row.get(0))?)
}

/// Stores the code that is mailed to a user, unless one was mailed less than `pause` ago. False then.
pub fn put_email_code(
    conn: &Connection,
    user: UserId,
    hash: &Hash,
    pause: Millis,
    now: Millis,
) -> Result<bool> {
    let stored = conn
        .prepare_cached(
            "INSERT INTO email_codes (user_id, hash, expires_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at, tries = 0
              WHERE email_codes.expires_at <= ?3 - ?4",
        )?
        .execute((user, hash, now + EMAIL_CODE, pause))?;
    Ok(stored > 0)
}

/// Uses a mailed code up: true for one caller alone. A wrong one counts as a try; after
/// [`EMAIL_TRIES`] not even the right one is taken.
pub fn use_email_code(conn: &Connection, user: UserId, hash: &Hash, now: Millis) -> Result<bool> {
    let used = conn
        .prepare_cached(
            "DELETE FROM email_codes WHERE user_id = ?1 AND hash = ?2 AND expires_at > ?3 AND tries < ?4",
        )?
        .execute((user, hash, now, EMAIL_TRIES))?;
    if used == 0 {
        conn.prepare_cached("UPDATE email_codes SET tries = tries + 1 WHERE user_id = ?1 AND tries < ?2")?
            .execute((user, EMAIL_TRIES))?;
    }
    Ok(used > 0)
}

/// Whether a mailed code can still be typed, and how many tries it has left.
pub fn email_code_tries_left(conn: &Connection, user: UserId, now: Millis) -> Result<Option<u32>> {
    let tries: Option<u32> = conn
        .prepare_cached(
            "SELECT tries FROM email_codes WHERE user_id = ?1 AND expires_at > ?2 AND tries < ?3",
        )?
        .query_row((user, now, EMAIL_TRIES), |row| row.get(0))
        .optional()?;
    Ok(tries.map(|tries| EMAIL_TRIES - tries))
}

/// Takes a user's second factor away with all that belongs to it. The last time step stays: a code that
/// was used does not work again because an app was taken away and put back.
pub fn reset(conn: &Connection, user: UserId) -> Result<()> {
    conn.execute("UPDATE users SET two_factor = 'none', totp_seed = NULL WHERE id = ?1", [user])?;
    conn.execute("DELETE FROM backup_codes WHERE user_id = ?1", [user])?;
    conn.execute("DELETE FROM email_codes WHERE user_id = ?1", [user])?;
    delete_devices(conn, user)
}

/// Who of a role has which second factor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Adoption {
    pub users: u32,
    pub totp: u32,
    pub email: u32,
}

/// How many active users of a role there are, and with which second factor.
pub fn adoption(conn: &Connection, role: &str) -> Result<Adoption> {
    let mut statement = conn.prepare_cached(
        "SELECT count(*), coalesce(sum(two_factor = 'totp'), 0), coalesce(sum(two_factor = 'email'), 0)
           FROM users WHERE active AND role = ?1",
    )?;
    Ok(statement.query_row([role], |row| {
        Ok(Adoption { users: row.get(0)?, totp: row.get(1)?, email: row.get(2)? })
    })?)
}
