//! Secrets that nobody can guess.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// 32 characters that are not mistaken for each other, 5 bits each.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const PASSWORD_GROUPS: usize = 4;

/// The password of the user `admin` that the first start made. Print it once, as `admin password: …`; it is not kept.
pub struct FirstPassword(String);

impl FirstPassword {
    /// 100 random bits for people to type: `xxxxx-xxxxx-xxxxx-xxxxx`.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let bytes: [u8; PASSWORD_GROUPS * 5] = bytes()?;
        let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte & 31)]);
        let groups: Vec<String> =
            bytes.chunks(5).map(|group| group.iter().map(letter).collect()).collect();
        Ok(Self(groups.join("-")))
    }

    /// The password in clear.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FirstPassword {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FirstPassword(…)")
    }
}

/// Random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A nonce of 144 random bits as printable ASCII.
pub(crate) fn nonce() -> Result<String, getrandom::Error> {
    Ok(STANDARD.encode(bytes::<18>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_form_and_differ() {
        let password = FirstPassword::new().expect("random");
        assert_eq!(password.reveal().split('-').map(str::len).collect::<Vec<_>>(), [5, 5, 5, 5]);
        assert_ne!(password.reveal(), FirstPassword::new().expect("random").reveal());
        assert_eq!(format!("{password:?}"), "FirstPassword(…)");
        let nonces = (nonce().expect("random"), nonce().expect("random"));
        assert_eq!((nonces.0.len(), nonces.0 == nonces.1), (24, false));
    }
}
