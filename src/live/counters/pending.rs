//! What was counted, in words, on its way into the database.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use sha2::{Digest, Sha256};

use super::sketch::Sketch;
use featured_engine::time::Millis;

/// Values longer than this many bytes are counted by their hash.
const MAX_VALUE: usize = 200;

/// One thing that is counted, on one day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Count {
    pub environment: i64,
    pub day: String,
    pub feature: String,
    pub rule: Option<String>,
    pub variant: Option<String>,
    /// JSON text, or `sha256:…` of a long one.
    pub value: String,
}

/// Those who were answered a feature, or a whole environment. That concerns every feature that was there: those
/// made until `since` (milliseconds since 1970), which is when the newest of them was made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Audience {
    pub environment: i64,
    pub feature: Option<String>,
    pub since: Millis,
}

impl Audience {
    pub fn is(&self, environment: i64, feature: Option<&str>, since: Millis) -> bool {
        self.environment == environment && self.feature.as_deref() == feature && self.since == since
    }
}

/// A value of a context field; `None`: one that is not counted by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldValue {
    pub audience: Audience,
    pub day: String,
    pub field: String,
    pub value: Option<String>,
}

/// Somebody (hashed) who was given a variant by a split.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Exposure {
    pub environment: i64,
    pub feature: String,
    pub rule: String,
    pub variant: String,
    pub person: u64,
}

/// Somebody (hashed) who did what counts as a success, on one day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conversion {
    pub environment: i64,
    pub event: String,
    pub day: String,
    pub person: u64,
}

/// How often, the last time, and the sum of the values that came along.
#[derive(Clone, Copy, Debug, Default)]
pub struct Converted {
    pub count: u64,
    pub last_at: Millis,
    pub total: f64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Pending {
    pub counts: HashMap<Count, u64>,
    pub people: HashMap<(Audience, String), Sketch>,
    pub values: HashMap<FieldValue, u64>,
    /// When it first happened.
    pub exposures: HashMap<Exposure, Millis>,
    pub conversions: HashMap<Conversion, Converted>,
}

impl Pending {
    /// Adds somebody to an audience of a day; false where there is no room for another audience.
    pub fn add_person(&mut self, key: (Audience, String), person: u64, room: usize) -> bool {
        let fits = self.people.len() < room || self.people.contains_key(&key);
        if fits {
            self.people.entry(key).or_default().add(person);
        }
        fits
    }

    /// Adds when somebody was first given a variant; false where there is no room for another.
    pub fn add_exposure(&mut self, exposure: Exposure, at: Millis, room: usize) -> bool {
        add(&mut self.exposures, exposure, at, room, |have, at| *have = at.min(*have)).is_none()
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
            && self.people.is_empty()
            && self.values.is_empty()
            && self.exposures.is_empty()
            && self.conversions.is_empty()
    }

    /// Adds another's, each kind up to so many; says how many evaluations found no room.
    pub fn merge(&mut self, other: Self, capacity: usize) -> u64 {
        let mut dropped = 0;
        for (key, times) in other.counts {
            dropped += add(&mut self.counts, key, times, capacity, |have, times| *have += times).unwrap_or(0);
        }
        for (key, sketch) in other.people {
            add(&mut self.people, key, sketch, capacity / 50, |have, sketch| have.merge(&sketch));
        }
        for (key, times) in other.values {
            add(&mut self.values, key, times, capacity, |have, times| *have += times);
        }
        for (key, at) in other.exposures {
            add(&mut self.exposures, key, at, capacity, |have, at| *have = at.min(*have));
        }
        for (key, converted) in other.conversions {
            add(&mut self.conversions, key, converted, capacity, Converted::add);
        }
        dropped
    }
}

impl Converted {
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.last_at = self.last_at.max(other.last_at);
        self.total += other.total;
    }
}

/// Adds to what is there, or puts it there while there is room; gives back what found none.
pub fn add<K: Hash + Eq, V>(
    map: &mut HashMap<K, V>,
    key: K,
    value: V,
    capacity: usize,
    join: impl FnOnce(&mut V, V),
) -> Option<V> {
    let full = map.len() >= capacity;
    match map.entry(key) {
        Entry::Occupied(mut have) => join(have.get_mut(), value),
        Entry::Vacant(_) if full => return Some(value),
        Entry::Vacant(place) => {
            place.insert(value);
        }
    }
    None
}

/// A value as it is counted.
pub fn shorten(value: &str) -> String {
    if value.len() <= MAX_VALUE {
        return value.to_owned();
    }
    let digest = Sha256::digest(value);
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
