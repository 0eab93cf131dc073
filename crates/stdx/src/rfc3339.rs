//! Points in time as texts of RFC 3339.

use std::fmt;
use std::str::FromStr;

use crate::UnixMillis;

const DAY_MS: i64 = 86_400_000;

/// Why a text is no point in time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseTimeError {
    text: String,
}

impl fmt::Display for ParseTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        write!(
            f,
            "'{text}' is no time; write RFC 3339, such as 2026-11-24T10:37:00Z, or milliseconds since 1970"
        )
    }
}

impl std::error::Error for ParseTimeError {}

impl fmt::Display for UnixMillis {
    /// In UTC, with milliseconds: `2026-11-24T10:37:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        let (year, month, day) = civil_from_days(milliseconds.div_euclid(DAY_MS));
        let of_day = milliseconds.rem_euclid(DAY_MS);
        let (hour, minute, second) =
            (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            of_day % 1_000
        )
    }
}

impl FromStr for UnixMillis {
    type Err = ParseTimeError;

    /// Reads RFC 3339 with any offset from UTC, or milliseconds since 1970. What was before 1970 is refused.
    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        let number = || {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse().ok() } else { None }
        };
        let time = || milliseconds(text).and_then(|milliseconds| u64::try_from(milliseconds).ok());
        let error = || ParseTimeError { text: text.to_owned() };
        number().or_else(time).map(UnixMillis).ok_or_else(error)
    }
}

/// `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)` as milliseconds since 1970; before that they are negative.
fn milliseconds(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let legal = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && (hour < 24 && minute < 60 && second < 61);
    let of_day = (hour * 3_600 + minute * 60 + second) * 1_000 + parse_fraction(fraction)?;
    let milliseconds = days_from_civil(year, month, day) * DAY_MS + of_day - parse_zone(zone)?;
    legal.then_some(milliseconds)
}

fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut values = [0; N];
    for (value, width) in values.iter_mut().zip(widths) {
        let part = parts
            .next()
            .filter(|part| part.len() == width && part.bytes().all(|b| b.is_ascii_digit()))?;
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(values)
}

fn parse_fraction(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{text:0<3}").get(..3)?.parse().ok()
}

/// The offset from UTC in milliseconds.
fn parse_zone(text: &str) -> Option<i64> {
    let sign = match text.get(..1)? {
        "Z" | "z" => return (text.len() == 1).then_some(0),
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let [hours, minutes] = numbers(text.get(1..)?, ':', [2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a day of the Gregorian calendar, counted in eras of 400 years that start in March, so
/// that the leap day is the last of its year.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_and_echo_in_utc() {
        for (text, milliseconds, echo) in [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z"),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999, "2000-02-29T23:59:59.999Z"),
            ("2026-11-24T10:37:00+01:30", 1_795_511_220_000, "2026-11-24T09:07:00.000Z"),
            ("2026-11-24T00:07:00-00:30", 1_795_480_620_000, "2026-11-24T00:37:00.000Z"),
            ("2026-11-24t10:37:00.5z", 1_795_516_620_500, "2026-11-24T10:37:00.500Z"),
            ("2026-11-24 10:37:00.123456789Z", 1_795_516_620_123, "2026-11-24T10:37:00.123Z"),
            ("1969-12-31T23:59:59-00:01", 59_000, "1970-01-01T00:00:59.000Z"),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000, "2017-01-01T00:00:00.000Z"),
            ("1795516620500", 1_795_516_620_500, "2026-11-24T10:37:00.500Z"),
        ] {
            let time: UnixMillis = text.parse().expect(text);
            assert_eq!(time.0, milliseconds, "{text}");
            assert_eq!(time.to_string(), echo, "{text}");
            assert_eq!(echo.parse(), Ok(time), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_by_name() {
        for text in [
            "",
            "2026-11-24",
            "2026-11-24T10:37Z",
            "2026-02-29T10:37:00Z",
            "2026-13-01T10:37:00Z",
            "2026-00-01T10:37:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T10:37:61Z",
            "2026-11-24T10:37:00",
            "2026-11-24T10:37:00.Z",
            "2026-11-24T10:37:00+1:00",
            "2026-11-24T10:37:00+24:00",
            "2026-11-24T10:37:00Zx",
            "2026-11-24Tä0:37:00Z",
            "1969-12-31T23:59:59Z",
            "-1",
            "+1",
            "18446744073709551616",
        ] {
            let error = text.parse::<UnixMillis>().expect_err(text);
            assert!(error.to_string().contains(&format!("'{text}'")), "{error}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for days in 0..146_097 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days, "{year}-{month}-{day}");
        }
    }
}
