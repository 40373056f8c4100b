//! Does what GDPR requests ask, one at a time: a row is claimed for the length of a lease, and done or put back.

use crate::admin::gdpr::process;
use crate::app::App;
use crate::clock::Millis;
use crate::error::Result;
use crate::store::gdpr;

/// How long a request that is being done is nobody else's: rewriting a large file takes its time.
const LEASE: Millis = 10 * 60 * 1000;

/// Does what waits.
pub fn run(app: &App) -> Result<()> {
    while app.read(|conn| gdpr::is_due(conn, app.now()))? {
        let claimed = gdpr::claim(&app.store.writer(), app.now(), LEASE)?;
        let Some(request) = claimed else { break };
        process(app, &request)?;
    }
    Ok(())
}
