//! Topic filters.

use std::fmt;

use crate::TopicName;

/// A topic filter: like a topic name, but a level may be `+`, and the last one `#`. `[MQTT-4.7.1-1]`, `[MQTT-4.7.1-2]`
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicFilter<'a>(&'a str);

/// Why a text is no topic filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FilterError {
    /// It has no character. `[MQTT-4.7.3-1]`
    #[error("topic filter is empty")]
    Empty,
    /// It is longer than 65,535 bytes. `[MQTT-4.7.3-3]`
    #[error("topic filter is longer than 65535 bytes")]
    TooLong,
    /// It has U+0000. `[MQTT-4.7.3-2]`
    #[error("topic filter has a null character")]
    Null,
    /// `#` is not alone in its level, or that level is not the last. `[MQTT-4.7.1-1]`
    #[error("'#' must be alone in the last level of a topic filter")]
    MultiLevel,
    /// `+` is not alone in its level. `[MQTT-4.7.1-2]`
    #[error("'+' must be alone in its level of a topic filter")]
    SingleLevel,
}

impl<'a> TopicFilter<'a> {
    /// Checks a text. A `$share/…` or `$q/…` address is not taken apart here: see [`crate::Address`].
    ///
    /// # Errors
    /// The text is empty, too long, has a null character, or a wildcard in a wrong place.
    pub fn new(text: &'a str) -> Result<Self, FilterError> {
        if text.is_empty() {
            return Err(FilterError::Empty);
        }
        if text.len() > usize::from(u16::MAX) {
            return Err(FilterError::TooLong);
        }
        if memchr::memchr(0, text.as_bytes()).is_some() {
            return Err(FilterError::Null);
        }
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.contains('#') && (level != "#" || levels.peek().is_some()) {
                return Err(FilterError::MultiLevel);
            }
            if level.contains('+') && level != "+" {
                return Err(FilterError::SingleLevel);
            }
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels between the slashes.
    pub fn levels(self) -> impl Iterator<Item = &'a str> {
        self.0.split('/')
    }

    /// Whether any level is a wildcard.
    #[must_use]
    pub fn has_wildcard(self) -> bool {
        memchr::memchr2(b'+', b'#', self.0.as_bytes()).is_some()
    }

    /// Whether the filter matches the topic name, level by level. The plain form of what the router does with a
    /// trie; the router's tests hold the two against each other. §4.7.1.2, `[MQTT-4.7.2-1]`
    #[must_use]
    pub fn matches(self, topic: TopicName<'_>) -> bool {
        if topic.is_dollar() && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut names = topic.levels();
        for level in self.levels() {
            match (level, names.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (level, Some(name)) if level == name => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }
}

impl fmt::Display for TopicFilter<'_> {
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
    fn what_is_no_filter_is_refused() {
        let long = "x".repeat(65_536);
        for (text, error) in [
            ("", FilterError::Empty),
            ("a\0", FilterError::Null),
            ("a/#/b", FilterError::MultiLevel),
            ("a#", FilterError::MultiLevel),
            ("#a", FilterError::MultiLevel),
            ("a/b#", FilterError::MultiLevel),
            ("a+/b", FilterError::SingleLevel),
            ("+a", FilterError::SingleLevel),
            ("++", FilterError::SingleLevel),
            (long.as_str(), FilterError::TooLong),
        ] {
            assert_eq!(TopicFilter::new(text), Err(error), "{text}");
        }
    }

    #[test]
    fn filters_match_by_level() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a/", true),
            ("a/+", "a", false),
            ("+/+", "/x", true),
            ("#", "a/b", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "ab", false),
            ("+/#", "a", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("$SYS/+", "$SYS/x", true),
            ("/+", "/x", true),
            ("+", "/x", false),
        ] {
            let topic = TopicName::new(topic).expect("legal");
            let matched = TopicFilter::new(filter).expect("legal").matches(topic);
            assert_eq!(matched, expected, "{filter} on {topic}");
        }
    }
}
