//! `…/contexts/{context}` and its values, as they are stored.

use actix_web::http::header::{ETAG, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{require_reader, target, writer};
use crate::admin::contexts::{self, ContextChange, NewContext, NewValue, View, WholeContext};
use crate::api::ErrorBody;
use crate::api::request::{Body, Query, none_match, segment};
use crate::api::rest::admin::{block, created};
use crate::api::rest::answers::{ContextRemoves, ContextWrites, StrictReads};
use crate::api::rest::params::{
    ContextFeaturePath, ContextPath, DetachQuery, EnvironmentPath, IfMatch, IfNoneMatch, ReasonQuery,
};
use crate::app::App;
use crate::auth::extract::Credential;
use crate::error::Result;

fn tagged(mut response: HttpResponse, view: &View) -> HttpResponse {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", view.version)) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

/// Make a Context
#[utoipa::path(
    post,
    path = "/sites/{site}/environments/{environment}/contexts",
    operation_id = "createContext",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath),
    request_body = NewContext,
    responses(
        (status = 201, description = "The Context.", body = View, headers(("Location" = String, description = "Where it is."), ("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 409, description = "`context_exists`: there is one of that key. `environment_archived`: the environment is archived.", body = ErrorBody),
        ContextWrites,
    ),
)]
pub async fn create(app: Data<App>, who: Credential, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let actor = writer(who, &req)?;
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let view = block(move || contexts::create(&app, &actor, &site, &environment, body.text()?)).await?;
    Ok(tagged(created(&req, &view.key, &view), &view))
}

/// Read a Context
///
/// Its own values only; what it inherits is under `…/features`.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/contexts/{context}",
    operation_id = "getContext",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath, ContextPath, IfNoneMatch),
    responses(
        (status = 200, description = "The Context.", body = View, headers(("ETag" = String, description = "Its version, for `If-Match` and `If-None-Match`."))),
        (status = 304, description = "It is still the one that `If-None-Match` names."),
        StrictReads,
    ),
)]
pub async fn get(app: Data<App>, who: Credential, req: HttpRequest) -> Result<HttpResponse> {
    require_reader(&who, &req)?;
    Query::only(&req, &[])?;
    let at = target(&req)?;
    let view =
        block(move || app.read_consistent(|conn| contexts::get(conn, &at.site, &at.environment, &at.key)))
            .await?;
    if none_match(req.headers(), &format!("\"{}\"", view.version)) {
        return Ok(tagged(HttpResponse::NotModified().finish(), &view));
    }
    Ok(tagged(HttpResponse::Ok().json(&view), &view))
}

/// Make or replace a Context
///
/// Whole: values that are not named go. `prototypes` and `features` must both be given.
#[utoipa::path(
    put,
    path = "/sites/{site}/environments/{environment}/contexts/{context}",
    operation_id = "replaceContext",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath, ContextPath, IfMatch),
    request_body = WholeContext,
    responses(
        (status = 200, description = "The Context as it is now.", body = View, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 201, description = "The Context, which is new.", body = View, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 409, description = "`locked`: a value of `default` belongs to a locked feature. `environment_archived`: the environment is archived.", body = ErrorBody),
        ContextWrites,
    ),
)]
pub async fn replace(app: Data<App>, who: Credential, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let actor = writer(who, &req)?;
    let at = target(&req)?;
    let (view, made) = block(move || contexts::replace(&app, &actor, &at, body.text()?)).await?;
    let mut response = if made { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(tagged(response.json(&view), &view))
}

/// Change a Context
///
/// `prototypes` replaces the list; `features` sets what it names, and `null` removes a value.
#[utoipa::path(
    patch,
    path = "/sites/{site}/environments/{environment}/contexts/{context}",
    operation_id = "updateContext",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath, ContextPath, IfMatch),
    request_body = ContextChange,
    responses(
        (status = 200, description = "The Context as it is now.", body = View, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 409, description = "`locked`: a value of `default` belongs to a locked feature. `environment_archived`: the environment is archived.", body = ErrorBody),
        ContextWrites,
    ),
)]
pub async fn update(app: Data<App>, who: Credential, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let actor = writer(who, &req)?;
    let at = target(&req)?;
    let view = block(move || contexts::update(&app, &actor, &at, body.text()?)).await?;
    Ok(tagged(HttpResponse::Ok().json(&view), &view))
}

/// Delete a Context
///
/// Refused while others inherit from it, unless `detach` takes it out of their lists in the same step.
#[utoipa::path(
    delete,
    path = "/sites/{site}/environments/{environment}/contexts/{context}",
    operation_id = "deleteContext",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath, ContextPath, DetachQuery, IfMatch),
    responses(
        (status = 204, description = "The Context is gone."),
        (status = 409, description = "`context_in_use`: others inherit from it; `details` names up to 20 and their number. `reserved_context`: `default` and `override` are always there. `environment_archived`: the environment is archived.", body = ErrorBody),
        ContextRemoves,
    ),
)]
pub async fn delete(app: Data<App>, who: Credential, req: HttpRequest) -> Result<HttpResponse> {
    let actor = writer(who, &req)?;
    let detach = Query::only(&req, &["detach"])?.flag("detach")?;
    let at = target(&req)?;
    block(move || contexts::delete(&app, &actor, &at, detach)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Set a value of a Context
#[utoipa::path(
    put,
    path = "/sites/{site}/environments/{environment}/contexts/{context}/features/{feature}",
    operation_id = "setContextValue",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath, ContextPath, ContextFeaturePath, IfMatch),
    request_body = NewValue,
    responses(
        (status = 200, description = "The Context as it is now.", body = View, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 409, description = "`locked`: the feature is locked, and so is its value in `default`. `environment_archived`: the environment is archived.", body = ErrorBody),
        ContextWrites,
    ),
)]
pub async fn set_value(
    app: Data<App>,
    who: Credential,
    req: HttpRequest,
    body: Body,
) -> Result<HttpResponse> {
    let actor = writer(who, &req)?;
    let (at, feature) = (target(&req)?, segment(&req, "feature")?);
    let view = block(move || contexts::set_value(&app, &actor, &at, &feature, body.text()?)).await?;
    Ok(tagged(HttpResponse::Ok().json(&view), &view))
}

/// Remove a value of a Context
///
/// From then on it is inherited. That there was none is fine.
#[utoipa::path(
    delete,
    path = "/sites/{site}/environments/{environment}/contexts/{context}/features/{feature}",
    operation_id = "removeContextValue",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath, ContextPath, ContextFeaturePath, ReasonQuery, IfMatch),
    responses(
        (status = 204, description = "The Context has no value of its own for the feature."),
        (status = 409, description = "`locked`: the feature is locked, and so is its value in `default`. `environment_archived`: the environment is archived.", body = ErrorBody),
        ContextRemoves,
    ),
)]
pub async fn remove_value(app: Data<App>, who: Credential, req: HttpRequest) -> Result<HttpResponse> {
    let actor = writer(who, &req)?;
    let reason = Query::only(&req, &["reason"])?.get("reason").unwrap_or_default().to_owned();
    let (at, feature) = (target(&req)?, segment(&req, "feature")?);
    block(move || contexts::remove_value(&app, &actor, &at, &feature, &reason)).await?;
    Ok(HttpResponse::NoContent().finish())
}
