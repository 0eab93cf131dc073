//! Where a seek leads to, on the command line.

use std::str::FromStr;

use admin_api::{QueueEnd, SeekBody, Timestamp};
use stdx::UnixMillis;

/// Where a seek leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place(pub SeekBody);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let none = SeekBody::default();
        let body = match text {
            "earliest" => SeekBody { to: Some(QueueEnd::Earliest), ..none },
            "latest" => SeekBody { to: Some(QueueEnd::Latest), ..none },
            text => match text.strip_prefix('@') {
                Some(time) => SeekBody { time: Some(moment(time)?), ..none },
                None => SeekBody { offset: Some(offset(text)?), ..none },
            },
        };
        Ok(Self(body))
    }
}

fn offset(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        "is none of earliest, latest, an offset, and @ with a time such as @2026-11-24T10:00:00Z"
            .to_owned()
    })
}

fn moment(text: &str) -> Result<Timestamp, String> {
    match text.parse() {
        Ok(milliseconds) => Ok(Timestamp(UnixMillis(milliseconds))),
        Err(_) => text.parse().map_err(|error| format!("is no time after the @: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_is_an_end_an_offset_or_a_time() {
        for (text, body) in [
            ("earliest", json!({"to": "earliest"})),
            ("latest", json!({"to": "latest"})),
            ("17", json!({"offset": 17})),
            ("@1500", json!({"time": "1970-01-01T00:00:01.500Z"})),
            ("@2026-11-24T10:37:00Z", json!({"time": "2026-11-24T10:37:00.000Z"})),
        ] {
            let place: Place = text.parse().expect(text);
            assert_eq!(serde_json::to_value(place.0).expect("JSON"), body, "{text}");
        }
        for text in ["", "end", "-1", "@", "@soon", "1.5"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
