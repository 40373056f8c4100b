//! What each route does: read the wire form, call what every door calls, show the documented shape.

use std::collections::BTreeMap;
use std::time::Instant;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::guest::Guest;
use super::wire::{Context, Feature, read_context, read_feature};
use crate::admin::contexts::list::{Matches, Wanted, page};
use crate::admin::contexts::{self, Target};
use crate::admin::{features, scope};
use crate::api::request::{AnyBody, Query, segment};
use crate::api::rest::admin::block;
use crate::app::App;
use crate::engine::lookup::{Lookup, Subject, text};
use crate::error::{Error, Result};

/// How many requests of the rate limit a walk over all Contexts counts as (featuresd.md §7.2).
const DEAR: u32 = 10;

fn target(guest: &Guest, key: String) -> Target {
    let (site, environment) = guest.place();
    Target { site, environment, key, expected: None }
}

fn no_feature(key: &str) -> Error {
    Error::Missing("feature_not_found", format!("feature {key}"))
}

/// `GET /features`.
pub async fn list_features(guest: Guest) -> Result<HttpResponse> {
    let snapshot = guest.reading()?;
    let features: Vec<Feature<'_>> =
        snapshot.features().map(|feature| Feature::from(feature.definition())).collect();
    Ok(guest.finish(HttpResponse::Ok().json(features)))
}

/// `POST /features`: made, or there already with the same type.
pub async fn make_feature(
    app: Data<App>,
    guest: Guest,
    req: HttpRequest,
    body: AnyBody,
) -> Result<HttpResponse> {
    let actor = guest.writer(&req)?;
    let (key, kind) = read_feature(&req, body)?;
    let (site, environment) = guest.place();
    let made = block(move || contexts::make_feature(&app, &actor, &site, &environment, &key, &kind));
    let (definition, is_new) = made.await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(guest.finish(response.json(Feature::from(&definition))))
}

/// `GET /features/{key}`.
pub async fn get_feature(guest: Guest, req: HttpRequest) -> Result<HttpResponse> {
    let snapshot = guest.reading()?;
    let key = segment(&req, "feature")?;
    let feature = snapshot.feature(&key).ok_or_else(|| no_feature(&key))?;
    Ok(guest.finish(HttpResponse::Ok().json(Feature::from(feature.definition()))))
}

/// `DELETE /features/{key}`.
pub async fn delete_feature(app: Data<App>, guest: Guest, req: HttpRequest) -> Result<HttpResponse> {
    let actor = guest.owner()?;
    let force = Query::only(&req, &["force"])?.flag("force")?;
    let (site, environment) = guest.place();
    let key = segment(&req, "feature")?;
    let at = features::Target { site, environment, key, expected: None };
    block(move || features::delete(&app, &actor, &at, force)).await?;
    Ok(guest.finish(HttpResponse::NoContent().finish()))
}

/// `GET /contexts`, all of them, or with `matches=` those for whom a feature is on.
pub async fn list_contexts(app: Data<App>, guest: Guest, req: HttpRequest) -> Result<HttpResponse> {
    let snapshot = guest.reading()?.clone();
    let query = Query::only(&req, &["matches"])?;
    let matches = query.get("matches").map(|text| Matches::parse(&snapshot, text)).transpose()?;
    if matches.is_some() {
        guest.charge(&req, &app, DEAR)?;
    }
    let (site, environment) = guest.place();
    let wanted = Wanted { matches, limit: u64::MAX >> 1, ..Wanted::default() };
    let views = block(move || {
        app.read_consistent(|conn| {
            let (_, environment) = scope(conn, &site, &environment)?;
            page(conn, &environment, &snapshot, &wanted)
        })
    })
    .await?;
    let contexts: Vec<Context> = views.into_iter().map(Context::from).collect();
    Ok(guest.finish(HttpResponse::Ok().json(contexts)))
}

/// `POST /contexts`: made, or merged into the one that is there.
pub async fn merge_context(
    app: Data<App>,
    guest: Guest,
    req: HttpRequest,
    body: AnyBody,
) -> Result<HttpResponse> {
    let actor = guest.writer(&req)?;
    let (key, edit) = read_context(&req, body)?;
    let at = target(&guest, key);
    let (view, is_new) = block(move || contexts::merge(&app, &actor, &at, &edit)).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(guest.finish(response.json(Context::from(view))))
}

/// `GET /contexts/{key}`.
pub async fn get_context(app: Data<App>, guest: Guest, req: HttpRequest) -> Result<HttpResponse> {
    guest.reading()?;
    let at = target(&guest, segment(&req, "context")?);
    let view =
        block(move || app.read_consistent(|conn| contexts::get(conn, &at.site, &at.environment, &at.key)))
            .await?;
    Ok(guest.finish(HttpResponse::Ok().json(Context::from(view))))
}

/// `DELETE /contexts/{key}`.
pub async fn delete_context(app: Data<App>, guest: Guest, req: HttpRequest) -> Result<HttpResponse> {
    let actor = guest.writer(&req)?;
    let detach = Query::only(&req, &["detach"])?.flag("detach")?;
    let at = target(&guest, segment(&req, "context")?);
    block(move || contexts::delete(&app, &actor, &at, detach)).await?;
    Ok(guest.finish(HttpResponse::NoContent().finish()))
}

/// `GET /contexts/{key}/features`: what everything resolves to, as text.
pub async fn look_up(app: Data<App>, guest: Guest, req: HttpRequest) -> Result<HttpResponse> {
    let snapshot = guest.serving()?;
    let started = Instant::now();
    let subject = Subject::of(segment(&req, "context")?);
    let lookup = Lookup::new(snapshot, &subject)?;
    let features: BTreeMap<&str, String> = snapshot
        .features()
        .filter_map(|feature| Some((&*feature.key, text(feature, lookup.find(feature).value?))))
        .collect();
    app.metrics.looked_up(if lookup.exists { "found" } else { "unknown" }, started.elapsed());
    Ok(guest.finish(HttpResponse::Ok().json(features)))
}
