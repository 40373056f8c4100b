//! Evaluations as parts of a JSON answer (native-api "POST /evaluate"), written straight into bytes. Most are made
//! once for each way in which a feature can be answered, and copied from then on.

use super::compile::slot;
use super::evaluate::Evaluation;

/// Longer values are not kept a second time.
const MAX_KEPT: usize = 512;

/// Appends `"key":{…}`, a member of an answer's features.
pub fn push_member(out: &mut Vec<u8>, evaluation: &Evaluation<'_>) {
    // What a stored Context supplies has as many values as there are Contexts.
    let kept = evaluation.slot != slot::SUPPLIED && evaluation.value.len() <= MAX_KEPT;
    match evaluation.feature.slots.get(evaluation.slot).filter(|_| kept) {
        Some(place) => {
            let bytes = place.written.get_or_init(|| {
                let mut bytes = Vec::with_capacity(192);
                write_member(&mut bytes, evaluation);
                bytes.into()
            });
            out.extend_from_slice(bytes);
        }
        None => write_member(out, evaluation),
    }
}

fn write_member(out: &mut Vec<u8>, evaluation: &Evaluation<'_>) {
    push_string(out, &evaluation.feature.key);
    out.extend_from_slice(b":{");
    push_evaluation(out, evaluation);
    out.push(b'}');
}

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

/// Appends a number.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
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
