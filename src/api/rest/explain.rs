//! `POST /api/v1/evaluate:explain`: the test console's answer.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::client::{cache_key, nanos, read_context};
use crate::admin::{read_body, scope};
use crate::api::request::Body;
use crate::app::App;
use crate::auth::extract::{Caller, Credential};
use crate::engine::decode::FieldError;
use crate::engine::evaluate::{Evaluator, Reason};
use crate::engine::explain::{Explanation, Rollout, RuleTrace, explain as explain_feature};
use crate::engine::permission::Permission;
use crate::engine::snapshot::Snapshot;
use crate::engine::value::{FeatureType, Json};
use crate::error::{Error, Result};

/// Why a feature has the value it has.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Explanation)]
pub struct View {
    pub feature: String,
    pub value: Json,
    #[serde(rename = "type")]
    pub kind: FeatureType,
    pub enabled: bool,
    pub reason: Reason,
    pub decision_id: String,
    /// Whether the in-process cache would have answered this context: `HIT` or `MISS`.
    pub cache: &'static str,
    #[schema(value_type = Object)]
    pub matched_rule: Option<MatchedRule>,
    pub variant: Option<String>,
    /// The rollout or split that decided, else the last one that left the user out.
    #[schema(value_type = Object)]
    pub rollout: Option<Rollout>,
    /// The stored Context that supplied the value.
    pub context: Option<String>,
    pub version: u64,
    /// Why the feature is served as its default although it has rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Every rule in the order of evaluation, and why it did or did not match.
    #[schema(value_type = Vec<Object>)]
    pub rules: Vec<RuleTrace>,
}

#[derive(Serialize, ToSchema)]
pub struct MatchedRule {
    pub id: String,
    pub name: String,
    pub priority: u8,
}

pub fn view(explanation: Explanation<'_>, cache: &'static str) -> Result<View> {
    let evaluation = explanation.evaluation;
    let feature = evaluation.feature;
    Ok(View {
        feature: feature.key.to_string(),
        value: Json::parse(evaluation.value).ok_or_else(|| Error::internal("a stored value is not JSON"))?,
        kind: feature.definition().kind,
        enabled: feature.definition().enabled,
        reason: evaluation.reason,
        decision_id: Uuid::now_v7().to_string(),
        cache,
        matched_rule: evaluation.rule.map(|rule| MatchedRule {
            id: rule.id.to_string(),
            name: rule.name.clone(),
            priority: rule.priority,
        }),
        variant: evaluation.variant.map(|variant| variant.key.clone()),
        rollout: explanation.rollout().cloned(),
        context: evaluation.context.map(str::to_owned),
        version: feature.stored.version,
        problem: feature.broken.clone(),
        rules: explanation.rules,
    })
}

/// Whether the cache holds the answer to this context, as clients usually send it.
fn cached(
    app: &App,
    snapshot: &Snapshot,
    environment: i64,
    names: [Option<&str>; 2],
    context: &str,
) -> &'static str {
    let Some(cache) = app.live.answers.as_ref().filter(|_| !snapshot.reads_clock()) else { return "MISS" };
    let mut bodies = vec![format!("{{\"context\":{context}}}")];
    if let [Some(site), Some(name)] = names {
        bodies.push(format!(
            "{{\"siteId\":{},\"environmentId\":{},\"context\":{context}}}",
            json!(site),
            json!(name)
        ));
    }
    let hit = bodies
        .iter()
        .any(|body| cache.contains_key(&cache_key(environment, snapshot.revision, body.as_bytes())));
    if hit { "HIT" } else { "MISS" }
}

/// `POST /evaluate:explain` `{siteId, environmentId, context, feature?}`, for a person or a server token.
/// Without `feature`, every feature: `{"results": […]}`.
pub async fn explain(app: Data<App>, who: Credential, _req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let text = body.text()?;
    let (site, environment, context, feature) = read_body(text, |object, problems| {
        let mut string = |name: &str| object.take_value(name).map(|node| node.string(problems));
        let (site, environment, feature) = (string("siteId"), string("environmentId"), string("feature"));
        let context = match object.take_value("context") {
            Some(node) => node.object(problems).map(|_| node.text().to_owned()),
            None => Some("{}".to_owned()),
        };
        Some((site.flatten(), environment.flatten(), context?, feature.flatten()))
    })?;
    let (live, key) = match who {
        Credential::Client(key) => {
            key.require_server()?;
            key.require(site.as_deref(), environment.as_deref())?;
            // The console goes on in maintenance, programs do not.
            key.snapshot()?;
            (key.token.environment.clone(), Some(key))
        }
        Credential::Caller(Caller(actor)) => {
            actor.require(Permission::Read)?;
            let (Some(site), Some(environment)) = (&site, &environment) else {
                let missing = [("siteId", site.is_none()), ("environmentId", environment.is_none())];
                let missing = missing.into_iter().filter(|(_, is_missing)| *is_missing);
                let problem = |(field, _): (&str, bool)| FieldError {
                    field: field.into(),
                    message: "is required".into(),
                };
                return Err(Error::Invalid(missing.map(problem).collect()));
            };
            let id = app.read(|conn| Ok(scope(conn, site, environment)?.1.id))?;
            let live = app.live.environment(id);
            (live.ok_or_else(|| Error::NotFound(format!("environment {environment}")))?, None)
        }
    };
    let snapshot = live.snapshot();
    let cache = cached(&app, &snapshot, live.id.0, [site.as_deref(), environment.as_deref()], &context);
    let context = read_context(&context)?;
    let evaluator = Evaluator::new(&snapshot, &context, nanos(app.now()))?;
    let mut response = match feature {
        Some(name) => {
            let feature =
                snapshot.feature(&name).ok_or_else(|| Error::NotFound(format!("feature {name}")))?;
            HttpResponse::Ok().json(view(explain_feature(&evaluator, feature), cache)?)
        }
        None => {
            let results: Result<Vec<View>> = snapshot
                .features()
                .map(|feature| view(explain_feature(&evaluator, feature), cache))
                .collect();
            HttpResponse::Ok().json(json!({ "results": results? }))
        }
    };
    if let Some(key) = key {
        key.note_limit(&mut response);
    }
    Ok(response)
}
