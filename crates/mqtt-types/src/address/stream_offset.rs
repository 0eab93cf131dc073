//! Where a reader of a stream starts, and how that is written.

use std::fmt;
use std::str::FromStr;

use stdx::UnixMillis;

use super::AddressError;

/// Where a reader of a stream starts: the second level of `$s/<offset>/<filter>`, or the value of the SUBSCRIBE user
/// property [`StreamOffset::USER_PROPERTY`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StreamOffset {
    /// `earliest`: the oldest message kept.
    Earliest,
    /// `latest`: the next message to come.
    #[default]
    Latest,
    /// `next`: after the last message that this client settled, from the oldest if there is none.
    Next,
    /// `<offset>`: that message, or the oldest kept if it is gone.
    Offset(u64),
    /// `@<RFC 3339 time or unix ms>`: the first message that was stored then or later.
    Time(UnixMillis),
}

impl StreamOffset {
    /// The name of the user property.
    pub const USER_PROPERTY: &str = "stream-offset";
}

impl FromStr for StreamOffset {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text {
            "earliest" => return Ok(Self::Earliest),
            "latest" => return Ok(Self::Latest),
            "next" => return Ok(Self::Next),
            _ => {}
        }
        if let Some(time) = text.strip_prefix('@') {
            return time.parse().map(Self::Time).map_err(|_| AddressError::StreamOffset);
        }
        // Digits only: a number of Rust may have a sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.map(Self::Offset).ok_or(AddressError::StreamOffset)
    }
}

impl fmt::Display for StreamOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::Next => f.write_str("next"),
            Self::Offset(offset) => offset.fmt(f),
            Self::Time(time) => write!(f, "@{time}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written() {
        let time = StreamOffset::Time(UnixMillis(1_795_516_620_500));
        for (text, offset, echo) in [
            ("earliest", StreamOffset::Earliest, "earliest"),
            ("latest", StreamOffset::Latest, "latest"),
            ("next", StreamOffset::Next, "next"),
            ("0", StreamOffset::Offset(0), "0"),
            ("007", StreamOffset::Offset(7), "7"),
            ("18446744073709551615", StreamOffset::Offset(u64::MAX), "18446744073709551615"),
            ("@1795516620500", time, "@2026-11-24T10:37:00.500Z"),
            ("@2026-11-24T10:37:00.5Z", time, "@2026-11-24T10:37:00.500Z"),
            ("@2026-11-24T11:37:00.5+01:00", time, "@2026-11-24T10:37:00.500Z"),
        ] {
            assert_eq!(text.parse(), Ok(offset), "{text}");
            assert_eq!(offset.to_string(), echo, "{text}");
            assert_eq!(echo.parse(), Ok(offset), "{text}");
        }
        assert_eq!(StreamOffset::default(), StreamOffset::Latest);
    }

    #[test]
    fn what_is_no_offset_is_refused() {
        for text in [
            "",
            "Earliest",
            "first",
            "+5",
            "-1",
            "1.5",
            " 5",
            "18446744073709551616",
            "@",
            "@+5",
            "@soon",
            "@2026-11-24",
            "@1969-12-31T23:59:59Z",
        ] {
            assert_eq!(text.parse::<StreamOffset>(), Err(AddressError::StreamOffset), "{text}");
        }
    }
}
