//! The client routes: evaluate by POST and GET, ruleset, analytics reports (feature-config §3).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::answers::{Evaluates, Serves};
use super::params::{EnvironmentPath, IfNoneMatch};
use super::wire;
use crate::api::request::{AnyBody, Body, MAX_ANSWER, Query, none_match, segment};
use crate::app::App;
use crate::auth::extract::{ClientKey, StreamKey, bearer};
use crate::auth::secret::PERSONAL_PREFIX;
use crate::clock::{self, Millis};
use crate::engine::compile::Feature;
use crate::engine::context::{BorrowedText, Context, Members};
use crate::engine::decode::{Node, Problems};
use crate::engine::evaluate::Evaluator;
use crate::engine::snapshot::{Snapshot, StoredContext};
use crate::engine::value::Json;
use crate::error::{self, Error, Result};
use crate::live::Answer;
use crate::live::counters::{Counting, Tally};
use crate::live::reports::{self, ConversionShape, ReportsShape};

/// A batch has at most this many contexts (feature-config §3).
const MAX_BATCH: usize = 1000;

const PRIVATE: HeaderValue = HeaderValue::from_static("private, max-age=0, must-revalidate");
const JSON_TYPE: HeaderValue = HeaderValue::from_static("application/json");
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Nanoseconds, as rules read the clock.
pub fn nanos(now: Millis) -> i128 {
    i128::from(now) * 1_000_000
}

/// For whom to evaluate which features.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "siteId": "shop", "environmentId": "prod", "context": {"userId": "123", "plan": "premium", "country": "SE"}
}))]
pub struct EvaluateRequest<'a> {
    /// Id or slug of the site; may be left out, the token names it.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    site_id: Option<BorrowedText<'a>>,
    /// Id or name of the environment; may be left out, the token names it.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    environment_id: Option<BorrowedText<'a>>,
    /// What is known about the user: attributes, `userId` among them where rollouts shall stick.
    #[serde(borrow)]
    #[schema(value_type = Option<BTreeMap<String, Json>>)]
    context: Option<Members<'a>>,
    /// Only these features, by key; all of them when left out.
    #[serde(borrow)]
    #[schema(value_type = Option<Vec<String>>)]
    features: Option<Vec<BorrowedText<'a>>>,
}

/// Says everything that is wrong with a body that serde refused.
fn diagnose(body: &str, with_entities: bool) -> Error {
    let node = match Node::parse(body) {
        Ok(node) => node,
        Err(error) => return Error::BadJson(format!("the body is not JSON: {error}")),
    };
    let mut problems = Problems::default();
    let Some(mut object) = node.object(&mut problems) else {
        return Error::BadJson("the body must be a JSON object".into());
    };
    for name in ["siteId", "environmentId"] {
        if let Some(node) = object.take_value(name) {
            node.string(&mut problems);
        }
    }
    let check_context = |node: Node<'_>, problems: &mut Problems| {
        if node.object(problems).is_some()
            && let Err(error) = serde_json::from_str::<Members<'_>>(node.text())
        {
            problems.add(&node.path, format!("cannot be read: {error}"));
        }
    };
    if with_entities {
        if let Some(node) = object.require("entities", &mut problems) {
            for item in node.list(MAX_BATCH, &mut problems).unwrap_or_default() {
                check_context(item, &mut problems);
            }
        }
    } else if let Some(node) = object.take_value("context") {
        check_context(node, &mut problems);
    }
    if let Some(node) = object.take_value("features") {
        node.strings(usize::MAX, &mut problems);
    }
    object.finish(&mut problems);
    error::check(problems).err().unwrap_or_else(|| Error::invalid("", "cannot be read"))
}

/// The features asked for, each once, and the names of those that are not there.
struct Selection<'s, 'q> {
    features: Option<Vec<&'s Arc<Feature>>>,
    missing: Vec<&'q str>,
}

impl<'s, 'q> Selection<'s, 'q> {
    fn of(snapshot: &'s Snapshot, wanted: Option<impl Iterator<Item = &'q str>>) -> Self {
        let Some(wanted) = wanted else { return Self { features: None, missing: Vec::new() } };
        let mut seen = std::collections::HashSet::new();
        let (mut features, mut missing) = (Vec::new(), Vec::new());
        for key in wanted.filter(|key| seen.insert(*key)) {
            match snapshot.feature(key) {
                Some(feature) => features.push(feature),
                None => missing.push(key),
            }
        }
        Self { features: Some(features), missing }
    }

    fn len(&self, snapshot: &Snapshot) -> usize {
        self.features.as_ref().map_or(snapshot.len(), Vec::len)
    }

    fn write(
        &self,
        out: &mut Vec<u8>,
        snapshot: &'s Snapshot,
        evaluator: &Evaluator<'s, '_>,
        counting: &mut Counting<'_>,
    ) {
        out.extend_from_slice(b"\"features\":");
        let evaluate = |feature: &'s Arc<Feature>| {
            let evaluation = evaluator.evaluate(feature);
            counting.add(&evaluation);
            evaluation
        };
        match &self.features {
            Some(features) => wire::push_features(out, features.iter().copied().map(evaluate)),
            None => wire::push_features(out, snapshot.features().map(evaluate)),
        }
        out.push(b',');
        wire::push_missing(out, &self.missing);
    }
}

/// The part of an answer that may be kept: head, tail, how many features it holds, and what is counted.
fn answer(
    app: &App,
    key: &ClientKey,
    snapshot: &Snapshot,
    context: &Context<'_>,
    selection: &Selection<'_, '_>,
    now: Millis,
    request: Option<&[u8]>,
) -> Result<Answer> {
    let evaluator = Evaluator::new(snapshot, context, nanos(now))?;
    let mut head = Vec::with_capacity(128);
    wire::push_head(&mut head, snapshot);
    let features = selection.len(snapshot);
    let mut tail = Vec::with_capacity(wire::capacity(features));
    let mut counting = app.live.counters.begin(key.token.environment.id.0, snapshot, context);
    counting.expect(features);
    request.into_iter().for_each(|request| counting.recall(request));
    selection.write(&mut tail, snapshot, &evaluator, &mut counting);
    tail.push(b'}');
    Ok(Answer { head, tail, features, tally: counting.finish() })
}

/// The whole body: what may be kept, with the time and the decision's id in between.
fn assemble(answer: &Answer, now: Millis) -> Vec<u8> {
    let mut body = Vec::with_capacity(answer.head.len() + answer.tail.len() + 110);
    body.extend_from_slice(&answer.head);
    body.extend_from_slice(b",\"evaluatedAt\":\"");
    clock::push_rfc3339(&mut body, now);
    body.extend_from_slice(b"\",\"decisionId\":\"");
    push_decision_id(&mut body, now);
    body.extend_from_slice(b"\",");
    body.extend_from_slice(&answer.tail);
    body
}

fn push_decision_id(out: &mut Vec<u8>, now: Millis) {
    let mut buffer = Uuid::encode_buffer();
    // Not `Uuid::now_v7`: no two answers need to be told apart by order within a millisecond.
    let id = uuid::Builder::from_unix_timestamp_millis(now.unsigned_abs(), &rand::random()).into_uuid();
    out.extend_from_slice(id.hyphenated().encode_lower(&mut buffer).as_bytes());
}

fn ok(body: Vec<u8>, cache: &'static str, key: &ClientKey) -> HttpResponse {
    let mut response = HttpResponse::with_body(StatusCode::OK, BoxBody::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON_TYPE);
    headers.insert(X_CACHE, HeaderValue::from_static(cache));
    key.note_limit(&mut response);
    response
}

/// The cache key of a request: environment, revision, and the body as sent.
pub fn cache_key(environment: i64, revision: u64, body: &[u8]) -> Box<[u8]> {
    let mut key = Vec::with_capacity(16 + body.len());
    key.extend_from_slice(&environment.to_ne_bytes());
    key.extend_from_slice(&revision.to_ne_bytes());
    key.extend_from_slice(body);
    key.into()
}

/// Evaluate for one context
///
/// The features of the token's environment for the user whom the context describes. A value that is `null` means that
/// the client's own default applies.
#[utoipa::path(
    post,
    path = "/evaluate",
    operation_id = "evaluate",
    tag = "Evaluation",
    security(("environmentToken" = [])),
    request_body = EvaluateRequest,
    responses(
        (status = 200, description = "Every feature asked for, by key.", body = wire::Answer, headers(
            ("X-Cache" = String, description = "`HIT` when the in-process cache answered, else `MISS`."),
            ("RateLimit-Limit" = u32, description = "Requests a minute; absent for a token without a limit."),
            ("RateLimit-Remaining" = u32, description = "Requests left in this minute."),
            ("RateLimit-Reset" = u32, description = "Seconds until the minute is over."),
        )),
        Evaluates,
    ),
)]
pub fn evaluate(app: &App, key: &ClientKey, body: &Body) -> Result<HttpResponse> {
    let snapshot = key.snapshot()?;
    let now = app.now();
    let cache = app.live.answers.as_ref().filter(|_| !snapshot.reads_clock());
    let cache_key = cache.map(|_| cache_key(key.token.environment.id.0, snapshot.revision, &body.0));
    if let (Some(cache), Some(cache_key)) = (cache, &cache_key)
        && let Some(answer) = cache.get(cache_key)
    {
        app.metrics.cache_hits.inc();
        app.metrics.evaluations.inc_by(answer.features as u64);
        app.live.counters.count(&answer.tally, now);
        return Ok(ok(assemble(&answer, now), "HIT", key));
    }
    let text = body.text()?;
    let request: EvaluateRequest<'_> = serde_json::from_str(text).map_err(|_| diagnose(text, false))?;
    key.require(text_of(&request.site_id), text_of(&request.environment_id))?;
    let wanted = request.features.as_ref().map(|keys| keys.iter().map(|key| key.0.as_ref()));
    let selection = Selection::of(&snapshot, wanted);
    let context = Context::new(request.context.unwrap_or_default());
    let answer = answer(app, key, &snapshot, &context, &selection, now, Some(&body.0))?;
    let whole = assemble(&answer, now);
    app.metrics.cache_misses.inc();
    app.metrics.evaluations.inc_by(answer.features as u64);
    app.live.counters.count(&answer.tally, now);
    if let (Some(cache), Some(cache_key)) = (cache, cache_key) {
        cache.insert(cache_key, Arc::new(answer));
    }
    Ok(ok(whole, "MISS", key))
}

fn text_of<'t>(text: &'t Option<BorrowedText<'_>>) -> Option<&'t str> {
    text.as_ref().map(|text| text.0.as_ref())
}

/// For which contexts to evaluate which features.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "entities": [{"userId": "123", "country": "SE"}, {"userId": "124", "country": "DE"}], "features": ["new_checkout"]
}))]
pub struct BatchRequest<'a> {
    /// Id or slug of the site; may be left out, the token names it.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    site_id: Option<BorrowedText<'a>>,
    /// Id or name of the environment; may be left out, the token names it.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    environment_id: Option<BorrowedText<'a>>,
    /// One context for each answer.
    #[serde(borrow)]
    #[schema(value_type = Vec<BTreeMap<String, Json>>, max_items = 1000)]
    entities: Vec<Members<'a>>,
    /// Only these features, by key; all of them when left out.
    #[serde(borrow)]
    #[schema(value_type = Option<Vec<String>>)]
    features: Option<Vec<BorrowedText<'a>>>,
}

/// Evaluate for many contexts
///
/// The same for up to 1 000 contexts in one request, answered in their order. It counts as one request of the rate
/// limit.
#[utoipa::path(
    post,
    path = "/evaluate/batch",
    operation_id = "evaluateBatch",
    tag = "Evaluation",
    security(("environmentToken" = [])),
    request_body = BatchRequest,
    responses(
        (status = 200, description = "One result for each context.", body = wire::BatchAnswer, headers(
            ("RateLimit-Limit" = u32, description = "Requests a minute; absent for a token without a limit."),
            ("RateLimit-Remaining" = u32, description = "Requests left in this minute."),
            ("RateLimit-Reset" = u32, description = "Seconds until the minute is over."),
        )),
        Evaluates,
    ),
)]
pub fn evaluate_batch(app: &App, key: &ClientKey, body: &Body) -> Result<HttpResponse> {
    let snapshot = key.snapshot()?;
    let now = app.now();
    let text = body.text()?;
    let request: BatchRequest<'_> = serde_json::from_str(text).map_err(|_| diagnose(text, true))?;
    if request.entities.len() > MAX_BATCH {
        return Err(diagnose(text, true));
    }
    key.require(text_of(&request.site_id), text_of(&request.environment_id))?;
    let wanted = request.features.as_ref().map(|keys| keys.iter().map(|key| key.0.as_ref()));
    let selection = Selection::of(&snapshot, wanted);
    let features = selection.len(&snapshot);
    let entities = request.entities.len();
    // Not more than 16 MiB at once: answers may turn out shorter than thought.
    let mut out = Vec::with_capacity((entities * wire::capacity(features)).min(16 << 20));
    wire::push_head(&mut out, &snapshot);
    out.extend_from_slice(b",\"evaluatedAt\":\"");
    clock::push_rfc3339(&mut out, now);
    out.extend_from_slice(b"\",\"results\":[");
    let mut tallies = Vec::with_capacity(entities);
    for (at, members) in request.entities.into_iter().enumerate() {
        let context = Context::new(members);
        let evaluator = Evaluator::new(&snapshot, &context, nanos(now))?;
        out.extend_from_slice(if at == 0 { b"{\"decisionId\":\"" } else { b",{\"decisionId\":\"" });
        push_decision_id(&mut out, now);
        out.extend_from_slice(b"\",");
        let mut counting = app.live.counters.begin(key.token.environment.id.0, &snapshot, &context);
        counting.expect(features);
        selection.write(&mut out, &snapshot, &evaluator, &mut counting);
        tallies.push(counting.finish());
        out.push(b'}');
        if out.len() > MAX_ANSWER {
            let message = format!(
                "the answer would be larger than {MAX_ANSWER} bytes: ask for fewer entities, or for some features alone"
            );
            return Err(Error::BadRequest("answer_too_large", message));
        }
    }
    // Once nothing can be refused any more.
    for tally in &tallies {
        app.live.counters.count(tally, now);
    }
    out.extend_from_slice(b"]}");
    app.metrics.evaluations.inc_by((features * entities) as u64);
    Ok(ok(out, "MISS", key))
}

/// The context of a GET: `?context=` with JSON.
pub fn read_context(json: &str) -> Result<Context<'_>> {
    Context::from_json(json).map_err(|_| {
        let mut problems = Problems::default();
        match Node::parse(json) {
            Err(error) => Error::BadRequest("bad_json", format!("context is not JSON: {error}")),
            Ok(node) => {
                if node.object(&mut problems).is_none() {
                    problems = Problems::default();
                    problems.add("context", "must be a JSON object");
                } else {
                    problems.add("context", "cannot be read");
                }
                error::check(problems).err().unwrap_or_else(|| Error::invalid("context", "cannot be read"))
            }
        }
    })
}

/// The entity tag of an answer that depends on nothing but revision and request.
fn etag(snapshot: &Snapshot, path: &str, query: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (snapshot.info.id, path, query).hash(&mut hasher);
    tagged(snapshot.revision, hasher.finish())
}

/// `"7-0123456789abcdef"`, made without format strings: every 304 makes one.
fn tagged(revision: u64, hash: u64) -> String {
    let mut tag = String::with_capacity(40);
    tag.push('"');
    tag.push_str(itoa::Buffer::new().format(revision));
    tag.push('-');
    for at in (0..16).rev() {
        tag.push(char::from(b"0123456789abcdef"[(hash >> (4 * at)) as usize & 15]));
    }
    tag.push('"');
    tag
}

fn not_modified(etag: &str, key: &ClientKey) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::NOT_MODIFIED);
    tag(&mut response, etag);
    key.note_limit(&mut response);
    response
}

fn tag(response: &mut HttpResponse, etag: &str) {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(ETAG, value);
    }
    response.headers_mut().insert(CACHE_CONTROL, PRIVATE);
}

/// Answers a GET that evaluates, from its entity tag alone where nothing can have changed.
fn conditional(
    app: &App,
    head: &RequestHead,
    key: &ClientKey,
    snapshot: &Snapshot,
    now: Millis,
    write: impl FnOnce() -> Result<(Vec<u8>, Tally)>,
) -> Result<HttpResponse> {
    let mut etag = etag(snapshot, head.uri.path(), head.uri.query().unwrap_or_default());
    if !snapshot.reads_clock() && none_match(&head.headers, &etag) {
        return Ok(not_modified(&etag, key));
    }
    let (body, tally) = write()?;
    if snapshot.reads_clock() {
        let mut hasher = DefaultHasher::new();
        (&etag, &body).hash(&mut hasher);
        etag = tagged(snapshot.revision, hasher.finish());
        if none_match(&head.headers, &etag) {
            return Ok(not_modified(&etag, key));
        }
    }
    app.live.counters.count(&tally, now);
    let mut response = ok(body, "MISS", key);
    tag(&mut response, &etag);
    let headers = response.headers_mut();
    let mut text = Vec::with_capacity(36);
    clock::push_rfc3339(&mut text, now);
    for (name, text) in [("x-evaluated-at", text), ("x-decision-id", Uuid::now_v7().to_string().into_bytes())]
    {
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    Ok(response)
}

/// Site and environment of a path that asks for all features (below `/api/v1/`), where both stand in it as they are.
pub fn place(path: &str) -> Option<(&str, &str)> {
    let names = path.strip_prefix("sites/")?.strip_suffix("/features")?;
    if names.bytes().any(|byte| matches!(byte, b':' | b'%')) {
        return None;
    }
    let (site, rest) = names.split_once('/')?;
    let environment = rest.strip_prefix("environments/")?;
    (!site.is_empty() && !environment.is_empty() && !environment.contains('/')).then_some((site, environment))
}

/// Whether an environment token came along, not what people send.
pub fn is_program(headers: &HeaderMap) -> bool {
    bearer(headers).is_some_and(|secret| !secret.starts_with(PERSONAL_PREFIX))
}

/// `GET …/features` of a [`place`] with an environment token.
pub fn get_all(app: &App, head: &RequestHead) -> Result<HttpResponse> {
    let key = ClientKey::of(app, head)?;
    let place = head.uri.path().strip_prefix("/api/v1/").and_then(place);
    let (site, environment) = place.ok_or_else(|| Error::NotFound("this path".into()))?;
    key.require(Some(site), Some(environment))?;
    get_features(app, head, &key)
}

/// `GET …/features` with the token of the environment that the path names.
pub fn get_features(app: &App, head: &RequestHead, key: &ClientKey) -> Result<HttpResponse> {
    let snapshot = key.snapshot()?;
    let now = app.now();
    conditional(app, head, key, &snapshot, now, || {
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let context = read_context(query.get("context").unwrap_or("{}"))?;
        let selection = Selection::of(
            &snapshot,
            query.get("keys").map(|keys| keys.split(',').filter(|key| !key.is_empty())),
        );
        let answer = answer(app, key, &snapshot, &context, &selection, now, None)?;
        app.metrics.evaluations.inc_by(answer.features as u64);
        let mut body = answer.head;
        body.push(b',');
        body.extend_from_slice(&answer.tail);
        Ok((body, answer.tally))
    })
}

/// `GET …/features/{key}` with an environment token.
pub fn get_feature(app: &App, req: &HttpRequest, key: &ClientKey) -> Result<HttpResponse> {
    require_path(req, key)?;
    let snapshot = key.snapshot()?;
    let name = segment(req, "key")?;
    let feature = snapshot.feature(&name).ok_or_else(|| Error::NotFound(format!("feature {name}")))?;
    let now = app.now();
    conditional(app, req.head(), key, &snapshot, now, || {
        let query = Query::of(req);
        let context = read_context(query.get("context").unwrap_or("{}"))?;
        let evaluator = Evaluator::new(&snapshot, &context, nanos(now))?;
        app.metrics.evaluations.inc();
        let mut body = Vec::with_capacity(256);
        wire::push_head(&mut body, &snapshot);
        body.extend_from_slice(b",\"key\":");
        wire::push_string(&mut body, &feature.key);
        body.push(b',');
        let evaluation = evaluator.evaluate(feature);
        wire::push_evaluation(&mut body, &evaluation);
        body.push(b'}');
        let mut counting = app.live.counters.begin(key.token.environment.id.0, &snapshot, &context);
        counting.add(&evaluation);
        Ok((body, counting.finish()))
    })
}

/// `Forbidden` unless the path names the token's own environment.
pub fn require_path(req: &HttpRequest, key: &ClientKey) -> Result<()> {
    let (site, environment) = (segment(req, "site")?, segment(req, "environment")?);
    key.require(Some(&site), Some(&environment))
}

/// Read the ruleset
///
/// Everything a trusted client needs to evaluate by itself: features with their rules, segments, stored Contexts. For
/// `server` tokens only, since rules may say what users should not read.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/ruleset",
    operation_id = "getRuleset",
    tag = "Evaluation",
    security(("environmentToken" = [])),
    params(EnvironmentPath, IfNoneMatch),
    responses(
        (status = 200, description = "The ruleset of the newest revision.", body = wire::RulesetShape, headers(
            ("ETag" = String, description = "Of this revision; send it back as `If-None-Match`."),
            ("Cache-Control" = String, description = "`private, max-age=0, must-revalidate`"),
        )),
        (status = 304, description = "The revision is still the one that `If-None-Match` names."),
        Serves,
    ),
)]
pub async fn ruleset(app: Data<App>, req: HttpRequest, key: ClientKey) -> Result<HttpResponse> {
    require_path(&req, &key)?;
    key.require_server()?;
    let snapshot = key.snapshot()?;
    key.token.environment.hand_out(app.now());
    let etag = format!("\"{}-{}\"", snapshot.revision, snapshot.info.id.simple());
    if none_match(req.headers(), &etag) {
        return Ok(not_modified(&etag, &key));
    }
    let body = match snapshot.ruleset.get() {
        Some(body) => body.clone(),
        None => {
            let body: Arc<[u8]> = write_ruleset(&snapshot)?.into();
            snapshot.ruleset.get_or_init(|| body).clone()
        }
    };
    let mut response = ok(body.to_vec(), "HIT", &key);
    response.headers_mut().remove("x-cache");
    tag(&mut response, &etag);
    Ok(response)
}

fn write_ruleset(snapshot: &Snapshot) -> Result<Vec<u8>> {
    let features: Vec<_> = snapshot.features().map(|feature| &feature.stored).collect();
    let mut contexts: Vec<_> = snapshot.contexts().map(|context| &**context).collect();
    contexts.sort_by(|a, b| a.key.cmp(&b.key));
    #[derive(serde::Serialize)]
    struct Context<'a> {
        key: &'a str,
        prototypes: Vec<&'a str>,
        values: BTreeMap<&'a str, &'a Json>,
    }
    fn context(context: &StoredContext) -> Context<'_> {
        Context {
            key: &context.key,
            prototypes: context.prototypes.iter().map(|prototype| &**prototype).collect(),
            values: context.values.iter().map(|(key, value)| (&**key, value)).collect(),
        }
    }
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Ruleset<'a> {
        site: &'a str,
        environment: &'a str,
        revision: u64,
        user_id_is_context_key: bool,
        segments: &'a [crate::engine::feature::Segment],
        features: Vec<&'a crate::engine::compile::StoredFeature>,
        #[serde(rename = "override")]
        overrides: Option<Context<'a>>,
        contexts: Vec<Context<'a>>,
    }
    let ruleset = Ruleset {
        site: &snapshot.info.site,
        environment: &snapshot.info.name,
        revision: snapshot.revision,
        user_id_is_context_key: snapshot.info.user_id_is_context,
        segments: snapshot.segments(),
        features,
        overrides: snapshot.overrides().map(context),
        contexts: contexts.into_iter().map(context).collect(),
    };
    serde_json::to_vec(&ruleset).map_err(Error::internal)
}

/// Report evaluations
///
/// What a client evaluated by itself, or from its cache: answered at once and counted later. Pages send it on their
/// way out, so a `client` token may stand in the query and the body may be of any content type, as `sendBeacon` sends
/// it.
#[utoipa::path(
    post,
    path = "/analytics/evaluations",
    operation_id = "reportEvaluations",
    tag = "Evaluation",
    security(("environmentToken" = []), ("apiKey" = [])),
    request_body(content(
        (ReportsShape = "application/json"),
        (ReportsShape = "text/plain"),
    )),
    responses(
        (status = 202, description = "Taken; counted in the background.", body = wire::Accepted),
        Evaluates,
    ),
)]
pub async fn report_evaluations(app: Data<App>, key: StreamKey, body: AnyBody) -> Result<HttpResponse> {
    let snapshot = key.0.snapshot()?;
    let body = Body(body.0);
    let reports = reports::decode(body.text()?, app.now(), app.config.retention)?;
    let environment = key.0.token.environment.id;
    let mut accepted = 0;
    for report in reports {
        if let Some(feature) = snapshot.feature(&report.feature).cloned()
            && app.live.counters.report(environment.0, &snapshot, &feature, report)
        {
            accepted += 1;
        }
    }
    app.metrics.analytics_accepted.inc_by(accepted);
    let mut response = HttpResponse::Accepted().json(json!({ "accepted": accepted }));
    key.0.note_limit(&mut response);
    Ok(response)
}

/// Report a conversion
///
/// Something a user did that counts as a success, such as a purchase. The comparison of a feature's variants says how
/// many of those who were given each did it afterwards. A `client` token may stand in the query and the body may be of
/// any content type, as `sendBeacon` sends it.
#[utoipa::path(
    post,
    path = "/analytics/events",
    operation_id = "reportConversion",
    tag = "Evaluation",
    security(("environmentToken" = []), ("apiKey" = [])),
    request_body(content(
        (ConversionShape = "application/json"),
        (ConversionShape = "text/plain"),
    )),
    responses(
        (status = 202, description = "Taken; counted in the background.", body = wire::Accepted),
        Evaluates,
    ),
)]
pub async fn report_conversion(app: Data<App>, key: StreamKey, body: AnyBody) -> Result<HttpResponse> {
    key.0.snapshot()?;
    let body = Body(body.0);
    let event = reports::decode_event(body.text()?, app.now(), app.config.retention)?;
    let accepted = u64::from(app.live.counters.convert(key.0.token.environment.id.0, event));
    let mut response = HttpResponse::Accepted().json(json!({ "accepted": accepted }));
    key.0.note_limit(&mut response);
    Ok(response)
}
