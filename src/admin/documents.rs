//! Site documents: export, and import with a plan. An import is one transaction: everything is checked, then
//! everything is written, or nothing (native-api "Site document").

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::contexts::check::{self, Faults, Knot};
use super::{environments, features, parse, segments, sites};
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::engine::decode::Problems;
use crate::engine::diff::{self, Difference};
use crate::engine::document::{self, Document, context_text, read_context_value};
use crate::engine::feature::{Definition, Segment};
use crate::engine::permission::Permission;
use crate::engine::snapshot::{OVERRIDE, Status};
use crate::engine::value::{FeatureType, Json};
use crate::error::{self, Error, Result};
use crate::ids::FeatureId;
use crate::store;
use crate::store::contexts::ContextRow;
use crate::store::environments::{Environment, New};
use crate::store::features::FeatureRow;
use crate::store::sites::Site;

/// How a document is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, ToSchema)]
#[schema(rename_all = "lowercase", default = "merge")]
pub enum Mode {
    /// Creates and updates.
    Merge,
    /// Also deletes features, segments and Contexts that the named environments have and the document lacks.
    Replace,
}

/// What an import does, or in a dry run would do.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "dryRun": true, "created": [{"path": "environments/prod/features/new_search"}],
    "updated": [{
        "path": "environments/prod/features/new_checkout",
        "differences": [{"field": "rules[Ten percent].rollout.percentage", "before": 10, "after": 20}]
    }],
    "deleted": [], "unchanged": 14
}))]
pub struct Plan {
    /// Whether nothing was written.
    pub dry_run: bool,
    pub created: Vec<PlanEntry>,
    pub updated: Vec<PlanUpdate>,
    pub deleted: Vec<PlanEntry>,
    pub unchanged: u64,
}

/// Something that is made or deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanEntry {
    /// Where it stands, such as `environments/prod/features/new_checkout`.
    pub path: String,
}

/// Something that changes, and how.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanUpdate {
    pub path: String,
    pub differences: Vec<Difference>,
}

impl Plan {
    pub(super) fn created(&mut self, path: String) {
        self.created.push(PlanEntry { path });
    }

    pub(super) fn deleted(&mut self, path: String) {
        self.deleted.push(PlanEntry { path });
    }

    /// Counts an entity as updated, or as unchanged where nothing differs.
    pub(super) fn compared(&mut self, path: String, differences: Vec<Difference>) {
        if differences.is_empty() {
            self.unchanged += 1;
        } else {
            self.updated.push(PlanUpdate { path, differences });
        }
    }

    /// How much is made, changed or deleted.
    fn size(&self) -> usize {
        self.created.len() + self.updated.len() + self.deleted.len()
    }
}

/// A whole site as a document.
pub fn export(app: &App, actor: &Actor, site: &str) -> Result<Document> {
    actor.require(Permission::Read)?;
    app.read_consistent(|conn| {
        let site = store::sites::find(conn, site)?;
        let mut environments = Vec::new();
        for environment in store::environments::list(conn, site.id)? {
            let features: Vec<Definition> = store::features::all(conn, environment.id)?
                .into_iter()
                .map(|row| row.stored.definition)
                .collect();
            let kinds: HashMap<&str, FeatureType> =
                features.iter().map(|feature| (feature.key.as_str(), feature.kind)).collect();
            let contexts = store::contexts::all(conn, environment.id)?
                .into_iter()
                .filter(|context| context.key != OVERRIDE || !context.values.is_empty())
                .map(|context| export_context(context, &kinds))
                .collect();
            environments.push(document::Environment {
                name: environment.name,
                description: environment.description,
                tags: environment.tags,
                status: environment.status,
                user_id_is_context: environment.user_id_is_context,
                features,
                contexts,
            });
        }
        Ok(Document {
            slug: site.slug,
            name: site.name,
            description: site.description,
            segments: store::segments::list(conn, site.id)?.into_iter().map(|row| row.segment).collect(),
            environments,
        })
    })
}

fn export_context(context: ContextRow, kinds: &HashMap<&str, FeatureType>) -> document::Context {
    let text = |key: &str, value: &Json| {
        let kind = kinds.get(key).copied().unwrap_or(FeatureType::Json);
        Json::of(&context_text(kind, value.as_str())).unwrap_or_else(|| value.clone())
    };
    document::Context {
        key: context.key,
        description: context.description,
        prototypes: context.prototypes,
        values: context.values.into_iter().map(|(key, value)| (key.clone(), text(&key, &value))).collect(),
    }
}

/// Reads a document from JSON text; all problems at once.
pub fn read(json: &str) -> Result<Document> {
    let node = parse(json)?;
    if !node.is_object() {
        return Err(Error::BadJson("the document must be an object".into()));
    }
    let mut problems = Problems::default();
    let document = Document::decode(&node, &mut problems);
    error::check(problems)?;
    document.ok_or_else(|| Error::invalid("", "cannot be read"))
}

/// Applies a document, or in a dry run tells what that would do. `within` is the site that a path names: the
/// document must be of that one.
pub fn import(
    app: &App,
    actor: &Actor,
    document: &Document,
    within: Option<&str>,
    mode: Mode,
    dry_run: bool,
) -> Result<Plan> {
    actor.require(Permission::Change)?;
    let apply = |tx: &Tx<'_>| {
        if let Some(within) = within {
            let site = store::sites::find(tx, within)?;
            if site.slug != document.slug {
                return Err(Error::invalid(
                    "site.slug",
                    format!("must be {}, the site of this path", site.slug),
                ));
            }
        }
        let mut import = Import {
            app,
            tx,
            mode,
            plan: Plan { dry_run, ..Plan::default() },
            changes: Vec::new(),
            problems: Problems::default(),
            faults: Faults::default(),
            locked: Vec::new(),
        };
        import.run(document)?;
        Ok(Written { value: import.plan, changes: import.changes })
    };
    if dry_run { app.rehearse(actor, apply) } else { app.write(actor, apply) }
}

struct Import<'a> {
    app: &'a App,
    tx: &'a Tx<'a>,
    mode: Mode,
    plan: Plan,
    changes: Vec<Change>,
    /// What does not fit, collected to the end: what was written until then is taken back.
    problems: Problems,
    /// What a look-up would refuse.
    faults: Faults,
    /// The paths of locked features that differ.
    locked: Vec<String>,
}

impl Import<'_> {
    fn run(&mut self, document: &Document) -> Result<()> {
        let site = self.site(document)?;
        let segments = self.segments(&site, &document.segments)?;
        let known: HashSet<String> = segments.iter().map(|segment| segment.key.clone()).collect();
        self.check_features(document, &known);
        let existing = store::environments::list(self.tx, site.id)?;
        let more =
            document.environments.iter().filter(|e| !existing.iter().any(|old| old.name == e.name)).count();
        environments::require_room(self.app, self.tx, &site, more)?;
        for (at, environment) in document.environments.iter().enumerate() {
            self.environment(&site, environment, &format!("environments[{at}]"))?;
        }
        error::check(std::mem::take(&mut self.problems))?;
        std::mem::take(&mut self.faults).into_result()?;
        if !self.locked.is_empty() {
            let message = format!("unlock first: {}", self.locked.join(", "));
            return Err(Error::Conflict("locked", message, json!({ "paths": self.locked })));
        }
        if self.mode == Mode::Replace {
            self.drop_segments(&site, &document.segments)?;
        }
        if self.plan.size() > 0 {
            let summary = format!(
                "document imported: {} created, {} updated, {} deleted",
                self.plan.created.len(),
                self.plan.updated.len(),
                self.plan.deleted.len()
            );
            self.changes.push(sites::change(&site, "imported", summary, None, None));
        }
        Ok(())
    }

    fn site(&mut self, document: &Document) -> Result<Site> {
        let path = "site".to_owned();
        if !store::sites::slug_taken(self.tx, &document.slug)? {
            let (site, changes) =
                sites::insert(self.tx, &document.slug, &document.name, &document.description)?;
            self.changes.extend(changes);
            self.plan.created(path);
            return Ok(site);
        }
        let before = store::sites::find(self.tx, &document.slug)?;
        let after =
            Site { name: document.name.clone(), description: document.description.clone(), ..before.clone() };
        let differences = texts(&[
            ("name", &before.name, &after.name),
            ("description", &before.description, &after.description),
        ]);
        self.plan.compared(path, differences);
        let written = sites::save(self.tx, &before, after)?;
        self.changes.extend(written.changes);
        Ok(written.value)
    }

    /// Creates and updates segments; gives all that the site has then.
    fn segments(&mut self, site: &Site, wanted: &[Segment]) -> Result<Vec<Segment>> {
        let before = store::segments::list(self.tx, site.id)?;
        let mut all: Vec<Segment> = before
            .iter()
            .filter(|row| !wanted.iter().any(|segment| segment.key == row.segment.key))
            .filter(|_| self.mode == Mode::Merge)
            .map(|row| row.segment.clone())
            .collect();
        all.extend_from_slice(wanted);
        if all.len() > segments::MAX {
            return Err(Error::conflict(
                "limit_reached",
                format!("a site has at most {} segments", segments::MAX),
            ));
        }
        let checked = segments::check(&all, |key| {
            let at = wanted.iter().position(|segment| segment.key == key);
            at.map_or_else(|| format!("segment {key}"), |at| format!("segments[{at}].conditions"))
        });
        match checked {
            Err(Error::Invalid(found)) => {
                found.into_iter().for_each(|problem| self.problems.add(problem.field, problem.message));
            }
            other => other?,
        }
        for segment in wanted {
            let path = format!("segments/{}", segment.key);
            match before.iter().find(|row| row.segment.key == segment.key) {
                None => {
                    let row = store::segments::insert(self.tx, site.id, segment, self.tx.now)?;
                    self.changes.push(segments::change(self.tx, site, &row, "created", None, Some(&row))?);
                    self.plan.created(path);
                }
                Some(row) if row.segment == *segment => self.plan.unchanged += 1,
                Some(row) => {
                    store::segments::update(self.tx, row.id, segment, self.tx.now)?;
                    let after = store::segments::find(self.tx, site.id, &segment.key)?;
                    self.changes.push(segments::change(
                        self.tx,
                        site,
                        &after,
                        "updated",
                        Some(row),
                        Some(&after),
                    )?);
                    let mut differences = texts(&[("name", &row.segment.name, &segment.name)]);
                    if row.segment.conditions != segment.conditions {
                        differences.push(Difference {
                            field: "conditions".into(),
                            before: Json::of(&row.segment.conditions),
                            after: Json::of(&segment.conditions),
                        });
                    }
                    self.plan.compared(path, differences);
                }
            }
        }
        Ok(all)
    }

    /// In `replace`, deletes the segments that the document lacks, unless an environment that it does not
    /// name still uses one.
    fn drop_segments(&mut self, site: &Site, wanted: &[Segment]) -> Result<()> {
        let mut gone = store::segments::list(self.tx, site.id)?;
        gone.retain(|row| !wanted.iter().any(|segment| segment.key == row.segment.key));
        // All of them before the first is asked for: one that goes may use another that goes.
        for row in &gone {
            store::segments::delete(self.tx, row.id)?;
        }
        for row in &gone {
            segments::require_unused(self.tx, site.id, &row.segment.key)?;
            self.changes.push(segments::change(self.tx, site, row, "deleted", Some(row), None)?);
            self.plan.deleted(format!("segments/{}", row.segment.key));
        }
        Ok(())
    }

    fn check_features(&mut self, document: &Document, known: &HashSet<String>) {
        for (at, environment) in document.environments.iter().enumerate() {
            for (feature_at, definition) in environment.features.iter().enumerate() {
                let path = format!("environments[{at}].features[{feature_at}]");
                features::check_segments(definition, known, &path, &mut self.problems);
            }
        }
    }

    fn environment(&mut self, site: &Site, wanted: &document::Environment, at: &str) -> Result<()> {
        let path = format!("environments/{}", wanted.name);
        let found = match store::environments::find(self.tx, site.id, &wanted.name) {
            // An environment may be named like another's id; only the name counts here.
            Ok(environment) if environment.name == wanted.name => Some(environment),
            Ok(_) | Err(Error::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        // Read-only until made active again, also for documents.
        let stays_archived = wanted.status == Status::Archived
            && found.as_ref().is_some_and(|environment| environment.status == Status::Archived);
        let size = self.plan.size();
        let environment = match found {
            None => {
                let new = New {
                    name: &wanted.name,
                    description: &wanted.description,
                    tags: &wanted.tags,
                    status: wanted.status,
                    user_id_is_context: wanted.user_id_is_context,
                };
                let (environment, change) = environments::insert(self.tx, site, &new)?;
                self.changes.push(change);
                self.plan.created(path.clone());
                environment
            }
            Some(before) => self.update_environment(site, before, wanted, &path)?,
        };
        let features = self.features(site, &environment, wanted, at, &path)?;
        self.contexts(site, &environment, wanted, &features, at, &path)?;
        if stays_archived && self.plan.size() > size {
            super::require_writable(&environment)?;
        }
        Ok(())
    }

    fn update_environment(
        &mut self,
        site: &Site,
        before: Environment,
        wanted: &document::Environment,
        path: &str,
    ) -> Result<Environment> {
        let after = Environment {
            description: wanted.description.clone(),
            tags: wanted.tags.clone(),
            status: wanted.status,
            user_id_is_context: wanted.user_id_is_context,
            ..before.clone()
        };
        let mut differences = texts(&[
            ("description", &before.description, &after.description),
            ("status", before.status.as_str(), after.status.as_str()),
        ]);
        if before.tags != after.tags {
            differences.push(Difference {
                field: "tags".into(),
                before: Json::of(&before.tags),
                after: Json::of(&after.tags),
            });
        }
        if before.user_id_is_context != after.user_id_is_context {
            differences.push(Difference {
                field: "userIdIsContextKey".into(),
                before: Some(before.user_id_is_context.into()),
                after: Some(after.user_id_is_context.into()),
            });
        }
        self.plan.compared(path.to_owned(), differences);
        let written = environments::save(self.tx, site, &before, after)?;
        self.changes.extend(written.changes);
        Ok(written.value)
    }

    /// Creates, updates and in `replace` deletes features. Gives the row and type of each that is there then.
    fn features(
        &mut self,
        site: &Site,
        environment: &Environment,
        wanted: &document::Environment,
        at: &str,
        path: &str,
    ) -> Result<HashMap<String, (FeatureId, FeatureType, bool)>> {
        let mut before: HashMap<String, FeatureRow> = store::features::all(self.tx, environment.id)?
            .into_iter()
            .map(|row| (row.stored.definition.key.clone(), row))
            .collect();
        // What goes makes room first: a Flagr flag under a new key keeps its numbers.
        let mut held = Vec::new();
        if self.mode == Mode::Replace {
            let kept: HashSet<&str> = wanted.features.iter().map(|feature| feature.key.as_str()).collect();
            let gone = before.values().filter(|row| !kept.contains(row.stored.definition.key.as_str()));
            held = self.drop_features(site, environment, gone.collect(), path)?;
        }
        for (feature_at, definition) in wanted.features.iter().enumerate() {
            let feature_path = format!("{path}/features/{}", definition.key);
            let Some(row) = before.remove(&definition.key) else {
                let (_, change) = features::insert(self.tx, site, environment, definition.clone(), false)?;
                self.changes.push(change);
                self.plan.created(feature_path);
                continue;
            };
            let mut definition = definition.clone();
            adopt(&mut definition, &row.stored.definition);
            let differences = diff::differences(Some(&row.stored.definition), Some(&definition));
            let same = differences.is_empty() && definition == row.stored.definition;
            self.plan.compared(feature_path.clone(), differences);
            if same && row.stored.damage.is_none() {
                continue;
            }
            if row.stored.locked {
                self.locked.push(feature_path);
                continue;
            }
            match features::save(self.tx, site, environment, &row, definition, false) {
                Ok((_, change)) => self.changes.extend(change),
                Err(Error::Conflict("type_conflict", message, _)) => {
                    self.problems.add(format!("{at}.features[{feature_at}].type"), message);
                }
                Err(error) => return Err(error),
            }
        }
        self.locked.extend(held);
        store::features::ids(self.tx, environment.id)
    }

    /// Deletes features. Gives the paths of those that a lock holds.
    fn drop_features(
        &mut self,
        site: &Site,
        environment: &Environment,
        mut gone: Vec<&FeatureRow>,
        path: &str,
    ) -> Result<Vec<String>> {
        gone.sort_by(|a, b| a.stored.definition.key.cmp(&b.stored.definition.key));
        let mut held = Vec::new();
        for row in gone {
            let feature_path = format!("{path}/features/{}", row.stored.definition.key);
            if row.stored.locked {
                held.push(feature_path);
                continue;
            }
            self.changes.push(features::remove(self.tx, site, environment, row, true)?);
            self.plan.deleted(feature_path);
        }
        Ok(held)
    }

    fn contexts(
        &mut self,
        site: &Site,
        environment: &Environment,
        wanted: &document::Environment,
        features: &HashMap<String, (FeatureId, FeatureType, bool)>,
        at: &str,
        path: &str,
    ) -> Result<()> {
        let before: HashMap<String, ContextRow> = store::contexts::all(self.tx, environment.id)?
            .into_iter()
            .map(|context| (context.key.clone(), context))
            .collect();
        let rows = self.read_contexts(wanted, features, &before, at)?;
        if !self.problems.is_empty() {
            return Ok(());
        }
        let ids: HashMap<String, FeatureId> =
            features.iter().map(|(key, (id, ..))| (key.clone(), *id)).collect();
        for row in &rows {
            let context_path = format!("{path}/contexts/{}", row.key);
            let old = before.get(&row.key);
            match old {
                Some(old) if same_context(old, row) => {
                    self.plan.unchanged += 1;
                    continue;
                }
                Some(old) => self.plan.compared(context_path, context_differences(old, row)),
                None => self.plan.created(context_path),
            }
            store::contexts::put(self.tx, environment.id, row, &ids)?;
            self.changes.push(context_change(site, environment, old, Some(row)));
        }
        if self.mode == Mode::Replace {
            let kept: HashSet<&str> = rows.iter().map(|row| row.key.as_str()).collect();
            let mut gone: Vec<&ContextRow> =
                before.values().filter(|old| !kept.contains(old.key.as_str())).collect();
            gone.sort_by(|a, b| a.key.cmp(&b.key));
            for old in gone {
                store::contexts::delete(self.tx, environment.id, &old.key)?;
                self.changes.push(context_change(site, environment, Some(old), None));
                self.plan.deleted(format!("{path}/contexts/{}", old.key));
            }
        }
        let is_more = rows.iter().any(|row| row.key != OVERRIDE && !before.contains_key(&row.key));
        let max = self.app.config.max_contexts;
        if is_more && store::contexts::count_all(self.tx, environment.id)? > max {
            let message = format!("{} would have more than {max} Contexts", environment.name);
            return Err(Error::conflict("limit_reached", message));
        }
        Ok(())
    }

    /// Checks the Contexts of a document against the features and Contexts there will be.
    fn read_contexts(
        &mut self,
        wanted: &document::Environment,
        features: &HashMap<String, (FeatureId, FeatureType, bool)>,
        before: &HashMap<String, ContextRow>,
        at: &str,
    ) -> Result<Vec<ContextRow>> {
        let problems = &mut self.problems;
        let mut prototypes: HashMap<&str, &[String]> = HashMap::new();
        if self.mode == Mode::Merge {
            prototypes.extend(before.values().map(|row| (row.key.as_str(), row.prototypes.as_slice())));
        }
        prototypes.extend(wanted.contexts.iter().map(|c| (c.key.as_str(), c.prototypes.as_slice())));
        let mut rows = Vec::with_capacity(wanted.contexts.len());
        for (context_at, context) in wanted.contexts.iter().enumerate() {
            let path = format!("{at}.contexts[{context_at}]");
            let mut seen = HashSet::new();
            for (prototype_at, prototype) in context.prototypes.iter().enumerate() {
                let field = format!("{path}.prototypes[{prototype_at}]");
                if prototype == OVERRIDE || prototype == "default" {
                    problems.add(field, "is part of every look-up already");
                } else if !prototypes.contains_key(prototype.as_str()) {
                    problems.add(field, format!("{prototype} does not exist"));
                } else if !seen.insert(prototype) {
                    problems.add(field, "stands twice");
                }
            }
            let field = format!("{path}.prototypes");
            let of = |key: &str| Ok(prototypes.get(key).copied().unwrap_or_default().to_vec());
            match check::graph(&context.key, &context.prototypes, of)? {
                Some(Knot::Cycle(keys)) => {
                    problems.add(field, format!("close a cycle: {}", keys.join(" → ")));
                }
                Some(Knot::TooLarge) => Knot::TooLarge.note(&field, &mut self.faults),
                None => {}
            }
            let mut values = Vec::new();
            for (key, written) in &context.values {
                let field = format!("{path}.features.{key}");
                match features.get(key) {
                    None => problems.add(field, "is not a feature of the environment"),
                    Some((_, kind, integer)) => match read_context_value(*kind, *integer, written) {
                        Ok(value) => values.push((key.clone(), value)),
                        Err(problem) => problems.add(field, problem),
                    },
                }
            }
            if values.len() > 1000 && context.key != OVERRIDE {
                problems.add(format!("{path}.features"), "must have at most 1000 entries");
            }
            values.sort_by(|(a, _), (b, _)| a.cmp(b));
            let old = before.get(&context.key);
            rows.push(ContextRow {
                key: context.key.clone(),
                description: context.description.clone(),
                version: old.map_or(1, |old| old.version + 1),
                prototypes: context.prototypes.clone(),
                values,
                created_at: old.map_or(self.tx.now, |old| old.created_at),
                updated_at: self.tx.now,
                updated_by: self.tx.actor.name.clone(),
            });
        }
        Ok(rows)
    }
}

/// Takes over from the stored feature what a document does not carry: the ids of rules, told by name, and
/// the bucketing id where the document leaves it out under the same scheme.
fn adopt(definition: &mut Definition, stored: &Definition) {
    let mut free: Vec<_> = stored.rules.iter().collect();
    for rule in &mut definition.rules {
        if let Some(at) = free.iter().position(|old| old.name == rule.name) {
            rule.id = free.remove(at).id;
        }
    }
    if definition.bucketing_id.is_none() && definition.bucketing == stored.bucketing {
        definition.bucketing_id.clone_from(&stored.bucketing_id);
    }
}

fn same_context(a: &ContextRow, b: &ContextRow) -> bool {
    (&a.description, &a.prototypes, &a.values) == (&b.description, &b.prototypes, &b.values)
}

fn texts(pairs: &[(&str, &str, &str)]) -> Vec<Difference> {
    pairs
        .iter()
        .filter(|(_, before, after)| before != after)
        .map(|(field, before, after)| Difference {
            field: (*field).to_owned(),
            before: Json::of(before),
            after: Json::of(after),
        })
        .collect()
}

fn context_differences(before: &ContextRow, after: &ContextRow) -> Vec<Difference> {
    let mut differences = texts(&[("description", &before.description, &after.description)]);
    if before.prototypes != after.prototypes {
        differences.push(Difference {
            field: "prototypes".into(),
            before: Json::of(&before.prototypes),
            after: Json::of(&after.prototypes),
        });
    }
    let old: HashMap<&str, &Json> = before.values.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let new: HashMap<&str, &Json> = after.values.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let mut keys: Vec<&str> = old.keys().chain(new.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys.into_iter().filter(|key| old.get(key) != new.get(key)) {
        differences.push(Difference {
            field: format!("features.{key}"),
            before: old.get(key).map(|value| (*value).clone()),
            after: new.get(key).map(|value| (*value).clone()),
        });
    }
    differences
}

fn context_change(
    site: &Site,
    environment: &Environment,
    before: Option<&ContextRow>,
    after: Option<&ContextRow>,
) -> Change {
    #[derive(Serialize)]
    struct Recorded<'a> {
        key: &'a str,
        description: &'a str,
        prototypes: &'a [String],
        features: BTreeMap<&'a str, &'a Json>,
    }
    let json = |context: &ContextRow| {
        Json::of(&Recorded {
            key: &context.key,
            description: &context.description,
            prototypes: &context.prototypes,
            features: context.values.iter().map(|(key, value)| (key.as_str(), value)).collect(),
        })
    };
    let key = after.or(before).map(|context| context.key.clone()).unwrap_or_default();
    let (action, event) = match (before, after) {
        (None, _) => ("created", "context.created"),
        (_, None) => ("deleted", "context.deleted"),
        _ => ("updated", "context.updated"),
    };
    Change {
        site: Some(site.uuid.clone()),
        environment: Some(environment.uuid.clone()),
        entity: "context",
        entity_id: key.clone(),
        summary: format!("Context {key} {action}"),
        entity_key: key.clone(),
        action,
        feature: None,
        touched: Touched::Contexts {
            environment: environment.id,
            contexts: Some(vec![key]),
            features: Vec::new(),
        },
        before: before.and_then(json),
        after: after.and_then(json),
        event: Some(event),
    }
}
