//! The native API (`spec: native-api.md`), under `/api/v1`: what clients evaluate with, and what people and
//! their programs administer with. Known deviations: `/sites/{site}/promotions`, its `:preview` and `/stats` are not
//! there yet.

pub mod admin;
pub mod answers;
pub mod client;
pub mod contexts;
pub mod description;
pub mod explain;
pub mod openapi;
pub mod params;
pub mod stream;
pub mod wire;

use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Resource, Result as ActixResult};

use crate::api::direct::{Hot, answer};
use crate::api::request::Body;
use crate::app::App;
use crate::auth::extract::ClientKey;
use crate::error::{Error, Result};
use crate::uniform;

async fn method_not_allowed() -> ActixResult<&'static str> {
    Err(Error::MethodNotAllowed.into())
}

fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::to(method_not_allowed))
}

/// The routes that clients ask all the time, see [`crate::api::direct`].
pub fn hot(head: &RequestHead, path: &str) -> Option<Hot> {
    let path = path.strip_prefix("/api/v1/")?;
    match (&head.method, path) {
        (&Method::POST, "evaluate") => Some(|app, request| {
            answer(app, request, async |app, head, payload| {
                let key = ClientKey::of(app, head)?;
                client::evaluate(app, &key, &Body::of(head, payload).await?)
            })
        }),
        (&Method::POST, "evaluate/batch") => Some(|app, request| {
            answer(app, request, async |app, head, payload| {
                let key = ClientKey::of(app, head)?;
                client::evaluate_batch(app, &key, &Body::of(head, payload).await?)
            })
        }),
        (&Method::GET, path) if client::place(path).is_some() && client::is_program(&head.headers) => {
            Some(|app, request| answer(app, request, async |app, head, _| client::get_all(app, head)))
        }
        _ => None,
    }
}

/// Where something of the path is encoded; else [`hot`] answers.
async fn evaluate(app: Data<App>, key: ClientKey, body: Body) -> Result<HttpResponse> {
    client::evaluate(&app, &key, &body)
}

/// The same.
async fn evaluate_batch(app: Data<App>, key: ClientKey, body: Body) -> Result<HttpResponse> {
    client::evaluate_batch(&app, &key, &body)
}

/// Every route of the native API, on one screen. `{x}:word` is an action on `x`.
pub fn routes(cfg: &mut ServiceConfig) {
    let site = "/sites/{site:[^/:]+}";
    let environment = &format!("{site}/environments/{{environment:[^/:]+}}");
    let feature = &format!("{environment}/features/{{key:[^/:]+}}");
    let contexts = &format!("{environment}/contexts");
    let context = &format!("{environment}/contexts/{{context:[^/]+}}");
    let value = &format!("{context}/features/{{feature:[^/:]+}}");
    let token = &format!("{environment}/tokens/{{token:[^/:]+}}");
    let segment = &format!("{site}/segments/{{segment:[^/:]+}}");
    let rule = &format!("{feature}/rules/{{rule:[^/:]+}}");
    let variant = &format!("{feature}/variants/{{variant:[^/:]+}}");
    let webhook = "/webhooks/{webhook:[^/:]+}";
    let delivery = &format!("{webhook}/deliveries/{{delivery:[^/:]+}}");
    let gdpr = "/gdpr/requests/{request:[^/:]+}";
    let user = "/users/{user:[^/:]+}";
    let post = uniform::post;
    let get = uniform::get;
    let patch = uniform::patch;
    let put = uniform::put;
    let delete = uniform::delete;

    cfg.app_data(web::Data::new(openapi::Served::default()))
        // Patterns are tried in this order, and dear: what programs change stands first.
        .service(
            resource(&format!("{environment}/features"))
                .route(get().to(admin::features::list_or_evaluate))
                .route(post().to(admin::features::create)),
        )
        .service(
            resource(feature)
                .route(get().to(admin::features::get_or_evaluate))
                .route(patch().to(admin::features::update))
                .route(put().to(admin::features::replace))
                .route(delete().to(admin::features::delete)),
        )
        .service(resource("/openapi.json").route(get().to(openapi::serve)))
        .service(resource("/evaluate").route(post().to(evaluate)))
        .service(resource("/evaluate/batch").route(post().to(evaluate_batch)))
        .service(resource("/evaluate:explain").route(post().to(explain::explain)))
        .service(resource("/analytics/evaluations").route(post().to(client::report_evaluations)))
        .service(resource("/analytics/events").route(post().to(client::report_conversion)))
        .service(resource("/analytics/summary").route(get().to(admin::analytics::summary)))
        .service(resource("/analytics/daily").route(get().to(admin::analytics::daily)))
        .service(resource("/analytics/rules").route(get().to(admin::analytics::rules)))
        .service(resource("/analytics/contexts").route(get().to(admin::analytics::contexts)))
        .service(resource("/analytics/variants").route(get().to(admin::analytics::variants)))
        .service(resource("/analytics/stale").route(get().to(admin::analytics::stale)))
        .service(
            resource(&format!("{site}/analytics"))
                .route(get().to(admin::analytics::get_settings))
                .route(patch().to(admin::analytics::update_settings)),
        )
        .service(resource(&format!("{environment}/ruleset")).route(get().to(client::ruleset)))
        .service(resource(&format!("{environment}/stream")).route(get().to(stream::stream)))
        .service(resource(&format!("{feature}:revert")).route(post().to(admin::features::revert)))
        .service(resource(&format!("{feature}/history")).route(get().to(admin::features::history)))
        .service(
            resource(&format!("{feature}/rules"))
                .route(get().to(admin::rules::list))
                .route(post().to(admin::rules::create)),
        )
        .service(resource(&format!("{feature}/rules:reorder")).route(post().to(admin::rules::reorder)))
        .service(
            resource(rule)
                .route(get().to(admin::rules::get))
                .route(patch().to(admin::rules::update))
                .route(delete().to(admin::rules::delete)),
        )
        .service(
            resource(&format!("{feature}/variants"))
                .route(get().to(admin::variants::list))
                .route(post().to(admin::variants::create)),
        )
        .service(
            resource(variant)
                .route(get().to(admin::variants::get))
                .route(patch().to(admin::variants::update))
                .route(delete().to(admin::variants::delete)),
        )
        .service(
            resource(contexts)
                .route(get().to(contexts::list::list))
                .route(post().to(contexts::stored::create)),
        )
        .service(resource(&format!("{contexts}:lookup")).route(post().to(contexts::lookup::batch)))
        .service(resource(&format!("{contexts}:export")).route(get().to(contexts::documents::export)))
        .service(resource(&format!("{contexts}:import")).route(post().to(contexts::documents::import)))
        .service(
            resource(context)
                .route(get().to(contexts::stored::get))
                .route(put().to(contexts::stored::replace))
                .route(patch().to(contexts::stored::update))
                .route(delete().to(contexts::stored::delete)),
        )
        .service(resource(&format!("{context}/children")).route(get().to(contexts::list::list_children)))
        .service(resource(&format!("{context}/features")).route(get().to(contexts::lookup::all)))
        .service(
            resource(value)
                .route(get().to(contexts::lookup::one))
                .route(put().to(contexts::stored::set_value))
                .route(delete().to(contexts::stored::remove_value)),
        )
        .service(
            resource(&format!("{environment}/tokens"))
                .route(get().to(admin::tokens::list))
                .route(post().to(admin::tokens::create)),
        )
        .service(
            resource(token)
                .route(get().to(admin::tokens::get))
                .route(patch().to(admin::tokens::update))
                .route(delete().to(admin::tokens::delete)),
        )
        .service(resource(&format!("{token}:rotate")).route(post().to(admin::tokens::rotate)))
        .service(
            resource("/webhooks")
                .route(get().to(admin::webhooks::list))
                .route(post().to(admin::webhooks::create)),
        )
        .service(
            resource(webhook)
                .route(get().to(admin::webhooks::get))
                .route(patch().to(admin::webhooks::update))
                .route(delete().to(admin::webhooks::delete)),
        )
        .service(resource(&format!("{webhook}:rotate")).route(post().to(admin::webhooks::rotate)))
        .service(resource(&format!("{webhook}:test")).route(post().to(admin::webhooks::test)))
        .service(resource(&format!("{webhook}/deliveries")).route(get().to(admin::webhooks::deliveries)))
        .service(resource(delivery).route(get().to(admin::webhooks::delivery)))
        .service(resource(&format!("{delivery}:redeliver")).route(post().to(admin::webhooks::redeliver)))
        .service(resource("/audit").route(get().to(admin::audit::list)))
        .service(resource("/audit:verify").route(post().to(admin::audit::check)))
        .service(
            resource("/gdpr/requests")
                .route(get().to(admin::gdpr::list))
                .route(post().to(admin::gdpr::create)),
        )
        .service(resource(gdpr).route(get().to(admin::gdpr::get)).route(delete().to(admin::gdpr::delete)))
        .service(resource(&format!("{gdpr}/download")).route(get().to(admin::gdpr::download)))
        .service(
            resource("/sites").route(get().to(admin::sites::list)).route(post().to(admin::sites::create)),
        )
        .service(
            resource(site)
                .route(get().to(admin::sites::get))
                .route(patch().to(admin::sites::update))
                .route(delete().to(admin::sites::delete)),
        )
        .service(
            resource(&format!("{site}/branding"))
                .route(get().to(admin::branding::get))
                .route(put().to(admin::branding::put)),
        )
        .service(resource(&format!("{site}/owner")).route(put().to(admin::sites::transfer)))
        .service(resource(&format!("{site}/export")).route(get().to(admin::documents::export)))
        .service(resource(&format!("{site}/import")).route(post().to(admin::documents::import)))
        .service(
            resource(&format!("{site}/segments"))
                .route(get().to(admin::segments::list))
                .route(post().to(admin::segments::create)),
        )
        .service(
            resource(segment)
                .route(get().to(admin::segments::get))
                .route(patch().to(admin::segments::update))
                .route(delete().to(admin::segments::delete)),
        )
        .service(
            resource(&format!("{site}/environments"))
                .route(get().to(admin::environments::list))
                .route(post().to(admin::environments::create)),
        )
        .service(resource(&format!("{environment}/compatibility")).route(get().to(admin::compatibility::get)))
        .service(
            resource(environment)
                .route(get().to(admin::environments::get))
                .route(patch().to(admin::environments::update))
                .route(delete().to(admin::environments::delete)),
        )
        .service(
            resource("/users").route(get().to(admin::users::list)).route(post().to(admin::users::create)),
        )
        .service(
            resource(user)
                .route(get().to(admin::users::get))
                .route(patch().to(admin::users::update))
                .route(delete().to(admin::users::delete)),
        )
        .service(resource(&format!("{user}/2fa")).route(delete().to(admin::users::reset_two_factor)))
        .service(resource("/me").route(get().to(admin::me::get)).route(patch().to(admin::me::update)))
        .service(
            resource("/me/tokens")
                .route(get().to(admin::me::list_tokens))
                .route(post().to(admin::me::create_token)),
        )
        .service(resource("/me/tokens/{token:[^/:]+}").route(delete().to(admin::me::delete_token)))
        .service(resource("/me/devices").route(get().to(admin::me::list_devices)))
        .service(resource("/me/devices/{device:[^/:]+}").route(delete().to(admin::me::delete_device)))
        .service(resource("/me/sessions").route(get().to(admin::me::list_sessions)))
        .service(resource("/me/sessions/{session:[^/:]+}").route(delete().to(admin::me::delete_session)));
}
