//! What is held in memory: a snapshot per environment, credentials, answers. Swapped by the writer right
//! after it commits, and by a watcher when another process wrote (design §3).

pub mod credentials;
pub mod limits;
pub mod reports;
pub mod tickets;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use moka::sync::Cache;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{broadcast, watch};

use crate::app::Touched;
use crate::clock::Millis;
use crate::config::Config;
use crate::engine::snapshot::{Builder, Snapshot};
use crate::error::Result;
use crate::ids::EnvironmentId;
use crate::store::changes::TouchedSince;
use crate::store::{self, counters as stored};
/// Evaluations that are counted: a crate of its own in `src/live/counters`.
pub use featured_counters as counters;

use counters::{Counters, Tally};
use credentials::Credentials;
use limits::Limits;
use tickets::Tickets;

/// More changed stored Contexts than this are not read one by one.
const MAX_FOUND: usize = 1000;
/// Changes a slow stream may lag behind before it looks at everything again.
const NOTICES: usize = 64;
/// Memory for cached answers, in bytes.
const CACHE_BYTES: u64 = 64 << 20;

/// One environment as clients see it.
pub struct Environment {
    pub id: EnvironmentId,
    snapshot: ArcSwap<Snapshot>,
    notices: broadcast::Sender<Notice>,
    /// When its rules were last handed out since that was written down; 0: not.
    handed_out: AtomicI64,
}

impl Environment {
    fn new(id: EnvironmentId, snapshot: Snapshot) -> Arc<Self> {
        let (notices, _) = broadcast::channel(NOTICES);
        Arc::new(Self {
            id,
            snapshot: ArcSwap::from_pointee(snapshot),
            notices,
            handed_out: AtomicI64::new(0),
        })
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Notes that a client was given rules to evaluate by itself, which nobody counts.
    pub fn hand_out(&self, now: Millis) {
        self.handed_out.store(now, Ordering::Relaxed);
    }

    /// When that last was, if it was since this was last asked.
    pub fn take_handed_out(&self) -> Option<Millis> {
        Some(self.handed_out.swap(0, Ordering::Relaxed)).filter(|at| *at != 0)
    }

    /// Hears of every later change.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Has every stream see whether its token still holds.
    fn wake(&self) {
        // Revision 0 is older than what any stream was told: there is nothing else to look at.
        let _ = self.notices.send(Notice { revision: 0, changed: None });
    }

    /// Keeps the snapshot unless a newer one is there, and tells the streams.
    fn swap(&self, snapshot: Snapshot, changed: Option<Vec<String>>) {
        let revision = snapshot.revision;
        if revision <= self.snapshot.load().revision {
            return;
        }
        self.snapshot.store(Arc::new(snapshot));
        // Nobody listening is fine.
        let _ = self.notices.send(Notice { revision, changed: changed.map(Arc::from) });
    }
}

/// What changed with a revision: features by key, or `None` for anything.
#[derive(Clone, Debug)]
pub struct Notice {
    pub revision: u64,
    pub changed: Option<Arc<[String]>>,
}

/// A cached answer: everything but what is new in each (native-api `POST /evaluate`).
pub struct Answer {
    /// Up to where `evaluatedAt` goes.
    pub head: Vec<u8>,
    /// From behind `decisionId` on.
    pub tail: Vec<u8>,
    /// How many features it gives a value for.
    pub features: usize,
    /// What is counted each time it is given.
    pub tally: Tally,
}

/// See the module.
pub struct Live {
    environments: ArcSwap<HashMap<EnvironmentId, Arc<Environment>>>,
    pub credentials: Credentials,
    pub limits: Limits,
    pub counters: Counters,
    pub tickets: Tickets,
    /// Keyed by environment, revision and request: equal bytes, not equal hashes.
    pub answers: Option<Cache<Box<[u8]>, Arc<Answer>, foldhash::quality::RandomState>>,
    /// Something committed could not be read; the watcher looks at everything again.
    stale: AtomicBool,
    seen: Mutex<Seen>,
    /// Counts committed changes, for pages that show the newest.
    changes: watch::Sender<u64>,
    shutdown: watch::Sender<bool>,
}

/// What another process was last seen to have written.
#[derive(Default)]
struct Seen {
    data_version: i64,
    credentials: i64,
}

/// What a transaction changed, for [`Live::apply`].
#[derive(Debug, Default)]
pub struct Effects {
    pub environments: BTreeMap<EnvironmentId, Effect>,
    pub removed: Vec<EnvironmentId>,
    pub credentials: bool,
}

#[derive(Debug, Default)]
pub struct Effect {
    pub revision: u64,
    /// `None`: everything.
    pub touched: Option<TouchedSince>,
}

impl Effects {
    /// What is known to have changed in an environment; `None`: everything did.
    fn effect(&mut self, environment: EnvironmentId) -> Option<&mut TouchedSince> {
        let nothing = || TouchedSince { features: Vec::new(), contexts: Some(Vec::new()) };
        self.environments
            .entry(environment)
            .or_insert_with(|| Effect { revision: 0, touched: Some(nothing()) })
            .touched
            .as_mut()
    }

    pub fn add(&mut self, touched: &Touched) {
        match touched {
            Touched::Nothing => {}
            Touched::Features(environment, keys) => {
                if let Some(effect) = self.effect(*environment) {
                    effect.features.extend(keys.iter().cloned());
                }
            }
            Touched::Contexts { environment, contexts, features } => {
                if let Some(effect) = self.effect(*environment) {
                    effect.features.extend(features.iter().cloned());
                    match (contexts, &mut effect.contexts) {
                        (Some(keys), Some(all)) => all.extend(keys.iter().cloned()),
                        (_, all) => *all = None,
                    }
                }
            }
            Touched::Environments(environments) => {
                for environment in environments {
                    self.environments.entry(*environment).or_default().touched = None;
                }
            }
            Touched::Removed(environments) => self.removed.extend(environments),
            Touched::Credentials => self.credentials = true,
        }
    }
}

impl Live {
    #[allow(clippy::borrowed_box, reason = "moka hands the weigher its key like that")]
    pub fn new(config: &Config) -> Self {
        let answers = (!config.cache_ttl.is_zero()).then(|| {
            Cache::builder()
                .max_capacity(CACHE_BYTES)
                .weigher(|key: &Box<[u8]>, answer: &Arc<Answer>| {
                    let bytes =
                        key.len() + answer.head.len() + answer.tail.len() + answer.tally.weight() + 200;
                    u32::try_from(bytes).unwrap_or(u32::MAX)
                })
                .time_to_live(config.cache_ttl)
                .build_with_hasher(foldhash::quality::RandomState::default())
        });
        Self {
            environments: ArcSwap::default(),
            credentials: Credentials::default(),
            limits: Limits::new(config.rate_limit),
            counters: Counters::new(config.sampling),
            tickets: Tickets::default(),
            answers,
            stale: AtomicBool::new(false),
            seen: Mutex::default(),
            changes: watch::channel(0).0,
            shutdown: watch::channel(false).0,
        }
    }

    /// The environment with this row id.
    pub fn environment(&self, id: EnvironmentId) -> Option<Arc<Environment>> {
        self.environments.load().get(&id).cloned()
    }

    pub fn environments(&self) -> Vec<Arc<Environment>> {
        self.environments.load().values().cloned().collect()
    }

    /// Compiles everything, at start.
    pub fn load_all(&self, writer: &Connection) -> Result<()> {
        // First: what another process commits from here on is looked at again.
        let data_version = data_version(writer)?;
        let moment = writer.unchecked_transaction()?;
        let mut builders = HashMap::new();
        for (id, _) in store::environments::revisions(&moment)? {
            builders.insert(id, Builder::new(store::snapshot::load_around(&moment, id)?));
        }
        store::features::for_each(&moment, |environment, feature| {
            if let Some(builder) = builders.get_mut(&environment) {
                builder.add(feature);
            }
        })?;
        let environments = builders.into_iter().map(|(id, built)| (id, Environment::new(id, built.build())));
        self.environments.store(Arc::new(environments.collect()));
        self.credentials.load(&moment, self)?;
        *self.seen.lock() = Seen { data_version, credentials: stored::read(&moment, stored::CREDENTIALS)? };
        Ok(())
    }

    /// Makes a committed transaction visible. The caller holds the writer. It cannot fail: what cannot be
    /// read stays as it was and is tried again.
    pub fn apply(&self, writer: &Connection, effects: &Effects) {
        if let Err(error) = self.try_apply(writer, effects) {
            self.stale.store(true, Ordering::Relaxed);
            tracing::error!(%error, ?error, "a committed change cannot be shown yet");
        }
    }

    fn try_apply(&self, writer: &Connection, effects: &Effects) -> Result<()> {
        let mut result = Ok(());
        for (id, effect) in &effects.environments {
            result = result.and(self.refresh(writer, *id, effect.revision, effect.touched.as_ref()));
        }
        if !effects.credentials && effects.removed.is_empty() {
            return result;
        }
        let before = self.environments.load_full();
        if !effects.removed.is_empty() {
            let mut environments = HashMap::clone(&before);
            for id in &effects.removed {
                environments.remove(id);
            }
            self.environments.store(Arc::new(environments));
        }
        self.credentials.load(writer, self)?;
        before.values().for_each(|environment| environment.wake());
        result
    }

    /// Brings one environment up to a revision, reusing what did not change where that is known.
    fn refresh(
        &self,
        writer: &Connection,
        id: EnvironmentId,
        revision: u64,
        touched: Option<&TouchedSince>,
    ) -> Result<()> {
        // Another process may commit between two reads; revision and rows must be of one moment.
        let moment = writer.unchecked_transaction()?;
        let Some(environment) = self.environment(id) else {
            let snapshot = Snapshot::compile(store::snapshot::load(&moment, id)?);
            let mut environments = HashMap::clone(&self.environments.load());
            environments.insert(id, Environment::new(id, snapshot));
            self.environments.store(Arc::new(environments));
            return Ok(());
        };
        let current = environment.snapshot();
        let earlier;
        let touched = match touched {
            Some(touched) if current.revision + 1 == revision => Some(touched),
            _ => {
                earlier = store::changes::touched_since(&moment, id, current.revision, revision)?;
                earlier.as_ref()
            }
        };
        let Some(touched) = touched else {
            environment.swap(Snapshot::compile(store::snapshot::load(&moment, id)?), None);
            return Ok(());
        };
        let mut next = Snapshot::clone(&current);
        let mut changed = Some(touched.features.clone());
        if !touched.features.is_empty() {
            let features = store::snapshot::load_features(&moment, id, &touched.features)?;
            next = next.with_features(revision, features);
        }
        match &touched.contexts {
            // What follows from the Contexts stays as it is.
            Some(keys) if keys.is_empty() && !touched.features.is_empty() => {}
            // Beyond that it is less work to read them all than to find them one by one.
            Some(keys) if keys.len() <= MAX_FOUND => {
                let contexts = store::contexts::some_for_snapshot(&moment, id, keys)?;
                let (with, answers) = next.with_contexts(revision, contexts);
                next = with;
                match answers {
                    Some(answers) => changed.iter_mut().for_each(|all| all.extend(answers.iter().cloned())),
                    None => changed = None,
                }
            }
            _ => {
                next = next.with_all_contexts(revision, store::contexts::for_snapshot(&moment, id)?);
                changed = None;
            }
        }
        environment.swap(next, changed);
        Ok(())
    }

    /// Looks for what another process wrote; cheap when nothing was. The caller holds the writer, on which
    /// alone `data_version` does not move with our own writes.
    pub fn watch(&self, writer: &Connection) -> Result<()> {
        let version = data_version(writer)?;
        let stale = self.stale.load(Ordering::Relaxed);
        if version == self.seen.lock().data_version && !stale {
            return Ok(());
        }
        let stored: HashMap<EnvironmentId, u64> =
            store::environments::revisions(writer)?.into_iter().collect();
        let known = |id| self.environment(id).map(|environment| environment.snapshot().revision);
        let mut effects = Effects::default();
        for (id, revision) in &stored {
            if known(*id) != Some(*revision) {
                effects.environments.insert(*id, Effect { revision: *revision, touched: None });
            }
        }
        effects.removed =
            self.environments.load().keys().filter(|id| !stored.contains_key(id)).copied().collect();
        let credentials = stored::read(writer, stored::CREDENTIALS)?;
        effects.credentials = stale || credentials != self.seen.lock().credentials;
        // What fails here is still unseen the next time.
        self.try_apply(writer, &effects)?;
        self.stale.store(false, Ordering::Relaxed);
        *self.seen.lock() = Seen { data_version: version, credentials };
        self.note_change();
        Ok(())
    }

    /// Tells those who follow [`Live::changes`] that something was committed.
    pub fn note_change(&self) {
        self.changes.send_modify(|number| *number += 1);
    }

    /// Moves with every committed change, whatever it touched.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Ends every stream.
    pub fn shut_down(&self) {
        self.shutdown.send_replace(true);
    }

    /// Resolves when the server ends.
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.shutdown.subscribe()
    }
}

/// How often the watcher looks.
pub const WATCH_INTERVAL: Duration = Duration::from_millis(250);

fn data_version(writer: &Connection) -> Result<i64> {
    Ok(writer.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}
