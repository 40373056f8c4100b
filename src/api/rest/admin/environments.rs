//! `/sites/{site}/environments`, `…/{environment}`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created};
use crate::admin::environments::{self, EnvironmentChange, NewEnvironment, View};
use crate::admin::scope;
use crate::api::ErrorBody;
use crate::api::request::{Body, Page, Query, segment};
use crate::api::rest::answers::{Reads, Removes, Searches, Writes};
use crate::api::rest::params::{EnvironmentPath, PageQuery, SitePath};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::error::Result;
use crate::store;

/// List environments
///
/// All of a site, in the order they were made.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments",
    operation_id = "listEnvironments",
    tag = "Environments",
    security(("personalAccessToken" = [])),
    params(SitePath, PageQuery),
    responses(
        (status = 200, description = "A page of environments.", body = Page<View>),
        Searches,
    ),
)]
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let query = Query::only(&req, &["limit", "cursor"])?;
    let site = segment(&req, "site")?;
    let rows =
        block(move || app.read(|conn| store::environments::list(conn, store::sites::find(conn, &site)?.id)))
            .await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, &query, |row| row.id.0, |row| View::from(&row))?))
}

/// Make an environment
///
/// Empty, and independent of the others of its site.
#[utoipa::path(
    post,
    path = "/sites/{site}/environments",
    operation_id = "createEnvironment",
    tag = "Environments",
    security(("personalAccessToken" = [])),
    params(SitePath),
    request_body = NewEnvironment,
    responses(
        (status = 201, description = "The environment.", body = View, headers(("Location" = String, description = "Where it is."))),
        (status = 409, description = "`name_taken`: the site has one of that name. `limit_reached`: it has as many as it may.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    let environment = block(move || environments::create(&app, &caller.0, &site, body.text()?)).await?;
    Ok(created(&req, &environment.name, &View::from(&environment)))
}

/// Read an environment
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}",
    operation_id = "getEnvironment",
    tag = "Environments",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath),
    responses(
        (status = 200, description = "The environment.", body = View),
        Reads,
    ),
)]
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let environment = block(move || app.read(|conn| Ok(scope(conn, &site, &environment)?.1))).await?;
    Ok(HttpResponse::Ok().json(View::from(&environment)))
}

/// Change an environment
///
/// `active` serves; `maintenance` answers evaluation with 503 while editing still works; `archived` answers
/// 410 and is read-only until made active again.
#[utoipa::path(
    patch,
    path = "/sites/{site}/environments/{environment}",
    operation_id = "updateEnvironment",
    tag = "Environments",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath),
    request_body = EnvironmentChange,
    responses(
        (status = 200, description = "The environment as it is now.", body = View),
        (status = 409, description = "`name_taken`: the site has one of that name. `environment_archived`: the environment is archived, and takes nothing but a new status.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let environment =
        block(move || environments::update(&app, &caller.0, &site, &environment, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::from(&environment)))
}

/// Delete an environment
///
/// With everything in it: features, stored Contexts, tokens.
#[utoipa::path(
    delete,
    path = "/sites/{site}/environments/{environment}",
    operation_id = "deleteEnvironment",
    tag = "Environments",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath),
    responses(
        (status = 204, description = "The environment is gone."),
        Removes,
    ),
)]
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    block(move || environments::delete(&app, &caller.0, &site, &environment)).await?;
    Ok(HttpResponse::NoContent().finish())
}
