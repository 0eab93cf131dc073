//! Password hashes: argon2id in the PHC form.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};
use serde::{Deserialize, Serialize};

/// The hash of no password that anyone knows, with the cost of [`PasswordHash::of`].
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PasswordHash(phc::PasswordHash);

impl PasswordHash {
    /// Hashes a password with a new salt. Takes a core and 19 MiB for tens of milliseconds.
    pub fn of(password: &str) -> Result<Self, String> {
        let hash: phc::PasswordHash = Argon2::default()
            .hash_password(password.as_bytes())
            .map_err(|error| error.to_string())?;
        Ok(Self(hash))
    }

    /// What an unknown user's password is checked against, so that the answer takes as long as for a known one.
    pub fn nobody() -> Self {
        Self::try_from(NOBODY.to_owned()).expect("the constant is a hash")
    }

    /// Whether that is the password. Takes as long as the hashing.
    pub fn verifies(&self, password: &str) -> bool {
        Argon2::default().verify_password(password.as_bytes(), &self.0).is_ok()
    }
}

impl TryFrom<String> for PasswordHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        phc::PasswordHash::new(&text)
            .map(Self)
            .map_err(|error| format!("no password hash: {error}"))
    }
}

impl From<PasswordHash> for String {
    fn from(hash: PasswordHash) -> Self {
        hash.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_hash_costs_what_ours_costs_and_verifies_nothing() {
        let parameters = |hash: PasswordHash| {
            let text = String::from(hash);
            text.split('$').take(4).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(
            parameters(PasswordHash::nobody()),
            parameters(PasswordHash::of("x").expect("hashed"))
        );
        assert!(!PasswordHash::nobody().verifies(""));
    }
}
