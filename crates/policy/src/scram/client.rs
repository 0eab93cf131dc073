//! The client's side of an exchange.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::keys::{client_key, hmac, salted_password, xor};
use super::message::{ScramError, escaped, text_of};

/// What every message without channel binding begins with, and its base64.
const GS2_HEADER: &str = "n,,";
const GS2_HEADER_BASE64: &str = "biws";
/// Beyond this a server only means to keep us busy.
const ITERATIONS_MAX: u32 = 10_000_000;
/// Fewer are against RFC 7677.
const ITERATIONS_MIN: u32 = 4_096;

/// A client's side: first [`Self::first`], then [`Self::answer`] to the challenge, then [`Self::check`] of the server's
/// last word.
#[derive(Clone)]
pub struct ScramClient {
    password: Vec<u8>,
    nonce: String,
    bare: String,
    /// What the server must prove in the end.
    expected: Option<[u8; 32]>,
}

impl ScramClient {
    /// The side of that user. The nonce must be printable ASCII without commas that nobody can guess.
    #[must_use]
    pub fn new(username: &str, password: &[u8], nonce: &str) -> Self {
        let bare = format!("n={},r={nonce}", escaped(username));
        Self { password: password.to_owned(), nonce: nonce.to_owned(), bare, expected: None }
    }

    /// The first message.
    #[must_use]
    pub fn first(&self) -> Vec<u8> {
        format!("{GS2_HEADER}{}", self.bare).into_bytes()
    }

    /// The answer to the server's challenge. Takes as many microseconds as the server asks for iterations.
    ///
    /// # Errors
    /// The challenge is malformed, or no answer to our first message.
    pub fn answer(&mut self, challenge: &[u8]) -> Result<Vec<u8>, ScramError> {
        let challenge = text_of(challenge)?;
        let mut attributes = challenge.split(',');
        let mut next = |name| attributes.next()?.strip_prefix(name);
        let (nonce, salt, iterations) = (next("r="), next("s="), next("i="));
        let nonce = nonce.ok_or(ScramError::Malformed)?;
        let salt = salt.and_then(|salt| STANDARD.decode(salt).ok()).ok_or(ScramError::Malformed)?;
        let iterations: Option<u32> = iterations.and_then(|count| count.parse().ok());
        let iterations = iterations
            .filter(|count| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(count))
            .ok_or(ScramError::Malformed)?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(ScramError::WrongProof);
        }
        let without_proof = format!("c={GS2_HEADER_BASE64},r={nonce}");
        let messages = format!("{},{challenge},{without_proof}", self.bare);
        let salted = salted_password(&self.password, &salt, iterations);
        let key = client_key(&salted);
        let stored_key: [u8; 32] = Sha256::digest(key).into();
        let proof = xor(&key, &hmac(&stored_key, messages.as_bytes()));
        self.expected = Some(hmac(&hmac(&salted, b"Server Key"), messages.as_bytes()));
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)).into_bytes())
    }

    /// Whether the server knows the password too.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self, server_final: &[u8]) -> Result<(), ScramError> {
        let signature = text_of(server_final)?.strip_prefix("v=");
        let signature = signature.and_then(|text| STANDARD.decode(text).ok());
        let (signature, expected) = signature.zip(self.expected).ok_or(ScramError::WrongProof)?;
        match bool::from(signature.ct_eq(&expected)) {
            true => Ok(()),
            false => Err(ScramError::WrongProof),
        }
    }
}

impl std::fmt::Debug for ScramClient {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScramClient").finish_non_exhaustive()
    }
}
