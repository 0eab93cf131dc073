//! Random secrets and how they are compared.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A token as it is kept: its SHA-256. A token has 256 random bits, so it needs no slow hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// 256 random bits as 64 hexadecimal digits.
pub fn random_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex(&bytes))
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hexadecimal digits as bytes.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_their_form_and_differ() {
        let (a, b) = (random_token().expect("random"), random_token().expect("random"));
        assert_eq!((a.len(), a == b), (64, false));
    }

    #[test]
    fn digests_match_only_the_same_token() {
        assert!(TokenDigest::of("a").matches(&TokenDigest::of("a")));
        assert!(!TokenDigest::of("a").matches(&TokenDigest::of("b")));
    }

    #[test]
    fn hexadecimal_comes_back() {
        for bytes in [&b""[..], b"\x00\xff", "sensor/+/data".as_bytes()] {
            assert_eq!(unhex(&hex(bytes)).as_deref(), Some(bytes));
        }
        for text in ["a", "zz", "+f"] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }
}
