//! `…/contexts` and `…/contexts/{context}/children`: pages of Contexts.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{require_reader, snapshot, target};
use crate::admin::contexts::View;
use crate::admin::contexts::list::{Matches, Wanted, children, page};
use crate::api::request::{Page, Query, segment};
use crate::api::rest::admin::block;
use crate::api::rest::answers::Searches;
use crate::api::rest::params::{ContextListQuery, ContextPath, EnvironmentPath, PageQuery};
use crate::app::App;
use crate::auth::extract::Credential;
use crate::error::Result;

/// How many requests of the rate limit a walk over all Contexts counts as (featuresd.md §7.2).
const DEAR: u32 = 10;

/// List Contexts
///
/// By key, `default` and `override` among them. `matches` and `descends_from` count as ten requests.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/contexts",
    operation_id = "listContexts",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath, ContextListQuery, PageQuery),
    responses(
        (status = 200, description = "A page of Contexts.", body = Page<View>),
        Searches,
    ),
)]
pub async fn list(app: Data<App>, who: Credential, req: HttpRequest) -> Result<HttpResponse> {
    require_reader(&who, &req)?;
    let known = ["q", "prototype", "descends_from", "feature", "matches", "limit", "cursor"];
    let query = Query::only(&req, &known)?;
    let own = |name: &str| query.get(name).map(str::to_owned);
    let limit = query.limit()?;
    if let Credential::Client(key) = &who
        && (own("matches").is_some() || own("descends_from").is_some())
    {
        key.charge(&req, &app, DEAR - 1)?;
    }
    let snapshot = snapshot(&app, &req).await?;
    let wanted = Wanted {
        q: own("q").unwrap_or_default(),
        prototype: own("prototype"),
        descends_from: own("descends_from"),
        feature: own("feature"),
        matches: own("matches").map(|text| Matches::parse(&snapshot, &text)).transpose()?,
        after: query.cursor()?,
        limit: limit + 1,
    };
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let views = block(move || {
        app.read_consistent(|conn| {
            let (_, environment) = crate::admin::scope(conn, &site, &environment)?;
            page(conn, &environment, &snapshot, &wanted)
        })
    })
    .await?;
    Ok(HttpResponse::Ok().json(Page::of(views, limit, |view| view.key.clone(), |view| view)))
}

/// List who inherits from a Context
///
/// Those that name it as a prototype themselves, by key.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/contexts/{context}/children",
    operation_id = "listContextChildren",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath, ContextPath, PageQuery),
    responses(
        (status = 200, description = "A page of Contexts.", body = Page<View>),
        Searches,
    ),
)]
pub async fn list_children(app: Data<App>, who: Credential, req: HttpRequest) -> Result<HttpResponse> {
    require_reader(&who, &req)?;
    let query = Query::only(&req, &["limit", "cursor"])?;
    let (limit, after, at) = (query.limit()?, query.cursor()?, target(&req)?);
    let views = block(move || {
        app.read_consistent(|conn| {
            children(conn, &at.site, &at.environment, &at.key, after.as_deref(), limit + 1)
        })
    })
    .await?;
    Ok(HttpResponse::Ok().json(Page::of(views, limit, |view| view.key.clone(), |view| view)))
}
