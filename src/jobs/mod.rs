//! Work that nobody waits for: watching the file for other processes, writing counts, throwing away what is
//! too old. A panic in a job is caught, counted and logged; the job goes on.

pub mod fastly;
pub mod gdpr;
pub mod mail;
pub mod webhooks;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::admin;
use crate::app::App;
use crate::clock::Millis;
use crate::error::Result;
use crate::live::WATCH_INTERVAL;
use crate::store;

/// How often counts are written.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);
/// How often mail that is due is looked for, and GDPR requests.
const MAIL_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked for environments that a cache must forget.
const PURGE_INTERVAL: Duration = Duration::from_millis(200);
/// How often old rows are deleted.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

/// No job waits longer for its first time.
const FIRST: Duration = Duration::from_secs(60);

/// The purpose of the secret that users are hashed with.
const ANALYTICS: &str = "analytics";

/// How long jobs may take to end, all in all.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// The running jobs. Stop them with [`Jobs::stop`], which also writes what is left.
pub struct Jobs {
    app: Arc<App>,
    stops: Vec<Sender<()>>,
    webhooks: Arc<webhooks::Pool>,
    threads: Vec<JoinHandle<()>>,
}

impl Jobs {
    /// Starts every job on a thread of its own.
    pub fn start(app: &Arc<App>) -> std::io::Result<Self> {
        let mut jobs =
            Self { app: app.clone(), stops: Vec::new(), threads: Vec::new(), webhooks: Arc::default() };
        prepare_counting(app);
        jobs.every("watch", WATCH_INTERVAL, watch)?;
        jobs.every("flush", FLUSH_INTERVAL, flush)?;
        jobs.every("prune", PRUNE_INTERVAL, prune)?;
        if app.config.smtp_url.is_some() {
            jobs.every("mail", MAIL_INTERVAL, mail::run)?;
        }
        jobs.every("gdpr", MAIL_INTERVAL, gdpr::run)?;
        if let Some(settings) = &app.config.featurehub.purges {
            let mut purges = fastly::Purges::new(settings.clone());
            jobs.every("purge", PURGE_INTERVAL, move |app| purges.run(app))?;
        }
        for number in 1..=app.config.workers {
            let (pool, app) = (jobs.webhooks.clone(), app.clone());
            let named = std::thread::Builder::new().name(format!("webhooks-{number}"));
            jobs.threads.push(named.spawn(move || pool.work(&app))?);
        }
        Ok(jobs)
    }

    fn every(
        &mut self,
        name: &'static str,
        interval: Duration,
        mut job: impl FnMut(&App) -> Result<()> + Send + 'static,
    ) -> std::io::Result<()> {
        let (stop, stopped) = channel();
        let app = self.app.clone();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            repeat(&app, name, interval, &mut job, &stopped);
        })?;
        self.stops.push(stop);
        self.threads.push(thread);
        Ok(())
    }

    /// Ends the jobs, writes the last counts and closes the WAL. A job that waits for somebody outside is left
    /// behind: what it was about is a row, and done the next time.
    pub fn stop(self) {
        drop(self.stops);
        self.webhooks.stop(&self.app);
        let end = Instant::now() + STOP_TIMEOUT;
        for thread in self.threads {
            while !thread.is_finished() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
            if !thread.is_finished() {
                let name = thread.thread().name().unwrap_or_default();
                tracing::warn!(job = name, "a job is still busy and will be done the next time");
            } else if thread.join().is_err() {
                tracing::error!("a job thread ended in a panic");
            }
        }
        run(&self.app, "flush", &mut flush);
        if let Err(error) = self.app.store.checkpoint() {
            tracing::warn!(%error, "the WAL could not be moved into the database file; nothing is lost");
        }
    }
}

/// What users are hashed with follows from the server's key, so that they are the same ones after a restart. To be done
/// before the first is counted.
pub fn prepare_counting(app: &App) {
    if let Err(error) = admin::analytics::stale::note_beginning(app) {
        tracing::warn!(?error, "it is not known since when evaluations are counted");
    }
    if app.live.counters.is_on() {
        know_people(app);
    }
}

/// Sets what users are hashed with, once.
pub fn know_people(app: &App) {
    if app.live.counters.has_secret() {
        return;
    }
    match app.seal.derive(ANALYTICS) {
        Ok(secret) => app.live.counters.set_secret(&secret),
        Err(error) => tracing::warn!(?error, "users are counted anew after a restart"),
    }
}

fn repeat(
    app: &App,
    name: &'static str,
    interval: Duration,
    job: &mut dyn FnMut(&App) -> Result<()>,
    stopped: &Receiver<()>,
) {
    // What a server that is started anew every hour must do, too.
    let mut next = Instant::now() + interval.min(FIRST);
    while let Err(RecvTimeoutError::Timeout) =
        stopped.recv_timeout(next.saturating_duration_since(Instant::now()))
    {
        run(app, name, job);
        next = Instant::now() + interval;
    }
}

fn run(app: &App, name: &'static str, job: &mut dyn FnMut(&App) -> Result<()>) {
    match catch_unwind(AssertUnwindSafe(|| job(app))) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(job = name, ?error, "a job failed; it will be tried again"),
        Err(_) => {
            app.metrics.job_panics.inc();
            tracing::error!(job = name, "a job panicked; it will be tried again");
        }
    }
}

/// Sees what another process wrote. While somebody writes here, their commit comes first.
fn watch(app: &App) -> Result<()> {
    match app.store.try_writer() {
        Some(writer) => app.live.watch(&writer),
        None => Ok(()),
    }
}

/// Writes counted evaluations and uses of tokens.
fn flush(app: &App) -> Result<()> {
    let pending = app.live.counters.take();
    app.metrics.analytics_dropped.inc_by(app.live.counters.take_dropped());
    let uses = app.live.credentials.take_uses();
    let handed_out: Vec<_> = app
        .live
        .environments()
        .iter()
        .filter_map(|environment| Some((environment.id, environment.take_handed_out()?)))
        .collect();
    if pending.is_empty() && uses.is_empty() && handed_out.is_empty() {
        return Ok(());
    }
    let now = app.now();
    let mut writer = app.store.writer();
    let result = app.noted((|| {
        let tx = writer.transaction()?;
        let outcome = store::analytics::write(&tx, &pending, now)?;
        for (environment, at) in &handed_out {
            store::analytics::note_handed_out(&tx, *environment, *at)?;
        }
        for (token, times, at) in &uses {
            store::tokens::add_uses(&tx, *token, *times, *at)?;
        }
        tx.commit()?;
        Ok(outcome)
    })());
    match result {
        Ok(outcome) => {
            app.metrics.analytics_dropped.inc_by(outcome.dropped);
            for (environment, feature, below) in &outcome.narrowed {
                app.live.counters.set_limit(*environment, feature, *below);
            }
            Ok(())
        }
        Err(error) => {
            app.live.counters.put_back(pending);
            app.live.credentials.put_back_uses(&uses);
            Err(error)
        }
    }
}

/// Deletes counts and events older than the retention, and what has had its time.
fn prune(app: &App) -> Result<()> {
    let retention = Millis::try_from(app.config.retention.as_millis()).unwrap_or(Millis::MAX);
    let before = app.now().saturating_sub(retention);
    let writer = app.store.writer();
    store::analytics::prune(&writer, before)?;
    store::mails::prune(&writer, before)?;
    store::webhooks::prune(&writer, before)?;
    store::webhooks::forget_previous(&writer, app.now())?;
    store::gdpr::prune_exports(&writer, app.now().saturating_sub(crate::admin::gdpr::EXPORT))?;
    store::sessions::prune(&writer, app.now())?;
    store::changes::prune_outbox(&writer, before, app.now().saturating_sub(webhooks::OWED))
}
