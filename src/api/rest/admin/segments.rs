//! `/sites/{site}/segments`, `…/{segment}`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created};
use crate::admin::segments::{self, View};
use crate::api::request::{Body, Page, Query, segment};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::error::Result;
use crate::store;

/// `GET …/segments`: all of a site, by key.
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

/// `POST …/segments`.
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    let row = block(move || segments::create(&app, &caller.0, &site, body.text()?)).await?;
    Ok(created(&req, &row.segment.key, &View::from(&row)))
}

/// `GET …/segments/{segment}`.
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let (site, key) = (segment(&req, "site")?, segment(&req, "segment")?);
    let row = block(move || {
        app.read(|conn| store::segments::find(conn, store::sites::find(conn, &site)?.id, &key))
    })
    .await?;
    Ok(HttpResponse::Ok().json(View::from(&row)))
}

/// `PATCH …/segments/{segment}`: name, conditions.
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, key) = (segment(&req, "site")?, segment(&req, "segment")?);
    let row = block(move || segments::update(&app, &caller.0, &site, &key, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::from(&row)))
}

/// `DELETE …/segments/{segment}`: 409 `in_use` while a rule or segment refers to it.
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let (site, key) = (segment(&req, "site")?, segment(&req, "segment")?);
    block(move || segments::delete(&app, &caller.0, &site, &key)).await?;
    Ok(HttpResponse::NoContent().finish())
}
