//! FeatureState as clients read it (featurehub.md §2.1), written straight into bytes, and the frames of streams.
//!
//! `version` is the revision of the environment: it grows with everything that a client could see, also where
//! the feature itself stays as it is and a segment or a stored Context changes (featurehub.md §2.3).

use serde_json::json;

use super::strategies::{Expressed, express, wire_value};
use crate::api::rest::wire::push_string;
use crate::engine::compile::Feature;
use crate::engine::evaluate::Evaluation;
use crate::engine::feature::Bucketing;
use crate::engine::snapshot::Snapshot;
use crate::engine::value::Json;

/// What percentages are of and clients hold states by: the feature's id, or the one it was moved here with.
fn wire_id(feature: &Feature) -> String {
    let definition = feature.definition();
    match (&definition.bucketing, &definition.bucketing_id) {
        (Bucketing::Murmur3, Some(id)) => id.clone(),
        _ => feature.stored.id.to_string(),
    }
}

/// Appends the members that every state has, behind an opening brace.
fn push_head(out: &mut Vec<u8>, feature: &Feature, revision: u64) {
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(wire_id(feature).as_bytes());
    out.extend_from_slice(b"\",\"key\":");
    push_string(out, &feature.key);
    let locked = feature.stored.locked;
    let kind = feature.definition().kind.as_str();
    out.extend_from_slice(format!(",\"l\":{locked},\"version\":{revision},\"type\":\"{kind}\"").as_bytes());
}

fn push_value(out: &mut Vec<u8>, feature: &Feature, value: &str) {
    if let Some(value) = wire_value(feature.definition().kind, value) {
        out.extend_from_slice(b",\"value\":");
        out.extend_from_slice(value.as_bytes());
    }
}

fn push_properties(out: &mut Vec<u8>, feature: &Feature, extended: bool) {
    let properties = &feature.definition().properties;
    if extended && !properties.is_empty() {
        out.extend_from_slice(b",\"fp\":");
        out.extend_from_slice(json!(properties).to_string().as_bytes());
    }
}

/// Appends a feature as it was evaluated, for keys that are told values alone.
pub fn push_evaluated(out: &mut Vec<u8>, evaluation: &Evaluation<'_>, revision: u64, extended: bool) {
    let feature = evaluation.feature;
    push_head(out, feature, revision);
    push_value(out, feature, evaluation.value);
    if let Some(rule) = evaluation.rule_id {
        out.extend_from_slice(b",\"v\":\"");
        out.extend_from_slice(rule.as_bytes());
        out.push(b'"');
    }
    push_properties(out, feature, extended);
    out.push(b'}');
}

/// Appends a feature with its strategies, for clients that evaluate by themselves; false, and nothing, where it
/// cannot be expressed.
pub fn push_expressed(
    out: &mut Vec<u8>,
    snapshot: &Snapshot,
    feature: &Feature,
    revision: u64,
    extended: bool,
) -> bool {
    let Ok(Expressed { value, strategies }) = express(snapshot, feature) else { return false };
    push_head(out, feature, revision);
    push_value(out, feature, value.as_ref().map_or("null", Json::as_str));
    out.extend_from_slice(b",\"strategies\":[");
    for (at, strategy) in strategies.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"id\":" } else { b",{\"id\":" });
        push_string(out, &strategy.id);
        if let Some(percentage) = strategy.percentage {
            out.extend_from_slice(format!(",\"percentage\":{percentage}").as_bytes());
        }
        if !strategy.percentage_attributes.is_empty() {
            let names = json!(strategy.percentage_attributes);
            out.extend_from_slice(format!(",\"percentageAttributes\":{names}").as_bytes());
        }
        out.extend_from_slice(b",\"attributes\":");
        // Names, texts and numbers: that cannot fail.
        out.extend_from_slice(&serde_json::to_vec(&strategy.attributes).unwrap_or_else(|_| b"[]".to_vec()));
        push_value(out, feature, strategy.value.as_str());
        out.push(b'}');
    }
    out.push(b']');
    push_properties(out, feature, extended);
    out.push(b'}');
    true
}

/// Appends a feature that is gone.
pub fn push_gone(out: &mut Vec<u8>, feature: &Feature, revision: u64) {
    push_head(out, feature, revision);
    out.push(b'}');
}

/// Appends one event whose data `write` appends.
pub fn push_event(out: &mut Vec<u8>, name: &str, id: Option<&str>, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    if let Some(id) = id {
        out.extend_from_slice(b"\nid: ");
        out.extend_from_slice(id.as_bytes());
    }
    out.extend_from_slice(b"\ndata: ");
    write(out);
    out.extend_from_slice(b"\n\n");
}

/// An event that says how the stream stands.
pub fn status_event(name: &str, status: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    push_event(&mut out, name, None, |out| {
        out.extend_from_slice(format!("{{\"status\":\"{status}\"}}").as_bytes());
    });
    out
}
