//! Secrets at rest: XChaCha20-Poly1305 under a key that is not in the database. The key is given
//! (`--secret-key-file`, `FEATURED_SECRET_KEY`), or lies beside the database and is made on first need.
//! A database whose key is missing still serves; what was sealed reads as lost.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use parking_lot::Mutex;
use rand::RngCore;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Begins every sealed value: the way it is sealed.
const VERSION: u8 = 1;
const NONCE: usize = 24;
/// A given key has at least this many characters.
const MIN_GIVEN: usize = 32;

/// The server's key.
pub struct Seal {
    /// Where a key is made when one is needed; `None` when it was given.
    file: Option<PathBuf>,
    key: Mutex<Option<[u8; 32]>>,
    /// Sealed values that could not be opened at the last look.
    lost: AtomicUsize,
}

impl Seal {
    /// With a key that was given, else the one beside the database where there is one. Refuses a key file
    /// that holds no key.
    pub fn open(db: &Path, given: Option<&str>) -> std::result::Result<Self, String> {
        if let Some(given) = given {
            return Ok(Self { file: None, key: Mutex::new(Some(derive(given)?)), lost: AtomicUsize::new(0) });
        }
        let file = PathBuf::from(format!("{}.key", db.display()));
        let key = read(&file)?;
        Ok(Self { file: Some(file), key: Mutex::new(key), lost: AtomicUsize::new(0) })
    }

    /// Seals a secret for one purpose; it opens for no other. Makes the key file on first need.
    pub fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>> {
        let key = self.key_for_sealing()?;
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload { msg: secret, aad: purpose.as_bytes() };
        let sealed = XChaCha20Poly1305::new(Key::from_slice(&key))
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| Error::internal("a secret could not be sealed"))?;
        let mut out = vec![VERSION];
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// What was sealed for this purpose; `None` when it was sealed under another key, or changed since.
    pub fn open_sealed(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let key = (*self.key.lock())?;
        let (version, rest) = sealed.split_first()?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE)?;
        if *version != VERSION {
            return None;
        }
        let payload = Payload { msg: ciphertext, aad: purpose.as_bytes() };
        XChaCha20Poly1305::new(Key::from_slice(&key)).decrypt(XNonce::from_slice(nonce), payload).ok()
    }

    /// A secret for one purpose that follows from the key. Makes the key file on first need.
    pub fn derive(&self, purpose: &str) -> Result<[u8; 32]> {
        let key = self.key_for_sealing()?;
        Ok(Sha256::new().chain_update(key).chain_update(purpose).finalize().into())
    }

    /// Notes how many sealed values could not be opened.
    pub fn note_lost(&self, lost: usize) {
        self.lost.store(lost, Ordering::Relaxed);
    }

    /// Sealed values that could not be opened at the last look.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    fn key_for_sealing(&self) -> Result<[u8; 32]> {
        let mut held = self.key.lock();
        if let Some(key) = *held {
            return Ok(key);
        }
        let file = self.file.as_ref().ok_or_else(|| Error::internal("there is no key"))?;
        let key = make(file)
            .map_err(|error| Error::Unavailable(format!("the key file {}: {error}", file.display())))?;
        *held = Some(key);
        Ok(key)
    }
}

/// A given key: any text of 32 characters or more.
fn derive(given: &str) -> std::result::Result<[u8; 32], String> {
    let given = given.trim();
    if given.len() < MIN_GIVEN {
        return Err(format!("the secret key must have at least {MIN_GIVEN} characters"));
    }
    Ok(Sha256::new().chain_update("featured secret key:").chain_update(given).finalize().into())
}

fn read(file: &Path) -> std::result::Result<Option<[u8; 32]>, String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    match derive(&text) {
        Ok(key) => Ok(Some(key)),
        Err(_) => Err(format!(
            "{} does not hold a key; put the right file back, or move it away and what was sealed is lost",
            file.display()
        )),
    }
}

/// Makes the key file whole or not at all; where another process was quicker, takes its key.
fn make(file: &Path) -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let draft = PathBuf::from(format!("{}.{}", file.display(), uuid::Uuid::now_v7()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&draft).and_then(|mut out| {
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
        out.sync_all()
    });
    let linked = written.and_then(|()| std::fs::hard_link(&draft, file));
    let _ = std::fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // A key that a power cut takes away would take what it sealed with it.
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
    read(file).map_err(std::io::Error::other)?.ok_or_else(|| std::io::Error::other("it is gone again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("flags.db");
        let seal = Seal::open(&db, None).unwrap();
        assert!(!folder.path().join("flags.db.key").exists(), "no key before the first need");
        let sealed = seal.seal("totp:ana", b"seed").unwrap();
        assert!(!sealed.windows(4).any(|window| window == b"seed"));
        assert_eq!(seal.open_sealed("totp:ana", &sealed).unwrap(), b"seed");
        assert_eq!(seal.open_sealed("totp:mei", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(seal.open_sealed("totp:ana", &changed), None);
        }
        // The same file gives the same key; without it, what was sealed is lost and a new key is made.
        assert_eq!(Seal::open(&db, None).unwrap().open_sealed("totp:ana", &sealed).unwrap(), b"seed");
        std::fs::remove_file(folder.path().join("flags.db.key")).unwrap();
        let anew = Seal::open(&db, None).unwrap();
        assert_eq!(anew.open_sealed("totp:ana", &sealed), None);
        let again = anew.seal("totp:ana", b"other").unwrap();
        assert_eq!(anew.open_sealed("totp:ana", &again).unwrap(), b"other");
    }

    #[cfg(unix)]
    #[test]
    fn the_key_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("flags.db");
        Seal::open(&db, None).unwrap().seal("x", b"y").unwrap();
        let mode = std::fs::metadata(folder.path().join("flags.db.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_holds_no_key_and_a_short_key_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("flags.db");
        std::fs::write(folder.path().join("flags.db.key"), "").unwrap();
        assert!(Seal::open(&db, None).is_err());
        assert!(Seal::open(&db, Some("short")).is_err());
        assert!(Seal::open(&db, Some("a key of thirty-two characters or more")).is_ok());
    }
}
