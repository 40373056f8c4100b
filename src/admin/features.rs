//! Features with their rules and variants: made, changed, locked, reverted, deleted. Whatever the route, it
//! ends in [`save`], so version, audit entry, event and validation cannot be forgotten.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{parse, read_body, require_writable, scope};
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::clock::rfc3339;
use crate::engine::compile::StoredFeature;
use crate::engine::decode::{Node, Object, Problems};
use crate::engine::diff::{self, Difference};
use crate::engine::feature::{self, Bucketing, Definition, Outcome, Rule, Variant, sort_rules};
use crate::engine::permission::Permission;
use crate::engine::value::Json;
use crate::error::{self, Error, Result};
use crate::store;
use crate::store::environments::Environment;
use crate::store::features::FeatureRow;
use crate::store::sites::Site;

/// Which feature of which environment, as a path names it.
#[derive(Clone, Debug)]
pub struct Target {
    pub site: String,
    pub environment: String,
    pub key: String,
    /// The version that `If-Match` names.
    pub expected: Option<u64>,
}

/// What a change is called in the audit trail and for webhooks.
struct Naming {
    entity: &'static str,
    entity_id: Option<String>,
    entity_key: Option<String>,
    action: &'static str,
    event: &'static str,
}

impl Naming {
    const CREATED: Self = Self::feature("created", "feature.created");
    const UPDATED: Self = Self::feature("updated", "feature.updated");

    const fn feature(action: &'static str, event: &'static str) -> Self {
        Self { entity: "feature", entity_id: None, entity_key: None, action, event }
    }

    fn rule(rule: &Rule, action: &'static str, event: &'static str) -> Self {
        Self {
            entity: "rule",
            entity_id: Some(rule.id.to_string()),
            entity_key: Some(rule.name.clone()),
            action,
            event,
        }
    }
}

/// Checks what a definition refers to outside itself: the segments of its site.
pub(super) fn check_segments(
    definition: &Definition,
    known: &HashSet<String>,
    path: &str,
    problems: &mut Problems,
) {
    for (at, rule) in definition.rules.iter().enumerate() {
        for key in rule.when.iter().flat_map(|when| when.segments()) {
            if !known.contains(key) {
                let field = crate::engine::decode::child(path, &format!("rules[{at}].when"));
                problems.add(field, format!("names the segment {key:?}, which does not exist"));
            }
        }
    }
}

fn segment_keys(tx: &Tx<'_>, site: &Site) -> Result<HashSet<String>> {
    Ok(store::segments::list(tx, site.id)?.into_iter().map(|row| row.segment.key).collect())
}

/// Gives rules ids, and the feature what its scheme hashes and Flagr's numbers, where they have none yet.
fn complete(
    tx: &Tx<'_>,
    environment: &Environment,
    id: Uuid,
    before: Option<&Definition>,
    definition: &mut Definition,
) -> Result<()> {
    sort_rules(&mut definition.rules);
    for rule in definition.rules.iter_mut().filter(|rule| rule.id.is_nil()) {
        rule.id = Uuid::now_v7();
    }
    match definition.bucketing {
        Bucketing::Sha256 => definition.bucketing_id = None,
        Bucketing::Murmur3 => {
            definition.bucketing_id.get_or_insert_with(|| id.to_string());
        }
        Bucketing::Crc32 if definition.bucketing_id.is_none() => {
            definition.bucketing_id = Some(store::features::next_flag_number(tx, environment.id)?);
        }
        Bucketing::Crc32 => {}
    }
    store::flagr::settle(tx, environment.id, before, definition)
}

/// Inserts a feature. The caller has checked the definition.
pub(super) fn insert(
    tx: &Tx<'_>,
    site: &Site,
    environment: &Environment,
    mut definition: Definition,
    locked: bool,
) -> Result<(StoredFeature, Change)> {
    let id = Uuid::now_v7();
    complete(tx, environment, id, None, &mut definition)?;
    store::flagr::require_free(tx, environment.id, &definition)?;
    insert_as(tx, site, environment, id, definition, locked, Naming::CREATED)
}

/// Inserts a feature whose id and definition are settled, under a name for the change: `created`, `restored`.
fn insert_as(
    tx: &Tx<'_>,
    site: &Site,
    environment: &Environment,
    id: Uuid,
    definition: Definition,
    locked: bool,
    naming: Naming,
) -> Result<(StoredFeature, Change)> {
    let mut feature = StoredFeature {
        id,
        version: store::features::first_version(tx, environment.id, &definition.key)?,
        locked,
        number: store::flagr::number(tx, environment.id, &definition, None)?,
        snapshot: 0,
        created_at: tx.now,
        updated_at: tx.now,
        updated_by: tx.actor.name.clone(),
        definition,
        damage: None,
    };
    feature.snapshot = store::flagr::next_snapshot(tx, environment.id, &feature)?;
    store::features::insert(tx, environment.id, &feature)?;
    let summary = format!("{} {}", feature.definition.key, naming.action);
    let change = change(site, environment, &feature, naming, summary, None, Some(&feature));
    Ok((feature, change))
}

fn change(
    site: &Site,
    environment: &Environment,
    feature: &StoredFeature,
    naming: Naming,
    summary: String,
    before: Option<&StoredFeature>,
    after: Option<&StoredFeature>,
) -> Change {
    let key = &feature.definition.key;
    Change {
        site: Some(site.uuid.clone()),
        environment: Some(environment.uuid.clone()),
        entity: naming.entity,
        entity_id: naming.entity_id.unwrap_or_else(|| feature.id.to_string()),
        entity_key: naming.entity_key.unwrap_or_else(|| key.clone()),
        action: naming.action,
        summary,
        feature: Some((feature.id.to_string(), feature.version)),
        touched: Touched::Features(environment.id, vec![key.clone()]),
        before: before.and_then(Json::of),
        after: after.and_then(Json::of),
        event: Some(naming.event),
    }
}

/// Writes a changed feature back, unless nothing differs. Refuses what a lock forbids.
pub(super) fn save(
    tx: &Tx<'_>,
    site: &Site,
    environment: &Environment,
    before: &FeatureRow,
    mut definition: Definition,
    locked: bool,
) -> Result<(StoredFeature, Option<Change>)> {
    complete(tx, environment, before.stored.id, Some(&before.stored.definition), &mut definition)?;
    save_as(tx, site, environment, before, definition, locked, Naming::UPDATED)
}

fn save_as(
    tx: &Tx<'_>,
    site: &Site,
    environment: &Environment,
    before: &FeatureRow,
    definition: Definition,
    locked: bool,
    naming: Naming,
) -> Result<(StoredFeature, Option<Change>)> {
    let old = &before.stored;
    let mut differences = diff::differences(Some(&old.definition), Some(&definition));
    if old.locked && locked && (!differences.is_empty() || naming.entity == "rule") {
        return Err(locked_error(&old.definition.key));
    }
    if old.locked != locked {
        let side = |locked: bool| Some(Json::from(locked));
        differences.push(Difference {
            field: "locked".into(),
            before: side(old.locked),
            after: side(locked),
        });
    }
    if old.definition == definition && old.locked == locked && old.damage.is_none() {
        return Ok((old.clone(), None));
    }
    if old.definition.kind != definition.kind || old.definition.integer != definition.integer {
        require_values_fit(tx, before, &definition)?;
    }
    let was = &old.definition;
    if (&was.key, was.bucketing, &was.bucketing_id)
        != (&definition.key, definition.bucketing, &definition.bucketing_id)
    {
        store::flagr::require_free(tx, environment.id, &definition)?;
    }
    let mut feature = StoredFeature {
        number: store::flagr::number(tx, environment.id, &definition, Some(old.number))?,
        version: old.version + 1,
        locked,
        updated_at: tx.now,
        updated_by: tx.actor.name.clone(),
        definition,
        damage: None,
        ..old.clone()
    };
    feature.snapshot = store::flagr::next_snapshot(tx, environment.id, &feature)?;
    store::features::update(tx, environment.id, before.id, old, &feature)?;
    let summary = format!("{}: {}", feature.definition.key, diff::summary(&differences));
    let mut change = change(site, environment, &feature, naming, summary, Some(old), Some(&feature));
    if old.definition.key != feature.definition.key {
        // Contexts hold their values under its key.
        let holders = store::contexts::values_of(tx, before.id)?;
        change.touched = Touched::Contexts {
            environment: environment.id,
            contexts: Some(holders.into_iter().map(|(context, _)| context).collect()),
            features: vec![old.definition.key.clone(), feature.definition.key.clone()],
        };
    }
    Ok((feature, Some(change)))
}

/// `type_conflict` when a stored Context holds a value that the new type does not take (featuresd.md §5.2).
fn require_values_fit(tx: &Tx<'_>, before: &FeatureRow, definition: &Definition) -> Result<()> {
    let misfits: Vec<String> = store::contexts::values_of(tx, before.id)?
        .into_iter()
        .filter(|(_, value)| !definition.takes(value))
        .map(|(context, _)| context)
        .collect();
    if misfits.is_empty() {
        return Ok(());
    }
    let message = format!("{} Contexts hold values that are no {}", misfits.len(), definition.context_type());
    Err(Error::Conflict("type_conflict", message, json!({ "contexts": &misfits[..misfits.len().min(20)] })))
}

fn locked_error(key: &str) -> Error {
    Error::conflict("locked", format!("{key} is locked; unlock it first"))
}

fn require_version(feature: &StoredFeature, expected: Option<u64>) -> Result<()> {
    match expected {
        Some(expected) if expected != feature.version => Err(Error::VersionConflict(feature.version)),
        _ => Ok(()),
    }
}

/// Makes a feature. Body: [`NewFeature`](crate::engine::shapes::NewFeature).
pub fn create(app: &App, actor: &Actor, site: &str, environment: &str, body: &str) -> Result<StoredFeature> {
    actor.require(Permission::Change)?;
    let node = parse(body)?;
    app.write(actor, |tx| {
        let (site, environment) = scope(tx, site, environment)?;
        require_writable(&environment)?;
        let (definition, locked) = decode(tx, &site, &node, None)?;
        let (feature, change) = insert(tx, &site, &environment, definition, locked.unwrap_or(false))?;
        Ok(Written::one(feature, change))
    })
}

/// Reads and checks a body, against the segments of the site too.
fn decode(
    tx: &Tx<'_>,
    site: &Site,
    node: &Node<'_>,
    base: Option<&Definition>,
) -> Result<(Definition, Option<bool>)> {
    let mut problems = Problems::default();
    let mut object: Object<'_> =
        node.object(&mut problems).ok_or_else(|| Error::BadJson("the body must be a JSON object".into()))?;
    let decoded = Definition::decode(&mut object, base, &mut problems);
    object.finish(&mut problems);
    if let Some(definition) = &decoded.definition {
        check_segments(definition, &segment_keys(tx, site)?, "", &mut problems);
    }
    error::check(problems)?;
    let definition = decoded.definition.ok_or_else(|| Error::invalid("", "cannot be read"))?;
    Ok((definition, decoded.locked))
}

/// Changes some members of a feature (PATCH), or all of them (PUT: what is left out gets its default). Body:
/// [`FeatureChange`](crate::engine::shapes::FeatureChange).
pub fn update(app: &App, actor: &Actor, target: &Target, body: &str, whole: bool) -> Result<StoredFeature> {
    actor.require(Permission::Change)?;
    let node = parse(body)?;
    app.write(actor, |tx| {
        let (site, environment) = scope(tx, &target.site, &target.environment)?;
        require_writable(&environment)?;
        let before = store::features::find(tx, environment.id, &target.key)?;
        require_version(&before.stored, target.expected)?;
        let old = &before.stored.definition;
        let mut base = old.clone();
        if whole {
            base.enabled = true;
            base.integer = false;
            base.default_value = None;
            base.description.clear();
            base.tags.clear();
            base.properties.clear();
            base.retired = false;
            base.variants.clear();
        }
        if !node_has(&node, "rules") {
            if whole {
                base.rules.clear();
            } else {
                require_variants_kept(old, &node)?;
            }
        }
        let (definition, locked) = decode(tx, &site, &node, Some(&base))?;
        let locked = locked.unwrap_or(before.stored.locked);
        let (feature, change) = save(tx, &site, &environment, &before, definition, locked)?;
        Ok(Written { value: feature, changes: change.into_iter().collect() })
    })
}

fn node_has(node: &Node<'_>, name: &str) -> bool {
    node.object(&mut Problems::default()).is_some_and(|object| object.has(name))
}

/// `in_use` when a body takes a variant away that a rule gives which stays. What else is wrong with the body is
/// for others to say.
fn require_variants_kept(before: &Definition, body: &Node<'_>) -> Result<()> {
    let problems = &mut Problems::default();
    let Some(listed) = body.object(problems).and_then(|mut body| body.take_value("variants")) else {
        return Ok(());
    };
    let Some(listed) = listed.list(feature::MAX_RULES, problems) else { return Ok(()) };
    let keys = listed.iter().map(|one| one.object(problems)?.take("key")?.string(problems));
    let Some(kept) = keys.collect::<Option<HashSet<String>>>() else { return Ok(()) };
    let mut gone = before.variants.iter().filter(|variant| !kept.contains(&variant.key));
    gone.try_for_each(|variant| require_unused(before, &variant.key))
}

fn require_unused(definition: &Definition, variant: &str) -> Result<()> {
    let used_by: Vec<&str> = definition
        .rules
        .iter()
        .filter(
            |rule| matches!(&rule.outcome, Outcome::Split(arms) if arms.iter().any(|a| a.variant == variant)),
        )
        .map(|rule| rule.name.as_str())
        .collect();
    if used_by.is_empty() {
        return Ok(());
    }
    let message = format!("the variant {variant} is used by the rule {}", used_by.join(", "));
    Err(Error::Conflict("in_use", message, json!({ "rules": used_by })))
}

/// Deletes a feature. `feature_in_use` when stored Contexts hold values for it, unless forced.
pub fn delete(app: &App, actor: &Actor, target: &Target, force: bool) -> Result<()> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let (site, environment) = scope(tx, &target.site, &target.environment)?;
        require_writable(&environment)?;
        let before = store::features::find(tx, environment.id, &target.key)?;
        require_version(&before.stored, target.expected)?;
        let change = remove(tx, &site, &environment, &before, force)?;
        Ok(Written::one((), change))
    })
}

/// Gives a feature its Flagr numbers, locked or not.
pub(super) fn number(
    tx: &Tx<'_>,
    site: &Site,
    environment: &Environment,
    before: &FeatureRow,
    mut definition: Definition,
) -> Result<Option<Change>> {
    complete(tx, environment, before.stored.id, Some(&before.stored.definition), &mut definition)?;
    let unlocked =
        FeatureRow { id: before.id, stored: StoredFeature { locked: false, ..before.stored.clone() } };
    let locked = before.stored.locked;
    let (_, change) = save_as(tx, site, environment, &unlocked, definition, locked, Naming::UPDATED)?;
    Ok(change)
}

/// Puts a deleted feature back, under the id and version line that it had.
pub(super) fn restore(
    tx: &Tx<'_>,
    site: &Site,
    environment: &Environment,
    id: Uuid,
    mut definition: Definition,
) -> Result<(StoredFeature, Change)> {
    complete(tx, environment, id, None, &mut definition)?;
    let naming = Naming::feature("restored", "feature.created");
    insert_as(tx, site, environment, id, definition, false, naming)
}

/// Deletes a feature that is not locked.
pub(super) fn remove(
    tx: &Tx<'_>,
    site: &Site,
    environment: &Environment,
    before: &FeatureRow,
    force: bool,
) -> Result<Change> {
    let key = &before.stored.definition.key;
    if before.stored.locked {
        return Err(locked_error(key));
    }
    let holders: Vec<String> =
        store::contexts::values_of(tx, before.id)?.into_iter().map(|(context, _)| context).collect();
    let values = holders.len();
    if values > 0 && !force {
        let message = format!("{values} Contexts hold a value for {key}; force=true deletes those too");
        return Err(Error::Conflict("feature_in_use", message, json!({ "contexts": values })));
    }
    let last = StoredFeature { version: before.stored.version + 1, ..before.stored.clone() };
    store::flagr::next_snapshot(tx, environment.id, &last)?;
    store::features::delete(tx, environment.id, before.id, &before.stored, last.version)?;
    let naming = Naming::feature("deleted", "feature.deleted");
    let mut change =
        change(site, environment, &last, naming, format!("{key} deleted"), Some(&before.stored), None);
    if values > 0 {
        // The values went with the feature, so the Contexts that held one must be read again.
        change.touched = Touched::Contexts {
            environment: environment.id,
            contexts: Some(holders),
            features: vec![key.clone()],
        };
    }
    Ok(change)
}

/// One change to the rules of a feature: finds it, lets `edit` change the definition, saves under the name
/// that `edit` gives the change.
fn edit<T>(
    app: &App,
    actor: &Actor,
    target: &Target,
    f: impl FnOnce(&Tx<'_>, &Site, &mut Definition) -> Result<(T, Naming)>,
) -> Result<(StoredFeature, T)> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let (site, environment) = scope(tx, &target.site, &target.environment)?;
        require_writable(&environment)?;
        let before = store::features::find(tx, environment.id, &target.key)?;
        require_version(&before.stored, target.expected)?;
        if before.stored.locked {
            return Err(locked_error(&target.key));
        }
        let mut definition = before.stored.definition.clone();
        let (value, naming) = f(tx, &site, &mut definition)?;
        let mut problems = Problems::default();
        definition.check(&mut problems);
        check_segments(&definition, &segment_keys(tx, &site)?, "", &mut problems);
        error::check(problems)?;
        complete(tx, &environment, before.stored.id, Some(&before.stored.definition), &mut definition)?;
        let locked = before.stored.locked;
        let (feature, change) = save_as(tx, &site, &environment, &before, definition, locked, naming)?;
        Ok(Written { value: (feature, value), changes: change.into_iter().collect() })
    })
}

/// Reads and checks one rule; paths are those of its own body.
fn read_rule(
    tx: &Tx<'_>,
    site: &Site,
    definition: &Definition,
    body: &str,
    base: Option<&Rule>,
) -> Result<Rule> {
    let node = parse(body)?;
    if !node.is_object() {
        return Err(Error::BadJson("the body must be a JSON object".into()));
    }
    let mut problems = Problems::default();
    let rule = feature::read_rule(&node, Some(definition.kind), base, &mut problems);
    if let Some(rule) = &rule {
        let alone = Definition { rules: vec![rule.clone()], ..definition.clone() };
        let mut found = Problems::default();
        alone.check(&mut found);
        check_segments(&alone, &segment_keys(tx, site)?, "", &mut found);
        for problem in found.invalid {
            problems.add(problem.field.trim_start_matches("rules[0].").to_owned(), problem.message);
        }
    }
    error::check(problems)?;
    rule.ok_or_else(|| Error::invalid("", "cannot be read"))
}

fn position(definition: &Definition, id: &str) -> Result<usize> {
    let id = Uuid::parse_str(id).ok();
    let at = definition.rules.iter().position(|rule| Some(rule.id) == id);
    at.ok_or_else(|| Error::NotFound("the rule".into()))
}

/// Adds a rule behind those of its priority. Body: [`NewRule`](crate::engine::shapes::NewRule).
pub fn create_rule(app: &App, actor: &Actor, target: &Target, body: &str) -> Result<(StoredFeature, Rule)> {
    edit(app, actor, target, |tx, site, definition| {
        let mut rule = read_rule(tx, site, definition, body, None)?;
        if definition.rules.len() >= feature::MAX_RULES {
            let message = format!("a feature has at most {} rules", feature::MAX_RULES);
            return Err(Error::conflict("limit_reached", message));
        }
        rule.id = Uuid::now_v7();
        definition.rules.push(rule.clone());
        let naming = Naming::rule(&rule, "created", "rule.created");
        Ok((rule, naming))
    })
}

/// Changes some members of a rule. Body: [`RuleChange`](crate::engine::shapes::RuleChange).
pub fn update_rule(
    app: &App,
    actor: &Actor,
    target: &Target,
    id: &str,
    body: &str,
) -> Result<(StoredFeature, Rule)> {
    super::parse_object(body)?;
    edit(app, actor, target, |tx, site, definition| {
        let at = position(definition, id)?;
        let mut rule = read_rule(tx, site, definition, body, Some(&definition.rules[at]))?;
        rule.id = definition.rules[at].id;
        definition.rules[at] = rule.clone();
        let naming = Naming::rule(&rule, "updated", "rule.updated");
        Ok((rule, naming))
    })
}

/// Deletes a rule.
pub fn delete_rule(app: &App, actor: &Actor, target: &Target, id: &str) -> Result<()> {
    edit(app, actor, target, |_, _, definition| {
        let rule = definition.rules.remove(position(definition, id)?);
        Ok(((), Naming::rule(&rule, "deleted", "rule.deleted")))
    })?;
    Ok(())
}

/// An order of rules.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "ids": ["0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a03"]
}))]
pub struct RuleOrder {
    /// The id of every rule of the feature, first evaluated first.
    #[schema(max_items = 500)]
    pub ids: Vec<Uuid>,
}

/// Puts the rules into this order. Body: [`RuleOrder`]. Priorities are handed out anew: those in use, in
/// falling order.
pub fn reorder_rules(app: &App, actor: &Actor, target: &Target, body: &str) -> Result<StoredFeature> {
    let ids = read_body(body, |object, problems| {
        object.require("ids", problems)?.strings(feature::MAX_RULES, problems)
    })?;
    let (feature, ()) = edit(app, actor, target, |_, _, definition| {
        let mut rules = Vec::with_capacity(definition.rules.len());
        let mut problems = Problems::default();
        for (at, id) in ids.iter().enumerate() {
            match position(definition, id) {
                Ok(from) => rules.push(definition.rules.remove(from)),
                Err(_) => {
                    problems.add(format!("ids[{at}]"), "is not a rule of this feature, or stands twice")
                }
            }
        }
        if !definition.rules.is_empty() {
            problems.add("ids", format!("must name every rule; {} are missing", definition.rules.len()));
        }
        error::check(problems)?;
        // The same priorities in falling order keep a rule's meaning relative to the scale.
        let mut priorities: Vec<u8> = rules.iter().map(|rule| rule.priority).collect();
        priorities.sort_by(|a, b| b.cmp(a));
        for (rule, priority) in rules.iter_mut().zip(priorities) {
            rule.priority = priority;
        }
        definition.rules = rules;
        Ok(((), Naming::UPDATED))
    })?;
    Ok(feature)
}

fn read_variant(definition: &Definition, body: &str) -> Result<Variant> {
    let node = parse(body)?;
    if !node.is_object() {
        return Err(Error::BadJson("the body must be a JSON object".into()));
    }
    let mut problems = Problems::default();
    let variant = feature::read_variant(&node, Some(definition.kind), &mut problems);
    error::check(problems)?;
    variant.ok_or_else(|| Error::invalid("", "cannot be read"))
}

fn find_variant(definition: &Definition, key: &str) -> Result<usize> {
    let at = definition.variants.iter().position(|variant| variant.key == key);
    at.ok_or_else(|| Error::NotFound(format!("variant {key}")))
}

/// Adds a variant. Body: [`NewVariant`](crate::engine::shapes::NewVariant).
pub fn create_variant(
    app: &App,
    actor: &Actor,
    target: &Target,
    body: &str,
) -> Result<(StoredFeature, Variant)> {
    edit(app, actor, target, |_, _, definition| {
        let variant = read_variant(definition, body)?;
        if find_variant(definition, &variant.key).is_ok() {
            return Err(Error::conflict("key_taken", format!("there is a variant {} already", variant.key)));
        }
        if definition.variants.len() >= feature::MAX_RULES {
            let message = format!("a feature has at most {} variants", feature::MAX_RULES);
            return Err(Error::conflict("limit_reached", message));
        }
        definition.variants.push(variant.clone());
        Ok((variant, Naming::UPDATED))
    })
}

/// Changes a variant's value, attachment or key; a new key is written into the splits that use it. Body:
/// [`VariantChange`](crate::engine::shapes::VariantChange).
pub fn update_variant(
    app: &App,
    actor: &Actor,
    target: &Target,
    key: &str,
    body: &str,
) -> Result<(StoredFeature, Variant)> {
    super::parse_object(body)?;
    edit(app, actor, target, |_, _, definition| {
        let at = find_variant(definition, key)?;
        let kind = definition.kind;
        let old = definition.variants[at].clone();
        let variant = read_body(body, |object, problems| {
            let new_key = match object.take_value("key") {
                Some(node) => node.string(problems).filter(|key| {
                    if !feature::is_key(key) {
                        problems.add("key", feature::KEY_RULE);
                    }
                    feature::is_key(key)
                }),
                None => Some(old.key.clone()),
            };
            let value = match object.take_value("value") {
                Some(node) => kind.read(&node, problems),
                None => Some(old.value.clone()),
            };
            let attachment = match object.take("attachment") {
                Some(node) if node.is_null() => Some(None),
                Some(node) => crate::engine::value::FeatureType::Json.read(&node, problems).map(Some),
                None => Some(old.attachment.clone()),
            };
            Some(Variant { key: new_key?, value: value?, attachment: attachment? })
        })?;
        if variant.key != key && find_variant(definition, &variant.key).is_ok() {
            return Err(Error::conflict("key_taken", format!("there is a variant {} already", variant.key)));
        }
        for rule in &mut definition.rules {
            if let Outcome::Split(arms) = &mut rule.outcome {
                for arm in arms.iter_mut().filter(|arm| arm.variant == key) {
                    arm.variant.clone_from(&variant.key);
                }
            }
        }
        definition.variants[at] = variant.clone();
        Ok((variant, Naming::UPDATED))
    })
}

/// Deletes a variant that no rule gives.
pub fn delete_variant(app: &App, actor: &Actor, target: &Target, key: &str) -> Result<()> {
    edit(app, actor, target, |_, _, definition| {
        let at = find_variant(definition, key)?;
        require_unused(definition, key)?;
        definition.variants.remove(at);
        Ok(((), Naming::UPDATED))
    })?;
    Ok(())
}

/// One version of a feature in its history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "version": 7, "at": "2026-02-02T09:30:00.000Z", "actor": "ana",
    "summary": "new_checkout: rules[Nordic beta].rollout.percentage 10 → 25.5",
    "differences": [{"field": "rules[Nordic beta].rollout.percentage", "before": 10, "after": 25.5}]
}))]
pub struct HistoryEntry {
    pub version: u64,
    #[schema(format = DateTime)]
    pub at: String,
    /// Who made the change.
    pub actor: String,
    /// One line for people.
    pub summary: String,
    /// What differs from the version before.
    pub differences: Vec<Difference>,
}

/// The versions of a feature, newest first, those before `below` where it is given.
pub fn history(
    app: &App,
    actor: &Actor,
    target: &Target,
    below: Option<u64>,
    limit: u64,
) -> Result<Vec<HistoryEntry>> {
    actor.require(Permission::Read)?;
    app.read_consistent(|conn| {
        let (_, environment) = scope(conn, &target.site, &target.environment)?;
        let feature = store::features::find(conn, environment.id, &target.key)?;
        let versions = store::changes::history(conn, &feature.stored.id.to_string(), below, limit)?;
        Ok(versions
            .into_iter()
            .map(|version| {
                let before = version.before.as_ref().and_then(read_recorded);
                let after = version.after.as_ref().and_then(read_recorded);
                let mut differences = diff::differences(
                    before.as_ref().map(|(definition, _)| definition),
                    after.as_ref().map(|(definition, _)| definition),
                );
                if let (Some((_, before)), Some((_, after))) = (&before, &after)
                    && before != after
                {
                    let side = |locked: &bool| Some(Json::from(*locked));
                    differences.push(Difference {
                        field: "locked".into(),
                        before: side(before),
                        after: side(after),
                    });
                }
                HistoryEntry {
                    version: version.version,
                    at: rfc3339(version.at),
                    actor: version.actor,
                    summary: version.summary,
                    differences,
                }
            })
            .collect())
    })
}

/// A feature as the audit trail recorded it, with its lock.
pub fn read_recorded(json: &Json) -> Option<(Definition, bool)> {
    let mut problems = Problems::default();
    let mut object = Node::parse(json.as_str()).ok()?.object(&mut problems)?;
    let ids = recorded_rule_ids(json);
    let decoded = Definition::decode(&mut object, None, &mut problems);
    let mut definition = decoded.definition?;
    for (rule, id) in definition.rules.iter_mut().zip(ids) {
        rule.id = id;
    }
    Some((definition, decoded.locked.unwrap_or(false)))
}

/// Reading a feature drops rule ids that are not known; recorded ones are, in their order of evaluation.
fn recorded_rule_ids(json: &Json) -> Vec<Uuid> {
    #[derive(serde::Deserialize)]
    struct Recorded {
        rules: Vec<RecordedRule>,
    }
    #[derive(serde::Deserialize)]
    struct RecordedRule {
        id: Uuid,
    }
    let recorded: Option<Recorded> = serde_json::from_str(json.as_str()).ok();
    recorded.map(|recorded| recorded.rules.into_iter().map(|rule| rule.id).collect()).unwrap_or_default()
}

/// Which version to go back to.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"version": 5}))]
pub struct Revert {
    #[schema(minimum = 1)]
    pub version: u64,
}

/// Puts a feature back to how it was in an earlier version, as a new version. Body: [`Revert`].
pub fn revert(app: &App, actor: &Actor, target: &Target, body: &str) -> Result<StoredFeature> {
    actor.require(Permission::Change)?;
    let version = read_body(body, |object, problems| {
        object.require("version", problems)?.integer(1, i64::MAX as u64, problems)
    })?;
    app.write(actor, |tx| {
        let (site, environment) = scope(tx, &target.site, &target.environment)?;
        require_writable(&environment)?;
        let before = store::features::find(tx, environment.id, &target.key)?;
        require_version(&before.stored, target.expected)?;
        let recorded = store::changes::version(tx, &before.stored.id.to_string(), version)?;
        let (mut definition, _) = recorded
            .after
            .as_ref()
            .and_then(read_recorded)
            .ok_or_else(|| Error::NotFound(format!("version {version}")))?;
        let mut problems = Problems::default();
        check_segments(&definition, &segment_keys(tx, &site)?, "", &mut problems);
        error::check(problems)?;
        complete(tx, &environment, before.stored.id, Some(&before.stored.definition), &mut definition)?;
        let locked = before.stored.locked;
        let naming = Naming::feature("reverted", "feature.updated");
        let (feature, mut change) = save_as(tx, &site, &environment, &before, definition, locked, naming)?;
        if let Some(change) = &mut change {
            change.summary = format!("{} reverted to version {version}", target.key);
        }
        Ok(Written { value: feature, changes: change.into_iter().collect() })
    })
}
