//! What a server keeps of a password for SCRAM, and what it makes up for a user that it does not have.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac_array;
use sha2::{Digest, Sha256};

/// What the text form begins with.
const PREFIX: &str = "SCRAM-SHA-256";
/// Bytes of a salt that is made up.
const SALT_BYTES: usize = 16;

/// The keys of one user. Its text form is the one that PostgreSQL has too:
///
/// ```text
/// SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>      (base64)
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    pub(super) iterations: u32,
    pub(super) salt: Box<[u8]>,
    pub(super) stored_key: [u8; 32],
    pub(super) server_key: [u8; 32],
}

impl ScramKeys {
    /// The keys of a password. Takes `iterations` times a microsecond.
    #[must_use]
    pub fn of(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password, salt, iterations);
        Self {
            iterations,
            salt: salt.into(),
            stored_key: Sha256::digest(client_key(&salted)).into(),
            server_key: hmac(&salted, b"Server Key"),
        }
    }

    /// Keys that no password has, for a user that does not exist: always the same ones, so that asking twice does not
    /// tell. `secret` must not be guessable.
    #[must_use]
    pub fn of_nobody(secret: &[u8], username: &str, iterations: u32) -> Self {
        let made_up = hmac(secret, username.as_bytes());
        let salt = made_up.get(..SALT_BYTES).unwrap_or_default().into();
        let key = hmac(secret, &made_up);
        Self { iterations, salt, stored_key: key, server_key: key }
    }
}

impl fmt::Display for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored_key, &self.server_key].map(|part| STANDARD.encode(part));
        write!(f, "{PREFIX}${}:{salt}${stored}:{server}", self.iterations)
    }
}

impl fmt::Debug for ScramKeys {
    /// Without the keys: who has them can pose as the server.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl FromStr for ScramKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| {
            format!("no keys of the form {PREFIX}$<iterations>:<salt>$<stored key>:<server key>")
        })
    }
}

fn parse(text: &str) -> Option<ScramKeys> {
    let (salt, keys) = text.strip_prefix(PREFIX)?.strip_prefix('$')?.split_once('$')?;
    let (iterations, salt) = salt.split_once(':')?;
    let (stored, server) = keys.split_once(':')?;
    let key = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
    Some(ScramKeys {
        iterations: iterations.parse().ok().filter(|count| *count > 0)?,
        salt: STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?.into(),
        stored_key: key(stored)?,
        server_key: key(server)?,
    })
}

pub(super) fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations)
}

pub(super) fn client_key(salted_password: &[u8; 32]) -> [u8; 32] {
    hmac(salted_password, b"Client Key")
}

pub(super) fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// Proof and key are each other's image under the signature.
pub(super) fn xor(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|n| a[n] ^ b[n])
}
