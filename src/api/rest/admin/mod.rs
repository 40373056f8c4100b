//! The admin routes: sites, environments, features with rules and variants, segments, tokens, documents, people. Each
//! finds out who calls, calls one function of [`crate::admin`], and shows the result.

pub mod analytics;
pub mod audit;
pub mod branding;
pub mod compatibility;
pub mod documents;
pub mod environments;
pub mod features;
pub mod gdpr;
pub mod me;
pub mod rules;
pub mod segments;
pub mod sites;
pub mod tokens;
pub mod users;
pub mod variants;
pub mod webhooks;

use actix_web::http::header::{ETAG, HeaderValue, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::admin::features::Target;
use crate::api::request::{if_match, path, segment};
use crate::app::{Actor, App};
use crate::auth::extract::Caller;
pub use crate::blocking::block;
use crate::engine::compile::StoredFeature;
use crate::error::Result;

/// The feature that a path names, and the version that `If-Match` does.
fn target(req: &HttpRequest) -> Result<Target> {
    Ok(Target {
        site: segment(req, "site")?,
        environment: segment(req, "environment")?,
        key: segment(req, "key")?,
        expected: if_match(req)?,
    })
}

fn etag(version: u64) -> (actix_web::http::header::HeaderName, String) {
    (ETAG, format!("\"{version}\""))
}

/// 201 with `Location`: the path of the request and the new name behind it.
pub(super) fn created<T: Serialize>(req: &HttpRequest, name: &str, value: &T) -> HttpResponse {
    let mut response = HttpResponse::Created().json(value);
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
    // Dashes and such need no encoding, but reading either form gives the same.
    let location =
        format!("{}/{}", path(req), encoded.replace("%2D", "-").replace("%5F", "_").replace("%2E", "."));
    if let Ok(value) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

/// Takes away what the path calls so, and answers 204.
async fn remove(
    app: Data<App>,
    caller: Caller,
    req: HttpRequest,
    name: &str,
    remove: fn(&App, &Actor, &str) -> Result<()>,
) -> Result<HttpResponse> {
    let id = segment(&req, name)?;
    block(move || remove(&app, &caller.0, &id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn with_version(mut response: HttpResponse, feature: &StoredFeature) -> HttpResponse {
    let (name, value) = etag(feature.version);
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(name, value);
    }
    response
}
