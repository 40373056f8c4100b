//! `/sites/{site}/branding`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::block;
use crate::admin::branding::{self, NewBranding, View};
use crate::api::request::{Body, segment};
use crate::api::rest::answers::{Reads, Writes};
use crate::api::rest::params::SitePath;
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::error::Result;

/// Read the branding of a site
///
/// How its pages look: the values in effect, and which texts are hard to read where they stand.
#[utoipa::path(
    get,
    path = "/sites/{site}/branding",
    operation_id = "getBranding",
    tag = "Sites",
    security(("personalAccessToken" = [])),
    params(SitePath),
    responses(
        (status = 200, description = "The branding.", body = View),
        Reads,
    ),
)]
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let site = segment(&req, "site")?;
    let (site, stored) = block(move || branding::find(&app, &site)).await?;
    Ok(HttpResponse::Ok().json(View::of(&site, &stored)))
}

/// Replace the branding of a site
///
/// Colours are for light pages; dark ones get the same hues, made readable there. Images are fetched once, or sent
/// along, and served from here.
#[utoipa::path(
    put,
    path = "/sites/{site}/branding",
    operation_id = "putBranding",
    tag = "Sites",
    security(("personalAccessToken" = [])),
    params(SitePath),
    request_body = NewBranding,
    responses(
        (status = 200, description = "The branding as it is now.", body = View),
        Writes,
    ),
)]
pub async fn put(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    let (site, stored) = block(move || branding::put(&app, &caller.0, &site, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::of(&site, &stored)))
}
