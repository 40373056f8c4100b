//! Tables `users` and `personal_tokens`.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{found, unique};
use crate::clock::Millis;
use crate::engine::permission::Role;
use crate::error::Result;
use crate::ids::UserId;
use crate::store::tokens::Hash;

/// A person who administers.
#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub uuid: String,
    pub username: String,
    pub email: String,
    pub role: Role,
    pub active: bool,
    pub two_factor: String,
    pub created_at: Millis,
    pub last_login_at: Option<Millis>,
}

const SELECT: &str =
    "SELECT id, uuid, username, email, role, active, two_factor, created_at, last_login_at FROM users";

fn from_row(row: &Row<'_>) -> rusqlite::Result<User> {
    let role: String = row.get(4)?;
    Ok(User {
        id: row.get(0)?,
        uuid: row.get(1)?,
        username: row.get(2)?,
        email: row.get(3)?,
        role: Role::parse(&role).unwrap_or(Role::Viewer),
        active: row.get(5)?,
        two_factor: row.get(6)?,
        created_at: row.get(7)?,
        last_login_at: row.get(8)?,
    })
}

/// The user of that name or id.
pub fn find(conn: &Connection, name_or_id: &str) -> Result<User> {
    let row = conn
        .prepare_cached(&format!("{SELECT} WHERE username = ?1 OR uuid = ?1 ORDER BY username = ?1 DESC"))?
        .query_row([name_or_id], from_row);
    found(row, || format!("user {name_or_id}"))
}

/// Every user, by name.
pub fn list(conn: &Connection) -> Result<Vec<User>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT} ORDER BY username"))?;
    let rows = statement.query_map([], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn count(conn: &Connection) -> Result<u64> {
    Ok(conn.query_row("SELECT count(*) FROM users", [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Inserts a user. `user_taken` when the name or the address is in use.
pub fn insert(
    conn: &Connection,
    username: &str,
    email: &str,
    role: Role,
    password: &str,
    now: Millis,
) -> Result<User> {
    conn.prepare_cached(
        "INSERT INTO users (uuid, username, email, role, password, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((Uuid::now_v7().to_string(), username, email, role.as_str(), password, now))
    .map_err(|error| unique(error, "user_taken", "another user has this name or e-mail address"))?;
    find(conn, username)
}

pub fn set_password(conn: &Connection, id: UserId, password: &str) -> Result<()> {
    conn.prepare_cached("UPDATE users SET password = ?2 WHERE id = ?1")?.execute((id, password))?;
    Ok(())
}

/// The user with this id, and none who has it as a name.
pub fn by_uuid(conn: &Connection, uuid: &str) -> Result<User> {
    let row = conn.prepare_cached(&format!("{SELECT} WHERE uuid = ?1"))?.query_row([uuid], from_row);
    found(row, || "this user".into())
}

/// The user of a row.
pub fn by_id(conn: &Connection, id: UserId) -> Result<User> {
    let row = conn.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?.query_row([id], from_row);
    found(row, || "this user".into())
}

/// A user's stored password.
pub fn password(conn: &Connection, id: UserId) -> Result<String> {
    let row =
        conn.prepare_cached("SELECT password FROM users WHERE id = ?1")?.query_row([id], |row| row.get(0));
    found(row, || "this user".into())
}

/// What a list of users is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Part of a name or an address.
    pub text: &'a str,
    pub role: Option<Role>,
    pub active: Option<bool>,
    /// Goes on behind this name.
    pub after: &'a str,
    pub limit: u32,
}

/// Users by name, found on the server.
pub fn search(conn: &Connection, filter: &Filter<'_>) -> Result<Vec<User>> {
    let mut statement = conn.prepare_cached(&format!(
        "{SELECT} WHERE (instr(lower(username), lower(?1)) OR instr(lower(email), lower(?1)))
            AND (?2 IS NULL OR role = ?2) AND (?3 IS NULL OR active = ?3) AND username > ?4
          ORDER BY username LIMIT ?5"
    ))?;
    let role = filter.role.map(Role::as_str);
    let rows =
        statement.query_map((filter.text, role, filter.active, filter.after, filter.limit), from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Active admins besides this one.
pub fn other_active_admins(conn: &Connection, but: UserId) -> Result<u32> {
    let mut statement =
        conn.prepare_cached("SELECT count(*) FROM users WHERE active AND role = 'admin' AND id <> ?1")?;
    Ok(statement.query_row([but], |row| row.get(0))?)
}

/// Slugs of the sites that are a user's.
pub fn owned_sites(conn: &Connection, id: UserId) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT slug FROM sites WHERE owner_id = ?1 ORDER BY slug")?;
    let rows = statement.query_map([id], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Changes name, address and role. `user_taken` when name or address is another's.
pub fn update(conn: &Connection, id: UserId, username: &str, email: &str, role: Role) -> Result<User> {
    conn.prepare_cached("UPDATE users SET username = ?2, email = ?3, role = ?4 WHERE id = ?1")?
        .execute((id, username, email, role.as_str()))
        .map_err(|error| unique(error, "user_taken", "another user has this name or e-mail address"))?;
    by_id(conn, id)
}

pub fn set_active(conn: &Connection, id: UserId, active: bool) -> Result<()> {
    conn.prepare_cached("UPDATE users SET active = ?2 WHERE id = ?1")?.execute((id, active))?;
    Ok(())
}

pub fn delete(conn: &Connection, id: UserId) -> Result<()> {
    conn.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// How a user likes the pages.
#[derive(Clone, Debug)]
pub struct Preferences {
    pub theme: String,
    pub dense: bool,
    pub single_keys: bool,
}

/// How a user likes the pages, as they said or as they are made.
pub fn preferences(conn: &Connection, id: UserId) -> Result<Preferences> {
    let mut statement = conn.prepare_cached(
        "SELECT coalesce(p.theme, 'system'), coalesce(p.dense, 0), coalesce(p.single_keys, 1)
           FROM users u LEFT JOIN preferences p ON p.user_id = u.id WHERE u.id = ?1",
    )?;
    let row = statement.query_row([id], |row| {
        Ok(Preferences { theme: row.get(0)?, dense: row.get(1)?, single_keys: row.get(2)? })
    });
    found(row, || "this user".into())
}

/// Notes how a user likes the pages.
pub fn set_preferences(conn: &Connection, id: UserId, theme: &str, dense: bool, keys: bool) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO preferences (user_id, theme, dense, single_keys) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (user_id) DO UPDATE
            SET theme = excluded.theme, dense = excluded.dense, single_keys = excluded.single_keys",
    )?
    .execute((id, theme, dense, keys))?;
    Ok(())
}

/// A personal token as its owner sees it.
#[derive(Clone, Debug)]
pub struct OwnToken {
    pub uuid: String,
    pub description: String,
    pub expires_at: Option<Millis>,
    pub created_at: Millis,
    pub last_used_at: Option<Millis>,
}

/// A user's personal tokens, the newest first.
pub fn own_tokens(conn: &Connection, id: UserId) -> Result<Vec<OwnToken>> {
    let mut statement = conn.prepare_cached(
        "SELECT uuid, description, expires_at, created_at, last_used_at
           FROM personal_tokens WHERE user_id = ?1 ORDER BY id DESC",
    )?;
    let rows = statement.query_map([id], |row| {
        Ok(OwnToken {
            uuid: row.get(0)?,
            description: row.get(1)?,
            expires_at: row.get(2)?,
            created_at: row.get(3)?,
            last_used_at: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Deletes a personal token of a user; false when it is not theirs.
pub fn delete_personal_token(conn: &Connection, id: UserId, uuid: &str) -> Result<bool> {
    Ok(conn
        .prepare_cached("DELETE FROM personal_tokens WHERE user_id = ?1 AND uuid = ?2")?
        .execute((id, uuid))?
        > 0)
}

/// A personal access token together with whose it is.
#[derive(Clone, Debug)]
pub struct PersonalToken {
    pub hash: Hash,
    pub expires_at: Option<Millis>,
    pub user: UserId,
    pub user_uuid: String,
    pub username: String,
    pub role: Role,
}

/// Every personal token of an active user.
pub fn personal_tokens(conn: &Connection) -> Result<Vec<PersonalToken>> {
    let mut statement = conn.prepare_cached(
        "SELECT t.hash, t.expires_at, u.id, u.uuid, u.username, u.role
           FROM personal_tokens t JOIN users u ON u.id = t.user_id
          WHERE u.active",
    )?;
    let rows = statement.query_map([], |row| {
        let role: String = row.get(5)?;
        Ok(PersonalToken {
            hash: row.get(0)?,
            expires_at: row.get(1)?,
            user: row.get(2)?,
            user_uuid: row.get(3)?,
            username: row.get(4)?,
            role: Role::parse(&role).unwrap_or(Role::Viewer),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Inserts a personal token and gives its id.
pub fn insert_personal_token(
    conn: &Connection,
    user: UserId,
    description: &str,
    hash: Hash,
    expires_at: Option<Millis>,
    now: Millis,
) -> Result<String> {
    let uuid = Uuid::now_v7().to_string();
    conn.prepare_cached(
        "INSERT INTO personal_tokens (uuid, user_id, description, hash, expires_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((&uuid, user, description, hash, expires_at, now))?;
    Ok(uuid)
}

/// The user of that name or e-mail address together with the stored password.
pub fn find_for_sign_in(conn: &Connection, name: &str) -> Result<Option<(User, String)>> {
    use rusqlite::OptionalExtension;
    let sql = SELECT.replacen(" FROM", ", password FROM", 1);
    Ok(conn
        .prepare_cached(&format!(
            "{sql} WHERE username = ?1 OR email = ?1 ORDER BY username = ?1 DESC LIMIT 1"
        ))?
        .query_row([name], |row| Ok((from_row(row)?, row.get(9)?)))
        .optional()?)
}

/// Notes that a user signed in.
pub fn set_last_login(conn: &Connection, id: UserId, now: Millis) -> Result<()> {
    conn.prepare_cached("UPDATE users SET last_login_at = ?2 WHERE id = ?1")?.execute((id, now))?;
    Ok(())
}
