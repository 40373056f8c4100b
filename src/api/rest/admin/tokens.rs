//! `…/tokens`, `…/tokens/{token}`, `…/tokens/{token}:rotate`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created};
use crate::admin::scope;
use crate::admin::tokens::{self, View};
use crate::api::request::{Body, Page, Query, segment};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::error::Result;
use crate::store;

/// `GET …/tokens`: those of an environment, newest first. Secrets are never shown again.
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let query = Query::only(&req, &["limit", "cursor"])?;
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let rows =
        block(move || app.read(|conn| store::tokens::list(conn, scope(conn, &site, &environment)?.1.id)))
            .await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, &query, |row| -row.id.0, |row| View::from(&row))?))
}

/// `POST …/tokens`: 201 with `token` and `featurehubKey`, once.
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let token = block(move || tokens::create(&app, &caller.0, &site, &environment, body.text()?)).await?;
    Ok(created(&req, &token.view.id, &token))
}

/// `GET …/tokens/{token}`.
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let (site, environment, id) =
        (segment(&req, "site")?, segment(&req, "environment")?, segment(&req, "token")?);
    let token = block(move || {
        app.read(|conn| store::tokens::find(conn, scope(conn, &site, &environment)?.1.id, &id))
    })
    .await?;
    Ok(HttpResponse::Ok().json(View::from(&token)))
}

/// `PATCH …/tokens/{token}`: description, permissions, expiresAt, rateLimit.
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, environment, id) =
        (segment(&req, "site")?, segment(&req, "environment")?, segment(&req, "token")?);
    let token =
        block(move || tokens::update(&app, &caller.0, &site, &environment, &id, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::from(&token)))
}

/// `DELETE …/tokens/{token}`: revoked at once.
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let (site, environment, id) =
        (segment(&req, "site")?, segment(&req, "environment")?, segment(&req, "token")?);
    block(move || tokens::delete(&app, &caller.0, &site, &environment, &id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST …/tokens/{token}:rotate`: a new secret; the old one works for `graceSeconds` more.
pub async fn rotate(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, environment, id) =
        (segment(&req, "site")?, segment(&req, "environment")?, segment(&req, "token")?);
    let token =
        block(move || tokens::rotate(&app, &caller.0, &site, &environment, &id, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(&token))
}
