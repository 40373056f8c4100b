//! Passwords: Argon2id, at least 8 characters, none of the most common (feature-config §7).

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;

use crate::engine::decode::{FieldError, Problems};
use crate::error::{Error, Result};

const MIN: usize = 8;
const MAX: usize = 1000;

/// Passwords that guessers try first, of those long enough to get here.
const COMMON: &str = include_str!("../../assets/common-passwords.txt");

/// Adds what is wrong with a password that somebody chose.
pub fn check(password: &str, field: &str, problems: &mut Problems) {
    let length = password.chars().count();
    if length < MIN {
        problems.add(field, format!("must be at least {MIN} characters"));
    } else if length > MAX {
        problems.add(field, format!("must be at most {MAX} characters"));
    } else if COMMON.lines().any(|common| common.eq_ignore_ascii_case(password)) {
        problems.add(field, "is one of the most common passwords");
    }
}

/// Hashes a password. It takes some 35 ms of a core: never on a request thread.
pub fn hash(password: &str) -> Result<String> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(hash.to_string())
}

/// A password with its problems as an error.
pub fn checked(password: &str) -> Result<String> {
    let mut problems = Problems::default();
    check(password, "password", &mut problems);
    match problems.invalid.pop() {
        Some(FieldError { field, message }) => Err(Error::invalid(field, message)),
        None => hash(password),
    }
}

/// Whether a password is the one that was hashed. As slow as hashing.
pub fn verify(password: &str, stored: &str) -> bool {
    use argon2::password_hash::PasswordVerifier;
    argon2::password_hash::phc::PasswordHash::new(stored)
        .is_ok_and(|stored| Argon2::default().verify_password(password.as_bytes(), &stored).is_ok())
}
