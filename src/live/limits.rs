//! Rate limits: so many requests in each minute of the clock, per token, and for `client` tokens, which all
//! visitors of a site share, per token and address (feature-config §3).

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use super::credentials::Token;
use crate::clock::Millis;
use crate::ids::TokenId;
use crate::store::tokens::Kind;

const WINDOW: Millis = 60_000;
/// Addresses remembered at the same time.
const ADDRESSES: u64 = 100_000;

/// See the module.
pub struct Limits {
    default: u32,
    by_address: Cache<(TokenId, IpAddr), Arc<AtomicU64>>,
}

/// Where a request stands in its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub limit: u32,
    pub remaining: u32,
    /// Seconds until the window ends.
    pub reset: u64,
    pub allowed: bool,
}

impl Limits {
    pub fn new(default: u32) -> Self {
        let by_address =
            Cache::builder().max_capacity(ADDRESSES).time_to_idle(Duration::from_secs(120)).build();
        Self { default, by_address }
    }

    /// Counts one request. `None`: this token has no limit.
    pub fn count(&self, token: &Token, address: Option<IpAddr>, now: Millis) -> Option<Standing> {
        let limit = token.rate_limit.unwrap_or(self.default);
        if limit == 0 {
            return None;
        }
        Some(match (token.kind, address) {
            (Kind::Client, Some(address)) => {
                let window = self.by_address.get_with((token.id, address), Arc::default);
                step(&window, limit, now)
            }
            _ => step(&token.usage.window, limit, now),
        })
    }
}

/// The window's number and its count share one word, so that counting needs no lock.
fn step(window: &AtomicU64, limit: u32, now: Millis) -> Standing {
    let minute = (now / WINDOW) as u64 & 0xffff_ffff;
    let mut count = 0;
    let update = |word: u64| {
        count = if word >> 32 == minute { (word as u32).saturating_add(1) } else { 1 };
        Some(minute << 32 | u64::from(count))
    };
    // The closure always gives a value, so both arms hold the old word.
    let (Ok(_) | Err(_)) = window.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
    Standing {
        limit,
        remaining: limit.saturating_sub(count),
        reset: ((WINDOW - now.rem_euclid(WINDOW) + 999) / 1000) as u64,
        allowed: count <= limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_to_its_limit_and_begins_anew_each_minute() {
        let window = AtomicU64::new(0);
        let now = 1_767_225_600_000;
        for used in 1..=3 {
            let standing = step(&window, 3, now);
            assert_eq!((standing.allowed, standing.remaining), (true, 3 - used));
        }
        let over = step(&window, 3, now + 20_500);
        assert_eq!(over, Standing { limit: 3, remaining: 0, reset: 40, allowed: false });
        assert!(step(&window, 3, now + WINDOW).allowed);
    }
}
