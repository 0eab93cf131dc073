//! Request bodies: JSON, bounded, with the field named when something is wrong with one.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::timeout;

use crate::failure::Failure;

/// How long the body of a request may take to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A body that was read into `T`. The Content-Type is not looked at: nothing but JSON is understood.
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        // Some requests may take long, but not to come.
        let bytes = timeout(BODY_TIMEOUT, Bytes::from_request(request, state));
        let bytes = bytes.await.map_err(|_| too_slow())?;
        let bytes = bytes.map_err(|rejection| unreadable(&rejection))?;
        parse(&bytes).map(Self)
    }
}

fn too_slow() -> Failure {
    let message = "the request body did not come in time";
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).retry_after(1)
}

fn unreadable(rejection: &BytesRejection) -> Failure {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "request body is too large",
        ),
        status => Failure::new(status, "invalid", rejection.body_text()),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    // serde would read a list as the fields in their order; a body is always an object.
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(malformed("expected an object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        match field_of(&path, &message) {
            // The field says where it is; the line and column would be those of a body that was made by a program.
            Some(field) if error.inner().is_data() => {
                let words = message.split(" at line ").next().unwrap_or(&message);
                Failure::field(&field, in_words(words))
            }
            // Of a word that is no text, such as null, serde_json says that the syntax is wrong.
            Some(field) if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() => {
                Failure::field(&field, "has a value of the wrong kind")
            }
            _ => malformed(&message),
        }
    })?;
    deserializer.end().map_err(|error| malformed(&error.to_string()))?;
    Ok(value)
}

/// The names of Rust's numbers are those of nobody else.
fn in_words(message: &str) -> String {
    let numbers = [
        ("u16", "a whole number from 0 to 65535"),
        ("u32", "a whole number from 0 to 4294967295"),
        ("u64", "a whole number from 0 on"),
        ("i64", "a whole number"),
        ("f64", "a number"),
    ];
    let known = numbers.into_iter().find_map(|(name, words)| {
        let before = message.strip_suffix(name)?.strip_suffix("expected ")?;
        Some(format!("{before}expected {words}"))
    });
    known.unwrap_or_else(|| message.to_owned())
}

/// The path where it went wrong, or the field that serde names between backquotes when it is missing.
fn field_of(path: &str, message: &str) -> Option<String> {
    if path != "." {
        return Some(path.to_owned());
    }
    let rest = message
        .strip_prefix("missing field `")
        .or_else(|| message.strip_prefix("unknown field `"))?;
    rest.split('`').next().map(str::to_owned)
}

fn malformed(message: &str) -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        "malformed_json",
        format!("request body is not the JSON expected: {message}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_called_what_they_are() {
        for (message, words) in [
            (
                "invalid value: integer `-1`, expected u32",
                "expected a whole number from 0 to 4294967295",
            ),
            ("invalid type: string \"many\", expected u64", "expected a whole number from 0 on"),
            (
                "invalid value: integer `70000`, expected u16",
                "expected a whole number from 0 to 65535",
            ),
            ("invalid type: null, expected a duration", "expected a duration"),
        ] {
            let said = in_words(message);
            assert!(said.ends_with(words) && said.starts_with("invalid "), "{said}");
        }
    }
}
