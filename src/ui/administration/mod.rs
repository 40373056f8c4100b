//! `/admin/…`: users, two-factor sign-in, GDPR requests and the outbox. For administrators alone, which each handler asks for
//! and each change checks again.

pub mod gdpr;
pub mod outbox;
pub mod two_factor;
pub mod users;

use crate::auth::browser::Signed;
use crate::engine::permission::Permission;
use crate::error::Result;

/// `Forbidden` for everybody but administrators.
fn require_admin(signed: &Signed) -> Result<()> {
    signed.actor().require(Permission::Administer)
}
