//! The server's side of an exchange.
//!
//! ```text
//! client-first ──▶ begin ──▶ server-first        the user's salt and iterations, the nonces of both
//! client-final ──▶ finish ──▶ server-final       the server's own proof, or the end
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::keys::{ScramKeys, hmac, xor};
use super::message::{ClientFirst, ScramError, text_of};

/// An exchange that waits for the client's last message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScramServer {
    username: Box<str>,
    keys: ScramKeys,
    /// What the client must send back: its own nonce and ours.
    nonce: String,
    gs2_header: String,
    /// The first two messages, which the proofs cover.
    so_far: String,
}

impl ScramServer {
    /// Begins with the keys of the user, or those of nobody; gives what to send. The nonce must be printable ASCII
    /// without commas that nobody can guess.
    #[must_use]
    pub fn begin(first: ClientFirst, keys: ScramKeys, server_nonce: &str) -> (Self, Vec<u8>) {
        let ClientFirst { username, nonce, gs2_header, bare } = first;
        let nonce = nonce + server_nonce;
        let challenge =
            format!("r={nonce},s={},i={}", STANDARD.encode(&keys.salt), keys.iterations);
        let so_far = format!("{bare},{challenge}");
        let exchange = Self { username: username.into(), keys, nonce, gs2_header, so_far };
        (exchange, challenge.into_bytes())
    }

    /// The name that the client claims, and has proved once [`Self::finish`] succeeds.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Checks the client's proof and gives the server's.
    ///
    /// # Errors
    /// The message is malformed, of another exchange, or proves nothing.
    pub fn finish(&self, client_final: &[u8]) -> Result<Vec<u8>, ScramError> {
        let text = text_of(client_final)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|text| text.strip_prefix("c="));
        let nonce = attributes.next().and_then(|text| text.strip_prefix("r="));
        let (binding, nonce) = binding.zip(nonce).ok_or(ScramError::Malformed)?;
        let proof = STANDARD.decode(proof).ok().and_then(|proof| proof.try_into().ok());
        let proof: [u8; 32] = proof.ok_or(ScramError::Malformed)?;
        if binding != STANDARD.encode(&self.gs2_header) || nonce != self.nonce {
            return Err(ScramError::WrongProof);
        }
        let messages = format!("{},{without_proof}", self.so_far);
        let signature = hmac(&self.keys.stored_key, messages.as_bytes());
        let stored_key = Sha256::digest(xor(&proof, &signature));
        if !bool::from(stored_key.as_slice().ct_eq(&self.keys.stored_key)) {
            return Err(ScramError::WrongProof);
        }
        let own = hmac(&self.keys.server_key, messages.as_bytes());
        Ok(format!("v={}", STANDARD.encode(own)).into_bytes())
    }
}
