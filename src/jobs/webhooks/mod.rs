//! Delivers webhooks. A pool of threads takes the webhooks that are owed something, one thread a webhook and one a
//! receiver, so that events arrive in order and a slow receiver holds up nobody else. Where a webhook stands is
//! written after the answer, so a crash repeats some events (with the same id) and loses none.

pub mod body;
pub mod examples;
pub mod send;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rand::Rng;
use rusqlite::TransactionBehavior;
use url::Url;

use crate::app::App;
use crate::clock::Millis;
use crate::error::Result;
use crate::store::webhooks::{self as rows, Delivery, Event, Outcome, Progress, Webhook};
use crate::{admin, store};

/// How long a webhook is one thread's: longer than a request can take, and renewed with every write.
const LEASE: Millis = 30_000;
/// Events that are read at once.
const BATCH: u32 = 100;
/// Deliveries are written down at least this often.
const FLUSH: Duration = Duration::from_millis(200);
/// A webhook with much to say makes room for others after this.
const TURN: Duration = Duration::from_secs(3);
/// How often it is looked for work that nobody announced: another process's, or what is to be tried again.
const LOOK: Duration = Duration::from_secs(1);
/// How long after the start that is done for the first time.
const FIRST_LOOK: Duration = Duration::from_millis(100);
/// Tries in the log of each webhook.
pub const KEPT: u32 = 1000;
/// Seconds to wait after each failed try; after the last one the event is given up: some four hours.
const PAUSES: [u64; 7] = [5, 30, 120, 600, 1800, 3600, 7200];
/// Longest that a receiver can ask us to wait.
const LONGEST: u64 = 7200;
/// A webhook that failed for so long is turned off when it gives another event up: three days.
pub const PATIENCE: Millis = 3 * 24 * 3600 * 1000;
/// So long events are kept for a webhook that is owed them, whatever the retention is: until it would be turned off,
/// and a day for the tries of its last event.
pub const OWED: Millis = PATIENCE + 24 * 3600 * 1000;

/// Wakes the threads when there is something to deliver.
#[derive(Default)]
pub struct Bell {
    rung: Mutex<u64>,
    heard: Condvar,
}

impl Bell {
    /// There is something to do.
    pub fn ring(&self) {
        *self.rung.lock() += 1;
        self.heard.notify_all();
    }

    /// Waits until it rang after `seen`, or a while. Gives how often it rang.
    fn wait(&self, seen: u64, longest: Duration) -> u64 {
        let mut rung = self.rung.lock();
        if *rung == seen {
            self.heard.wait_for(&mut rung, longest);
        }
        *rung
    }
}

/// What the threads of one process know of each other.
#[derive(Default)]
pub struct Pool {
    stopping: AtomicBool,
    /// Receivers that a thread talks to.
    receivers: Mutex<HashSet<String>>,
    /// Threads that try a webhook again that failed.
    retrying: Mutex<usize>,
}

impl Pool {
    /// Ends every thread once it has written down what it did.
    pub fn stop(&self, app: &App) {
        self.stopping.store(true, Ordering::Relaxed);
        app.bell.ring();
    }

    /// One thread of the pool.
    pub fn work(&self, app: &Arc<App>) {
        // Not at once: whoever starts has to answer first.
        let mut seen = app.bell.wait(0, FIRST_LOOK);
        while !self.stopping.load(Ordering::Relaxed) {
            let worked = match catch_unwind(AssertUnwindSafe(|| self.next(app))) {
                Ok(Ok(worked)) => worked,
                Ok(Err(error)) => {
                    tracing::warn!(?error, "webhooks cannot be served; it will be tried again");
                    false
                }
                Err(_) => {
                    app.metrics.job_panics.inc();
                    tracing::error!("delivering a webhook panicked; it will be tried again");
                    false
                }
            };
            if !worked {
                seen = app.bell.wait(seen, LOOK);
            }
        }
    }

    /// Serves one webhook that is owed something. False when there is none.
    fn next(&self, app: &App) -> Result<bool> {
        let now = app.now();
        let candidates = app.read(|conn| rows::due(conn, now))?;
        for webhook in candidates {
            let Some(_held) = Held::take(self, app.config.workers, &webhook) else { continue };
            let owed = app.read(|conn| rows::owed(conn, &webhook, BATCH))?;
            if owed.is_empty() {
                pass_by(app, &webhook)?;
                continue;
            }
            let leased = {
                let writer = app.store.writer();
                rows::lease(&writer, &webhook, now, now + LEASE)?
            };
            if leased {
                self.serve(app, webhook, owed)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn serve(&self, app: &App, webhook: Webhook, owed: Vec<Event>) -> Result<()> {
        let mut turn = Turn::new(app, webhook);
        let begun = Instant::now();
        for event in owed {
            let go_on = turn.deliver(&event)?;
            if !go_on || begun.elapsed() > TURN || self.stopping.load(Ordering::Relaxed) {
                break;
            }
        }
        turn.finish()
    }
}

/// What a thread keeps others from: a receiver, and a place among those who try again.
struct Held<'p> {
    pool: &'p Pool,
    receiver: String,
    retries: bool,
}

impl<'p> Held<'p> {
    /// `None` while another thread talks to the same receiver, or too many wait for receivers that failed before.
    fn take(pool: &'p Pool, workers: usize, webhook: &Webhook) -> Option<Self> {
        let receiver = Url::parse(&webhook.settings.url)
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_else(|_| webhook.uuid.clone());
        let retries = webhook.attempts > 0 || webhook.failing_since.is_some();
        let mut retrying = pool.retrying.lock();
        if retries && *retrying >= workers.div_ceil(2) {
            return None;
        }
        if !pool.receivers.lock().insert(receiver.clone()) {
            return None;
        }
        *retrying += usize::from(retries);
        Some(Self { pool, receiver, retries })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.pool.retrying.lock() -= usize::from(self.retries);
        self.pool.receivers.lock().remove(&self.receiver);
    }
}

/// Moves a webhook past changes that it is not told of, so that they are not looked through again and again.
fn pass_by(app: &App, webhook: &Webhook) -> Result<()> {
    const FAR: i64 = 200;
    let newest = app.read(|conn| {
        // Looked at in this order: what comes after the number was read is behind it.
        let newest = rows::newest_change(conn)?;
        Ok((newest - webhook.position > FAR && rows::owed(conn, webhook, 1)?.is_empty()).then_some(newest))
    })?;
    if let Some(newest) = newest {
        rows::advance(&app.store.writer(), webhook.id, newest)?;
    }
    Ok(())
}

/// How long to wait after so many failed tries; `None`: not again.
fn pause(attempts: u32, retry_after: Option<u64>) -> Option<Millis> {
    let seconds = *PAUSES.get(usize::try_from(attempts).ok()?.checked_sub(1)?)?;
    let jittered = seconds as f64 * rand::rng().random_range(0.9..1.1) * 1000.0;
    let asked = retry_after.unwrap_or(0).min(LONGEST).saturating_mul(1000);
    Some((jittered as Millis).max(Millis::try_from(asked).unwrap_or(Millis::MAX)))
}

/// One thread serving one webhook.
struct Turn<'a> {
    app: &'a App,
    /// As it stood when it was taken, or when this turn wrote last.
    webhook: Webhook,
    progress: Progress,
    /// The last try, if it failed and that is not written down.
    failure: Option<Failure>,
    /// The last event has used all its tries.
    gave_up: bool,
    unwritten: Vec<Delivery>,
    written: Instant,
    /// The name of the environment of the last event.
    place: Option<(Option<String>, String)>,
}

/// A try that failed.
struct Failure {
    number: i64,
    attempt: u32,
    at: Millis,
    retry_after: Option<u64>,
}

impl<'a> Turn<'a> {
    fn new(app: &'a App, webhook: Webhook) -> Self {
        let progress = Progress {
            position: webhook.position,
            attempts: webhook.attempts,
            due_at: 0,
            failing_since: webhook.failing_since,
            leased_until: 0,
        };
        Self {
            app,
            webhook,
            progress,
            failure: None,
            gave_up: false,
            unwritten: Vec::new(),
            written: Instant::now(),
            place: None,
        }
    }

    /// Tries one event; false when the webhook must wait, or is not what it was.
    fn deliver(&mut self, event: &Event) -> Result<bool> {
        let Some(number) = event.number else { return Ok(true) };
        let known = self.place.take().filter(|(environment, _)| *environment == event.environment);
        let (stands, place) = self.app.read(|conn| {
            let stands = self.stands(rows::by_id(conn, self.webhook.id)?.as_ref());
            let place = known.map_or_else(|| send::place(conn, event), |(_, place)| Ok(place))?;
            Ok((stands, place))
        })?;
        if !stands {
            return Ok(false);
        }
        // Tries belong to one event: not to the one that comes after it was called off.
        let tries = if number == self.progress.position + 1 { self.progress.attempts } else { 0 };
        let attempt = tries + 1;
        let body = body::render(self.webhook.settings.format, event, &place);
        self.place = Some((event.environment.clone(), place));
        let tried = send::attempt(self.app, &self.webhook, event, body, attempt);
        let now = self.app.now();
        let delivered = tried.delivery.outcome == Outcome::Delivered;
        if delivered {
            self.app.metrics.webhooks_delivered.inc();
            self.progress.failing_since = None;
            self.pass(number);
        } else {
            self.app.metrics.webhooks_failed.inc();
            self.failure = Some(Failure { number, attempt, at: now, retry_after: tried.retry_after });
        }
        self.unwritten.push(tried.delivery);
        if delivered && self.written.elapsed() > FLUSH {
            return self.write(now + LEASE);
        }
        Ok(delivered)
    }

    fn pass(&mut self, number: i64) {
        self.progress.position = number;
        self.progress.attempts = 0;
        self.progress.due_at = 0;
    }

    /// What follows from a failed try: a pause, or the end of its event.
    fn count(&mut self, failure: &Failure) {
        self.progress.failing_since.get_or_insert(failure.at);
        match pause(failure.attempt, failure.retry_after) {
            Some(pause) => {
                // Tries are of the change right behind the position.
                self.progress.position = failure.number - 1;
                self.progress.attempts = failure.attempt;
                self.progress.due_at = failure.at + pause;
            }
            None => {
                if let Some(delivery) = self.unwritten.last_mut() {
                    delivery.outcome = Outcome::GivenUp;
                }
                self.gave_up = true;
                self.pass(failure.number);
            }
        }
    }

    /// Whether nobody changed the webhook meanwhile, delivered an event by hand, or saw that the receiver is back.
    fn stands(&self, row: Option<&Webhook>) -> bool {
        let of = |webhook: &Webhook| (webhook.position, webhook.due_at, webhook.failing_since);
        row.is_some_and(|row| {
            of(row) == of(&self.webhook)
                && row.settings == self.webhook.settings
                && row.secret == self.webhook.secret
        })
    }

    /// Writes down what was done. False when the webhook is not what it was: what arrived stays so, but a failure from
    /// before does not count, and the next turn begins with how it is now.
    fn write(&mut self, leased_until: Millis) -> Result<bool> {
        let mut writer = self.app.store.writer();
        let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let row = rows::by_id(&tx, self.webhook.id)?;
        let stands = self.stands(row.as_ref());
        if let Some(failure) = self.failure.take().filter(|_| stands) {
            self.count(&failure);
        }
        self.progress.leased_until = leased_until;
        // It may have been deleted, and its log with it.
        for delivery in self.unwritten.iter().filter(|_| row.is_some()) {
            rows::log(&tx, self.webhook.id, delivery)?;
        }
        rows::prune_log(&tx, self.webhook.id, KEPT)?;
        if stands {
            rows::set_progress(&tx, self.webhook.id, &self.progress)?;
        } else {
            rows::advance(&tx, self.webhook.id, self.progress.position)?;
            rows::free(&tx, self.webhook.id, leased_until)?;
        }
        tx.commit()?;
        if stands {
            self.webhook.position = self.progress.position;
            self.webhook.due_at = self.progress.due_at;
            self.webhook.failing_since = self.progress.failing_since;
        }
        self.unwritten.clear();
        self.written = Instant::now();
        Ok(stands)
    }

    fn finish(mut self) -> Result<()> {
        // From now on others may take it; those served longest ago come first.
        let now = self.app.now();
        self.write(-now)?;
        // Not while its event has tries left: one that had nothing to say since an event was given up days ago would be
        // turned off by the first failure of the next.
        if self.gave_up && self.progress.failing_since.is_some_and(|since| now - since >= PATIENCE) {
            admin::webhooks::give_up(self.app, &self.webhook.uuid)?;
        }
        Ok(())
    }
}

/// What a process that died had taken is free again. Only for a process that knows itself alone on the file.
pub fn release(app: &App) -> Result<()> {
    store::webhooks::release_all(&app.store.writer(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_over_hours_with_jitter_and_end() {
        for (attempts, seconds) in (1..).zip(PAUSES) {
            let pauses: HashSet<Millis> = (0..20).filter_map(|_| pause(attempts, None)).collect();
            let around = seconds as f64 * 1000.0;
            assert!(pauses.iter().all(|p| (*p as f64 - around).abs() <= around * 0.1), "{pauses:?}");
            assert!(pauses.len() > 10, "not all at once");
        }
        assert_eq!(pause(8, None), None, "the eighth try is the last");
        assert!((3..6).contains(&(PAUSES.iter().sum::<u64>() / 3600)), "some hours");
        assert_eq!(pause(1, Some(60)), Some(60_000), "as the receiver asks");
        assert_eq!(pause(1, Some(u64::MAX)), Some(7_200_000), "within reason");
    }
}
