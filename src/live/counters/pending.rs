//! Counts in words, on their way into the database.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sha2::{Digest, Sha256};

use crate::ids::EnvironmentId;

/// Values longer than this many bytes are counted by their hash.
const MAX_VALUE: usize = 200;

/// One thing that is counted, on one day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Count {
    pub environment: EnvironmentId,
    pub day: String,
    pub feature: String,
    pub rule: Option<String>,
    pub variant: Option<String>,
    /// JSON text, or `sha256:…` of a long one.
    pub value: String,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Pending {
    pub counts: HashMap<Count, u64>,
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Adds another's; says how many evaluations found no room.
    pub fn merge(&mut self, other: Self, capacity: usize) -> u64 {
        let mut dropped = 0;
        for (count, times) in other.counts {
            let full = self.counts.len() >= capacity;
            match self.counts.entry(count) {
                Entry::Occupied(mut have) => *have.get_mut() += times,
                Entry::Vacant(_) if full => dropped += times,
                Entry::Vacant(place) => {
                    place.insert(times);
                }
            }
        }
        dropped
    }
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
