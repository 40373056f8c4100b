//! Tables `trusted_devices`, `backup_codes`, `email_codes` and `totp_steps`.

use rusqlite::Connection;

use crate::clock::Millis;
use crate::error::Result;
use crate::ids::UserId;
use crate::store::tokens::Hash;

/// Whether a browser is trusted by this user; notes that it was used.
pub fn use_device(conn: &Connection, user: UserId, hash: &Hash, now: Millis) -> Result<bool> {
    let used = conn
        .prepare_cached(
            "UPDATE trusted_devices SET last_used_at = ?3 WHERE user_id = ?1 AND hash = ?2 AND expires_at > ?3",
        )?
        .execute((user, hash, now))?;
    Ok(used > 0)
}
