//! A feature as people write it: the shapes of native-api, their checks, and their JSON. The same
//! shapes stand in the REST API, in documents and in storage.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::condition::Condition;
use super::decode::{Node, Object, Problems, child};
use super::numbers::Flagr;
use super::value::{FeatureType, Json, read_integer};

/// A feature has at most this many rules, and as many variants.
pub const MAX_RULES: usize = 500;
/// A feature has at most this many tags.
pub const MAX_TAGS: usize = 50;
/// A feature has at most this many properties.
pub const MAX_PROPERTIES: usize = 50;
/// Priority of a rule that names none (feature-config §1).
pub const DEFAULT_PRIORITY: u8 = 50;

/// How users are put into buckets: `sha256`, this server's own; `murmur3`, as FeatureHub's clients compute it;
/// `crc32`, as Flagr computes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bucketing {
    /// SHA-256, as feature-config §2 says.
    #[default]
    Sha256,
    /// As FeatureHub's clients compute it (featurehub.md §5.2).
    Murmur3,
    /// As Flagr computes it (flagr.md §5).
    Crc32,
}

impl Bucketing {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Murmur3 => "murmur3",
            Self::Crc32 => "crc32",
        }
    }

    /// The scheme of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sha256, Self::Murmur3, Self::Crc32].into_iter().find(|scheme| scheme.as_str() == text)
    }

    /// Units of [`Percent`] that a percentage of this scheme must be a multiple of.
    fn step(self) -> u32 {
        match self {
            Self::Sha256 => 100,
            Self::Murmur3 => 1,
            Self::Crc32 => 10_000,
        }
    }

    fn decimals(self) -> &'static str {
        match self {
            Self::Sha256 => "at most two decimals",
            Self::Murmur3 => "at most four decimals",
            Self::Crc32 => "no decimals",
        }
    }
}

/// A percentage from 0 to 100, in ten-thousandths of a percent: 25.5 % is 255 000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Percent(pub u32);

impl Percent {
    /// 100 %.
    pub const FULL: Self = Self(1_000_000);

    /// Reads a percentage, checking its bounds.
    fn decode(node: &Node<'_>, problems: &mut Problems) -> Option<Self> {
        let percent = node.number().map(|number| number.as_f64());
        match percent {
            Some(percent) if (0.0..=100.0).contains(&percent) => {
                let units = (percent * 10_000.0).round();
                // Dividing gives the float nearest to the four decimals, as reading them did.
                if units / 10_000.0 != percent {
                    problems.add(&node.path, "must have at most four decimals");
                    return None;
                }
                Some(Self(units as u32))
            }
            Some(_) => {
                problems.add(&node.path, "must be between 0 and 100");
                None
            }
            None => {
                problems.add(&node.path, "must be a number between 0 and 100");
                None
            }
        }
    }

    fn check(self, scheme: Bucketing, path: impl Into<String>, problems: &mut Problems) {
        if !self.0.is_multiple_of(scheme.step()) {
            problems.add(path, format!("must have {} under {}", scheme.decimals(), scheme.as_str()));
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{rest:04}").trim_end_matches('0'))
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl utoipa::PartialSchema for Percent {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Number)
            .minimum(Some(0))
            .maximum(Some(100))
            .description(Some(
                "A percentage: two decimals under `sha256`, four under `murmur3`, none under `crc32`.",
            ))
            .examples([25.5])
            .into()
    }
}

impl ToSchema for Percent {}

/// What a rollout sticks to: the name of an attribute, or a list of names under `murmur3`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum StickTo {
    Attribute(String),
    /// Under `murmur3` only: the values joined by `$`.
    Attributes(Vec<String>),
}

/// What happens to a user whom the rollout leaves out: the `next` rule is asked, or none (`stop`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Otherwise {
    Next,
    Stop,
}

/// The share of users a rule is for.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"percentage": 25.5, "by": "userId"}))]
pub struct Rollout {
    pub percentage: Percent,
    /// The attribute that decides who is in; left out: the targeting key (`userId`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<StickTo>,
    /// Hashed in front of the key, to draw another sample of users. Under `sha256` only.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 200)]
    pub salt: String,
    /// `next` when left out, but `stop` under `crc32`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Otherwise>,
}

/// One arm of a split.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"variant": "blue", "weight": 50}))]
pub struct Arm {
    /// The key of a variant.
    pub variant: String,
    /// The weights of a split add up to exactly 100; 0 is a legal weight.
    pub weight: Percent,
}

/// What a rule gives: one value, or a split of the users over variants.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = json!({"value": true}))]
pub enum Outcome {
    /// A value of the feature's type.
    Value(Json),
    /// Variants and their weights.
    Split(Vec<Arm>),
}

impl Outcome {
    /// Whether it splits people between this variant and others.
    pub fn splits_with(&self, variant: &str) -> bool {
        match self {
            Self::Split(arms) => arms.len() > 1 && arms.iter().any(|arm| arm.variant == variant),
            Self::Value(_) => false,
        }
    }
}

/// A rule of a feature.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "name": "Nordic beta", "priority": 50, "enabled": true,
    "when": {"attribute": "country", "operator": "in", "values": ["SE", "NO"]},
    "rollout": {"percentage": 25.5, "by": "userId"}, "outcome": {"value": true}
}))]
pub struct Rule {
    /// Given by the server; nil in what has not been stored yet.
    #[serde(skip_serializing_if = "Uuid::is_nil")]
    #[schema(required)]
    pub id: Uuid,
    pub name: String,
    /// Highest first.
    #[schema(minimum = 1, maximum = 100)]
    pub priority: u8,
    pub enabled: bool,
    /// For whom; `null`: for everyone.
    #[schema(required)]
    pub when: Option<Condition>,
    /// For how many of them; `null`: for all.
    #[schema(required)]
    pub rollout: Option<Rollout>,
    pub outcome: Outcome,
}

/// A named value of a feature.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({"key": "blue", "value": true, "attachment": {"hex": "#0b3d91"}}))]
pub struct Variant {
    pub key: String,
    pub value: Json,
    /// Any JSON beside the value; `null` when there is none.
    #[schema(value_type = Json)]
    pub attachment: Option<Json>,
}

/// Everything a feature says, without what the server keeps about it (ids, version, times, lock).
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub key: String,
    pub kind: FeatureType,
    /// Values are whole numbers only (featuresd.md §2.1). NUMBER only.
    pub integer: bool,
    pub enabled: bool,
    pub default_value: Option<Json>,
    pub description: String,
    pub tags: Vec<String>,
    /// FeatureHub's feature properties: what programs with EXTENDED_DATA are told about the feature.
    pub properties: BTreeMap<String, String>,
    /// FeatureHub's word: its programs are not told of the feature any more. Nobody else notices.
    pub retired: bool,
    pub bucketing: Bucketing,
    /// What `murmur3` (a UUID) and `crc32` (Flagr's number) hash. `None` under `sha256`, and before the
    /// server has given one.
    pub bucketing_id: Option<String>,
    pub variants: Vec<Variant>,
    /// As they are evaluated: by falling priority, equal ones in list order.
    pub rules: Vec<Rule>,
    /// What the Flagr door keeps beside a `crc32` feature; `None` for others.
    pub flagr: Option<Flagr>,
}

/// Members of a feature's JSON that the server keeps; a request may repeat them, they are ignored.
const KEPT: &[&str] = &["id", "version", "createdAt", "updatedAt", "updatedBy", "contextType"];

/// Whether this may be a feature's or a variant's key: `[A-Za-z0-9_.:/-]{1,128}`, not `.` or `..`
/// (feature-config §1).
pub fn is_key(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:/-".contains(&b))
        && text != "."
        && text != ".."
}

/// What is said of a text that is no key.
pub const KEY_RULE: &str = "must be 1 to 128 of A-Z a-z 0-9 _ . : / - (and not . or ..)";

impl Definition {
    /// Reads a feature. With `base`, members that are absent keep its values (PATCH) and the key and type
    /// are taken from it; without, `key` and `type` are required. `locked` is handed back apart.
    pub fn decode(object: &mut Object<'_>, base: Option<&Definition>, problems: &mut Problems) -> Decoded {
        let before = problems.count();
        object.ignore(KEPT);
        let path = object.path.clone();
        let key = read_key(object, base, problems);
        let (kind, integer) = read_kind(object, base, problems);
        let bucketing = read_bucketing(object, base, problems);
        let locked = object.take_value("locked").and_then(|node| node.boolean(problems));
        let enabled = object.boolean_or("enabled", base.is_none_or(|base| base.enabled), problems);
        let description = text(object, "description", base.map(|b| b.description.as_str()), 4000, problems);
        let tags = match object.take_value("tags") {
            Some(node) if bucketing == Some(Bucketing::Crc32) => read_tags_within(&node, 63, true, problems),
            Some(node) => read_tags(&node, problems),
            None => Some(base.map(|base| base.tags.clone()).unwrap_or_default()),
        };
        let properties = match object.take_value("properties") {
            Some(node) => read_properties(&node, problems),
            None => Some(base.map(|base| base.properties.clone()).unwrap_or_default()),
        };
        let retired = object.boolean_or("retired", base.is_some_and(|base| base.retired), problems);
        let bucketing_id = match object.take("bucketingId") {
            Some(node) if node.is_null() => Some(None),
            Some(node) => read_bucketing_id(&node, bucketing, problems).map(Some),
            None => {
                Some(base.filter(|b| Some(b.bucketing) == bucketing).and_then(|b| b.bucketing_id.clone()))
            }
        };
        let default_value = match (object.take("defaultValue"), kind) {
            (Some(node), _) if node.is_null() => Some(None),
            (Some(node), Some(kind)) => kind.read(&node, problems).map(Some),
            (Some(_), None) => None,
            (None, _) => Some(base.and_then(|base| base.default_value.clone())),
        };
        let variants = match object.take_value("variants") {
            Some(node) => read_variants(&node, kind, problems),
            None => Some(base.map(|base| base.variants.clone()).unwrap_or_default()),
        };
        let around = Around { kind, scheme: bucketing, variants: variants.as_deref() };
        let rules = match (object.take_value("rules"), base) {
            (Some(node), base) => {
                let known = base.map(|base| base.rules.as_slice()).unwrap_or_default();
                read_rules(&node, &around, known, problems)
            }
            (None, Some(base)) => {
                check_rules(&base.rules, &around, &child(&path, "rules"), problems);
                Some(base.rules.clone())
            }
            (None, None) => Some(Vec::new()),
        };
        let flagr = match object.take("flagr") {
            Some(node) if node.is_null() => Some(None),
            Some(node) => Flagr::decode(&node, problems).map(Some),
            None => Some(base.and_then(|base| base.flagr.clone())),
        };
        let definition = (|| {
            let mut definition = Definition {
                key: key?,
                kind: kind?,
                integer: integer?,
                enabled: enabled?,
                default_value: default_value?,
                description: description?,
                tags: tags?,
                properties: properties?,
                retired: retired?,
                bucketing: bucketing?,
                bucketing_id: bucketing_id?,
                variants: variants?,
                rules: rules?,
                flagr: flagr?.filter(|_| bucketing == Some(Bucketing::Crc32)),
            };
            definition.sort_rules();
            Some(definition)
        })();
        if let (Some(definition), Some(base)) = (&definition, base)
            && definition.kind != base.kind
        {
            definition.check_values(&path, problems);
        }
        if let Some(definition) = &definition {
            definition.check_integers(&path, problems);
        }
        Decoded { definition: definition.filter(|_| problems.count() == before), locked }
    }

    /// Puts the rules into the order of evaluation, and with them what Flagr keeps beside each.
    fn sort_rules(&mut self) {
        if let Some(flagr) = &mut self.flagr
            && flagr.segments.len() == self.rules.len()
        {
            let mut order: Vec<usize> = (0..self.rules.len()).collect();
            order.sort_by_key(|at| std::cmp::Reverse(self.rules[*at].priority));
            flagr.segments = order.iter().map(|at| flagr.segments[*at].clone()).collect();
        }
        sort_rules(&mut self.rules);
    }

    /// Checks every value against the type, for one that changed.
    fn check_values(&self, path: &str, problems: &mut Problems) {
        let mut check = |field: String, value: &Json| {
            if !self.kind.takes(value) {
                problems.add(child(path, &field), format!("is no {} value", self.kind));
            }
        };
        if let Some(value) = &self.default_value {
            check("defaultValue".into(), value);
        }
        for (at, variant) in self.variants.iter().enumerate() {
            check(format!("variants[{at}].value"), &variant.value);
        }
        for (at, rule) in self.rules.iter().enumerate() {
            if let Outcome::Value(value) = &rule.outcome {
                check(format!("rules[{at}].outcome.value"), value);
            }
        }
    }

    /// Checks that the values of an `integer` feature are whole numbers.
    fn check_integers(&self, path: &str, problems: &mut Problems) {
        if !self.integer {
            return;
        }
        let mut check = |field: String, value: &Json| {
            if let Err(message) = read_integer(value.as_str()) {
                problems.add(child(path, &field), message);
            }
        };
        if let Some(value) = &self.default_value {
            check("defaultValue".into(), value);
        }
        for (at, variant) in self.variants.iter().enumerate() {
            check(format!("variants[{at}].value"), &variant.value);
        }
        for (at, rule) in self.rules.iter().enumerate() {
            if let Outcome::Value(value) = &rule.outcome {
                check(format!("rules[{at}].outcome.value"), value);
            }
        }
    }

    /// The name that stored Contexts know the type by (featuresd.md §2.1).
    pub fn context_type(&self) -> &'static str {
        if self.integer { "integer" } else { self.kind.context_type() }
    }

    /// Whether a value is of this feature's type.
    pub fn takes(&self, value: &Json) -> bool {
        self.kind.takes(value) && (!self.integer || read_integer(value.as_str()).is_ok())
    }

    /// Checks that what is stored or was changed in one part still fits the rest: the rules against the
    /// variants and the bucketing.
    pub fn check(&self, problems: &mut Problems) {
        let around =
            Around { kind: Some(self.kind), scheme: Some(self.bucketing), variants: Some(&self.variants) };
        check_rules(&self.rules, &around, "rules", problems);
        self.check_integers("", problems);
    }
}

/// What [`Definition::decode`] read; `definition` is `None` when there was a problem.
pub struct Decoded {
    pub definition: Option<Definition>,
    pub locked: Option<bool>,
}

/// Puts rules into the order of evaluation: highest priority first, equal ones as they stood.
pub fn sort_rules(rules: &mut [Rule]) {
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.priority));
}

fn read_key(object: &mut Object<'_>, base: Option<&Definition>, problems: &mut Problems) -> Option<String> {
    match (object.take_value("key"), base) {
        (Some(node), None) => {
            let key = node.string(problems)?;
            if !is_key(&key) {
                problems.add(&node.path, KEY_RULE);
                return None;
            }
            Some(key)
        }
        (Some(node), Some(base)) => {
            if node.string(problems)? != base.key {
                problems.add(&node.path, "is fixed once made");
                return None;
            }
            Some(base.key.clone())
        }
        (None, Some(base)) => Some(base.key.clone()),
        (None, None) => {
            problems.add(child(&object.path, "key"), "is required");
            None
        }
    }
}

/// The type and whether only whole numbers are taken. `type` may be one of stored Contexts' names
/// (featuresd.md §6.2), of which `integer` is a NUMBER of whole numbers.
fn read_kind(
    object: &mut Object<'_>,
    base: Option<&Definition>,
    problems: &mut Problems,
) -> (Option<FeatureType>, Option<bool>) {
    let (mut kind, mut named) = (base.map(|base| base.kind), None);
    match object.take_value("type") {
        Some(node) => {
            let name = node.string(problems);
            kind = name.as_deref().and_then(FeatureType::named);
            match name.as_deref() {
                Some("integer") => named = Some(true),
                Some("number") => named = Some(false),
                _ => {}
            }
            if name.is_some() && kind.is_none() {
                problems.add(&node.path, format!("must be {}", FeatureType::NAMES));
            }
        }
        None if base.is_none() => problems.add(child(&object.path, "type"), "is required"),
        None => {}
    }
    let given = match object.take_value("integer") {
        Some(node) => {
            let given = node.boolean(problems);
            if given == Some(true) && kind.is_some_and(|kind| kind != FeatureType::Number) {
                problems.add(&node.path, "is for NUMBER alone");
            }
            given
        }
        None => Some(named.unwrap_or(base.is_some_and(|base| base.integer))),
    };
    (kind, given.map(|given| given && kind == Some(FeatureType::Number)))
}

fn read_bucketing(
    object: &mut Object<'_>,
    base: Option<&Definition>,
    problems: &mut Problems,
) -> Option<Bucketing> {
    let Some(node) = object.take_value("bucketing") else {
        return Some(base.map(|base| base.bucketing).unwrap_or_default());
    };
    let scheme = Bucketing::parse(&node.string(problems)?);
    if scheme.is_none() {
        problems.add(&node.path, "must be one of sha256, murmur3, crc32");
    }
    scheme
}

fn read_bucketing_id(node: &Node<'_>, scheme: Option<Bucketing>, problems: &mut Problems) -> Option<String> {
    // Flagr's number may be written as a number or as its text.
    let id = match node.number() {
        Some(number) => number.text().into_owned(),
        None => node.string(problems)?,
    };
    let problem = match scheme? {
        Bucketing::Sha256 => Some("must be null under sha256"),
        Bucketing::Murmur3 if Uuid::parse_str(&id).map(|uuid| uuid.to_string()).as_deref() != Ok(&id) => {
            Some("must be a lower-case UUID under murmur3")
        }
        Bucketing::Crc32 if !matches!(id.parse::<u32>(), Ok(number) if number > 0 && number.to_string() == id) => {
            Some("must be a whole number from 1 under crc32")
        }
        _ => None,
    };
    match problem {
        Some(problem) => {
            problems.add(&node.path, problem);
            None
        }
        None => Some(id),
    }
}

/// A text of at most `max` characters; absent, it is the base's or empty.
pub fn text(
    object: &mut Object<'_>,
    name: &str,
    base: Option<&str>,
    max: usize,
    problems: &mut Problems,
) -> Option<String> {
    match object.take_value(name) {
        None => Some(base.unwrap_or_default().to_owned()),
        Some(node) => {
            let text = node.string(problems)?;
            if text.chars().count() > max {
                problems.add(&node.path, format!("must be at most {max} characters"));
                return None;
            }
            if text.contains('\0') {
                problems.add(&node.path, "must not contain NUL");
                return None;
            }
            Some(text)
        }
    }
}

/// Tags: distinct texts of 1 to 50 characters.
pub fn read_tags(node: &Node<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    read_tags_within(node, 50, false, problems)
}

/// The same within Flagr's bounds: longer, and with outer spaces (flagr.md §3.3).
fn read_tags_within(
    node: &Node<'_>,
    longest: usize,
    spaces: bool,
    problems: &mut Problems,
) -> Option<Vec<String>> {
    let items = node.list(MAX_TAGS, problems)?;
    let mut seen = HashSet::new();
    let tags: Vec<_> = items
        .iter()
        .map(|item| {
            let tag = item.string(problems)?;
            let problem = if !(1..=longest).contains(&tag.chars().count()) {
                format!("must be 1 to {longest} characters")
            } else if tag.trim() != tag && !spaces || tag.contains(|c: char| c.is_control() || c == ',') {
                "must have no commas, control characters or outer spaces".into()
            } else if !seen.insert(tag.clone()) {
                "stands twice".into()
            } else {
                return Some(tag);
            };
            problems.add(&item.path, problem);
            None
        })
        .collect();
    tags.into_iter().collect()
}

/// Properties: names of 1 to 100 characters with texts of at most 1000.
pub fn read_properties(node: &Node<'_>, problems: &mut Problems) -> Option<BTreeMap<String, String>> {
    let entries = node.object(problems)?.rest();
    if entries.len() > MAX_PROPERTIES {
        problems.add(&node.path, format!("must have at most {MAX_PROPERTIES} entries"));
        return None;
    }
    let read: Vec<_> = entries
        .into_iter()
        .map(|(name, node)| {
            let text = node.string(problems)?;
            let bad = |text: &str| text.trim() != text || text.contains(char::is_control);
            let problem = if !(1..=100).contains(&name.chars().count()) || bad(&name) || name.contains('=') {
                "must have a name of 1 to 100 characters without = and outer spaces"
            } else if text.chars().count() > 1000 {
                "must be at most 1000 characters"
            } else if bad(&text) {
                "must have no line breaks and outer spaces"
            } else {
                return Some((name, text));
            };
            problems.add(&node.path, problem);
            None
        })
        .collect();
    read.into_iter().collect()
}

/// Reads one variant.
pub fn read_variant(node: &Node<'_>, kind: Option<FeatureType>, problems: &mut Problems) -> Option<Variant> {
    let mut object = node.object(problems)?;
    let key = object.require("key", problems).and_then(|node| {
        let key = node.string(problems)?;
        if !is_key(&key) {
            problems.add(&node.path, KEY_RULE);
            return None;
        }
        Some(key)
    });
    let value = match (object.require("value", problems), kind) {
        (Some(node), Some(kind)) => kind.read(&node, problems),
        _ => None,
    };
    let attachment = match object.take_value("attachment") {
        Some(node) => FeatureType::Json.read(&node, problems).map(Some),
        None => Some(None),
    };
    object.finish(problems);
    Some(Variant { key: key?, value: value?, attachment: attachment? })
}

fn read_variants(
    node: &Node<'_>,
    kind: Option<FeatureType>,
    problems: &mut Problems,
) -> Option<Vec<Variant>> {
    let items = node.list(MAX_RULES, problems)?;
    let mut seen = HashSet::new();
    let variants: Vec<_> = items
        .iter()
        .map(|item| {
            let variant = read_variant(item, kind, problems)?;
            if !seen.insert(variant.key.clone()) {
                problems.add(child(&item.path, "key"), format!("{} stands twice", variant.key));
                return None;
            }
            Some(variant)
        })
        .collect();
    variants.into_iter().collect()
}

/// What a rule must fit: the type, bucketing and variants of its feature, as far as they are known.
struct Around<'f> {
    kind: Option<FeatureType>,
    scheme: Option<Bucketing>,
    variants: Option<&'f [Variant]>,
}

/// Reads a list of rules. A rule keeps the id of the known rule it names by id, else by name.
fn read_rules(
    node: &Node<'_>,
    around: &Around<'_>,
    known: &[Rule],
    problems: &mut Problems,
) -> Option<Vec<Rule>> {
    let items = node.list(MAX_RULES, problems)?;
    let read: Vec<_> = items.iter().map(|item| read_rule_of(item, around, None, problems)).collect();
    let mut rules = read.into_iter().collect::<Option<Vec<_>>>()?;
    let mut ids = HashSet::new();
    for (at, rule) in rules.iter_mut().enumerate() {
        if !rule.id.is_nil() && !known.iter().any(|known| known.id == rule.id) {
            // An id of another feature or of a deleted rule: the rule gets a new one.
            rule.id = Uuid::nil();
        }
        if !rule.id.is_nil() && !ids.insert(rule.id) {
            problems.add(format!("{}[{at}].id", node.path), "stands twice");
        }
    }
    for rule in rules.iter_mut().filter(|rule| rule.id.is_nil()) {
        if let Some(same) = known.iter().find(|k| k.name == rule.name && !ids.contains(&k.id)) {
            ids.insert(same.id);
            rule.id = same.id;
        }
    }
    Some(rules)
}

/// Reads one rule. With `base`, absent members keep its values (PATCH); without, `name` and `outcome`
/// are required. Whether it fits its feature is for [`Definition::check`].
pub fn read_rule(
    node: &Node<'_>,
    kind: Option<FeatureType>,
    base: Option<&Rule>,
    problems: &mut Problems,
) -> Option<Rule> {
    read_rule_of(node, &Around { kind, scheme: None, variants: None }, base, problems)
}

/// The parts of a rule that are stored as JSON, read through the decoder that checked them. The error says what is wrong
/// with which part.
pub fn read_stored(
    kind: FeatureType,
    when: Option<&str>,
    rollout: Option<&str>,
    outcome: &str,
) -> Result<(Option<Condition>, Option<Rollout>, Outcome), String> {
    let mut problems = Problems::default();
    // Without paths, which are most of the work, as long as nothing is wrong.
    let read = read_parts(Node::unlocated, kind, when, rollout, outcome, &mut problems);
    if let Some(read) = read.filter(|_| problems.is_empty()) {
        return Ok(read);
    }
    let mut problems = Problems::default();
    read_parts(Node::parse, kind, when, rollout, outcome, &mut problems);
    let first = problems.invalid.into_iter().chain(problems.unknown).next();
    Err(first.map_or("it is not JSON".into(), |problem| format!("{} {}", problem.field, problem.message)))
}

fn read_parts<'a>(
    parse: fn(&'a str) -> Result<Node<'a>, serde_json::Error>,
    kind: FeatureType,
    when: Option<&'a str>,
    rollout: Option<&'a str>,
    outcome: &'a str,
    problems: &mut Problems,
) -> Option<(Option<Condition>, Option<Rollout>, Outcome)> {
    let part = |name: &str, text| parse(text).ok().map(|node| node.named(name));
    let when = match when {
        Some(text) => Some(Condition::decode(&part("when", text)?, problems)?),
        None => None,
    };
    let rollout = match rollout {
        Some(text) => Some(read_rollout(&part("rollout", text)?, problems)?),
        None => None,
    };
    let outcome = read_outcome(&part("outcome", outcome)?, Some(kind), problems)?;
    let around = Around { kind: Some(kind), scheme: None, variants: None };
    check_rule(rollout.as_ref(), Some(&outcome), &around, "", problems);
    Some((when, rollout, outcome))
}

fn read_rule_of(
    node: &Node<'_>,
    around: &Around<'_>,
    base: Option<&Rule>,
    problems: &mut Problems,
) -> Option<Rule> {
    let mut object = node.object(problems)?;
    let id = match object.take_value("id") {
        Some(node) => read_id(&node, problems),
        None => Some(base.map(|base| base.id).unwrap_or_default()),
    };
    let name = match base {
        Some(base) => text(&mut object, "name", Some(&base.name), 200, problems),
        None if object.has("name") => text(&mut object, "name", None, 200, problems),
        None => {
            problems.add(child(&node.path, "name"), "is required");
            None
        }
    };
    if name.as_deref().is_some_and(|name| name.trim().is_empty()) {
        problems.add(child(&node.path, "name"), "must not be empty");
    }
    let priority = match object.take_value("priority") {
        Some(node) => node.integer(1, 100, problems).map(|priority| priority as u8),
        None => Some(base.map_or(DEFAULT_PRIORITY, |base| base.priority)),
    };
    let enabled = object.boolean_or("enabled", base.is_none_or(|base| base.enabled), problems);
    let when = match object.take("when") {
        Some(node) if node.is_null() => Some(None),
        Some(node) => Condition::decode(&node, problems).map(Some),
        None => Some(base.and_then(|base| base.when.clone())),
    };
    let rollout = match object.take("rollout") {
        Some(node) if node.is_null() => Some(None),
        Some(node) => read_rollout(&node, problems).map(Some),
        None => Some(base.and_then(|base| base.rollout.clone())),
    };
    let outcome = match (object.take_value("outcome"), base) {
        (Some(node), _) => read_outcome(&node, around.kind, problems),
        (None, Some(base)) => Some(base.outcome.clone()),
        (None, None) => {
            problems.add(child(&node.path, "outcome"), "is required");
            None
        }
    };
    object.finish(problems);
    let rollout_read = rollout.as_ref().and_then(Option::as_ref);
    check_rule(rollout_read, outcome.as_ref(), around, &node.path, problems);
    Some(Rule {
        id: id?,
        name: name?,
        priority: priority?,
        enabled: enabled?,
        when: when?,
        rollout: rollout?,
        outcome: outcome?,
    })
}

fn read_id(node: &Node<'_>, problems: &mut Problems) -> Option<Uuid> {
    let id = Uuid::parse_str(&node.string(problems)?).ok();
    if id.is_none() {
        problems.add(&node.path, "must be a UUID");
    }
    id
}

fn read_rollout(node: &Node<'_>, problems: &mut Problems) -> Option<Rollout> {
    let mut object = node.object(problems)?;
    let percentage = object.require("percentage", problems).and_then(|node| Percent::decode(&node, problems));
    let by = match object.take_value("by") {
        Some(node) => read_by(&node, problems).map(Some),
        None => Some(None),
    };
    let salt = text(&mut object, "salt", None, 200, problems);
    let otherwise = match object.take_value("otherwise") {
        Some(node) => read_otherwise(&node, problems).map(Some),
        None => Some(None),
    };
    object.finish(problems);
    Some(Rollout { percentage: percentage?, by: by?, salt: salt?, otherwise: otherwise? })
}

fn read_by(node: &Node<'_>, problems: &mut Problems) -> Option<StickTo> {
    if node.is_list() {
        let names = node.strings(20, problems)?;
        if names.is_empty() || names.iter().any(String::is_empty) {
            problems.add(&node.path, "must name at least one attribute, none of them empty");
            return None;
        }
        return Some(StickTo::Attributes(names));
    }
    let name = node.string(problems)?;
    if name.is_empty() {
        problems.add(&node.path, "must not be empty (leave it out for the targeting key)");
        return None;
    }
    Some(StickTo::Attribute(name))
}

fn read_otherwise(node: &Node<'_>, problems: &mut Problems) -> Option<Otherwise> {
    match node.string(problems)?.as_str() {
        "next" => Some(Otherwise::Next),
        "stop" => Some(Otherwise::Stop),
        _ => {
            problems.add(&node.path, "must be next or stop");
            None
        }
    }
}

fn read_outcome(node: &Node<'_>, kind: Option<FeatureType>, problems: &mut Problems) -> Option<Outcome> {
    let mut object = node.object(problems)?;
    let outcome = match (object.take("value"), object.take("split")) {
        (Some(value), None) => kind.and_then(|kind| kind.read(&value, problems)).map(Outcome::Value),
        (None, Some(split)) => read_split(&split, problems).map(Outcome::Split),
        _ => {
            problems.add(&node.path, "must have exactly one of value, split");
            None
        }
    };
    object.finish(problems);
    outcome
}

fn read_split(node: &Node<'_>, problems: &mut Problems) -> Option<Vec<Arm>> {
    let items = node.list(MAX_RULES, problems)?;
    let arms: Vec<_> = items
        .iter()
        .map(|item| {
            let mut object = item.object(problems)?;
            let variant = object.require("variant", problems).and_then(|node| node.string(problems));
            let weight = object.require("weight", problems).and_then(|node| Percent::decode(&node, problems));
            object.finish(problems);
            Some(Arm { variant: variant?, weight: weight? })
        })
        .collect();
    let arms = arms.into_iter().collect::<Option<Vec<_>>>()?;
    let sum: u64 = arms.iter().map(|arm| u64::from(arm.weight.0)).sum();
    if sum != u64::from(Percent::FULL.0) {
        let shown = Percent(u32::try_from(sum).unwrap_or(u32::MAX));
        problems.add(&node.path, format!("weights must add up to 100, they add up to {shown}"));
        return None;
    }
    Some(arms)
}

fn check_rules(rules: &[Rule], around: &Around<'_>, path: &str, problems: &mut Problems) {
    for (at, rule) in rules.iter().enumerate() {
        let path = format!("{path}[{at}]");
        check_rule(rule.rollout.as_ref(), Some(&rule.outcome), around, &path, problems);
    }
}

/// Checks what holds between a rule and the bucketing and variants of its feature.
fn check_rule(
    rollout: Option<&Rollout>,
    outcome: Option<&Outcome>,
    around: &Around<'_>,
    path: &str,
    problems: &mut Problems,
) {
    if let (Some(rollout), Some(scheme)) = (rollout, around.scheme) {
        let path = child(path, "rollout");
        rollout.percentage.check(scheme, child(&path, "percentage"), problems);
        if matches!(rollout.by, Some(StickTo::Attributes(_))) && scheme != Bucketing::Murmur3 {
            problems.add(child(&path, "by"), "must be one attribute (a list only under murmur3)");
        }
        if !rollout.salt.is_empty() && scheme != Bucketing::Sha256 {
            problems.add(child(&path, "salt"), format!("has no place under {}", scheme.as_str()));
        }
    }
    let Some(Outcome::Split(arms)) = outcome else { return };
    let path = child(&child(path, "outcome"), "split");
    let mut seen = HashSet::new();
    for (at, arm) in arms.iter().enumerate() {
        let path = format!("{path}[{at}]");
        if let Some(scheme) = around.scheme {
            arm.weight.check(scheme, child(&path, "weight"), problems);
        }
        if around.variants.is_some_and(|known| known.iter().all(|variant| variant.key != arm.variant)) {
            problems
                .add(child(&path, "variant"), format!("{:?} is not a variant of this feature", arm.variant));
        } else if !seen.insert(&arm.variant) {
            problems.add(child(&path, "variant"), format!("{} stands twice", arm.variant));
        }
    }
    let partial = rollout.is_some_and(|rollout| rollout.percentage < Percent::FULL);
    if around.scheme == Some(Bucketing::Murmur3) && arms.len() > 1 && partial {
        problems.add(path, "cannot stand beside a rollout below 100 under murmur3");
    }
}

/// A reusable condition of a site.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = RulesetSegment)]
pub struct Segment {
    pub key: String,
    pub name: String,
    pub conditions: Condition,
}

impl Segment {
    /// Reads a segment. With `base`, absent members keep its values and the key is fixed.
    pub fn decode(object: &mut Object<'_>, base: Option<&Segment>, problems: &mut Problems) -> Option<Self> {
        object.ignore(&["id", "createdAt", "updatedAt", "usedBy"]);
        let key = match (object.take_value("key"), base) {
            (None, Some(base)) => Some(base.key.clone()),
            (None, None) => {
                problems.add(child(&object.path, "key"), "is required");
                None
            }
            (Some(node), base) => node.string(problems).filter(|key| {
                if base.is_some_and(|base| base.key != *key) {
                    problems.add(&node.path, "is fixed once made");
                } else if !is_key(key) {
                    problems.add(&node.path, KEY_RULE);
                }
                is_key(key)
            }),
        };
        let name = text(object, "name", base.map(|base| base.name.as_str()), 200, problems);
        let conditions = match (object.take_value("conditions"), base) {
            (Some(node), _) => Condition::decode(&node, problems),
            (None, Some(base)) => Some(base.conditions.clone()),
            (None, None) => {
                problems.add(child(&object.path, "conditions"), "is required");
                None
            }
        };
        let (key, mut name) = (key?, name?);
        if name.is_empty() {
            name.clone_from(&key);
        }
        Some(Self { key, name, conditions: conditions? })
    }
}

/// Finds a cycle among segments: the keys of one, starting and ending with the same.
pub fn segment_cycle(segments: &[Segment]) -> Option<Vec<String>> {
    order_segments(segments).1
}

/// The places of all segments, each after those it uses; and the first cycle met, whose members have no
/// such order. Without recursion: a chain of segments may be as long as a document.
pub(super) fn order_segments(segments: &[Segment]) -> (Vec<usize>, Option<Vec<String>>) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut places = HashMap::with_capacity(segments.len());
    for (at, segment) in segments.iter().enumerate() {
        places.entry(segment.key.as_str()).or_insert(at);
    }
    let used = |at: usize| {
        let keys = segments[at].conditions.segments();
        keys.into_iter().filter_map(|key| places.get(key).copied()).collect::<Vec<_>>().into_iter()
    };
    let mut states = vec![State::New; segments.len()];
    let mut order = Vec::with_capacity(segments.len());
    let mut cycle = None;
    for start in 0..segments.len() {
        if states[start] != State::New {
            continue;
        }
        states[start] = State::Open;
        let mut path = vec![(start, used(start))];
        while let Some((at, rest)) = path.last_mut() {
            let Some(next) = rest.next() else {
                states[*at] = State::Done;
                order.push(*at);
                path.pop();
                continue;
            };
            match states[next] {
                State::New => {
                    states[next] = State::Open;
                    path.push((next, used(next)));
                }
                State::Open if cycle.is_none() => {
                    let from = path.iter().position(|(at, _)| *at == next).unwrap_or_default();
                    let keys = path[from..].iter().map(|(at, _)| *at).chain([next]);
                    cycle = Some(keys.map(|at| segments[at].key.clone()).collect());
                }
                State::Open | State::Done => {}
            }
        }
    }
    (order, cycle)
}

#[cfg(test)]
mod tests;
