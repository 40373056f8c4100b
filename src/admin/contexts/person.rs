//! A Context keyed by a person's identifier is personal data: part of what they are shown, and of what is erased
//! (featuresd.md §7.5).

use serde::Serialize;
use serde_json::{Value, json};

use super::{Scene, View, change_of, kinds};
use crate::app::{App, Change, Tx};
use crate::engine::lookup::{Lookup, Subject, text};
use crate::error::Result;
use crate::store;
use crate::store::contexts::ContextRow;

/// What one environment holds about a person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    pub site: String,
    pub environment: String,
    pub context: View,
    /// What everything resolves to, and from where.
    pub resolved: Value,
}

/// The Contexts of all environments that this identifier is the key of, with what they resolve to.
pub fn held(app: &App, identifier: &str) -> Result<Vec<Held>> {
    let mut found = Vec::new();
    for live in app.live.environments() {
        let snapshot = live.snapshot();
        if snapshot.context(identifier).is_none() {
            continue;
        }
        let view = app.read(|conn| {
            let environment = store::environments::get(conn, live.id)?;
            match store::contexts::find(conn, live.id, identifier)? {
                Some(row) => super::view(conn, &environment, &row).map(Some),
                None => Ok(None),
            }
        })?;
        let Some(context) = view else { continue };
        let subject = Subject::of(identifier);
        let lookup = Lookup::new(&snapshot, &subject)?;
        let mut resolved = serde_json::Map::new();
        for feature in snapshot.features() {
            let explained = lookup.explain(feature, None);
            if let Some(value) = explained.found.value {
                let source = explained.path.last().copied().unwrap_or_default();
                let entry =
                    json!({ "value": text(feature, value), "source": source, "path": explained.path });
                resolved.insert(feature.key.to_string(), entry);
            }
        }
        found.push(Held {
            site: snapshot.info.site.to_string(),
            environment: snapshot.info.name.to_string(),
            context,
            resolved: Value::Object(resolved),
        });
    }
    found.sort_by(|a, b| (&a.site, &a.environment).cmp(&(&b.site, &b.environment)));
    Ok(found)
}

/// Deletes the Contexts that this identifier is the key of, in every environment, taking them out of the lists of
/// others. The changes that are to be recorded name the pseudonym alone.
pub fn erase(app: &App, tx: &Tx<'_>, identifier: &str, pseudonym: &str) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for (id, _) in store::environments::revisions(tx)? {
        if !store::contexts::exists(tx, id, identifier)? || crate::engine::lookup::is_special(identifier) {
            continue;
        }
        let environment = store::environments::get(tx, id)?;
        let site = store::sites::get(tx, environment.site)?;
        let scene = Scene { app, tx, site: &site, environment: &environment };
        let mut detached = scene.detach(identifier)?;
        for change in &mut detached {
            for side in [&mut change.before, &mut change.after] {
                *side = side.take().map(|json| pseudonymous(&json, identifier, pseudonym));
            }
            change.summary = change.summary.replace(identifier, pseudonym);
        }
        changes.extend(detached);
        store::contexts::delete(tx, id, identifier)?;
        let gone = ContextRow { key: pseudonym.to_owned(), ..super::empty("", tx.now, &tx.actor.name) };
        let none = kinds(tx, &environment, std::iter::empty())?;
        let mut change = change_of(&site, &environment, &none, Some(&gone), None, "erased");
        change.before = None;
        if let crate::app::Touched::Contexts { contexts, .. } = &mut change.touched {
            // The trail must not name the person, and a snapshot finds out all the same.
            *contexts = None;
        }
        changes.push(change);
    }
    Ok(changes)
}

/// The same with the identifier replaced in the list of prototypes.
fn pseudonymous(
    json: &crate::engine::value::Json,
    identifier: &str,
    pseudonym: &str,
) -> crate::engine::value::Json {
    let Ok(mut value) = serde_json::from_str::<Value>(json.as_str()) else { return json.clone() };
    for prototype in value["prototypes"].as_array_mut().into_iter().flatten() {
        if prototype == identifier {
            *prototype = pseudonym.into();
        }
    }
    crate::engine::value::Json::from(&value)
}
