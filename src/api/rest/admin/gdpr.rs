//! `/gdpr/requests`, `/gdpr/requests/{request}`, `…/download`.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created};
use crate::admin::gdpr::{self, NewRequest, View};
use crate::api::ErrorBody;
use crate::api::request::{Body, Page, Query, segment};
use crate::api::rest::answers::{Reads, Removes, Searches, Writes};
use crate::api::rest::params::{GdprPath, PageQuery};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::error::Result;
use crate::store;
use crate::store::gdpr::Request;

/// List GDPR requests
///
/// Newest first. For administrators.
#[utoipa::path(
    get,
    path = "/gdpr/requests",
    operation_id = "listGdprRequests",
    tag = "GDPR",
    security(("personalAccessToken" = [])),
    params(PageQuery),
    responses(
        (status = 200, description = "A page of requests.", body = Page<View>),
        Searches,
    ),
)]
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Administer)?;
    let query = Query::only(&req, &["limit", "cursor"])?;
    let rows = block(move || app.read(|conn| store::gdpr::list(conn, None))).await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, &query, |row| -row.id, |row| View::from(&row))?))
}

/// Make a GDPR request
///
/// A job does it at once: `access` and `portability` collect the person's data into a sealed file, `erasure` makes
/// them unrecognisable everywhere, which cannot be taken back. The person is mailed.
#[utoipa::path(
    post,
    path = "/gdpr/requests",
    operation_id = "createGdprRequest",
    tag = "GDPR",
    security(("personalAccessToken" = [])),
    request_body = NewRequest,
    responses(
        (status = 201, description = "The request, to be done.", body = View, headers(("Location" = String, description = "Where it is."))),
        (status = 409, description = "`last_admin`: the last administrator cannot be erased. `own_account`: nor can one erase oneself.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let request = block(move || gdpr::create(&app, &caller.0, body.text()?)).await?;
    Ok(created(&req, &request.uuid, &View::from(&request)))
}

/// Read a GDPR request
#[utoipa::path(
    get,
    path = "/gdpr/requests/{request}",
    operation_id = "getGdprRequest",
    tag = "GDPR",
    security(("personalAccessToken" = [])),
    params(GdprPath),
    responses(
        (status = 200, description = "The request.", body = View),
        Reads,
    ),
)]
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Administer)?;
    let id = segment(&req, "request")?;
    let request = block(move || app.read(|conn| store::gdpr::find(conn, &id))).await?;
    Ok(HttpResponse::Ok().json(View::from(&request)))
}

/// Delete a GDPR request
///
/// With its file. What was erased stays erased.
#[utoipa::path(
    delete,
    path = "/gdpr/requests/{request}",
    operation_id = "deleteGdprRequest",
    tag = "GDPR",
    security(("personalAccessToken" = [])),
    params(GdprPath),
    responses(
        (status = 204, description = "The request is gone."),
        Removes,
    ),
)]
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let id = segment(&req, "request")?;
    block(move || gdpr::delete(&app, &caller.0, &id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Download the file of a GDPR request
///
/// All that is kept of the person, as JSON. For 30 days; each download stands in the audit log.
#[utoipa::path(
    get,
    path = "/gdpr/requests/{request}/download",
    operation_id = "downloadGdprExport",
    tag = "GDPR",
    security(("personalAccessToken" = [])),
    params(GdprPath),
    responses(
        (status = 200, description = "The file.", body = Object, example = json!({"account": {"username": "ben"}})),
        (status = 409, description = "`no_export`: there is no file, or not any more.", body = ErrorBody),
        Reads,
    ),
)]
pub async fn download(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let id = segment(&req, "request")?;
    let (request, file) = block(move || gdpr::download(&app, &caller.0, &id)).await?;
    Ok(attachment(&request, file))
}

/// The file as browsers save it.
pub fn attachment(request: &Request, file: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header(("cache-control", "no-store"))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"gdpr-{}.json\"", request.uuid)))
        .body(file)
}
