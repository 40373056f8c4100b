//! `/sites`, `/sites/{site}`, `/sites/{site}/owner`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created};
use crate::admin::sites::{self, View};
use crate::api::request::{Body, Page, Query, invalid_cursor, segment};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::error::Result;
use crate::store;

/// `GET /sites`: by name; `q` is part of name, slug or description.
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

/// `POST /sites`: makes a site and its environment `prod`.
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let site = block(move || sites::create(&app, &caller.0, body.text()?)).await?;
    Ok(created(&req, &site.slug, &View::from(&site)))
}

/// `GET /sites/{site}`.
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let site = segment(&req, "site")?;
    let site = block(move || app.read(|conn| store::sites::find(conn, &site))).await?;
    Ok(HttpResponse::Ok().json(View::from(&site)))
}

/// `PATCH /sites/{site}`: name, slug, description.
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    let site = block(move || sites::update(&app, &caller.0, &site, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::from(&site)))
}

/// `DELETE /sites/{site}`: with everything in it.
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    block(move || sites::delete(&app, &caller.0, &site)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `PUT /sites/{site}/owner`: gives it to another user.
pub async fn transfer(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    let site = block(move || sites::transfer(&app, &caller.0, &site, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::from(&site)))
}
