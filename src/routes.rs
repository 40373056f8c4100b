//! One screen: which path is served by which folder, and what happens around every request.

use std::time::Instant;

use actix_service::IntoServiceFactory;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{RequestHead, Response, ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::http::{StatusCode, Uri};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App as ActixApp, HttpRequest, HttpResponse, ResponseError};

use crate::api::direct::{Front, Hot, Routes, conclude};
use crate::api::request::path;
use crate::api::{cors, featurehub, featuresd, flagr, ofrep, plain, rest};
use crate::app::App;
use crate::error::Error;
use crate::ui;
use crate::uniform;

/// The routes that programs ask all the time, see `api::direct`.
fn hot(head: &RequestHead) -> Option<Hot> {
    let path = head.uri.path();
    rest::hot(head, path)
        .or_else(|| ofrep::hot(head, path))
        .or_else(|| featurehub::hot(head, path))
        .or_else(|| flagr::hot(head, path))
        .or_else(|| plain::hot(head, path))
}

/// Everything the server answers, for one thread.
pub fn service(app: Data<App>) -> impl Routes<Response<BoxBody>> {
    let others = |app| ActixApp::new().app_data(app).configure(configure).into_factory();
    Front { app, find: hot, others }
}

/// Every other route of the server.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(web::scope("").wrap(from_fn(around)).configure(layered));
}

fn layered(cfg: &mut ServiceConfig) {
    // What is asked most stands first: patterns are tried in this order.
    cfg.route("/healthz", uniform::get().to(plain::healthz))
        .route("/readyz", uniform::get().to(plain::readyz))
        .route("/metrics", uniform::get().to(plain::metrics))
        .route("/feature-config.js", uniform::get().to(plain::client))
        .route("/feature-config.min.js", uniform::get().to(plain::client_min))
        .route("/feature-config.d.ts", uniform::get().to(plain::client_types))
        .service(web::scope("/api/v1").configure(rest::routes))
        .service(web::scope("/ofrep/v1").configure(ofrep::routes))
        .configure(featuresd::routes)
        .configure(flagr::routes)
        .configure(ui::routes)
        .configure(featurehub::routes)
        .default_service(web::to(not_found));
}

async fn not_found(req: HttpRequest) -> Result<HttpResponse, Error> {
    Err(Error::NotFound(format!("the path {}", path(&req))))
}

/// Around every request: preflights, metrics, a log line, CORS, and JSON for errors that the framework made.
async fn around<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let started = Instant::now();
    let Some(app) = req.app_data::<Data<App>>().cloned() else {
        return Err(Error::internal("the application is not attached").into());
    };
    if let Some(response) = cors::preflight(req.request(), &app.config.allowed_origins) {
        return Ok(req.into_response(response));
    }
    protect_colons(&mut req);
    let response = match next.call(req).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => return Err(error),
    };
    let (request, mut response) = dress_error(response).into_parts();
    conclude(&app, request.head(), &mut response, started);
    Ok(ServiceResponse::new(request, response))
}

/// An encoded colon is part of a name, a bare one starts an action (native-api "Feature"). The router decodes
/// before it matches, so the encoded one is encoded once more; `request::segment` undoes it.
fn protect_colons(req: &mut ServiceRequest) {
    let path = req.uri().path();
    if !path.contains('%') || !(path.contains("%3A") || path.contains("%3a")) {
        return;
    }
    let path = path.replace("%3A", "%253A").replace("%3a", "%253A");
    let query = req.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = format!("{path}{query}").parse::<Uri>() {
        req.match_info_mut().get_mut().update(&uri);
        req.head_mut().uri = uri;
    }
}

/// Errors of the framework (no route for a method, a bad query) get the API's shape.
fn dress_error(response: ServiceResponse) -> ServiceResponse {
    if response.request().path().starts_with("/features") {
        // The FeatureHub door has words of its own.
        return response;
    }
    let plain =
        response.headers().get(CONTENT_TYPE).is_none_or(|value| value.as_bytes().starts_with(b"text/plain"));
    let error = match response.status() {
        StatusCode::NOT_FOUND if plain => Error::NotFound("this path".into()),
        StatusCode::METHOD_NOT_ALLOWED if plain => Error::MethodNotAllowed,
        StatusCode::BAD_REQUEST if plain => {
            Error::BadRequest("bad_request", "the request cannot be read".into())
        }
        _ => return response,
    };
    let (request, _) = response.into_parts();
    ServiceResponse::new(request, error.error_response())
}
