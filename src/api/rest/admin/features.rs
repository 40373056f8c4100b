//! `…/features`, `…/features/{key}`, its history and revert. The two GETs also serve clients: with an
//! environment token they evaluate.

use actix_web::http::header::{ETAG, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use utoipa::ToSchema;

use super::{block, created, target, with_version};
use crate::admin::{features, scope};
use crate::api::ErrorBody;
use crate::api::request::{Body, Page, Query, invalid_cursor, none_match, segment};
use crate::api::rest::answers::{FeatureRemoves, ReadsOrEvaluates, Searches, VersionedWrites, Writes};
use crate::api::rest::client;
use crate::api::rest::params::{
    ContextQuery, EnvironmentPath, FeaturePath, FeatureQuery, ForceQuery, IfMatch, IfNoneMatch, KeysQuery,
    PageQuery,
};
use crate::api::rest::wire::{FeatureAnswer, FeaturesAnswer};
use crate::app::App;
use crate::auth::extract::{Caller, Credential};
use crate::engine::permission::Permission;
use crate::engine::shapes::{Feature, FeatureChange, NewFeature};
use crate::engine::value::FeatureType;
use crate::error::{Error, Result};
use crate::store;
use crate::store::features::Filter;

/// What a list of features is for who asks.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum FeaturesBody {
    /// With an environment token.
    Evaluated(FeaturesAnswer),
    /// With a personal access token.
    Full(Page<Feature>),
}

/// What a feature is for who asks.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum FeatureBody {
    /// With an environment token.
    Evaluated(FeatureAnswer),
    /// With a personal access token.
    Full(Box<Feature>),
}

/// Evaluate or list features
///
/// With an environment token: the features of its environment for the context in the query, as `POST
/// /evaluate` answers them, for caches to keep.
///
/// With a personal access token: the features themselves, by key, a page at a time.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/features",
    operation_id = "listFeatures",
    tags = ["Evaluation", "Features"],
    security(("environmentToken" = []), ("personalAccessToken" = [])),
    params(EnvironmentPath, ContextQuery, KeysQuery, FeatureQuery, PageQuery, IfNoneMatch),
    responses(
        (status = 200, description = "A page of features for a person, values for an environment token.",
            body = inline(FeaturesBody), headers(
            ("ETag" = String, description = "Environment token: of this answer; send it back as `If-None-Match`."),
            ("Cache-Control" = String, description = "Environment token: `private, max-age=0, must-revalidate`"),
            ("X-Evaluated-At" = String, description = "Environment token: when it was evaluated."),
            ("X-Decision-Id" = String, description = "Environment token: new in every answer."),
        )),
        (status = 304, description = "Environment token: the answer is still the one that `If-None-Match` names."),
        ReadsOrEvaluates,
    ),
)]
pub async fn list_or_evaluate(app: Data<App>, who: Credential, req: HttpRequest) -> Result<HttpResponse> {
    let caller = match who {
        Credential::Client(key) => {
            client::require_path(&req, &key)?;
            return client::get_features(&app, req.head(), &key);
        }
        Credential::Caller(caller) => caller,
    };
    caller.0.require(Permission::Read)?;
    let query = Query::only(&req, &["q", "tag", "type", "enabled", "limit", "cursor"])?;
    let limit = query.limit()?;
    let kind = match query.get("type") {
        None => None,
        Some(text) => Some(
            FeatureType::parse(text)
                .ok_or_else(|| Error::invalid("type", format!("must be {}", FeatureType::NAMES)))?,
        ),
    };
    let filter = Filter {
        q: query.get("q").unwrap_or_default().to_owned(),
        tag: query.get("tag").map(str::to_owned),
        kind,
        enabled: query.choice("enabled")?,
        after: query.cursor()?,
        limit: limit + 1,
    };
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let rows = block(move || {
        app.read_consistent(|conn| {
            store::features::list(conn, scope(conn, &site, &environment)?.1.id, &filter)
        })
    })
    .await?;
    let cursor = |row: &store::features::FeatureRow| row.stored.definition.key.clone();
    Ok(HttpResponse::Ok().json(Page::of(rows, limit, cursor, |row| row.stored)))
}

/// Make a feature
#[utoipa::path(
    post,
    path = "/sites/{site}/environments/{environment}/features",
    operation_id = "createFeature",
    tag = "Features",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath),
    request_body = NewFeature,
    responses(
        (status = 201, description = "The feature.", body = Feature, headers(("Location" = String, description = "Where it is."), ("ETag" = String, description = "The feature's version, for `If-Match`."))),
        (status = 409, description = "`key_taken`: the environment has one of that key. `environment_archived`: the environment is archived.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let feature = block(move || features::create(&app, &caller.0, &site, &environment, body.text()?)).await?;
    Ok(with_version(created(&req, &feature.definition.key, &feature), &feature))
}

/// Evaluate or read a feature
///
/// With an environment token: its value for the context in the query.
///
/// With a personal access token: the feature itself, with variants and rules.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/features/{key}",
    operation_id = "getFeature",
    tags = ["Evaluation", "Features"],
    security(("environmentToken" = []), ("personalAccessToken" = [])),
    params(FeaturePath, ContextQuery, IfNoneMatch),
    responses(
        (status = 200, description = "The feature for a person, its value for an environment token.",
            body = inline(FeatureBody), headers(
            ("ETag" = String, description = "The feature's version, or for an environment token that of the answer."),
            ("Cache-Control" = String, description = "Environment token: `private, max-age=0, must-revalidate`"),
            ("X-Evaluated-At" = String, description = "Environment token: when it was evaluated."),
            ("X-Decision-Id" = String, description = "Environment token: new in every answer."),
        )),
        (status = 304, description = "It is still the one that `If-None-Match` names."),
        ReadsOrEvaluates,
    ),
)]
pub async fn get_or_evaluate(app: Data<App>, who: Credential, req: HttpRequest) -> Result<HttpResponse> {
    let caller = match who {
        Credential::Client(key) => return client::get_feature(&app, &req, &key),
        Credential::Caller(caller) => caller,
    };
    caller.0.require(Permission::Read)?;
    let at = target(&req)?;
    let feature = block(move || {
        app.read_consistent(|conn| {
            let (_, environment) = scope(conn, &at.site, &at.environment)?;
            Ok(store::features::find(conn, environment.id, &at.key)?.stored)
        })
    })
    .await?;
    let etag = format!("\"{}\"", feature.version);
    if none_match(req.headers(), &etag) {
        let mut response = HttpResponse::NotModified().finish();
        if let Ok(value) = HeaderValue::from_str(&etag) {
            response.headers_mut().insert(ETAG, value);
        }
        return Ok(response);
    }
    Ok(with_version(HttpResponse::Ok().json(&feature), &feature))
}

/// Change a feature
///
/// The members that are given; the others stay. `{"enabled": true}` is the toggle. A change that changes
/// nothing makes no version.
#[utoipa::path(
    patch,
    path = "/sites/{site}/environments/{environment}/features/{key}",
    operation_id = "updateFeature",
    tag = "Features",
    security(("personalAccessToken" = [])),
    params(FeaturePath, IfMatch),
    request_body = FeatureChange,
    responses(
        (status = 200, description = "The feature as it is now.", body = Feature, headers(("ETag" = String, description = "The feature's version, for `If-Match`."))),
        (status = 409, description = "`locked`: the feature is locked. `in_use`: a rule gives a variant that would go. `type_conflict`: stored Contexts hold values that are not of the new type. `environment_archived`: the environment is archived.", body = ErrorBody),
        VersionedWrites,
    ),
)]
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let feature = block(move || features::update(&app, &caller.0, &at, body.text()?, false)).await?;
    Ok(with_version(HttpResponse::Ok().json(&feature), &feature))
}

/// Replace a feature
///
/// What is left out gets its default; key, type and bucketing stay.
#[utoipa::path(
    put,
    path = "/sites/{site}/environments/{environment}/features/{key}",
    operation_id = "replaceFeature",
    tag = "Features",
    security(("personalAccessToken" = [])),
    params(FeaturePath, IfMatch),
    request_body = FeatureChange,
    responses(
        (status = 200, description = "The feature as it is now.", body = Feature, headers(("ETag" = String, description = "The feature's version, for `If-Match`."))),
        (status = 409, description = "`locked`: the feature is locked. `in_use`: a rule gives a variant that would go. `type_conflict`: stored Contexts hold values that are not of the new type. `environment_archived`: the environment is archived.", body = ErrorBody),
        VersionedWrites,
    ),
)]
pub async fn replace(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let feature = block(move || features::update(&app, &caller.0, &at, body.text()?, true)).await?;
    Ok(with_version(HttpResponse::Ok().json(&feature), &feature))
}

/// Delete a feature
///
/// Its versions are not used again: a feature made later under the same key goes on counting.
#[utoipa::path(
    delete,
    path = "/sites/{site}/environments/{environment}/features/{key}",
    operation_id = "deleteFeature",
    tag = "Features",
    security(("personalAccessToken" = [])),
    params(FeaturePath, ForceQuery, IfMatch),
    responses(
        (status = 204, description = "The feature is gone."),
        (status = 409, description = "`feature_in_use`: stored Contexts hold values for it; `force=true` deletes those too. `locked`: the feature is locked. `environment_archived`: the environment is archived.", body = ErrorBody),
        FeatureRemoves,
    ),
)]
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let at = target(&req)?;
    let force = Query::only(&req, &["force"])?.flag("force")?;
    block(move || features::delete(&app, &caller.0, &at, force)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Read the history of a feature
///
/// Every version with what differs from the one before, newest first.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/features/{key}/history",
    operation_id = "getFeatureHistory",
    tag = "Features",
    security(("personalAccessToken" = [])),
    params(FeaturePath, PageQuery),
    responses(
        (status = 200, description = "A page of versions.", body = Page<features::HistoryEntry>),
        Searches,
    ),
)]
pub async fn history(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let at = target(&req)?;
    let query = Query::only(&req, &["limit", "cursor"])?;
    let limit = query.limit()?;
    let below = match query.cursor()?.map(|cursor| cursor.parse()) {
        None => None,
        Some(Ok(version)) => Some(version),
        Some(Err(_)) => return Err(invalid_cursor()),
    };
    let rows = block(move || features::history(&app, &caller.0, &at, below, limit + 1)).await?;
    let cursor = |entry: &features::HistoryEntry| entry.version.to_string();
    Ok(HttpResponse::Ok().json(Page::of(rows, limit, cursor, |entry| entry)))
}

/// Revert a feature
///
/// Back to how it was in an earlier version, as a new version.
#[utoipa::path(
    post,
    path = "/sites/{site}/environments/{environment}/features/{key}:revert",
    operation_id = "revertFeature",
    tag = "Features",
    security(("personalAccessToken" = [])),
    params(FeaturePath, IfMatch),
    request_body = features::Revert,
    responses(
        (status = 200, description = "The feature as it is now.", body = Feature, headers(("ETag" = String, description = "The feature's version, for `If-Match`."))),
        (status = 409, description = "`locked`: the feature is locked. `environment_archived`: the environment is archived.", body = ErrorBody),
        VersionedWrites,
    ),
)]
pub async fn revert(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let feature = block(move || features::revert(&app, &caller.0, &at, body.text()?)).await?;
    Ok(with_version(HttpResponse::Ok().json(&feature), &feature))
}
