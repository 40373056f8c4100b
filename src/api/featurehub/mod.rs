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

use actix_web::guard;
use actix_web::web::{self, ServiceConfig};

use crate::api::direct::direct;

/// Polling, which SDKs do all the time, see [`direct`].
pub fn direct_routes(cfg: &mut ServiceConfig) {
    // Not one resource with two paths: those are matched as patterns.
    for path in ["/features", "/features/"] {
        let resource = web::resource(path).guard(guard::Get());
        cfg.service(resource.to(direct(async |app, (req,)| handlers::features(app, req).await)));
    }
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
