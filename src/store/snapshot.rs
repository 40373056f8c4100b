//! Loads what an environment needs to answer, for [`crate::engine::snapshot`].

use rusqlite::Connection;
use uuid::Uuid;

use super::features::FeatureRow;
use super::{contexts, environments, features, segments};
use crate::engine::compile::StoredFeature;
use crate::engine::snapshot::{Info, Source, StoredContext};
use crate::error::{Error, Result};
use crate::ids::EnvironmentId;

/// Everything of one environment. The caller holds a transaction, or the only connection that writes, so
/// that the revision belongs to the rows.
pub fn load(conn: &Connection, id: EnvironmentId) -> Result<Source> {
    load_around(conn, id, features::all(conn, id)?)
}

/// The same, whose features were read.
pub fn load_around(conn: &Connection, id: EnvironmentId, rows: Vec<FeatureRow>) -> Result<Source> {
    let environment = environments::get(conn, id)?;
    let (site_id, site): (String, String) = conn
        .prepare_cached("SELECT uuid, slug FROM sites WHERE id = ?1")?
        .query_row([environment.site], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let names = || Ok(rows.iter().map(|row| (row.id.0, row.stored.definition.key.as_str().into())).collect());
    let contexts = contexts::for_snapshot(conn, id, names)?;
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
        features: rows.into_iter().map(|row| row.stored).collect(),
        segments: segments::list(conn, environment.site)?.into_iter().map(|row| row.segment).collect(),
        contexts,
    })
}

/// Every stored Context of an environment.
pub fn load_contexts(conn: &Connection, id: EnvironmentId) -> Result<Vec<StoredContext>> {
    contexts::for_snapshot(conn, id, || {
        Ok(features::ids(conn, id)?.into_iter().map(|(key, (id, ..))| (id.0, key.as_str().into())).collect())
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
