//! Stored Contexts: made, changed, deleted. Whatever the route, it ends in [`save`] or, for `default`, whose values are
//! the features' own, in [`save_default`] (featuresd.md §2, §5.1, §6.2).

pub mod check;
pub mod document;
pub mod list;
pub mod person;

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::Connection;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use check::{Checked, Draft, Faults};

use super::{features, read_body, require_writable, scope};
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::clock::{Millis, rfc3339};
use crate::engine::decode::{Object, Problems};
use crate::engine::diff::{self, Difference};
use crate::engine::document::context_text;
use crate::engine::feature::{Definition, text};
use crate::engine::lookup::is_special;
use crate::engine::permission::Permission;
use crate::engine::snapshot::{DEFAULT, OVERRIDE};
use crate::engine::value::{FeatureType, Json};
use crate::error::{Error, Result};
use crate::store;
use crate::store::changes::ActorKind;
use crate::store::contexts::ContextRow;
use crate::store::environments::Environment;
use crate::store::sites::Site;

/// Which Context of which environment, as a path names it.
#[derive(Clone, Debug)]
pub struct Target {
    pub site: String,
    pub environment: String,
    pub key: String,
    /// The version that `If-Match` names.
    pub expected: Option<u64>,
}

/// A stored Context: somebody or something with feature values of its own. Where it has none, its prototypes are
/// asked, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Context, example = json!({
    "key": "mia", "prototypes": ["team:blue", "pilots"], "features": {"search_limit": "50", "new_checkout": "yes"},
    "description": "", "version": 3, "createdAt": "2026-01-31T12:00:00.000Z",
    "updatedAt": "2026-02-02T09:30:00.000Z", "updatedBy": "ana"
}))]
pub struct View {
    pub key: String,
    /// In the order in which they are asked.
    pub prototypes: Vec<String>,
    /// Feature key and value as text: `yes` and `no` for BOOLEAN, else the value's text.
    pub features: BTreeMap<String, String>,
    pub description: String,
    /// Grows by one with each change; what `If-Match` compares. That of `default` is the environment's revision.
    pub version: u64,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Who made the last change.
    pub updated_by: String,
}

/// What a value's text depends on, by feature key.
type Kinds = HashMap<String, FeatureType>;

impl View {
    fn of(row: &ContextRow, kinds: &Kinds) -> Self {
        let text = |key: &String, value: &Json| {
            context_text(kinds.get(key).copied().unwrap_or(FeatureType::Json), value.as_str())
        };
        Self {
            key: row.key.clone(),
            prototypes: row.prototypes.clone(),
            features: row.values.iter().map(|(key, value)| (key.clone(), text(key, value))).collect(),
            description: row.description.clone(),
            version: row.version,
            created_at: rfc3339(row.created_at),
            updated_at: rfc3339(row.updated_at),
            updated_by: row.updated_by.clone(),
        }
    }
}

/// `Forbidden` unless this one may change Contexts; `default` and `override` are for people (featuresd.md §5.1). That a
/// token has `CONTEXTS_WRITE` was seen by whoever made an actor of it.
fn require(actor: &Actor, key: &str) -> Result<()> {
    match actor.kind {
        ActorKind::Token if is_special(key) => {
            Err(Error::Forbidden("default and override are changed by people, not by tokens"))
        }
        ActorKind::Token => Ok(()),
        _ => actor.require(Permission::Change),
    }
}

fn missing(key: &str) -> Error {
    Error::Missing("context_not_found", format!("Context {key}"))
}

/// The types of more features than this are read all at once.
const ONE_BY_ONE: usize = 32;

/// `override` before it was ever written to.
fn untouched(environment: &Environment) -> ContextRow {
    ContextRow {
        key: OVERRIDE.into(),
        description: String::new(),
        version: 1,
        prototypes: Vec::new(),
        values: Vec::new(),
        created_at: environment.created_at,
        updated_at: environment.created_at,
        updated_by: "system".into(),
    }
}

/// `default`: the features' own values.
fn default_row(conn: &Connection, environment: &Environment) -> Result<ContextRow> {
    let (mut updated_at, mut updated_by) = (environment.created_at, "system".to_owned());
    let mut values = Vec::new();
    for feature in store::features::defaults(conn, environment.id)? {
        if feature.updated_at > updated_at {
            (updated_at, updated_by) = (feature.updated_at, feature.updated_by);
        }
        values.extend(feature.value.map(|value| (feature.key, value)));
    }
    Ok(ContextRow {
        key: DEFAULT.into(),
        version: environment.revision,
        values,
        updated_at,
        updated_by,
        ..untouched(environment)
    })
}

/// One Context, `override` and `default` included. `context_not_found` when there is none of that key.
fn find(conn: &Connection, environment: &Environment, key: &str) -> Result<ContextRow> {
    match key {
        DEFAULT => default_row(conn, environment),
        OVERRIDE => {
            Ok(store::contexts::find(conn, environment.id, key)?.unwrap_or_else(|| untouched(environment)))
        }
        _ => store::contexts::find(conn, environment.id, key)?.ok_or_else(|| missing(key)),
    }
}

fn view(conn: &Connection, environment: &Environment, row: &ContextRow) -> Result<View> {
    let keys = row.values.iter().map(|(key, _)| key.as_str());
    Ok(View::of(row, &kinds(conn, environment, keys)?))
}

fn kinds<'k>(
    conn: &Connection,
    environment: &Environment,
    keys: impl Iterator<Item = &'k str>,
) -> Result<Kinds> {
    let keys: Vec<&str> = keys.collect();
    if keys.len() > ONE_BY_ONE {
        let all = store::features::ids(conn, environment.id)?;
        let named = keys.iter().filter_map(|key| Some(((*key).to_owned(), all.get(*key)?.1)));
        return Ok(named.collect());
    }
    let mut kinds = Kinds::new();
    for key in keys {
        if !kinds.contains_key(key)
            && let Some(kind) = store::features::kind_of(conn, environment.id, key)?
        {
            kinds.insert(key.to_owned(), kind.kind);
        }
    }
    Ok(kinds)
}

/// A Context as it is stored.
pub fn get(conn: &Connection, site: &str, environment: &str, key: &str) -> Result<View> {
    let (_, environment) = scope(conn, site, environment)?;
    let row = find(conn, &environment, key)?;
    view(conn, &environment, &row)
}

/// Some Contexts by key; those that are gone are left out.
pub fn some(conn: &Connection, environment: &Environment, keys: &[String]) -> Result<Vec<View>> {
    let mut views = Vec::with_capacity(keys.len());
    for key in keys {
        match find(conn, environment, key) {
            Ok(row) => views.push(view(conn, environment, &row)?),
            Err(Error::Missing(..)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(views)
}

/// A Context to make. Members that the server keeps may stand beside it and are ignored.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "key": "team:red", "prototypes": ["team:blue"], "features": {"greeting": "Hello, red team"}
}))]
pub struct NewContext {
    /// 1 to 200 of `A-Z a-z 0-9 . _ - : @ + ~`, beginning with a letter or digit.
    #[schema(min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9][A-Za-z0-9._:@+~-]*$")]
    pub key: String,
    /// Keys of other Contexts, in the order in which they are asked.
    #[schema(max_items = 32)]
    pub prototypes: Option<Vec<String>>,
    /// By feature key: the value as text, or as the natural JSON literal.
    pub features: Option<BTreeMap<String, Json>>,
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// Why, for the audit log.
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
}

/// A Context as it shall be, whole.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"prototypes": [], "features": {"greeting": "Good morning"}}))]
pub struct WholeContext {
    /// May only repeat what the path says.
    pub key: Option<String>,
    #[schema(max_items = 32)]
    pub prototypes: Vec<String>,
    pub features: BTreeMap<String, Json>,
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// Why, for the audit log.
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
}

/// Changes to a Context. What is left out stays; in `features`, what is named is set, and `null` removes it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"features": {"greeting": "Hej", "search_limit": null}}))]
pub struct ContextChange {
    /// May only repeat what the path says.
    pub key: Option<String>,
    /// Replaces the list.
    #[schema(max_items = 32)]
    pub prototypes: Option<Vec<String>>,
    pub features: Option<BTreeMap<String, Json>>,
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// Why, for the audit log.
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
}

/// One value of a Context.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"value": "Hej"}))]
pub struct NewValue {
    /// As text, or as the natural JSON literal.
    pub value: Json,
    /// Why, for the audit log.
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
}

const KEPT: [&str; 4] = ["version", "createdAt", "updatedAt", "updatedBy"];

/// What a request wants of a Context. `None` keeps what is there.
#[derive(Debug, Default, Clone)]
pub struct Edit {
    pub prototypes: Option<Vec<String>>,
    /// `None` as a value removes it.
    pub features: Vec<(String, Option<Json>)>,
    /// Drop every value that `features` does not name.
    pub whole: bool,
    pub description: Option<String>,
    pub reason: String,
    /// Make prototypes that do not exist (featuresd.md §6.3).
    pub make_missing: bool,
}

impl Edit {
    /// Reads the members of a body. `nulls`: whether `null` removes a value, or is one that is wrong.
    fn decode(object: &mut Object<'_>, nulls: bool, problems: &mut Problems) -> Option<Self> {
        object.ignore(&KEPT);
        let prototypes = match object.take_value("prototypes") {
            Some(node) => node.strings(usize::MAX, problems).map(Some),
            None => Some(None),
        };
        let features = match object.take_value("features") {
            Some(node) => node.object(problems).map(|object| {
                let entries = object.rest().into_iter();
                entries
                    .map(|(key, node)| {
                        (key, (!(nulls && node.is_null())).then(|| Json::compacted(node.text())))
                    })
                    .collect()
            }),
            None => Some(Vec::new()),
        };
        let description = match object.has("description") {
            true => text(object, "description", None, 1000, problems).map(Some),
            false => Some(None),
        };
        let reason = text(object, "reason", None, 1000, problems);
        Some(Self {
            prototypes: prototypes?,
            features: features?,
            whole: false,
            description: description?,
            reason: reason?,
            make_missing: false,
        })
    }
}

fn same_key(object: &mut Object<'_>, key: &str, problems: &mut Problems) {
    if let Some(node) = object.take_value("key")
        && node.string(problems).is_some_and(|given| given != key)
    {
        problems.add(&node.path, "is fixed once made");
    }
}

/// Makes a Context. Body: [`NewContext`].
pub fn create(app: &App, actor: &Actor, site: &str, environment: &str, body: &str) -> Result<View> {
    let (key, edit) = read_body(body, |object, problems| {
        let key = object.require("key", problems).and_then(|node| node.string(problems));
        let edit = Edit::decode(object, false, problems);
        Some((key?, edit?))
    })?;
    require(actor, &key)?;
    let target = Target { site: site.into(), environment: environment.into(), key, expected: None };
    Ok(apply(app, actor, &target, &edit, Want::New)?.0)
}

/// The same for what is not JSON.
pub fn make(app: &App, actor: &Actor, target: &Target, edit: &Edit) -> Result<View> {
    require(actor, &target.key)?;
    Ok(apply(app, actor, target, edit, Want::New)?.0)
}

/// Makes a Context or replaces it whole; also whether it was made. Body: [`WholeContext`].
pub fn replace(app: &App, actor: &Actor, target: &Target, body: &str) -> Result<(View, bool)> {
    require(actor, &target.key)?;
    let edit = read_body(body, |object, problems| {
        same_key(object, &target.key, problems);
        let given = ["prototypes", "features"].map(|name| {
            if !object.has(name) {
                problems.add(name, "is required");
            }
            object.has(name)
        });
        let edit = Edit::decode(object, false, problems)?;
        (given == [true, true]).then_some(Edit {
            whole: true,
            prototypes: Some(edit.prototypes.unwrap_or_default()),
            description: Some(edit.description.unwrap_or_default()),
            ..edit
        })
    })?;
    apply(app, actor, target, &edit, Want::Any)
}

/// Changes a Context. Body: [`ContextChange`].
pub fn update(app: &App, actor: &Actor, target: &Target, body: &str) -> Result<View> {
    require(actor, &target.key)?;
    let edit = read_body(body, |object, problems| {
        same_key(object, &target.key, problems);
        Edit::decode(object, true, problems)
    })?;
    change(app, actor, target, &edit)
}

/// The same for what is not JSON.
pub fn change(app: &App, actor: &Actor, target: &Target, edit: &Edit) -> Result<View> {
    require(actor, &target.key)?;
    Ok(apply(app, actor, target, edit, Want::Existing)?.0)
}

/// Makes a Context, or merges this into the one that is there; also whether it was made (featuresd.md §6.3).
pub fn merge(app: &App, actor: &Actor, target: &Target, edit: &Edit) -> Result<(View, bool)> {
    require(actor, &target.key)?;
    apply(app, actor, target, edit, Want::Any)
}

/// Sets one value. `feature_not_found` when there is no such feature. Body: [`NewValue`].
pub fn set_value(app: &App, actor: &Actor, target: &Target, feature: &str, body: &str) -> Result<View> {
    require(actor, &target.key)?;
    let (value, reason) = read_body(body, |object, problems| {
        let value = object.take("value");
        if value.is_none() {
            problems.add("value", "is required");
        }
        let reason = text(object, "reason", None, 1000, problems);
        Some((Json::compacted(value?.text()), reason?))
    })?;
    let edit = Edit { features: vec![(feature.to_owned(), Some(value))], reason, ..Edit::default() };
    apply(app, actor, target, &edit, Want::Value(feature)).map(|(view, _)| view)
}

/// Removes one value; that it was not there is fine.
pub fn remove_value(app: &App, actor: &Actor, target: &Target, feature: &str, reason: &str) -> Result<()> {
    require(actor, &target.key)?;
    let edit =
        Edit { features: vec![(feature.to_owned(), None)], reason: reason.to_owned(), ..Edit::default() };
    apply(app, actor, target, &edit, Want::Value(feature)).map(drop)
}

/// What must be there before.
#[derive(Clone, Copy, PartialEq)]
enum Want<'a> {
    /// Nothing of that key.
    New,
    Existing,
    /// The Context, and this feature.
    Value(&'a str),
    Any,
}

fn apply(app: &App, actor: &Actor, target: &Target, edit: &Edit, want: Want<'_>) -> Result<(View, bool)> {
    let written = app.write(actor, |tx| {
        let (site, environment) = scope(tx, &target.site, &target.environment)?;
        require_writable(&environment)?;
        if let Want::Value(feature) = want
            && !store::features::exists(tx, environment.id, feature)?
        {
            return Err(Error::Missing("feature_not_found", format!("feature {feature}")));
        }
        let key = target.key.as_str();
        let before = match find(tx, &environment, key) {
            Ok(row) => Some(row),
            Err(Error::Missing(..)) => None,
            Err(error) => return Err(error),
        };
        match (want, &before) {
            (Want::New, Some(_)) => {
                return Err(Error::conflict("context_exists", format!("there is a Context {key} already")));
            }
            (Want::Existing | Want::Value(_), None) => return Err(missing(key)),
            _ => {}
        }
        if let Some(expected) = target.expected
            && before.as_ref().is_none_or(|before| before.version != expected)
        {
            return Err(Error::VersionConflict(before.map_or(0, |before| before.version)));
        }
        let mut scene = Scene { app, tx, site: &site, environment: &environment };
        let (row, changes) = scene.save(key, before.as_ref(), edit)?;
        Ok(Written { value: (view(tx, &environment, &row)?, before.is_none()), changes })
    });
    if written.is_ok() {
        app.metrics.context_written(match want {
            Want::New => "create",
            Want::Existing => "update",
            Want::Value(_) => "value",
            Want::Any => "replace",
        });
    }
    written
}

/// Where something is written.
pub(super) struct Scene<'a> {
    pub app: &'a App,
    pub tx: &'a Tx<'a>,
    pub site: &'a Site,
    pub environment: &'a Environment,
}

impl Scene<'_> {
    /// Checks an edit against everything around it, and writes it. Nothing to be told where nothing differs.
    fn save(
        &mut self,
        key: &str,
        before: Option<&ContextRow>,
        edit: &Edit,
    ) -> Result<(ContextRow, Vec<Change>)> {
        let (tx, environment) = (self.tx, self.environment);
        let mut changes = Vec::new();
        if edit.make_missing {
            changes.extend(self.make_missing(key, edit.prototypes.as_deref().unwrap_or_default())?);
        }
        let mut faults = Faults::default();
        let draft = Draft { key, new: before.is_none(), prototypes: edit.prototypes.as_deref() };
        draft.check(tx, environment.id, &mut faults)?;
        let Checked { values, ids } = check::values(tx, environment.id, &edit.features, &mut faults)?;
        let mut after: BTreeMap<String, Json> = match before {
            Some(before) if !edit.whole => before.values.iter().cloned().collect(),
            _ => BTreeMap::new(),
        };
        for (feature, value) in values {
            match value {
                Some(value) => drop(after.insert(feature, value)),
                None => drop(after.remove(&feature)),
            }
        }
        check::count(key, after.len(), &mut faults);
        if before.is_none() || !changes.is_empty() {
            // With the prototypes that were made.
            let stored = store::contexts::count_all(tx, environment.id)?;
            check::room(self.app.config.max_contexts, stored + u64::from(before.is_none()), &mut faults);
        }
        faults.into_result()?;
        if key == DEFAULT {
            let changed = self.save_default(before, &after, &edit.reason)?;
            changes.extend(changed);
            let revision = environment.revision + u64::from(!changes.is_empty());
            let row = ContextRow { version: revision, ..default_row(tx, environment)? };
            return Ok((row, changes));
        }
        let row = ContextRow {
            key: key.to_owned(),
            description: edit
                .description
                .clone()
                .unwrap_or_else(|| before.map(|before| before.description.clone()).unwrap_or_default()),
            version: before.map_or(1, |before| before.version + 1),
            prototypes: edit
                .prototypes
                .clone()
                .unwrap_or_else(|| before.map(|before| before.prototypes.clone()).unwrap_or_default()),
            values: after.into_iter().collect(),
            created_at: before.map_or(tx.now, |before| before.created_at),
            updated_at: tx.now,
            updated_by: tx.actor.name.clone(),
        };
        if let Some(before) = before
            && same(before, &row)
        {
            return Ok((before.clone(), changes));
        }
        let mut ids = ids;
        for (feature, _) in &row.values {
            if !ids.contains_key(feature)
                && let Some(kind) = store::features::kind_of(tx, environment.id, feature)?
            {
                ids.insert(feature.clone(), kind.id);
            }
        }
        store::contexts::put(tx, environment.id, &row, &ids)?;
        changes.push(self.change(before, Some(&row), &edit.reason)?);
        Ok((row, changes))
    }

    /// Makes the prototypes that do not exist, empty.
    fn make_missing(&self, key: &str, prototypes: &[String]) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        let mut seen = HashSet::new();
        for prototype in prototypes {
            let is_name = crate::engine::document::is_context_key(prototype) && !is_special(prototype);
            if !is_name || prototype == key || !seen.insert(prototype) {
                continue;
            }
            if !store::contexts::exists(self.tx, self.environment.id, prototype)? {
                let row = empty(prototype, self.tx.now, &self.tx.actor.name);
                store::contexts::put(self.tx, self.environment.id, &row, &HashMap::new())?;
                changes.push(self.change(None, Some(&row), "")?);
            }
        }
        Ok(changes)
    }

    /// Writes the default values of features that differ.
    fn save_default(
        &self,
        before: Option<&ContextRow>,
        after: &BTreeMap<String, Json>,
        reason: &str,
    ) -> Result<Vec<Change>> {
        let old: BTreeMap<&str, &Json> = before
            .into_iter()
            .flat_map(|before| &before.values)
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        let mut keys: Vec<&str> = old.keys().copied().chain(after.keys().map(String::as_str)).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut changes = Vec::new();
        for key in keys {
            if old.get(key).copied() == after.get(key) {
                continue;
            }
            let row = store::features::find(self.tx, self.environment.id, key)?;
            let definition =
                Definition { default_value: after.get(key).cloned(), ..row.stored.definition.clone() };
            let locked = row.stored.locked;
            let (_, change) = features::save(self.tx, self.site, self.environment, &row, definition, locked)?;
            changes.extend(change.map(|mut change| {
                change.summary = with_reason(change.summary, reason);
                change
            }));
        }
        Ok(changes)
    }

    /// The audit entry of one Context, with values as text.
    fn change(
        &self,
        before: Option<&ContextRow>,
        after: Option<&ContextRow>,
        reason: &str,
    ) -> Result<Change> {
        let keys = [before, after].into_iter().flatten().flat_map(|row| &row.values);
        let kinds = kinds(self.tx, self.environment, keys.map(|(key, _)| key.as_str()))?;
        Ok(change_of(self.site, self.environment, &kinds, before, after, reason))
    }
}

fn empty(key: &str, now: Millis, by: &str) -> ContextRow {
    ContextRow {
        key: key.to_owned(),
        description: String::new(),
        version: 1,
        prototypes: Vec::new(),
        values: Vec::new(),
        created_at: now,
        updated_at: now,
        updated_by: by.to_owned(),
    }
}

fn with_reason(summary: String, reason: &str) -> String {
    if reason.is_empty() { summary } else { format!("{summary} (reason: {reason})") }
}

fn same(a: &ContextRow, b: &ContextRow) -> bool {
    (&a.description, &a.prototypes, &a.values) == (&b.description, &b.prototypes, &b.values)
}

/// What differs, values as text.
fn differences(before: &View, after: &View) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut add = |field: String, before: Option<Json>, after: Option<Json>| {
        if before != after {
            found.push(Difference { field, before, after });
        }
    };
    add("description".into(), Json::of(&before.description), Json::of(&after.description));
    add("prototypes".into(), Json::of(&before.prototypes), Json::of(&after.prototypes));
    let mut keys: Vec<&String> = before.features.keys().chain(after.features.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let side = |view: &View| view.features.get(key).and_then(Json::of);
        add(format!("features.{key}"), side(before), side(after));
    }
    found
}

/// A Context as a change records it.
#[derive(Serialize)]
pub struct Recorded<'a> {
    pub key: &'a str,
    pub description: &'a str,
    pub prototypes: &'a [String],
    pub features: &'a BTreeMap<String, String>,
    pub version: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: &'a str,
}

fn change_of(
    site: &Site,
    environment: &Environment,
    kinds: &Kinds,
    before: Option<&ContextRow>,
    after: Option<&ContextRow>,
    reason: &str,
) -> Change {
    let views = [before, after].map(|row| row.map(|row| View::of(row, kinds)));
    let json = |view: &View, reason: &str| {
        Json::of(&Recorded {
            key: &view.key,
            description: &view.description,
            prototypes: &view.prototypes,
            features: &view.features,
            version: view.version,
            reason,
        })
    };
    let key = after.or(before).map(|row| row.key.clone()).unwrap_or_default();
    let (action, event) = match (before, after) {
        (None, _) => ("created", "context.created"),
        (_, None) => ("deleted", "context.deleted"),
        _ => ("updated", "context.updated"),
    };
    let summary = match &views {
        [Some(before), Some(after)] => {
            format!("Context {key}: {}", diff::summary(&differences(before, after)))
        }
        _ => format!("Context {key} {action}"),
    };
    Change {
        site: Some(site.uuid.clone()),
        environment: Some(environment.uuid.clone()),
        entity: "context",
        entity_id: key.clone(),
        entity_key: key.clone(),
        action,
        summary: with_reason(summary, reason),
        feature: None,
        touched: Touched::Contexts {
            environment: environment.id,
            contexts: Some(vec![key]),
            features: Vec::new(),
        },
        before: views[0].as_ref().and_then(|view| json(view, "")),
        after: views[1].as_ref().and_then(|view| json(view, reason)),
        event: Some(event),
    }
}

/// Dependants shown when a Context is still in use.
const SHOWN: u64 = 20;

/// Deletes a Context. `context_in_use` while others inherit from it, unless `detach` takes it out of their lists.
pub fn delete(app: &App, actor: &Actor, target: &Target, detach: bool) -> Result<()> {
    require(actor, &target.key)?;
    let key = target.key.as_str();
    if is_special(key) {
        return Err(Error::conflict("reserved_context", format!("{key} is always there")));
    }
    let deleted = app.write(actor, |tx| {
        let (site, environment) = scope(tx, &target.site, &target.environment)?;
        require_writable(&environment)?;
        let before = store::contexts::find(tx, environment.id, key)?.ok_or_else(|| missing(key))?;
        if let Some(expected) = target.expected
            && before.version != expected
        {
            return Err(Error::VersionConflict(before.version));
        }
        let dependants = store::contexts::count_children(tx, environment.id, key)?;
        if dependants > 0 && !detach {
            let first = store::contexts::children(tx, environment.id, key, None, SHOWN)?;
            return Err(Error::Conflict(
                "context_in_use",
                format!("{dependants} Contexts inherit from {key}; detach=true takes it out of their lists"),
                json!({ "dependants": first, "total": dependants }),
            ));
        }
        let scene = Scene { app, tx, site: &site, environment: &environment };
        let mut changes = scene.detach(key)?;
        store::contexts::delete(tx, environment.id, key)?;
        changes.push(scene.change(Some(&before), None, "")?);
        Ok(Written { value: (), changes })
    });
    if deleted.is_ok() {
        app.metrics.context_written("delete");
    }
    deleted
}

impl Scene<'_> {
    /// Takes a Context out of the lists of all that inherit from it.
    fn detach(&self, key: &str) -> Result<Vec<Change>> {
        let id = self.environment.id;
        let mut changes = Vec::new();
        for child in store::contexts::children(self.tx, id, key, None, u64::MAX >> 1)? {
            let Some(before) = store::contexts::find(self.tx, id, &child)? else { continue };
            let mut after = ContextRow {
                version: before.version + 1,
                updated_at: self.tx.now,
                updated_by: self.tx.actor.name.clone(),
                ..before.clone()
            };
            after.prototypes.retain(|prototype| prototype != key);
            store::contexts::put_prototypes(self.tx, id, &after)?;
            changes.push(self.change(Some(&before), Some(&after), "")?);
        }
        Ok(changes)
    }
}

/// Makes a feature without a default under a name and a type of stored Contexts; one that is there with that type is
/// fine. Also whether it was made. `feature_exists` when it has another type (featuresd.md §6.3).
pub fn make_feature(
    app: &App,
    actor: &Actor,
    site: &str,
    environment: &str,
    key: &str,
    kind: &str,
) -> Result<(Definition, bool)> {
    require(actor, "")?;
    let body = json!({ "key": key, "type": kind }).to_string();
    let definition =
        read_body(&body, |object, problems| Definition::decode(object, None, problems).definition)?;
    app.write(actor, |tx| {
        let (site, environment) = scope(tx, site, environment)?;
        require_writable(&environment)?;
        match store::features::find(tx, environment.id, key) {
            Ok(row) => {
                let there = row.stored.definition;
                if there.context_type() != definition.context_type() {
                    let message =
                        format!("there is a feature {key} of type {} already", there.context_type());
                    return Err(Error::conflict("feature_exists", message));
                }
                Ok(Written::nothing((there, false)))
            }
            Err(Error::NotFound(_)) => {
                let (feature, change) = features::insert(tx, &site, &environment, definition, false)?;
                Ok(Written::one((feature.definition, true), change))
            }
            Err(error) => Err(error),
        }
    })
}
