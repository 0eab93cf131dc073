//! `weir explain`.

use serde_json::{Value, json};

use crate::program::{Ended, run};
use crate::rest_server::serve_json;

fn against(answer: (u16, Value), arguments: &[&str]) -> (Ended, String) {
    let (url, server) = serve_json(vec![answer]);
    let ended = run(&[&["explain"], arguments, &["--url", &url, "--token", "secret"]].concat());
    let asked = server.join().expect("the server holds");
    (ended, asked[0].line.clone())
}

fn publish() -> Value {
    let full = json!({
        "code": "full", "message": "queue 'billing' is full, its max_messages is 1000",
        "details": {"queue": "billing", "reason_code": 151},
    });
    json!({
        "question": {"topic": "orders/7", "client_id": "shop"},
        "at": "2026-11-24T10:37:00.000Z",
        "verdict": "refused",
        "summary": "a publish to 'orders/7' by client 'shop' would be refused (0x97): nobody would get it",
        "reasons": [full],
        "publish": {
            "topic": "orders/7", "delayed_seconds": null, "reason_code": 151,
            "policy": {"allowed": true, "rule": null, "message": "there are no rules", "username": "ada", "roles": ["ops", "dev"], "connected": true},
            "has_retained": true, "may_retain": true,
            "subscriptions": {"count": 3, "data": [{
                "client_id": "board", "topic_filter": "orders/#", "qos": 0, "connected": false, "durable": true,
                "reasons": [{"code": "away", "message": "it misses it", "details": {}}],
            }]},
            "groups": {"count": 1, "data": [{"name": "g", "topic_filter": "orders/+", "strategy": "round_robin", "members": 2, "present": 1}]},
            "sinks": {"count": 1, "data": [
                {"kind": "queue", "name": "billing", "topic_filter": "orders/+", "outcome": "refused", "key": "7", "reasons": [full]},
            ]},
        },
        "alarms": [{"name": "queue_stalled", "resource": "billing", "since": "2026-11-24T10:00:00.000Z", "reason": "nothing moves"}],
    })
}

fn message() -> Value {
    let busy = json!({
        "code": "key_busy", "message": "the message at offset 12, of the same key, is unsettled",
        "details": {"queue": "billing", "client_id": "worker-3", "offset": 12, "count": 1, "until": "2026-11-24T10:42:00.000Z"},
    });
    json!({
        "question": {"queue": "billing", "offset": 17},
        "at": "2026-11-24T10:37:00.000Z",
        "verdict": "ready",
        "summary": "the message at offset 17 of queue 'billing' is ready and not delivered",
        "reasons": [busy],
        "message": {"offset": 17, "attempts": 2, "publish_ts": "2026-11-24T10:36:58.000Z", "topic": "orders/\u{1b}7", "qos": 1, "payload_bytes": 42, "key": "orders/7"},
        "source": {
            "kind": "queue", "name": "billing", "topic_filter": null, "earliest_offset": 12, "next_offset": 18,
            "first_since": 15, "counts": {"ready": 5, "in_flight": 1}, "left_as": {"settled": 11, "dead_lettered": 1},
        },
        "consumers": [{"client_id": "worker-3", "address": "$queue/billing", "qos": 1, "in_flight": 1, "credit": 31, "resting": true, "since": "2026-11-24T08:00:00.000Z"}],
        "readers": [{"kind": "group", "name": "g", "position": 3, "settled": false, "reasons": [{"code": "paused", "message": "the stream is paused", "details": {}}]}],
        "alarms": [],
    })
}

#[test]
fn a_question_becomes_a_request() {
    for (arguments, line) in [
        (&["--topic", "a/b c"][..], "GET /api/v1/explain?topic=a%2Fb%20c"),
        (
            &["-t", "a", "-i", "me", "--queue", "q"],
            "GET /api/v1/explain?topic=a&client_id=me&queue=q",
        ),
        (&["-q", "a/+", "-o", "17"], "GET /api/v1/explain?queue=a%2F%2B&offset=17"),
        (
            &["--stream", "s", "--offset", "0", "--since", "2026-11-24T10:37:00Z"],
            "GET /api/v1/explain?stream=s&offset=0&since=2026-11-24T10%3A37%3A00Z",
        ),
        (&["--client-id", "me"], "GET /api/v1/explain?client_id=me"),
    ] {
        let (ended, asked) = against((200, message()), arguments);
        assert_eq!((ended.code, asked.as_str()), (Some(0), line), "{ended:?}");
    }
    for arguments in [
        &[][..],
        &["--offset", "1"],
        &["--topic", "a", "--offset", "1"],
        &["--queue", "q", "--stream", "s"],
        &["--client-id", "c", "--queue", "q", "--offset", "1"],
    ] {
        let ended = run(&[&["explain"], arguments, &["--url", "http://127.0.0.1:1"]].concat());
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn an_answer_is_text_for_people_and_json_for_programs() {
    let (ended, _) = against((200, publish()), &["--topic", "orders/7", "--client-id", "shop"]);
    let expected = "\
a publish to 'orders/7' by client 'shop' would be refused (0x97): nobody would get it
  full: queue 'billing' is full, its max_messages is 1000
policy: allowed: there are no rules
  user ada: ops, dev
retained: the topic has a retained message, which new subscribers get
subscription board orders/# at QoS 0
  away: it misses it
… and 2 more sessions
shared group g orders/+: one of 2 members (1 present, round_robin)
queue billing (orders/+): refused, key 7
  full: queue 'billing' is full, its max_messages is 1000
alarm queue_stalled billing since 2026-11-24T10:00:00.000Z: nothing moves
";
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), expected));

    let (ended, _) = against((200, message()), &["--queue", "billing", "--offset", "17"]);
    let expected = "\
the message at offset 17 of queue 'billing' is ready and not delivered
  key_busy: the message at offset 12, of the same key, is unsettled, at client 'worker-3', until 2026-11-24T10:42:00.000Z
message: topic orders/\u{fffd}7, QoS 1, 42 bytes, key orders/7, published 2026-11-24T10:36:58.000Z, attempts 2
queue billing (bound to nothing): oldest offset 12, next offset 18; in flight 1, ready 5
  have left: dead lettered 1, settled 11
  stored since then: from offset 15 on
group g at 3: has not settled it
  paused: the stream is paused
consumer worker-3: 1 in flight, credit 31, resting
";
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), expected));

    let (ended, _) = against((200, message()), &["--queue", "billing", "--offset", "17", "--json"]);
    let shown: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(shown["reasons"], message()["reasons"]);
}

#[test]
fn what_is_not_there_is_said() {
    let missing =
        json!({"code": "not_found", "message": "queue 'q' does not exist", "details": {}});
    let (ended, _) = against((404, missing), &["--queue", "q", "--offset", "1"]);
    let words = "weir: queue 'q' does not exist; `weir queue ls` lists what is there\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), words));
}
