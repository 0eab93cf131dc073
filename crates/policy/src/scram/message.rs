//! The messages of an exchange as text (RFC 5802 §7). It must not know keys.

/// The longest message that is read.
const MESSAGE_BYTES_MAX: usize = 2_048;

/// Why an exchange ends without success.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ScramError {
    /// A message is not of the form that it must have.
    #[error("a SCRAM message has not the form of RFC 5802")]
    Malformed,
    /// Channel binding, another name to act for, or an extension that must not be ignored.
    #[error(
        "SCRAM with channel binding, an authorization identity or a mandatory extension is not offered"
    )]
    Unsupported,
    /// The proof is wrong, or the message belongs to another exchange.
    #[error("the SCRAM proof is wrong")]
    WrongProof,
}

/// A client's first message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientFirst {
    /// The user's name.
    pub username: String,
    pub(super) nonce: String,
    /// What stands before the bare message, which the last message repeats in base64.
    pub(super) gs2_header: String,
    pub(super) bare: String,
}

impl ClientFirst {
    /// Reads `n,,n=<username>,r=<nonce>`.
    ///
    /// # Errors
    /// It is malformed, or asks for what is not offered.
    pub fn parse(message: &[u8]) -> Result<Self, ScramError> {
        let text = text_of(message)?;
        let (flag, rest) = text.split_once(',').ok_or(ScramError::Malformed)?;
        let (authorization, bare) = rest.split_once(',').ok_or(ScramError::Malformed)?;
        match flag {
            // `y`: the client could bind channels, and thinks that we cannot, in which it is right.
            "n" | "y" => {}
            _ if flag.starts_with("p=") => return Err(ScramError::Unsupported),
            _ => return Err(ScramError::Malformed),
        }
        let mut attributes = bare.split(',');
        let first = attributes.next().unwrap_or_default();
        if first.starts_with("m=") {
            return Err(ScramError::Unsupported);
        }
        let username = first.strip_prefix("n=").ok_or(ScramError::Malformed)?;
        let nonce = attributes.next().and_then(|next| next.strip_prefix("r="));
        let nonce = nonce.filter(|nonce| is_nonce(nonce)).ok_or(ScramError::Malformed)?;
        // To act as oneself is no wish to act as another.
        if !authorization.is_empty() && authorization.strip_prefix("a=") != Some(username) {
            return Err(ScramError::Unsupported);
        }
        let username = unescaped(username).ok_or(ScramError::Malformed)?;
        let gs2_header = text.get(..text.len() - bare.len()).unwrap_or_default();
        Ok(Self {
            username,
            nonce: nonce.to_owned(),
            gs2_header: gs2_header.to_owned(),
            bare: bare.to_owned(),
        })
    }
}

/// A message as text, if it is one and not too long.
pub(super) fn text_of(message: &[u8]) -> Result<&str, ScramError> {
    let text = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
    if text.len() > MESSAGE_BYTES_MAX { Err(ScramError::Malformed) } else { Ok(text) }
}

/// Printable ASCII without commas.
pub(super) fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// A name in a message: `,` and `=` are `=2C` and `=3D`.
pub(super) fn escaped(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

fn unescaped(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return None,
        };
        plain.push(character);
        plain.push_str(rest);
    }
    Some(plain).filter(|name| !name.is_empty())
}
