//! The tables that requests add to: each thread has one of its own, so that none waits for another.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::Tally;
use super::names::Names;
use super::pending::Pending;
use crate::clock::{self, Millis};

const DAY: Millis = 24 * 3600 * 1000;

/// The next thread's number.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The number of this thread.
fn thread() -> usize {
    THREAD.with(|cell| {
        cell.get().unwrap_or_else(|| {
            let number = THREADS.fetch_add(1, Ordering::Relaxed);
            cell.set(Some(number));
            number
        })
    })
}

/// Counts under one set of names, of one day.
pub struct Batch {
    names: Arc<Names>,
    day: i64,
    /// By number.
    counts: Vec<u32>,
    /// The numbers whose count is not zero.
    touched: Vec<u32>,
}

impl Batch {
    fn add(&mut self, number: u32) {
        let at = number as usize;
        if at >= self.counts.len() {
            self.counts.resize((at + 1).next_power_of_two(), 0);
        }
        let count = &mut self.counts[at];
        if *count == 0 {
            self.touched.push(number);
        }
        *count += 1;
    }

    /// Adds its counts, in words.
    pub fn write_out(self, pending: &mut Pending) {
        let day = clock::day(self.day * DAY);
        self.names.resolve(self.touched.iter().copied(), |number, outcome| {
            let times = u64::from(self.counts.get(number as usize).copied().unwrap_or_default());
            *pending.counts.entry(outcome.on(&day)).or_default() += times;
        });
    }
}

/// On a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Shard(Mutex<Vec<Batch>>);

/// See the module.
pub struct Shards(Box<[Shard]>);

impl Shards {
    pub fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let shards = (2 * threads).next_power_of_two().min(64);
        Self((0..shards).map(|_| Shard::default()).collect())
    }

    /// Counts an answer. The lock is the thread's own but for the moment in which a job takes everything out.
    pub fn add(&self, names: &Arc<Names>, tally: &Tally, now: Millis) {
        let Some(shard) = self.0.get(thread() & (self.0.len() - 1)) else { return };
        let day = now.div_euclid(DAY);
        let mut batches = shard.0.lock();
        let at = batches.iter().position(|batch| batch.day == day && Arc::ptr_eq(&batch.names, names));
        let at = at.unwrap_or_else(|| {
            batches.push(Batch { names: names.clone(), day, counts: Vec::new(), touched: Vec::new() });
            batches.len() - 1
        });
        let batch = &mut batches[at];
        for number in &tally.outcomes {
            batch.add(*number);
        }
    }

    /// Takes everything out.
    pub fn take(&self) -> Vec<Batch> {
        self.0.iter().flat_map(|shard| std::mem::take(&mut *shard.0.lock())).collect()
    }
}
