//! What an operator may ask of a queue's messages.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::*;
use super::refused_field;
use crate::{ApiError, Timestamp};

fn read<T: DeserializeOwned>(json: &Value) -> T {
    serde_json::from_value(json.clone()).expect("well-formed")
}

/// Each body is accepted, or refused with the field named.
fn check<T: DeserializeOwned>(
    judge: impl Fn(&T) -> Result<(), ApiError>,
    cases: &[(Value, Option<&str>)],
) {
    for (json, field) in cases {
        let refused = judge(&read(json)).err();
        assert_eq!(refused.as_ref().map(refused_field).as_deref(), *field, "{json}");
    }
}

#[test]
fn a_purge_has_a_filter_and_a_key_that_can_be() {
    check(
        PurgeBody::check,
        &[
            (json!({}), None),
            (json!({"filter": "a/+"}), None),
            (json!({"filter": "a/+", "key": ""}), None),
            (json!({"key": "x".repeat(65_535)}), None),
            (json!({"key": "x".repeat(65_536)}), Some("key")),
            (json!({"filter": ""}), Some("filter")),
            (json!({"filter": "a+"}), Some("filter")),
        ],
    );
    assert!(serde_json::from_value::<PurgeBody>(json!({"topic": "a"})).is_err());
}

#[test]
fn a_redrive_has_bounds_that_let_something_through() {
    check(
        RedriveBody::check,
        &[
            (json!({}), None),
            (json!({"to": "billing", "rate": 1, "limit": 1}), None),
            (json!({"to": "a/+"}), None),
            (json!({"to": ""}), Some("to")),
            (json!({"to": "a+"}), Some("to")),
            (json!({"rate": 0}), Some("rate")),
            (json!({"limit": 0}), Some("limit")),
        ],
    );
    assert!(serde_json::from_value::<RedriveBody>(json!({"rate": 0.5})).is_err());
}

#[test]
fn a_seek_goes_to_one_place() {
    let time: Timestamp = "2026-11-24T10:37:00Z".parse().expect("legal");
    for (json, seek) in [
        (json!({"offset": 0}), Seek::Offset(0)),
        (json!({"time": "2026-11-24T10:37:00Z"}), Seek::Time(time)),
        (json!({"time": time.0.0}), Seek::Time(time)),
        (json!({"to": "earliest"}), Seek::End(QueueEnd::Earliest)),
        (json!({"to": "latest"}), Seek::End(QueueEnd::Latest)),
    ] {
        assert_eq!(read::<SeekBody>(&json).seek(), Ok(seek), "{json}");
    }
    for (json, field) in [
        (json!({}), "offset"),
        (json!({"offset": 1, "time": 5}), "time"),
        (json!({"offset": 1, "to": "latest"}), "to"),
        (json!({"time": 5, "to": "latest"}), "to"),
    ] {
        let error = read::<SeekBody>(&json).seek().expect_err("illegal");
        assert_eq!(refused_field(&error), field, "{json}");
    }
    assert!(serde_json::from_value::<SeekBody>(json!({"to": "next"})).is_err());
    assert!(serde_json::from_value::<SeekBody>(json!({"offset": -1})).is_err());
}

#[test]
fn a_peek_starts_somewhere_and_is_bounded() {
    let request = |json: &Value| read::<PeekQuery>(json).request();
    let all = PeekRequest { offset: 0, limit: 100, state: None };
    for (json, expected) in [
        (json!({}), all),
        (json!({"offset": "7", "limit": "1000"}), PeekRequest { offset: 7, limit: 1_000, ..all }),
        (json!({"cursor": "7"}), PeekRequest { offset: 7, ..all }),
        (json!({"state": "in_flight"}), PeekRequest { state: Some(MessageState::InFlight), ..all }),
    ] {
        assert_eq!(request(&json), Ok(expected), "{json}");
    }
    for (json, field) in [
        (json!({"offset": "-1"}), "offset"),
        (json!({"offset": "+1"}), "offset"),
        (json!({"offset": ""}), "offset"),
        (json!({"cursor": "ff"}), "cursor"),
        (json!({"offset": "1", "cursor": "1"}), "cursor"),
        (json!({"limit": "0"}), "limit"),
        (json!({"limit": "1001"}), "limit"),
        (json!({"limit": "18446744073709551616"}), "limit"),
        (json!({"state": "Ready"}), "state"),
    ] {
        let error = request(&json).expect_err("illegal");
        assert_eq!(refused_field(&error), field, "{json}");
    }
    for (name, state) in ["ready", "in_flight", "delayed", "settled"].iter().zip([
        MessageState::Ready,
        MessageState::InFlight,
        MessageState::Delayed,
        MessageState::Settled,
    ]) {
        assert_eq!(serde_json::to_value(state).expect("a text"), json!(name));
        assert_eq!(
            request(&json!({ "state": name })).map(|request| request.state),
            Ok(Some(state))
        );
    }
}
