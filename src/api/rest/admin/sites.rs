//! `/sites`, `/sites/{site}`, `/sites/{site}/owner`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created, remove};
use crate::admin::sites::{self, NewSite, SiteChange, Transfer, View};
use crate::api::ErrorBody;
use crate::api::request::{Body, Page, Query, invalid_cursor, segment};
use crate::api::rest::answers::{Reads, Removes, Searches, Writes};
use crate::api::rest::params::{PageQuery, SitePath, SiteQuery};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::error::Result;
use crate::store;

/// List sites
///
/// By name. `q` searches name, slug and description.
#[utoipa::path(
    get,
    path = "/sites",
    operation_id = "listSites",
    tag = "Sites",
    security(("personalAccessToken" = [])),
    params(SiteQuery, PageQuery),
    responses(
        (status = 200, description = "A page of sites.", body = Page<View>),
        Searches,
    ),
)]
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let query = Query::only(&req, &["q", "limit", "cursor"])?;
    let limit = query.limit()?;
    let after = match query.cursor()? {
        None => None,
        Some(cursor) => {
            let (id, name) = cursor.split_once(' ').unwrap_or_default();
            let id = id.parse().map_err(|_| invalid_cursor())?;
            Some((name.to_owned(), id))
        }
    };
    let q = query.get("q").unwrap_or_default().to_owned();
    let rows =
        block(move || app.read(|conn| store::sites::list(conn, &q, after.as_ref(), limit + 1))).await?;
    let cursor = |site: &store::sites::Site| format!("{} {}", site.id.0, site.name);
    Ok(HttpResponse::Ok().json(Page::of(rows, limit, cursor, |site| View::from(&site))))
}

/// Make a site
///
/// Makes its environment `prod`, too. The caller becomes the owner.
#[utoipa::path(
    post,
    path = "/sites",
    operation_id = "createSite",
    tag = "Sites",
    security(("personalAccessToken" = [])),
    request_body = NewSite,
    responses(
        (status = 201, description = "The site.", body = View, headers(("Location" = String, description = "Where it is."))),
        (status = 409, description = "`slug_taken`: another site has the slug.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let site = block(move || sites::create(&app, &caller.0, body.text()?)).await?;
    Ok(created(&req, &site.slug, &View::from(&site)))
}

/// Read a site
#[utoipa::path(
    get,
    path = "/sites/{site}",
    operation_id = "getSite",
    tag = "Sites",
    security(("personalAccessToken" = [])),
    params(SitePath),
    responses(
        (status = 200, description = "The site.", body = View),
        Reads,
    ),
)]
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let site = segment(&req, "site")?;
    let site = block(move || app.read(|conn| store::sites::find(conn, &site))).await?;
    Ok(HttpResponse::Ok().json(View::from(&site)))
}

/// Change a site
///
/// A new slug shows in every answer of its environments; tokens go on working.
#[utoipa::path(
    patch,
    path = "/sites/{site}",
    operation_id = "updateSite",
    tag = "Sites",
    security(("personalAccessToken" = [])),
    params(SitePath),
    request_body = SiteChange,
    responses(
        (status = 200, description = "The site as it is now.", body = View),
        (status = 409, description = "`slug_taken`: another site has the slug.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    let site = block(move || sites::update(&app, &caller.0, &site, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::from(&site)))
}

/// Delete a site
///
/// With everything in it: environments, features, segments, tokens.
#[utoipa::path(
    delete,
    path = "/sites/{site}",
    operation_id = "deleteSite",
    tag = "Sites",
    security(("personalAccessToken" = [])),
    params(SitePath),
    responses(
        (status = 204, description = "The site is gone."),
        Removes,
    ),
)]
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    remove(app, caller, req, "site", sites::delete).await
}

/// Hand a site over
///
/// Gives it to another user.
#[utoipa::path(
    put,
    path = "/sites/{site}/owner",
    operation_id = "transferSite",
    tag = "Sites",
    security(("personalAccessToken" = [])),
    params(SitePath),
    request_body = Transfer,
    responses(
        (status = 200, description = "The site with its new owner.", body = View),
        Writes,
    ),
)]
pub async fn transfer(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    let site = block(move || sites::transfer(&app, &caller.0, &site, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::from(&site)))
}
