//! Copies of the database: made while a server writes, checked before they get their name, and put back.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::migrate::{APPLICATION_ID, VERSION};
use super::{lock, make_private, plain};

/// What is said when it fails, in one line.
type Result<T> = std::result::Result<T, String>;

/// What SQLite has beside a database, and would take for that of another file of the name.
const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn at<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> String {
    move |error| format!("{}: {error}", path.display())
}

/// Checks that a file is a whole database of ours that this program can read. `source` is what it was copied from, and
/// what is named where something is wrong with it.
fn check(path: &Path, source: &Path) -> Result<()> {
    let wrong = |error: rusqlite::Error| format!("{}: {}", source.display(), plain(&error));
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(wrong)?;
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(wrong);
    if number("PRAGMA application_id")? != APPLICATION_ID {
        return Err(format!("{} is not a database of featured", source.display()));
    }
    let version = number("PRAGMA user_version")?;
    if version > VERSION {
        return Err(format!("{} was written by a newer featured (its version {version})", source.display()));
    }
    let found: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(wrong)?;
    if found != "ok" {
        return Err(format!("{} is damaged: {found}", source.display()));
    }
    Ok(())
}

/// Writes a copy as of one moment, also while a server writes. It gets its name once it is whole and was checked.
pub fn make(db: &Path, out: &Path) -> Result<()> {
    if out.exists() {
        return Err(format!("{} is there already", out.display()));
    }
    let part = beside(out, ".part");
    // What a copy that was cut off left behind.
    let _ = std::fs::remove_file(&part);
    let made = make_private(&part)
        .map(drop)
        .map_err(at(&part))
        .and_then(|()| {
            Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_WRITE)
                .and_then(|conn| {
                    conn.busy_timeout(super::BUSY_TIMEOUT)?;
                    conn.execute("VACUUM INTO ?1", [part.to_string_lossy()])
                })
                .map_err(|error| format!("{}: {}", db.display(), plain(&error)))
        })
        .and_then(|_| check(&part, db))
        .and_then(|()| {
            File::open(&part).and_then(|file| file.sync_all()).map_err(at(&part))?;
            std::fs::rename(&part, out).map_err(at(out))
        });
    if made.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    made?;
    sync_folder(out);
    Ok(())
}

/// What was there before a restore.
pub struct Kept {
    pub path: PathBuf,
    /// Why it is the file itself, as it was, and no checked copy of it.
    pub problem: Option<String>,
}

/// Puts a copy in the place of the database, which is kept beside it, also where it is damaged. Refuses while a server
/// runs on the file. Gives where the old one is, if there was one.
pub fn restore(db: &Path, backup: &Path) -> Result<Option<Kept>> {
    check(backup, backup)?;
    let held = lock::exclude_servers(db).map_err(at(db))?;
    let Some(_held) = held else {
        return Err(format!("a server runs on {}; end it first", db.display()));
    };
    let part = beside(db, ".part");
    let restored = copy(backup, &part).and_then(|()| replace(db, &part));
    if restored.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    restored
}

/// Copies a backup to where it can take the place of the database in one step.
fn copy(backup: &Path, part: &Path) -> Result<()> {
    let mut source = File::open(backup).map_err(at(backup))?;
    // What a restore that was cut off left behind.
    let _ = std::fs::remove_file(part);
    let mut file = make_private(part).map_err(at(part))?;
    std::io::copy(&mut source, &mut file).and_then(|_| file.sync_all()).map_err(at(part))?;
    check(part, backup)
}

/// Gives a copy the name of the database, and that another one.
fn replace(db: &Path, part: &Path) -> Result<Option<Kept>> {
    let kept = match db.exists() {
        true => Some(keep(db)?),
        false => None,
    };
    for suffix in SIDES {
        let left = beside(db, suffix);
        if left.exists() {
            std::fs::remove_file(&left).map_err(at(&left))?;
        }
    }
    std::fs::rename(part, db).map_err(at(db))?;
    sync_folder(db);
    Ok(kept)
}

/// Keeps what is there: as a checked copy, or, where that cannot be made, by giving it another name.
fn keep(db: &Path) -> Result<Kept> {
    let path = free_name(db);
    // What stands in the WAL belongs to the old file: it goes into it before that is put aside.
    let Err(problem) = make(db, &path) else { return Ok(Kept { path, problem: None }) };
    // It may be damaged, which is what restores are for. Whoever wants to save something from it needs all of it.
    for suffix in SIDES {
        let side = beside(db, suffix);
        if side.exists() {
            std::fs::rename(&side, beside(&path, suffix)).map_err(at(&side))?;
        }
    }
    std::fs::rename(db, &path).map_err(at(db))?;
    Ok(Kept { path, problem: Some(problem) })
}

/// `flags.db.before-restore`, or with a number behind where that is taken.
fn free_name(db: &Path) -> PathBuf {
    let base = beside(db, ".before-restore");
    let mut name = base.clone();
    let mut number = 2;
    while name.exists() {
        name = beside(&base, &number.to_string());
        number += 1;
    }
    name
}

/// Makes a new name survive a power cut, where the system can.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}
