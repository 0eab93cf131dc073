//! Topic names.

use std::fmt;

/// A topic name as PUBLISH carries it: 1 to 65,535 bytes, no wildcard, no U+0000. `[MQTT-4.7.3-1]`, `[MQTT-3.3.2-2]`
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicName<'a>(&'a str);

/// Why a text is no topic name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TopicError {
    /// It has no character. `[MQTT-4.7.3-1]`
    #[error("topic name is empty")]
    Empty,
    /// It is longer than 65,535 bytes. `[MQTT-4.7.3-3]`
    #[error("topic name is longer than 65535 bytes")]
    TooLong,
    /// It has a `+` or a `#`. `[MQTT-3.3.2-2]`
    #[error("topic name has a wildcard")]
    Wildcard,
    /// It has U+0000. `[MQTT-4.7.3-2]`
    #[error("topic name has a null character")]
    Null,
}

impl<'a> TopicName<'a> {
    /// Checks a text.
    ///
    /// # Errors
    /// The text is empty, too long, or has a wildcard or a null character.
    pub fn new(text: &'a str) -> Result<Self, TopicError> {
        let bytes = text.as_bytes();
        if bytes.is_empty() {
            return Err(TopicError::Empty);
        }
        if bytes.len() > usize::from(u16::MAX) {
            return Err(TopicError::TooLong);
        }
        match memchr::memchr3(b'+', b'#', 0, bytes) {
            None => Ok(Self(text)),
            Some(at) if bytes.get(at) == Some(&0) => Err(TopicError::Null),
            Some(_) => Err(TopicError::Wildcard),
        }
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels between the slashes; there is always at least one, and a level may be empty.
    pub fn levels(self) -> impl Iterator<Item = &'a str> {
        self.0.split('/')
    }

    /// Whether it starts with `$`, so that no filter that starts with a wildcard matches it. `[MQTT-4.7.2-1]`
    #[must_use]
    pub fn is_dollar(self) -> bool {
        self.0.starts_with('$')
    }
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[MQTT-4.7.3-1]`, `[MQTT-4.7.3-2]`, `[MQTT-4.7.3-3]`, `[MQTT311-4.7.3-1]`, `[MQTT311-4.7.3-2]`,
    /// `[MQTT311-4.7.3-3]`
    #[test]
    fn what_is_no_topic_name_is_refused() {
        let long = "x".repeat(65_536);
        for (text, error) in [
            ("", TopicError::Empty),
            ("a/#", TopicError::Wildcard),
            ("a+", TopicError::Wildcard),
            ("a\0b", TopicError::Null),
            (long.as_str(), TopicError::TooLong),
        ] {
            assert_eq!(TopicName::new(text), Err(error));
        }
        for text in ["/", "a//b", "$SYS/x", " ", "ä/ö"] {
            assert_eq!(TopicName::new(text).map(TopicName::as_str), Ok(text));
        }
    }
}
