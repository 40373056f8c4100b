//! Numbers for what is counted, and what each stands for.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;
use parking_lot::RwLock;

use super::pending::{Audience, Count, shorten};
use super::shard::spread;
use super::sketch::ByHash;
use featured_engine::compile::{Feature, Slot, slot};
use featured_engine::context::Path;
use featured_engine::evaluate::{Evaluation, Reason};
use featured_engine::snapshot::Snapshot;
use featured_engine::time::Millis;

/// From so many names on they are begun anew at the next flush: features that have changed leave theirs behind.
const FULL: usize = 500_000;
/// More are not given out.
const LIMIT: usize = 2 * FULL;
/// More than there are numbers; a power of two. The first number is no value's.
const NUMBERS: u32 = 1 << 20;
const _: () = assert!(LIMIT < NUMBERS as usize);
/// So many values are at hand without a look-up.
const FOUND: usize = 8192;
/// Different values of one context field; the others are counted as such.
const MAX_VALUES: usize = 1000;

/// What a number stands for.
#[derive(Debug)]
pub enum Name {
    Outcome(Outcome),
    Audience(Audience, Fields),
    /// A value of a context field; `None`: one of those that have no number of their own.
    Value {
        /// The number of an audience.
        audience: u32,
        field: String,
        value: Option<String>,
    },
}

/// One outcome of one feature.
#[derive(Debug)]
pub struct Outcome {
    pub environment: i64,
    pub feature: String,
    pub rule: Option<String>,
    pub variant: Option<String>,
    /// JSON text, or `sha256:…` of a long one.
    pub value: String,
    /// Only people whose hash is below take part in the comparison of variants.
    limit: AtomicU64,
}

impl Outcome {
    /// What is counted of it on one day.
    pub fn on(&self, day: &str) -> Count {
        Count {
            environment: self.environment,
            day: day.to_owned(),
            feature: self.feature.clone(),
            rule: self.rule.clone(),
            variant: self.variant.clone(),
            value: self.value.clone(),
        }
    }
}

/// Whether it is one arm of a split.
pub fn is_arm(evaluation: &Evaluation<'_>) -> bool {
    evaluation.reason == Reason::Split && evaluation.variant.is_some()
}

/// Where the number of an outcome may be noted; not of a value that a stored Context supplied.
fn slot_of<'s>(evaluation: &Evaluation<'s>) -> Option<&'s Slot> {
    evaluation.feature.slots.get(evaluation.slot).filter(|_| evaluation.slot != slot::SUPPLIED)
}

/// What is noted of an outcome, or of its feature.
#[inline]
pub fn mark_of(evaluation: &Evaluation<'_>) -> u64 {
    evaluation.feature.slots.get(evaluation.slot).map_or(0, |slot| slot.mark.get())
}

/// The bit of a mark that says that there is more to it than a number that is counted: an arm of a split, or no outcome.
const MORE: u64 = 1 << 31;
/// The [`kind`] of no mark.
pub const NOTHING: u64 = u64::MAX;

/// Whose number a mark has, and whether there is more to it.
#[inline]
pub fn kind(mark: u64) -> u64 {
    mark >> 31
}

/// The number that a mark has.
#[inline]
pub fn number(mark: u64) -> u32 {
    (mark % MORE) as u32
}

/// See the module.
#[derive(Debug)]
pub struct Names {
    /// Tells the numbers of these names from those of others.
    series: u32,
    hasher: RandomState,
    table: RwLock<Table>,
    /// Values of context fields that were found lately: their hashes, with their numbers in place of the lowest bits.
    found: Box<[AtomicU64]>,
}

#[derive(Debug, Default)]
struct Table {
    numbers: ByHash<u32>,
    names: Vec<Name>,
}

impl Table {
    fn is_full(&self) -> bool {
        self.names.len() >= LIMIT
    }

    /// The context fields of an audience; `None` when the number is not one's.
    fn fields(&self, audience: u32) -> Option<&Fields> {
        match self.names.get(audience as usize) {
            Some(Name::Audience(_, fields)) => Some(fields),
            _ => None,
        }
    }

    /// The number of a value, when it is known, or known that it has none of its own.
    fn known(&self, audience: u32, field: &str, hash: u64) -> Option<Option<u32>> {
        let field = self.fields(audience)?.0.iter().find(|kept| kept.name == field);
        if let Some(number) = field.and_then(|field| field.values.get(&hash)) {
            return Some(Some(*number));
        }
        let rest = field.and_then(|field| field.rest);
        if rest.is_some() || self.is_full() { Some(rest) } else { None }
    }
}

/// The context fields of an audience, few.
#[derive(Debug, Default)]
pub struct Fields(Vec<Field>);

#[derive(Debug)]
struct Field {
    name: String,
    /// The numbers of values, by their hash.
    values: ByHash<u32>,
    /// The number of the others, once there are more values than have one.
    rest: Option<u32>,
}

impl Names {
    pub fn new(series: u32) -> Self {
        let found = (0..FOUND).map(|_| AtomicU64::default()).collect();
        Self { series, hasher: RandomState::default(), table: RwLock::default(), found }
    }

    /// An empty one for the time after this.
    pub fn next(&self) -> Self {
        Self::new(self.series.wrapping_add(1).max(1))
    }

    pub fn is_full(&self) -> bool {
        self.table.read().names.len() >= FULL
    }

    /// The [`kind`] of outcomes that are only counted.
    pub fn plain(&self) -> u64 {
        kind(u64::from(self.series) << 32)
    }

    fn mark(&self, number: u32, more: u64) -> u64 {
        u64::from(self.series) << 32 | more | u64::from(number)
    }

    /// The number of a mark, when it is one of these.
    #[inline]
    fn marked(&self, mark: u64) -> Option<u32> {
        (mark >> 32 == u64::from(self.series)).then_some(number(mark))
    }

    /// The number of an outcome, which may be a new one; `None` when there are too many.
    pub fn outcome(&self, environment: i64, evaluation: &Evaluation<'_>) -> Option<u32> {
        let noted = slot_of(evaluation).and_then(|slot| self.marked(slot.mark.get()));
        noted.or_else(|| self.find_outcome(environment, evaluation))
    }

    #[cold]
    fn find_outcome(&self, environment: i64, evaluation: &Evaluation<'_>) -> Option<u32> {
        let (feature, variant) = (&*evaluation.feature.key, evaluation.variant.map(|it| it.key.as_str()));
        let key = ("outcome", environment, feature, evaluation.rule_id, variant, evaluation.value);
        let same = |name: &Name| match name {
            Name::Outcome(outcome) => {
                outcome.environment == environment
                    && outcome.feature == feature
                    && outcome.rule.as_deref() == evaluation.rule_id
                    && outcome.variant.as_deref() == variant
                    && (outcome.value == evaluation.value || outcome.value == shorten(evaluation.value))
            }
            _ => false,
        };
        let number = self.number(self.hasher.hash_one(key), same, || {
            Name::Outcome(Outcome {
                environment,
                feature: feature.to_owned(),
                rule: evaluation.rule_id.map(str::to_owned),
                variant: variant.map(str::to_owned),
                value: shorten(evaluation.value),
                limit: AtomicU64::new(u64::MAX),
            })
        })?;
        if let Some(slot) = slot_of(evaluation) {
            slot.mark.set(self.mark(number, if is_arm(evaluation) { MORE } else { 0 }));
        }
        Some(number)
    }

    /// The number of those who are answered the whole environment.
    pub fn everybody(&self, environment: i64, snapshot: &Snapshot) -> Option<u32> {
        if let Some(number) = self.marked(snapshot.mark.get()) {
            return Some(number);
        }
        let number = self.audience(environment, None, snapshot.newest())?;
        snapshot.mark.set(self.mark(number, MORE));
        Some(number)
    }

    /// A hash of all that decides who asks for a whole environment, and which values are counted of them: of other
    /// names another one.
    pub fn hash_of(&self, environment: i64, snapshot: &Snapshot, request: &[u8]) -> Option<u64> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(request);
        hasher.write_u32(self.everybody(environment, snapshot)?);
        hasher.write_u64(snapshot.revision);
        hasher.write_usize(snapshot.counted().as_ptr().addr());
        Some(hasher.finish())
    }

    /// The number of those who are answered this feature by itself.
    #[inline]
    pub fn asking_for(&self, environment: i64, feature: &Feature) -> Option<u32> {
        let mark = feature.slots.get(slot::SUPPLIED).map(|slot| &slot.mark);
        if let Some(number) = mark.and_then(|mark| self.marked(mark.get())) {
            return Some(number);
        }
        let number = self.audience(environment, Some(&feature.key), 0)?;
        if let Some(mark) = mark {
            mark.set(self.mark(number, MORE));
        }
        Some(number)
    }

    fn audience(&self, environment: i64, feature: Option<&str>, since: Millis) -> Option<u32> {
        let key = ("audience", environment, feature, since);
        let same = |name: &Name| matches!(name, Name::Audience(it, _) if it.is(environment, feature, since));
        self.number(self.hasher.hash_one(key), same, || {
            let audience = Audience { environment, feature: feature.map(str::to_owned), since };
            Name::Audience(audience, Fields::default())
        })
    }

    /// The number of a value of a context field among those of an audience, which may be a new one; `None` when there
    /// are too many.
    pub fn value(&self, audience: u32, field: &Path, value: &str) -> Option<u32> {
        // Two of the thousand values of a field share 64 bits, keyed anew with each start, once in thirty trillion
        // starts, and one is taken for another that was found lately once in 2^44 times. To compare them would be most
        // of what counting costs.
        let mut hasher = self.hasher.build_hasher();
        hasher.write(value.as_bytes());
        let hash = hasher.finish();
        let mixed = hash.wrapping_add(field.hash()) ^ spread(audience);
        let found = self.found.get(mixed as usize % FOUND)?;
        let kept = found.load(Ordering::Relaxed);
        match kept as u32 % NUMBERS {
            number @ 1.. if kept ^ mixed < u64::from(NUMBERS) => Some(number),
            _ => {
                let number = self.find_value(audience, field.as_str(), value, hash)?;
                found.store(mixed - mixed % u64::from(NUMBERS) + u64::from(number), Ordering::Relaxed);
                Some(number)
            }
        }
    }

    #[inline(never)]
    fn find_value(&self, audience: u32, field: &str, value: &str, hash: u64) -> Option<u32> {
        let known = self.table.read().known(audience, field, hash);
        known.unwrap_or_else(|| self.add_value(audience, field, value, hash))
    }

    /// The feature of which an audience is.
    pub fn feature_of(&self, audience: u32) -> Option<String> {
        match self.table.read().names.get(audience as usize) {
            Some(Name::Audience(audience, _)) => audience.feature.clone(),
            _ => None,
        }
    }

    #[cold]
    fn add_value(&self, audience: u32, field: &str, value: &str, hash: u64) -> Option<u32> {
        let mut table = self.table.write();
        // Another thread may have added it.
        if let Some(known) = table.known(audience, field, hash) {
            return known;
        }
        let number = u32::try_from(table.names.len()).ok()?;
        let Some(Name::Audience(_, fields)) = table.names.get_mut(audience as usize) else { return None };
        let at = fields.0.iter().position(|kept| kept.name == field).unwrap_or_else(|| {
            fields.0.push(Field { name: field.to_owned(), values: ByHash::default(), rest: None });
            fields.0.len() - 1
        });
        let kept = &mut fields.0[at];
        let value = if kept.values.len() >= MAX_VALUES {
            kept.rest = Some(number);
            None
        } else {
            kept.values.insert(hash, number);
            Some(value.to_owned())
        };
        table.names.push(Name::Value { audience, field: field.to_owned(), value });
        Some(number)
    }

    /// The number under a hash; a new one where there is none yet, and room.
    fn number(&self, hash: u64, same: impl Fn(&Name) -> bool, make: impl FnOnce() -> Name) -> Option<u32> {
        let find = |table: &Table| {
            let mut hash = hash;
            while let Some(number) = table.numbers.get(&hash) {
                if table.names.get(*number as usize).is_some_and(&same) {
                    return Ok(*number);
                }
                hash = hash.wrapping_add(1);
            }
            Err(hash)
        };
        {
            let table = self.table.read();
            match find(&table) {
                Ok(number) => return Some(number),
                // Nothing to wait for the others for.
                Err(_) if table.is_full() => return None,
                Err(_) => {}
            }
        }
        let mut table = self.table.write();
        let free = match find(&table) {
            Ok(number) => return Some(number),
            Err(_) if table.is_full() => return None,
            Err(free) => free,
        };
        let number = u32::try_from(table.names.len()).ok()?;
        table.names.push(make());
        table.numbers.insert(free, number);
        Some(number)
    }

    /// Looks at what numbers stand for. All names are told too, by number.
    pub fn resolve(&self, numbers: impl Iterator<Item = u32>, mut told: impl FnMut(u32, &Name, &[Name])) {
        let table = self.table.read();
        for number in numbers {
            if let Some(name) = table.names.get(number as usize) {
                told(number, name, &table.names);
            }
        }
    }

    /// Whether somebody with that hash takes part in the comparison of an outcome's variants.
    pub fn takes_part(&self, outcome: u32, person: u64) -> bool {
        match self.table.read().names.get(outcome as usize) {
            Some(Name::Outcome(outcome)) => person < outcome.limit.load(Ordering::Relaxed),
            _ => false,
        }
    }

    /// From now on only people below the limit take part in the comparison of a feature's variants.
    pub fn set_limit(&self, environment: i64, feature: &str, limit: u64) {
        for name in &self.table.read().names {
            if let Name::Outcome(outcome) = name
                && outcome.environment == environment
                && outcome.feature == feature
            {
                outcome.limit.store(limit, Ordering::Relaxed);
            }
        }
    }
}
