//! Evaluations that are counted: what requests add and a job empties into the database (feature-config §8).
//!
//! Nearly free on the request path: a feature's outcomes have numbers that stand in the compiled feature, and
//! counting is an addition in a table of the thread's own. Only what is counted for the first time is written out
//! in words. A [`Tally`] is what one answer adds; a cached answer keeps its own, so that a hit counts the same.
//! Environments go by their row ids here.
//!
//! A door counts like this, once it knows that it will answer:
//! ```text
//! let mut counting = app.live.counters.begin(environment, &snapshot, &context);
//! counting.add(&evaluation); // each feature whose value is in the answer, once
//! app.live.counters.count(&counting.finish(), app.now());
//! ```

mod names;
mod pending;
mod recent;
mod reported;
mod shard;
pub mod sketch;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rand::RngCore;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use featured_engine::compile::Feature;
use featured_engine::context::{Attribute, Context, Path};
use featured_engine::evaluate::Evaluation;
use featured_engine::snapshot::Snapshot;
use featured_engine::time::{self, Millis};
use names::{Names, is_arm, mark_of};
pub use pending::{Audience, Conversion, Converted, Count, Exposure, FieldValue, Pending, shorten};
use recent::Asker;
pub use reported::{Event, Report, Shown};
use shard::Shards;

/// Distinct counts of reports held at the same time, and as many conversions.
const CAPACITY: usize = 50_000;
/// Distinct counts held while the database cannot be written.
const KEPT: usize = 500_000;
/// Answers of more features concern the whole environment, whichever they leave out.
const MAX_SEPARATE: usize = 256;
/// Longer values of context fields, in bytes, are not counted.
const MAX_FIELD_VALUE: usize = 100;
/// Of a list in a context so many entries are counted.
const MAX_LIST: usize = 10;

/// What one answer adds to the counts.
#[derive(Debug)]
pub struct Tally {
    /// `None`: nothing is counted.
    names: Option<Arc<Names>>,
    /// Numbers of outcomes, then those of values of context fields.
    numbers: SmallVec<[u32; 28]>,
    /// So many of them are outcomes.
    answered: usize,
    /// Those outcomes that are arms of a split, with this person taking part in the comparison.
    exposed: SmallVec<[u32; 2]>,
    /// Numbers of audiences that the person is in.
    audiences: SmallVec<[u32; 2]>,
    /// The person, hashed.
    person: Option<u64>,
    /// Evaluations that had no room among the names.
    lost: u64,
}

impl Tally {
    /// About how many bytes it takes in memory.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + 4 * (self.numbers.len() + self.exposed.len() + self.audiences.len())
    }

    /// Numbers of outcomes, and of values of context fields.
    fn parts(&self) -> (&[u32], &[u32]) {
        self.numbers.split_at_checked(self.answered).unwrap_or_default()
    }
}

/// Makes a [`Tally`]: a door adds every feature whose value it answers, once each.
pub struct Counting<'a> {
    tally: Tally,
    counters: &'a Counters,
    environment: i64,
    snapshot: &'a Snapshot,
    context: &'a Context<'a>,
    /// So many features are answered that those who are answered each need not be kept apart.
    whole: bool,
    /// What marks outcomes that need no more than being counted here; none has it where nothing can be so simple.
    plain: u64,
    /// The person of the tally is known, or known to be none.
    identified: bool,
    /// What stands for who asks for everything, and what is remembered of them.
    asker: Option<u64>,
    known: Option<Asker>,
}

impl Counting<'_> {
    /// Prepares for so many features.
    pub fn expect(&mut self, features: usize) {
        let Some(names) = &self.tally.names else { return };
        self.tally.numbers.reserve_exact(features + self.snapshot.counted().len());
        self.whole = is_whole(features, self.snapshot);
        if self.whole {
            self.plain = names.plain();
        }
    }

    /// What was sent, and the context follows from: whoever sends it again is known. Only one door may say so, since
    /// another would read the same in another way.
    pub fn recall(&mut self, request: &[u8]) {
        let Some(names) = self.tally.names.as_ref().filter(|_| self.whole) else { return };
        self.asker = names.hash_of(self.environment, self.snapshot, request);
        self.known = self.asker.and_then(Asker::recall);
        if let Some(asker) = &self.known {
            self.tally.person = asker.person();
            self.identified = true;
        }
    }

    /// Adds one feature of the answer.
    pub fn add(&mut self, evaluation: &Evaluation<'_>) {
        match mark_of(evaluation) {
            mark if names::kind(mark) == self.plain => self.tally.numbers.push(names::number(mark)),
            _ if self.tally.names.is_some() => self.add_more(evaluation),
            _ => {}
        }
    }

    /// What most evaluations do not need, apart from the path of those.
    #[inline(never)]
    fn add_more(&mut self, evaluation: &Evaluation<'_>) {
        let person = if is_arm(evaluation) { self.identify() } else { None };
        let tally = &mut self.tally;
        let Some(names) = &tally.names else { return };
        let Some(number) = names.outcome(self.environment, evaluation) else {
            tally.lost += 1;
            return;
        };
        tally.numbers.push(number);
        if person.is_some_and(|person| names.takes_part(number, person)) {
            tally.exposed.push(number);
        }
        // Needed where the answer turns out not to be of the whole environment.
        if !self.whole && !is_whole(tally.numbers.len(), self.snapshot) {
            tally.audiences.extend(names.asking_for(self.environment, evaluation.feature));
        }
    }

    /// The person, hashed.
    fn identify(&mut self) -> Option<u64> {
        if !self.identified {
            self.tally.person = self.context.targeting_key().map(|key| self.counters.person(key));
            self.identified = true;
        }
        self.tally.person
    }

    /// What the whole answer adds.
    pub fn finish(mut self) -> Tally {
        let answered = self.tally.numbers.len();
        if answered == 0 {
            return self.tally;
        }
        let person = self.identify();
        let Self { mut tally, environment, snapshot, context, whole, asker, known, .. } = self;
        tally.answered = answered;
        let Tally { names: Some(names), numbers, audiences, .. } = &mut tally else { return tally };
        let mut note = |audience: u32, path: &Path| {
            for_each_value(context, path, |value| numbers.extend(names.value(audience, path, value)));
        };
        if whole || is_whole(answered, snapshot) {
            audiences.clear();
            let Some(everybody) = names.everybody(environment, snapshot) else { return tally };
            audiences.push(everybody);
            if let Some(asker) = known {
                numbers.extend_from_slice(asker.values());
                return tally;
            }
            snapshot.counted().iter().for_each(|path| note(everybody, path));
            if let (Some(hash), Some(values)) = (asker, numbers.get(answered..)) {
                Asker::remember(hash, person, values);
            }
        } else if !snapshot.counted().is_empty() {
            for audience in &*audiences {
                if let Some(feature) = names.feature_of(*audience).and_then(|key| snapshot.feature(&key)) {
                    let counted = snapshot.counted().iter().filter(|path| looks_at(feature, path));
                    counted.for_each(|path| note(*audience, path));
                }
            }
        }
        tally
    }
}

/// Whether those who are answered so many features of an environment need not be kept apart by feature.
fn is_whole(features: usize, snapshot: &Snapshot) -> bool {
    features >= snapshot.len() || features > MAX_SEPARATE
}

fn looks_at(feature: &Feature, path: &Path) -> bool {
    feature.attributes.iter().any(|name| **name == *path.as_str())
}

/// The values of one context field that are counted: short ones, and none that says who it is.
fn for_each_value(context: &Context<'_>, path: &Path, mut tell: impl FnMut(&str)) {
    let mut tell_one = |attribute: &Attribute<'_>| {
        let text: Cow<'_, str> = match attribute {
            Attribute::Null | Attribute::List(_) | Attribute::Object(_) => return,
            Attribute::Text(text) => Cow::Borrowed(text),
            Attribute::Bool(true) => Cow::Borrowed("true"),
            Attribute::Bool(false) => Cow::Borrowed("false"),
            Attribute::Number(number) => number.text(),
        };
        if text.len() <= MAX_FIELD_VALUE && context.targeting_key() != Some(&text) {
            tell(&text);
        }
    };
    match context.attribute(path) {
        Some(Attribute::List(items)) => items.iter().take(MAX_LIST).for_each(tell_one),
        Some(attribute) => tell_one(attribute),
        None => {}
    }
}

/// See the module.
pub struct Counters {
    /// The share of evaluations that is counted.
    rate: f64,
    names: ArcSwap<Names>,
    shards: Shards,
    pending: Mutex<Pending>,
    dropped: AtomicU64,
    /// SHA-256 that has taken in the server's secret.
    secret: OnceLock<Sha256>,
}

impl Counters {
    /// `sampling`: the share of evaluations that is counted, 0 turns counting off.
    pub fn new(sampling: f64) -> Self {
        Self {
            rate: sampling,
            names: ArcSwap::from_pointee(Names::new(1)),
            shards: Shards::new(),
            pending: Mutex::default(),
            dropped: AtomicU64::new(0),
            secret: OnceLock::new(),
        }
    }

    /// Whether evaluations are counted at all.
    pub fn is_on(&self) -> bool {
        self.rate > 0.0
    }

    /// The share of evaluations that is counted, from 0 to 1.
    pub fn sampling(&self) -> f64 {
        self.rate
    }

    /// What users are hashed with, from before the first one on. Without it, or later, it is made up, and who comes
    /// again after a restart counts once more.
    pub fn set_secret(&self, secret: &[u8; 32]) {
        let _ = self.secret.set(Self::hasher(secret));
    }

    /// Whether it is known by now what users are hashed with.
    pub fn has_secret(&self) -> bool {
        self.secret.get().is_some()
    }

    fn hasher(secret: &[u8; 32]) -> Sha256 {
        // A whole block, so that it is worked in once.
        Sha256::new().chain_update(secret).chain_update([0; 32])
    }

    /// A user as it is kept: 64 bits of SHA-256 over the server's secret and the key.
    fn person(&self, key: &str) -> u64 {
        let secret = self.secret.get_or_init(|| {
            let mut made_up = [0; 32];
            rand::rng().fill_bytes(&mut made_up);
            Self::hasher(&made_up)
        });
        let digest = secret.clone().chain_update(key).finalize();
        digest.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// What a user is kept as in exposures and conversions.
    pub fn hash_of(&self, key: &str) -> u64 {
        self.person(key)
    }

    /// Begins to count an answer for one context. Nothing is counted until [`Counters::count`].
    pub fn begin<'a>(
        &'a self,
        environment: i64,
        snapshot: &'a Snapshot,
        context: &'a Context<'a>,
    ) -> Counting<'a> {
        let tally = Tally {
            names: self.is_on().then(|| self.names.load_full()),
            numbers: SmallVec::new(),
            answered: 0,
            exposed: SmallVec::new(),
            audiences: SmallVec::new(),
            person: None,
            lost: 0,
        };
        Counting {
            tally,
            counters: self,
            environment,
            snapshot,
            context,
            whole: false,
            plain: names::NOTHING,
            identified: false,
            asker: None,
            known: None,
        }
    }

    /// Counts an answer, each time that it is given.
    pub fn count(&self, tally: &Tally, now: Millis) {
        let Some(names) = &tally.names else { return };
        self.shards.add(names, tally, self.rate, now);
        if tally.lost > 0 {
            self.dropped.fetch_add(tally.lost, Ordering::Relaxed);
        }
    }

    /// Adds what a client reports of a feature; false when the buffer is full.
    pub fn report(&self, environment: i64, snapshot: &Snapshot, feature: &Feature, report: Report) -> bool {
        let Report { feature: key, value, rule, variant, at, count: times, user, context } = report;
        let day = time::day(at);
        let person = user.as_deref().map(|user| self.person(user));
        let exposure = match (&rule, &variant, person) {
            (Some(rule), Some(variant), Some(person)) if feature.splits_with(variant) => Some(Exposure {
                environment,
                feature: key.clone(),
                rule: rule.clone(),
                variant: variant.clone(),
                person,
            }),
            _ => None,
        };
        let audience = Audience { environment, feature: Some(key.clone()), since: 0 };
        let count = Count { environment, day: day.clone(), feature: key, rule, variant, value };
        let mut pending = self.pending.lock();
        let add_times = |have: &mut u64, times: u64| *have = have.saturating_add(times);
        if let Some(lost) = pending::add(&mut pending.counts, count, times, CAPACITY, add_times) {
            self.dropped.fetch_add(lost, Ordering::Relaxed);
            return false;
        }
        if let Some(person) = person {
            pending.add_person((audience.clone(), day.clone()), person, CAPACITY / 50);
        }
        if let Some(exposure) = exposure {
            pending.add_exposure(exposure, at, CAPACITY);
        }
        let Some(context) = context.as_deref().and_then(|json| Context::from_json(json).ok()) else {
            return true;
        };
        for path in snapshot.counted().iter().filter(|path| looks_at(feature, path)) {
            for_each_value(&context, path, |value| {
                if Some(value) != user.as_deref() {
                    let (field, value) = (path.as_str().to_owned(), Some(value.to_owned()));
                    let key = FieldValue { audience: audience.clone(), day: day.clone(), field, value };
                    pending::add(&mut pending.values, key, times, CAPACITY, add_times);
                }
            });
        }
        true
    }

    /// Adds that somebody was shown a feature, which was counted where it was answered; false when the buffer is full.
    pub fn show(&self, environment: i64, shown: Shown) -> bool {
        let Shown { feature, given, user, at } = shown;
        let person = self.person(&user);
        let audience = Audience { environment, feature: Some(feature.clone()), since: 0 };
        let mut pending = self.pending.lock();
        let mut kept = pending.add_person((audience, time::day(at)), person, CAPACITY / 50);
        if let Some((rule, variant)) = given {
            let exposure = Exposure { environment, feature, rule, variant, person };
            kept &= pending.add_exposure(exposure, at, CAPACITY);
        }
        if !kept {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    /// Adds that somebody did what counts as a success; false when the buffer is full.
    pub fn convert(&self, environment: i64, event: Event) -> bool {
        let Event { event, user, value, at } = event;
        let key = Conversion { environment, event, day: time::day(at), person: self.person(&user) };
        let converted = Converted { count: 1, last_at: at, total: value };
        let mut pending = self.pending.lock();
        let rest = pending::add(&mut pending.conversions, key, converted, CAPACITY, Converted::add);
        if rest.is_some() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        rest.is_none()
    }

    /// Only people below the limit take part in the comparison of a feature's variants from now on.
    pub fn set_limit(&self, environment: i64, feature: &str, limit: u64) {
        self.names.load().set_limit(environment, feature, limit);
    }

    /// Takes everything out, for the database.
    pub fn take(&self) -> Pending {
        let mut pending = std::mem::take(&mut *self.pending.lock());
        for batch in self.shards.take() {
            batch.write_out(self.rate, &mut pending);
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
