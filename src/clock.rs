//! What time it is; the only place that asks.

use std::time::{SystemTime, UNIX_EPOCH};

pub use crate::engine::time::{Millis, day, parse, push_rfc3339, rfc3339};

/// The time now.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
