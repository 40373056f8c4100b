//! `POST /api/v1/evaluate:explain`: the test console's answer.

use std::collections::BTreeMap;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::answers::Explains;
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
#[schema(as = Explanation, example = json!({
    "feature": "new_checkout", "value": true, "type": "BOOLEAN", "enabled": true, "reason": "SPLIT",
    "decisionId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0c01", "cache": "MISS",
    "matchedRule": {"id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "name": "Nordic beta", "priority": 50},
    "variant": null,
    "rollout": {"by": "userId", "key": "123", "bucket": 1207, "percentage": 25.5, "included": true},
    "context": null, "version": 7,
    "rules": [{
        "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "name": "Nordic beta", "priority": 50, "matched": true,
        "why": {
            "attribute": "country", "operator": "in", "values": ["SE", "NO"], "actual": "SE", "result": true
        },
        "rollout": {"by": "userId", "key": "123", "bucket": 1207, "percentage": 25.5, "included": true}
    }]
}))]
pub struct View {
    /// Its key.
    pub feature: String,
    pub value: Json,
    #[serde(rename = "type")]
    pub kind: FeatureType,
    pub enabled: bool,
    pub reason: Reason,
    pub decision_id: String,
    /// Whether the in-process cache would have answered this context: `HIT` or `MISS`.
    pub cache: &'static str,
    #[schema(required)]
    pub matched_rule: Option<MatchedRule>,
    /// The key of the variant that was given.
    #[schema(required)]
    pub variant: Option<String>,
    /// The rollout or split that decided, else the last one that left the user out.
    #[schema(required)]
    pub rollout: Option<Rollout>,
    /// The stored Context that supplied the value.
    #[schema(required)]
    pub context: Option<String>,
    pub version: u64,
    /// Why the feature is served as its default although it has rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Every rule in the order of evaluation, and why it did or did not match.
    pub rules: Vec<RuleTrace>,
}

/// The rule that decided.
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
pub fn cached(
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

/// What to explain, and for whom.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "siteId": "shop", "environmentId": "prod", "feature": "new_checkout",
    "context": {"userId": "123", "country": "SE"}
}))]
pub struct ExplainRequest {
    /// Id or slug of the site; an environment token may leave it out.
    pub site_id: Option<String>,
    /// Id or name of the environment; an environment token may leave it out.
    pub environment_id: Option<String>,
    /// Empty when left out.
    pub context: Option<BTreeMap<String, Json>>,
    /// The key of one feature; all of them when left out.
    pub feature: Option<String>,
}

/// One explanation, or those of all features.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum ExplainAnswer {
    One(Box<View>),
    All(Explanations),
}

/// The explanations of all features.
#[derive(ToSchema)]
pub struct Explanations {
    /// By key.
    pub results: Vec<View>,
}

/// Explain an evaluation
///
/// The test console's answer: the value, which rule, rollout or stored Context decided, and why every other rule did
/// not. For a person, who names site and environment, or for a `server` token. Nothing is counted.
#[utoipa::path(
    post,
    path = "/evaluate:explain",
    operation_id = "explain",
    tag = "Evaluation",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    request_body = ExplainRequest,
    responses(
        (status = 200, description = "One explanation for a request with `feature`, else one for each feature.",
            body = inline(ExplainAnswer)),
        Explains,
    ),
)]
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
