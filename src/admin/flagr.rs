//! Changes as Flagr's programs make them (flagr.md §3): flags are `crc32` STRING features, segments their
//! rules. Whatever is asked, it ends in [`features::save`], as every change to a feature does.

use rand::Rng;

use super::{features, require_writable};
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::engine::compile::StoredFeature;
use crate::engine::condition::Condition;
use crate::engine::decode::{Node, Problems};
use crate::engine::document::FeatureEntry;
use crate::engine::feature::{
    Arm, Bucketing, Definition, Otherwise, Outcome, Percent, Rollout, Rule, Variant,
};
use crate::engine::flagr::{Constraint, valid_key};
use crate::engine::numbers::{self, Flagr, NEW_RANK, Segment, UNTITLED, align};
use crate::engine::permission::Permission;
use crate::engine::value::{FeatureType, Json};
use crate::error::{Error, Result};
use crate::ids::EnvironmentId;
use crate::store;
use crate::store::environments::Environment;
use crate::store::features::FeatureRow;
use crate::store::sites::Site;

/// The code of an error whose text is Flagr's and whose status is 400.
pub const WRONG: &str = "flagr";
/// The same for what is not there: 404.
pub const MISSING: &str = "flagr_not_found";

/// A 400 with this text.
pub fn wrong(text: impl Into<String>) -> Error {
    Error::BadRequest(WRONG, text.into())
}

fn missing(text: impl Into<String>) -> Error {
    Error::BadRequest(MISSING, text.into())
}

/// A flag that is not there.
pub fn no_flag(number: u32) -> Error {
    missing(format!("unable to find flag {number} in the database"))
}

fn no_record() -> Error {
    missing("record not found")
}

/// A rule as Flagr's segment; `None` when native editing has made it into something that Flagr cannot say
/// (flagr.md §12).
pub fn segment_of(definition: &Definition, at: usize) -> Option<Parts<'_>> {
    let rule = definition.rules.get(at)?;
    let segment = definition.flagr.as_ref()?.segments.get(at)?;
    let plain = match &rule.when {
        None => true,
        Some(Condition::All(list)) => list.iter().all(|one| matches!(one, Condition::Flagr { .. })),
        Some(one) => matches!(one, Condition::Flagr { .. }),
    };
    let percent = match &rule.rollout {
        None => 100,
        Some(rollout) if rollout.by.is_none() && rollout.otherwise != Some(Otherwise::Next) => {
            rollout.percentage.0 / 10_000
        }
        Some(_) => return None,
    };
    let arms: &[Arm] = match &rule.outcome {
        Outcome::Split(arms) => arms,
        Outcome::Value(value) if value.as_str() == "\"\"" => &[],
        Outcome::Value(_) => return None,
    };
    let description = if segment.untitled && rule.name == UNTITLED { "" } else { rule.name.as_str() };
    (plain && rule.enabled).then(|| Parts {
        segment,
        description,
        percent,
        constraints: numbers::constraints(rule),
        arms,
    })
}

/// See [`segment_of`].
pub struct Parts<'d> {
    pub segment: &'d Segment,
    pub description: &'d str,
    pub percent: u32,
    pub constraints: Vec<numbers::Sent<'d>>,
    pub arms: &'d [Arm],
}

/// The number of a variant.
pub fn variant_number(definition: &Definition, key: &str) -> u32 {
    let at = definition.variants.iter().position(|variant| variant.key == key);
    let number = at.and_then(|at| definition.flagr.as_ref()?.variants.get(at).copied());
    number.unwrap_or_default()
}

fn place(tx: &Tx<'_>, environment: EnvironmentId) -> Result<(Site, Environment)> {
    let environment = store::environments::get(tx, environment)?;
    require_writable(&environment)?;
    Ok((store::sites::get(tx, environment.site)?, environment))
}

fn find(tx: &Tx<'_>, environment: &Environment, number: u32) -> Result<FeatureRow> {
    let key = store::flagr::key_of(tx, environment.id, number)?.ok_or_else(|| no_flag(number))?;
    store::features::find(tx, environment.id, &key)
}

/// Refuses what could not be read back: too long, too many, of characters that a feature does not take.
fn verify(definition: &Definition) -> Result<()> {
    let json = Json::of(&FeatureEntry(definition)).ok_or_else(|| wrong("the flag cannot be written"))?;
    let mut problems = Problems::default();
    let node = Node::parse(json.as_str()).map_err(|_| wrong("the flag cannot be written"))?;
    if let Some(mut object) = node.object(&mut problems) {
        Definition::decode(&mut object, None, &mut problems);
        object.finish(&mut problems);
    }
    match problems.unknown.into_iter().chain(problems.invalid).next() {
        Some(problem) => Err(wrong(format!("{} {}", problem.field, problem.message))),
        None => Ok(()),
    }
}

/// One change to a flag. `f` edits the definition, with Flagr's numbers in line; new parts have the number 0.
fn edit<T>(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    number: u32,
    f: impl FnOnce(&Tx<'_>, &Environment, &mut Definition) -> Result<T>,
) -> Result<(StoredFeature, T)> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let (site, environment) = place(tx, environment)?;
        let before = find(tx, &environment, number)?;
        let mut definition = before.stored.definition.clone();
        align(Some(&before.stored.definition), &mut definition);
        let value = f(tx, &environment, &mut definition)?;
        verify(&definition)?;
        let locked = before.stored.locked;
        let (feature, change) = features::save(tx, &site, &environment, &before, definition, locked)?;
        Ok(Written { value: (feature, value), changes: change.into_iter().collect() })
    })
}

/// The same for its segments: none of them may be beyond Flagr's words.
fn edit_segments<T>(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    number: u32,
    f: impl FnOnce(&mut Definition) -> Result<T>,
) -> Result<(StoredFeature, T)> {
    edit(app, actor, environment, number, |_, _, definition| {
        let foreign = (0..definition.rules.len()).find(|at| segment_of(definition, *at).is_none());
        if let Some(at) = foreign {
            return Err(wrong(format!(
                "the rule {:?} of this flag was edited into something that Flagr's API cannot express; \
                 edit the segments in the UI or the native API",
                definition.rules[at].name
            )));
        }
        f(definition)
    })
}

/// The place of a segment, and its rule.
fn segment_at(definition: &Definition, flag: u32, number: u32) -> Result<usize> {
    let flagr = definition.flagr.as_ref();
    let at = flagr.and_then(|flagr| flagr.segments.iter().position(|segment| segment.number == number));
    at.ok_or_else(|| missing(format!("segment {number} does not belong to flag {flag}")))
}

fn numbers_of(definition: &mut Definition) -> &mut Flagr {
    definition.flagr.get_or_insert_default()
}

/// Puts the segments into the order of rank and number, and the rules with them.
fn put_in_order(definition: &mut Definition) {
    let mut priorities: Vec<u8> = definition.rules.iter().map(|rule| rule.priority).collect();
    priorities.sort_by(|a, b| b.cmp(a));
    let flagr = definition.flagr.get_or_insert_default();
    let mut pairs: Vec<(Segment, Rule)> =
        std::mem::take(&mut flagr.segments).into_iter().zip(std::mem::take(&mut definition.rules)).collect();
    // New ones, which have no number yet, come behind those of their rank.
    pairs.sort_by_key(|(segment, _)| (segment.rank, segment.number.wrapping_sub(1)));
    for ((segment, mut rule), priority) in pairs.into_iter().zip(priorities) {
        rule.priority = priority;
        flagr.segments.push(segment);
        definition.rules.push(rule);
    }
}

/// `k` and 16 letters and digits, none of which looks like another.
fn generated_key() -> String {
    const LETTERS: &[u8] = b"123456789abcdefghijkmnopqrstuvwxyz";
    let mut rng = rand::rng();
    let letters = (0..16).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
    std::iter::once('k').chain(letters).collect()
}

/// The key that was sent, or a new one.
fn read_key(key: Option<&str>, what: &str) -> Result<String> {
    match key.filter(|key| !key.is_empty()) {
        None => Ok(generated_key()),
        Some(key) if valid_key(key) && key != "." && key != ".." => Ok(key.to_owned()),
        Some(key) => Err(wrong(format!(
            "cannot {what} flag. invalid key: {key:?} should be 1 to 63 of A-Z a-z 0-9 _ - / . :"
        ))),
    }
}

fn taken(error: Error, what: &str) -> Error {
    match error {
        Error::Conflict("key_taken", ..) => wrong(format!("cannot {what} flag. flag key already exists")),
        other => other,
    }
}

fn text_json(text: &str) -> Json {
    Json::from(&serde_json::Value::from(text))
}

fn rollout(percent: u32) -> Option<Rollout> {
    let percentage = Percent(percent * 10_000);
    Some(Rollout { percentage, by: None, salt: String::new(), otherwise: Some(Otherwise::Stop) })
}

/// What there is to say about a new flag.
#[derive(Default)]
pub struct NewFlag<'a> {
    pub key: Option<&'a str>,
    pub description: &'a str,
    pub template: Option<&'a str>,
}

/// Makes a flag, disabled.
pub fn create(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    new: &NewFlag<'_>,
) -> Result<StoredFeature> {
    let mut definition = Definition {
        properties: Default::default(),
        retired: false,
        key: read_key(new.key, "create")?,
        kind: FeatureType::String,
        integer: false,
        enabled: false,
        default_value: Some(text_json("")),
        description: new.description.to_owned(),
        tags: Vec::new(),
        bucketing: Bucketing::Crc32,
        bucketing_id: None,
        variants: Vec::new(),
        rules: Vec::new(),
        flagr: Some(Flagr { created_by: actor.name.clone(), ..Flagr::default() }),
    };
    match new.template.filter(|template| !template.is_empty()) {
        None => {}
        Some("simple_boolean_flag") => {
            definition.variants.push(Variant { key: "on".into(), value: text_json("on"), attachment: None });
            definition.rules.push(new_rule("", 100));
            definition.rules[0].outcome =
                Outcome::Split(vec![Arm { variant: "on".into(), weight: Percent::FULL }]);
            numbers_of(&mut definition).segments.push(Segment { untitled: true, ..Segment::default() });
        }
        Some(other) => return Err(wrong(format!("unknown value for template: {other}"))),
    }
    insert(app, actor, environment, definition, "create")
}

fn insert(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    definition: Definition,
    what: &str,
) -> Result<StoredFeature> {
    actor.require(Permission::Change)?;
    verify(&definition)?;
    app.write(actor, |tx| {
        let (site, environment) = place(tx, environment)?;
        let (feature, change) = features::insert(tx, &site, &environment, definition, false)?;
        Ok(Written::one(feature, change))
    })
    .map_err(|error| taken(error, what))
}

/// What a flag may be changed to; what is `None` stays.
#[derive(Default)]
pub struct FlagChange<'a> {
    pub key: Option<&'a str>,
    pub description: Option<&'a str>,
    pub notes: Option<&'a str>,
    pub entity_type: Option<&'a str>,
    pub data_records_enabled: Option<bool>,
}

/// Changes a flag's texts and settings. An empty key is refused: Flagr would put a random one in its place.
pub fn update(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    number: u32,
    change: &FlagChange<'_>,
) -> Result<StoredFeature> {
    let (feature, ()) = edit(app, actor, environment, number, |tx, environment, definition| {
        if let Some(key) = change.key {
            if key.is_empty() {
                return Err(wrong("cannot update flag. invalid key: it must not be empty"));
            }
            if key != definition.key {
                definition.key = read_key(Some(key), "update")?;
                store::flagr::require_free(tx, environment.id, definition)?;
            }
        }
        if let Some(description) = change.description {
            definition.description = description.to_owned();
        }
        if let Some(entity_type) = change.entity_type
            && !entity_type.is_empty()
            && !valid_key(entity_type)
        {
            return Err(wrong(format!(
                "invalid entityType: {entity_type:?} should be 1 to 63 of A-Z a-z 0-9 _ - / . :"
            )));
        }
        let flagr = numbers_of(definition);
        let set = |field: &mut String, text: Option<&str>| {
            if let Some(text) = text {
                *field = text.to_owned();
            }
        };
        set(&mut flagr.notes, change.notes);
        set(&mut flagr.entity_type, change.entity_type);
        flagr.data_records_enabled = change.data_records_enabled.unwrap_or(flagr.data_records_enabled);
        Ok(())
    })
    .map_err(|error| taken(error, "update"))?;
    Ok(feature)
}

/// Turns a flag on or off.
pub fn set_enabled(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    number: u32,
    enabled: bool,
) -> Result<StoredFeature> {
    let (feature, ()) = edit(app, actor, environment, number, |_, _, definition| {
        definition.enabled = enabled;
        Ok(())
    })?;
    Ok(feature)
}

/// Deletes a flag, so that it can be restored. Its key and numbers stay taken.
pub fn delete(app: &App, actor: &Actor, environment: EnvironmentId, number: u32) -> Result<()> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let (site, environment) = place(tx, environment)?;
        let before = find(tx, &environment, number)?;
        let change = features::remove(tx, &site, &environment, &before, false)?;
        store::flagr::keep_deleted(tx, environment.id, &before.stored, tx.now, &tx.actor.name)?;
        Ok(Written::one((), change))
    })
}

fn find_deleted(
    tx: &Tx<'_>,
    environment: &Environment,
    number: u32,
) -> Result<Option<store::flagr::Deleted>> {
    Ok(store::flagr::deleted(tx, environment.id)?.into_iter().find(|deleted| deleted.number == number))
}

/// Brings a deleted flag back with everything it had. One that is there is given as it is.
pub fn restore(app: &App, actor: &Actor, environment: EnvironmentId, number: u32) -> Result<StoredFeature> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let (site, environment) = place(tx, environment)?;
        let Some(deleted) = find_deleted(tx, &environment, number)? else {
            return find(tx, &environment, number).map(|row| Written::nothing(row.stored));
        };
        let (definition, _) = features::read_recorded(&deleted.json)
            .ok_or_else(|| wrong(format!("the deleted flag {} cannot be read back", deleted.key)))?;
        store::flagr::purge(tx, environment.id, number)?;
        let id = uuid::Uuid::parse_str(&deleted.feature).map_err(Error::internal)?;
        let (feature, change) = features::restore(tx, &site, &environment, id, definition)?;
        Ok(Written::one(feature, change))
    })
}

/// Forgets a deleted flag for good: its key is free again, its number never.
pub fn purge(app: &App, actor: &Actor, environment: EnvironmentId, number: u32) -> Result<()> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let (site, environment) = place(tx, environment)?;
        let deleted = find_deleted(tx, &environment, number)?
            .ok_or_else(|| Error::NotFound("the deleted flag".into()))?;
        store::flagr::purge(tx, environment.id, number)?;
        let change = Change {
            site: Some(site.uuid.clone()),
            environment: Some(environment.uuid.clone()),
            entity: "feature",
            entity_id: deleted.feature.clone(),
            entity_key: deleted.key.clone(),
            action: "purged",
            summary: format!("{} purged; it cannot be restored any more", deleted.key),
            feature: None,
            touched: Touched::Nothing,
            before: Some(deleted.json),
            after: None,
            event: None,
        };
        Ok(Written::one((), change))
    })
}

/// Makes a copy of a flag under a number of its own, so its users fall into other buckets.
pub fn duplicate(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    number: u32,
    key: Option<&str>,
    description: Option<&str>,
) -> Result<StoredFeature> {
    let source = app.read(|conn| {
        let key = store::flagr::key_of(conn, environment, number)?.ok_or_else(|| no_flag(number))?;
        Ok(store::features::find(conn, environment, &key)?.stored.definition)
    })?;
    let description = match description.filter(|text| !text.trim().is_empty()) {
        Some(text) => text.to_owned(),
        None if source.description.trim().is_empty() => "(cloned)".to_owned(),
        None => format!("{} (cloned)", source.description),
    };
    let mut copy = Definition { key: read_key(key, "duplicate")?, description, bucketing_id: None, ..source };
    let flagr = numbers_of(&mut copy);
    flagr.created_by = actor.name.clone();
    flagr.all_mut().into_iter().for_each(|(_, number)| *number = 0);
    copy.rules.iter_mut().for_each(|rule| rule.id = uuid::Uuid::nil());
    insert(app, actor, environment, copy, "duplicate")
}

fn check_variant_key(definition: &Definition, key: &str, except: Option<usize>) -> Result<()> {
    if !valid_key(key) || key == "." || key == ".." {
        return Err(wrong(format!("invalid key: {key:?} should be 1 to 63 of A-Z a-z 0-9 _ - / . :")));
    }
    let taken = definition.variants.iter().position(|variant| variant.key == key);
    if taken.is_some() && taken != except {
        return Err(wrong(format!("the flag has a variant {key} already")));
    }
    Ok(())
}

/// An attachment as it is kept: nothing for `{}`. 400 when it is no object.
fn read_attachment(attachment: &Json) -> Result<Option<Json>> {
    if !attachment.is_object() {
        return Err(wrong("invalid attachment: it should be a JSON object"));
    }
    Ok(Some(attachment.clone()).filter(|json| json.as_str() != "{}"))
}

/// Adds a variant; gives the flag and the place of the variant.
pub fn create_variant(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    flag: u32,
    key: &str,
    attachment: Option<&Json>,
) -> Result<(StoredFeature, usize)> {
    edit(app, actor, environment, flag, |_, _, definition| {
        check_variant_key(definition, key, None)?;
        let attachment = attachment.map(read_attachment).transpose()?.flatten();
        definition.variants.push(Variant { key: key.to_owned(), value: text_json(key), attachment });
        numbers_of(definition).variants.push(0);
        Ok(definition.variants.len() - 1)
    })
}

fn variant_at(definition: &Definition, number: u32) -> Result<usize> {
    let numbers = definition.flagr.as_ref().map(|flagr| flagr.variants.as_slice()).unwrap_or_default();
    numbers.iter().position(|have| *have == number).ok_or_else(no_record)
}

/// Changes a variant's key, in every distribution of it too, and its attachment where one is sent.
pub fn update_variant(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    flag: u32,
    number: u32,
    key: &str,
    attachment: Option<&Json>,
) -> Result<(StoredFeature, usize)> {
    edit(app, actor, environment, flag, |_, _, definition| {
        let at = variant_at(definition, number)?;
        check_variant_key(definition, key, Some(at))?;
        let before = definition.variants[at].clone();
        for rule in &mut definition.rules {
            if let Outcome::Split(arms) = &mut rule.outcome {
                arms.iter_mut()
                    .filter(|arm| arm.variant == before.key)
                    .for_each(|arm| arm.variant = key.into());
            }
        }
        let variant = &mut definition.variants[at];
        if before.value == text_json(&before.key) {
            variant.value = text_json(key);
        }
        variant.key = key.to_owned();
        if let Some(attachment) = attachment {
            variant.attachment = read_attachment(attachment)?;
        }
        Ok(at)
    })
}

/// Deletes a variant that gets no share of any segment.
pub fn delete_variant(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    flag: u32,
    number: u32,
) -> Result<()> {
    edit(app, actor, environment, flag, |_, _, definition| {
        let at = variant_at(definition, number)?;
        let key = definition.variants[at].key.clone();
        let Definition { rules, flagr, .. } = definition;
        let flagr = flagr.get_or_insert_default();
        for (rule, segment) in rules.iter_mut().zip(&mut flagr.segments) {
            let Outcome::Split(arms) = &mut rule.outcome else { continue };
            let Some(at) = arms.iter().position(|arm| arm.variant == key) else { continue };
            if arms[at].weight > Percent(0) {
                let distribution = segment.distributions.get(at).copied().unwrap_or_default();
                return Err(wrong(format!(
                    "error deleting variant {number}. distribution {distribution} still has non-zero distribution {}",
                    arms[at].weight
                )));
            }
            arms.remove(at);
            segment.distributions.remove(at);
        }
        flagr.variants.remove(at);
        definition.variants.remove(at);
        Ok(())
    })?;
    Ok(())
}

fn new_rule(description: &str, percent: u32) -> Rule {
    Rule {
        id: uuid::Uuid::nil(),
        name: if description.is_empty() { UNTITLED.into() } else { description.to_owned() },
        priority: crate::engine::feature::DEFAULT_PRIORITY,
        enabled: true,
        when: None,
        rollout: rollout(percent),
        outcome: Outcome::Value(text_json("")),
    }
}

/// Adds a segment behind those that have been put in order; gives the flag and the place of the segment.
pub fn create_segment(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    flag: u32,
    description: &str,
    percent: u32,
) -> Result<(StoredFeature, usize)> {
    edit_segments(app, actor, environment, flag, |definition| {
        let mut rule = new_rule(description, percent);
        // Behind the others of its rank also where priorities differ.
        rule.priority = definition.rules.last().map_or(rule.priority, |last| last.priority);
        definition.rules.push(rule);
        numbers_of(definition).segments.push(Segment { rank: NEW_RANK, ..Segment::default() });
        put_in_order(definition);
        let segments = &numbers_of(definition).segments;
        segments.iter().position(|segment| segment.number == 0).ok_or_else(no_record)
    })
}

/// Changes a segment's description and rollout.
pub fn update_segment(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    flag: u32,
    number: u32,
    description: &str,
    percent: u32,
) -> Result<(StoredFeature, usize)> {
    edit_segments(app, actor, environment, flag, |definition| {
        let at = segment_at(definition, flag, number)?;
        definition.rules[at].name = description.to_owned();
        definition.rules[at].rollout = rollout(percent);
        numbers_of(definition).segments[at].untitled = false;
        Ok(at)
    })
}

/// Deletes a segment.
pub fn delete_segment(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    flag: u32,
    number: u32,
) -> Result<()> {
    edit_segments(app, actor, environment, flag, |definition| {
        let at = segment_at(definition, flag, number)?;
        definition.rules.remove(at);
        numbers_of(definition).segments.remove(at);
        Ok(())
    })?;
    Ok(())
}

/// Ranks segments in the order given, from 0; others keep their ranks.
pub fn reorder_segments(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    flag: u32,
    order: &[u32],
) -> Result<()> {
    edit_segments(app, actor, environment, flag, |definition| {
        for (rank, number) in (0..).zip(order) {
            let at = segment_at(definition, flag, *number)?;
            numbers_of(definition).segments[at].rank = rank;
        }
        put_in_order(definition);
        Ok(())
    })?;
    Ok(())
}

fn leaf((property, operator, value): numbers::Sent<'_>) -> Condition {
    Condition::Flagr { property: property.into(), operator: operator.into(), value: value.into() }
}

fn check_constraint((property, operator, value): numbers::Sent<'_>) -> Result<()> {
    Constraint::compile(property, operator, value).map(drop).map_err(wrong)
}

/// Changes the constraints of a segment; gives the flag, and the places of segment and constraint.
fn edit_constraints(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    (flag, segment): (u32, u32),
    f: impl FnOnce(&mut Vec<Condition>, &mut Vec<u32>) -> Result<usize>,
) -> Result<(StoredFeature, (usize, usize))> {
    edit_segments(app, actor, environment, flag, |definition| {
        let at = segment_at(definition, flag, segment)?;
        let mut leaves: Vec<Condition> =
            numbers::constraints(&definition.rules[at]).into_iter().map(leaf).collect();
        let numbers = &mut numbers_of(definition).segments[at].constraints;
        let place = f(&mut leaves, numbers)?;
        definition.rules[at].when = (!leaves.is_empty()).then_some(Condition::All(leaves));
        Ok((at, place))
    })
}

/// Adds a constraint. 400 when it could not be evaluated (flagr.md §6).
pub fn create_constraint(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    segment: (u32, u32),
    sent: numbers::Sent<'_>,
) -> Result<(StoredFeature, (usize, usize))> {
    check_constraint(sent)?;
    edit_constraints(app, actor, environment, segment, |leaves, numbers| {
        leaves.push(leaf(sent));
        numbers.push(0);
        Ok(leaves.len() - 1)
    })
}

/// Changes a constraint.
pub fn update_constraint(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    segment: (u32, u32),
    number: u32,
    sent: numbers::Sent<'_>,
) -> Result<(StoredFeature, (usize, usize))> {
    check_constraint(sent)?;
    edit_constraints(app, actor, environment, segment, |leaves, numbers| {
        let at = numbers.iter().position(|have| *have == number).ok_or_else(no_record)?;
        leaves[at] = leaf(sent);
        Ok(at)
    })
}

/// Deletes a constraint.
pub fn delete_constraint(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    segment: (u32, u32),
    number: u32,
) -> Result<()> {
    edit_constraints(app, actor, environment, segment, |leaves, numbers| {
        let at = numbers.iter().position(|have| *have == number).ok_or_else(no_record)?;
        leaves.remove(at);
        numbers.remove(at);
        Ok(at)
    })?;
    Ok(())
}

/// One share of a segment.
pub struct Share<'a> {
    pub percent: u32,
    pub variant: u32,
    pub key: &'a str,
}

/// Replaces the distributions of a segment. 400 unless they add up to 100 over variants of the flag.
pub fn put_distributions(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    (flag, segment): (u32, u32),
    shares: &[Share<'_>],
) -> Result<(StoredFeature, usize)> {
    let sum: u64 = shares.iter().map(|share| u64::from(share.percent)).sum();
    if sum != 100 {
        return Err(wrong(format!("status_code: 400. the sum of distributions' percent {sum} is not 100")));
    }
    edit_segments(app, actor, environment, flag, |definition| {
        let at = segment_at(definition, flag, segment)?;
        let mut arms = Vec::with_capacity(shares.len());
        for share in shares {
            let Ok(place) = variant_at(definition, share.variant) else {
                let known: Vec<String> =
                    numbers_of(definition).variants.iter().map(ToString::to_string).collect();
                return Err(wrong(format!(
                    "status_code: 400. error finding variantID {} under this flag. expecting [{}]",
                    share.variant,
                    known.join(" ")
                )));
            };
            let key = &definition.variants[place].key;
            if key != share.key {
                return Err(wrong(format!(
                    "status_code: 400. error matching variantID {} with variantKey {}. expecting {key}",
                    share.variant, share.key
                )));
            }
            arms.push((share.variant, Arm { variant: key.clone(), weight: Percent(share.percent * 10_000) }));
        }
        arms.sort_by_key(|(variant, _)| *variant);
        numbers_of(definition).segments[at].distributions = vec![0; arms.len()];
        definition.rules[at].outcome = Outcome::Split(arms.into_iter().map(|(_, arm)| arm).collect());
        Ok(at)
    })
}

/// Gives a flag a tag, which is made where there is none; gives the tag's number.
pub fn add_tag(app: &App, actor: &Actor, environment: EnvironmentId, flag: u32, value: &str) -> Result<u32> {
    let known = |c: char| c.is_ascii_alphanumeric() || "_-/.: ".contains(c);
    if !(1..=63).contains(&value.len()) || !value.chars().all(known) {
        return Err(wrong(format!(
            "cannot create tag. invalid value: {value:?} should be 1 to 63 of A-Z a-z 0-9 _ - / . : and space"
        )));
    }
    let (_, number) = edit(app, actor, environment, flag, |tx, environment, definition| {
        if !definition.tags.iter().any(|tag| tag == value) {
            definition.tags.push(value.to_owned());
            // Before a number is taken for it.
            verify(definition)?;
        }
        store::flagr::tag_number(tx, environment.id, value)
    })?;
    Ok(number)
}

/// Takes a tag away from a flag; the tag itself stays.
pub fn remove_tag(
    app: &App,
    actor: &Actor,
    environment: EnvironmentId,
    flag: u32,
    number: u32,
) -> Result<()> {
    edit(app, actor, environment, flag, |tx, environment, definition| {
        let tags = store::flagr::tags(tx, environment.id)?;
        if let Some((_, value)) = tags.into_iter().find(|(have, _)| *have == number) {
            definition.tags.retain(|tag| *tag != value);
        }
        Ok(())
    })?;
    Ok(())
}

/// Gives numbers to `crc32` features of a database that is older than the numbers.
pub fn number_old_features(app: &App) -> Result<()> {
    let is_numbered =
        |definition: &Definition| definition.bucketing != Bucketing::Crc32 || definition.flagr.is_some();
    let environments = app.live.environments();
    if environments.iter().all(|at| at.snapshot().features().all(|feature| is_numbered(feature.definition())))
    {
        return Ok(());
    }
    let unnumbered = store::flagr::unnumbered(&app.store.writer())?;
    if unnumbered.is_empty() {
        return Ok(());
    }
    app.write(&Actor::system("upgrade"), |tx| {
        let mut changes = Vec::new();
        for (environment, key) in store::flagr::unnumbered(tx)? {
            let environment = store::environments::get(tx, environment)?;
            let site = store::sites::get(tx, environment.site)?;
            let before = store::features::find(tx, environment.id, &key)?;
            let definition = before.stored.definition.clone();
            changes.extend(features::number(tx, &site, &environment, &before, definition)?);
        }
        Ok(Written { value: (), changes })
    })
}
