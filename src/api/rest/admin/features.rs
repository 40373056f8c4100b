//! `…/features`, `…/features/{key}`, its history and revert. The two GETs also serve clients: with an
//! environment token they evaluate.

use actix_web::http::header::{ETAG, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created, target, with_version};
use crate::admin::{features, scope};
use crate::api::request::{Body, Page, Query, invalid_cursor, none_match, segment};
use crate::api::rest::client;
use crate::app::App;
use crate::auth::extract::{Caller, Credential};
use crate::engine::permission::Permission;
use crate::engine::value::FeatureType;
use crate::error::{Error, Result};
use crate::store;
use crate::store::features::Filter;

/// `GET …/features`: full features for a person (`q`, `tag`, `type`, `enabled`), the evaluated answer for an
/// environment token.
pub async fn list_or_evaluate(app: Data<App>, who: Credential, req: HttpRequest) -> Result<HttpResponse> {
    let caller = match who {
        Credential::Client(key) => return client::get_features(&app, &req, &key),
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

/// `POST …/features`.
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let feature = block(move || features::create(&app, &caller.0, &site, &environment, body.text()?)).await?;
    Ok(with_version(created(&req, &feature.definition.key, &feature), &feature))
}

/// `GET …/features/{key}`: the full feature for a person, its evaluated value for an environment token.
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
    if none_match(&req, &etag) {
        let mut response = HttpResponse::NotModified().finish();
        if let Ok(value) = HeaderValue::from_str(&etag) {
            response.headers_mut().insert(ETAG, value);
        }
        return Ok(response);
    }
    Ok(with_version(HttpResponse::Ok().json(&feature), &feature))
}

/// `PATCH …/features/{key}`: the members that are given. `{"enabled": true}` is the toggle.
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let feature = block(move || features::update(&app, &caller.0, &at, body.text()?, false)).await?;
    Ok(with_version(HttpResponse::Ok().json(&feature), &feature))
}

/// `PUT …/features/{key}`: all members; what is left out gets its default.
pub async fn replace(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let feature = block(move || features::update(&app, &caller.0, &at, body.text()?, true)).await?;
    Ok(with_version(HttpResponse::Ok().json(&feature), &feature))
}

/// `DELETE …/features/{key}`; `force=true` also deletes the values that stored Contexts hold for it.
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let at = target(&req)?;
    let force = Query::only(&req, &["force"])?.flag("force")?;
    block(move || features::delete(&app, &caller.0, &at, force)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET …/features/{key}/history`: every version with what differs from the one before, newest first.
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

/// `POST …/features/{key}:revert`: back to an earlier version, as a new one.
pub async fn revert(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let at = target(&req)?;
    let feature = block(move || features::revert(&app, &caller.0, &at, body.text()?)).await?;
    Ok(with_version(HttpResponse::Ok().json(&feature), &feature))
}
