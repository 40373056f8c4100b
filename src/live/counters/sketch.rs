//! How many different people: the users themselves, hashed, while they are few, then HyperLogLog with 4 096
//! registers (standard error 1.6 %), read with Ertl's improved estimator (arXiv 1702.01284, algorithm 6). Never
//! more than 4 KB.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// So many are kept as they are.
const FEW: usize = 500;
/// Bits of the hash that choose the register.
const BITS: u32 = 12;
const REGISTERS: usize = 1 << BITS;
/// The largest rank: that of a hash whose other bits are all zero.
const MAX_RANK: u8 = (64 - BITS + 1) as u8;

/// A table whose keys are hashes already.
pub type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Hashed>>;

/// What is put in is a hash already.
#[derive(Clone, Default)]
pub struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub enum Sketch {
    Few(HashSet<u64, BuildHasherDefault<Hashed>>),
    Many(Box<[u8]>),
}

impl Default for Sketch {
    fn default() -> Self {
        Self::Few(HashSet::default())
    }
}

impl Sketch {
    /// Adds one by its hash.
    pub fn add(&mut self, hash: u64) {
        match self {
            Self::Many(registers) => raise(registers, hash),
            Self::Few(hashes) => {
                hashes.insert(hash);
                if hashes.len() > FEW {
                    let mut registers = vec![0; REGISTERS].into_boxed_slice();
                    hashes.iter().for_each(|hash| raise(&mut registers, *hash));
                    *self = Self::Many(registers);
                }
            }
        }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Few(hashes)) => hashes.iter().for_each(|hash| self.add(*hash)),
            (Self::Many(mine), Self::Many(theirs)) => {
                mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine = (*mine).max(*theirs));
            }
            (Self::Few(hashes), Self::Many(theirs)) => {
                let mut registers = theirs.clone();
                hashes.iter().for_each(|hash| raise(&mut registers, *hash));
                *self = Self::Many(registers);
            }
        }
    }

    /// How many there are: exactly while they are few, then about.
    pub fn count(&self) -> u64 {
        match self {
            Self::Few(hashes) => hashes.len() as u64,
            Self::Many(registers) => estimate(registers).round() as u64,
        }
    }

    /// As it is stored: a byte that says how, then the sorted hashes or the registers.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Few(hashes) => {
                let mut sorted: Vec<u64> = hashes.iter().copied().collect();
                sorted.sort_unstable();
                let mut bytes = vec![0];
                sorted.iter().for_each(|hash| bytes.extend_from_slice(&hash.to_le_bytes()));
                bytes
            }
            Self::Many(registers) => {
                let mut bytes = vec![1];
                bytes.extend_from_slice(registers);
                bytes
            }
        }
    }

    /// Reads [`Sketch::to_bytes`]; what cannot be one is an empty one.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match bytes.split_first() {
            Some((1, registers)) if registers.len() == REGISTERS => {
                Self::Many(registers.iter().map(|rank| (*rank).min(MAX_RANK)).collect())
            }
            Some((0, hashes)) => {
                let (hashes, _) = hashes.as_chunks::<8>();
                let mut sketch = Self::default();
                hashes.iter().for_each(|hash| sketch.add(u64::from_le_bytes(*hash)));
                sketch
            }
            _ => Self::default(),
        }
    }
}

#[inline]
fn raise(registers: &mut [u8], hash: u64) {
    let rank = ((hash << BITS).leading_zeros() as u8 + 1).min(MAX_RANK);
    if let Some(register) = registers.get_mut((hash >> (64 - BITS)) as usize)
        && *register < rank
    {
        *register = rank;
    }
}

fn estimate(registers: &[u8]) -> f64 {
    let mut counts = [0_u32; MAX_RANK as usize + 1];
    for rank in registers {
        counts[usize::from((*rank).min(MAX_RANK))] += 1;
    }
    let m = REGISTERS as f64;
    let share = |rank: usize| f64::from(counts[rank]) / m;
    let last = usize::from(MAX_RANK);
    let mut z = m * tau(1.0 - share(last));
    for rank in (1..last).rev() {
        z = 0.5 * (z + f64::from(counts[rank]));
    }
    z += m * sigma(share(0));
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn hash(number: u64) -> u64 {
        let digest = Sha256::digest(number.to_le_bytes());
        u64::from_le_bytes(digest[..8].try_into().expect("8 bytes"))
    }

    fn of(numbers: std::ops::Range<u64>) -> Sketch {
        let mut sketch = Sketch::default();
        numbers.for_each(|number| sketch.add(hash(number)));
        sketch
    }

    #[test]
    fn few_are_counted_exactly_and_many_within_five_standard_errors() {
        for count in [0, 1, 2, 499, 500] {
            let mut sketch = of(0..count);
            (0..count).for_each(|number| sketch.add(hash(number)));
            assert_eq!(sketch.count(), count);
        }
        for count in [501_u64, 1000, 5000, 20_000, 200_000] {
            let found = of(0..count).count() as f64;
            let error = (found - count as f64).abs() / count as f64;
            assert!(error < 5.0 * 1.04 / 64.0, "{count}: {found}");
        }
    }

    #[test]
    fn a_merged_sketch_is_that_of_both() {
        for (a, b) in [
            (0..10, 5..20),
            (0..200, 100..300),
            (0..10, 0..5000),
            (0..5000, 4000..4010),
            (0..5000, 2500..9000),
        ] {
            let (mut merged, all) = (of(a.clone()), of(a.start..a.end.max(b.end)));
            merged.merge(&of(b));
            assert_eq!(merged.count(), all.count());
            assert_eq!(Sketch::from_bytes(&merged.to_bytes()).to_bytes(), all.to_bytes());
        }
    }

    #[test]
    fn bytes_that_are_none_are_an_empty_one() {
        for bytes in [&[][..], &[7], &[1, 2, 3], &[0, 1, 2, 3]] {
            assert_eq!(Sketch::from_bytes(bytes).count(), 0);
        }
        let mut broken = of(0..5000).to_bytes();
        broken[1..].fill(255);
        assert!(Sketch::from_bytes(&broken).count() > 0);
        assert!(of(0..100_000).to_bytes().len() <= 4097);
    }
}
