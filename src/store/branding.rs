//! Tables `branding` and `branding_images`.

use rusqlite::{Connection, OptionalExtension, params};

use crate::branding::Branding;
use crate::clock::Millis;
use crate::error::Result;
use crate::ids::SiteId;

/// The branding of a site, with the versions of its images.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    pub branding: Branding,
    /// The beginning of the SHA-256 of each image.
    pub logo: Option<String>,
    pub favicon: Option<String>,
}

/// Which image of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Logo,
    Favicon,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logo => "logo",
            Self::Favicon => "favicon",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Logo, Self::Favicon].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The branding of a site; nothing set where there is none.
pub fn find(conn: &Connection, site: SiteId) -> Result<Stored> {
    let settings: Option<String> = conn
        .prepare_cached("SELECT settings FROM branding WHERE site_id = ?1")?
        .query_row([site], |row| row.get(0))
        .optional()?;
    let mut stored = Stored {
        branding: settings.map(|text| Branding::from_json(&text)).unwrap_or_default(),
        ..Stored::default()
    };
    let mut statement =
        conn.prepare_cached("SELECT kind, version FROM branding_images WHERE site_id = ?1")?;
    let rows = statement.query_map([site], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    for row in rows {
        let (kind, version) = row?;
        match Kind::parse(&kind) {
            Some(Kind::Logo) => stored.logo = Some(version),
            Some(Kind::Favicon) => stored.favicon = Some(version),
            None => {}
        }
    }
    Ok(stored)
}

/// Writes what was set.
pub fn save(conn: &Connection, site: SiteId, branding: &Branding, now: Millis) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO branding (site_id, settings, updated_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (site_id) DO UPDATE SET settings = excluded.settings, updated_at = excluded.updated_at",
    )?
    .execute((site, branding.to_json(), now))?;
    Ok(())
}

/// Keeps an image in the place of the one before.
pub fn save_image(
    conn: &Connection,
    site: SiteId,
    kind: Kind,
    (version, content_type, data): (&str, &str, &[u8]),
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO branding_images (site_id, kind, version, content_type, data) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (site_id, kind) DO UPDATE
            SET version = excluded.version, content_type = excluded.content_type, data = excluded.data",
    )?
    .execute(params![site, kind.as_str(), version, content_type, data])?;
    Ok(())
}

/// Deletes an image, where there is one.
pub fn delete_image(conn: &Connection, site: SiteId, kind: Kind) -> Result<()> {
    conn.prepare_cached("DELETE FROM branding_images WHERE site_id = ?1 AND kind = ?2")?
        .execute((site, kind.as_str()))?;
    Ok(())
}

/// Content type and bytes of an image in this version.
pub fn image(
    conn: &Connection,
    site: SiteId,
    kind: Kind,
    version: &str,
) -> Result<Option<(String, Vec<u8>)>> {
    Ok(conn
        .prepare_cached(
            "SELECT content_type, data FROM branding_images WHERE site_id = ?1 AND kind = ?2 AND version = ?3",
        )?
        .query_row((site, kind.as_str(), version), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}
