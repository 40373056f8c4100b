//! What time it is; the only place that asks.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

pub use crate::engine::time::{DAY, Millis, day, parse, push_rfc3339, rfc3339};

/// The time now.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The clock of one application: the system's, until a test sets it, and from then on it stands.
#[derive(Debug, Default)]
pub struct Clock {
    /// 0 while it is the system's.
    stands_at: AtomicI64,
}

impl Clock {
    pub fn now(&self) -> Millis {
        match self.stands_at.load(Ordering::Relaxed) {
            0 => now(),
            at => at,
        }
    }

    /// From now on it is this time.
    pub fn set(&self, at: Millis) {
        self.stands_at.store(at, Ordering::Relaxed);
    }
}
