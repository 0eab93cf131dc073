//! From the text of a value to the value, or a sentence that says why not.
//! It must not know keys or sources.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use stdx::{ByteSize, IpNetwork, ParseIpNetworkError, format_duration, parse_duration};

use crate::suggestion::nearest;

/// How a value is written where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Number,
    /// A text in quotes.
    Text,
    /// A list of texts in quotes, joined by commas.
    List,
    /// In an environment variable or a flag, where everything is text.
    Bare,
    /// Anything else that TOML has, by its name there.
    Other(&'static str),
}

/// How a TOML file must write a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Switch,
    Number,
    NumberOrText,
    Text,
    TextOrList,
    Fraction,
}

impl Form {
    /// Whether TOML's own type fits: a number must not be quoted, a word must be.
    pub(crate) fn check(self, written: Written) -> Result<(), BadValue> {
        let (wants, fits) = match self {
            Self::Switch => ("`true` or `false` without quotes", written == Written::Boolean),
            Self::Number => ("a whole number without quotes", written == Written::Number),
            Self::NumberOrText => {
                ("a number or a text in quotes", matches!(written, Written::Number | Written::Text))
            }
            Self::Text => ("a text in quotes", written == Written::Text),
            Self::Fraction => (
                "a number without quotes",
                matches!(written, Written::Number | Written::Other("a fraction")),
            ),
            Self::TextOrList => (
                "a text in quotes or a list of them",
                matches!(written, Written::Text | Written::List),
            ),
        };
        let found = match written {
            Written::Boolean => "a boolean",
            Written::Number => "a number",
            Written::Text => "a text",
            Written::List => "a list",
            Written::Other(name) => name,
            Written::Bare => return Ok(()),
        };
        if fits { Ok(()) } else { Err(format!("expected {wants}, found {found}").into()) }
    }
}

/// Why a text is no value for a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BadValue {
    /// What is wrong.
    pub(crate) message: String,
    /// What could have been meant.
    pub(crate) help: Option<String>,
}

impl From<String> for BadValue {
    fn from(message: String) -> Self {
        Self { message, help: None }
    }
}

/// `true` or `false`.
pub(crate) fn switch(text: &str) -> Result<bool, BadValue> {
    text.parse().map_err(|_| format!("'{text}' is neither true nor false").into())
}

/// A whole number within its limits.
pub(crate) fn count<N>(text: &str, min: N, max: N) -> Result<N, BadValue>
where
    N: FromStr + PartialOrd + Display,
{
    match text.parse() {
        Ok(number) if number >= min && number <= max => Ok(number),
        _ => Err(format!("'{text}' is no whole number from {min} to {max}").into()),
    }
}

/// A share from 0 to 1, in millionths.
pub(crate) fn millionths(text: &str) -> Result<u32, BadValue> {
    let ratio: Option<f64> = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    let ratio = ratio.ok_or_else(|| format!("'{text}' is no number from 0.0 to 1.0"))?;
    Ok((ratio * 1e6).round() as u32)
}

/// A value, or the word that stands for none.
pub(crate) fn optional<V>(
    text: &str,
    none: &str,
    read: impl FnOnce(&str) -> Result<V, BadValue>,
) -> Result<Option<V>, BadValue> {
    if text == none {
        return Ok(None);
    }
    read(text)
        .map(Some)
        .map_err(|error| BadValue { help: Some(format!("`{none}` is a value too")), ..error })
}

/// A duration within its limits.
pub(crate) fn span(text: &str, min: Duration, max: Duration) -> Result<Duration, BadValue> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    if span < min || span > max {
        let (min, max) = (format_duration(min), format_duration(max));
        return Err(format!("'{text}' is not from {min} to {max}").into());
    }
    Ok(span)
}

/// A duration longer than nothing.
pub(crate) fn positive_span(text: &str) -> Result<Duration, BadValue> {
    span(text, Duration::from_millis(1), LONGEST)
}

/// A hundred years: more is a slip of the finger.
pub(crate) const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 3600);

/// A size within its limits.
pub(crate) fn size<N>(text: &str, min: N, max: N) -> Result<N, BadValue>
where
    N: TryFrom<u64> + Into<u64> + PartialOrd + Copy,
{
    let ByteSize(bytes) =
        text.parse().map_err(|error: stdx::ParseByteSizeError| error.to_string())?;
    match N::try_from(bytes) {
        Ok(size) if size >= min && size <= max => Ok(size),
        _ => {
            let (min, max) = (ByteSize(min.into()), ByteSize(max.into()));
            Err(format!("'{text}' is not from {min} to {max}").into())
        }
    }
}

/// An IP address and a port.
pub(crate) fn address(text: &str) -> Result<SocketAddr, BadValue> {
    text.parse().map_err(|_| BadValue {
        message: format!("'{text}' is no IP address with a port"),
        help: Some(
            "write it as 127.0.0.1:1883, [::1]:1883 or, for all addresses, 0.0.0.0:1883".to_owned(),
        ),
    })
}

/// A path that is not empty.
pub(crate) fn path(text: &str) -> Result<PathBuf, BadValue> {
    if text.is_empty() || text.contains('\0') {
        return Err(format!("'{}' is no path", text.escape_default()).into());
    }
    Ok(PathBuf::from(text))
}

/// One path or several, divided by commas.
pub(crate) fn paths(text: &str) -> Result<Vec<PathBuf>, BadValue> {
    text.split(',').map(|item| path(item.trim())).collect()
}

/// One network or several, divided by commas.
pub(crate) fn networks(text: &str) -> Result<Vec<IpNetwork>, BadValue> {
    let network = |item: &str| {
        item.trim().parse().map_err(|error: ParseIpNetworkError| error.to_string().into())
    };
    text.split(',').map(network).collect()
}

/// The place of a word in its list.
pub(crate) fn word(text: &str, words: &[&'static str]) -> Result<usize, BadValue> {
    words.iter().position(|word| *word == text).ok_or_else(|| BadValue {
        message: format!("'{text}' is none of {}", words.join(", ")),
        help: nearest(text, words.iter().copied()).map(|word| format!("did you mean `{word}`?")),
    })
}
