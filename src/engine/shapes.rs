//! The shapes of features, rules, conditions and documents, as the description of the API names them. The types
//! that run ([`super::feature`], [`super::condition`], [`super::document`]) read and write theirs by hand; that
//! both agree is held by `tests/openapi.rs`, which sends and receives every one of them.
//!
//! What a request may hold is closed (`deny_unknown_fields`): the decoders refuse what they do not know.

use std::collections::BTreeMap;

use utoipa::ToSchema;
use uuid::Uuid;

use super::condition::Operator;
use super::feature::{Bucketing, Outcome, Rollout, Rule, Variant};
use super::numbers::Flagr;
use super::snapshot::Status;
use super::value::{FeatureType, Json};

/// A feature of one environment, with its variants and rules.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a01", "key": "new_checkout", "type": "BOOLEAN", "contextType": "flag", "integer": false,
    "enabled": true, "locked": false, "defaultValue": false, "description": "One-page checkout",
    "tags": ["checkout"], "properties": {}, "retired": false, "bucketing": "sha256", "bucketingId": null, "variants": [],
    "rules": [{
        "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "name": "Nordic beta", "priority": 50, "enabled": true,
        "when": {"attribute": "country", "operator": "in", "values": ["SE", "NO"]},
        "rollout": {"percentage": 25.5, "by": "userId"}, "outcome": {"value": true}
    }],
    "version": 7, "createdAt": "2026-01-31T12:00:00.000Z", "updatedAt": "2026-02-02T09:30:00.000Z", "updatedBy": "ana"
}))]
pub struct Feature {
    /// Given by the server, and the same for as long as the feature lives.
    pub id: Uuid,
    /// Unique in the environment, and fixed once made.
    pub key: String,
    #[schema(rename = "type")]
    pub kind: FeatureType,
    /// The name that stored Contexts know the type by: `flag`, `number`, `integer`, `string` or `json`.
    pub context_type: String,
    /// Whether a NUMBER takes whole numbers alone, without point or exponent.
    pub integer: bool,
    /// Switched off, a BOOLEAN gives `false` and every other type `null`.
    pub enabled: bool,
    /// A locked feature refuses every change but unlocking.
    pub locked: bool,
    /// What everyone gets whom no rule is for; `null` when there is none.
    #[schema(required)]
    pub default_value: Json,
    pub description: String,
    pub tags: Vec<String>,
    /// FeatureHub's feature properties: names and texts that its clients with EXTENDED_DATA are told.
    pub properties: BTreeMap<String, String>,
    /// FeatureHub's clients are not told of a retired feature; everybody else is.
    pub retired: bool,
    pub bucketing: Bucketing,
    /// What `murmur3` (a UUID) and `crc32` (a number) hash; `null` under `sha256`.
    #[schema(required)]
    pub bucketing_id: Option<String>,
    pub variants: Vec<Variant>,
    /// In the order of evaluation: by falling priority, equal ones as listed.
    pub rules: Vec<Rule>,
    /// What the Flagr door keeps beside a `crc32` feature; absent for others.
    pub flagr: Option<Flagr>,
    /// Grows by one with each change to the feature or its rules; what `If-Match` compares.
    pub version: u64,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Who made the last change.
    pub updated_by: String,
}

/// A feature to make. Only `key` and `type` must be given. What the server keeps (`id`, `version`, `contextType`,
/// times, `updatedBy`) may stand beside it and is ignored, so a feature can be sent as it was read.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "key": "new_checkout", "type": "BOOLEAN", "defaultValue": false, "description": "One-page checkout",
    "tags": ["checkout"],
    "rules": [{
        "name": "Nordic beta",
        "when": {"all": [
            {"attribute": "country", "operator": "in", "values": ["SE", "NO"]},
            {"attribute": "appVersion", "operator": "semver_gte", "value": "2.4.0"}
        ]},
        "rollout": {"percentage": 25.5}, "outcome": {"value": true}
    }]
}))]
pub struct NewFeature {
    /// 1 to 128 of `A-Z a-z 0-9 _ . : / -`, not `.` or `..`. In paths, `/` and `:` are percent-encoded.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:/-]+$")]
    pub key: String,
    /// Also `flag`, `number`, `integer`, `string` or `json`, as stored Contexts say it.
    #[schema(rename = "type", value_type = NewFeatureType)]
    pub kind: FeatureType,
    /// Whether a NUMBER takes whole numbers alone; `false` when left out.
    pub integer: Option<bool>,
    /// `true` when left out.
    pub enabled: Option<bool>,
    /// `false` when left out.
    pub locked: Option<bool>,
    /// A value of the feature's type; `null` or left out: none.
    #[schema(value_type = Json, required = false)]
    pub default_value: Option<Json>,
    #[schema(max_length = 4000)]
    pub description: Option<String>,
    /// Distinct texts of 1 to 50 characters without commas.
    #[schema(max_items = 50)]
    pub tags: Option<Vec<String>>,
    /// At most 50 names of 1 to 100 characters with lines of at most 1000: what FeatureHub's clients with
    /// EXTENDED_DATA are told about the feature.
    pub properties: Option<BTreeMap<String, String>>,
    /// FeatureHub's clients are not told of a retired feature; `false` when left out.
    pub retired: Option<bool>,
    /// `sha256` when left out.
    pub bucketing: Option<Bucketing>,
    /// A lower-case UUID under `murmur3`, a whole number under `crc32`; given by the server when left out.
    pub bucketing_id: Option<String>,
    #[schema(max_items = 500)]
    pub variants: Option<Vec<NewVariant>>,
    #[schema(max_items = 500)]
    pub rules: Option<Vec<NewRule>>,
    /// What the Flagr door keeps beside a `crc32` feature. Numbers that are left out or 0 are given by the server.
    pub flagr: Option<Flagr>,
}

/// The type of a feature: a native name, or the one stored Contexts use.
#[derive(ToSchema)]
pub enum NewFeatureType {
    STRING,
    NUMBER,
    BOOLEAN,
    JSON,
    #[allow(non_camel_case_types)]
    flag,
    #[allow(non_camel_case_types)]
    number,
    #[allow(non_camel_case_types)]
    integer,
    #[allow(non_camel_case_types)]
    string,
    #[allow(non_camel_case_types)]
    json,
}

/// Changes to a feature. In a PATCH, what is left out stays; in a PUT, it gets its default. `rules` and `variants`
/// replace the whole list; rules are told by `id`, else by `name`, to keep their ids.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"enabled": true}))]
pub struct FeatureChange {
    /// Fixed once made: may only repeat what it is.
    pub key: Option<String>,
    /// Every value of the feature, and those that stored Contexts hold for it, must fit the new type.
    #[schema(rename = "type")]
    pub kind: Option<FeatureType>,
    /// Whether a NUMBER takes whole numbers alone; values that stored Contexts hold must fit.
    pub integer: Option<bool>,
    pub enabled: Option<bool>,
    /// `false` unlocks; nothing else of a locked feature can be changed.
    pub locked: Option<bool>,
    /// `null`: none.
    #[schema(value_type = Json, required = false)]
    pub default_value: Option<Json>,
    #[schema(max_length = 4000)]
    pub description: Option<String>,
    #[schema(max_items = 50)]
    pub tags: Option<Vec<String>>,
    /// At most 50 names of 1 to 100 characters with texts of at most 1000: what FeatureHub's clients with
    /// EXTENDED_DATA are told about the feature.
    pub properties: Option<BTreeMap<String, String>>,
    /// FeatureHub's clients are not told of a retired feature.
    pub retired: Option<bool>,
    /// Another scheme puts users into other buckets.
    pub bucketing: Option<Bucketing>,
    pub bucketing_id: Option<String>,
    #[schema(max_items = 500)]
    pub variants: Option<Vec<NewVariant>>,
    #[schema(max_items = 500)]
    pub rules: Option<Vec<NewRule>>,
    /// What the Flagr door keeps beside a `crc32` feature. Numbers that are left out or 0 are given by the server.
    pub flagr: Option<Flagr>,
}

/// A rule to add. Only `name` and `outcome` must be given.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "name": "Nordic beta", "priority": 50, "when": {"attribute": "country", "operator": "in", "values": ["SE", "NO"]},
    "rollout": {"percentage": 25.5, "by": "userId"}, "outcome": {"value": true}
}))]
pub struct NewRule {
    /// In a feature's list of rules: which one this is. Ignored in a rule that is posted.
    pub id: Option<Uuid>,
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// 50 when left out. Highest first.
    #[schema(minimum = 1, maximum = 100)]
    pub priority: Option<u8>,
    /// `true` when left out.
    pub enabled: Option<bool>,
    /// For whom; left out or `null`: for everyone.
    pub when: Option<ConditionShape>,
    /// For how many of them; left out or `null`: for all.
    pub rollout: Option<Rollout>,
    pub outcome: Outcome,
}

/// Changes to a rule. What is left out stays; `null` takes `when` or `rollout` away.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"rollout": {"percentage": 50, "by": "userId"}}))]
pub struct RuleChange {
    /// Accepted and ignored, so that a rule can be sent as it was read.
    pub id: Option<Uuid>,
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    #[schema(minimum = 1, maximum = 100)]
    pub priority: Option<u8>,
    pub enabled: Option<bool>,
    pub when: Option<ConditionShape>,
    pub rollout: Option<Rollout>,
    pub outcome: Option<Outcome>,
}

/// A variant to add: a value with a name.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"key": "blue", "value": true, "attachment": {"hex": "#0b3d91"}}))]
pub struct NewVariant {
    /// As a feature's key; unique in the feature.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:/-]+$")]
    pub key: String,
    /// Of the feature's type.
    pub value: Json,
    /// Any JSON that clients get beside the value.
    #[schema(value_type = Json, required = false)]
    pub attachment: Option<Json>,
}

/// Changes to a variant. What is left out stays; a new `key` is written into the splits that use it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"attachment": {"hex": "#1450b8"}}))]
pub struct VariantChange {
    pub key: Option<String>,
    #[schema(value_type = Json, required = false)]
    pub value: Option<Json>,
    /// `null` takes it away.
    #[schema(value_type = Json, required = false)]
    pub attachment: Option<Json>,
}

/// A segment to make.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "key": "staff", "name": "Staff",
    "conditions": {"attribute": "email", "operator": "ends_with", "value": "@shop.example"}
}))]
pub struct NewSegment {
    /// As a feature's key; unique in the site, and fixed once made.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:/-]+$")]
    pub key: String,
    /// The key when left out.
    #[schema(max_length = 200)]
    pub name: Option<String>,
    pub conditions: ConditionShape,
}

/// Changes to a segment; every rule that uses it follows.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"name": "Staff and friends"}))]
pub struct SegmentChange {
    /// Fixed once made: may only repeat what it is.
    pub key: Option<String>,
    #[schema(max_length = 200)]
    pub name: Option<String>,
    pub conditions: Option<ConditionShape>,
}

/// Exactly one of `all`, `any`, `not`, `attribute`, `segment` and `flagr`. Groups nest at most 8 deep and hold at
/// most 500 leaves. `{"all": []}` is true, `{"any": []}` is false.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = Condition, example = json!({"all": [
    {"attribute": "country", "operator": "in", "values": ["SE", "NO"]},
    {"not": {"segment": "staff"}}
]}))]
pub enum ConditionShape {
    All(AllOf),
    Any(AnyOf),
    Not(Not),
    Leaf(LeafShape),
    Segment(InSegment),
    Flagr(FlagrLeaf),
}

/// Every one of these.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AllOf)]
pub struct AllOf {
    #[schema(no_recursion)]
    pub all: Vec<ConditionShape>,
}

/// At least one of these.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AnyOf)]
pub struct AnyOf {
    #[schema(no_recursion)]
    pub any: Vec<ConditionShape>,
}

/// Not this.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Not)]
pub struct Not {
    #[schema(no_recursion)]
    pub not: Box<ConditionShape>,
}

/// A segment of the site holds.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InSegment {
    /// The segment's key.
    pub segment: String,
}

/// A constraint of Flagr's kind, as features made through its door have them.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagrLeaf {
    pub flagr: FlagrConstraint,
}

/// See Flagr's documentation of constraints.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagrConstraint {
    pub property: String,
    pub operator: String,
    pub value: String,
}

/// `attribute operator value`. One of `value` and `values` (any of them will do) is needed, but for `exists` and
/// `not_exists`, which take neither.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Leaf, rename_all = "camelCase", example = json!({
    "attribute": "country", "operator": "in", "values": ["SE", "NO"]
}))]
pub struct LeafShape {
    /// A name, or a dotted path into nested objects.
    #[schema(min_length = 1, max_length = 500)]
    pub attribute: String,
    pub operator: Operator,
    pub value: Option<Scalar>,
    #[schema(max_items = 10_000)]
    pub values: Option<Vec<Scalar>>,
    /// Texts compare without regard to case.
    pub ignore_case: Option<bool>,
    /// A missing, null or incomparable attribute fails the leaf, also under a negative operator.
    pub strict: Option<bool>,
}

/// A string, a finite number, `true` or `false`.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(example = "SE")]
pub enum Scalar {
    Text(String),
    Number(f64),
    Bool(bool),
}

/// How one part of a condition came out: the condition itself, with `result` on every part and `actual`, what the
/// context had, on every leaf.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = Why, example = json!({
    "all": [{"attribute": "country", "operator": "in", "values": ["SE"], "actual": "DE", "result": false}],
    "result": false
}))]
pub enum WhyShape {
    All(WhyAll),
    Any(WhyAny),
    Not(WhyNot),
    Leaf(WhyLeaf),
    Segment(WhySegment),
    Flagr(WhyFlagr),
}

/// How every part came out.
#[derive(ToSchema)]
pub struct WhyAll {
    #[schema(no_recursion)]
    pub all: Vec<WhyShape>,
    pub result: bool,
}

/// How every part came out.
#[derive(ToSchema)]
pub struct WhyAny {
    #[schema(no_recursion)]
    pub any: Vec<WhyShape>,
    pub result: bool,
}

/// How what is negated came out.
#[derive(ToSchema)]
pub struct WhyNot {
    #[schema(no_recursion)]
    pub not: Box<WhyShape>,
    pub result: bool,
}

/// How the condition of a segment came out.
#[derive(ToSchema)]
pub struct WhySegment {
    pub segment: String,
    #[schema(no_recursion)]
    pub why: Box<WhyShape>,
    pub result: bool,
}

/// How a leaf came out.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct WhyLeaf {
    pub attribute: String,
    pub operator: Operator,
    pub value: Option<Scalar>,
    pub values: Option<Vec<Scalar>>,
    pub ignore_case: Option<bool>,
    pub strict: Option<bool>,
    /// What the context had; `null` when it had nothing.
    pub actual: Json,
    pub result: bool,
}

/// How a constraint of Flagr's kind came out.
#[derive(ToSchema)]
pub struct WhyFlagr {
    /// The property that was looked at.
    pub flagr: String,
    pub result: bool,
    /// Why it could not be compared.
    pub problem: Option<String>,
}

/// A whole site, for keeping flags in git. Ids and members with their default value are left out.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "version": 1,
    "site": {"slug": "shop", "name": "Shop", "description": "Web shop"},
    "segments": [{
        "key": "staff", "name": "Staff",
        "conditions": {"attribute": "email", "operator": "ends_with", "value": "@shop.example"}
    }],
    "environments": [{
        "name": "prod",
        "tags": ["production"],
        "features": [{
            "key": "new_checkout", "type": "BOOLEAN", "defaultValue": false, "description": "One-page checkout",
            "rules": [
                {"name": "Staff first", "priority": 90, "when": {"segment": "staff"}, "outcome": {"value": true}},
                {"name": "Ten percent", "priority": 10, "rollout": {"percentage": 10}, "outcome": {"value": true}}
            ]
        }],
        "contexts": [{"key": "team:blue", "features": {"new_checkout": "yes"}}]
    }]
}))]
pub struct SiteDocument {
    /// Of this format: 1.
    #[schema(minimum = 1, maximum = 1)]
    pub version: u8,
    pub site: DocumentSite,
    pub segments: Option<Vec<NewSegment>>,
    pub environments: Option<Vec<DocumentEnvironment>>,
}

/// The site of a document.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentSite {
    #[schema(min_length = 1, max_length = 50, pattern = "^[a-z0-9-]+$")]
    pub slug: String,
    /// The slug when left out.
    #[schema(max_length = 100)]
    pub name: Option<String>,
    #[schema(max_length = 4000)]
    pub description: Option<String>,
}

/// An environment of a document.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase")]
pub struct DocumentEnvironment {
    #[schema(min_length = 1, max_length = 50, pattern = "^[a-z0-9_-]+$")]
    pub name: String,
    #[schema(max_length = 4000)]
    pub description: Option<String>,
    pub tags: Option<Vec<String>>,
    /// `active` when left out.
    pub status: Option<Status>,
    /// `true` when left out.
    pub user_id_is_context_key: Option<bool>,
    pub features: Option<Vec<NewFeature>>,
    pub contexts: Option<Vec<DocumentContext>>,
}

/// A stored Context of a document.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentContext {
    /// 1 to 200 of `A-Z a-z 0-9 . _ - : @ + ~`, beginning with a letter or digit. `override` is the emergency
    /// override; `default` is reserved.
    #[schema(min_length = 1, max_length = 200)]
    pub key: String,
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// Keys of the Contexts that are asked next.
    #[schema(max_items = 32)]
    pub prototypes: Option<Vec<String>>,
    /// Feature key and value; `yes` and `no` for BOOLEAN, or the JSON value itself.
    pub features: Option<BTreeMap<String, Json>>,
}
