//! `GET /features`: polling, with one or many keys (featurehub.md §2).

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, VARY,
};
use actix_web::web::Bytes;
use serde_json::json;

use super::context::Sent;
use super::failure::Failure;
use super::keys::Key;
use super::views::{self, Sight};
use crate::api::request::{none_match, parameters};
use crate::app::App;
use crate::auth::extract::{ClientKey, admit};
use crate::engine::snapshot::Snapshot;
use crate::error::Error;

const JSON_TYPE: HeaderValue = HeaderValue::from_static("application/json");
const VARIES: HeaderValue = HeaderValue::from_static("x-featurehub");

/// What the query says.
#[derive(Default)]
struct Asked {
    keys: Vec<Key>,
    /// Keys were given, though perhaps malformed ones.
    some: bool,
    has_context_hash: bool,
}

impl Asked {
    /// `sdkUrl` is the old name of `apiKey` and goes before it.
    fn of(query: &str) -> Self {
        let (mut asked, mut old, mut new) = (Self::default(), Vec::new(), Vec::new());
        for (name, value) in parameters(query) {
            match name.as_ref() {
                "apiKey" => new.push(value),
                "sdkUrl" => old.push(value),
                "contextSha" => asked.has_context_hash = true,
                _ => {}
            }
        }
        let given = if old.is_empty() { new } else { old };
        asked.some = given.iter().any(|key| !key.is_empty());
        for key in given.iter().filter_map(|key| Key::parse(key)) {
            if !asked.keys.contains(&key) {
                asked.keys.push(key);
            }
        }
        asked
    }
}

/// The context of a request, in its headers.
pub fn sent(headers: &HeaderMap) -> Sent {
    Sent::parse(headers.get_all("x-featurehub").filter_map(|line| line.to_str().ok()))
}

/// `GET /features`: the features of every key. 400 without a key, 404 where none is known.
pub fn features(app: &App, head: &RequestHead) -> Result<HttpResponse, Failure> {
    let asked = Asked::of(head.uri.query().unwrap_or_default());
    if !asked.some {
        return Err(Failure::bad("give a key: ?apiKey="));
    }
    if app.config.featurehub.fastly && !asked.has_context_hash {
        return Err(Failure::bad("contextSha is required, since a cache stands in front"));
    }
    let mut found = Vec::with_capacity(asked.keys.len());
    for key in &asked.keys {
        let client = match key.find(app) {
            Some(token) => serving(admit(app, head, token)?),
            None => None,
        };
        found.push((key, client));
    }
    if found.iter().all(|(_, client)| client.is_none()) {
        return Err(Failure::not_found("this key is not known"));
    }
    if let [(_, Some(client))] = found.as_slice()
        && Sight::of(&client.token).strategies
    {
        return ready_made(app, &head.headers, client);
    }
    several(app, &head.headers, &found)
}

/// The key, unless its environment is archived.
fn serving(client: ClientKey) -> Option<ClientKey> {
    match client.snapshot() {
        Err(Error::Archived) => None,
        _ => Some(client),
    }
}

/// One key whose clients evaluate by themselves: bytes that were made once.
fn ready_made(app: &App, headers: &HeaderMap, client: &ClientKey) -> Result<HttpResponse, Failure> {
    let snapshot = client.snapshot()?;
    client.token.environment.hand_out(app.now());
    let list = views::expressed(&snapshot, Sight::of(&client.token).extended);
    let Some((body, etag)) = list.alone else { return Err(Error::internal("no entity tag").into()) };
    let fresh =
        headers.contains_key(IF_NONE_MATCH) && etag.to_str().is_ok_and(|etag| none_match(headers, etag));
    let environments = [snapshot.info.id];
    Ok(answer(app, (!fresh).then_some(body), etag, &environments))
}

/// Any keys: each gets what it may see, in the order given.
fn several(
    app: &App,
    headers: &HeaderMap,
    found: &[(&Key, Option<ClientKey>)],
) -> Result<HttpResponse, Failure> {
    let now = app.now();
    let sent = sent(headers);
    let context = sent.context();
    let snapshots = found.iter().map(|(_, client)| client.as_ref().map(ClientKey::snapshot).transpose());
    let snapshots: Vec<_> = snapshots.collect::<Result<_, _>>()?;
    let evaluate = |client: &ClientKey, snapshot: &Snapshot, extended| {
        let mut counting = app.live.counters.begin(client.token.environment.id.0, snapshot, &context);
        counting.expect(snapshot.len());
        let features = views::evaluated(snapshot, extended, &context, now, |one| counting.add(one))?;
        Ok::<_, Error>((features, counting.finish()))
    };
    let mut tags = Vec::with_capacity(found.len());
    for ((_, client), snapshot) in found.iter().zip(&snapshots) {
        tags.push(match (client, snapshot) {
            (Some(client), Some(snapshot)) => match Sight::of(&client.token) {
                Sight { strategies: true, extended } => {
                    client.token.environment.hand_out(now);
                    views::expressed(snapshot, extended).tag.to_string()
                }
                Sight { extended, .. } => {
                    let body =
                        snapshot.reads_clock().then(|| evaluate(client, snapshot, extended)).transpose()?;
                    let body = body.as_ref().map(|(body, _)| body.as_slice());
                    views::evaluated_tag(snapshot, extended, &sent, body)
                }
            },
            _ => "-".to_owned(),
        });
    }
    let etag = format!("\"{}\"", tags.join(";"));
    let environments: Vec<_> = found.iter().map(|(key, _)| key.environment).collect();
    let tag = HeaderValue::from_str(&etag).map_err(Error::internal)?;
    if none_match(headers, &etag) {
        return Ok(answer(app, None, tag, &environments));
    }
    let mut body = vec![b'['];
    for (at, ((key, client), snapshot)) in found.iter().zip(&snapshots).enumerate() {
        if at > 0 {
            body.push(b',');
        }
        match (client, snapshot) {
            (Some(client), Some(snapshot)) => match Sight::of(&client.token) {
                Sight { strategies: true, extended } => {
                    views::push_environment(
                        &mut body,
                        key.environment,
                        &views::expressed(snapshot, extended).features,
                    );
                }
                Sight { extended, .. } => {
                    let (features, tally) = evaluate(client, snapshot, extended)?;
                    app.live.counters.count(&tally, now);
                    app.metrics.evaluations.inc_by(views::shown(snapshot).count() as u64);
                    views::push_environment(&mut body, key.environment, &features);
                }
            },
            // Without the member JavaScript and Python fail on the whole answer.
            _ => views::push_environment(&mut body, key.environment, b"[]"),
        }
    }
    body.push(b']');
    Ok(answer(app, Some(body.into()), tag, &environments))
}

/// The answer with its headers; 304 without a body.
fn answer(app: &App, body: Option<Bytes>, etag: HeaderValue, environments: &[uuid::Uuid]) -> HttpResponse {
    let settings = &app.config.featurehub;
    let mut response = match body {
        Some(body) => {
            let mut response = HttpResponse::with_body(StatusCode::OK, BoxBody::new(body));
            response.headers_mut().insert(CONTENT_TYPE, JSON_TYPE);
            response
        }
        None => HttpResponse::new(StatusCode::NOT_MODIFIED),
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, etag);
    headers.append(VARY, VARIES);
    if let Some(value) = &settings.cache_control
        && let Ok(value) = HeaderValue::from_str(value)
    {
        headers.insert(CACHE_CONTROL, value);
    }
    if settings.fastly {
        let ids: Vec<String> = environments.iter().map(ToString::to_string).collect();
        if let Ok(value) = HeaderValue::from_str(&ids.join(" ")) {
            headers.insert(HeaderName::from_static("surrogate-key"), value);
        }
    }
    response
}

/// `GET /info/version`.
pub async fn version() -> HttpResponse {
    HttpResponse::Ok().json(json!({"name": "featured", "version": env!("CARGO_PKG_VERSION")}))
}
