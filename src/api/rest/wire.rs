//! Answers of the client API, written straight into bytes: at these rates a tree of values would cost more
//! than the evaluation.

use crate::engine::evaluate::Evaluation;
use crate::engine::snapshot::Snapshot;

/// Appends a string with its quotes.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    let plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    out.push(b'"');
    if text.as_bytes().iter().all(plain) {
        out.extend_from_slice(text.as_bytes());
    } else {
        let quoted = serde_json::Value::from(text).to_string();
        out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
    }
    out.push(b'"');
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends the members `"value"` to `"version"` of an evaluation, without braces.
pub fn push_evaluation(out: &mut Vec<u8>, evaluation: &Evaluation<'_>) {
    let stored = &evaluation.feature.stored;
    out.extend_from_slice(b"\"value\":");
    out.extend_from_slice(evaluation.value.as_bytes());
    out.extend_from_slice(b",\"type\":\"");
    out.extend_from_slice(stored.definition.kind.as_str().as_bytes());
    out.extend_from_slice(if stored.definition.enabled {
        b"\",\"enabled\":true,\"reason\":\"".as_slice()
    } else {
        b"\",\"enabled\":false,\"reason\":\""
    });
    out.extend_from_slice(evaluation.reason.as_str().as_bytes());
    match evaluation.rule_id {
        Some(id) => {
            out.extend_from_slice(b"\",\"ruleId\":\"");
            out.extend_from_slice(id.as_bytes());
            out.extend_from_slice(b"\",\"variant\":");
        }
        None => out.extend_from_slice(b"\",\"ruleId\":null,\"variant\":"),
    }
    match evaluation.variant {
        Some(variant) => push_string(out, &variant.key),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"version\":");
    push_number(out, stored.version);
}

/// Appends `{"key": {…}, …}`.
pub fn push_features<'s>(out: &mut Vec<u8>, evaluations: impl Iterator<Item = Evaluation<'s>>) {
    out.push(b'{');
    let mut first = true;
    for evaluation in evaluations {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        push_string(out, &evaluation.feature.key);
        out.extend_from_slice(b":{");
        push_evaluation(out, &evaluation);
        out.push(b'}');
    }
    out.push(b'}');
}

/// Appends `"site":…,"environment":…,"revision":…` behind an opening brace.
pub fn push_head(out: &mut Vec<u8>, snapshot: &Snapshot) {
    out.extend_from_slice(b"{\"site\":");
    push_string(out, &snapshot.info.site);
    out.extend_from_slice(b",\"environment\":");
    push_string(out, &snapshot.info.name);
    out.extend_from_slice(b",\"revision\":");
    push_number(out, snapshot.revision);
}

/// Appends `"missing":[…]`.
pub fn push_missing(out: &mut Vec<u8>, missing: &[&str]) {
    out.extend_from_slice(b"\"missing\":[");
    for (at, key) in missing.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_string(out, key);
    }
    out.push(b']');
}

/// How many bytes an answer over so many features is likely to take.
pub fn capacity(features: usize) -> usize {
    256 + features * 176
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_written_as_json() {
        for text in ["", "plain", "quo\"te", "back\\slash", "line\nbreak", "null\0", "ö 日本 😀", "\u{7f}"]
        {
            let mut out = Vec::new();
            push_string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
        }
    }
}
