//! What has no API in front: health, metrics, the JavaScript client.

use std::sync::atomic::Ordering;

use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::direct::{Hot, answer};
use super::request::none_match;
use super::rest::admin::block;
use crate::admin;
use crate::app::App;
use crate::error::{Error, Result};

/// What `/healthz` answers.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"status": "ok"}))]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
}

/// What `/readyz` answers.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"status": "ready", "database": "ok", "secrets": "ok"}))]
pub struct Readiness {
    /// `ready` or `not ready`.
    pub status: &'static str,
    /// `ok`, or why it cannot be written.
    pub database: String,
    /// `ok`, or how many sealed secrets cannot be opened with the key there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<String>,
}

/// Ask whether the process lives
///
/// For supervisors: 200 as long as requests are answered at all.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    tag = "Server",
    security(()),
    responses((status = 200, description = "It does.", body = Health)),
)]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// What supervisors ask all the time, see [`super::direct`].
pub fn hot(head: &RequestHead, path: &str) -> Option<Hot> {
    if path != "/healthz" || head.method != Method::GET {
        return None;
    }
    Some(|app, request| answer(app, request, async |_, _, _| Ok::<_, Error>(healthz().await)))
}

/// Ask whether the server is ready
///
/// For load balancers and probes. Evaluation goes on from memory while the database cannot be written.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "Server",
    security(()),
    responses(
        (status = 200, description = "The database can be written.", body = Readiness),
        (status = 503, description = "It cannot; `database` says why.", body = Readiness, headers(
            ("Retry-After" = u32, description = "Seconds after which to try again."),
        ), example = json!({"status": "not ready", "database": "the database is not available: disk I/O error"})),
    ),
)]
pub async fn readyz(app: Data<App>) -> Result<HttpResponse> {
    let checked = block(move || {
        app.check_writable()?;
        // What opens once opens always; what was lost may have been reset meanwhile.
        match app.seal.lost() {
            0 => Ok(0),
            _ => app.read(|conn| admin::two_factor::count_lost(&app, conn)),
        }
    })
    .await;
    Ok(match checked {
        Ok(lost) => {
            let secrets = match lost {
                0 => "ok".to_owned(),
                lost => format!("{lost} sealed secrets cannot be opened with this key"),
            };
            HttpResponse::Ok().json(Readiness {
                status: "ready",
                database: "ok".into(),
                secrets: Some(secrets),
            })
        }
        Err(error) => {
            let reason = match &error {
                Error::Internal(inner) => inner.to_string(),
                other => other.to_string(),
            };
            HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "5")).json(Readiness {
                status: "not ready",
                database: reason,
                secrets: None,
            })
        }
    })
}

/// Read the metrics
///
/// In Prometheus' text format.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "Server",
    security(()),
    responses(
        (status = 200, description = "Every metric of the server.", body = String, content_type = "text/plain",
            example = json!("# TYPE featured_database_unwritable gauge\nfeatured_database_unwritable 0\n")),
    ),
)]
pub async fn metrics(app: Data<App>) -> Result<HttpResponse> {
    let (mut features, mut broken, mut contexts) = (0, 0, Vec::new());
    for environment in app.live.environments() {
        let snapshot = environment.snapshot();
        features += snapshot.len() as i64;
        let name = format!("{}/{}", snapshot.info.site, snapshot.info.name);
        contexts.push((name, snapshot.contexts_len() as i64));
        broken += snapshot.features().filter(|feature| feature.broken.is_some()).count() as i64;
    }
    app.metrics.count_contexts(&contexts);
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
    let mut response =
        if none_match(req.headers(), &etag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, etag.clone()))
        .insert_header((CACHE_CONTROL, "public, max-age=300, must-revalidate"))
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header(("cross-origin-resource-policy", "cross-origin"))
        .insert_header(("x-content-type-options", "nosniff"));
    if none_match(req.headers(), &etag) { response.finish() } else { response.body(body) }
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
