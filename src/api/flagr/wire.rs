//! Flags as Flagr's management shows them (flagr.md §2).

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use crate::admin::flagr::{Parts, segment_of, variant_number};
use crate::clock::{self, Millis};
use crate::engine::compile::StoredFeature;
use crate::engine::feature::{Bucketing, Definition, Variant};
use crate::engine::value::{FeatureType, Json};

/// Whether management shows a feature: a flag is a `crc32` STRING feature (flagr.md §12).
pub fn is_flag(definition: &Definition) -> bool {
    definition.bucketing == Bucketing::Crc32 && definition.kind == FeatureType::String
}

/// The numbers of the tags of an environment.
pub struct Tags(HashMap<String, u32>);

impl Tags {
    pub fn new(tags: Vec<(u32, String)>) -> Self {
        Self(tags.into_iter().map(|(number, value)| (value, number)).collect())
    }

    /// Some tags with their numbers, by number.
    pub fn of(&self, values: &[String]) -> Vec<TagView> {
        let number = |value: &String| self.0.get(value).copied().unwrap_or_default();
        let mut tags: Vec<_> =
            values.iter().map(|value| TagView { id: number(value), value: value.clone() }).collect();
        tags.sort_by_key(|tag| tag.id);
        tags
    }
}

#[derive(Serialize)]
pub struct TagView {
    pub id: u32,
    pub value: String,
}

#[derive(Serialize)]
pub struct VariantView {
    pub id: u32,
    pub key: String,
    /// An object; `{}` when there is none.
    pub attachment: Value,
}

#[derive(Serialize)]
pub struct ConstraintView {
    pub id: u32,
    pub property: String,
    pub operator: String,
    pub value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DistributionView {
    pub id: u32,
    pub percent: u32,
    #[serde(rename = "variantID")]
    pub variant_id: u32,
    pub variant_key: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentView {
    pub id: u32,
    pub description: String,
    pub rank: u32,
    pub rollout_percent: u32,
    pub constraints: Vec<ConstraintView>,
    pub distributions: Vec<DistributionView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlagView {
    pub id: u32,
    pub key: String,
    pub description: String,
    pub enabled: bool,
    pub data_records_enabled: bool,
    pub updated_at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub updated_by: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub entity_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
    pub segments: Vec<SegmentView>,
    pub variants: Vec<VariantView>,
    pub tags: Vec<TagView>,
}

/// The attachment of a variant; what natively is no object is shown inside one.
pub fn attachment(variant: &Variant) -> Value {
    let read = |json: &Json| serde_json::from_str::<Value>(json.as_str()).ok();
    match variant.attachment.as_ref().and_then(read) {
        None => Value::Object(Default::default()),
        Some(Value::Object(members)) => Value::Object(members),
        Some(other) => serde_json::json!({ "value": other }),
    }
}

pub fn variants(definition: &Definition) -> Vec<VariantView> {
    let numbers = definition.flagr.as_ref().map(|flagr| flagr.variants.as_slice()).unwrap_or_default();
    let variants = definition.variants.iter().zip(numbers.iter().copied().chain(std::iter::repeat(0)));
    let view = |(variant, id): (&Variant, u32)| VariantView {
        id,
        key: variant.key.clone(),
        attachment: attachment(variant),
    };
    variants.map(view).collect()
}

pub fn constraints(parts: &Parts<'_>) -> Vec<ConstraintView> {
    let numbers = parts.segment.constraints.iter().copied();
    let view = |((property, operator, value), id): (crate::engine::numbers::Sent<'_>, u32)| ConstraintView {
        id,
        property: property.to_owned(),
        operator: operator.to_owned(),
        value: value.to_owned(),
    };
    parts.constraints.iter().copied().zip(numbers).map(view).collect()
}

/// Of a segment, by number of the variant.
pub fn distributions(definition: &Definition, parts: &Parts<'_>) -> Vec<DistributionView> {
    let numbers = parts.segment.distributions.iter().copied();
    let mut shares: Vec<_> = parts
        .arms
        .iter()
        .zip(numbers)
        .map(|(arm, id)| DistributionView {
            id,
            percent: arm.weight.0 / 10_000,
            variant_id: variant_number(definition, &arm.variant),
            variant_key: arm.variant.clone(),
        })
        .collect();
    shares.sort_by_key(|share| share.variant_id);
    shares
}

pub fn segment(definition: &Definition, parts: &Parts<'_>) -> SegmentView {
    SegmentView {
        id: parts.segment.number,
        description: parts.description.to_owned(),
        rank: parts.segment.rank,
        rollout_percent: parts.percent,
        constraints: constraints(parts),
        distributions: distributions(definition, parts),
    }
}

/// The segments that Flagr can express, as they are walked.
pub fn segments(definition: &Definition) -> Vec<SegmentView> {
    let parts = (0..definition.rules.len()).filter_map(|at| segment_of(definition, at));
    parts.map(|parts| segment(definition, &parts)).collect()
}

impl FlagView {
    /// A flag; without `full`, segments and variants are left empty.
    pub fn of(feature: &StoredFeature, tags: &Tags, full: bool) -> Self {
        Self::made(&feature.definition, feature.number, feature.updated_at, &feature.updated_by, tags, full)
    }

    /// The same from what the audit trail keeps.
    pub fn made(
        definition: &Definition,
        id: u32,
        updated_at: Millis,
        updated_by: &str,
        tags: &Tags,
        full: bool,
    ) -> Self {
        let flagr = definition.flagr.clone().unwrap_or_default();
        Self {
            id,
            key: definition.key.clone(),
            description: definition.description.clone(),
            enabled: definition.enabled,
            data_records_enabled: flagr.data_records_enabled,
            updated_at: clock::rfc3339(updated_at),
            created_by: flagr.created_by,
            updated_by: updated_by.to_owned(),
            entity_type: flagr.entity_type,
            notes: flagr.notes,
            segments: if full { segments(definition) } else { Vec::new() },
            variants: if full { variants(definition) } else { Vec::new() },
            tags: tags.of(&definition.tags),
        }
    }
}

/// A time in whole seconds, as snapshots and evaluations have it.
pub fn seconds(millis: Millis) -> String {
    let mut text = Vec::with_capacity(24);
    push_seconds(&mut text, millis);
    String::from_utf8(text).unwrap_or_default()
}

/// The same, appended to bytes.
pub fn push_seconds(out: &mut Vec<u8>, millis: Millis) {
    clock::push_rfc3339(out, millis);
    // Without `.123Z`.
    out.truncate(out.len() - 5);
    out.push(b'Z');
}
