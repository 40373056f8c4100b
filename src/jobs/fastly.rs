//! Tells a Fastly cache in front of the FeatureHub door what it must forget: everything of an environment that has
//! changed (featurehub.md §2.5). What was purged is known only to the process, so every environment is purged once
//! when it starts: what changed before a crash is not forgotten, and several processes on one file do no harm.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::app::App;
use crate::config::Fastly;
use crate::error::Result;
use crate::ids::EnvironmentId;

/// The first pause after a failure, doubled up to [`LONGEST`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// Bytes of an answer that are looked at.
const ANSWER: u64 = 1024;

/// What an environment's answers depend on: its revision, and who may ask.
type State = (u64, u64);

/// What the cache was told.
pub struct Purges {
    settings: Arc<Fastly>,
    /// By id, what was last purged; `None` while something is to be purged in any case.
    told: HashMap<EnvironmentId, (Uuid, Option<State>)>,
    failures: u32,
    resume_at: Instant,
}

impl Purges {
    pub fn new(settings: Arc<Fastly>) -> Self {
        Self { settings, told: HashMap::new(), failures: 0, resume_at: Instant::now() }
    }

    /// Purges every environment that has changed since it was last purged, or is gone.
    pub fn run(&mut self, app: &App) -> Result<()> {
        if Instant::now() < self.resume_at {
            return Ok(());
        }
        let who = app.live.credentials.generation();
        let mut there: HashMap<EnvironmentId, (Uuid, Option<State>)> = HashMap::new();
        for environment in app.live.environments() {
            let snapshot = environment.snapshot();
            there.insert(environment.id, (snapshot.info.id, Some((snapshot.revision, who))));
        }
        let mut due: Vec<(EnvironmentId, Uuid, Option<State>)> = there
            .iter()
            .filter(|(id, (_, state))| self.told.get(id).is_none_or(|(_, told)| told != state))
            .map(|(id, (uuid, state))| (*id, *uuid, *state))
            .collect();
        let gone = self.told.iter().filter(|(id, _)| !there.contains_key(id));
        due.extend(gone.map(|(id, (uuid, _))| (*id, *uuid, None)));
        for (id, uuid, state) in due {
            // The state was read before the purge: what changes meanwhile is purged again.
            if let Err(why) = self.purge(app, uuid) {
                self.failures += 1;
                let pause = (FIRST_PAUSE * 2_u32.pow(self.failures.saturating_sub(1).min(10))).min(LONGEST);
                self.resume_at = Instant::now() + pause;
                tracing::warn!(environment = %uuid, why, "Fastly's cache could not be purged; it will be tried again");
                return Ok(());
            }
            self.failures = 0;
            match state {
                Some(_) => drop(self.told.insert(id, (uuid, state))),
                None => drop(self.told.remove(&id)),
            }
        }
        Ok(())
    }

    fn purge(&self, app: &App, environment: Uuid) -> std::result::Result<(), String> {
        let Fastly { api, service, key } = &*self.settings;
        let url = format!("{api}/service/{service}/purge/{environment}");
        let headers =
            [("Fastly-Key".to_owned(), key.0.clone()), ("Accept".to_owned(), "application/json".to_owned())];
        let answer = app.net.post(&url, &headers, b"", ANSWER).map_err(|failure| failure.to_string())?;
        match answer.status {
            200..=299 => Ok(()),
            status => Err(format!("it answered {status}")),
        }
    }
}
