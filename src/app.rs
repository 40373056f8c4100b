//! The application: what everything else hangs on. Built once, by `main`, the CLI and every test. The one
//! way to write is [`App::write`].

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::auth::seal::Seal;
use crate::clock::{Clock, Millis};
use crate::config::Config;
use crate::engine::permission::{Permission, Role, allows};
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::ids::{EnvironmentId, UserId};
use crate::jobs::webhooks::{Bell, body};
use crate::live::credentials::Credentials;
use crate::live::{Effects, Live};
use crate::metrics::Metrics;
use crate::net;
use crate::store::changes::{self, ActorKind, Entry};
use crate::store::{self, OpenError, Store, counters};
use crate::ui::once::Secrets;

/// How often it is tried at most whether the database can be written.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// How long looking for a new credential waits for the writer.
const LOOK_PATIENCE: Duration = Duration::from_millis(10);
/// After a look nobody looks again for so many times what it took: however many wrong keys come in, and however long a
/// write takes, a thread waits for a fifth of the time.
const LOOK_REST: u32 = 4;

/// See the module.
pub struct App {
    pub config: Config,
    pub store: Store,
    pub live: Live,
    pub metrics: Metrics,
    /// Seals what must not stand readable in the database.
    pub seal: Seal,
    /// Asks other servers: webhooks, images.
    pub net: net::Client,
    /// The last write failed for want of a writable database; told by `/readyz`.
    pub unwritable: AtomicBool,
    pub clock: Clock,
    /// Wakes those who deliver webhooks.
    pub bell: Bell,
    /// Secrets that were just made, on their way to the page that shows them.
    pub secrets: Secrets,
    /// What the last look at whether it can be written found, and when that was.
    probed: Mutex<Option<(Instant, Option<String>)>>,
    /// From when on new credentials may be looked for again.
    look_again: Mutex<Option<Instant>>,
}

/// Who acts: a person, a program of theirs, or the server itself.
#[derive(Clone, Debug)]
pub struct Actor {
    pub kind: ActorKind,
    pub id: Option<String>,
    pub user: Option<UserId>,
    pub name: String,
    pub role: Role,
    pub address: Option<String>,
}

impl Actor {
    /// The command line and the server's own jobs.
    pub fn system(name: &str) -> Self {
        Self {
            kind: ActorKind::System,
            id: None,
            user: None,
            name: name.into(),
            role: Role::Admin,
            address: None,
        }
    }

    /// A program with an environment token, by the token's id and description. It has the least of roles: what it
    /// may change is for the token's permissions to say.
    pub fn token(id: &str, description: &str, address: Option<String>) -> Self {
        Self {
            kind: ActorKind::Token,
            id: Some(id.into()),
            user: None,
            name: description.into(),
            role: Role::Viewer,
            address,
        }
    }

    /// `Forbidden` when the role does not allow it.
    pub fn require(&self, permission: Permission) -> Result<()> {
        if allows(self.role, permission) {
            return Ok(());
        }
        Err(Error::Forbidden(match permission {
            Permission::Read => "this needs the role viewer",
            Permission::Change => "this needs the role editor",
            Permission::Administer => "this needs the role admin",
        }))
    }
}

/// What evaluation must read again after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    Nothing,
    /// Features of one environment, by key.
    Features(EnvironmentId, Vec<String>),
    /// Stored Contexts of one environment, by key (`None`: all of them), and features that changed with them.
    Contexts {
        environment: EnvironmentId,
        contexts: Option<Vec<String>>,
        features: Vec<String>,
    },
    /// Everything of these environments.
    Environments(Vec<EnvironmentId>),
    /// These environments are gone, and their tokens.
    Removed(Vec<EnvironmentId>),
    /// Tokens of environments or of people.
    Credentials,
}

/// One change, as it goes into the audit trail.
#[derive(Debug)]
pub struct Change {
    /// UUIDs of the site and environment it happened in.
    pub site: Option<String>,
    pub environment: Option<String>,
    pub entity: &'static str,
    pub entity_id: String,
    pub entity_key: String,
    pub action: &'static str,
    /// One line for people.
    pub summary: String,
    /// The feature (UUID) this is a version of.
    pub feature: Option<(String, u64)>,
    pub touched: Touched,
    pub before: Option<Json>,
    pub after: Option<Json>,
    /// The webhook event.
    pub event: Option<&'static str>,
}

/// A transaction that [`App::write`] handed out: a connection, the time, and who acts.
pub struct Tx<'a> {
    conn: &'a Transaction<'a>,
    pub now: Millis,
    pub actor: &'a Actor,
}

impl Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

/// What a write gives back, and what it changed. Without changes nothing is recorded or announced.
pub struct Written<T> {
    pub value: T,
    pub changes: Vec<Change>,
}

impl<T> Written<T> {
    pub fn one(value: T, change: Change) -> Self {
        Self { value, changes: vec![change] }
    }

    pub fn nothing(value: T) -> Self {
        Self { value, changes: Vec::new() }
    }
}

impl App {
    /// Opens the database and compiles every environment.
    pub fn open(config: Config) -> std::result::Result<Arc<Self>, OpenError> {
        let store = Store::open(&config.db, config.durability)?;
        let given = config.secret_key.as_ref().map(|key| key.0.as_str());
        let seal = Seal::open(&config.db, given).map_err(OpenError)?;
        let live = Live::new(&config);
        let app = Arc::new(Self {
            net: net::Client::new(config.policy()),
            config,
            store,
            live,
            metrics: Metrics::new(),
            seal,
            unwritable: AtomicBool::new(false),
            clock: Clock::default(),
            bell: Bell::default(),
            secrets: Secrets::default(),
            probed: Mutex::default(),
            look_again: Mutex::default(),
        });
        app.store.read_much(|writer| app.live.load_all(writer)).map_err(|error| {
            OpenError(match &error {
                Error::Internal(inner) => format!("{}: {inner}", app.config.db.display()),
                other => format!("{}: {other}", app.config.db.display()),
            })
        })?;
        crate::admin::flagr::number_old_features(&app)
            .map_err(|error| OpenError(format!("{}: {}", app.config.db.display(), error.explain())))?;
        Ok(app)
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// What `find` finds among the credentials in memory. Where that is nothing, what another process may have written
    /// a moment ago is read first, all of it: whoever shows a new token knows of what was written before it, too. That
    /// is what the watcher would do a little later, and next to nothing where nobody wrote.
    pub fn credential<T>(&self, find: impl Fn(&Credentials) -> Option<T>) -> Option<T> {
        let credentials = &self.live.credentials;
        find(credentials).or_else(|| {
            let mut look_again = self.look_again.lock();
            let began = Instant::now();
            // Whoever waited for the lock finds what the one before it found.
            if look_again.is_none_or(|at| began >= at) {
                if let Some(writer) = self.store.try_writer_for(LOOK_PATIENCE)
                    && let Err(error) = self.live.watch(&writer)
                {
                    tracing::warn!(%error, "what another process wrote cannot be read yet");
                }
                *look_again = Some(Instant::now() + began.elapsed() * LOOK_REST);
            }
            drop(look_again);
            find(credentials)
        })
    }

    /// Runs one transaction: the rows of `f`, its audit entries, new revisions and events, or nothing at
    /// all. When this returns, the change is on disk and every later answer knows of it.
    pub fn write<T>(&self, actor: &Actor, f: impl FnOnce(&Tx<'_>) -> Result<Written<T>>) -> Result<T> {
        let (mut f, mut value) = (Some(f), None);
        self.write_changes(actor, &mut |tx| {
            let Some(f) = f.take() else { return Err(Error::internal("a transaction ran twice")) };
            let written = f(tx)?;
            value = Some(written.value);
            Ok(written.changes)
        })?;
        value.ok_or_else(|| Error::internal("a transaction gave nothing"))
    }

    /// The same for every type, so that it is built once.
    fn write_changes(&self, actor: &Actor, f: &mut dyn FnMut(&Tx<'_>) -> Result<Vec<Change>>) -> Result<()> {
        let mut writer = self.store.writer();
        let effects = self.noted(self.transact(&mut writer, actor, f))?;
        self.metrics.writes.inc();
        // Still holding the writer: snapshots are swapped in the order of commits.
        self.live.apply(&writer, &effects);
        self.live.note_change();
        drop(writer);
        self.bell.ring();
        Ok(())
    }

    /// Runs what [`App::write`] would, and takes it all back.
    pub fn rehearse<T>(&self, actor: &Actor, f: impl FnOnce(&Tx<'_>) -> Result<Written<T>>) -> Result<T> {
        let mut writer = self.store.writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok(f(&Tx { conn: &transaction, now: self.now(), actor })?.value)
    }

    fn transact(
        &self,
        writer: &mut Connection,
        actor: &Actor,
        f: &mut dyn FnMut(&Tx<'_>) -> Result<Vec<Change>>,
    ) -> Result<Effects> {
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tx = Tx { conn: &transaction, now: self.now(), actor };
        let changes = f(&tx)?;
        let mut effects = Effects::default();
        for change in &changes {
            effects.add(&change.touched);
        }
        for (environment, effect) in &mut effects.environments {
            match store::environments::advance(&transaction, *environment)? {
                Some(revision) => effect.revision = revision,
                None => effects.removed.push(*environment),
            }
        }
        if effects.credentials || !effects.removed.is_empty() {
            counters::increment(&transaction, counters::CREDENTIALS)?;
        }
        for change in &changes {
            record(&tx, change, &effects)?;
        }
        transaction.commit()?;
        Ok(effects)
    }

    /// Remembers from what came of a write whether the database can be written.
    pub fn noted<T>(&self, result: Result<T>) -> Result<T> {
        match &result {
            Ok(_) => self.unwritable.store(false, Ordering::Relaxed),
            Err(Error::Unavailable(_)) => self.unwritable.store(true, Ordering::Relaxed),
            // It was there to say no.
            Err(_) => {}
        }
        result
    }

    /// Whether the database can be written now: writes a little, at most once a second.
    pub fn check_writable(&self) -> Result<()> {
        let mut probed = self.probed.lock();
        if let Some((at, found)) = &*probed
            && at.elapsed() < PROBE_INTERVAL
            && found.is_some() == self.unwritable.load(Ordering::Relaxed)
        {
            return found.clone().map_or(Ok(()), |why| Err(Error::Unavailable(why)));
        }
        let Some(writer) = self.store.try_writer() else {
            // Somebody is writing at this moment; what came of the write before is known.
            return match self.unwritable.load(Ordering::Relaxed) {
                false => Ok(()),
                true => Err(Error::Unavailable("the last write failed".into())),
            };
        };
        // Only what is committed reaches the file and shows that it is full or read-only.
        let result = self.noted(counters::increment(&writer, counters::PROBES));
        drop(writer);
        let found = match &result {
            Ok(()) => None,
            Err(Error::Unavailable(why)) => Some(why.clone()),
            Err(error) => Some(error.explain()),
        };
        *probed = Some((Instant::now(), found));
        result
    }

    /// A connection that only reads.
    pub fn read<T>(&self, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let conn = self.store.read()?;
        f(&conn)
    }

    /// Reads several things as they were at one moment.
    pub fn read_consistent<T>(&self, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut conn = self.store.read()?;
        let transaction = conn.transaction()?;
        f(&transaction)
    }
}

fn record(tx: &Tx<'_>, change: &Change, effects: &Effects) -> Result<()> {
    let environment = match &change.touched {
        Touched::Features(environment, _) | Touched::Contexts { environment, .. } => Some(*environment),
        Touched::Environments(environments) => environments.first().copied(),
        _ => None,
    };
    // A change of the whole site is recorded with one of its environments. Of the others, what else of them changed with
    // it must not pass for all that did.
    let wholly = environment
        .and_then(|id| effects.environments.get(&id))
        .is_some_and(|effect| effect.touched.is_none());
    let touched = match &change.touched {
        _ if wholly => None,
        Touched::Features(_, keys) => Some(keys.clone()),
        Touched::Contexts { contexts, features, .. } => {
            Some(changes::touched_contexts(contexts.as_deref(), features))
        }
        _ => None,
    };
    let event = change.event.or_else(|| body::event_of(change.entity, change.action));
    let revision =
        environment.and_then(|id| effects.environments.get(&id).map(|effect| (id, effect.revision)));
    changes::append(
        tx,
        &Entry {
            at: tx.now,
            actor_kind: tx.actor.kind,
            actor_id: tx.actor.id.as_deref(),
            actor: &tx.actor.name,
            address: tx.actor.address.as_deref(),
            site: change.site.as_deref(),
            environment: change.environment.as_deref(),
            entity: change.entity,
            entity_id: &change.entity_id,
            entity_key: &change.entity_key,
            action: change.action,
            summary: &change.summary,
            feature: change.feature.as_ref().map(|(id, version)| (id.as_str(), *version)),
            revision,
            touched: touched.as_deref(),
            before: change.before.as_ref(),
            after: change.after.as_ref(),
            event,
        },
    )
}
