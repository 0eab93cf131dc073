//! Durations and sizes as JSON texts: read in any unit, echoed in the shortest form.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stdx::{ByteSize, format_duration, parse_duration};

use crate::bounds::NUMBER_MAX;

/// A duration that is the text `5m` in JSON. The number 0 is read too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct DurationText(pub Duration);

/// A size that is the text `64KiB` in JSON. A number of bytes is read too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct SizeText(pub u64);

impl DurationText {
    /// A duration of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_duration(self.0))
    }
}

impl fmt::Display for SizeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ByteSize(self.0).fmt(f)
    }
}

impl Serialize for DurationText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SizeText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DurationVisitor)
    }
}

impl<'de> Deserialize<'de> for SizeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = DurationText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"30s\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        parse_duration(text).map(DurationText).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        match number {
            0 => Ok(DurationText(Duration::ZERO)),
            _ => Err(E::custom(format!("{number} has no unit; write a duration such as \"30s\""))),
        }
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = SizeText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as \"64KiB\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        text.parse().map(|ByteSize(bytes)| SizeText(bytes)).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        match number {
            0..=NUMBER_MAX => Ok(SizeText(number)),
            _ => Err(E::custom(format!("{number} is above {NUMBER_MAX}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_echo_in_their_shortest_form() {
        for (json, echo) in [
            (r#""300s""#, r#""5m""#),
            ("0", r#""0""#),
            (r#""0""#, r#""0""#),
            (r#""48h""#, r#""2d""#),
        ] {
            let value: DurationText = serde_json::from_str(json).expect(json);
            assert_eq!(serde_json::to_string(&value).expect("a text"), echo, "{json}");
        }
        for (json, echo) in
            [(r#""1024KiB""#, r#""1MiB""#), ("65536", r#""64KiB""#), ("5", r#""5""#)]
        {
            let value: SizeText = serde_json::from_str(json).expect(json);
            assert_eq!(serde_json::to_string(&value).expect("a text"), echo, "{json}");
        }
    }

    #[test]
    fn what_has_no_unit_or_no_sense_is_refused() {
        for json in ["5", r#""5""#, "-1", "1.5", "null", "true", r#""1w""#] {
            assert!(serde_json::from_str::<DurationText>(json).is_err(), "{json}");
        }
        for json in ["-1", "1.5", "null", r#""1 MiB""#, "9223372036854775808"] {
            assert!(serde_json::from_str::<SizeText>(json).is_err(), "{json}");
        }
    }
}
