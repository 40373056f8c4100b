//! `…/features/{key}/rules`, `…/rules/{rule}`, `…/rules:reorder`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created, target, with_version};
use crate::admin::{features, scope};
use crate::api::request::{Body, Page, segment};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::compile::StoredFeature;
use crate::engine::permission::Permission;
use crate::error::{Error, Result};
use crate::store;

/// The stored feature that a path names, for those who may read it.
pub(super) async fn find(app: Data<App>, caller: &Caller, req: &HttpRequest) -> Result<StoredFeature> {
    caller.0.require(Permission::Read)?;
    let at = target(req)?;
    block(move || {
        app.read_consistent(|conn| {
            let (_, environment) = scope(conn, &at.site, &at.environment)?;
            Ok(store::features::find(conn, environment.id, &at.key)?.stored)
        })
    })
    .await
}

/// `GET …/rules`: in the order of evaluation.
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let feature = find(app, &caller, &req).await?;
    let page = Page { items: feature.definition.rules.clone(), next_cursor: None };
    Ok(with_version(HttpResponse::Ok().json(page), &feature))
}

/// `POST …/rules`: behind those of its priority.
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let (feature, rule) = block(move || features::create_rule(&app, &caller.0, &at, body.text()?)).await?;
    Ok(with_version(created(&req, &rule.id.to_string(), &rule), &feature))
}

/// `GET …/rules/{rule}`.
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let id = segment(&req, "rule")?;
    let feature = find(app, &caller, &req).await?;
    let rule = feature.definition.rules.iter().find(|rule| rule.id.to_string() == id);
    let rule = rule.ok_or_else(|| Error::NotFound("the rule".into()))?;
    Ok(with_version(HttpResponse::Ok().json(rule), &feature))
}

/// `PATCH …/rules/{rule}`: the members that are given.
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (at, id) = (target(&req)?, segment(&req, "rule")?);
    let (feature, rule) =
        block(move || features::update_rule(&app, &caller.0, &at, &id, body.text()?)).await?;
    Ok(with_version(HttpResponse::Ok().json(rule), &feature))
}

/// `DELETE …/rules/{rule}`.
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let (at, id) = (target(&req)?, segment(&req, "rule")?);
    block(move || features::delete_rule(&app, &caller.0, &at, &id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST …/rules:reorder`: every rule's id, first evaluated first; reassigns priorities.
pub async fn reorder(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let feature = block(move || features::reorder_rules(&app, &caller.0, &at, body.text()?)).await?;
    let page = Page { items: feature.definition.rules.clone(), next_cursor: None };
    Ok(with_version(HttpResponse::Ok().json(page), &feature))
}
