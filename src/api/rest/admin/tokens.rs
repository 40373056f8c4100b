//! `…/tokens`, `…/tokens/{token}`, `…/tokens/{token}:rotate`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created};
use crate::admin::scope;
use crate::admin::tokens::{self, Created, NewToken, Rotation, TokenChange, View};
use crate::api::ErrorBody;
use crate::api::request::{Body, Page, Query, segment};
use crate::api::rest::answers::{Reads, Removes, Searches, Writes};
use crate::api::rest::params::{EnvironmentPath, PageQuery, TokenPath};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::error::Result;
use crate::store;

/// List tokens
///
/// Those of an environment, newest first. Secrets are never shown again.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/tokens",
    operation_id = "listTokens",
    tag = "Tokens",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath, PageQuery),
    responses(
        (status = 200, description = "A page of tokens.", body = Page<View>),
        Searches,
    ),
)]
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let query = Query::only(&req, &["limit", "cursor"])?;
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let rows =
        block(move || app.read(|conn| store::tokens::list(conn, scope(conn, &site, &environment)?.1.id)))
            .await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, &query, |row| -row.id.0, |row| View::from(&row))?))
}

/// Make a token
///
/// The answer shows the secret in both spellings, once: `token` for every door but FeatureHub's,
/// `featurehubKey` for that one.
#[utoipa::path(
    post,
    path = "/sites/{site}/environments/{environment}/tokens",
    operation_id = "createToken",
    tag = "Tokens",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath),
    request_body = NewToken,
    responses(
        (status = 201, description = "The token with its secret, which is shown this once.", body = Created, headers(("Location" = String, description = "Where it is."))),
        (status = 409, description = "`environment_archived`: the environment is archived.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let token = block(move || tokens::create(&app, &caller.0, &site, &environment, body.text()?)).await?;
    Ok(created(&req, &token.view.id, &token))
}

/// Read a token
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/tokens/{token}",
    operation_id = "getToken",
    tag = "Tokens",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath, TokenPath),
    responses(
        (status = 200, description = "The token, without its secret.", body = View),
        Reads,
    ),
)]
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

/// Change a token
///
/// Its kind is fixed once made.
#[utoipa::path(
    patch,
    path = "/sites/{site}/environments/{environment}/tokens/{token}",
    operation_id = "updateToken",
    tag = "Tokens",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath, TokenPath),
    request_body = TokenChange,
    responses(
        (status = 200, description = "The token as it is now.", body = View),
        (status = 409, description = "`environment_archived`: the environment is archived.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, environment, id) =
        (segment(&req, "site")?, segment(&req, "environment")?, segment(&req, "token")?);
    let token =
        block(move || tokens::update(&app, &caller.0, &site, &environment, &id, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::from(&token)))
}

/// Revoke a token
///
/// At once, in both spellings, for open streams too.
#[utoipa::path(
    delete,
    path = "/sites/{site}/environments/{environment}/tokens/{token}",
    operation_id = "deleteToken",
    tag = "Tokens",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath, TokenPath),
    responses(
        (status = 204, description = "The token is revoked."),
        Removes,
    ),
)]
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let (site, environment, id) =
        (segment(&req, "site")?, segment(&req, "environment")?, segment(&req, "token")?);
    block(move || tokens::delete(&app, &caller.0, &site, &environment, &id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Rotate a token
///
/// Gives it a new secret. The old one works for `graceSeconds` more, so that programs can be changed one by
/// one. The body may be left out.
#[utoipa::path(
    post,
    path = "/sites/{site}/environments/{environment}/tokens/{token}:rotate",
    operation_id = "rotateToken",
    tag = "Tokens",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath, TokenPath),
    request_body = Option<Rotation>,
    responses(
        (status = 200, description = "The token with its new secret, which is shown this once.", body = Created),
        (status = 409, description = "`environment_archived`: the environment is archived.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn rotate(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, environment, id) =
        (segment(&req, "site")?, segment(&req, "environment")?, segment(&req, "token")?);
    let token =
        block(move || tokens::rotate(&app, &caller.0, &site, &environment, &id, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(&token))
}
