//! Tickets for event streams: what a browser may show in an address, where the token itself must not stand.
//! A ticket opens a stream and nothing else, for a token, for a while. It is proven by a key that lives as long
//! as the process, so nothing is kept for one.

use std::fmt::Write;
use std::sync::Arc;

use rand::RngCore;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::credentials::{Credentials, Token};
use crate::clock::Millis;

/// A ticket is good in the stretch of this many milliseconds in which it was given, and in the next one.
const STRETCH: Millis = 10 * 60 * 1000;

/// See the module.
pub struct Tickets {
    key: [u8; 32],
}

impl Default for Tickets {
    fn default() -> Self {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        Self { key }
    }
}

impl Tickets {
    /// A ticket for this token; the same one for ten minutes.
    pub fn issue(&self, token: &Token, now: Millis) -> String {
        self.write(token, now.div_euclid(STRETCH))
    }

    /// The token that a ticket stands for, unless it is too old, or the token is no longer good.
    pub fn redeem(&self, credentials: &Credentials, ticket: &str, now: Millis) -> Option<Arc<Token>> {
        let mut parts = ticket.split('.');
        let (uuid, stretch) = (parts.next()?, parts.next()?.parse::<Millis>().ok()?);
        let current = now.div_euclid(STRETCH);
        if stretch != current && stretch != current - 1 {
            return None;
        }
        let proven =
            |token: &Arc<Token>| self.write(token, stretch).as_bytes().ct_eq(ticket.as_bytes()).into();
        credentials.with_uuid(uuid, now).into_iter().find(proven)
    }

    fn write(&self, token: &Token, stretch: Millis) -> String {
        // All parts have a fixed length, so no two inputs read the same.
        let proof = Sha256::new()
            .chain_update(self.key)
            .chain_update(token.digest())
            .chain_update(stretch.to_be_bytes())
            .finalize();
        let mut ticket = format!("{}.{stretch}.", token.uuid);
        for byte in proof.iter().take(16) {
            // Writing to text cannot fail.
            let _ = write!(ticket, "{byte:02x}");
        }
        ticket
    }
}
