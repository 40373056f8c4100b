//! Secrets that programs present: how they look, and what is stored of them.

use rand::Rng;
use rand::distr::Alphanumeric;

use crate::live::credentials::hash;
use crate::store::tokens::{Hashes, Kind};

/// Random characters in a secret: 28 of 62 are 166 bits.
const RANDOM: usize = 28;
/// Begins every environment token.
pub const TOKEN_PREFIX: &str = "alm_env_";
/// Begins every personal access token.
pub const PERSONAL_PREFIX: &str = "alm_pat_";

/// A new environment token in its two spellings; shown once, never stored.
pub struct NewToken {
    pub native: String,
    pub featurehub: String,
}

impl NewToken {
    /// `alm_env_{site}_{environment}_{random}` and `{environment uuid}/{secret}`, whose secret holds a `*`
    /// where the clients are to evaluate by themselves (featurehub.md §1).
    pub fn make(site: &str, environment: &str, environment_id: &str, kind: Kind) -> Self {
        let secret = match kind {
            Kind::Client => random(40),
            Kind::Server => format!("{}*{}", random(30), random(20)),
        };
        Self {
            native: format!("{TOKEN_PREFIX}{site}_{environment}_{}", random(RANDOM)),
            featurehub: format!("{environment_id}/{secret}"),
        }
    }

    pub fn hashes(&self) -> Hashes {
        Hashes { native: hash(&self.native), featurehub: hash(&self.featurehub) }
    }
}

/// A new personal access token; shown once, never stored.
pub fn personal() -> String {
    format!("{PERSONAL_PREFIX}{}", random(RANDOM))
}

/// A new secret that webhooks are signed with.
pub fn webhook() -> String {
    format!("whsec_{}", random(40))
}

/// Letters and digits from the system's generator.
fn random(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}
