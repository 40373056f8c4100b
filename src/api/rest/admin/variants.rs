//! `…/features/{key}/variants`, `…/variants/{variant}`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::rules::find;
use super::{block, created, target, with_version};
use crate::admin::features;
use crate::api::ErrorBody;
use crate::api::request::{Body, Page, segment};
use crate::api::rest::answers::{Reads, VersionedRemoves, VersionedWrites};
use crate::api::rest::params::{FeaturePath, IfMatch, VariantPath};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::feature::Variant;
use crate::engine::shapes::{NewVariant, VariantChange};
use crate::error::{Error, Result};

/// List variants
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/features/{key}/variants",
    operation_id = "listVariants",
    tag = "Variants",
    security(("personalAccessToken" = [])),
    params(FeaturePath),
    responses(
        (status = 200, description = "All of them; `nextCursor` is always `null`.", body = Page<Variant>, headers(("ETag" = String, description = "The feature's version, for `If-Match`."))),
        Reads,
    ),
)]
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let feature = find(app, &caller, &req).await?;
    let page = Page { items: feature.definition.variants.clone(), next_cursor: None };
    Ok(with_version(HttpResponse::Ok().json(page), &feature))
}

/// Add a variant
#[utoipa::path(
    post,
    path = "/sites/{site}/environments/{environment}/features/{key}/variants",
    operation_id = "createVariant",
    tag = "Variants",
    security(("personalAccessToken" = [])),
    params(FeaturePath, IfMatch),
    request_body = NewVariant,
    responses(
        (status = 201, description = "The variant.", body = Variant, headers(("Location" = String, description = "Where it is."), ("ETag" = String, description = "The feature's version, for `If-Match`."))),
        (status = 409, description = "`key_taken`: the feature has one of that key. `limit_reached`: it has as many as it may. `locked`: the feature is locked. `environment_archived`: the environment is archived.", body = ErrorBody),
        VersionedWrites,
    ),
)]
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let (feature, variant) =
        block(move || features::create_variant(&app, &caller.0, &at, body.text()?)).await?;
    Ok(with_version(created(&req, &variant.key, &variant), &feature))
}

/// Read a variant
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/features/{key}/variants/{variant}",
    operation_id = "getVariant",
    tag = "Variants",
    security(("personalAccessToken" = [])),
    params(FeaturePath, VariantPath),
    responses(
        (status = 200, description = "The variant.", body = Variant, headers(("ETag" = String, description = "The feature's version, for `If-Match`."))),
        Reads,
    ),
)]
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let key = segment(&req, "variant")?;
    let feature = find(app, &caller, &req).await?;
    let variant = feature.definition.variants.iter().find(|variant| variant.key == key);
    let variant = variant.ok_or_else(|| Error::NotFound(format!("variant {key}")))?;
    Ok(with_version(HttpResponse::Ok().json(variant), &feature))
}

/// Change a variant
///
/// A new key is written into the splits that use it.
#[utoipa::path(
    patch,
    path = "/sites/{site}/environments/{environment}/features/{key}/variants/{variant}",
    operation_id = "updateVariant",
    tag = "Variants",
    security(("personalAccessToken" = [])),
    params(FeaturePath, VariantPath, IfMatch),
    request_body = VariantChange,
    responses(
        (status = 200, description = "The variant as it is now.", body = Variant, headers(("ETag" = String, description = "The feature's version, for `If-Match`."))),
        (status = 409, description = "`key_taken`: the feature has one of that key. `locked`: the feature is locked. `environment_archived`: the environment is archived.", body = ErrorBody),
        VersionedWrites,
    ),
)]
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (at, key) = (target(&req)?, segment(&req, "variant")?);
    let (feature, variant) =
        block(move || features::update_variant(&app, &caller.0, &at, &key, body.text()?)).await?;
    Ok(with_version(HttpResponse::Ok().json(variant), &feature))
}

/// Delete a variant
///
/// Refused while a rule gives it.
#[utoipa::path(
    delete,
    path = "/sites/{site}/environments/{environment}/features/{key}/variants/{variant}",
    operation_id = "deleteVariant",
    tag = "Variants",
    security(("personalAccessToken" = [])),
    params(FeaturePath, VariantPath, IfMatch),
    responses(
        (status = 204, description = "The variant is gone."),
        (status = 409, description = "`in_use`: rules give it; `details.rules` says which. `locked`: the feature is locked. `environment_archived`: the environment is archived.", body = ErrorBody),
        VersionedRemoves,
    ),
)]
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let (at, key) = (target(&req)?, segment(&req, "variant")?);
    block(move || features::delete_variant(&app, &caller.0, &at, &key)).await?;
    Ok(HttpResponse::NoContent().finish())
}
