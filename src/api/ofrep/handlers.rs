//! One flag, or all of them, for a posted context.

use std::future::{Ready, ready};
use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use percent_encoding::percent_decode_str;

use super::wire::{self, Failure};
use crate::api::request::none_match;
use crate::api::rest::client::nanos;
use crate::app::App;
use crate::auth::extract::{ClientKey, key_in_header};
use crate::engine::evaluate::Evaluator;
use crate::error::Error;

const JSON_TYPE: HeaderValue = HeaderValue::from_static("application/json");

/// The rest of the path, decoded, where a flag is asked for by name.
fn flag(req: &HttpRequest) -> Option<String> {
    let unmatched = || req.path().strip_prefix("/ofrep/v1/evaluate/flags/");
    let raw = req.match_info().get("key").or_else(unmatched)?;
    let decoded = percent_decode_str(raw).decode_utf8_lossy();
    // Colons that were encoded arrive encoded twice, see `routes`.
    Some(decoded.replace("%3A", ":").replace("%3a", ":"))
}

fn failure(req: &HttpRequest, error: Error) -> Failure {
    Failure { error, key: flag(req) }
}

/// An environment token in `Authorization: Bearer` or `X-API-Key`.
pub struct Key(pub ClientKey);

impl FromRequest for Key {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(key_in_header(req).map(Key).map_err(|error| failure(req, error)))
    }
}

/// A body of any type, at most [`super::MAX_BODY`] long.
pub struct Body(Bytes);

impl FromRequest for Body {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = Bytes::from_request(req, payload);
        let req = req.clone();
        Box::pin(async move {
            bytes.await.map(Body).map_err(|error| {
                let error = match error.as_error::<PayloadError>() {
                    Some(PayloadError::Overflow) => Error::TooLarge(super::MAX_BODY),
                    _ => Error::BadJson("the body did not arrive whole".into()),
                };
                failure(&req, error)
            })
        })
    }
}

fn ok(body: Vec<u8>, key: &Key) -> HttpResponse {
    let mut response = HttpResponse::with_body(actix_web::http::StatusCode::OK, BoxBody::new(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON_TYPE);
    key.0.note_limit(&mut response);
    response
}

/// `POST /ofrep/v1/evaluate/flags/{key}`: one flag. 404 `FLAG_NOT_FOUND` for an unknown key, 400 `PARSE_ERROR`
/// or `INVALID_CONTEXT` for a body that cannot be read.
pub async fn evaluate_flag(
    app: Data<App>,
    req: HttpRequest,
    key: Key,
    body: Body,
) -> Result<HttpResponse, Failure> {
    evaluate_one(&app, &req, &key, &body.0).map_err(|error| failure(&req, error))
}

fn evaluate_one(app: &App, req: &HttpRequest, key: &Key, body: &[u8]) -> Result<HttpResponse, Error> {
    let snapshot = key.0.snapshot()?;
    let context = wire::read_context(body)?;
    let flag = flag(req).unwrap_or_default();
    let feature = snapshot.feature(&flag).ok_or_else(|| Error::NotFound(format!("flag {flag}")))?;
    let now = app.now();
    let evaluation = Evaluator::new(&snapshot, &context, nanos(now))?.evaluate(feature);
    let mut out = Vec::with_capacity(wire::capacity(0) + evaluation.value.len());
    wire::push_answer(&mut out, &evaluation)?;
    let mut counting = app.live.counters.begin(key.0.token.environment.id, &snapshot, &context);
    counting.add(&evaluation);
    app.live.counters.count(&counting.finish(), now);
    app.metrics.evaluations.inc();
    Ok(ok(out, key))
}

/// `POST /ofrep/v1/evaluate/flags`: every flag of the environment, by key, with a tag of the answer; 304 when
/// the client has it already.
pub async fn evaluate_flags(
    app: Data<App>,
    req: HttpRequest,
    key: Key,
    body: Body,
) -> Result<HttpResponse, Failure> {
    Ok(evaluate_all(&app, &req, &key, &body.0)?)
}

fn evaluate_all(app: &App, req: &HttpRequest, key: &Key, body: &[u8]) -> Result<HttpResponse, Error> {
    let snapshot = key.0.snapshot()?;
    let context = wire::read_context(body)?;
    let now = app.now();
    let evaluator = Evaluator::new(&snapshot, &context, nanos(now))?;
    let mut out = Vec::with_capacity(wire::capacity(snapshot.len()));
    out.extend_from_slice(b"{\"flags\":");
    let mut counting = app.live.counters.begin(key.0.token.environment.id, &snapshot, &context);
    let evaluations = snapshot.features().map(|feature| evaluator.evaluate(feature));
    wire::push_answers(&mut out, evaluations, |evaluation| counting.add(evaluation));
    let ticket = app.live.tickets.issue(&key.0.token, now);
    let mut hasher = DefaultHasher::new();
    (&out, &ticket).hash(&mut hasher);
    let etag = format!("\"{:016x}\"", hasher.finish());
    let mut response = if none_match(req, &etag) {
        let mut response = HttpResponse::NotModified().finish();
        key.0.note_limit(&mut response);
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
    Err(failure(&req, Error::MethodNotAllowed))
}

/// A path that is none.
pub async fn unknown_path() -> Result<HttpResponse, Failure> {
    Err(Error::NotFound("this path".into()).into())
}
