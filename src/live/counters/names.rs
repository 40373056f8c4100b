//! Numbers for what is counted, and what each stands for.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::RwLock;

use super::pending::{Count, shorten};
use crate::engine::compile::slot;
use crate::engine::evaluate::Evaluation;
use crate::ids::EnvironmentId;

/// From so many names on they are begun anew at the next flush: features that have changed leave theirs behind.
const FULL: usize = 500_000;
/// More are not given out.
const LIMIT: usize = 2 * FULL;

/// One outcome of one feature.
#[derive(Debug)]
pub struct Outcome {
    pub environment: EnvironmentId,
    pub feature: String,
    pub rule: Option<String>,
    pub variant: Option<String>,
    /// JSON text, or `sha256:…` of a long one.
    pub value: String,
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

/// See the module.
#[derive(Debug)]
pub struct Names {
    /// Tells the numbers of these names from those of others.
    series: u32,
    hasher: RandomState,
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    numbers: HashMap<u64, u32>,
    outcomes: Vec<Outcome>,
}

impl Names {
    pub fn new(series: u32) -> Self {
        Self { series, hasher: RandomState::new(), table: RwLock::default() }
    }

    /// An empty one for the time after this.
    pub fn next(&self) -> Self {
        Self::new(self.series.wrapping_add(1).max(1))
    }

    pub fn is_full(&self) -> bool {
        self.table.read().outcomes.len() >= FULL
    }

    /// The number of an outcome, which may be a new one; `None` when there are too many.
    #[inline]
    pub fn outcome(&self, environment: EnvironmentId, evaluation: &Evaluation<'_>) -> Option<u32> {
        let mark = evaluation.feature.marks.get(evaluation.slot);
        if mark >> 32 == u64::from(self.series) && evaluation.slot != slot::SUPPLIED {
            return Some(mark as u32);
        }
        self.find(environment, evaluation)
    }

    #[cold]
    fn find(&self, environment: EnvironmentId, evaluation: &Evaluation<'_>) -> Option<u32> {
        let (feature, variant) = (&*evaluation.feature.key, evaluation.variant.map(|it| it.key.as_str()));
        // A long value is told by its digest, which is too much to compute each time: here it counts as it is.
        let key = (environment.0, feature, evaluation.rule_id, variant, evaluation.value);
        let number = self.number(self.hasher.hash_one(key), environment, evaluation)?;
        if evaluation.slot != slot::SUPPLIED {
            evaluation.feature.marks.set(evaluation.slot, u64::from(self.series) << 32 | u64::from(number));
        }
        Some(number)
    }

    fn number(&self, mut hash: u64, environment: EnvironmentId, evaluation: &Evaluation<'_>) -> Option<u32> {
        let same = |outcome: &Outcome| {
            outcome.environment == environment
                && outcome.feature == *evaluation.feature.key
                && outcome.rule.as_deref() == evaluation.rule_id
                && outcome.variant.as_deref() == evaluation.variant.map(|variant| variant.key.as_str())
                && (outcome.value == evaluation.value || outcome.value == shorten(evaluation.value))
        };
        let find = |table: &Table, hash: &mut u64| {
            while let Some(number) = table.numbers.get(hash) {
                if table.outcomes.get(*number as usize).is_some_and(same) {
                    return Some(*number);
                }
                *hash = hash.wrapping_add(1);
            }
            None
        };
        if let Some(number) = find(&self.table.read(), &mut hash.clone()) {
            return Some(number);
        }
        let mut table = self.table.write();
        if let Some(number) = find(&table, &mut hash) {
            return Some(number);
        }
        if table.outcomes.len() >= LIMIT {
            return None;
        }
        let number = u32::try_from(table.outcomes.len()).ok()?;
        table.outcomes.push(Outcome {
            environment,
            feature: evaluation.feature.key.to_string(),
            rule: evaluation.rule_id.map(str::to_owned),
            variant: evaluation.variant.map(|variant| variant.key.clone()),
            value: shorten(evaluation.value),
        });
        table.numbers.insert(hash, number);
        Some(number)
    }

    /// Looks at what numbers stand for.
    pub fn resolve(&self, numbers: impl Iterator<Item = u32>, mut told: impl FnMut(u32, &Outcome)) {
        let table = self.table.read();
        for number in numbers {
            if let Some(outcome) = table.outcomes.get(number as usize) {
                told(number, outcome);
            }
        }
    }
}
