//! `/sites/{site}/segments`, `…/{segment}`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created};
use crate::admin::segments::{self, View};
use crate::api::ErrorBody;
use crate::api::request::{Body, Page, Query, segment};
use crate::api::rest::answers::{Reads, Removes, Searches, Writes};
use crate::api::rest::params::{PageQuery, SegmentPath, SitePath};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::engine::shapes::{NewSegment, SegmentChange};
use crate::error::Result;
use crate::store;

/// List segments
///
/// All of a site, by key.
#[utoipa::path(
    get,
    path = "/sites/{site}/segments",
    operation_id = "listSegments",
    tag = "Segments",
    security(("personalAccessToken" = [])),
    params(SitePath, PageQuery),
    responses(
        (status = 200, description = "A page of segments.", body = Page<View>),
        Searches,
    ),
)]
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let query = Query::only(&req, &["limit", "cursor"])?;
    let site = segment(&req, "site")?;
    let rows =
        block(move || app.read(|conn| store::segments::list(conn, store::sites::find(conn, &site)?.id)))
            .await?;
    Ok(HttpResponse::Ok().json(Page::cut(
        rows,
        &query,
        |row| row.segment.key.clone(),
        |row| View::from(&row),
    )?))
}

/// Make a segment
///
/// Segments may use segments; a cycle is refused with 422 `segment_cycle`.
#[utoipa::path(
    post,
    path = "/sites/{site}/segments",
    operation_id = "createSegment",
    tag = "Segments",
    security(("personalAccessToken" = [])),
    params(SitePath),
    request_body = NewSegment,
    responses(
        (status = 201, description = "The segment.", body = View, headers(("Location" = String, description = "Where it is."))),
        (status = 409, description = "`key_taken`: the site has one of that key. `limit_reached`: it has as many as it may.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    let row = block(move || segments::create(&app, &caller.0, &site, body.text()?)).await?;
    Ok(created(&req, &row.segment.key, &View::from(&row)))
}

/// Read a segment
#[utoipa::path(
    get,
    path = "/sites/{site}/segments/{segment}",
    operation_id = "getSegment",
    tag = "Segments",
    security(("personalAccessToken" = [])),
    params(SitePath, SegmentPath),
    responses(
        (status = 200, description = "The segment.", body = View),
        Reads,
    ),
)]
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let (site, key) = (segment(&req, "site")?, segment(&req, "segment")?);
    let row = block(move || {
        app.read(|conn| store::segments::find(conn, store::sites::find(conn, &site)?.id, &key))
    })
    .await?;
    Ok(HttpResponse::Ok().json(View::from(&row)))
}

/// Change a segment
///
/// Every rule that uses it follows at once.
#[utoipa::path(
    patch,
    path = "/sites/{site}/segments/{segment}",
    operation_id = "updateSegment",
    tag = "Segments",
    security(("personalAccessToken" = [])),
    params(SitePath, SegmentPath),
    request_body = SegmentChange,
    responses(
        (status = 200, description = "The segment as it is now.", body = View),
        Writes,
    ),
)]
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, key) = (segment(&req, "site")?, segment(&req, "segment")?);
    let row = block(move || segments::update(&app, &caller.0, &site, &key, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::from(&row)))
}

/// Delete a segment
///
/// Refused while a rule or a segment refers to it.
#[utoipa::path(
    delete,
    path = "/sites/{site}/segments/{segment}",
    operation_id = "deleteSegment",
    tag = "Segments",
    security(("personalAccessToken" = [])),
    params(SitePath, SegmentPath),
    responses(
        (status = 204, description = "The segment is gone."),
        (status = 409, description = "`in_use`: rules or segments refer to it; `details.usedBy` says which.", body = ErrorBody),
        Removes,
    ),
)]
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let (site, key) = (segment(&req, "site")?, segment(&req, "segment")?);
    block(move || segments::delete(&app, &caller.0, &site, &key)).await?;
    Ok(HttpResponse::NoContent().finish())
}
