//! Table `tokens`: the environment tokens that clients present.

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{counters, found, list_from_json, list_to_json};
use crate::clock::Millis;
use crate::error::Result;
use crate::ids::{EnvironmentId, TokenId};

/// SHA-256 of a secret.
pub type Hash = [u8; 32];

/// Which kind of program a token is for (native-api "Credentials"): `client`, evaluated values only, safe in a
/// browser; `server`, may also read rulesets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TokenKind)]
pub enum Kind {
    /// Evaluated values only; safe in a browser.
    Client,
    /// May also read rulesets.
    Server,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Client, Self::Server].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The permissions a token can have (native-api "Credentials").
pub const PERMISSIONS: &[&str] =
    &["READ", "CHANGE_VALUE", "LOCK", "UNLOCK", "CONTEXTS_WRITE", "FLAGR_ADMIN", "EXTENDED_DATA"];

/// One environment token, without its secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub id: TokenId,
    pub uuid: String,
    pub environment: EnvironmentId,
    pub description: String,
    pub kind: Kind,
    pub permissions: Vec<String>,
    pub hashes: Hashes,
    /// Those before the last rotation, and until when they work.
    pub previous: Option<(Hashes, Millis)>,
    pub expires_at: Option<Millis>,
    /// Requests a minute; `None`: the server's setting, 0: unlimited.
    pub rate_limit: Option<u32>,
    pub created_at: Millis,
    pub created_by: String,
    pub last_used_at: Option<Millis>,
    pub uses: u64,
}

/// SHA-256 of both spellings of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashes {
    pub native: Hash,
    pub featurehub: Hash,
}

const SELECT: &str = "SELECT id, uuid, environment_id, description, kind, permissions, hash, featurehub_hash,
                             previous_hash, previous_featurehub_hash, previous_until, expires_at, rate_limit,
                             created_at, created_by, last_used_at, uses
                        FROM tokens";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Token> {
    let kind: String = row.get(4)?;
    let previous = match (row.get(8)?, row.get(9)?, row.get(10)?) {
        (Some(native), Some(featurehub), Some(until)) => Some((Hashes { native, featurehub }, until)),
        _ => None,
    };
    Ok(Token {
        id: row.get(0)?,
        uuid: row.get(1)?,
        environment: row.get(2)?,
        description: row.get(3)?,
        kind: Kind::parse(&kind).unwrap_or(Kind::Client),
        permissions: list_from_json(&row.get::<_, String>(5)?),
        hashes: Hashes { native: row.get(6)?, featurehub: row.get(7)? },
        previous,
        expires_at: row.get(11)?,
        rate_limit: row.get(12)?,
        created_at: row.get(13)?,
        created_by: row.get(14)?,
        last_used_at: row.get(15)?,
        uses: row.get::<_, i64>(16)?.unsigned_abs(),
    })
}

/// One token of an environment.
pub fn find(conn: &Connection, environment: EnvironmentId, uuid: &str) -> Result<Token> {
    let row = conn
        .prepare_cached(&format!("{SELECT} WHERE environment_id = ?1 AND uuid = ?2"))?
        .query_row((environment, uuid), from_row);
    found(row, || format!("token {uuid}"))
}

/// The tokens of an environment, newest first.
pub fn list(conn: &Connection, environment: EnvironmentId) -> Result<Vec<Token>> {
    let mut statement =
        conn.prepare_cached(&format!("{SELECT} WHERE environment_id = ?1 ORDER BY id DESC"))?;
    let rows = statement.query_map([environment], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every token.
pub fn all(conn: &Connection) -> Result<Vec<Token>> {
    let mut statement = conn.prepare_cached(SELECT)?;
    let rows = statement.query_map([], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many tokens there are, of one environment or of all.
pub fn count(conn: &Connection, environment: Option<EnvironmentId>) -> Result<usize> {
    let number: i64 = conn
        .prepare_cached("SELECT count(*) FROM tokens WHERE ?1 IS NULL OR environment_id = ?1")?
        .query_row([environment], |row| row.get(0))?;
    Ok(usize::try_from(number).unwrap_or(0))
}

/// How many tokens still let somebody in.
pub fn count_active(conn: &Connection, now: Millis) -> Result<usize> {
    let number: i64 = conn
        .prepare_cached("SELECT count(*) FROM tokens WHERE expires_at IS NULL OR expires_at > ?1")?
        .query_row([now], |row| row.get(0))?;
    Ok(usize::try_from(number).unwrap_or(0))
}

/// Whether any token was ever used.
pub fn any_used(conn: &Connection) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM tokens WHERE uses > 0 LIMIT 1")?.exists([])?)
}

/// A token to be.
pub struct New<'a> {
    pub description: &'a str,
    pub kind: Kind,
    pub permissions: &'a [String],
    pub hashes: Hashes,
    pub expires_at: Option<Millis>,
    pub rate_limit: Option<u32>,
    pub created_by: &'a str,
}

pub fn insert(conn: &Connection, environment: EnvironmentId, new: &New<'_>, now: Millis) -> Result<Token> {
    let id = counters::next_id(conn, "tokens")?;
    let uuid = Uuid::now_v7().to_string();
    conn.prepare_cached(
        "INSERT INTO tokens (id, uuid, environment_id, description, kind, permissions, hash, featurehub_hash,
                             expires_at, rate_limit, created_at, created_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        id,
        uuid,
        environment,
        new.description,
        new.kind.as_str(),
        list_to_json(new.permissions),
        new.hashes.native,
        new.hashes.featurehub,
        new.expires_at,
        new.rate_limit,
        now,
        new.created_by,
    ])?;
    find(conn, environment, &uuid)
}

/// Writes back what can change of a token.
pub fn update(conn: &Connection, token: &Token) -> Result<()> {
    let previous = token.previous.as_ref();
    conn.prepare_cached(
        "UPDATE tokens
            SET description = ?2, permissions = ?3, expires_at = ?4, rate_limit = ?5, hash = ?6,
                featurehub_hash = ?7, previous_hash = ?8, previous_featurehub_hash = ?9, previous_until = ?10
          WHERE id = ?1",
    )?
    .execute(params![
        token.id,
        token.description,
        list_to_json(&token.permissions),
        token.expires_at,
        token.rate_limit,
        token.hashes.native,
        token.hashes.featurehub,
        previous.map(|(hashes, _)| hashes.native),
        previous.map(|(hashes, _)| hashes.featurehub),
        previous.map(|(_, until)| *until),
    ])?;
    Ok(())
}

pub fn delete(conn: &Connection, id: TokenId) -> Result<()> {
    conn.prepare_cached("DELETE FROM tokens WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Adds what was counted in memory.
pub fn add_uses(conn: &Connection, id: TokenId, uses: u64, last_used_at: Millis) -> Result<()> {
    conn.prepare_cached(
        "UPDATE tokens SET uses = uses + ?2, last_used_at = max(coalesce(last_used_at, 0), ?3) WHERE id = ?1",
    )?
    .execute((id, uses as i64, last_used_at))?;
    Ok(())
}
