//! The Flagr door (spec: flagr.md; Flagr API 1.2.3), under `/flagr/api/v1` with a bearer token and under
//! `/flagr/{token}/api/v1` for programs that set no headers. Evaluation takes any token of the environment,
//! management one with `FLAGR_ADMIN`.
//!
//! Known deviations, each within what the specification leaves open: a flag has at most 50 tags; variant keys are unique in a flag; an empty key in `PUT /flags/{id}` is refused; a
//! change that changes nothing makes no snapshot; what belongs to a missing flag is 404 where Flagr says 500;
//! `Accept` is not looked at.

pub mod cors;
mod debug;
mod evaluation;
mod export;
mod exposures;
mod flags;
pub mod injected;
mod parts;
mod request;
pub mod wire;

use actix_web::dev::{Payload, RequestHead};
use actix_web::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, HttpResponse, Resource, ResponseError, Route};
use serde::Serialize;
use serde_json::json;
use std::future::{Ready, ready};

use crate::admin::flagr::{MISSING, WRONG};
use crate::api::direct::{Hot, answer};
use crate::app::{Actor, App};
use crate::auth::extract::{ClientKey, address, bearer, client_key};
use crate::blocking::block;
use crate::engine::permission::Role;
use crate::engine::snapshot::Status;
use crate::error::{Error, Result as OurResult};
use crate::store::changes::ActorKind;
use crate::uniform;
use injected::Injected;
use request::Sent;

/// The permission that management needs.
const PERMISSION: &str = "FLAGR_ADMIN";

/// How an error looks here: a status, and `{"code"?, "message"}` (flagr.md §1). Only what Flagr's framework
/// refuses has a code.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    code: Option<u16>,
    message: String,
    /// What it was made from, for its headers.
    error: Option<Error>,
}

impl Failure {
    /// Raised where Flagr's handlers do.
    fn handler(status: u16, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Self { status, code: None, message: message.into(), error: None }
    }

    /// Raised where Flagr's framework does; `code` is finer than the status.
    fn framework(status: u16, code: u16, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::handler(status, message) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = error.status();
        match &error {
            Error::BadRequest(code, text) if *code == MISSING => Self::handler(404, text),
            Error::BadRequest(code, text) if *code == WRONG => Self::handler(400, text),
            Error::NotFound(_) => Self::handler(404, "record not found"),
            Error::Conflict(code, text, _) if *code != "environment_archived" => Self::handler(400, text),
            Error::Conflict(_, text, _) => Self::handler(410, text),
            Error::Invalid(_) | Error::UnknownField(_) => Self::handler(400, error.explain()),
            _ => Self { status, code: Some(status.as_u16()), message: error.to_string(), error: Some(error) },
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let body = match self.code {
            Some(code) => json!({ "code": code, "message": self.message }),
            None => json!({ "message": self.message }),
        };
        let mut response = HttpResponse::build(self.status).json(body);
        if let Some(error) = &self.error {
            // Logs what is ours to mend, and knows when to try again.
            let native = error.error_response();
            for (name, value) in native.headers() {
                if name != CONTENT_TYPE && name != CONTENT_LENGTH {
                    response.headers_mut().insert(name.clone(), value.clone());
                }
            }
        }
        response
    }
}

pub use evaluation::console;

type Result<T = HttpResponse> = std::result::Result<T, Failure>;

/// A 200 with JSON.
fn ok<T: Serialize>(value: &T) -> Result {
    Ok(HttpResponse::Ok().json(value))
}

/// A 200 with nothing, as deletes are answered.
fn done() -> Result {
    Ok(HttpResponse::Ok().finish())
}

/// Any token of the environment, from the header or the path, and what the server adds to contexts.
pub struct Door(ClientKey, Option<Injected>);

fn key(app: &App, head: &RequestHead, in_path: Option<&str>) -> OurResult<ClientKey> {
    let secret = in_path.or_else(|| bearer(&head.headers));
    let secret = secret.ok_or(Error::Unauthenticated("send Authorization: Bearer with a token"))?;
    client_key(app, head, secret)
}

impl Door {
    fn of(app: &App, head: &RequestHead, in_path: Option<&str>) -> Result<Self> {
        let key = key(app, head, in_path)?;
        let listed = app.config.flagr_injected.as_ref();
        Ok(Self(key, listed.map(|listed| Injected::of(listed, &head.headers, app.now()))))
    }
}

fn application(req: &HttpRequest) -> OurResult<&Data<App>> {
    req.app_data::<Data<App>>().ok_or_else(|| Error::internal("no application"))
}

impl FromRequest for Door {
    type Error = Failure;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = application(req).map_err(Failure::from);
        ready(app.and_then(|app| Self::of(app, req.head(), req.match_info().get("token"))))
    }
}

/// A token that may manage flags, and the application.
pub struct Manager {
    app: Data<App>,
    key: ClientKey,
    actor: Actor,
}

fn manager(req: &HttpRequest) -> OurResult<Manager> {
    let app = application(req)?.clone();
    let key = key(&app, req.head(), req.match_info().get("token"))?;
    let token = &key.token;
    if !token.permissions.iter().any(|have| have == PERMISSION) {
        return Err(Error::Forbidden("this needs a token with the permission FLAGR_ADMIN"));
    }
    if token.environment.snapshot().info.status == Status::Archived {
        return Err(Error::Archived);
    }
    let actor = Actor {
        kind: ActorKind::Token,
        id: Some(token.uuid.clone()),
        user: None,
        name: token.description.clone(),
        role: Role::Editor,
        address: address(req.head(), &app).map(|address| address.to_string()),
    };
    Ok(Manager { app, key, actor })
}

impl FromRequest for Manager {
    type Error = Failure;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(manager(req).map_err(Failure::from))
    }
}

impl Manager {
    fn environment(&self) -> crate::ids::EnvironmentId {
        self.key.token.environment.id
    }

    /// Runs what touches the database on a thread where that may take its time.
    async fn run<T: Send + 'static>(
        &self,
        f: impl FnOnce(&App, &Actor, crate::ids::EnvironmentId) -> OurResult<T> + Send + 'static,
    ) -> Result<T> {
        let (app, actor, environment) = (self.app.clone(), self.actor.clone(), self.environment());
        block(move || f(&app, &actor, environment)).await.map_err(Failure::from)
    }
}

/// The path without what names the door and the token: `/api/v1/flags`.
fn inner_path(req: &HttpRequest) -> &str {
    let path = req.path();
    path.find("/api/v1").map_or(path, |at| &path[at..])
}

async fn not_found(req: HttpRequest) -> Result {
    Err(Failure::framework(404, 404, format!("path {} was not found", inner_path(&req))))
}

/// A path and what it answers; other methods are 405 with `Allow`.
fn at(path: &str, routes: Vec<(Method, Route)>) -> Resource {
    let allowed: Vec<String> = routes.iter().map(|(method, _)| method.to_string()).collect();
    let allowed = allowed.join(",");
    let mut resource = web::resource(path);
    for (method, route) in routes {
        resource = resource.route(route.method(method));
    }
    resource.default_service(web::to(move |req: HttpRequest| {
        let message = format!("method {} is not allowed, but [{allowed}] are", req.method());
        let mut response = Failure::framework(405, 405, message).error_response();
        if let Ok(value) = allowed.parse() {
            response.headers_mut().insert(ALLOW, value);
        }
        ready(response)
    }))
}

/// The routes that clients ask all the time, see [`crate::api::direct`].
pub fn hot(head: &RequestHead, path: &str) -> Option<Hot> {
    let rest = path.strip_prefix("/flagr/")?;
    if head.method != Method::POST || rest.contains('%') {
        return None;
    }
    match within(rest).1 {
        "evaluation" => Some(|app, request| {
            answer(app, request, async |app, head, payload| {
                let door = Door::of(app, head, in_path(head))?;
                evaluation::post_one(app, &door, &Sent::of(head, payload).await?)
            })
        }),
        "evaluation/batch" => Some(|app, request| {
            answer(app, request, async |app, head, payload| {
                let door = Door::of(app, head, in_path(head))?;
                evaluation::post_batch(app, &door, &Sent::of(head, payload).await?)
            })
        }),
        _ => None,
    }
}

/// The token in what stands behind `/flagr/`, and what is asked for, below `api/v1/`; empty where it is none of ours.
fn within(rest: &str) -> (Option<&str>, &str) {
    match rest.strip_prefix("api/v1/") {
        Some(inner) => (None, inner),
        None => match rest.split_once("/api/v1/") {
            Some((token, inner)) if !token.contains('/') => (Some(token), inner),
            _ => (None, ""),
        },
    }
}

/// The token in the path of a hot route.
fn in_path(head: &RequestHead) -> Option<&str> {
    within(head.uri.path().strip_prefix("/flagr/")?).0
}

/// Every route of the door; fixed names come before the ids whose place they take.
pub fn routes(cfg: &mut ServiceConfig) {
    // The other way round, `api` would be taken for a token.
    for scope in ["/flagr/api/v1", "/flagr/{token}/api/v1"] {
        cfg.service(web::scope(scope).configure(scoped).default_service(web::to(not_found)));
    }
    cfg.service(web::scope("/flagr").default_service(web::to(not_found)));
}

fn scoped(cfg: &mut ServiceConfig) {
    let get = |route: Route| (Method::GET, route);
    let post = |route: Route| (Method::POST, route);
    let put = |route: Route| (Method::PUT, route);
    let delete = |route: Route| (Method::DELETE, route);
    macro_rules! to {
        ($handler:path) => {
            uniform::any().to($handler)
        };
    }
    // Where something of the path is encoded; else `hot` answers.
    let post_one = async |app: Data<App>, door, body| evaluation::post_one(&app, &door, &body);
    let post_batch = async |app: Data<App>, door, body| evaluation::post_batch(&app, &door, &body);
    cfg.service(at("/health", vec![get(to!(evaluation::health))]))
        .service(at("/evaluation", vec![get(to!(evaluation::get_one)), post(uniform::any().to(post_one))]))
        .service(at(
            "/evaluation/batch",
            vec![get(to!(evaluation::get_batch)), post(uniform::any().to(post_batch))],
        ))
        .service(at("/exposures", vec![post(to!(exposures::post))]))
        .service(at("/export/sqlite", vec![get(to!(export::sqlite))]))
        .service(at("/export/eval_cache/json", vec![get(to!(export::eval_cache))]))
        .service(at("/tags", vec![get(to!(parts::all_tags))]))
        .service(at("/flags", vec![get(to!(flags::list)), post(to!(flags::create))]))
        .service(at("/flags/entity_types", vec![get(to!(flags::entity_types))]))
        .service(at("/flags/snapshots/max_id", vec![get(to!(flags::max_snapshot))]))
        .service(at(
            "/flags/{flagID}",
            vec![get(to!(flags::find)), put(to!(flags::update)), delete(to!(flags::delete))],
        ))
        .service(at("/flags/{flagID}/enabled", vec![put(to!(flags::set_enabled))]))
        .service(at("/flags/{flagID}/restore", vec![put(to!(flags::restore))]))
        .service(at("/flags/{flagID}/duplicate", vec![post(to!(flags::duplicate))]))
        .service(at("/flags/{flagID}/snapshots", vec![get(to!(flags::snapshots))]))
        .service(at("/flags/{flagID}/tags", vec![get(to!(parts::tags)), post(to!(parts::create_tag))]))
        .service(at("/flags/{flagID}/tags/{tagID}", vec![delete(to!(parts::delete_tag))]))
        .service(at(
            "/flags/{flagID}/variants",
            vec![get(to!(parts::variants)), post(to!(parts::create_variant))],
        ))
        .service(at(
            "/flags/{flagID}/variants/{variantID}",
            vec![put(to!(parts::update_variant)), delete(to!(parts::delete_variant))],
        ))
        .service(at(
            "/flags/{flagID}/segments",
            vec![get(to!(parts::segments)), post(to!(parts::create_segment))],
        ))
        .service(at("/flags/{flagID}/segments/reorder", vec![put(to!(parts::reorder_segments))]))
        .service(at(
            "/flags/{flagID}/segments/{segmentID}",
            vec![put(to!(parts::update_segment)), delete(to!(parts::delete_segment))],
        ))
        .service(at(
            "/flags/{flagID}/segments/{segmentID}/constraints",
            vec![get(to!(parts::constraints)), post(to!(parts::create_constraint))],
        ))
        .service(at(
            "/flags/{flagID}/segments/{segmentID}/constraints/{constraintID}",
            vec![put(to!(parts::update_constraint)), delete(to!(parts::delete_constraint))],
        ))
        .service(at(
            "/flags/{flagID}/segments/{segmentID}/distributions",
            vec![get(to!(parts::distributions)), put(to!(parts::put_distributions))],
        ));
}
