//! Which servers run on a database file: each holds a lock on a file beside it, which the system takes away when it
//! dies. Commands do not: they work beside a server.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Held for as long as the server runs.
pub struct Lock {
    _file: File,
    /// The file, where it was not there before.
    made: Option<PathBuf>,
    /// No other server ran when it was taken.
    pub alone: bool,
}

/// `flags.db.lock`
fn path(db: &Path) -> PathBuf {
    PathBuf::from(format!("{}.lock", db.display()))
}

fn open(db: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(path(db))
}

/// Says that a server runs here. `WouldBlock` while somebody needs the file for themselves.
pub fn serve(db: &Path) -> io::Result<Lock> {
    let made = Some(path(db)).filter(|path| !path.exists());
    let file = open(db)?;
    let alone = match file.try_lock() {
        Ok(()) => {
            file.unlock()?;
            true
        }
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(error)) => return Err(error),
    };
    // Another server that starts looks, as this one did, for a moment.
    for _ in 0..50 {
        match file.try_lock_shared() {
            Ok(()) => return Ok(Lock { _file: file, made, alone }),
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(20)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::ErrorKind::WouldBlock.into())
}

impl Lock {
    /// For a server that cannot start: leaves nothing behind that was not there before.
    pub fn abandon(self) {
        if let Some(path) = &self.made {
            // What stays is an empty file.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Keeps servers away for as long as it is held; `None` while one runs.
pub fn exclude_servers(db: &Path) -> io::Result<Option<File>> {
    let file = open(db)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_share_and_whoever_needs_the_file_alone_waits_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("flags.db");
        let first = serve(&db).unwrap();
        assert!(first.alone);
        let second = serve(&db).unwrap();
        assert!(!second.alone);
        assert!(exclude_servers(&db).unwrap().is_none());
        drop((first, second));
        let held = exclude_servers(&db).unwrap();
        assert!(held.is_some());
        assert_eq!(serve(&db).err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
        drop(held);
        assert!(serve(&db).unwrap().alone);
    }
}
