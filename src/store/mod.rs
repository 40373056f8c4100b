//! The database: one file, one writer connection, a small pool of readers. All the SQL of the program is
//! in this folder; nothing here knows of HTTP.

pub mod analytics;
pub mod backup;
pub mod branding;
pub mod changes;
pub mod contexts;
pub mod environments;
pub mod features;
pub mod flagr;
pub mod gdpr;
pub mod lock;
pub mod mails;
pub mod migrate;
pub mod segments;
pub mod sessions;
pub mod settings;
pub mod sites;
pub mod snapshot;
pub mod tokens;
pub mod two_factor;
pub mod users;
pub mod webhooks;

use std::cmp::Ordering;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::{Connection, OpenFlags, Row, Rows};
use scheduled_thread_pool::ScheduledThreadPool;

use crate::config::Durability;
use crate::error::{Error, Result};

/// Connections that read at the same time.
pub const READERS: u32 = 4;
/// So many bytes of the file are looked at through memory, see [`Store::read_much`].
const MAPPED: i64 = 1 << 30;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An open database.
pub struct Store {
    pub path: PathBuf,
    writer: Mutex<Connection>,
    readers: r2d2::Pool<SqliteConnectionManager>,
}

/// Why a file could not be opened, as one line for a person.
#[derive(Debug)]
pub struct OpenError(pub String);

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OpenError {}

impl Store {
    /// Opens a database, making the file and its tables where there is none and lifting an older one after
    /// a backup copy. Refuses newer ones, databases of other programs and files that are none.
    pub fn open(path: &Path, durability: Durability) -> std::result::Result<Self, OpenError> {
        let explain = |error: rusqlite::Error| OpenError(format!("{}: {}", path.display(), plain(&error)));
        if path.is_dir() {
            return Err(OpenError(format!("{} is a directory, not a database file", path.display())));
        }
        // One that is there stays as it is, and why one cannot be made SQLite tells.
        let _ = make_private(path);
        let mut writer = Connection::open(path).map_err(explain)?;
        prepare(&writer).map_err(explain)?;
        migrate::bring_up_to_date(&mut writer, path)?;
        let mode: String =
            writer.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(explain)?;
        if mode != "wal" {
            return Err(OpenError(format!(
                "{}: this file system cannot hold a WAL database",
                path.display()
            )));
        }
        writer.pragma_update(None, "synchronous", durability.pragma()).map_err(explain)?;
        writer.pragma_update(None, "secure_delete", "ON").map_err(explain)?;
        let manager = SqliteConnectionManager::file(path)
            .with_flags(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .with_init(|conn| {
                prepare(conn)?;
                conn.pragma_update(None, "query_only", "ON")
            });
        let readers = r2d2::Pool::builder()
            .max_size(READERS)
            // Opened when somebody first reads: each takes a while to read the schema, which a start need not wait for.
            .min_idle(Some(0))
            // One thread is enough to open them, where it would begin three.
            .thread_pool(Arc::new(
                ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("readers-{}").build(),
            ))
            .connection_timeout(BUSY_TIMEOUT)
            .build(manager)
            .map_err(|error| OpenError(format!("{}: {error}", path.display())))?;
        Ok(Self { path: path.to_owned(), writer: Mutex::new(writer), readers })
    }

    /// A connection that only reads.
    pub fn read(&self) -> Result<r2d2::PooledConnection<SqliteConnectionManager>> {
        Ok(self.readers.get()?)
    }

    /// The one connection that writes, once it is free.
    pub fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock()
    }

    /// The writer if it is free now.
    pub fn try_writer(&self) -> Option<MutexGuard<'_, Connection>> {
        self.writer.try_lock()
    }

    /// The writer once it is free, if that is soon.
    pub fn try_writer_for(&self, patience: Duration) -> Option<MutexGuard<'_, Connection>> {
        self.writer.try_lock_for(patience)
    }

    /// Reads much: for that time the file is looked at through memory instead of being copied page by page. Only then,
    /// because a disk that fails ends the process where it would have been an error.
    pub fn read_much<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let writer = self.writer();
        writer.pragma_update(None, "mmap_size", MAPPED)?;
        let result = read(&writer);
        writer.pragma_update(None, "mmap_size", 0)?;
        result
    }

    /// Moves the WAL into the database file, for a clean end.
    pub fn checkpoint(&self) -> Result<()> {
        self.writer().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// Makes an empty file for its owner alone, where there is none: passwords and people are to stand in it. SQLite takes
/// it for a new database, and makes the WAL beside it in the same way.
fn make_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -8192;",
    )
}

/// SQLite's words for a person.
fn plain(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "this file is not a database".into(),
        Some(ErrorCode::CannotOpen) => {
            "the file cannot be opened or made (check the folder and its permissions)".into()
        }
        Some(ErrorCode::ReadOnly) => "the file cannot be written (check its permissions)".into(),
        Some(ErrorCode::PermissionDenied) => "permission denied".into(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "the file is in use by another program".into()
        }
        Some(ErrorCode::DatabaseCorrupt) => "the database is damaged; run `featured check`".into(),
        _ => error.to_string(),
    }
}

/// Whether a write failed because something of that name is there already.
pub fn is_unique_violation(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::SqliteFailure(e, _) if e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
            || e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
    )
}

/// Turns "already there" into a conflict of that code and text, and leaves other errors as they are.
pub fn unique(error: rusqlite::Error, code: &'static str, message: &str) -> Error {
    if is_unique_violation(&error) { Error::conflict(code, message) } else { error.into() }
}

/// Rows to be walked beside those of their owners, with [`each_of`].
fn beside(mut rows: Rows<'_>) -> rusqlite::Result<Rows<'_>> {
    rows.advance()?;
    Ok(rows)
}

/// Takes the rows of the next owner, and leaves those of later ones. `owner` compares a row's owner with that one; both
/// come in the same order.
fn each_of(
    rows: &mut Rows<'_>,
    owner: impl Fn(&Row<'_>) -> rusqlite::Result<Ordering>,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    while let Some(row) = rows.get() {
        match owner(row)? {
            Ordering::Greater => break,
            Ordering::Less => {}
            Ordering::Equal => take(row)?,
        }
        rows.advance()?;
    }
    Ok(())
}

/// A row that must be there: `NotFound` with this name when it is not.
pub fn found<T>(row: rusqlite::Result<T>, what: impl FnOnce() -> String) -> Result<T> {
    match row {
        Err(rusqlite::Error::QueryReturnedNoRows) => Err(Error::NotFound(what())),
        other => other.map_err(Error::from),
    }
}

/// JSON lists of strings, as tags and permissions are stored.
pub fn list_to_json(list: &[String]) -> String {
    serde_json::to_string(list).unwrap_or_else(|_| "[]".into())
}

/// The reverse; damaged data reads as empty.
pub fn list_from_json(text: &str) -> Vec<String> {
    match text {
        // Most have none.
        "[]" => Vec::new(),
        _ => serde_json::from_str(text).unwrap_or_default(),
    }
}

/// What another process must read again.
pub mod counters {
    use super::*;

    /// Tokens and personal tokens.
    pub const CREDENTIALS: &str = "credentials";
    /// Nothing: what is written to see whether that can be done.
    pub const PROBES: &str = "probes";

    pub fn read(conn: &Connection, name: &str) -> Result<i64> {
        let mut statement =
            conn.prepare_cached("SELECT coalesce((SELECT value FROM counters WHERE name = ?1), 0)")?;
        Ok(statement.query_row([name], |row| row.get(0))?)
    }

    /// The next row id of a table. An id that ever was is not given to another row: what is remembered by id,
    /// here or in another process, would be taken for the new row's.
    pub fn next_id(conn: &Connection, table: &str) -> Result<i64> {
        let mut statement = conn.prepare_cached(&format!(
            "INSERT INTO counters (name, value) SELECT ?1, coalesce(max(id), 0) + 1 FROM {table} WHERE true
             ON CONFLICT (name) DO UPDATE SET value = value + 1
             RETURNING value"
        ))?;
        Ok(statement.query_row([table], |row| row.get(0))?)
    }

    pub fn increment(conn: &Connection, name: &str) -> Result<()> {
        conn.prepare_cached(
            "INSERT INTO counters (name, value) VALUES (?1, 1)
             ON CONFLICT (name) DO UPDATE SET value = value + 1",
        )?
        .execute([name])?;
        Ok(())
    }
}
