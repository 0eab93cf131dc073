//! Passwords that were right a moment ago, so that a client that comes back need not be hashed again.
//! No password is in here, nor anything that tells one without the key.

use std::time::Duration;

use hashbrown::HashMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stdx::Instant;

use crate::user::User;

/// Credentials that were verified, as their keyed digests. The digest covers the stored hash, so that it is worth
/// nothing once the user's password is another.
pub struct Verified {
    key: [u8; 32],
    lifetime: Duration,
    remembered_max: usize,
    until: HashMap<[u8; 32], Instant>,
}

impl Verified {
    /// Remembers so many, each for that time; a lifetime of 0 remembers none. The key must not be guessable.
    #[must_use]
    pub fn new(key: [u8; 32], lifetime: Duration, remembered_max: usize) -> Self {
        Self { key, lifetime, remembered_max, until: HashMap::new() }
    }

    /// Whether that was the user's password a moment ago.
    #[must_use]
    pub fn knows(&self, user: &User, password: &[u8], now: Instant) -> bool {
        !self.until.is_empty()
            && self.until.get(&self.digest(user, password)).is_some_and(|until| *until > now)
    }

    /// That is the user's password.
    pub fn remember(&mut self, user: &User, password: &[u8], now: Instant) {
        if self.lifetime.is_zero() || self.remembered_max == 0 {
            return;
        }
        if self.until.len() >= self.remembered_max {
            self.until.retain(|_, until| *until > now);
        }
        if self.until.len() >= self.remembered_max {
            let oldest = self.until.iter().min_by_key(|(_, until)| **until);
            if let Some(digest) = oldest.map(|(digest, _)| *digest) {
                self.until.remove(&digest);
            }
        }
        self.until.insert(self.digest(user, password), now + self.lifetime);
    }

    fn digest(&self, user: &User, password: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        // Lengths first, so that no two pairs run into the same bytes.
        for part in [user.username().as_bytes(), user.password.as_bytes(), password] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Verified {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verified").field("remembered", &self.until.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    fn user(name: &str, hash: &str) -> User {
        User::new(name, &[], hash.into(), None)
    }

    #[test]
    fn only_the_same_password_of_the_same_user_is_known_and_not_for_ever() {
        let mut verified = Verified::new([7; 32], Duration::from_secs(60), 10);
        let ada = user("ada", "hash");
        verified.remember(&ada, b"secret", at(0));
        assert!(verified.knows(&ada, b"secret", at(59)));
        assert!(!verified.knows(&ada, b"secret", at(60)));
        for (other, password) in [
            (user("ada", "hash"), "Secret"),
            (user("ad", "ahash"), "secret"),
            (user("ada", "hashs"), "ecret"),
            (user("ada", "another hash"), "secret"),
            (user("bob", "hash"), "secret"),
        ] {
            assert!(!verified.knows(&other, password.as_bytes(), at(1)), "{other:?} {password}");
        }
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut verified = Verified::new([7; 32], Duration::from_secs(60), 2);
        for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
            verified.remember(&user(name, "hash"), b"secret", at(n as u64));
        }
        let known =
            ["a", "b", "c"].map(|name| verified.knows(&user(name, "hash"), b"secret", at(3)));
        assert_eq!(known, [false, true, true]);
        let mut none = Verified::new([7; 32], Duration::ZERO, 2);
        none.remember(&user("a", "hash"), b"secret", at(0));
        assert!(!none.knows(&user("a", "hash"), b"secret", at(0)));
    }
}
