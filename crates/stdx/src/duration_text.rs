//! Durations as people write them: `50ms`, `10s`, `5m`, `1h`, `7d`, and `0`.

use std::fmt;
use std::time::Duration;

const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is no duration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseDurationError {
    text: String,
}

impl fmt::Display for ParseDurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' is no duration; write a whole number and ms, s, m, h or d, such as 30s",
            self.text
        )
    }
}

impl std::error::Error for ParseDurationError {}

/// Reads `50ms`, `10s`, `5m`, `1h`, `7d` or `0`.
///
/// # Errors
/// The text is not a whole number with one of those units, or does not fit.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let error = || ParseDurationError { text: text.to_owned() };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| error())?;
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let milliseconds = factor.and_then(|factor| number.checked_mul(factor)).ok_or_else(error)?;
    Ok(Duration::from_millis(milliseconds))
}

/// Writes a duration in its shortest form: the largest unit that divides it. Below a millisecond it is cut.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if milliseconds == 0 {
        return "0".to_owned();
    }
    let unit = UNITS.iter().find(|(_, factor)| milliseconds.is_multiple_of(*factor));
    let (name, factor) = unit.copied().unwrap_or(("ms", 1));
    format!("{}{name}", milliseconds / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_echo_in_their_shortest_form() {
        for (text, milliseconds, echo) in [
            ("0", 0, "0"),
            ("50ms", 50, "50ms"),
            ("10s", 10_000, "10s"),
            ("300s", 300_000, "5m"),
            ("24h", 86_400_000, "1d"),
            ("7d", 604_800_000, "7d"),
            ("1500ms", 1_500, "1500ms"),
        ] {
            let duration = parse_duration(text).expect(text);
            assert_eq!(duration, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(format_duration(duration), echo, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_by_name() {
        for text in [
            "",
            "s",
            "5",
            "-1s",
            "1.5s",
            "1 s",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            let error = parse_duration(text).expect_err(text);
            assert!(error.to_string().contains(&format!("'{text}'")), "{error}");
        }
    }
}
