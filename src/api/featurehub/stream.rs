//! `GET /features/{key}`: Server-Sent Events (featurehub.md §3).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use rand::Rng;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};

use super::context::Sent;
use super::failure::Failure;
use super::handlers::sent;
use super::keys::named;
use super::views::{self, Sight};
use super::wire::{push_event, status_event};
use crate::api::request::Query;
use crate::api::streams::Counted;
use crate::app::App;
use crate::auth::extract::admit;
use crate::clock::Millis;
use crate::engine::snapshot::{Snapshot, Status};
use crate::error::Error;
use crate::live::Notice;
use crate::live::counters::Tally;
use crate::live::credentials::Token;

/// How long a stream that failed stays open: a client that comes back at once shall not do so all the time.
const FAILED_FOR: Duration = Duration::from_secs(5);
/// After how long, at least and at most, one that cannot be served is told to come back.
const WAITING: std::ops::Range<u64> = 1_000..10_000;
/// Later than any stream lives.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where a stream stands.
enum State {
    /// It cannot be served now; told `bye` at that time, and served as soon as it can.
    Waiting { bye_at: Option<Instant> },
    /// It was sent its features.
    Served,
    /// It ends at that time.
    Ending(Instant),
}

struct Connection {
    app: Data<App>,
    /// `None`: the key is not known.
    token: Option<Arc<Token>>,
    sight: Sight,
    sent: Sent,
    /// What the client holds already, where it told.
    resume: Option<Box<str>>,
    acknowledged: bool,
    state: State,
    /// What the client was last told, and when rules that read the clock were last asked.
    last: Option<(Arc<Snapshot>, Millis)>,
    /// While the key is over its limit: when its window ends.
    limited_until: Option<Instant>,
    notices: Option<broadcast::Receiver<Notice>>,
    ending: watch::Receiver<bool>,
    comment_at: Instant,
    heartbeat_at: Instant,
    drop_at: Instant,
    queue: VecDeque<Bytes>,
    _counted: Counted,
}

/// Follows the changes of an environment: values for the context that was sent, or strategies.
pub async fn stream(app: Data<App>, req: HttpRequest) -> Result<HttpResponse, Failure> {
    let path = req.uri().path().strip_prefix("/features/").unwrap_or_default();
    let key = match named(path) {
        Some(named) if named.feature.is_empty() => named.key,
        _ => return Err(Failure::not_found("this key is malformed")),
    };
    let settings = &app.config.featurehub;
    let now = Instant::now();
    let after = |time: Duration| now + if time.is_zero() { NEVER } else { time };
    let mut connection = Connection {
        token: key.find(&app),
        sight: Sight { strategies: false, extended: false },
        sent: context(&req),
        resume: req
            .headers()
            .get("last-event-id")
            .and_then(|id| id.to_str().ok())
            .map(|id| id.trim().trim_matches('"').into()),
        acknowledged: false,
        state: State::Waiting {
            bye_at: Some(now + Duration::from_millis(rand::rng().random_range(WAITING))),
        },
        last: None,
        limited_until: None,
        notices: None,
        ending: app.live.ending(),
        comment_at: after(app.config.heartbeat),
        heartbeat_at: after(settings.heartbeat),
        drop_at: after(settings.drop_after),
        queue: VecDeque::new(),
        _counted: Counted::new(&app.metrics.streams),
        app: app.clone(),
    };
    connection.open(&req)?;
    let body = futures_util::stream::unfold(connection, |mut connection| async move {
        let bytes = connection.next().await?;
        Some((Ok::<Bytes, actix_web::Error>(bytes), connection))
    });
    let mut response = HttpResponse::Ok().streaming(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    let cached = match settings.fastly {
        true => format!("public, max-age={}", settings.drop_after.as_secs().saturating_sub(1)),
        false => "no-store".to_owned(),
    };
    if let Ok(value) = HeaderValue::from_str(&cached) {
        headers.insert(CACHE_CONTROL, value);
    }
    if settings.fastly
        && let Ok(value) = HeaderValue::from_str(&key.environment.to_string())
    {
        headers.insert(HeaderName::from_static("surrogate-key"), value);
    }
    Ok(response)
}

/// The context of a stream: browsers put the header into the query, encoded once more as a whole.
fn context(req: &HttpRequest) -> Sent {
    match Query::of(req).get("xfeaturehub") {
        // A plus of the query is one of the header: nothing but the encoding of the whole is undone.
        Some(_) => {
            let raw = req.query_string().split('&').find_map(|pair| pair.strip_prefix("xfeaturehub="));
            let header = percent_encoding::percent_decode_str(raw.unwrap_or_default()).decode_utf8_lossy();
            Sent::parse([header.as_ref()])
        }
        None => sent(req.headers()),
    }
}

impl Connection {
    /// Sends what comes first.
    fn open(&mut self, req: &HttpRequest) -> Result<(), Failure> {
        let Some(token) = self.token.clone() else {
            self.fail();
            return Ok(());
        };
        self.sight = Sight::of(&token);
        if self.sight.strategies {
            // What it says of its user is its own affair.
            self.sent = Sent::default();
        }
        // Registered before the snapshot is read: what happens in between is seen twice rather than missed.
        self.notices = Some(token.environment.subscribe());
        match admit(&self.app, req.head(), token) {
            Ok(_) => {}
            Err(Error::Limited(standing)) => {
                self.limited_until = Some(Instant::now() + Duration::from_secs(standing.reset));
            }
            Err(error) => return Err(error.into()),
        }
        self.look(None);
        if matches!(self.state, State::Waiting { .. }) {
            self.acknowledge();
        }
        Ok(())
    }

    fn acknowledge(&mut self) {
        if !std::mem::replace(&mut self.acknowledged, true) {
            self.queue.push_back(status_event("ack", "discover").into());
        }
    }

    /// Tells the client that it will never be served, and ends after a while.
    fn fail(&mut self) {
        self.acknowledge();
        self.queue.push_back(status_event("failure", "stop requesting, this key is not known").into());
        self.state = State::Ending(Instant::now() + FAILED_FOR);
    }

    fn bye(&mut self) {
        self.queue.push_back(status_event("bye", "closed").into());
    }

    /// The next bytes to send; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.queue.pop_front() {
                return Some(bytes);
            }
            if let State::Ending(at) = self.state {
                tokio::select! {
                    _ = sleep_until(at) => {}
                    _ = self.ending.wait_for(|ending| *ending) => {}
                }
                return None;
            }
            let next = self.next_moment();
            let heard = tokio::select! {
                _ = self.ending.wait_for(|ending| *ending) => Heard::End,
                _ = sleep_until(next) => Heard::Time,
                notice = hear(&mut self.notices) => Heard::Notice(notice),
            };
            if matches!(heard, Heard::End) {
                self.bye();
                self.state = State::Ending(Instant::now());
                continue;
            }
            if !self.is_welcome() {
                self.fail();
                continue;
            }
            match heard {
                Heard::End => {}
                Heard::Time => self.time_passed(Instant::now()),
                Heard::Notice(Err(broadcast::error::RecvError::Closed)) => self.fail(),
                // Too slow to hear everything: look at everything.
                Heard::Notice(Err(broadcast::error::RecvError::Lagged(_))) => self.look(None),
                Heard::Notice(Ok(notice)) => self.look(Some(notice)),
            }
        }
    }

    /// Whether the token is neither revoked nor expired.
    fn is_welcome(&self) -> bool {
        self.token.as_ref().is_some_and(|token| self.app.live.credentials.is_current(token, self.app.now()))
    }

    fn next_moment(&self) -> Instant {
        let state = match self.state {
            State::Waiting { bye_at } => [bye_at, self.limited_until].into_iter().flatten().min(),
            State::Served => Some(self.drop_at),
            State::Ending(at) => Some(at),
        };
        let times = [Some(self.comment_at), Some(self.heartbeat_at), state];
        times.into_iter().flatten().min().unwrap_or(self.comment_at)
    }

    fn time_passed(&mut self, now: Instant) {
        if now >= self.comment_at {
            self.comment_at = now + self.app.config.heartbeat;
            self.reconsider();
            if self.queue.is_empty() {
                self.queue.push_back(Bytes::from_static(b": still here\n\n"));
            }
        }
        if now >= self.heartbeat_at {
            self.heartbeat_at = now + self.app.config.featurehub.heartbeat;
            self.queue.push_back(Bytes::from_static("event: ack\ndata: \"❤️\"\n\n".as_bytes()));
        }
        match &mut self.state {
            State::Served if now >= self.drop_at => {
                self.bye();
                self.state = State::Ending(now);
            }
            State::Waiting { bye_at } if bye_at.is_some_and(|at| now >= at) => {
                *bye_at = None;
                self.bye();
            }
            State::Waiting { .. } if self.limited_until.is_some_and(|until| now >= until) => {
                self.limited_until = None;
                self.look(None);
            }
            _ => {}
        }
    }

    /// Looks at the newest snapshot and tells what there is to tell.
    fn look(&mut self, notice: Option<Notice>) {
        let Some(token) = &self.token else { return };
        let snapshot = token.environment.snapshot();
        if self.last.as_ref().is_some_and(|(last, _)| snapshot.revision <= last.revision) {
            return;
        }
        match snapshot.info.status {
            Status::Archived => self.fail(),
            Status::Maintenance => {
                if matches!(self.state, State::Served) {
                    self.bye();
                    self.state = State::Waiting { bye_at: None };
                }
            }
            Status::Active if self.limited_until.is_some() => {}
            Status::Active => match self.last.take() {
                None => self.begin(snapshot),
                Some(last) => self.go_on(last, snapshot, notice),
            },
        }
    }

    /// Sends everything, unless the client holds just that.
    fn begin(&mut self, snapshot: Arc<Snapshot>) {
        let now = self.app.now();
        let extended = self.sight.extended;
        let mut counted = None;
        let (features, tag) = if self.sight.strategies {
            if let Some(token) = &self.token {
                token.environment.hand_out(now);
            }
            let list = views::expressed(&snapshot, extended);
            (list.features, list.tag.to_string())
        } else {
            let Some((features, tally)) = self.evaluate(&snapshot, now) else {
                // Stored Contexts that cannot be followed: until that is mended there is nothing to send.
                return;
            };
            counted = Some(tally);
            let body = snapshot.reads_clock().then_some(features.as_slice());
            let tag = views::evaluated_tag(&snapshot, extended, &self.sent, body);
            (features.into(), tag)
        };
        let resumes = self.resume.take().is_some_and(|held| *held == *tag);
        if resumes {
            self.queue.push_back(Bytes::from_static(b": resumed\n\n"));
        } else {
            if let Some(tally) = counted {
                self.app.metrics.evaluations.inc_by(views::shown(&snapshot).count() as u64);
                self.app.live.counters.count(&tally, now);
            }
            self.acknowledge();
            let mut out = Vec::with_capacity(features.len() + 64);
            push_event(&mut out, "features", Some(&tag), |out| out.extend_from_slice(&features));
            self.queue.push_back(out.into());
        }
        self.state = State::Served;
        self.last = Some((snapshot, now));
    }

    /// Every value for the client's context, and what is counted of them.
    fn evaluate(&self, snapshot: &Snapshot, now: Millis) -> Option<(Vec<u8>, Tally)> {
        let environment = self.token.as_ref()?.environment.id;
        let context = self.sent.context();
        let mut counting = self.app.live.counters.begin(environment.0, snapshot, &context);
        counting.expect(snapshot.len());
        let extended = self.sight.extended;
        let features = views::evaluated(snapshot, extended, &context, now, |one| counting.add(one));
        Some((features.ok()?, counting.finish()))
    }

    /// Sends what differs from what the client was told last.
    fn go_on(&mut self, last: (Arc<Snapshot>, Millis), snapshot: Arc<Snapshot>, notice: Option<Notice>) {
        let now = self.app.now();
        // The notice tells all only when it is of the one revision in between.
        let next = last.0.revision + 1;
        let changed = notice
            .filter(|notice| notice.revision == next && snapshot.revision == next)
            .and_then(|notice| notice.changed);
        let frames = self.differences(&last, (&snapshot, now), changed.as_deref());
        let Some(frames) = frames else {
            self.last = Some(last);
            return;
        };
        if !frames.is_empty() {
            self.queue.push_back(frames);
        }
        self.state = State::Served;
        self.last = Some((snapshot, now));
    }

    fn differences(
        &self,
        (last, then): &(Arc<Snapshot>, Millis),
        (snapshot, now): (&Snapshot, Millis),
        changed: Option<&[String]>,
    ) -> Option<Bytes> {
        let extended = self.sight.extended;
        if self.sight.strategies {
            return Some(views::expressed_frames(last, snapshot, changed, extended));
        }
        let token = self.token.as_ref()?;
        let (context, mut count) = (self.sent.context(), 0);
        let mut counting = self.app.live.counters.begin(token.environment.id.0, snapshot, &context);
        let frames =
            views::evaluated_frames((last, *then), (snapshot, now), changed, &context, extended, |one| {
                count += 1;
                counting.add(one);
            });
        self.app.metrics.evaluations.inc_by(count);
        self.app.live.counters.count(&counting.finish(), now);
        frames.ok().map(Into::into)
    }

    /// Time has passed: rules that read the clock may say something else now.
    fn reconsider(&mut self) {
        if self.sight.strategies || !matches!(self.state, State::Served) {
            return;
        }
        if let Some((last, then)) = self.last.take() {
            let now = self.app.now();
            if last.reads_clock()
                && let Some(frames) = self.differences(&(last.clone(), then), (&last, now), None)
                && !frames.is_empty()
            {
                self.queue.push_back(frames);
            }
            self.last = Some((last, now));
        }
    }
}

/// What ends the waiting for something to say.
enum Heard {
    End,
    Time,
    Notice(Result<Notice, broadcast::error::RecvError>),
}

/// The next notice; never, where nobody is listened to.
async fn hear(
    notices: &mut Option<broadcast::Receiver<Notice>>,
) -> Result<Notice, broadcast::error::RecvError> {
    match notices {
        Some(notices) => notices.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn browsers_encode_the_header_once_more() {
        let header = "plus=a%2Bb,city=Istanbul%20City,family=Bambam%2CDJ%20Elif,userkey=tv-show";
        let encoded = header.replace('%', "%25");
        let by_query = TestRequest::with_uri(&format!("/features/x?a=b&xfeaturehub={encoded}"))
            .insert_header(("x-featurehub", "userkey=other"))
            .to_http_request();
        let by_header = TestRequest::default().insert_header(("x-featurehub", header)).to_http_request();
        assert_eq!(context(&by_query), Sent::parse([header]));
        assert_eq!(context(&by_header), Sent::parse([header]));
        assert_eq!(context(&TestRequest::default().to_http_request()), Sent::default());
    }
}
