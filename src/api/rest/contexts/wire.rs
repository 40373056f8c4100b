//! How look-ups look, asked and answered. Names with an underscore are the contract's (featuresd.md §6.2).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::admin::contexts::check::{self, Faults};
use crate::clock::Millis;
use crate::engine::compile::Feature;
use crate::engine::decode::{Node, Problems};
use crate::engine::document::MAX_PROTOTYPES;
use crate::engine::lookup::{Found, Lookup, Rules, Source, Subject, is_special, text};
use crate::engine::snapshot::Snapshot;
use crate::engine::value::Json;
use crate::error::{self, Error, Result};

/// At most this many subjects in one request (featuresd.md §7.2).
const MAX_SUBJECTS: usize = 100;

/// What a look-up tells beside the values.
#[derive(Debug, Default, Clone, Copy)]
pub struct Manner {
    pub explain: bool,
    /// Native JSON values rather than text.
    pub typed: bool,
    /// Refuse a subject that is not stored.
    pub strict: bool,
    /// In the order of evaluation: with the features' switches and rules.
    pub rules: bool,
}

/// What one subject's features resolve to.
#[derive(Serialize, ToSchema)]
#[schema(as = ContextLookup, example = json!({
    "key": "mia", "context_exists": true, "revision": 412,
    "features": {"banner": "Hej", "beta_ui": "yes", "ratio": "0.25", "seats": "50"}
}))]
pub struct Looked<'a> {
    pub key: &'a str,
    /// Whether the key names a stored Context. Where it does not, `override` and `default` answer.
    pub context_exists: bool,
    pub revision: u64,
    /// With `explain`: the keys of the Contexts asked, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<&'a str>>,
    /// By feature key: the value as text, with `typed` as JSON, with `explain` an object. Features that nothing gives a
    /// value are left out, with `explain` they are there with `null`.
    #[schema(value_type = BTreeMap<String, Json>)]
    pub features: BTreeMap<&'a str, Shown<'a>>,
    /// With `explain`: what was passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
}

/// What one feature resolves to for one subject.
#[derive(Serialize, ToSchema)]
#[schema(as = ContextValueLookup, example = json!({
    "key": "mia", "context_exists": true, "revision": 412, "feature": "banner", "value": "Hej"
}))]
pub struct LookedOne<'a> {
    pub key: &'a str,
    pub context_exists: bool,
    pub revision: u64,
    pub feature: &'a str,
    /// As text, or with `typed` as JSON; `null` when nothing gives one.
    #[schema(value_type = Json)]
    pub value: Value,
    /// With `explain`: `flag`, `number`, `integer`, `string` or `json`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// With `explain`: the key of a Context; with `rules` perhaps `rule:` and its id; `null`: nothing gives a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub source: Option<Option<String>>,
    /// With `explain`: from the subject to the source, each a prototype of the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Vec<&'a str>>,
    /// With `explain`: values that others further down the order have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadowed: Option<Vec<Shadowed<'a>>>,
    /// With `explain`: the keys of the Contexts asked, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<&'a str>>,
    /// With `explain`: what was passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
}

/// A value as it is shown.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Value {
    Text(String),
    Json(Json),
    None,
}

/// A value, or all about it.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Shown<'a> {
    Plain(Value),
    Explained {
        value: Value,
        #[serde(flatten)]
        way: Way<'a>,
    },
}

/// With `explain`: where a value comes from.
#[derive(Serialize)]
pub struct Way<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub source: Option<String>,
    pub path: Vec<&'a str>,
    pub shadowed: Vec<Shadowed<'a>>,
}

/// A value that an earlier one hides.
#[derive(Serialize, ToSchema)]
#[schema(as = ShadowedValue)]
pub struct Shadowed<'a> {
    pub context: &'a str,
    #[schema(value_type = Json)]
    pub value: Value,
}

fn show(manner: Manner, feature: &Feature, value: &str) -> Value {
    if manner.typed { Value::Json(Json::compacted(value)) } else { Value::Text(text(feature, value)) }
}

fn shown(manner: Manner, feature: &Feature, found: &Found<'_>) -> Value {
    found.value.map_or(Value::None, |value| show(manner, feature, value))
}

fn explained<'a, 's: 'a, 'q: 'a>(
    manner: Manner,
    lookup: &'a Lookup<'s, 'q>,
    rules: Option<&Rules<'s, '_>>,
    feature: &'s Feature,
) -> (Value, Way<'a>) {
    let explained = lookup.explain(feature, rules);
    let way = Way {
        kind: feature.definition().context_type(),
        source: match &explained.found.source {
            Source::Context(key) => Some((*key).to_owned()),
            Source::Rule(id) => Some(format!("rule:{id}")),
            Source::None => None,
        },
        shadowed: explained
            .shadowed
            .iter()
            .map(|(context, value)| Shadowed { context, value: show(manner, feature, value.as_str()) })
            .collect(),
        path: explained.path,
    };
    (shown(manner, feature, &explained.found), way)
}

/// One subject in one snapshot, to be answered.
pub struct Asked<'s, 'q> {
    snapshot: &'s Snapshot,
    subject: &'q Subject,
    lookup: Lookup<'s, 'q>,
    manner: Manner,
    now: Millis,
}

impl<'s, 'q> Asked<'s, 'q> {
    /// `context_not_found` for a subject that is not stored, when the manner is strict.
    pub fn new(snapshot: &'s Snapshot, subject: &'q Subject, manner: Manner, now: Millis) -> Result<Self> {
        let lookup = Lookup::new(snapshot, subject)?;
        if manner.strict && !lookup.exists {
            return Err(Error::Missing("context_not_found", format!("Context {}", subject.key)));
        }
        Ok(Self { snapshot, subject, lookup, manner, now })
    }

    pub fn exists(&self) -> bool {
        self.lookup.exists
    }

    fn order(&self) -> Option<Vec<&str>> {
        self.manner.explain.then(|| self.lookup.order())
    }

    fn warnings(&self) -> Option<Vec<String>> {
        self.manner.explain.then(|| {
            self.lookup.missing().iter().map(|key| format!("the prototype {key} does not exist")).collect()
        })
    }

    /// These features, or all.
    pub fn all<R>(&self, keys: Option<&[String]>, answer: impl FnOnce(&Looked<'_>) -> R) -> Result<R> {
        let context = self.subject.context();
        let rules = self.rules(&context)?;
        let mut features = BTreeMap::new();
        let mut add = |feature: &'s Feature| {
            if self.manner.explain {
                let (value, way) = explained(self.manner, &self.lookup, rules.as_ref(), feature);
                features.insert(&*feature.key, Shown::Explained { value, way });
                return;
            }
            let found = match &rules {
                Some(rules) => self.lookup.find_with_rules(feature, rules),
                None => self.lookup.find(feature),
            };
            if found.value.is_some() {
                features.insert(&*feature.key, Shown::Plain(shown(self.manner, feature, &found)));
            }
        };
        match keys {
            Some(keys) => {
                keys.iter().filter_map(|key| self.snapshot.feature(key)).for_each(|feature| add(feature));
            }
            None => self.snapshot.features().for_each(|feature| add(feature)),
        }
        Ok(answer(&Looked {
            key: &self.subject.key,
            context_exists: self.lookup.exists,
            revision: self.snapshot.revision,
            order: self.order(),
            features,
            warnings: self.warnings(),
        }))
    }

    /// One feature.
    pub fn one<R>(&self, feature: &'s Feature, answer: impl FnOnce(&LookedOne<'_>) -> R) -> Result<R> {
        let context = self.subject.context();
        let rules = self.rules(&context)?;
        let (value, way) = explained(self.manner, &self.lookup, rules.as_ref(), feature);
        let way = self.manner.explain.then_some(way);
        Ok(answer(&LookedOne {
            key: &self.subject.key,
            context_exists: self.lookup.exists,
            revision: self.snapshot.revision,
            feature: &feature.key,
            value,
            kind: way.as_ref().map(|way| way.kind),
            source: way.as_ref().map(|way| way.source.clone()),
            path: way.as_ref().map(|way| way.path.clone()),
            shadowed: way.map(|way| way.shadowed),
            order: self.order(),
            warnings: self.warnings(),
        }))
    }

    fn rules<'c>(&self, context: &'c crate::engine::context::Context<'c>) -> Result<Option<Rules<'s, 'c>>> {
        if !self.manner.rules {
            return Ok(None);
        }
        Ok(Some(Rules::new(self.snapshot, context, super::super::client::nanos(self.now))?))
    }
}

/// Whom to look up: by key, or described.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContextSubject)]
pub struct SubjectShape {
    #[schema(min_length = 1, max_length = 200)]
    pub key: String,
    /// Further prototypes, asked after those of the stored Context.
    #[schema(max_items = 32)]
    pub prototypes: Option<Vec<String>>,
    /// Values of its own; those of the stored Context come first.
    pub features: Option<BTreeMap<String, Json>>,
}

/// Many look-ups at once.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContextLookups, example = json!({
    "subjects": [{"key": "ben"}, {"key": "x9", "prototypes": ["team:blue"], "features": {"search_limit": "7"}}],
    "keys": ["search_limit"], "explain": false
}))]
pub struct LookupRequest {
    #[schema(max_items = 100)]
    pub subjects: Vec<SubjectShape>,
    /// Only these features.
    pub keys: Option<Vec<String>>,
    /// Tell where each value comes from and what it hides. Not for `client` tokens.
    pub explain: Option<bool>,
    /// Values as JSON rather than text.
    pub typed: Option<bool>,
    /// Refuse subjects that are not stored.
    pub strict: Option<bool>,
    /// In the order of evaluation: with the features' switches and rules.
    pub rules: Option<bool>,
}

/// The answers, in the order of the subjects.
#[derive(ToSchema)]
#[schema(as = ContextLookupAnswers, example = json!({
    "revision": 412, "results": [{"key": "mia", "context_exists": true, "revision": 412, "features": {"seats": "50"}}]
}))]
pub struct LookupAnswer {
    pub revision: u64,
    pub results: Vec<Looked<'static>>,
}

/// A batch as it was asked for.
pub struct Batch {
    pub subjects: Vec<Subject>,
    pub keys: Option<Vec<String>>,
    pub manner: Manner,
}

impl Batch {
    /// Reads and checks a body. What is wrong with a subject is told with its index.
    pub fn read(body: &str, snapshot: &Snapshot) -> Result<Self> {
        let node = crate::admin::parse(body)?;
        let mut problems = Problems::default();
        let Some(mut object) = node.object(&mut problems) else {
            return Err(Error::BadJson("the body must be a JSON object".into()));
        };
        let subjects = object.require("subjects", &mut problems);
        let subjects = subjects.and_then(|node| node.list(MAX_SUBJECTS, &mut problems)).unwrap_or_default();
        let mut read = Vec::with_capacity(subjects.len());
        let mut faults: Vec<(usize, Faults)> = Vec::new();
        for (at, node) in subjects.iter().enumerate() {
            let mut found = Faults::default();
            read.extend(read_subject(node, snapshot, &mut problems, &mut found));
            faults.push((at, found));
        }
        let keys = match object.take_value("keys") {
            Some(node) => node.strings(usize::MAX, &mut problems),
            None => None,
        };
        let mut flag = |name: &str| match object.take_value(name) {
            Some(node) => node.boolean(&mut problems).unwrap_or_default(),
            None => false,
        };
        let manner = Manner {
            explain: flag("explain"),
            typed: flag("typed"),
            strict: flag("strict"),
            rules: flag("rules"),
        };
        object.finish(&mut problems);
        error::check(problems)?;
        for (at, found) in faults {
            found.into_result().map_err(|error| with_index(error, at))?;
        }
        let mut found = Faults::default();
        for (at, key) in keys.iter().flatten().enumerate() {
            if snapshot.feature(key).is_none() {
                check::unknown_feature(&format!("keys[{at}]"), key, &mut found);
            }
        }
        found.into_result()?;
        Ok(Self { subjects: read, keys, manner })
    }
}

/// The same refusal with the index of the subject it is about.
pub fn with_index(error: Error, at: usize) -> Error {
    let indexed = |mut details: serde_json::Value| {
        if details.is_null() {
            details = json!({});
        }
        details["index"] = at.into();
        details
    };
    match error {
        Error::Unprocessable(code, message, details) => {
            Error::Unprocessable(code, format!("subjects[{at}]: {message}"), indexed(details))
        }
        Error::Missing(code, what) => {
            Error::Unprocessable(code, format!("subjects[{at}]: {what} does not exist"), indexed(json!(null)))
        }
        other => other,
    }
}

fn read_subject(
    node: &Node<'_>,
    snapshot: &Snapshot,
    problems: &mut Problems,
    faults: &mut Faults,
) -> Option<Subject> {
    let mut object = node.object(problems)?;
    let key = object.require("key", problems).and_then(|node| {
        let key = node.string(problems)?;
        require_key(&key, faults);
        Some(key)
    });
    let prototypes = match object.take_value("prototypes") {
        Some(node) => node.strings(usize::MAX, problems),
        None => Some(Vec::new()),
    };
    require_prototypes(prototypes.as_deref().unwrap_or_default(), faults);
    let mut values = Vec::new();
    if let Some(features) = object.take_value("features").and_then(|node| node.object(problems)) {
        for (feature, node) in features.rest() {
            let kind = snapshot.feature(&feature).map(|feature| {
                let definition = feature.definition();
                (definition.kind, definition.integer)
            });
            let field = format!("features.{feature}");
            let written = Json::compacted(node.text());
            let read = check::read(&field, &feature, kind, &written, faults);
            values.extend(read.map(|value| (feature.as_str().into(), value)));
        }
    }
    object.finish(problems);
    if key.as_deref().is_some_and(is_special) && !values.is_empty() {
        faults.add("reserved_context", "features", "cannot be added to one that is always there");
    }
    Some(Subject { key: key?, prototypes: prototypes?, values: values.into_iter().collect() })
}

/// A key may be looked up that could not be stored: an application has users of every kind.
pub fn require_key(key: &str, faults: &mut Faults) {
    if !(1..=200).contains(&key.len()) {
        faults.add("invalid_key", "key", "must be 1 to 200 bytes");
    }
}

/// Prototypes that a subject brings along. One that does not exist is passed over.
pub fn require_prototypes(prototypes: &[String], faults: &mut Faults) {
    if prototypes.len() > MAX_PROTOTYPES {
        let message = format!("must have at most {MAX_PROTOTYPES} entries");
        faults.add("too_many_prototypes", "prototypes", message);
    }
    for (at, prototype) in prototypes.iter().enumerate().filter(|(_, key)| is_special(key)) {
        let message = format!("{prototype} takes part in every look-up already");
        faults.add("reserved_context", format!("prototypes[{at}]"), message);
    }
}
