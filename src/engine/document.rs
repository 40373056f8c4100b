//! Site documents: a whole site as one readable JSON or YAML value, for keeping flags in git (native-api
//! "Site document"). Ids are left out, members with their default value too.

use std::collections::HashMap;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::compile::StoredFeature;
use super::decode::{Node, Object, Problems, child};
use super::feature::{self, Bucketing, Definition, Outcome, Rollout, Rule, Segment, Variant};
use super::snapshot::{DEFAULT, Info, OVERRIDE, Source, Status, StoredContext};
use super::value::{FeatureType, Json, read_integer};

/// More entries than this in one list of a document are refused.
const MAX_ENTRIES: usize = 200_000;
/// A stored Context lists at most this many prototypes (featuresd.md §2.3).
pub const MAX_PROTOTYPES: usize = 32;
/// A stored Context holds at most this many values (featuresd.md §2.3); `override` may name every feature.
pub const MAX_VALUES: usize = 1000;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub segments: Vec<Segment>,
    pub environments: Vec<Environment>,
}

/// One environment of the site.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub status: Status,
    pub user_id_is_context: bool,
    pub features: Vec<Definition>,
    pub contexts: Vec<Context>,
}

/// A stored Context as documents hold it: values as text (featuresd.md §1), `default` left out because its
/// values are the features' own.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    pub key: String,
    pub description: String,
    pub prototypes: Vec<String>,
    /// Feature key and value as written, to be read by the feature's type.
    pub values: Vec<(String, Json)>,
}

/// Whether this may be a slug: `[a-z0-9-]{1,50}` (feature-config §3).
pub fn is_slug(text: &str) -> bool {
    (1..=50).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// What is said of a text that is no slug.
pub const SLUG_RULE: &str = "must be 1 to 50 of a-z 0-9 -";

/// Whether this may be an environment's name: `[a-z0-9_-]{1,50}` (feature-config §1).
pub fn is_environment_name(text: &str) -> bool {
    (1..=50).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// What is said of a text that is no environment's name.
pub const ENVIRONMENT_RULE: &str = "must be 1 to 50 of a-z 0-9 _ -";

/// Whether this may be a stored Context's key (featuresd.md §2.3).
pub fn is_context_key(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:@+~".contains(&b))
        && text.as_bytes()[0].is_ascii_alphanumeric()
}

impl Document {
    /// Reads a document; every problem is reported by path, and with any there is no document.
    pub fn decode(node: &Node<'_>, problems: &mut Problems) -> Option<Self> {
        let before = problems.count();
        let mut object = node.object(problems)?;
        if let Some(version) = object.require("version", problems)
            && version.number() != super::number::Number::parse("1")
        {
            problems.add("version", "must be 1");
        }
        let site = object.require("site", problems).and_then(|node| {
            let mut site = node.object(problems)?;
            let slug = site.require("slug", problems).and_then(|node| {
                let slug = node.string(problems)?;
                if !is_slug(&slug) {
                    problems.add(&node.path, SLUG_RULE);
                    return None;
                }
                Some(slug)
            });
            let name = feature::text(&mut site, "name", None, 100, problems);
            let description = feature::text(&mut site, "description", None, 4000, problems);
            site.finish(problems);
            Some((slug?, name?, description?))
        });
        let segments = list(&mut object, "segments", problems, |node, problems| {
            let mut object = node.object(problems)?;
            let segment = Segment::decode(&mut object, None, problems);
            object.finish(problems);
            segment
        });
        let environments = list(&mut object, "environments", problems, Environment::decode);
        object.finish(problems);
        if let Some(segments) = &segments {
            distinct("segments", segments.iter().map(|segment| segment.key.as_str()), "key", problems);
        }
        if let Some(environments) = &environments {
            let names = environments.iter().map(|environment| environment.name.as_str());
            distinct("environments", names, "name", problems);
        }
        let (slug, mut name, description) = site?;
        if name.is_empty() {
            name.clone_from(&slug);
        }
        let document = Self { slug, name, description, segments: segments?, environments: environments? };
        (problems.count() == before).then_some(document)
    }
}

impl Environment {
    /// This environment of `document` as it would be stored, to be evaluated without a database. Values of
    /// stored Contexts that have no feature or do not fit it are problems, and left out.
    pub fn source(&self, document: &Document, problems: &mut Problems) -> Source {
        let stored = |definition: &Definition| StoredFeature {
            id: Uuid::nil(),
            version: 1,
            locked: false,
            number: definition.bucketing_id.as_deref().and_then(|id| id.parse().ok()).unwrap_or_default(),
            snapshot: 0,
            created_at: 0,
            updated_at: 0,
            updated_by: String::new(),
            definition: definition.clone(),
            damage: None,
        };
        let features: HashMap<&str, &Definition> =
            self.features.iter().map(|feature| (feature.key.as_str(), feature)).collect();
        let mut contexts = Vec::with_capacity(self.contexts.len());
        for context in &self.contexts {
            let mut values = Vec::with_capacity(context.values.len());
            for (key, written) in &context.values {
                let read = match features.get(key.as_str()) {
                    Some(feature) => read_context_value(feature.kind, feature.integer, written),
                    None => Err("is not a feature of this environment".to_owned()),
                };
                match read {
                    Ok(value) => values.push((key.as_str().into(), value)),
                    Err(message) => {
                        problems.add(format!("contexts.{}.features.{key}", context.key), message);
                    }
                }
            }
            let prototypes = context.prototypes.iter().map(|key| key.as_str().into()).collect();
            contexts.push(StoredContext {
                key: context.key.as_str().into(),
                prototypes,
                values: values.into_iter().collect(),
            });
        }
        Source {
            info: Info {
                site_id: Uuid::nil(),
                site: document.slug.as_str().into(),
                id: Uuid::nil(),
                name: self.name.as_str().into(),
                status: self.status,
                user_id_is_context: self.user_id_is_context,
                uncounted: Arc::default(),
            },
            revision: 0,
            features: self.features.iter().map(stored).collect(),
            segments: document.segments.clone(),
            contexts,
        }
    }
}

fn list<T>(
    object: &mut Object<'_>,
    name: &str,
    problems: &mut Problems,
    read: impl Fn(&Node<'_>, &mut Problems) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(node) = object.take_value(name) else { return Some(Vec::new()) };
    let items = node.list(MAX_ENTRIES, problems)?;
    let read: Vec<_> = items.iter().map(|item| read(item, problems)).collect();
    read.into_iter().collect()
}

fn distinct<'t>(path: &str, keys: impl Iterator<Item = &'t str>, member: &str, problems: &mut Problems) {
    let mut seen = std::collections::HashSet::new();
    for (at, key) in keys.enumerate() {
        if !seen.insert(key) {
            problems.add(format!("{path}[{at}].{member}"), format!("{key} stands twice"));
        }
    }
}

impl Environment {
    fn decode(node: &Node<'_>, problems: &mut Problems) -> Option<Self> {
        let mut object = node.object(problems)?;
        let name = object.require("name", problems).and_then(|node| {
            let name = node.string(problems)?;
            if !is_environment_name(&name) {
                problems.add(&node.path, ENVIRONMENT_RULE);
                return None;
            }
            Some(name)
        });
        let description = feature::text(&mut object, "description", None, 4000, problems);
        let tags = match object.take_value("tags") {
            Some(node) => feature::read_tags(&node, problems),
            None => Some(Vec::new()),
        };
        let status = read_status(&mut object, Status::Active, problems);
        let user_id_is_context = object.boolean_or("userIdIsContextKey", true, problems);
        let features = list(&mut object, "features", problems, |node, problems| {
            let mut object = node.object(problems)?;
            let decoded = Definition::decode(&mut object, None, problems);
            object.finish(problems);
            decoded.definition
        });
        let contexts = list(&mut object, "contexts", problems, Context::decode);
        object.finish(problems);
        if let Some(features) = &features {
            let keys = features.iter().map(|feature| feature.key.as_str());
            distinct(&child(&node.path, "features"), keys, "key", problems);
        }
        if let Some(contexts) = &contexts {
            let keys = contexts.iter().map(|context| context.key.as_str());
            distinct(&child(&node.path, "contexts"), keys, "key", problems);
        }
        Some(Self {
            name: name?,
            description: description?,
            tags: tags?,
            status: status?,
            user_id_is_context: user_id_is_context?,
            features: features?,
            contexts: contexts?,
        })
    }
}

/// The `status` of an environment.
pub fn read_status(object: &mut Object<'_>, default: Status, problems: &mut Problems) -> Option<Status> {
    let Some(node) = object.take_value("status") else { return Some(default) };
    let status = Status::parse(&node.string(problems)?);
    if status.is_none() {
        problems.add(&node.path, "must be one of active, archived, maintenance");
    }
    status
}

impl Context {
    fn decode(node: &Node<'_>, problems: &mut Problems) -> Option<Self> {
        let mut object = node.object(problems)?;
        let key = object.require("key", problems).and_then(|node| {
            let key = node.string(problems)?;
            if !is_context_key(&key) {
                problems.add(
                    &node.path,
                    "must be 1 to 200 of A-Z a-z 0-9 . _ - : @ + ~, beginning with a letter or digit",
                );
                return None;
            }
            if key == DEFAULT {
                problems.add(&node.path, "is reserved: its values are the features' default values");
                return None;
            }
            Some(key)
        });
        let description = feature::text(&mut object, "description", None, 1000, problems);
        let prototypes = match object.take_value("prototypes") {
            Some(node) => node.strings(MAX_PROTOTYPES, problems),
            None => Some(Vec::new()),
        };
        check_prototypes(key.as_deref(), prototypes.as_deref(), &child(&node.path, "prototypes"), problems);
        let values = match object.take_value("features") {
            None => Some(Vec::new()),
            Some(node) => node.object(problems).and_then(|object| {
                let entries = object.rest();
                if entries.len() > MAX_VALUES && key.as_deref() != Some(OVERRIDE) {
                    problems.add(&node.path, format!("must have at most {MAX_VALUES} entries"));
                    return None;
                }
                Some(entries.into_iter().map(|(key, node)| (key, Json::compacted(node.text()))).collect())
            }),
        };
        object.finish(problems);
        Some(Self { key: key?, description: description?, prototypes: prototypes?, values: values? })
    }
}

/// What can be said about a list of prototypes without knowing which Contexts there are (featuresd.md §2.3).
fn check_prototypes(key: Option<&str>, prototypes: Option<&[String]>, path: &str, problems: &mut Problems) {
    let Some(prototypes) = prototypes else { return };
    if key == Some(OVERRIDE) && !prototypes.is_empty() {
        problems.add(path, "override has no prototypes");
    }
    for (at, prototype) in prototypes.iter().enumerate() {
        let problem = if matches!(prototype.as_str(), OVERRIDE | DEFAULT) {
            "takes part in every look-up and cannot be a prototype"
        } else if key == Some(prototype) {
            "cannot be its own prototype"
        } else if prototypes[..at].contains(prototype) {
            "stands twice"
        } else {
            continue;
        };
        problems.add(format!("{path}[{at}]"), problem);
    }
}

/// Reads a value inside a stored Context: the text forms of featuresd.md §2.2, or the natural JSON literal.
/// The error says what was expected.
pub fn read_context_value(kind: FeatureType, integer: bool, written: &Json) -> Result<Json, String> {
    let text = written.to_text();
    let mut problems = Problems::default();
    let literal = match (kind, text.as_deref()) {
        (FeatureType::Boolean, Some("yes" | "true")) => return Ok(true.into()),
        (FeatureType::Boolean, Some("no" | "false")) => return Ok(false.into()),
        (FeatureType::Boolean, Some(_)) => return Err("must be yes or no".into()),
        (FeatureType::Number | FeatureType::Json, Some(text)) => text.to_owned(),
        _ => written.as_str().to_owned(),
    };
    if integer {
        return read_integer(&literal).map_err(str::to_owned);
    }
    let Ok(node) = Node::parse(&literal) else { return Err(format!("must hold a {kind} value")) };
    if kind == FeatureType::Number && node.text() != literal {
        return Err("must be a JSON number".into());
    }
    kind.read(&node, &mut problems)
        .ok_or_else(|| problems.invalid.pop().map_or_else(String::new, |problem| problem.message))
}

/// A value as stored Contexts show it: `yes` and `no`, else the text (featuresd.md §2.1).
pub fn context_text(kind: FeatureType, value: &str) -> String {
    match (kind, value) {
        (FeatureType::Boolean, "true") => "yes".into(),
        (FeatureType::Boolean, _) => "no".into(),
        (FeatureType::String, text) => serde_json::from_str(text).unwrap_or_default(),
        (_, text) => text.into(),
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Site<'a> {
            slug: &'a str,
            name: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            description: &'a str,
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &1)?;
        let site = Site { slug: &self.slug, name: &self.name, description: &self.description };
        map.serialize_entry("site", &site)?;
        if !self.segments.is_empty() {
            map.serialize_entry("segments", &self.segments)?;
        }
        map.serialize_entry("environments", &self.environments)?;
        map.end()
    }
}

impl Serialize for Environment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        entry_if(&mut map, "description", &self.description, !self.description.is_empty())?;
        entry_if(&mut map, "tags", &self.tags, !self.tags.is_empty())?;
        entry_if(&mut map, "status", &self.status, self.status != Status::Active)?;
        entry_if(&mut map, "userIdIsContextKey", &false, !self.user_id_is_context)?;
        map.serialize_entry("features", &self.features.iter().map(FeatureEntry).collect::<Vec<_>>())?;
        entry_if(&mut map, "contexts", &self.contexts, !self.contexts.is_empty())?;
        map.end()
    }
}

impl Serialize for Context {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Values<'a>(&'a [(String, Json)]);
        impl Serialize for Values<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
            }
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("key", &self.key)?;
        entry_if(&mut map, "description", &self.description, !self.description.is_empty())?;
        entry_if(&mut map, "prototypes", &self.prototypes, !self.prototypes.is_empty())?;
        entry_if(&mut map, "features", &Values(&self.values), !self.values.is_empty())?;
        map.end()
    }
}

fn entry_if<M: SerializeMap, T: Serialize>(
    map: &mut M,
    name: &str,
    value: &T,
    wanted: bool,
) -> Result<(), M::Error> {
    if wanted { map.serialize_entry(name, value) } else { Ok(()) }
}

/// A feature as documents hold it.
pub struct FeatureEntry<'a>(pub &'a Definition);

impl Serialize for FeatureEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let feature = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("key", &feature.key)?;
        map.serialize_entry("type", &feature.kind)?;
        entry_if(&mut map, "integer", &true, feature.integer)?;
        entry_if(&mut map, "enabled", &false, !feature.enabled)?;
        entry_if(&mut map, "defaultValue", &feature.default_value, feature.default_value.is_some())?;
        entry_if(&mut map, "description", &feature.description, !feature.description.is_empty())?;
        entry_if(&mut map, "tags", &feature.tags, !feature.tags.is_empty())?;
        entry_if(&mut map, "properties", &feature.properties, !feature.properties.is_empty())?;
        entry_if(&mut map, "retired", &true, feature.retired)?;
        entry_if(&mut map, "bucketing", &feature.bucketing, feature.bucketing != Bucketing::Sha256)?;
        entry_if(&mut map, "bucketingId", &feature.bucketing_id, feature.bucketing_id.is_some())?;
        let variants: Vec<_> = feature.variants.iter().map(VariantEntry).collect();
        entry_if(&mut map, "variants", &variants, !variants.is_empty())?;
        let rules: Vec<_> = feature.rules.iter().map(RuleEntry).collect();
        entry_if(&mut map, "rules", &rules, !rules.is_empty())?;
        entry_if(&mut map, "flagr", &feature.flagr, feature.flagr.is_some())?;
        map.end()
    }
}

struct VariantEntry<'a>(&'a Variant);

impl Serialize for VariantEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("key", &self.0.key)?;
        map.serialize_entry("value", &self.0.value)?;
        entry_if(&mut map, "attachment", &self.0.attachment, self.0.attachment.is_some())?;
        map.end()
    }
}

struct RuleEntry<'a>(&'a Rule);

impl Serialize for RuleEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Rule { id: _, name, priority, enabled, when, rollout, outcome } = self.0;
        let rollout: &Option<Rollout> = rollout;
        let outcome: &Outcome = outcome;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", name)?;
        entry_if(&mut map, "priority", priority, *priority != feature::DEFAULT_PRIORITY)?;
        entry_if(&mut map, "enabled", &false, !enabled)?;
        entry_if(&mut map, "when", when, when.is_some())?;
        entry_if(&mut map, "rollout", rollout, rollout.is_some())?;
        map.serialize_entry("outcome", outcome)?;
        map.end()
    }
}

#[cfg(test)]
mod tests;
