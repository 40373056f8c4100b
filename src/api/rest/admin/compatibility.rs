//! `…/compatibility`: what of an environment a door cannot serve.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::block;
use crate::admin::scope;
use crate::api::featurehub::strategies::inexpressible;
use crate::api::request::{Query, segment};
use crate::api::rest::answers::StrictReads;
use crate::api::rest::params::EnvironmentPath;
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::error::{Error, Result};

/// What some clients cannot be served.
#[derive(Serialize, ToSchema)]
pub struct Compatibility {
    pub items: Vec<Incompatibility>,
}

/// A feature that a door leaves out.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "feature": "new_checkout", "door": "featurehub",
    "reason": "rule “Nordic beta”: its percentages are those of sha256; FeatureHub's clients put users into buckets by murmur3"
}))]
pub struct Incompatibility {
    /// The key of the feature.
    pub feature: String,
    /// `featurehub`: keys whose clients evaluate by themselves.
    pub door: &'static str,
    /// Why, for people.
    pub reason: String,
}

/// Read what a door cannot serve
///
/// Features that cannot be expressed exactly in the protocol of some clients are left out of what those are sent. Each
/// is named here with the reason.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/compatibility",
    operation_id = "getCompatibility",
    tag = "Environments",
    security(("personalAccessToken" = [])),
    params(EnvironmentPath),
    responses(
        (status = 200, description = "By feature key; empty where everything can be served.", body = Compatibility),
        StrictReads,
    ),
)]
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    Query::only(&req, &[])?;
    let (site, environment) = (segment(&req, "site")?, segment(&req, "environment")?);
    let found = block(move || {
        let (_, environment) = app.read(|conn| scope(conn, &site, &environment))?;
        let live = app.live.environment(environment.id);
        let live = live.ok_or_else(|| Error::NotFound("the environment".into()))?;
        let snapshot = live.snapshot();
        let found = inexpressible(&snapshot).into_iter().map(|(feature, reason)| Incompatibility {
            feature: feature.to_owned(),
            door: "featurehub",
            reason,
        });
        Ok(Compatibility { items: found.collect() })
    });
    Ok(HttpResponse::Ok().json(found.await?))
}
