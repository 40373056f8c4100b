//! What has no API in front: health, metrics, the JavaScript client.

use std::sync::atomic::Ordering;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::request::none_match;
use super::rest::admin::block;
use crate::admin;
use crate::app::App;
use crate::error::{Error, Result};

/// `GET /healthz`: the process lives.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// `GET /readyz`: 200 when the database can be written, 503 with the reason when not.
pub async fn readyz(app: Data<App>) -> Result<HttpResponse> {
    let checked = block(move || {
        app.check_writable()?;
        // What opens once opens always; what was lost may have been reset meanwhile.
        match app.seal.lost() {
            0 => Ok(0),
            _ => admin::two_factor::count_lost(&app),
        }
    })
    .await;
    Ok(match checked {
        Ok(lost) => {
            let secrets = match lost {
                0 => "ok".to_owned(),
                lost => format!("{lost} sealed secrets cannot be opened with this key"),
            };
            HttpResponse::Ok().json(json!({ "status": "ready", "database": "ok", "secrets": secrets }))
        }
        Err(error) => {
            let reason = match &error {
                Error::Internal(inner) => inner.to_string(),
                other => other.to_string(),
            };
            HttpResponse::ServiceUnavailable()
                .insert_header(("Retry-After", "5"))
                .json(json!({ "status": "not ready", "database": reason }))
        }
    })
}

/// `GET /metrics`: Prometheus' text format.
pub async fn metrics(app: Data<App>) -> Result<HttpResponse> {
    let (mut features, mut broken) = (0, 0);
    for environment in app.live.environments() {
        let snapshot = environment.snapshot();
        features += snapshot.len() as i64;
        broken += snapshot.features().filter(|feature| feature.broken.is_some()).count() as i64;
    }
    app.metrics.features.set(features);
    app.metrics.broken_features.set(broken);
    app.metrics.analytics_dropped.inc_by(app.live.counters.take_dropped());
    let unwritable = u8::from(app.unwritable.load(Ordering::Relaxed));
    let mut body = app.metrics.text()?;
    body.extend_from_slice(
        format!("# HELP featured_database_unwritable 1 while writes fail\n# TYPE featured_database_unwritable gauge\nfeatured_database_unwritable {unwritable}\n")
            .as_bytes(),
    );
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(body))
}

const CLIENT: &str = include_str!("../../assets/feature-config.js");
const CLIENT_MIN: &str = include_str!("../../assets/feature-config.min.js");
const CLIENT_TYPES: &str = include_str!("../../assets/feature-config.d.ts");

fn script(req: &HttpRequest, body: &'static str, content_type: &'static str) -> HttpResponse {
    let digest = Sha256::digest(body);
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{hex}\"");
    let mut response = if none_match(req, &etag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, etag.clone()))
        .insert_header((CACHE_CONTROL, "public, max-age=300, must-revalidate"))
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header(("cross-origin-resource-policy", "cross-origin"))
        .insert_header(("x-content-type-options", "nosniff"));
    if none_match(req, &etag) { response.finish() } else { response.body(body) }
}

/// `GET /feature-config.js`.
pub async fn client(req: HttpRequest) -> HttpResponse {
    script(&req, CLIENT, "text/javascript; charset=utf-8")
}

/// `GET /feature-config.min.js`.
pub async fn client_min(req: HttpRequest) -> HttpResponse {
    script(&req, CLIENT_MIN, "text/javascript; charset=utf-8")
}

/// `GET /feature-config.d.ts`.
pub async fn client_types(req: HttpRequest) -> HttpResponse {
    script(&req, CLIENT_TYPES, "text/plain; charset=utf-8")
}
