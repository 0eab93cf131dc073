use serde_json::{Value, json};

use super::*;
use crate::{ApiError, QueueEnd, Seek, SizeText, Timestamp};

fn body(json: Value) -> StreamBody {
    serde_json::from_value(json).expect("well-formed")
}

fn refused_field(error: &ApiError) -> String {
    error.body().details.field.expect("the field is named")
}

#[test]
fn a_stream_has_its_own_properties_and_defaults() {
    let expected = json!({
        "retention": "7d", "max_messages": null, "max_bytes": null, "last_value": false, "key_expression": null,
        "durability": "sync", "max_inflight": 32, "retry_delay": "1s", "retry_delay_max": "1m",
        "keep_positions": "7d", "paused": false,
    });
    assert_eq!(serde_json::to_value(StreamProperties::default()).expect("JSON"), expected);
    let given = json!({
        "retention": "0", "max_messages": 9, "max_bytes": "1MiB", "last_value": true, "key_expression": "level(1)",
        "durability": "os", "max_inflight": 7, "retry_delay": "2s", "retry_delay_max": "2m",
        "keep_positions": "1d", "paused": true,
    });
    let patch = StreamPatch::new(body(given.clone())).expect("legal");
    let properties = patch.properties(&StreamProperties::default()).expect("legal");
    assert_eq!(serde_json::to_value(&properties).expect("JSON"), given);
    let back = StreamPatch::new(body(json!({"key_expression": null}))).expect("legal");
    assert_eq!(back.properties(&properties).expect("legal").key_expression, None);
}

#[test]
fn what_cannot_be_is_refused_by_field() {
    for (json, field) in [
        (json!({}), "topic_filter"),
        (json!({"name": "logs"}), "topic_filter"),
        (json!({"name": "a/b", "topic_filter": "a/c"}), "name"),
        (json!({"topic_filter": "$s/latest/a"}), "topic_filter"),
        (json!({"topic_filter": "a", "key_expression": "level(0)"}), "key_expression"),
        (json!({"topic_filter": "a", "max_messages": 0}), "max_messages"),
        (json!({"topic_filter": "a", "max_messages": 1_u64 << 63}), "max_messages"),
        (json!({"topic_filter": "a", "max_bytes": 0}), "max_bytes"),
        (json!({"topic_filter": "a", "max_inflight": 0}), "max_inflight"),
        (json!({"topic_filter": "a", "retry_delay": "2m"}), "retry_delay_max"),
    ] {
        let error = StreamSpec::new(body(json.clone())).expect_err("illegal");
        assert_eq!(refused_field(&error), field, "{json}");
    }
    let error = StreamSpec::new(body(json!({}))).expect_err("nothing is given");
    assert!(error.to_string().contains("a stream without a name"), "{error}");
    let error = StreamPatch::new(body(json!({"name": "b"}))).expect_err("name cannot change");
    assert_eq!(error.to_string(), "name: cannot change; create another stream");
    for field in ["dead_letter", "overflow", "colour"] {
        assert!(serde_json::from_value::<StreamBody>(json!({ field: "none" })).is_err(), "{field}");
    }
    // Names of streams are apart from those of queues and their dead letters.
    assert_eq!(StreamSpec::new(body(json!({"name": "dead:x"}))).expect("legal").name(), "dead:x");
}

#[test]
fn a_seek_is_of_one_reader_to_one_place() {
    let seek = |json: Value| serde_json::from_value::<StreamSeekBody>(json).expect("JSON").seek();
    for (json, kind, to) in [
        (json!({"reader": "a", "offset": 3}), ReaderKind::Client, Seek::Offset(3)),
        (json!({"group": "a", "to": "latest"}), ReaderKind::Group, Seek::End(QueueEnd::Latest)),
        (json!({"reader": "a", "time": 0}), ReaderKind::Client, Seek::Time(Timestamp::default())),
    ] {
        let expected = StreamSeek { kind, name: "a".to_owned(), to };
        assert_eq!(seek(json.clone()), Ok(expected), "{json}");
    }
    for (json, field) in [
        (json!({"offset": 3}), "reader"),
        (json!({"reader": "a", "group": "a", "offset": 3}), "group"),
        (json!({"reader": "a"}), "offset"),
        (json!({"reader": "a", "offset": 3, "to": "latest"}), "to"),
        (json!({"reader": "a", "offset": u64::MAX}), "offset"),
    ] {
        let error = seek(json.clone()).expect_err("illegal");
        assert_eq!(refused_field(&error), field, "{json}");
    }
}

#[test]
fn a_look_and_a_purge_name_what_is_wrong() {
    let query = |offset: &str, cursor: Option<&str>, limit: &str| StreamPeekQuery {
        offset: Some(offset.to_owned()),
        cursor: cursor.map(str::to_owned),
        limit: Some(limit.to_owned()),
    };
    let expected = StreamPeekRequest { offset: 7, limit: 2 };
    assert_eq!(query("7", None, "2").request(), Ok(expected));
    for (query, field) in [
        (query("-1", None, "2"), "offset"),
        (query("7", Some("8"), "2"), "cursor"),
        (query("7", None, "0"), "limit"),
    ] {
        assert_eq!(refused_field(&query.request().expect_err("illegal")), field);
    }
    for (json, field) in [
        (json!({"before": u64::MAX}), "before"),
        (json!({"filter": "a#"}), "filter"),
        (json!({"key": "k".repeat(70_000)}), "key"),
    ] {
        let body: StreamPurgeBody = serde_json::from_value(json).expect("JSON");
        assert_eq!(refused_field(&body.check().expect_err("illegal")), field);
    }
}

#[test]
fn views_read_back_and_the_ledger_balances_only_when_everything_is_counted() {
    let stats = StreamStats { appended: 5, kept: 1, expired: 1, ..StreamStats::default() };
    let stats = StreamStats { dropped: 1, replaced: 1, purged: 1, ..stats };
    let properties =
        StreamProperties { max_bytes: Some(SizeText(1 << 20)), ..StreamProperties::default() };
    let view = StreamView { name: "logs".to_owned(), topic_filter: None, properties, stats };
    let json = serde_json::to_value(&view).expect("JSON");
    assert_eq!((&json["max_bytes"], &json["stats"]["kept"]), (&json!("1MiB"), &json!(1)));
    assert_eq!(serde_json::from_value::<StreamView>(json).expect("our own"), view);
    let ledger = StreamLedgerView::new(view.name, &stats);
    assert!(ledger.balances);
    assert_eq!(ledger.terms().iter().map(|(_, count)| count).sum::<u64>(), ledger.appended);
    assert!(!StreamStats { appended: 6, ..stats }.balances());
    assert_eq!("group".parse(), Ok(ReaderKind::Group));
    assert_eq!(refused_field(&"all".parse::<ReaderKind>().expect_err("neither")), "kind");
}

#[test]
fn an_error_repeats_no_more_of_a_filter_than_one_can_read() {
    let filter = "a/".repeat(40_000);
    let error = StreamSpec::new(body(json!({ "topic_filter": filter }))).expect_err("too long");
    assert!(error.to_string().len() < 300, "{error}");
}
