//! `…/contexts:export` and `…/contexts:import`.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::admin::contexts::document::{self, Shape};
use crate::admin::documents::Plan;
use crate::api::ErrorBody;
use crate::api::request::{AnyBody, Body, Query, segment};
use crate::api::rest::admin::block;
use crate::api::rest::admin::documents::{answer_as, header, read_mode, to_json};
use crate::api::rest::answers::{StrictReads, Writes};
use crate::api::rest::params::{EnvironmentPath, ImportQuery};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::error::Result;

/// Export all Contexts
///
/// One document, for keeping them in git: `default` and `override` too, and the types of the features. In a stable
/// order; importing it again changes nothing.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/contexts:export",
    operation_id = "exportContexts",
    tag = "Contexts",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath),
    responses(
        (status = 200, description = "The document: JSON, or YAML where `Accept` asks for it.", content(
            (Shape = "application/json"),
            (Shape = "application/yaml"),
        )),
        StrictReads,
    ),
)]
pub async fn export(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    Query::only(&req, &[])?;
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    answer_as(&req, move || document::export(&app, &caller.0, &site, &environment)).await
}

/// Import Contexts
///
/// Makes and updates what the document names; `mode=replace` also deletes the other ordinary Contexts. Features that do
/// not exist are made, none is deleted. One transaction: with any problem nothing is applied, and all are told.
#[utoipa::path(
    post,
    path = "/sites/{site}/environments/{environment}/contexts:import",
    operation_id = "importContexts",
    tag = "Contexts",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath, ImportQuery),
    request_body(content(
        (Shape = "application/json"),
        (Shape = "application/yaml"),
    )),
    responses(
        (status = 200, description = "What was done, or would be.", body = Plan),
        (status = 409, description = "`locked`: a locked feature would get another default. `environment_archived`: the environment is archived.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn import(app: Data<App>, caller: Caller, req: HttpRequest, body: AnyBody) -> Result<HttpResponse> {
    let query = Query::only(&req, &["dryRun", "mode"])?;
    let (dry_run, mode) = (query.flag("dryRun")?, read_mode(&query)?);
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let content_type = header(&req, CONTENT_TYPE).to_owned();
    let plan = block(move || {
        let document = document::read(&to_json(&content_type, &Body(body.0))?)?;
        document::import(&app, &caller.0, &site, &environment, &document, mode, dry_run)
    })
    .await?;
    Ok(HttpResponse::Ok().json(plan))
}
