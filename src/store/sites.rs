//! Table `sites`.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{found, unique};
use crate::clock::Millis;
use crate::error::Result;
use crate::ids::{SiteId, UserId};

/// One application or service.
#[derive(Clone, Debug)]
pub struct Site {
    pub id: SiteId,
    pub uuid: String,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub owner: Option<Owner>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

#[derive(Clone, Debug)]
pub struct Owner {
    pub id: UserId,
    pub uuid: String,
    pub username: String,
}

const SELECT: &str = "SELECT s.id, s.uuid, s.slug, s.name, s.description, s.created_at, s.updated_at,
                             u.id, u.uuid, u.username
                        FROM sites s LEFT JOIN users u ON u.id = s.owner_id";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Site> {
    let owner: Option<UserId> = row.get(7)?;
    Ok(Site {
        id: row.get(0)?,
        uuid: row.get(1)?,
        slug: row.get(2)?,
        name: row.get(3)?,
        description: row.get(4)?,
        created_at: row.get(5)?,
        updated_at: row.get(6)?,
        owner: match owner {
            Some(id) => Some(Owner { id, uuid: row.get(8)?, username: row.get(9)? }),
            None => None,
        },
    })
}

/// The site with this id or slug.
pub fn find(conn: &Connection, id_or_slug: &str) -> Result<Site> {
    let row = conn
        .prepare_cached(&format!("{SELECT} WHERE s.slug = ?1 OR s.uuid = ?1 ORDER BY s.slug = ?1 DESC"))?
        .query_row([id_or_slug], from_row);
    found(row, || format!("site {id_or_slug}"))
}

/// The site of this row.
pub fn get(conn: &Connection, id: SiteId) -> Result<Site> {
    let row = conn.prepare_cached(&format!("{SELECT} WHERE s.id = ?1"))?.query_row([id], from_row);
    found(row, || "the site".into())
}

/// Sites by name, those that contain `q` in name, slug or description, from behind the cursor on.
pub fn list(conn: &Connection, q: &str, after: Option<&(String, i64)>, limit: u64) -> Result<Vec<Site>> {
    let (name, id) = after.map_or((None, 0), |(name, id)| (Some(name), *id));
    let mut statement = conn.prepare_cached(&format!(
        "{SELECT}
          WHERE (?1 = '' OR instr(lower(s.name || char(10) || s.slug || char(10) || s.description), lower(?1)) > 0)
            AND (?2 IS NULL OR (s.name, s.id) > (?2, ?3))
          ORDER BY s.name, s.id
          LIMIT ?4"
    ))?;
    let rows = statement.query_map((q, name, id, limit), from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every site, by slug.
pub fn all(conn: &Connection) -> Result<Vec<Site>> {
    let mut statement = conn.prepare(&format!("{SELECT} ORDER BY s.slug"))?;
    let rows = statement.query_map([], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn slug_taken(conn: &Connection, slug: &str) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM sites WHERE slug = ?1")?.exists([slug])?)
}

/// Inserts a site. `slug_taken` when another has the slug.
pub fn insert(
    conn: &Connection,
    slug: &str,
    name: &str,
    description: &str,
    owner: Option<UserId>,
    now: Millis,
) -> Result<Site> {
    conn.prepare_cached(
        "INSERT INTO sites (uuid, slug, name, description, owner_id, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
    )?
    .execute((Uuid::now_v7().to_string(), slug, name, description, owner, now))
    .map_err(|error| unique(error, "slug_taken", &format!("another site has the slug {slug}")))?;
    find(conn, slug)
}

/// Writes back what can change of a site.
pub fn update(conn: &Connection, site: &Site, now: Millis) -> Result<()> {
    conn.prepare_cached(
        "UPDATE sites SET slug = ?2, name = ?3, description = ?4, owner_id = ?5, updated_at = ?6
          WHERE id = ?1",
    )?
    .execute((site.id, &site.slug, &site.name, &site.description, site.owner.as_ref().map(|o| o.id), now))
    .map_err(|error| unique(error, "slug_taken", &format!("another site has the slug {}", site.slug)))?;
    Ok(())
}

/// Deletes a site and everything in it.
pub fn delete(conn: &Connection, id: SiteId) -> Result<()> {
    conn.prepare_cached("DELETE FROM sites WHERE id = ?1")?.execute([id])?;
    Ok(())
}
