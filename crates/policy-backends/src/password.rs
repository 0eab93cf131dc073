//! Passwords as hashes: argon2id in the PHC form.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};

/// The hash of no password that anyone knows, with the cost of [`hashed`].
pub(crate) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes a password with a new salt. Takes a core and 19 MiB for tens of milliseconds.
pub(crate) fn hashed(password: &str) -> Result<Box<str>, String> {
    let hash: phc::PasswordHash =
        Argon2::default().hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
    Ok(hash.to_string().into())
}

/// Whether that is the password of the hash. Takes as long as the hashing.
pub(crate) fn verifies(hash: &str, password: &[u8]) -> bool {
    let Ok(hash) = phc::PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password, &hash).is_ok()
}

/// Checks the form of a hash.
pub(crate) fn check(hash: &str) -> Result<(), String> {
    phc::PasswordHash::new(hash).map(drop).map_err(|error| format!("no password hash: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_hash_costs_what_ours_costs_and_verifies_nothing() {
        let ours = hashed("x").expect("hashed");
        let parameters = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(parameters(NOBODY), parameters(&ours));
        assert!(check(NOBODY).is_ok() && check(&ours).is_ok() && check("x").is_err());
        assert!(verifies(&ours, b"x") && !verifies(&ours, b"y"));
        assert!(!verifies(NOBODY, b"") && !verifies("x", b"x"));
    }
}
