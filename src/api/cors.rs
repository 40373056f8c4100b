//! Which web pages may call: the client API from the allowed origins, nothing else (feature-config §3).
//! Paths that it shares with the admin API allow GET, and only answers to an environment token carry the
//! header.

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
    Closed,
}

fn reach(path: &str) -> Reach {
    match path {
        "/api/v1/evaluate" | "/api/v1/evaluate/batch" | "/api/v1/analytics/evaluations" => {
            Reach::Client("POST")
        }
        "/api/v1/openapi.json" => Reach::Client("GET"),
        "/feature-config.js" | "/feature-config.min.js" | "/feature-config.mjs" | "/feature-config.d.ts" => {
            Reach::Client("GET")
        }
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
        Reach::Closed => return None,
    };
    let mut response = HttpResponse::NoContent();
    response
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, origin))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((
            ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, if-none-match, last-event-id, cache-control",
        ))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "86400"))
        .insert_header((VARY, "Origin"));
    Some(response.finish())
}

/// Adds what lets the page read the answer. Only called for requests with an `Origin`.
pub fn decorate(req: &HttpRequest, origins: &Origins, headers: &mut HeaderMap) {
    if flagr::is_ours(req.path()) {
        return flagr::decorate(req, origins, headers);
    }
    let open = match reach(req.path()) {
        Reach::Client(_) => true,
        Reach::Shared => {
            let token = match bearer(req) {
                Some(secret) => secret.starts_with(TOKEN_PREFIX),
                None => req.path().ends_with("/stream") && req.query_string().contains("apiKey="),
            };
            req.method() == Method::GET && token
        }
        Reach::Closed => false,
    };
    if !open {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = req.headers().get(ORIGIN).and_then(|origin| allowed(origins, origin)) else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "etag, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset, x-cache, x-evaluated-at, \
             x-decision-id",
        ),
    );
}
