//! Copies of the database: made while a server writes, checked before they get their name, and put back.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::migrate::{APPLICATION_ID, VERSION};
use super::{lock, plain};

/// What is said when it fails, in one line.
type Result<T> = std::result::Result<T, String>;

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn at<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> String {
    move |error| format!("{}: {error}", path.display())
}

/// Checks that a file is a whole database of ours that this program can read.
fn check(path: &Path) -> Result<()> {
    let wrong = |error: rusqlite::Error| format!("{}: {}", path.display(), plain(&error));
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(wrong)?;
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(wrong);
    if number("PRAGMA application_id")? != APPLICATION_ID {
        return Err(format!("{} is not a database of featured", path.display()));
    }
    let version = number("PRAGMA user_version")?;
    if version > VERSION {
        return Err(format!("{} was written by a newer featured (its version {version})", path.display()));
    }
    let found: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(wrong)?;
    if found != "ok" {
        return Err(format!("{} is damaged: {found}", path.display()));
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
    let made = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|conn| {
            conn.busy_timeout(super::BUSY_TIMEOUT)?;
            conn.execute("VACUUM INTO ?1", [part.to_string_lossy()])
        })
        .map_err(|error| format!("{}: {}", db.display(), plain(&error)))
        .and_then(|_| check(&part))
        .and_then(|()| {
            // Passwords and people stand in it.
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o600)).map_err(at(&part))?;
            }
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

/// Puts a copy in the place of the database, which is kept beside it. Refuses while a server runs on the file. Gives
/// where the old one is, if there was one.
pub fn restore(db: &Path, backup: &Path) -> Result<Option<PathBuf>> {
    check(backup)?;
    let held = lock::exclude_servers(db).map_err(at(db))?;
    let Some(_held) = held else {
        return Err(format!("a server runs on {}; end it first", db.display()));
    };
    let part = beside(db, ".part");
    std::fs::copy(backup, &part).map_err(at(&part))?;
    OpenOptions::new().write(true).open(&part).and_then(|file| file.sync_all()).map_err(at(&part))?;
    check(&part)?;
    let old = match db.exists() {
        true => {
            // What stands in the WAL belongs to the old file: it goes into it before that is put aside.
            let old = free_name(db);
            make(db, &old)?;
            Some(old)
        }
        false => None,
    };
    for suffix in ["-wal", "-shm"] {
        let left = beside(db, suffix);
        if left.exists() {
            std::fs::remove_file(&left).map_err(at(&left))?;
        }
    }
    std::fs::rename(&part, db).map_err(at(db))?;
    sync_folder(db);
    Ok(old)
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
