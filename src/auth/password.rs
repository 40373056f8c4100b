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

/// The hash of no known password, for users who do not exist: random, and as slow to check as any other.
pub const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$7QUyPA/fO+dN1o33UobWdQ$\
                         0/gbb2HztKCtFAvg1/NucjU6xUnVBbvM3K5nNSPJzDg";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoy_is_as_slow_as_a_hash() {
        let before_salt = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        let real = hash("correct horse battery").expect("a hash");
        assert_eq!(before_salt(DECOY), before_salt(&real));
        assert_eq!(DECOY.len(), real.len());
        assert!(verify("correct horse battery", &real) && !verify("correct horse battery", DECOY));
        assert!(argon2::password_hash::phc::PasswordHash::new(DECOY).is_ok(), "it is really checked");
    }
}
