//! Pages of Contexts, by key.

use rusqlite::Connection;

use super::{View, find, some};
use crate::admin::scope;
use crate::engine::document::read_context_value;
use crate::engine::lookup::{Lookup, Subject};
use crate::engine::snapshot::{DEFAULT, OVERRIDE, Snapshot};
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::store;
use crate::store::contexts::Filter;
use crate::store::environments::Environment;

/// Which Contexts are wanted (featuresd.md §6.2).
#[derive(Debug, Default)]
pub struct Wanted {
    pub q: String,
    pub prototype: Option<String>,
    pub descends_from: Option<String>,
    pub feature: Option<String>,
    pub matches: Option<Matches>,
    pub after: Option<String>,
    pub limit: u64,
}

/// Only those for whom a feature resolves to this value.
#[derive(Debug)]
pub struct Matches {
    feature: String,
    value: Json,
}

fn no_feature(key: &str) -> Error {
    Error::Missing("feature_not_found", format!("feature {key}"))
}

impl Matches {
    /// Reads `feature`, which means `yes`, or `feature:value`. Keys of features may hold colons: the longest that is one
    /// counts.
    pub fn parse(snapshot: &Snapshot, text: &str) -> Result<Self> {
        if snapshot.feature(text).is_some() {
            return Ok(Self { feature: text.to_owned(), value: true.into() });
        }
        for (at, _) in text.rmatch_indices(':') {
            let Some(feature) = snapshot.feature(&text[..at]) else { continue };
            let definition = feature.definition();
            let written = Json::from(&serde_json::Value::from(&text[at + 1..]));
            let value = read_context_value(definition.kind, definition.integer, &written)
                .map_err(|reason| Error::invalid("matches", reason))?;
            return Ok(Self { feature: definition.key.clone(), value });
        }
        Err(no_feature(text.split(':').next().unwrap_or_default()))
    }

    fn holds(&self, snapshot: &Snapshot, key: &str) -> Result<bool> {
        let Some(feature) = snapshot.feature(&self.feature) else { return Ok(false) };
        let subject = Subject::of(key);
        Ok(Lookup::new(snapshot, &subject)?.find(feature).value == Some(self.value.as_str()))
    }
}

/// How many Contexts are looked at in one go while those that match are sought.
const BATCH: u64 = 1000;

/// One page, `default` and `override` among them where they fit. `feature_not_found` when the filter names none.
pub fn page(
    conn: &Connection,
    environment: &Environment,
    snapshot: &Snapshot,
    wanted: &Wanted,
) -> Result<Vec<View>> {
    let feature = match &wanted.feature {
        Some(key) => {
            Some(store::features::kind_of(conn, environment.id, key)?.ok_or_else(|| no_feature(key))?.id)
        }
        None => None,
    };
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let mut filter = Filter {
        q: wanted.q.clone(),
        prototype: wanted.prototype.clone(),
        descends_from: wanted.descends_from.clone(),
        feature,
        after: wanted.after.clone(),
        limit: if wanted.matches.is_some() { BATCH } else { wanted.limit },
    };
    let mut keys = Vec::new();
    loop {
        let found = store::contexts::keys(conn, environment.id, &filter)?;
        let (read, last) = (found.len() as u64, found.last().cloned());
        for key in found {
            if wanted.matches.as_ref().is_none_or(|matches| matches.holds(snapshot, &key).unwrap_or(false)) {
                keys.push(key);
            }
        }
        if wanted.matches.is_none() || read < BATCH || keys.len() >= limit {
            break;
        }
        filter.after = last;
    }
    let inherits = wanted.prototype.is_some() || wanted.descends_from.is_some();
    if !inherits && wanted.matches.is_none() {
        for special in [DEFAULT, OVERRIDE] {
            if wanted.after.as_deref().is_some_and(|after| special <= after) {
                continue;
            }
            let named = special.contains(&wanted.q.to_lowercase());
            let holds = match &wanted.feature {
                Some(feature) => {
                    find(conn, environment, special)?.values.iter().any(|(key, _)| key == feature)
                }
                None => true,
            };
            if named && holds {
                keys.push(special.to_owned());
            }
        }
        keys.sort();
    }
    keys.truncate(limit);
    some(conn, environment, &keys)
}

/// One page of those that name a Context as a prototype.
pub fn children(
    conn: &Connection,
    site: &str,
    environment: &str,
    key: &str,
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<View>> {
    let (_, environment) = scope(conn, site, environment)?;
    find(conn, &environment, key)?;
    some(conn, &environment, &store::contexts::children(conn, environment.id, key, after, limit)?)
}
