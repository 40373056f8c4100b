//! `GET /ofrep/v1/events`: tells a client to ask again (`service/event-streams.yaml`, ADR 0008). It says nothing
//! of the flags themselves, so it needs neither context nor key, only the ticket of a bulk answer.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use tokio::sync::{broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior};

use super::wire::Failure;
use crate::api::request::Query;
use crate::api::streams::Counted;
use crate::app::App;
use crate::auth::extract::admit;
use crate::clock::Millis;
use crate::engine::snapshot::Status;
use crate::error::Error;
use crate::live::Notice;
use crate::live::credentials::Token;

struct Connection {
    app: Data<App>,
    token: Arc<Token>,
    /// The revision that the client knows of.
    told: u64,
    notices: broadcast::Receiver<Notice>,
    ending: watch::Receiver<bool>,
    heartbeat: Interval,
    first: Option<Bytes>,
    _counted: Counted,
}

/// The one event there is. `etag` and `lastModified` (seconds since 1970) come back with the next request and
/// mean: an answer at least as new as this.
fn refetch(revision: u64, now: Millis) -> String {
    format!(
        "id: {revision}\nevent: message\ndata: {{\"type\":\"refetchEvaluation\",\"etag\":\"{revision}\",\
         \"lastModified\":{}}}\n\n",
        now.div_euclid(1000)
    )
}

/// See the module. 401 for a ticket that is unknown, too old, or of a token that is no longer good.
pub async fn events(app: Data<App>, req: HttpRequest) -> Result<HttpResponse, Failure> {
    let query = Query::of(&req);
    let now = app.now();
    let token = query
        .get("ticket")
        .and_then(|ticket| app.live.tickets.redeem(&app.live.credentials, ticket, now))
        .ok_or(Error::Unauthenticated("this ticket is unknown or too old: ask for the flags again"))?;
    let key = admit(&app, req.head(), token.clone())?;
    // Registered before the snapshot is read: what happens in between is seen twice rather than missed.
    let notices = token.environment.subscribe();
    let snapshot = token.environment.snapshot();
    if snapshot.info.status == Status::Archived {
        return Err(Error::Archived.into());
    }
    let revision = snapshot.revision;
    let again = req.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let known = again.or(query.get("since"));
    // A client that was away may have missed what the clock changed, too.
    let missed = known.is_some_and(|known| known != revision.to_string())
        || (again.is_some() && snapshot.reads_clock());
    let first = match missed {
        true => format!("retry: 2000\n{}", refetch(revision, now)),
        // Says where it is, which it repeats when it comes again.
        false => format!("retry: 2000\nid: {revision}\n\n"),
    };
    let every = app.config.heartbeat;
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let connection = Connection {
        ending: app.live.ending(),
        _counted: Counted::new(&app.metrics.streams),
        token,
        told: revision,
        notices,
        heartbeat,
        first: Some(first.into()),
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

impl Connection {
    /// The next bytes to send; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let beat = tokio::select! {
                _ = self.ending.wait_for(|ending| *ending) => return None,
                _ = self.heartbeat.tick() => true,
                notice = self.notices.recv() => match notice {
                    Err(broadcast::error::RecvError::Closed) => return None,
                    _ => false,
                },
            };
            let now = self.app.now();
            if !self.app.live.credentials.is_current(&self.token, now) {
                return None;
            }
            let snapshot = self.token.environment.snapshot();
            // Rules that read the clock may say something else now.
            if snapshot.revision > self.told || (beat && snapshot.reads_clock()) {
                self.told = snapshot.revision;
                return Some(refetch(snapshot.revision, now).into());
            }
            if beat {
                return Some(Bytes::from_static(b": heartbeat\n\n"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_the_one_of_the_protocol() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/spec/ofrep.json")).expect("JSON");
        assert_eq!(refetch(17, 1_790_000_000_999), vectors["event"]["wire"].as_str().expect("the event"));
    }
}
