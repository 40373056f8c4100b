//! Which web pages may call: the client API from the allowed origins, nothing else (feature-config §3).
//! Paths that it shares with the admin API allow GET, and only answers to an environment token carry the
//! header.

use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};
use actix_web::{HttpRequest, HttpResponse};

use super::flagr::cors as flagr;
use crate::auth::extract::bearer;
use crate::auth::secret::TOKEN_PREFIX;
use crate::config::Origins;

/// What a path is to a page of another origin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Client API alone: these methods.
    Client(&'static str),
    /// Shared with the admin API.
    Shared,
    /// The FeatureHub door, whose SDKs send headers of their own (featurehub.md §2.5).
    FeatureHub,
    Closed,
}

fn reach(path: &str) -> Reach {
    match path {
        path if path == "/features" || path.starts_with("/features/") => Reach::FeatureHub,
        "/api/v1/evaluate"
        | "/api/v1/evaluate/batch"
        | "/api/v1/analytics/evaluations"
        | "/api/v1/analytics/events" => Reach::Client("POST"),
        "/api/v1/openapi.json" => Reach::Client("GET"),
        "/feature-config.js" | "/feature-config.min.js" | "/feature-config.d.ts" => Reach::Client("GET"),
        "/ofrep/v1/events" => Reach::Client("GET, OPTIONS"),
        _ if path.starts_with("/ofrep/v1/evaluate/flags") => Reach::Client("POST, OPTIONS"),
        _ => {
            let parts: Vec<&str> =
                path.strip_prefix("/api/v1/sites/").unwrap_or_default().split('/').collect();
            match parts.as_slice() {
                [_, "environments", _, "features" | "ruleset" | "stream"] => Reach::Shared,
                // Not its rules or history, and not an action on it.
                [_, "environments", _, "features", key] if !key.contains(':') => Reach::Shared,
                _ => Reach::Closed,
            }
        }
    }
}

fn allowed(origins: &Origins, origin: &HeaderValue) -> Option<HeaderValue> {
    match origins {
        Origins::Any => Some(HeaderValue::from_static("*")),
        Origins::Only(list) => {
            list.iter().any(|one| one.as_bytes() == origin.as_bytes()).then(|| origin.clone())
        }
    }
}

/// The answer to a preflight, when this request is one for a path that is open.
pub fn preflight(req: &HttpRequest, origins: &Origins) -> Option<HttpResponse> {
    if req.method() != Method::OPTIONS || !req.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    if flagr::is_ours(req.path()) {
        return Some(flagr::preflight(req, origins));
    }
    let origin = allowed(origins, req.headers().get(ORIGIN)?)?;
    let methods = match reach(req.path()) {
        Reach::Client(methods) => methods,
        Reach::Shared => "GET",
        Reach::FeatureHub => return Some(featurehub_preflight(origin)),
        Reach::Closed => return None,
    };
    let mut response = HttpResponse::NoContent();
    response
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, origin))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((
            ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, x-api-key, content-type, if-none-match, last-event-id, cache-control",
        ))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "86400"))
        .insert_header((VARY, "Origin"));
    Some(response.finish())
}

fn featurehub_preflight(origin: HeaderValue) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, origin))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE, OPTIONS, HEAD"))
        .insert_header((
            ACCESS_CONTROL_ALLOW_HEADERS,
            "x-featurehub, if-none-match, etag, content-type, cache-control, baggage, authorization, \
             x-requested-with, x-sdk, x-sdk-version, last-event-id",
        ))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "86400"))
        .insert_header((VARY, "Origin"))
        .finish()
}

/// Adds what lets the page read the answer. Only called for requests with an `Origin`.
pub fn decorate(head: &RequestHead, origins: &Origins, headers: &mut HeaderMap) {
    let path = head.uri.path();
    if flagr::is_ours(path) {
        return flagr::decorate(head, origins, headers);
    }
    let open = match reach(path) {
        Reach::Client(_) | Reach::FeatureHub => true,
        Reach::Shared => {
            let token = match bearer(&head.headers) {
                Some(secret) => secret.starts_with(TOKEN_PREFIX),
                None => {
                    path.ends_with("/stream")
                        && head.uri.query().is_some_and(|query| query.contains("apiKey="))
                }
            };
            head.method == Method::GET && token
        }
        Reach::Closed => false,
    };
    if !open {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = head.headers.get(ORIGIN).and_then(|origin| allowed(origins, origin)) else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "etag, cache-control, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset, x-cache, x-evaluated-at, \
             x-decision-id",
        ),
    );
}
