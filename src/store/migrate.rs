//! From an empty file, or an older database, to today's tables. `schema.sql` makes a new database; the list
//! below lifts an old one step by step, counted by `user_version`.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use super::{OpenError, plain};

const SCHEMA: &str = include_str!("../../schema.sql");

/// Step `n` (from 0) lifts version `n + 1` to `n + 2`. Append only.
const STEPS: &[&str] = &[
    // 2: evaluations that clients report.
    "CREATE TABLE evaluation_counts (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        day            TEXT    NOT NULL, -- 2026-01-31, UTC
        feature        TEXT    NOT NULL,
        rule           TEXT    NOT NULL,
        variant        TEXT    NOT NULL,
        value          TEXT    NOT NULL, -- JSON, or sha256:... of a long one
        count          INTEGER NOT NULL,
        PRIMARY KEY (environment_id, day, feature, rule, variant, value)
    ) STRICT, WITHOUT ROWID;
    
    CREATE INDEX evaluation_counts_day ON evaluation_counts (day);",
];

/// The version that this program writes.
pub const VERSION: i64 = STEPS.len() as i64 + 1;

/// Marks the file as ours: "feat" in ASCII.
const APPLICATION_ID: i64 = 0x6665_6174;

/// Creates or lifts the tables. Lifting writes a copy of the file beside it first.
pub fn bring_up_to_date(conn: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let file = path.display().to_string();
    let explain = |error: rusqlite::Error| OpenError(format!("{file}: {}", plain(&error)));
    let number = |conn: &Connection, pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let version = number(conn, "PRAGMA user_version").map_err(explain)?;
    if version > VERSION {
        return Err(OpenError(format!(
            "{file} was written by a newer featured (its version {version}, known here up to {VERSION}); \
             use that one, or restore a backup"
        )));
    }
    if version == VERSION {
        return Ok(());
    }
    let ours = number(conn, "PRAGMA application_id").map_err(explain)? == APPLICATION_ID;
    let tables = number(conn, "SELECT count(*) FROM sqlite_schema").map_err(explain)?;
    if tables > 0 && !ours {
        return Err(OpenError(format!("{file} is a database of another program")));
    }
    if tables > 0 {
        let copy = copy_name(path, version);
        conn.execute("VACUUM INTO ?1", [copy.to_string_lossy()]).map_err(|error| {
            OpenError(format!("{}: the copy before the upgrade failed: {}", copy.display(), plain(&error)))
        })?;
    }
    // IMMEDIATE: of two programs that start at once, the second finds the work done.
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
    let version = number(&tx, "PRAGMA user_version").map_err(explain)?;
    let steps: &[&str] = match version {
        VERSION => &[],
        0 => &[SCHEMA],
        from => usize::try_from(from - 1).ok().and_then(|at| STEPS.get(at..)).unwrap_or_default(),
    };
    for step in steps {
        tx.execute_batch(step).map_err(explain)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(explain)?;
    tx.pragma_update(None, "user_version", VERSION).map_err(explain)?;
    tx.commit().map_err(explain)
}

/// `flags.db.v1.bak`, or with a number behind where that is taken.
fn copy_name(path: &Path, version: i64) -> PathBuf {
    let base = format!("{}.v{version}.bak", path.display());
    let mut copy = PathBuf::from(&base);
    let mut number = 2;
    while copy.exists() {
        copy = PathBuf::from(format!("{base}{number}"));
        number += 1;
    }
    copy
}
