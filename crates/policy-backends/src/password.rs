//! Passwords as hashes: argon2id in the PHC form.

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};
use argon2::{Algorithm, Argon2, Params, Version};

/// The hash of no password that anyone knows, with the cost of [`hashed`].
pub(crate) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The most memory that a hash may ask for: the file may be edited by hand, or come from elsewhere.
const MEMORY_KIB_MAX: u32 = 256 * 1_024;

/// The memory that hashing a password of ours takes.
const RANDOM_MEMORY_KIB: u32 = 512;

/// Hashes a password with a new salt. Takes a core and 19 MiB for tens of milliseconds.
pub(crate) fn hashed(password: &str) -> Result<Box<str>, String> {
    let hash: phc::PasswordHash =
        Argon2::default().hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
    Ok(hash.to_string().into())
}

/// Hashes a password of ours, whose random bits nobody goes through however cheap a try is. Takes a millisecond: the first
/// start waits for it.
pub(crate) fn hashed_random(password: &str) -> Result<Box<str>, String> {
    let params = Params::new(RANDOM_MEMORY_KIB, 1, 1, None).map_err(|error| error.to_string())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::default(), params);
    let hash: phc::PasswordHash =
        argon2.hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
    Ok(hash.to_string().into())
}

/// Whether that is the password of the hash. Takes as long as the hashing.
pub(crate) fn verifies(hash: &str, password: &[u8]) -> bool {
    let Ok(hash) = phc::PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password, &hash).is_ok()
}

/// Checks the form of a hash, and that checking a password against it does not take the machine down.
pub(crate) fn check(hash: &str) -> Result<(), String> {
    let hash =
        phc::PasswordHash::new(hash).map_err(|error| format!("no password hash: {error}"))?;
    if Algorithm::try_from(hash.algorithm.as_str()).is_err() {
        return Err(format!("no password hash: {} is not argon2", hash.algorithm));
    }
    let params = Params::try_from(&hash).map_err(|error| format!("no password hash: {error}"))?;
    if params.m_cost() > MEMORY_KIB_MAX {
        let (memory, max) = (params.m_cost() / 1_024, MEMORY_KIB_MAX / 1_024);
        return Err(format!("password hash needs {memory} MiB; {max} MiB are the most"));
    }
    Ok(())
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
        let random = hashed_random("x").expect("hashed");
        assert!(check(&random).is_ok() && verifies(&random, b"x") && !verifies(&random, b"y"));
        for (from, to, words) in [
            ("m=19456", "m=4000000", "needs 3906 MiB"),
            ("argon2id", "scrypt", "scrypt is not argon2"),
        ] {
            let error = check(&NOBODY.replace(from, to)).expect_err(to);
            assert!(error.contains(words), "{error}");
        }
        assert!(verifies(&ours, b"x") && !verifies(&ours, b"y"));
        assert!(!verifies(NOBODY, b"") && !verifies("x", b"x"));
    }
}
