//! Native features as FeatureHub's rollout strategies, for clients that evaluate by themselves (featurehub.md
//! §12). What they would not evaluate exactly as this server does is refused with the reason; nothing is
//! approximated.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::conditions::{Attribute, branches};
use super::views::shown;
use crate::engine::compile::{CompiledOutcome, CompiledRule, Feature, Stick};
use crate::engine::condition::Scalar;
use crate::engine::feature::{Bucketing, Percent, Rule};
use crate::engine::snapshot::Snapshot;
use crate::engine::value::{FeatureType, Json};

/// Stored Contexts whose values one feature can be sent with.
const MAX_CONTEXTS: usize = 1000;

/// A feature as those clients get it.
#[derive(Debug)]
pub struct Expressed {
    pub value: Option<Json>,
    pub strategies: Vec<Strategy>,
}

/// A rollout strategy (featurehub.md §2.2).
#[derive(Debug)]
pub struct Strategy {
    pub id: String,
    /// In ten-thousandths of a percent; `None`: for everyone whom the attributes match.
    pub percentage: Option<u32>,
    pub percentage_attributes: Vec<String>,
    pub attributes: Vec<Attribute>,
    pub value: Json,
}

/// The feature in FeatureHub's terms, or why it has none.
pub fn express(snapshot: &Snapshot, feature: &Feature) -> Result<Expressed, String> {
    let definition = feature.definition();
    let only = |value| Ok(Expressed { value, strategies: Vec::new() });
    if let Some(value) = snapshot.overrides().and_then(|overrides| overrides.values.get(&feature.key)) {
        return only(Some(value.clone()));
    }
    if !definition.enabled {
        // A BOOLEAN without a value is false on the wire.
        return only(None);
    }
    let mut strategies = stored_contexts(snapshot, feature)?;
    let mut value = definition.default_value.clone();
    let mut rules = feature.rules.iter().zip(&definition.rules).filter(|(_, rule)| rule.enabled).peekable();
    while let Some((compiled, rule)) = rules.next() {
        let explain = |why: String| format!("rule “{}”: {why}", rule.name);
        let part = one_rule(snapshot, feature, compiled, rule).map_err(explain)?;
        match part {
            Part::Everyone(outcome) => {
                value = Some(outcome);
                break;
            }
            Part::Some(some) => strategies.extend(some),
        }
        if compiled.stops && is_partial(compiled) {
            if compiled.unconditional {
                break;
            }
            if rules.peek().is_some() {
                let why =
                    "whom its rollout leaves out must not reach the next rule; FeatureHub's clients go on";
                return Err(explain(why.into()));
            }
        }
    }
    spare_javascript(&mut strategies);
    Ok(Expressed { value, strategies })
}

/// JavaScript 1.4.0 adds the percentage of a strategy with attributes to what the next bands begin with; one that is
/// not there makes that no number, and no band behind it matches ever again. 0 with attributes means the same as none
/// (featurehub.md §5.2), to every client.
fn spare_javascript(strategies: &mut [Strategy]) {
    let is_band = |one: &Strategy| one.percentage.is_some() && one.attributes.is_empty();
    let last = strategies.iter().rposition(is_band).unwrap_or_default();
    for before in strategies[..last].iter_mut().filter(|one| one.percentage.is_none()) {
        before.percentage = Some(0);
    }
}

/// What a rule becomes.
enum Part {
    /// Its outcome is everyone's: what comes later is never asked.
    Everyone(Json),
    Some(Vec<Strategy>),
}

fn arms(rule: &CompiledRule) -> &[(usize, Percent)] {
    match &rule.outcome {
        CompiledOutcome::Split(arms) => arms,
        CompiledOutcome::Value(_) => &[],
    }
}

/// Whether a bucket decides.
fn is_partial(rule: &CompiledRule) -> bool {
    rule.percentage < Percent::FULL || arms(rule).len() > 1
}

fn one_rule(
    snapshot: &Snapshot,
    feature: &Feature,
    compiled: &CompiledRule,
    rule: &Rule,
) -> Result<Part, String> {
    let definition = feature.definition();
    let whole = |at: usize| match &compiled.outcome {
        CompiledOutcome::Value(value) => value.clone(),
        CompiledOutcome::Split(arms) => definition.variants[arms[at].0].value.clone(),
    };
    let branches = match &rule.when {
        Some(when) if !compiled.unconditional => branches(when, snapshot.segments())?,
        _ => vec![Vec::new()],
    };
    if !is_partial(compiled) && compiled.unconditional {
        return Ok(Part::Everyone(whole(0)));
    }
    let mut strategies = Vec::new();
    let mut add = |percentage: Option<u32>, value: Json| {
        for attributes in &branches {
            let id = match strategies.len() {
                0 => compiled.id.to_string(),
                earlier => format!("{}-{}", compiled.id, earlier + 1),
            };
            strategies.push(Strategy {
                id,
                percentage,
                percentage_attributes: percentage.map(|_| stick(&compiled.stick)).unwrap_or_default(),
                attributes: attributes.clone(),
                value: value.clone(),
            });
        }
    };
    if !is_partial(compiled) {
        add(None, whole(0));
        return Ok(Part::Some(strategies));
    }
    if definition.bucketing != Bucketing::Murmur3 {
        return Err(format!(
            "its percentages are those of {}; FeatureHub's clients put users into buckets by murmur3",
            definition.bucketing.as_str()
        ));
    }
    let arms = arms(compiled);
    if arms.len() <= 1 {
        // 0 % with attributes would be read as no percentage at all.
        if compiled.percentage.0 > 0 {
            add(Some(compiled.percentage.0), whole(0));
        }
        return Ok(Part::Some(strategies));
    }
    let mut sum = 0;
    for (at, (_, weight)) in arms.iter().enumerate().filter(|(_, (_, weight))| weight.0 > 0) {
        sum += weight.0;
        // Percentages accumulate only where there are no attributes (featurehub.md §5.2).
        add(Some(if compiled.unconditional { weight.0 } else { sum }), whole(at));
    }
    Ok(Part::Some(strategies))
}

/// The attributes that the bucket is of; none: the client's default.
fn stick(stick: &Stick) -> Vec<String> {
    let name = |path: &crate::engine::context::Path| field(path.as_str()).into_owned();
    match stick {
        Stick::TargetingKey => Vec::new(),
        Stick::Attribute(path) => vec![name(path)],
        Stick::Attributes(paths) => paths.iter().map(name).collect(),
    }
}

/// The name under which clients know an attribute.
pub fn field(attribute: &str) -> Cow<'_, str> {
    if attribute == "userId" { "userkey".into() } else { attribute.into() }
}

/// The Contexts that get a value, by value in the order of their text.
type ByValue = BTreeMap<String, (Json, Vec<String>)>;

/// What stored Contexts get.
#[derive(Default)]
struct Resolved {
    by_feature: HashMap<String, ByValue>,
    /// Why a Context cannot be followed, whose prototypes are too many, and the features that it may have a value of.
    unknown: Option<(String, HashSet<String>)>,
}

fn resolve(snapshot: &Snapshot) -> Resolved {
    let mut resolved = Resolved::default();
    let mut contexts: Vec<_> = snapshot.contexts().collect();
    contexts.sort_by(|a, b| a.key.cmp(&b.key));
    for context in contexts {
        let Ok(chain) = snapshot.inherited(context) else {
            resolved.unknown.get_or_insert_with(|| {
                let why = format!("the Context {} inherits from more than can be followed", context.key);
                let values = snapshot.contexts().flat_map(|one| one.values.iter());
                (why, values.map(|(key, _)| key.to_string()).collect())
            });
            continue;
        };
        let mut seen: HashMap<&str, &Json> = HashMap::new();
        for one in chain {
            for (feature, value) in one.values.iter() {
                seen.entry(feature).or_insert(value);
            }
        }
        for (feature, value) in seen {
            let values = resolved.by_feature.entry(feature.to_owned()).or_default();
            let (_, keys) =
                values.entry(value.as_str().to_owned()).or_insert_with(|| (value.clone(), Vec::new()));
            keys.push(context.key.to_string());
        }
    }
    resolved
}

/// Strategies for the users that a stored Context gives a value of their own: one for each value.
fn stored_contexts(snapshot: &Snapshot, feature: &Feature) -> Result<Vec<Strategy>, String> {
    if !snapshot.info.user_id_is_context || snapshot.contexts().next().is_none() {
        return Ok(Vec::new());
    }
    let resolved = snapshot.from_contexts.get_or_make(|| resolve(snapshot));
    if let Some((why, features)) = &resolved.unknown
        && features.contains(&*feature.key)
    {
        return Err(why.clone());
    }
    let Some(values) = resolved.by_feature.get(&*feature.key) else { return Ok(Vec::new()) };
    let count: usize = values.values().map(|(_, keys)| keys.len()).sum();
    if count > MAX_CONTEXTS {
        return Err(format!(
            "{count} Contexts have a value of their own; at most {MAX_CONTEXTS} can be sent"
        ));
    }
    let strategy = |(at, (value, keys)): (usize, &(Json, Vec<String>))| Strategy {
        id: format!("context-{}", at + 1),
        percentage: None,
        percentage_attributes: Vec::new(),
        attributes: vec![Attribute::equals("userkey", keys.iter().cloned().map(Scalar::Text).collect())],
        value: value.clone(),
    };
    Ok(values.values().enumerate().map(strategy).collect())
}

/// What of an environment those clients cannot be sent: features by key, with the reason. Retired ones are meant to
/// be left out.
pub fn inexpressible(snapshot: &Snapshot) -> Vec<(&str, String)> {
    shown(snapshot).filter_map(|feature| Some((&*feature.key, express(snapshot, feature).err()?))).collect()
}

/// The value of a feature as clients get it: as it is, but JSON as text; nothing for none, `false` for none of a
/// BOOLEAN.
pub fn wire_value(kind: FeatureType, value: &str) -> Option<Cow<'_, str>> {
    match (kind, value) {
        (FeatureType::Boolean, "null") => Some("false".into()),
        (_, "null") => None,
        (FeatureType::Json, value) => Some(serde_json::Value::from(value).to_string().into()),
        (_, value) => Some(value.into()),
    }
}
