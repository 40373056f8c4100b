//! One flag, or all of them, for a posted context.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, RequestHead};
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::percent_decode_str;

use super::MAX_BODY;
use super::wire::{self, Failure};
use crate::api::request::{collect, none_match};
use crate::api::rest::client::nanos;
use crate::app::App;
use crate::auth::extract::{ClientKey, key_in_header};
use crate::engine::evaluate::Evaluator;
use crate::error::Error;

const JSON_TYPE: HeaderValue = HeaderValue::from_static("application/json");

/// The rest of the path, decoded, where a flag is asked for by name.
fn flag(path: &str) -> Option<String> {
    let raw = path.strip_prefix("/ofrep/v1/evaluate/flags/")?;
    Some(percent_decode_str(raw).decode_utf8_lossy().into_owned())
}

fn failure(head: &RequestHead, error: Error) -> Failure {
    Failure { error, key: flag(head.uri.path()) }
}

fn ok(body: Vec<u8>, key: &ClientKey) -> HttpResponse {
    let mut response = HttpResponse::with_body(actix_web::http::StatusCode::OK, BoxBody::new(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON_TYPE);
    key.note_limit(&mut response);
    response
}

/// `POST /ofrep/v1/evaluate/flags/{key}`: one flag. 404 `FLAG_NOT_FOUND` for an unknown key, 400 `PARSE_ERROR`
/// or `INVALID_CONTEXT` for a body that cannot be read.
pub async fn evaluate_flag(app: &App, head: &RequestHead, payload: Payload) -> Result<HttpResponse, Failure> {
    let answer = async || {
        let key = key_in_header(app, head)?;
        evaluate_one(app, head, &key, &collect(head, payload, MAX_BODY).await?)
    };
    answer().await.map_err(|error| failure(head, error))
}

fn evaluate_one(app: &App, head: &RequestHead, key: &ClientKey, body: &[u8]) -> Result<HttpResponse, Error> {
    let snapshot = key.snapshot()?;
    let context = wire::read_context(body)?;
    let flag = flag(head.uri.path()).unwrap_or_default();
    let feature = snapshot.feature(&flag).ok_or_else(|| Error::NotFound(format!("flag {flag}")))?;
    let now = app.now();
    let evaluation = Evaluator::new(&snapshot, &context, nanos(now))?.evaluate(feature);
    let mut out = Vec::with_capacity(wire::capacity(0) + evaluation.value.len());
    wire::push_answer(&mut out, &evaluation)?;
    let mut counting = app.live.counters.begin(key.token.environment.id.0, &snapshot, &context);
    counting.add(&evaluation);
    app.live.counters.count(&counting.finish(), now);
    app.metrics.evaluations.inc();
    Ok(ok(out, key))
}

/// `POST /ofrep/v1/evaluate/flags`: every flag of the environment, by key, with a tag of the answer; 304 when
/// the client has it already.
pub async fn evaluate_flags(
    app: &App,
    head: &RequestHead,
    payload: Payload,
) -> Result<HttpResponse, Failure> {
    let key = key_in_header(app, head)?;
    Ok(evaluate_all(app, head, &key, &collect(head, payload, MAX_BODY).await?)?)
}

fn evaluate_all(app: &App, head: &RequestHead, key: &ClientKey, body: &[u8]) -> Result<HttpResponse, Error> {
    let snapshot = key.snapshot()?;
    let context = wire::read_context(body)?;
    let now = app.now();
    let evaluator = Evaluator::new(&snapshot, &context, nanos(now))?;
    let mut out = Vec::with_capacity(wire::capacity(snapshot.len()));
    out.extend_from_slice(b"{\"flags\":");
    let mut counting = app.live.counters.begin(key.token.environment.id.0, &snapshot, &context);
    counting.expect(snapshot.len());
    let evaluations = snapshot.features().map(|feature| evaluator.evaluate(feature));
    wire::push_answers(&mut out, evaluations, |evaluation| counting.add(evaluation));
    let ticket = app.live.tickets.issue(&key.token, now);
    let mut hasher = DefaultHasher::new();
    (&out, &ticket).hash(&mut hasher);
    let etag = format!("\"{:016x}\"", hasher.finish());
    let mut response = if none_match(&head.headers, &etag) {
        let mut response = HttpResponse::NotModified().finish();
        key.note_limit(&mut response);
        response
    } else {
        wire::push_rest(&mut out, &snapshot, &ticket);
        app.live.counters.count(&counting.finish(), now);
        app.metrics.evaluations.inc_by(snapshot.len() as u64);
        ok(out, key)
    };
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    Ok(response)
}

/// A method that the path does not take.
pub async fn wrong_method(req: HttpRequest) -> Result<HttpResponse, Failure> {
    Err(failure(req.head(), Error::MethodNotAllowed))
}

/// A path that is none.
pub async fn unknown_path() -> Result<HttpResponse, Failure> {
    Err(Error::NotFound("this path".into()).into())
}
