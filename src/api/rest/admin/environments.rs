//! `/sites/{site}/environments`, `…/{environment}`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created};
use crate::admin::environments::{self, View};
use crate::admin::scope;
use crate::api::request::{Body, Page, Query, segment};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::error::Result;
use crate::store;

/// `GET …/environments`: all of a site, in the order they were made.
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let query = Query::only(&req, &["limit", "cursor"])?;
    let site = segment(&req, "site")?;
    let rows =
        block(move || app.read(|conn| store::environments::list(conn, store::sites::find(conn, &site)?.id)))
            .await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, &query, |row| row.id.0, |row| View::from(&row))?))
}

/// `POST …/environments`.
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    let environment = block(move || environments::create(&app, &caller.0, &site, body.text()?)).await?;
    Ok(created(&req, &environment.name, &View::from(&environment)))
}

/// `GET …/environments/{environment}`.
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let environment = block(move || app.read(|conn| Ok(scope(conn, &site, &environment)?.1))).await?;
    Ok(HttpResponse::Ok().json(View::from(&environment)))
}

/// `PATCH …/environments/{environment}`: name, description, tags, status, userIdIsContextKey.
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let environment =
        block(move || environments::update(&app, &caller.0, &site, &environment, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::from(&environment)))
}

/// `DELETE …/environments/{environment}`: with everything in it.
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    block(move || environments::delete(&app, &caller.0, &site, &environment)).await?;
    Ok(HttpResponse::NoContent().finish())
}
