mod requests;

use serde_json::{Value, json};

use super::*;
use crate::{ApiError, DurationText};

fn body(json: Value) -> QueueBody {
    serde_json::from_value(json).expect("well-formed")
}

fn refused_field(error: &ApiError) -> String {
    error.body().details.field.expect("the field is named")
}

#[test]
fn identity_is_a_simple_name_or_the_filter() {
    for (json, name, topic_filter) in [
        (json!({"topic_filter": "sensor/+/data"}), "sensor/+/data", Some("sensor/+/data")),
        (json!({"name": "billing", "topic_filter": "orders/#"}), "billing", Some("orders/#")),
        (json!({"name": "billing", "topic_filter": null}), "billing", None),
        (json!({"name": "a/b", "topic_filter": "a/b"}), "a/b", Some("a/b")),
        (json!({"name": "a/+"}), "a/+", Some("a/+")),
        (json!({"name": "x", "topic_filter": "$app/x"}), "x", Some("$app/x")),
    ] {
        let spec = QueueSpec::new(body(json.clone())).expect("legal");
        assert_eq!((spec.name(), spec.topic_filter()), (name, topic_filter), "{json}");
    }
}

#[test]
fn bad_identities_are_refused_by_field() {
    for (json, field) in [
        (json!({}), "topic_filter"),
        (json!({"topic_filter": null}), "topic_filter"),
        (json!({"name": "billing"}), "topic_filter"),
        (json!({"name": "", "topic_filter": "a"}), "name"),
        (json!({"name": "a b", "topic_filter": "a"}), "name"),
        (json!({"name": "a/b", "topic_filter": "a/c"}), "name"),
        (json!({"name": "a/b", "topic_filter": null}), "name"),
        (json!({"name": "dead:x"}), "name"),
        (json!({"topic_filter": "dead:x"}), "topic_filter"),
        (json!({"topic_filter": "a+/b"}), "topic_filter"),
        (json!({"topic_filter": "$share/g/a"}), "topic_filter"),
        (json!({"topic_filter": "$q/a"}), "topic_filter"),
        (json!({"topic_filter": "$SYS/#"}), "topic_filter"),
        (json!({"topic_filter": "$delayed/5/a"}), "topic_filter"),
    ] {
        let error = QueueSpec::new(body(json.clone())).expect_err("illegal");
        assert_eq!(refused_field(&error), field, "{json}");
    }
}

#[test]
fn values_out_of_bounds_are_refused_by_field() {
    for (field, value) in [
        ("key_expression", json!("")),
        ("key_expression", json!("level(0)")),
        ("key_inflight", json!(0)),
        ("max_messages", json!(0)),
        ("max_messages", json!(1_u64 << 63)),
        ("max_bytes", json!("0")),
        ("max_inflight", json!(0)),
        ("ack_timeout", json!("0")),
        ("retry_delay_max", json!("500ms")),
        ("dedup_window", json!("0")),
        ("dead_letter", json!("a+/b")),
    ] {
        let error =
            QueueSpec::new(body(json!({"topic_filter": "a", field: value}))).expect_err(field);
        assert_eq!(refused_field(&error), field);
    }
}

#[test]
fn a_key_expression_is_refused_with_its_place() {
    let body = body(json!({"topic_filter": "a", "key_expression": "concat(topic; 'x')"}));
    let error = QueueSpec::new(body).expect_err("illegal");
    assert_eq!(
        error.to_string(),
        "key_expression: column 13: expected ',' or ')', found ';'\n  concat(topic; 'x')\n              ^"
    );
}

#[test]
fn a_null_is_an_error_where_nothing_cannot_be() {
    for field in PROPERTY_NAMES {
        let nullable = matches!(*field, "max_messages" | "max_bytes" | "dedup_window");
        let read = serde_json::from_value::<QueueBody>(json!({ *field: null }));
        assert_eq!(read.is_ok(), nullable, "{field}");
    }
    assert!(serde_json::from_value::<QueueBody>(json!({"name": null})).is_err());
    assert!(serde_json::from_value::<QueueBody>(json!({"max_inflight": 65_536})).is_err());
    assert!(serde_json::from_value::<QueueBody>(json!({"colour": "red"})).is_err());
}

#[test]
fn the_defaults_are_the_contracts() {
    let expected = json!({
        "dispatch_strategy": "round_robin", "key_expression": "topic", "key_inflight": 1, "last_value": false,
        "durability": "sync", "retention": "7d", "max_messages": null, "max_bytes": null,
        "overflow": "reject_publish", "max_inflight": 32, "ack_timeout": "5m", "max_attempts": 16,
        "retry_delay": "1s", "retry_delay_max": "1m", "dead_letter": "own", "dead_letter_expired": false,
        "dead_letter_dropped": false, "dead_letter_unkeyed": false, "dedup_window": null, "keep_settled": "0", "paused": false,
    });
    assert_eq!(serde_json::to_value(QueueProperties::default()).expect("JSON"), expected);
}

#[test]
fn what_is_given_wins_over_the_defaults_and_null_takes_a_limit_away() {
    let defaults =
        QueueProperties { max_inflight: 7, max_messages: Some(5), ..QueueProperties::default() };
    let spec = QueueSpec::new(body(
        json!({"topic_filter": "a", "max_messages": null, "ack_timeout": "90s"}),
    ))
    .expect("legal");
    let properties = spec.properties(&defaults).expect("legal");
    let expected = QueueProperties {
        max_messages: None,
        ack_timeout: DurationText::from_secs(90),
        ..defaults.clone()
    };
    assert_eq!(properties, expected);
}

#[test]
fn every_property_can_be_given_and_is_taken_over() {
    let json = json!({
        "dispatch_strategy": "random", "key_expression": "level(1)", "key_inflight": 2, "last_value": true,
        "durability": "os", "retention": "1d", "max_messages": 9, "max_bytes": "1MiB",
        "overflow": "drop_oldest", "max_inflight": 33, "ack_timeout": "6m", "max_attempts": 0,
        "retry_delay": "2s", "retry_delay_max": "2m", "dead_letter": "graveyard", "dead_letter_expired": true,
        "dead_letter_dropped": true, "dead_letter_unkeyed": true, "dedup_window": "10m", "keep_settled": "1h", "paused": true,
    });
    let patch = QueuePatch::new(body(json.clone())).expect("legal");
    let properties = patch.properties(&QueueProperties::default()).expect("legal");
    assert_eq!(serde_json::to_value(&properties).expect("JSON"), json);
    for name in PROPERTY_NAMES {
        let others: Vec<&str> =
            PROPERTY_NAMES.iter().copied().filter(|other| other != name).collect();
        let error = properties.refuse_unsupported(&others).expect_err(name);
        assert_eq!((error.code(), refused_field(&error).as_str()), ("unsupported", *name));
    }
    assert_eq!(properties.refuse_unsupported(PROPERTY_NAMES), Ok(()));
    assert_eq!(QueueProperties::default().refuse_unsupported(&[]), Ok(()));
}

#[test]
fn a_patch_cannot_rename_and_checks_against_what_is_there() {
    let error = QueuePatch::new(body(json!({"name": "other"}))).expect_err("name cannot change");
    assert_eq!(refused_field(&error), "name");
    let error = QueuePatch::new(body(json!({"topic_filter": "a#"}))).expect_err("no filter");
    assert_eq!(refused_field(&error), "topic_filter");
    let patch = QueuePatch::new(body(json!({"retry_delay": "2m"}))).expect("legal by itself");
    let error = patch.properties(&QueueProperties::default()).expect_err("longer than the maximum");
    assert_eq!(refused_field(&error), "retry_delay_max");
    let patch = QueuePatch::new(body(json!({"topic_filter": null}))).expect("legal");
    assert_eq!(patch.topic_filter(), Some(None));
}

#[test]
fn a_view_reads_back() {
    let view = QueueView {
        name: "sensor/+/data".to_owned(),
        topic_filter: Some("sensor/+/data".to_owned()),
        properties: QueueProperties {
            max_bytes: Some(crate::SizeText(1 << 20)),
            ..QueueProperties::default()
        },
        stats: QueueStats { enqueued: 3, settled: 1, ready: 2, ..QueueStats::default() },
    };
    let json = serde_json::to_value(&view).expect("JSON");
    assert_eq!(json["max_bytes"], "1MiB");
    assert_eq!(json["stats"]["ready"], 2);
    assert_eq!(serde_json::from_value::<QueueView>(json).expect("our own"), view);
}

#[test]
fn the_ledger_balances_only_when_everything_is_counted() {
    let stats = QueueStats {
        enqueued: 9,
        settled: 1,
        ready: 1,
        in_flight: 1,
        delayed: 1,
        ..QueueStats::default()
    };
    let stats =
        QueueStats { expired: 1, dropped: 1, replaced: 1, dead_lettered: 1, purged: 1, ..stats };
    assert!(stats.balances());
    assert!(!QueueStats { enqueued: 10, ..stats }.balances());
}
