//! Table `environments`.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{counters, found, list_from_json, list_to_json, unique};
use crate::clock::Millis;
use crate::engine::snapshot::Status;
use crate::error::Result;
use crate::ids::{EnvironmentId, SiteId};

/// One deployment target of a site.
#[derive(Clone, Debug)]
pub struct Environment {
    pub id: EnvironmentId,
    pub uuid: String,
    pub site: SiteId,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub status: Status,
    pub user_id_is_context: bool,
    pub revision: u64,
    pub created_at: Millis,
    pub updated_at: Millis,
}

const SELECT: &str =
    "SELECT id, uuid, site_id, name, description, tags, status, user_id_is_context, revision,
                             created_at, updated_at
                        FROM environments";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Environment> {
    let status: String = row.get(6)?;
    Ok(Environment {
        id: row.get(0)?,
        uuid: row.get(1)?,
        site: row.get(2)?,
        name: row.get(3)?,
        description: row.get(4)?,
        tags: list_from_json(&row.get::<_, String>(5)?),
        status: Status::parse(&status).unwrap_or(Status::Maintenance),
        user_id_is_context: row.get(7)?,
        revision: row.get::<_, i64>(8)?.unsigned_abs(),
        created_at: row.get(9)?,
        updated_at: row.get(10)?,
    })
}

/// The environment of a site with this id or name.
pub fn find(conn: &Connection, site: SiteId, id_or_name: &str) -> Result<Environment> {
    let row = conn
        .prepare_cached(&format!(
            "{SELECT} WHERE site_id = ?1 AND (name = ?2 OR uuid = ?2) ORDER BY name = ?2 DESC"
        ))?
        .query_row((site, id_or_name), from_row);
    found(row, || format!("environment {id_or_name}"))
}

pub fn get(conn: &Connection, id: EnvironmentId) -> Result<Environment> {
    let row = conn.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?.query_row([id], from_row);
    found(row, || "the environment".into())
}

/// The environments of a site, in the order they were made.
pub fn list(conn: &Connection, site: SiteId) -> Result<Vec<Environment>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT} WHERE site_id = ?1 ORDER BY id"))?;
    let rows = statement.query_map([site], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every environment, in the order they were made.
pub fn all(conn: &Connection) -> Result<Vec<Environment>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT} ORDER BY id"))?;
    let rows = statement.query_map([], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every environment's id and revision.
pub fn revisions(conn: &Connection) -> Result<Vec<(EnvironmentId, u64)>> {
    let mut statement = conn.prepare_cached("SELECT id, revision FROM environments")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// An environment to be.
pub struct New<'a> {
    pub name: &'a str,
    pub description: &'a str,
    pub tags: &'a [String],
    pub status: Status,
    pub user_id_is_context: bool,
}

/// Inserts an environment. `name_taken` when the site has one of that name.
pub fn insert(conn: &Connection, site: SiteId, new: &New<'_>, now: Millis) -> Result<Environment> {
    let id = counters::next_id(conn, "environments")?;
    conn.prepare_cached(
        "INSERT INTO environments (id, uuid, site_id, name, description, tags, status, user_id_is_context,
                                   created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
    )?
    .execute((
        id,
        Uuid::now_v7().to_string(),
        site,
        new.name,
        new.description,
        list_to_json(new.tags),
        new.status.as_str(),
        new.user_id_is_context,
        now,
    ))
    .map_err(|error| {
        unique(error, "name_taken", &format!("the site has an environment {} already", new.name))
    })?;
    find(conn, site, new.name)
}

/// Writes back what can change of an environment.
pub fn update(conn: &Connection, environment: &Environment, now: Millis) -> Result<()> {
    conn.prepare_cached(
        "UPDATE environments
            SET name = ?2, description = ?3, tags = ?4, status = ?5, user_id_is_context = ?6, updated_at = ?7
          WHERE id = ?1",
    )?
    .execute((
        environment.id,
        &environment.name,
        &environment.description,
        list_to_json(&environment.tags),
        environment.status.as_str(),
        environment.user_id_is_context,
        now,
    ))
    .map_err(|error| {
        unique(error, "name_taken", &format!("the site has an environment {} already", environment.name))
    })?;
    Ok(())
}

/// Raises the revision by one and gives the new one. `None` when the environment is gone.
pub fn advance(conn: &Connection, id: EnvironmentId) -> Result<Option<u64>> {
    let mut statement = conn
        .prepare_cached("UPDATE environments SET revision = revision + 1 WHERE id = ?1 RETURNING revision")?;
    let mut rows = statement.query([id])?;
    Ok(match rows.next()? {
        Some(row) => Some(row.get::<_, i64>(0)?.unsigned_abs()),
        None => None,
    })
}

/// Deletes an environment and everything in it.
pub fn delete(conn: &Connection, id: EnvironmentId) -> Result<()> {
    conn.prepare_cached("DELETE FROM environments WHERE id = ?1")?.execute([id])?;
    Ok(())
}
