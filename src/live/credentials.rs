//! Tokens in memory: SHA-256 of what was presented leads to what it may do, without the database.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Environment, Live};
use crate::clock::Millis;
use crate::error::Result;
use crate::ids::TokenId;
use crate::store;
use crate::store::tokens::{Hash, Kind};
use crate::store::users::PersonalToken;

/// An environment token as requests see it.
pub struct Token {
    pub id: TokenId,
    pub uuid: String,
    /// What people call it.
    pub description: String,
    pub kind: Kind,
    pub permissions: Vec<String>,
    pub environment: Arc<Environment>,
    pub expires_at: Option<Millis>,
    /// Requests a minute; `None`: the server's setting.
    pub rate_limit: Option<u32>,
    pub usage: Arc<Usage>,
    hash: Hash,
}

/// What was counted of a token since the last flush, and its window of the rate limit.
#[derive(Default)]
pub struct Usage {
    uses: AtomicU64,
    last_used_at: AtomicI64,
    pub window: AtomicU64,
}

impl Usage {
    /// Counts one use.
    pub fn count(&self, now: Millis) {
        self.uses.fetch_add(1, Ordering::Relaxed);
        self.last_used_at.store(now, Ordering::Relaxed);
    }
}

/// See the module. The maps are keyed by the first half of the hash, the whole is compared in constant
/// time.
#[derive(Default)]
pub struct Credentials {
    native: ArcSwap<HashMap<u128, Arc<Token>>>,
    featurehub: ArcSwap<HashMap<u128, Arc<Token>>>,
    personal: ArcSwap<HashMap<u128, Arc<PersonalToken>>>,
    usage: Mutex<HashMap<TokenId, Arc<Usage>>>,
    generation: AtomicU64,
}

/// SHA-256, as secrets are stored.
pub fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

fn half(hash: &Hash) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    u128::from_be_bytes(bytes)
}

impl Credentials {
    /// Reads every token again. Counts and rate limits go on.
    pub fn load(&self, conn: &Connection, live: &Live) -> Result<()> {
        let mut native = HashMap::new();
        let mut featurehub = HashMap::new();
        let mut usages = self.usage.lock();
        let before = std::mem::take(&mut *usages);
        for row in store::tokens::all(conn)? {
            let Some(environment) = live.environment(row.environment) else { continue };
            let usage = before.get(&row.id).cloned().unwrap_or_default();
            usages.insert(row.id, usage.clone());
            let current = (row.hashes, row.expires_at);
            let previous = row.previous.map(|(hashes, until)| {
                (hashes, Some(row.expires_at.map_or(until, |expires_at| expires_at.min(until))))
            });
            for (hashes, expires_at) in [Some(current), previous].into_iter().flatten() {
                let token = |hash| {
                    Arc::new(Token {
                        id: row.id,
                        uuid: row.uuid.clone(),
                        description: row.description.clone(),
                        kind: row.kind,
                        permissions: row.permissions.clone(),
                        environment: environment.clone(),
                        expires_at,
                        rate_limit: row.rate_limit,
                        usage: usage.clone(),
                        hash,
                    })
                };
                native.insert(half(&hashes.native), token(hashes.native));
                featurehub.insert(half(&hashes.featurehub), token(hashes.featurehub));
            }
        }
        let personal = store::users::personal_tokens(conn)?
            .into_iter()
            .map(|token| (half(&token.hash), Arc::new(token)))
            .collect();
        self.native.store(Arc::new(native));
        self.featurehub.store(Arc::new(featurehub));
        self.personal.store(Arc::new(personal));
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Moves once tokens were read again.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The environment token with this native spelling, unless it has expired.
    pub fn native(&self, secret: &str, now: Millis) -> Option<Arc<Token>> {
        find(&self.native.load(), secret, now)
    }

    /// The same by its FeatureHub spelling.
    pub fn featurehub(&self, secret: &str, now: Millis) -> Option<Arc<Token>> {
        find(&self.featurehub.load(), secret, now)
    }

    /// The personal access token with this secret, unless it has expired.
    pub fn personal(&self, secret: &str, now: Millis) -> Option<Arc<PersonalToken>> {
        let hash = hash(secret);
        let token = self.personal.load().get(&half(&hash)).cloned()?;
        let fresh = token.expires_at.is_none_or(|expires_at| now < expires_at);
        (bool::from(token.hash.ct_eq(&hash)) && fresh).then_some(token)
    }

    /// Counts again what could not be written.
    pub fn put_back_uses(&self, uses: &[(TokenId, u64, Millis)]) {
        let usage = self.usage.lock();
        for (id, times, _) in uses {
            if let Some(usage) = usage.get(id) {
                usage.uses.fetch_add(*times, Ordering::Relaxed);
            }
        }
    }

    /// Takes what was counted since the last time: token, uses, time of the last one.
    pub fn take_uses(&self) -> Vec<(TokenId, u64, Millis)> {
        self.usage
            .lock()
            .iter()
            .map(|(id, usage)| {
                (*id, usage.uses.swap(0, Ordering::Relaxed), usage.last_used_at.load(Ordering::Relaxed))
            })
            .filter(|(_, uses, _)| *uses > 0)
            .collect()
    }
}

fn find(tokens: &HashMap<u128, Arc<Token>>, secret: &str, now: Millis) -> Option<Arc<Token>> {
    let hash = hash(secret);
    let token = tokens.get(&half(&hash))?;
    let fresh = token.expires_at.is_none_or(|expires_at| now < expires_at);
    (bool::from(token.hash.ct_eq(&hash)) && fresh).then(|| token.clone())
}

impl Token {
    /// SHA-256 of its native spelling, or of the FeatureHub one where it was presented in that.
    pub(super) fn digest(&self) -> &Hash {
        &self.hash
    }
}

impl Credentials {
    /// The token with this UUID by its native spelling, and the one before it for as long as that is good.
    pub(super) fn with_uuid(&self, uuid: &str, now: Millis) -> Vec<Arc<Token>> {
        let fresh = |token: &Token| token.expires_at.is_none_or(|at| now < at);
        let tokens = self.native.load();
        tokens.values().filter(|token| token.uuid == uuid && fresh(token)).cloned().collect()
    }

    /// Whether a token that was let in earlier would still be: not revoked, rotated away or expired.
    pub fn is_current(&self, token: &Token, now: Millis) -> bool {
        let current = |tokens: &HashMap<u128, Arc<Token>>| {
            tokens.get(&half(&token.hash)).is_some_and(|found| found.expires_at.is_none_or(|at| now < at))
        };
        current(&self.native.load()) || current(&self.featurehub.load())
    }
}
