//! Loads what an environment needs to answer, for [`crate::engine::snapshot`].

use rusqlite::Connection;
use uuid::Uuid;

use super::{contexts, environments, features, segments};
use crate::engine::compile::StoredFeature;
use crate::engine::snapshot::{Info, Source};
use crate::error::{Error, Result};
use crate::ids::EnvironmentId;

/// Everything of one environment. The caller holds a transaction, or the only connection that writes, so
/// that the revision belongs to the rows.
pub fn load(conn: &Connection, id: EnvironmentId) -> Result<Source> {
    let features = features::all(conn, id)?.into_iter().map(|row| row.stored).collect();
    Ok(Source { features, ..load_around(conn, id)? })
}

/// The same but for its features.
pub fn load_around(conn: &Connection, id: EnvironmentId) -> Result<Source> {
    let environment = environments::get(conn, id)?;
    let (site_id, site): (String, String) = conn
        .prepare_cached("SELECT uuid, slug FROM sites WHERE id = ?1")?
        .query_row([environment.site], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Source {
        info: Info {
            site_id: uuid(&site_id)?,
            site: site.into(),
            id: uuid(&environment.uuid)?,
            name: environment.name.as_str().into(),
            status: environment.status,
            user_id_is_context: environment.user_id_is_context,
            uncounted: super::analytics::settings(conn, environment.site)?.excluded.into(),
        },
        revision: environment.revision,
        features: Vec::new(),
        segments: segments::list(conn, environment.site)?.into_iter().map(|row| row.segment).collect(),
        contexts: contexts::for_snapshot(conn, id)?,
    })
}

/// Some features of an environment by key; one that is gone is `None`.
pub fn load_features(
    conn: &Connection,
    id: EnvironmentId,
    keys: &[String],
) -> Result<Vec<(String, Option<StoredFeature>)>> {
    keys.iter()
        .map(|key| match features::find(conn, id, key) {
            Ok(row) => Ok((key.clone(), Some(row.stored))),
            Err(Error::NotFound(_)) => Ok((key.clone(), None)),
            Err(error) => Err(error),
        })
        .collect()
}

fn uuid(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(Error::internal)
}
