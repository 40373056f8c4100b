//! The tables that requests add to: each thread has one of its own, so that none waits for another.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::Tally;
use super::names::{Name, Names};
use super::pending::{Exposure, FieldValue, Pending};
use super::sketch::{ByHash, Sketch};
use featured_engine::time::{DAY, Millis, day};

/// So many sketches, and so many exposures, are held between two flushes.
const MAX_SKETCHES: usize = 10_000;
const MAX_EXPOSURES: usize = 100_000;

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
    /// When the day begins.
    from: Millis,
    /// By number.
    counts: Vec<u32>,
    /// Who was in which audience, by its number, spread.
    people: ByHash<Sketch>,
    /// When somebody was first given an outcome.
    exposures: HashMap<(u32, u64), Millis>,
}

impl Batch {
    fn new(names: &Arc<Names>, now: Millis) -> Self {
        Self {
            names: names.clone(),
            from: now - now.rem_euclid(DAY),
            counts: Vec::new(),
            people: ByHash::default(),
            exposures: HashMap::new(),
        }
    }

    fn is_of(&self, names: &Arc<Names>, now: Millis) -> bool {
        (self.from..self.from + DAY).contains(&now) && Arc::ptr_eq(&self.names, names)
    }

    fn add(&mut self, numbers: &[u32]) {
        for number in numbers {
            match self.counts.get_mut(*number as usize) {
                Some(count) => *count += 1,
                None => self.add_beyond(*number),
            }
        }
    }

    #[cold]
    fn add_beyond(&mut self, number: u32) {
        let at = number as usize;
        self.counts.resize((at + 1).next_power_of_two(), 0);
        self.counts[at] = 1;
    }

    fn add_people(&mut self, tally: &Tally, now: Millis) {
        let Some(person) = tally.person else { return };
        for audience in &tally.audiences {
            let spread = spread(*audience);
            let full = self.people.len() >= MAX_SKETCHES;
            match self.people.entry(spread) {
                Entry::Occupied(mut sketch) => sketch.get_mut().add(person),
                Entry::Vacant(_) if full => {}
                Entry::Vacant(place) => place.insert(Sketch::default()).add(person),
            }
        }
        for outcome in &tally.exposed {
            if self.exposures.len() < MAX_EXPOSURES {
                self.exposures.entry((*outcome, person)).or_insert(now);
            }
        }
    }

    /// Adds its counts, in words; each of its evaluations stands for `1 / rate`.
    pub fn write_out(self, rate: f64, pending: &mut Pending) {
        let day = day(self.from);
        let counted = (0..).zip(&self.counts).filter(|(_, count)| **count > 0).map(|(number, _)| number);
        self.names.resolve(counted, |number, name, all| {
            let times = scaled(self.counts.get(number as usize).copied().unwrap_or_default(), rate);
            match name {
                Name::Outcome(outcome) => *pending.counts.entry(outcome.on(&day)).or_default() += times,
                Name::Value { audience, field, value } => {
                    let Some(Name::Audience(audience, _)) = all.get(*audience as usize) else { return };
                    let (audience, field, value) = (audience.clone(), field.clone(), value.clone());
                    let key = FieldValue { audience, day: day.clone(), field, value };
                    *pending.values.entry(key).or_default() += times;
                }
                Name::Audience(..) => {}
            }
        });
        let numbers = self.people.keys().map(|spread| gather(*spread));
        self.names.resolve(numbers, |number, name, _| {
            if let (Name::Audience(audience, _), Some(sketch)) = (name, self.people.get(&spread(number))) {
                pending.people.entry((audience.clone(), day.clone())).or_default().merge(sketch);
            }
        });
        let mut exposures: Vec<_> = self.exposures.into_iter().collect();
        exposures.sort_unstable();
        let mut rest = exposures.iter();
        self.names.resolve(exposures.iter().map(|((outcome, _), _)| *outcome), |_, name, _| {
            let Some(((_, person), at)) = rest.next() else { return };
            if let Name::Outcome(outcome) = name
                && let (Some(rule), Some(variant)) = (&outcome.rule, &outcome.variant)
            {
                let exposure = Exposure {
                    environment: outcome.environment,
                    feature: outcome.feature.clone(),
                    rule: rule.clone(),
                    variant: variant.clone(),
                    person: *person,
                };
                let first = pending.exposures.entry(exposure).or_insert(*at);
                *first = (*first).min(*at);
            }
        });
    }
}

/// Numbers lie close together; a table needs them spread, as hashes are.
pub fn spread(number: u32) -> u64 {
    u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Undoes [`spread`]: the factor is the other's inverse modulo 2^64.
fn gather(spread: u64) -> u32 {
    spread.wrapping_mul(0xf1de_83e1_9937_733d) as u32
}

/// How many evaluations a sample stands for: a whole number whose expected value is right.
fn scaled(count: u32, rate: f64) -> u64 {
    if rate >= 1.0 {
        return u64::from(count);
    }
    let exact = f64::from(count) / rate;
    let whole = exact.floor();
    whole as u64 + u64::from(rand::random::<f64>() < exact - whole)
}

/// How many are passed over until the next one is counted, where each is with probability `rate`.
fn skip(rate: f64) -> u64 {
    if rate >= 1.0 {
        return 0;
    }
    // 1 − u is in (0, 1], so that the logarithm is finite.
    let drawn = (1.0 - rand::random::<f64>()).ln() / (1.0 - rate).ln();
    drawn as u64
}

/// What one thread adds to.
#[derive(Default)]
struct State {
    batches: Vec<Batch>,
    /// Evaluations, and contexts, still to be passed over; `None` before the first.
    evaluations: Option<u64>,
    contexts: Option<u64>,
}

/// On a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Shard(Mutex<State>);

/// See the module.
pub struct Shards(Box<[Shard]>);

impl Shards {
    pub fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let shards = (2 * threads).next_power_of_two().min(64);
        Self((0..shards).map(|_| Shard::default()).collect())
    }

    /// Counts an answer. The lock is the thread's own but for the moment in which a job takes everything out.
    pub fn add(&self, names: &Arc<Names>, tally: &Tally, rate: f64, now: Millis) {
        let Some(shard) = self.0.get(thread() & (self.0.len() - 1)) else { return };
        let mut state = shard.0.lock();
        let State { batches, evaluations, contexts } = &mut *state;
        let at = batches.iter().position(|batch| batch.is_of(names, now)).unwrap_or_else(|| {
            batches.push(Batch::new(names, now));
            batches.len() - 1
        });
        let batch = &mut batches[at];
        batch.add_people(tally, now);
        if rate >= 1.0 {
            batch.add(&tally.numbers);
            return;
        }
        let (mut outcomes, values) = tally.parts();
        let mut passed = evaluations.unwrap_or_else(|| skip(rate));
        while let Some((number, rest)) =
            usize::try_from(passed).ok().and_then(|passed| outcomes.get(passed..)?.split_first())
        {
            batch.add(&[*number]);
            outcomes = rest;
            passed = skip(rate);
        }
        *evaluations = Some(passed - outcomes.len() as u64);
        if !values.is_empty() {
            match contexts.unwrap_or_else(|| skip(rate)) {
                0 => {
                    batch.add(values);
                    *contexts = Some(skip(rate));
                }
                more => *contexts = Some(more - 1),
            }
        }
    }

    /// Takes everything out.
    pub fn take(&self) -> Vec<Batch> {
        self.0.iter().flat_map(|shard| std::mem::take(&mut shard.0.lock().batches)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_and_found_again() {
        for number in [0_u32, 1, 2, 12_345, u32::MAX] {
            assert_eq!(gather(spread(number)), number);
        }
    }

    #[test]
    fn a_sample_stands_for_all_on_average() {
        let rate = 0.3;
        let (mut counted, mut told) = (0, 0);
        let mut passed = skip(rate);
        for _ in 0..200_000 {
            match passed {
                0 => {
                    counted += 1;
                    passed = skip(rate);
                }
                more => passed = more - 1,
            }
        }
        // Five standard errors of a binomial.
        assert!(
            (f64::from(counted) - 60_000.0).abs() < 5.0 * (200_000.0 * 0.3 * 0.7_f64).sqrt(),
            "{counted}"
        );
        for _ in 0..10_000 {
            told += scaled(1, rate);
        }
        assert!((told as f64 - 33_333.3).abs() < 5.0 * 50.0, "{told}");
        assert_eq!((scaled(7, 1.0), scaled(7, 0.5), skip(1.0)), (7, 14, 0));
    }
}
