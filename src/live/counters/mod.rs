//! Evaluations that are counted: what requests add and a job empties into the database (feature-config §8).
//!
//! Nearly free on the request path: a feature's outcomes have numbers that stand in the compiled feature, and
//! counting is an addition in a table of the thread's own. Only what is counted for the first time is written out
//! in words. A [`Tally`] is what one answer adds; a cached answer keeps its own, so that a hit counts the same.

mod names;
mod pending;
mod reports;
mod shard;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::clock::Millis;
use crate::engine::context::Context;
use crate::engine::evaluate::Evaluation;
use crate::engine::snapshot::Snapshot;
use crate::ids::EnvironmentId;
use names::Names;
pub use pending::{Count, Pending};
pub use reports::{Report, ReportsShape};
use shard::Shards;

/// Distinct counts of reports held at the same time.
const CAPACITY: usize = 50_000;
/// Distinct counts held while the database cannot be written.
const KEPT: usize = 500_000;

/// What one answer adds to the counts.
#[derive(Debug)]
pub struct Tally {
    /// `None`: nothing is counted.
    names: Option<Arc<Names>>,
    /// Numbers of outcomes.
    outcomes: Vec<u32>,
    /// Evaluations that had no room among the names.
    lost: u64,
}

impl Tally {
    /// About how many bytes it takes in memory.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.outcomes)
    }
}

/// Makes a [`Tally`]: a door adds every feature whose value it answers.
pub struct Counting {
    environment: EnvironmentId,
    tally: Tally,
}

impl Counting {
    /// Adds one feature of the answer.
    #[inline]
    pub fn add(&mut self, evaluation: &Evaluation<'_>) {
        let Some(names) = &self.tally.names else { return };
        match names.outcome(self.environment, evaluation) {
            Some(number) => self.tally.outcomes.push(number),
            None => self.tally.lost += 1,
        }
    }

    /// What the whole answer adds.
    pub fn finish(self) -> Tally {
        self.tally
    }
}

/// See the module.
pub struct Counters {
    enabled: bool,
    names: ArcSwap<Names>,
    shards: Shards,
    pending: Mutex<Pending>,
    dropped: AtomicU64,
}

impl Counters {
    /// `sampling`: the share of evaluations that is counted, 0 turns counting off.
    pub fn new(sampling: f64) -> Self {
        Self {
            enabled: sampling > 0.0,
            names: ArcSwap::from_pointee(Names::new(1)),
            shards: Shards::new(),
            pending: Mutex::default(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Begins to count an answer for one context. Nothing is counted until [`Counters::count`].
    pub fn begin(&self, environment: EnvironmentId, snapshot: &Snapshot, context: &Context<'_>) -> Counting {
        let _ = (snapshot, context);
        let names = self.enabled.then(|| self.names.load_full());
        Counting { environment, tally: Tally { names, outcomes: Vec::new(), lost: 0 } }
    }

    /// Counts an answer, each time that it is given.
    pub fn count(&self, tally: &Tally, now: Millis) {
        let Some(names) = &tally.names else { return };
        self.shards.add(names, tally, now);
        if tally.lost > 0 {
            self.dropped.fetch_add(tally.lost, Ordering::Relaxed);
        }
    }

    /// Adds what a client reports; false when the buffer is full.
    pub fn report(&self, environment: EnvironmentId, report: Report) -> bool {
        let Report { feature, value, rule, variant, day, count: times } = report;
        let count = Count { environment, day, feature, rule, variant, value };
        let mut pending = self.pending.lock();
        if pending.counts.len() >= CAPACITY && !pending.counts.contains_key(&count) {
            self.dropped.fetch_add(times, Ordering::Relaxed);
            return false;
        }
        *pending.counts.entry(count).or_default() += times;
        true
    }

    /// Takes everything out, for the database.
    pub fn take(&self) -> Pending {
        let mut pending = std::mem::take(&mut *self.pending.lock());
        for batch in self.shards.take() {
            batch.write_out(&mut pending);
        }
        let names = self.names.load();
        if names.is_full() {
            // Answers that are still cached go on with the old names, which end with the last of them.
            self.names.store(Arc::new(names.next()));
        }
        pending
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, pending: Pending) {
        let mut current = self.pending.lock();
        let dropped = current.merge(pending, KEPT);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    /// What was dropped since the last time.
    pub fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}
