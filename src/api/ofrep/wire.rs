//! How requests, answers and errors look in OFREP. Answers are written straight into one buffer.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::rest::wire::push_string;
use crate::engine::context::{Attribute, Context, Members};
use crate::engine::evaluate::{Evaluation, Reason};
use crate::engine::snapshot::Snapshot;
use crate::engine::value::FeatureType;
use crate::error::{Error, Result};

/// Seconds after which a client may close the stream of a page that nobody looks at.
const INACTIVITY_SECONDS: u32 = 120;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    context: Option<Members<'a>>,
}

/// The context of a request. `targetingKey` is what rollouts stick to and, where the context has none of its
/// own, the `userId`. Without one the user is anonymous.
///
/// `BadJson` when the body is not a JSON object, `Invalid` when its context is not an object that can be read.
pub fn read_context(body: &[u8]) -> Result<Context<'_>> {
    let request: Request<'_> = serde_json::from_slice(body).map_err(|error| diagnose(body, &error))?;
    let members = request.context.unwrap_or_default();
    let key = match members.get("targetingKey") {
        Some(Attribute::Text(Cow::Borrowed(key))) => Some(Cow::Borrowed(*key)),
        Some(other) => other.as_key().map(|key| Cow::Owned(key.into_owned())),
        None => None,
    };
    Ok(Context::with_targeting_key(members, key))
}

/// What is wrong with a body that could not be read: the JSON, or the context in it.
fn diagnose(body: &[u8], error: &serde_json::Error) -> Error {
    #[derive(Deserialize)]
    struct Outline<'a> {
        #[serde(borrow)]
        context: Option<&'a RawValue>,
    }
    match serde_json::from_slice::<Outline<'_>>(body) {
        Ok(Outline { context: Some(context) }) if !context.get().starts_with('{') => {
            Error::invalid("context", "must be an object")
        }
        Ok(_) => Error::invalid("context", format!("cannot be read: {error}")),
        Err(error) => Error::BadJson(format!("the body cannot be read: {error}")),
    }
}

/// Why an evaluation has no answer: the value that is stored is not one of the feature's type.
fn misfit(evaluation: &Evaluation<'_>) -> bool {
    let value = evaluation.value.as_bytes();
    if value == b"null" {
        // No value; unless there was one that could not be read.
        return evaluation.feature.stored.damage.is_some() && evaluation.reason == Reason::Default;
    }
    !match evaluation.feature.definition().kind {
        FeatureType::String => value.starts_with(b"\""),
        FeatureType::Number => value.first().is_some_and(|first| *first == b'-' || first.is_ascii_digit()),
        FeatureType::Boolean => matches!(value, b"true" | b"false"),
        FeatureType::Json => true,
    }
}

/// Appends the answer for one flag; `BadJson` when the stored value does not fit the type.
pub fn push_answer(out: &mut Vec<u8>, evaluation: &Evaluation<'_>) -> Result<()> {
    if misfit(evaluation) {
        let feature = evaluation.feature;
        let kind = feature.definition().kind;
        return Err(Error::BadJson(format!("the value stored for {} is not a {kind}", feature.key)));
    }
    out.extend_from_slice(b"{\"key\":");
    push_string(out, &evaluation.feature.key);
    if evaluation.value != "null" {
        out.extend_from_slice(b",\"value\":");
        out.extend_from_slice(evaluation.value.as_bytes());
    }
    out.extend_from_slice(b",\"reason\":\"");
    let (reason, source) = match evaluation.reason {
        Reason::Override => (Reason::Static, Some("override")),
        Reason::Context => (Reason::TargetingMatch, Some("context")),
        reason => (reason, None),
    };
    out.extend_from_slice(reason.as_str().as_bytes());
    out.extend_from_slice(b"\",\"variant\":");
    match (evaluation.variant, evaluation.rule_id, source) {
        (Some(variant), ..) => push_string(out, &variant.key),
        (None, Some(rule), _) => {
            out.extend_from_slice(b"\"rule-");
            out.extend_from_slice(rule.as_bytes());
            out.push(b'"');
        }
        (None, None, Some(source)) => push_string(out, source),
        (None, None, None) if reason == Reason::Disabled => out.extend_from_slice(b"\"disabled\""),
        (None, None, None) => out.extend_from_slice(b"\"default\""),
    }
    if source.is_some() {
        out.extend_from_slice(b",\"metadata\":{\"source\":\"");
        out.extend_from_slice(evaluation.reason.as_str().as_bytes());
        out.extend_from_slice(b"\"}");
    }
    out.push(b'}');
    Ok(())
}

/// Appends `[…]` with an answer or an error for each flag; `answered` hears of the answers.
pub fn push_answers<'s>(
    out: &mut Vec<u8>,
    evaluations: impl Iterator<Item = Evaluation<'s>>,
    mut answered: impl FnMut(&Evaluation<'s>),
) {
    out.push(b'[');
    for (at, evaluation) in evaluations.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match push_answer(out, &evaluation) {
            Ok(()) => answered(&evaluation),
            Err(error) => {
                push_failure(out, Some(&evaluation.feature.key), "PARSE_ERROR", &error.to_string());
            }
        }
    }
    out.push(b']');
}

/// Appends what follows the flags of a bulk answer: where its stream is, and whose flags they are.
pub fn push_rest(out: &mut Vec<u8>, snapshot: &Snapshot, ticket: &str) {
    let stream = format!(
        ",\"eventStreams\":[{{\"type\":\"sse\",\"endpoint\":{{\"requestUri\":\"/ofrep/v1/events?ticket={ticket}\
         &since={}\"}},\"inactivityDelaySec\":{INACTIVITY_SECONDS}}}],\"metadata\":{{\"site\":",
        snapshot.revision
    );
    out.extend_from_slice(stream.as_bytes());
    push_string(out, &snapshot.info.site);
    out.extend_from_slice(b",\"environment\":");
    push_string(out, &snapshot.info.name);
    out.extend_from_slice(b"}}");
}

/// How many bytes an answer for so many flags is likely to take.
pub fn capacity(flags: usize) -> usize {
    384 + flags * 144
}

fn push_failure(out: &mut Vec<u8>, key: Option<&str>, code: &str, details: &str) {
    out.push(b'{');
    if let Some(key) = key {
        out.extend_from_slice(b"\"key\":");
        push_string(out, key);
        out.push(b',');
    }
    out.extend_from_slice(b"\"errorCode\":\"");
    out.extend_from_slice(code.as_bytes());
    out.extend_from_slice(b"\",\"errorDetails\":");
    push_string(out, details);
    out.push(b'}');
}

/// An error as OFREP shows it, with the key of the flag where one was asked for.
#[derive(Debug)]
pub struct Failure {
    pub error: Error,
    pub key: Option<String>,
}

impl Failure {
    /// OpenFeature's word for it.
    fn code(&self) -> &'static str {
        match &self.error {
            Error::BadJson(_) => "PARSE_ERROR",
            Error::Invalid(_) | Error::Unprocessable(..) => "INVALID_CONTEXT",
            Error::NotFound(_) if self.key.is_some() => "FLAG_NOT_FOUND",
            _ => "GENERAL",
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, key: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        match self.error.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        }
    }

    fn error_response(&self) -> HttpResponse {
        // Logged, and with the headers that belong to it.
        let response = self.error.error_response();
        let mut body = Vec::with_capacity(128);
        push_failure(&mut body, self.key.as_deref(), self.code(), &self.error.to_string());
        let mut response = response.set_body(actix_web::body::BoxBody::new(body));
        *response.status_mut() = self.status_code();
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(body: &str) -> &'static str {
        match read_context(body.as_bytes()) {
            Ok(_) => "",
            Err(error) => Failure::from(error).code(),
        }
    }

    #[test]
    fn a_context_may_be_left_out_but_not_be_something_else() {
        let deep = |levels| format!(r#"{{"context":{{"a":{}{}}}}}"#, "[".repeat(levels), "]".repeat(levels));
        for (body, code) in [
            ("{}", ""),
            (r#"{"context":null}"#, ""),
            (r#"{"context":{}}"#, ""),
            (r#"{"other":[1],"context":{"a":{"b":[null]}}}"#, ""),
            (&deep(100), ""),
            ("", "PARSE_ERROR"),
            ("nope", "PARSE_ERROR"),
            ("[]", "PARSE_ERROR"),
            ("5", "PARSE_ERROR"),
            (r#"{"context":"#, "PARSE_ERROR"),
            (r#"{"context":{}} x"#, "PARSE_ERROR"),
            ("{\"context\":{\"a\":\"\u{1}\"}}", "PARSE_ERROR"),
            (r#"{"context":"u1"}"#, "INVALID_CONTEXT"),
            (r#"{"context":[]}"#, "INVALID_CONTEXT"),
            (r#"{"context":5}"#, "INVALID_CONTEXT"),
            (r#"{"context":{"a":1e999}}"#, "INVALID_CONTEXT"),
            (&deep(200), "INVALID_CONTEXT"),
            (&deep(100_000), "INVALID_CONTEXT"),
        ] {
            assert_eq!(code_of(body), code, "{}", &body[..body.len().min(60)]);
        }
        assert!(read_context(b"{\"context\":{\"a\":\"\xff\"}}").is_err());
    }

    #[test]
    fn the_targeting_key_is_the_user() {
        let key = |body: &str| {
            let context = read_context(body.as_bytes()).expect("a context");
            let user = context.get("userId").and_then(Attribute::as_key).map(Cow::into_owned);
            (context.targeting_key().map(str::to_owned), user)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(key(r#"{"context":{"targetingKey":"u1"}}"#), (some("u1"), some("u1")));
        assert_eq!(key(r#"{"context":{"targetingKey":"u\u0031"}}"#), (some("u1"), some("u1")));
        assert_eq!(key(r#"{"context":{"targetingKey":17}}"#), (some("17"), some("17")));
        assert_eq!(key(r#"{"context":{"targetingKey":"u1","userId":"x"}}"#), (some("u1"), some("x")));
        assert_eq!(key(r#"{"context":{"targetingKey":"","userId":"x"}}"#), (None, some("x")));
        assert_eq!(key(r#"{"context":{"userId":"x"}}"#), (None, some("x")));
    }
}
