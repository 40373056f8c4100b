//! The OpenFeature door: OpenFeature Remote Evaluation Protocol 0.3.0 (`open-feature/protocol`
//! `service/openapi.yaml` and `service/event-streams.yaml`), under `/ofrep/v1`.
//!
//! Known deviations, each for the sake of clients that exist:
//! - a request without `context`, or with `null`, is one for an anonymous user; `TARGETING_KEY_MISSING` is
//!   never answered;
//! - an answer always names a `variant`, and a fault of the server has `key` and `errorCode` beside
//!   `errorDetails`;
//! - the entity tag of a bulk answer also covers its stream's ticket, which the web provider keeps for as
//!   long as the tag: a 304 for a ticket that is no longer good would leave it without a stream.

mod events;
mod handlers;
mod wire;

use actix_web::guard;
use actix_web::http::Method;
use actix_web::web::{self, PayloadConfig, ServiceConfig};

use crate::api::direct::{below, direct};

/// The largest body of a request, in bytes.
pub const MAX_BODY: usize = 256 << 10;

/// What programs ask all the time: evaluation.
pub fn direct_routes(cfg: &mut ServiceConfig) {
    let resource =
        |path: &str| web::resource(path).guard(guard::Post()).app_data(PayloadConfig::new(MAX_BODY));
    cfg.service(
        resource("/ofrep/v1/evaluate/flags")
            .to(direct(async |app, (req, key, body)| handlers::evaluate_flags(app, req, key, body).await)),
    )
    // Not one segment: some providers send a `/` in a key as it is.
    .service(
        below("/ofrep/v1/evaluate/flags", Method::POST, |key| key.len() > 1 && !key.contains('%'))
            .app_data(PayloadConfig::new(MAX_BODY))
            .default_service(web::to(direct(async |app, (req, key, body)| {
                handlers::evaluate_flag(app, req, key, body).await
            }))),
    );
}

/// Every other route, and what is no route, beneath `/ofrep/v1`.
pub fn routes(cfg: &mut ServiceConfig) {
    let resource = |path: &str| web::resource(path).default_service(web::to(handlers::wrong_method));
    cfg.app_data(PayloadConfig::new(MAX_BODY))
        .service(resource("/evaluate/flags"))
        // With an encoded key.
        .service(resource("/evaluate/flags/{key:.+}").route(web::post().to(handlers::evaluate_flag)))
        .service(resource("/events").route(web::get().to(events::events)))
        .default_service(web::to(handlers::unknown_path));
}
