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

use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};

use crate::api::direct::{Hot, answer};

/// The largest body of a request, in bytes.
pub const MAX_BODY: usize = 256 << 10;

/// What programs ask all the time, see [`crate::api::direct`]: evaluation.
pub fn hot(head: &RequestHead, path: &str) -> Option<Hot> {
    let key = path.strip_prefix("/ofrep/v1/evaluate/flags")?;
    match (&head.method, key) {
        (&Method::POST, "") => Some(|app, request| answer(app, request, handlers::evaluate_flags)),
        // Not one segment: some providers send a `/` in a key as it is.
        (&Method::POST, key) if key.starts_with('/') && key.len() > 1 => {
            Some(|app, request| answer(app, request, handlers::evaluate_flag))
        }
        _ => None,
    }
}

/// Every other route, and what is no route, beneath `/ofrep/v1`.
pub fn routes(cfg: &mut ServiceConfig) {
    let resource = |path: &str| web::resource(path).default_service(web::to(handlers::wrong_method));
    cfg.service(resource("/evaluate/flags"))
        .service(resource("/evaluate/flags/{key:.+}"))
        .service(resource("/events").route(web::get().to(events::events)))
        .default_service(web::to(handlers::unknown_path));
}
