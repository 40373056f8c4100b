//! `…/features/{key}/rules`, `…/rules/{rule}`, `…/rules:reorder`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created, target, with_version};
use crate::admin::features::{self, RuleOrder};
use crate::admin::scope;
use crate::api::ErrorBody;
use crate::api::request::{Body, Page, segment};
use crate::api::rest::answers::{Reads, VersionedRemoves, VersionedWrites};
use crate::api::rest::params::{FeaturePath, IfMatch, RulePath};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::compile::StoredFeature;
use crate::engine::feature::Rule;
use crate::engine::permission::Permission;
use crate::engine::shapes::{NewRule, RuleChange};
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

/// List rules
///
/// In the order of evaluation.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/features/{key}/rules",
    operation_id = "listRules",
    tag = "Rules",
    security(("personalAccessToken" = [])),
    params(FeaturePath),
    responses(
        (status = 200, description = "All of them; `nextCursor` is always `null`.", body = Page<Rule>, headers(("ETag" = String, description = "The feature's version, for `If-Match`."))),
        Reads,
    ),
)]
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let feature = find(app, &caller, &req).await?;
    let page = Page { items: feature.definition.rules.clone(), next_cursor: None };
    Ok(with_version(HttpResponse::Ok().json(page), &feature))
}

/// Add a rule
///
/// Behind those of its priority.
#[utoipa::path(
    post,
    path = "/sites/{site}/environments/{environment}/features/{key}/rules",
    operation_id = "createRule",
    tag = "Rules",
    security(("personalAccessToken" = [])),
    params(FeaturePath, IfMatch),
    request_body = NewRule,
    responses(
        (status = 201, description = "The rule.", body = Rule, headers(("Location" = String, description = "Where it is."), ("ETag" = String, description = "The feature's version, for `If-Match`."))),
        (status = 409, description = "`limit_reached`: the feature has as many as it may. `locked`: the feature is locked. `environment_archived`: the environment is archived.", body = ErrorBody),
        VersionedWrites,
    ),
)]
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let (feature, rule) = block(move || features::create_rule(&app, &caller.0, &at, body.text()?)).await?;
    Ok(with_version(created(&req, &rule.id.to_string(), &rule), &feature))
}

/// Read a rule
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/features/{key}/rules/{rule}",
    operation_id = "getRule",
    tag = "Rules",
    security(("personalAccessToken" = [])),
    params(FeaturePath, RulePath),
    responses(
        (status = 200, description = "The rule.", body = Rule, headers(("ETag" = String, description = "The feature's version, for `If-Match`."))),
        Reads,
    ),
)]
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let id = segment(&req, "rule")?;
    let feature = find(app, &caller, &req).await?;
    let rule = feature.definition.rules.iter().find(|rule| rule.id.to_string() == id);
    let rule = rule.ok_or_else(|| Error::NotFound("the rule".into()))?;
    Ok(with_version(HttpResponse::Ok().json(rule), &feature))
}

/// Change a rule
///
/// The members that are given; the others stay.
#[utoipa::path(
    patch,
    path = "/sites/{site}/environments/{environment}/features/{key}/rules/{rule}",
    operation_id = "updateRule",
    tag = "Rules",
    security(("personalAccessToken" = [])),
    params(FeaturePath, RulePath, IfMatch),
    request_body = RuleChange,
    responses(
        (status = 200, description = "The rule as it is now.", body = Rule, headers(("ETag" = String, description = "The feature's version, for `If-Match`."))),
        (status = 409, description = "`locked`: the feature is locked. `environment_archived`: the environment is archived.", body = ErrorBody),
        VersionedWrites,
    ),
)]
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (at, id) = (target(&req)?, segment(&req, "rule")?);
    let (feature, rule) =
        block(move || features::update_rule(&app, &caller.0, &at, &id, body.text()?)).await?;
    Ok(with_version(HttpResponse::Ok().json(rule), &feature))
}

/// Delete a rule
#[utoipa::path(
    delete,
    path = "/sites/{site}/environments/{environment}/features/{key}/rules/{rule}",
    operation_id = "deleteRule",
    tag = "Rules",
    security(("personalAccessToken" = [])),
    params(FeaturePath, RulePath, IfMatch),
    responses(
        (status = 204, description = "The rule is gone."),
        (status = 409, description = "`locked`: the feature is locked. `environment_archived`: the environment is archived.", body = ErrorBody),
        VersionedRemoves,
    ),
)]
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let (at, id) = (target(&req)?, segment(&req, "rule")?);
    block(move || features::delete_rule(&app, &caller.0, &at, &id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Put rules into an order
///
/// Names every rule, first evaluated first. The priorities in use are handed out anew, in falling order.
#[utoipa::path(
    post,
    path = "/sites/{site}/environments/{environment}/features/{key}/rules:reorder",
    operation_id = "reorderRules",
    tag = "Rules",
    security(("personalAccessToken" = [])),
    params(FeaturePath, IfMatch),
    request_body = RuleOrder,
    responses(
        (status = 200, description = "The rules in their new order.", body = Page<Rule>, headers(("ETag" = String, description = "The feature's version, for `If-Match`."))),
        (status = 409, description = "`locked`: the feature is locked. `environment_archived`: the environment is archived.", body = ErrorBody),
        VersionedWrites,
    ),
)]
pub async fn reorder(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let feature = block(move || features::reorder_rules(&app, &caller.0, &at, body.text()?)).await?;
    let page = Page { items: feature.definition.rules.clone(), next_cursor: None };
    Ok(with_version(HttpResponse::Ok().json(page), &feature))
}
