//! `…/features/{key}/variants`, `…/variants/{variant}`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::rules::find;
use super::{block, created, target, with_version};
use crate::admin::features;
use crate::api::request::{Body, Page, segment};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::error::{Error, Result};

/// `GET …/variants`.
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let feature = find(app, &caller, &req).await?;
    let page = Page { items: feature.definition.variants.clone(), next_cursor: None };
    Ok(with_version(HttpResponse::Ok().json(page), &feature))
}

/// `POST …/variants`.
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let (feature, variant) =
        block(move || features::create_variant(&app, &caller.0, &at, body.text()?)).await?;
    Ok(with_version(created(&req, &variant.key, &variant), &feature))
}

/// `GET …/variants/{variant}`.
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let key = segment(&req, "variant")?;
    let feature = find(app, &caller, &req).await?;
    let variant = feature.definition.variants.iter().find(|variant| variant.key == key);
    let variant = variant.ok_or_else(|| Error::NotFound(format!("variant {key}")))?;
    Ok(with_version(HttpResponse::Ok().json(variant), &feature))
}

/// `PATCH …/variants/{variant}`: key, value, attachment.
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (at, key) = (target(&req)?, segment(&req, "variant")?);
    let (feature, variant) =
        block(move || features::update_variant(&app, &caller.0, &at, &key, body.text()?)).await?;
    Ok(with_version(HttpResponse::Ok().json(variant), &feature))
}

/// `DELETE …/variants/{variant}`: 409 `in_use` while a rule gives it.
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let (at, key) = (target(&req)?, segment(&req, "variant")?);
    block(move || features::delete_variant(&app, &caller.0, &at, &key)).await?;
    Ok(HttpResponse::NoContent().finish())
}
