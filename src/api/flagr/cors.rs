//! Which pages may call this door (flagr.md §7): evaluation from the allowed origins, management only from
//! origins that are named one by one. The answers are Flagr's.

use actix_web::dev::RequestHead;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::{HttpRequest, HttpResponse};

use crate::config::Origins;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];
const HEADERS: [&str; 6] =
    ["origin", "accept", "content-type", "x-requested-with", "authorization", "time_zone"];

/// Whether a path is this door's.
pub fn is_ours(path: &str) -> bool {
    path.starts_with("/flagr/")
}

fn is_open(path: &str) -> bool {
    let inner = path.find("/api/v1/").map_or("", |at| &path[at + 8..]);
    matches!(inner, "evaluation" | "evaluation/batch" | "exposures" | "health")
}

/// What to allow: the origin, and whether it may send credentials.
fn allowed(head: &RequestHead, origins: &Origins) -> Option<(HeaderValue, bool)> {
    let origin = head.headers.get(ORIGIN)?;
    match origins {
        Origins::Any => is_open(head.uri.path()).then(|| (HeaderValue::from_static("*"), false)),
        Origins::Only(list) => {
            let known = list.iter().any(|one| one.as_bytes() == origin.as_bytes());
            known.then(|| (origin.clone(), true))
        }
    }
}

/// The answer to a preflight: always 204, with the allowing headers or without.
pub fn preflight(req: &HttpRequest, origins: &Origins) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    response.insert_header((VARY, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"));
    let text = |name| req.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let method = text(ACCESS_CONTROL_REQUEST_METHOD).unwrap_or_default();
    let wanted = text(ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let known = |name: &str| name.is_empty() || HEADERS.contains(&name.to_ascii_lowercase().as_str());
    let fits = METHODS.contains(&method) && wanted.split(',').map(str::trim).all(known);
    if let Some((origin, credentials)) = allowed(req.head(), origins).filter(|_| fits) {
        response
            .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, origin))
            .insert_header((ACCESS_CONTROL_ALLOW_METHODS, method))
            .insert_header((ACCESS_CONTROL_MAX_AGE, "600"));
        if !wanted.is_empty() {
            response.insert_header((ACCESS_CONTROL_ALLOW_HEADERS, wanted));
        }
        if credentials {
            response.insert_header((ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"));
        }
    }
    response.finish()
}

/// Lets the page read the answer, be it an error.
pub fn decorate(head: &RequestHead, origins: &Origins, headers: &mut HeaderMap) {
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some((origin, credentials)) = allowed(head, origins) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate"));
        if credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}
