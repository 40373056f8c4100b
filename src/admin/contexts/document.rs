//! All Contexts of an environment as one document: exported, planned, applied in one transaction (featuresd.md §6.5).

use std::collections::{BTreeMap, HashMap};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::check::{self, Faults};
use super::{Kinds, Scene, View, differences, same};
use crate::admin::documents::{Mode, Plan};
use crate::admin::{features, require_writable, scope};
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::engine::decode::{Node, Problems, child};
use crate::engine::document::context_text;
use crate::engine::feature::{Definition, is_key, text};
use crate::engine::lookup::is_special;
use crate::engine::permission::Permission;
use crate::engine::snapshot::{DEFAULT, OVERRIDE};
use crate::engine::value::{FeatureType, Json};
use crate::error::{self, Error, Result};
use crate::ids::FeatureId;
use crate::store;
use crate::store::contexts::ContextRow;

/// Every Context of an environment, and the types of the features they speak of. YAML of the same shape is equivalent.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Document {
    /// Feature key and type as Contexts say it: `flag`, `number`, `integer`, `string`, `json`.
    pub features: BTreeMap<String, String>,
    pub contexts: BTreeMap<String, Entry>,
}

/// One Context of a document.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Entry {
    pub description: String,
    pub prototypes: Vec<String>,
    /// As written.
    pub features: BTreeMap<String, Json>,
}

/// The shape of a document of Contexts, for the description of the API.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContextsDocument, example = json!({
    "version": 1, "features": {"seats": {"type": "integer"}},
    "contexts": {
        "default": {"features": {"seats": "3"}},
        "org-nordic": {"features": {"seats": "50"}},
        "team-blue": {"prototypes": ["org-nordic"]}
    }
}))]
pub struct Shape {
    /// 1
    #[schema(minimum = 1, maximum = 1)]
    pub version: u64,
    /// The features that Contexts speak of; those that do not exist are made.
    #[schema(required = false)]
    pub features: Option<BTreeMap<String, ShapeFeature>>,
    /// By key; `default` holds the features' default values.
    #[schema(required = false)]
    pub contexts: Option<BTreeMap<String, ShapeContext>>,
}

/// A feature in a document of Contexts.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContextsDocumentFeature)]
pub struct ShapeFeature {
    /// `flag`, `number`, `integer`, `string` or `json`.
    #[schema(rename = "type")]
    pub kind: String,
}

/// A Context in a document of Contexts.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContextsDocumentEntry)]
pub struct ShapeContext {
    pub description: Option<String>,
    pub prototypes: Option<Vec<String>>,
    pub features: Option<BTreeMap<String, Json>>,
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &1)?;
        let features: BTreeMap<&String, Value> =
            self.features.iter().map(|(key, kind)| (key, json!({ "type": kind }))).collect();
        map.serialize_entry("features", &features)?;
        map.serialize_entry("contexts", &self.contexts)?;
        map.end()
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.description.is_empty() {
            map.serialize_entry("description", &self.description)?;
        }
        if !self.prototypes.is_empty() {
            map.serialize_entry("prototypes", &self.prototypes)?;
        }
        map.serialize_entry("features", &self.features)?;
        map.end()
    }
}

/// Reads a document from JSON text; all problems of its shape at once.
pub fn read(json: &str) -> Result<Document> {
    let node = crate::admin::parse(json)?;
    let mut problems = Problems::default();
    let document = decode(&node, &mut problems);
    if !node.is_object() {
        return Err(Error::BadJson("the document must be an object".into()));
    }
    error::check(problems)?;
    document.ok_or_else(|| Error::invalid("", "cannot be read"))
}

fn decode(node: &Node<'_>, problems: &mut Problems) -> Option<Document> {
    let mut object = node.object(problems)?;
    if let Some(version) = object.require("version", problems)
        && version.text() != "1"
    {
        problems.add("version", "must be 1");
    }
    let mut document = Document::default();
    if let Some(features) = object.take_value("features").and_then(|node| node.object(problems)) {
        for (key, node) in features.rest() {
            let Some(mut feature) = node.object(problems) else { continue };
            let kind = feature.require("type", problems).and_then(|node| {
                let kind = node.string(problems)?;
                let known = matches!(kind.as_str(), "flag" | "number" | "integer" | "string" | "json");
                if !known {
                    problems.add(&node.path, "must be one of flag, number, integer, string, json");
                }
                Some(kind)
            });
            feature.finish(problems);
            if !is_key(&key) {
                problems.add(&node.path, crate::engine::feature::KEY_RULE);
            }
            document.features.extend(kind.map(|kind| (key, kind)));
        }
    }
    if let Some(contexts) = object.take_value("contexts").and_then(|node| node.object(problems)) {
        for (key, node) in contexts.rest() {
            document.contexts.extend(read_entry(&node, problems).map(|entry| (key, entry)));
        }
    }
    object.finish(problems);
    Some(document)
}

fn read_entry(node: &Node<'_>, problems: &mut Problems) -> Option<Entry> {
    // `team-blue:` with nothing behind it says that there is one.
    if node.is_null() {
        return Some(Entry::default());
    }
    let mut object = node.object(problems)?;
    let description = text(&mut object, "description", None, 1000, problems);
    let prototypes = match object.take_value("prototypes") {
        Some(node) => node.strings(usize::MAX, problems),
        None => Some(Vec::new()),
    };
    let features = match object.take_value("features") {
        Some(node) => node.object(problems).map(|object| {
            object.rest().into_iter().map(|(key, node)| (key, Json::compacted(node.text()))).collect()
        }),
        None => Some(BTreeMap::new()),
    };
    object.finish(problems);
    Some(Entry { description: description?, prototypes: prototypes?, features: features? })
}

/// Everything that Contexts of an environment say.
pub fn export(app: &App, actor: &Actor, site: &str, environment: &str) -> Result<Document> {
    actor.require(Permission::Read)?;
    app.read_consistent(|conn| {
        let (_, environment) = scope(conn, site, environment)?;
        let mut document = Document::default();
        let mut default = Entry::default();
        let mut kinds: HashMap<String, FeatureType> = HashMap::new();
        for row in store::features::all(conn, environment.id)? {
            let feature = row.stored.definition;
            if let Some(value) = &feature.default_value {
                default.features.extend(as_text(feature.kind, value).map(|text| (feature.key.clone(), text)));
            }
            document.features.insert(feature.key.clone(), feature.context_type().to_owned());
            kinds.insert(feature.key, feature.kind);
        }
        document.contexts.insert(DEFAULT.into(), default);
        for context in store::contexts::all(conn, environment.id)? {
            if context.key == OVERRIDE && context.values.is_empty() && context.description.is_empty() {
                continue;
            }
            let kind = |key: &str| kinds.get(key).copied().unwrap_or(FeatureType::Json);
            let values = context.values.iter();
            let entry = Entry {
                features: values
                    .filter_map(|(key, value)| Some((key.clone(), as_text(kind(key), value)?)))
                    .collect(),
                description: context.description,
                prototypes: context.prototypes,
            };
            document.contexts.insert(context.key, entry);
        }
        Ok(document)
    })
}

fn as_text(kind: FeatureType, value: &Json) -> Option<Json> {
    Json::of(&context_text(kind, value.as_str()))
}

/// Applies a document, or in a dry run tells what that would do. One transaction, one revision, one audit entry beside
/// those of features that got another default.
pub fn import(
    app: &App,
    actor: &Actor,
    site: &str,
    environment: &str,
    document: &Document,
    mode: Mode,
    dry_run: bool,
) -> Result<Plan> {
    actor.require(Permission::Change)?;
    let apply = |tx: &Tx<'_>| {
        let (site, environment) = scope(tx, site, environment)?;
        require_writable(&environment)?;
        let mut import = Import {
            scene: Scene { app, tx, site: &site, environment: &environment },
            document,
            plan: Plan { dry_run, ..Plan::default() },
            changes: Vec::new(),
            faults: Faults::default(),
            kinds: HashMap::new(),
        };
        import.run(mode)?;
        Ok(Written { value: import.plan, changes: import.changes })
    };
    if dry_run {
        return app.rehearse(actor, apply);
    }
    let plan = app.write(actor, apply)?;
    app.metrics.context_written("import");
    Ok(plan)
}

struct Import<'a> {
    scene: Scene<'a>,
    document: &'a Document,
    plan: Plan,
    changes: Vec<Change>,
    faults: Faults,
    kinds: HashMap<String, (FeatureId, FeatureType, bool)>,
}

impl Import<'_> {
    fn run(&mut self, mode: Mode) -> Result<()> {
        let (tx, id) = (self.scene.tx, self.scene.environment.id);
        let before: BTreeMap<String, ContextRow> =
            store::contexts::all(tx, id)?.into_iter().map(|row| (row.key.clone(), row)).collect();
        self.features()?;
        let gone: Vec<&ContextRow> = before
            .values()
            .filter(|row| mode == Mode::Replace && row.key != OVERRIDE)
            .filter(|row| !self.document.contexts.contains_key(&row.key))
            .collect();
        let rows = self.rows(&before, &gone)?;
        let ordinary = before.keys().filter(|key| *key != OVERRIDE).count();
        let made = rows.iter().filter(|row| row.key != OVERRIDE && !before.contains_key(&row.key)).count();
        check::room(
            self.scene.app.config.max_contexts,
            (ordinary + made).saturating_sub(gone.len()) as u64,
            &mut self.faults,
        );
        std::mem::take(&mut self.faults).into_result()?;
        self.default()?;
        let ids: HashMap<String, FeatureId> =
            self.kinds.iter().map(|(key, (id, ..))| (key.clone(), *id)).collect();
        let kinds: Kinds = self.kinds.iter().map(|(key, (_, kind, _))| (key.clone(), *kind)).collect();
        let mut touched = Vec::new();
        for row in &rows {
            match before.get(&row.key) {
                Some(old) if same(old, row) => {
                    self.plan.unchanged += 1;
                    continue;
                }
                Some(old) => {
                    let found = differences(&View::of(old, &kinds), &View::of(row, &kinds));
                    self.plan.compared(path(&row.key), found);
                }
                None => self.plan.created(path(&row.key)),
            }
            store::contexts::put(tx, id, row, &ids)?;
            touched.push(row.key.clone());
        }
        for row in gone {
            store::contexts::delete(tx, id, &row.key)?;
            self.plan.deleted(path(&row.key));
            touched.push(row.key.clone());
        }
        if !touched.is_empty() {
            self.changes.push(self.change(touched));
        }
        Ok(())
    }

    /// Makes the features that do not exist yet; one of another type is a problem.
    fn features(&mut self) -> Result<()> {
        let Scene { tx, site, environment, .. } = self.scene;
        self.kinds = store::features::ids(tx, environment.id)?;
        for (key, kind) in &self.document.features {
            if let Some((_, there, integer)) = self.kinds.get(key) {
                let there = if *integer { "integer" } else { there.context_type() };
                if there != kind {
                    let message = format!("is {there} in this environment, not {kind}");
                    self.faults.add("type_conflict", format!("features.{key}.type"), message);
                }
                continue;
            }
            let body = json!({ "key": key, "type": kind }).to_string();
            let mut problems = Problems::default();
            let definition = Node::parse(&body)
                .ok()
                .and_then(|node| node.object(&mut problems))
                .and_then(|mut object| Definition::decode(&mut object, None, &mut problems).definition);
            let Some(definition) = definition else { continue };
            let (_, change) = features::insert(tx, site, environment, definition, false)?;
            self.changes.push(change);
            self.plan.created(format!("features/{key}"));
        }
        self.kinds = store::features::ids(tx, environment.id)?;
        Ok(())
    }

    /// The Contexts as they shall be, but `default`; what is wrong with them is noted.
    fn rows(
        &mut self,
        before: &BTreeMap<String, ContextRow>,
        gone: &[&ContextRow],
    ) -> Result<Vec<ContextRow>> {
        let mut prototypes: HashMap<&str, &[String]> =
            before.iter().map(|(key, row)| (key.as_str(), row.prototypes.as_slice())).collect();
        for row in gone {
            prototypes.remove(row.key.as_str());
        }
        for (key, entry) in &self.document.contexts {
            prototypes.insert(key, &entry.prototypes);
        }
        let tx = self.scene.tx;
        let mut rows = Vec::with_capacity(self.document.contexts.len());
        for (key, entry) in &self.document.contexts {
            let path = format!("contexts.{key}");
            check::key(&path, key, &mut self.faults);
            let exists = |key: &str| Ok(prototypes.contains_key(key));
            let field = child(&path, "prototypes");
            check::list(&field, key, &entry.prototypes, exists, &mut self.faults)?;
            let of = |key: &str| Ok(prototypes.get(key).copied().unwrap_or_default().to_vec());
            if let Some(knot) = check::graph(key, &entry.prototypes, of)? {
                knot.note(&field, &mut self.faults);
            }
            check::count(key, entry.features.len(), &mut self.faults);
            if key == DEFAULT {
                continue;
            }
            let mut values = Vec::with_capacity(entry.features.len());
            for (feature, written) in &entry.features {
                let kind = self.kinds.get(feature).map(|(_, kind, integer)| (*kind, *integer));
                let field = format!("{path}.features.{feature}");
                let read = check::read(&field, feature, kind, written, &mut self.faults);
                values.extend(read.map(|value| (feature.clone(), value)));
            }
            let old = before.get(key);
            // `override` counts as there before it was ever written to.
            let first = if is_special(key) { 2 } else { 1 };
            rows.push(ContextRow {
                key: key.clone(),
                description: entry.description.clone(),
                version: old.map_or(first, |old| old.version + 1),
                prototypes: entry.prototypes.clone(),
                values,
                created_at: old.map_or(tx.now, |old| old.created_at),
                updated_at: tx.now,
                updated_by: tx.actor.name.clone(),
            });
        }
        Ok(rows)
    }

    /// Sets the default values that the document names; others stay.
    fn default(&mut self) -> Result<()> {
        let Some(entry) = self.document.contexts.get(DEFAULT) else { return Ok(()) };
        let Scene { tx, environment, .. } = self.scene;
        let before = super::default_row(tx, environment)?;
        let mut after: BTreeMap<String, Json> = before.values.iter().cloned().collect();
        for (feature, written) in &entry.features {
            let kind = self.kinds.get(feature).map(|(_, kind, integer)| (*kind, *integer));
            let field = format!("contexts.default.features.{feature}");
            if let Some(value) = check::read(&field, feature, kind, written, &mut self.faults) {
                after.insert(feature.clone(), value);
            }
        }
        std::mem::take(&mut self.faults).into_result()?;
        let kinds: Kinds = self.kinds.iter().map(|(key, (_, kind, _))| (key.clone(), *kind)).collect();
        let row = ContextRow { values: after.clone().into_iter().collect(), ..before.clone() };
        let found = differences(&View::of(&before, &kinds), &View::of(&row, &kinds));
        self.plan.compared(path(DEFAULT), found);
        let changes = self.scene.save_default(Some(&before), &after, "")?;
        self.changes.extend(changes);
        Ok(())
    }

    /// The one audit entry, which lists the parts.
    fn change(&self, touched: Vec<String>) -> Change {
        let Scene { site, environment, .. } = self.scene;
        Change {
            site: Some(site.uuid.clone()),
            environment: Some(environment.uuid.clone()),
            entity: "contexts",
            entity_id: environment.uuid.clone(),
            entity_key: environment.name.clone(),
            action: "imported",
            summary: format!(
                "Contexts imported: {} created, {} updated, {} deleted",
                self.plan.created.len(),
                self.plan.updated.len(),
                self.plan.deleted.len()
            ),
            feature: None,
            touched: Touched::Contexts {
                environment: environment.id,
                contexts: Some(touched),
                features: Vec::new(),
            },
            before: None,
            after: Json::of(&self.plan),
            event: Some("context.imported"),
        }
    }
}

fn path(key: &str) -> String {
    format!("contexts/{key}")
}
