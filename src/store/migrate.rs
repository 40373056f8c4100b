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
    // 3: sign-in with a browser: sessions, second factors, mail, settings.
    "-- Signed-in browsers. Only SHA-256 of the cookie is kept. `confirmed` once the second factor was given, or
    -- none was needed.
    CREATE TABLE sessions (
        id           INTEGER PRIMARY KEY,
        uuid         TEXT    NOT NULL UNIQUE,
        user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        hash         BLOB    NOT NULL UNIQUE,
        confirmed    INTEGER NOT NULL,
        created_at   INTEGER NOT NULL,
        last_seen_at INTEGER NOT NULL,
        address      TEXT    NOT NULL,
        user_agent   TEXT    NOT NULL
    ) STRICT;
    
    CREATE INDEX sessions_user ON sessions (user_id);
    
    -- Browsers that skip the second factor for 30 days.
    CREATE TABLE trusted_devices (
        id           INTEGER PRIMARY KEY,
        uuid         TEXT    NOT NULL UNIQUE,
        user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        hash         BLOB    NOT NULL UNIQUE,
        created_at   INTEGER NOT NULL,
        last_used_at INTEGER NOT NULL,
        expires_at   INTEGER NOT NULL,
        user_agent   TEXT    NOT NULL
    ) STRICT;
    
    CREATE INDEX trusted_devices_user ON trusted_devices (user_id);
    
    -- Single-use codes for who lost the second factor; SHA-256 of each.
    CREATE TABLE backup_codes (
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        hash    BLOB    NOT NULL,
        used_at INTEGER,
        PRIMARY KEY (user_id, hash)
    ) STRICT, WITHOUT ROWID;
    
    -- The code last mailed to a user, and how often a wrong one was tried.
    CREATE TABLE email_codes (
        user_id    INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        hash       BLOB    NOT NULL,
        expires_at INTEGER NOT NULL,
        tries      INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    
    -- Failed sign-ins of late, per account and per address, so that guessing is slow and stays slow over a
    -- restart. `subject` is 'user:' with the name typed, or 'address:'.
    CREATE TABLE sign_in_failures (
        subject    TEXT    PRIMARY KEY,
        failures   INTEGER NOT NULL,
        blocked_to INTEGER NOT NULL,
        last_at    INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    
    -- Links that work once: making the first admin, setting a new password.
    CREATE TABLE links (
        hash       BLOB    PRIMARY KEY,
        purpose    TEXT    NOT NULL CHECK (purpose IN ('setup', 'reset')),
        user_id    INTEGER REFERENCES users (id) ON DELETE CASCADE,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    
    -- Mail to be sent, or kept for admins where no SMTP server is configured.
    CREATE TABLE mails (
        id         INTEGER PRIMARY KEY,
        uuid       TEXT    NOT NULL UNIQUE,
        recipient  TEXT    NOT NULL,
        subject    TEXT    NOT NULL,
        body       TEXT    NOT NULL,
        created_at INTEGER NOT NULL,
        due_at     INTEGER NOT NULL,
        attempts   INTEGER NOT NULL DEFAULT 0,
        sent_at    INTEGER,
        error      TEXT
    ) STRICT;
    
    CREATE INDEX mails_due ON mails (due_at) WHERE sent_at IS NULL;
    
    -- What admins set for the whole server, as JSON.
    CREATE TABLE settings (
        name  TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    
    -- How a user likes the pages.
    CREATE TABLE preferences (
        user_id     INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        theme       TEXT    NOT NULL CHECK (theme IN ('system', 'light', 'dark')),
        dense       INTEGER NOT NULL,
        single_keys INTEGER NOT NULL
    ) STRICT;
    
    -- The last time step of an authenticator app that a user signed in with: a code works once.
    CREATE TABLE totp_steps (
        user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        step    INTEGER NOT NULL
    ) STRICT;",
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
