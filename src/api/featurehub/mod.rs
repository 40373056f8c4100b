//! FeatureHub's Edge protocol, so that its unmodified SDKs work: polling, streams, test updates (spec:
//! featurehub.md, after `sse-api.yaml` 1.1.9 and the SDKs of 1.4.0).
//!
//! Keys whose token has a `*` (ours: of `server` tokens) are for clients that evaluate by themselves and get
//! strategies; the others get values for the context they send.
//!
//! Known deviations, each for a reason:
//! - `version` is the revision of the environment, see [`wire`];
//! - while an environment is in maintenance or a key over its rate limit, a stream hears `bye` but is kept open and
//!   goes on once it can: JavaScript gives up for good on a stream that ends before its features came;
//! - a strategy without a percentage that stands before a percentage for all says 0 rather than nothing, see
//!   [`strategies`];
//! - of a regular expression `$` also matches before a last line feed in Java and Python;
//! - a list under a negative condition: clients say any element, this server every one.

pub mod conditions;
pub mod context;
pub mod failure;
pub mod handlers;
pub mod keys;
pub mod regex;
pub mod strategies;
pub mod stream;
pub mod update;
pub mod views;
pub mod wire;

use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};

use crate::api::direct::{Hot, answer};

/// Polling, which SDKs do all the time, see [`crate::api::direct`].
pub fn hot(head: &RequestHead, path: &str) -> Option<Hot> {
    if !matches!(path, "/features" | "/features/") || head.method != Method::GET {
        return None;
    }
    Some(|app, request| answer(app, request, async |app, head, _| handlers::features(app, head)))
}

/// Every other route of the door, and what its operators probe.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource(["/features", "/features/"]))
        .service(
            web::resource("/features/{path:.+}")
                .route(web::get().to(stream::stream))
                .route(web::put().to(update::update))
                .route(web::post().to(update::update)),
        )
        .route("/health/liveness", web::get().to(crate::api::plain::healthz))
        .route("/health/readyness", web::get().to(crate::api::plain::readyz))
        .route("/info/version", web::get().to(handlers::version));
}
