//! `GET …/stream`: Server-Sent Events (native-api "Client routes"). Each connection keeps its context and the
//! snapshot it last answered from; on a change it evaluates what changed in both and sends what differs.

use std::collections::VecDeque;
use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use tokio::sync::{broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior};

use super::answers::EvaluatesQuery;
use super::client::{nanos, read_context, require_path};
use super::params::{ContextQuery, EnvironmentPath, LastEventId};
use super::wire;
use crate::api::request::Query;
use crate::api::streams::Counted;
use crate::app::App;
use crate::auth::extract::StreamKey;
use crate::clock::Millis;
use crate::engine::compile::Feature;
use crate::engine::evaluate::{Evaluation, Evaluator};
use crate::engine::snapshot::{Snapshot, Status};
use crate::error::Result;
use crate::live::Notice;
use crate::live::credentials::Token;

/// What a stream looks like, for the description of the API.
const EVENTS: &str = "retry: 2000\n\
event: snapshot\n\
id: 412\n\
data: {\"revision\":412,\"features\":{\"new_checkout\":{\"value\":false,\"type\":\"BOOLEAN\",\"enabled\":true,\
\"reason\":\"DEFAULT\",\"ruleId\":null,\"variant\":null,\"version\":7}}}\n\
\n\
event: update\n\
id: 413\n\
data: {\"revision\":413,\"features\":{\"new_checkout\":{\"value\":true,\"type\":\"BOOLEAN\",\"enabled\":true,\
\"reason\":\"OVERRIDE\",\"ruleId\":null,\"variant\":null,\"version\":7}}}\n\
\n\
event: delete\n\
id: 414\n\
data: {\"revision\":414,\"keys\":[\"old_search\"]}\n\
\n\
event: status\n\
id: 415\n\
data: {\"status\":\"maintenance\"}\n\
\n\
: heartbeat\n";

struct Connection {
    app: Data<App>,
    token: Arc<Token>,
    context: String,
    /// What the client was last told, and when rules that read the clock were last asked.
    last: Arc<Snapshot>,
    last_now: Millis,
    status: Status,
    notices: broadcast::Receiver<Notice>,
    ending: watch::Receiver<bool>,
    heartbeat: Interval,
    queue: VecDeque<Bytes>,
    _counted: Counted,
}

/// Follow the changes
///
/// Server-Sent Events: `snapshot` first, unless `Last-Event-ID` is the current revision; then
///
/// - `update` with what changed for this context,
/// - `delete` with the keys of features that are gone,
/// - `status` when the environment leaves or enters `active`,
///
/// and a comment every 15 seconds. `id` is the revision. The data of `snapshot` and `update` are `revision` and
/// `features` as in an evaluation. An EventSource sets no headers, so a `client` token may stand in the query. The
/// stream counts as one request of the rate limit.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/stream",
    operation_id = "stream",
    tag = "Evaluation",
    security(("environmentToken" = []), ("apiKey" = [])),
    params(EnvironmentPath, ContextQuery, LastEventId),
    responses(
        (status = 200, description = "Events until either side ends.", body = String,
            content_type = "text/event-stream", example = json!(EVENTS)),
        EvaluatesQuery,
    ),
)]
pub async fn stream(app: Data<App>, key: StreamKey, req: HttpRequest) -> Result<HttpResponse> {
    let key = key.0;
    require_path(&req, &key)?;
    let context = Query::of(&req).get("context").unwrap_or("{}").to_owned();
    // Registered before the snapshot is read: what happens in between is seen twice rather than missed.
    let notices = key.token.environment.subscribe();
    let snapshot = key.snapshot()?;
    let now = app.now();
    let parsed = read_context(&context)?;
    let evaluator = Evaluator::new(&snapshot, &parsed, nanos(now))?;
    let known = req.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let mut first = b"retry: 2000\n".to_vec();
    // A revision says nothing of rules that read the clock: what they say may have changed since.
    if known == Some(snapshot.revision.to_string().as_str()) && !snapshot.reads_clock() {
        first.extend_from_slice(b": resumed\n\n");
    } else {
        let mut counting = app.live.counters.begin(key.token.environment.id.0, &snapshot, &parsed);
        let all = snapshot.features().map(|feature| evaluator.evaluate(feature));
        let data = features_data(&snapshot, all.inspect(|it| counting.add(it)), snapshot.len());
        app.live.counters.count(&counting.finish(), now);
        first.extend_from_slice(&frames(snapshot.revision, &[("snapshot", data)]));
    }
    drop(parsed);
    let every = app.config.heartbeat;
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let connection = Connection {
        ending: app.live.ending(),
        _counted: Counted::new(&app.metrics.streams),
        token: key.token.clone(),
        context,
        status: snapshot.info.status,
        last: snapshot,
        last_now: now,
        notices,
        heartbeat,
        queue: VecDeque::from([first.into()]),
        app,
    };
    let body = futures_util::stream::unfold(connection, |mut connection| async move {
        let bytes = connection.next().await?;
        Some((Ok::<Bytes, actix_web::Error>(bytes), connection))
    });
    let mut response = HttpResponse::Ok().streaming(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    key.note_limit(&mut response);
    Ok(response)
}

/// The data of an event that carries evaluated features.
fn features_data<'s>(
    snapshot: &Snapshot,
    evaluations: impl Iterator<Item = Evaluation<'s>>,
    count: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(wire::capacity(count));
    out.extend_from_slice(format!("{{\"revision\":{},\"features\":", snapshot.revision).as_bytes());
    wire::push_features(&mut out, evaluations);
    out.push(b'}');
    out
}

/// Events of one revision as bytes. Only the last carries the id: a connection that is cut in between must not
/// take itself for up to date.
fn frames(revision: u64, events: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(events.iter().map(|(_, data)| data.len() + 64).sum());
    for (at, (name, data)) in events.iter().enumerate() {
        out.extend_from_slice(format!("event: {name}\n").as_bytes());
        if at + 1 == events.len() {
            out.extend_from_slice(format!("id: {revision}\n").as_bytes());
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(data);
        out.extend_from_slice(b"\n\n");
    }
    out
}

/// Whether a client would see a difference; the version alone is none.
fn same(a: &Evaluation<'_>, b: &Evaluation<'_>) -> bool {
    let shape = |e: &Evaluation<'_>| (e.feature.definition().kind, e.feature.definition().enabled);
    a.value == b.value
        && a.reason == b.reason
        && a.rule_id == b.rule_id
        && a.variant.map(|variant| &variant.key) == b.variant.map(|variant| &variant.key)
        && shape(a) == shape(b)
}

impl Connection {
    /// The next bytes to send; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.queue.pop_front() {
                return Some(bytes);
            }
            let event = tokio::select! {
                _ = self.ending.wait_for(|ending| *ending) => return None,
                _ = self.heartbeat.tick() => None,
                notice = self.notices.recv() => Some(notice),
            };
            if !self.app.live.credentials.is_current(&self.token, self.app.now()) {
                return None;
            }
            match event {
                None => self.beat(),
                Some(Err(broadcast::error::RecvError::Closed)) => return None,
                // Too slow to hear everything: look at everything.
                Some(Err(broadcast::error::RecvError::Lagged(_))) => self.hear(None),
                Some(Ok(notice)) => self.hear(Some(notice)),
            }
        }
    }

    /// Time has passed: rules that read the clock may say something else now.
    fn beat(&mut self) {
        if self.last.reads_clock() && self.status == Status::Active {
            let mut events = Vec::new();
            self.tell(self.last.clone(), None, &mut events);
            self.send(self.last.revision, &events);
        }
        if self.queue.is_empty() {
            self.queue.push_back(Bytes::from_static(b": heartbeat\n\n"));
        }
    }

    /// Something changed: tells the status where that is another, and while active what differs.
    fn hear(&mut self, notice: Option<Notice>) {
        let snapshot = self.token.environment.snapshot();
        if snapshot.revision <= self.last.revision {
            return;
        }
        let status = snapshot.info.status;
        let mut events = Vec::new();
        if status != self.status {
            self.status = status;
            events.push(("status", format!("{{\"status\":\"{}\"}}", status.as_str()).into_bytes()));
        }
        if status == Status::Active {
            // The notice tells all only when it is of the one revision in between.
            let next = self.last.revision + 1;
            let changed = notice
                .filter(|notice| notice.revision == next && snapshot.revision == next)
                .and_then(|notice| notice.changed);
            self.tell(snapshot.clone(), changed.as_deref(), &mut events);
        }
        self.send(snapshot.revision, &events);
    }

    fn send(&mut self, revision: u64, events: &[(&str, Vec<u8>)]) {
        if !events.is_empty() {
            self.queue.push_back(frames(revision, events).into());
        }
    }

    /// Collects what differs between what the client was told last and this snapshot, now.
    fn tell(
        &mut self,
        snapshot: Arc<Snapshot>,
        changed: Option<&[String]>,
        events: &mut Vec<(&'static str, Vec<u8>)>,
    ) {
        let now = self.app.now();
        let Ok(context) = read_context(&self.context) else { return };
        let before = Evaluator::new(&self.last, &context, nanos(self.last_now));
        let after = Evaluator::new(&snapshot, &context, nanos(now));
        let (Ok(before), Ok(after)) = (before, after) else { return };
        let mut differing = Vec::new();
        let look = |old: &Feature, new: &Feature| same(&before.evaluate(old), &after.evaluate(new));
        let mut deleted: Vec<&str> = Vec::new();
        match changed {
            Some(keys) => {
                for key in keys {
                    match (self.last.feature(key), snapshot.feature(key)) {
                        (Some(_), None) => deleted.push(key),
                        (Some(old), Some(new)) if look(old, new) => {}
                        (_, Some(new)) => differing.push(new),
                        (None, None) => {}
                    }
                }
            }
            None => {
                for new in snapshot.features() {
                    match self.last.feature(&new.key) {
                        Some(old) if look(old, new) => {}
                        _ => differing.push(new),
                    }
                }
                let gone = self.last.features().filter(|old| snapshot.feature(&old.key).is_none());
                deleted.extend(gone.map(|old| &*old.key));
            }
        }
        if !differing.is_empty() {
            let counters = &self.app.live.counters;
            let mut counting = counters.begin(self.token.environment.id.0, &snapshot, &context);
            let evaluations = differing.iter().map(|feature| after.evaluate(feature));
            let data = features_data(&snapshot, evaluations.inspect(|it| counting.add(it)), differing.len());
            events.push(("update", data));
            counters.count(&counting.finish(), now);
        }
        if !deleted.is_empty() {
            let data =
                format!("{{\"revision\":{},\"keys\":{}}}", snapshot.revision, serde_json::json!(deleted));
            events.push(("delete", data.into_bytes()));
        }
        drop(context);
        self.last = snapshot;
        self.last_now = now;
    }
}
