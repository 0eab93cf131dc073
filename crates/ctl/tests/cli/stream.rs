//! `weir stream`, and `weir sub` of streams.

use admin_api::{StreamProperties, StreamStats, StreamView};
use mqtt_codec::{Packet, Properties, SubAck};
use mqtt_types::ReasonCode;
use serde_json::{Value, json};

use crate::broker::serve as serve_mqtt;
use crate::program::{Ended, run};
use crate::rest_server::serve_json;

const NAME: &str = "plant/+";
const PATH: &str = "/api/v1/streams/plant%2F%2B";

fn view() -> Value {
    let stats = StreamStats { appended: 7, kept: 7, next_offset: 7, ..StreamStats::default() };
    let view = StreamView {
        name: NAME.to_owned(),
        topic_filter: Some(NAME.to_owned()),
        properties: StreamProperties::default(),
        stats,
    };
    serde_json::to_value(view).expect("JSON")
}

/// Runs a command against a server with those answers; gives what it left behind, and the requests with their bodies.
fn against(answers: Vec<(u16, Value)>, arguments: &[&str]) -> (Ended, Vec<(String, String)>) {
    let (url, server) = serve_json(answers);
    let ended = run(&[&["stream", "--url", &url, "--token", "secret"], arguments].concat());
    let asked = server.join().expect("the server holds");
    (ended, asked.into_iter().map(|asked| (asked.line, asked.body)).collect())
}

#[test]
fn commands_become_requests() {
    let get = || format!("GET {PATH}");
    let post = |verb: &str| format!("POST {PATH}/{verb}");
    for (arguments, answer, line, sent, said) in [
        (
            &["create", NAME, "-s", "key_expression=level(2)"][..],
            (201, view()),
            "POST /api/v1/streams".to_owned(),
            r#"{"key_expression":"level(2)","name":"plant/+"}"#,
            "stream 'plant/+' created: read it as '$s/earliest/plant/+'",
        ),
        (&["show", NAME], (200, view()), get(), "", "name"),
        (
            &["set", NAME, "max_messages=null"],
            (200, view()),
            format!("PATCH {PATH}"),
            r#"{"max_messages":null}"#,
            "stream 'plant/+' changed",
        ),
        (
            &["rm", NAME],
            (204, Value::Null),
            format!("DELETE {PATH}"),
            "",
            "stream 'plant/+' deleted",
        ),
        (
            &["purge", NAME, "--before", "5", "-f", "plant/a"],
            (200, json!({"purged": 5})),
            post("purge"),
            r#"{"before":5,"filter":"plant/a"}"#,
            "stream 'plant/+': 5 messages purged",
        ),
        (
            &["seek", NAME, "earliest", "--group", "workers"],
            (200, json!({"position": 3})),
            post("seek"),
            r#"{"group":"workers","to":"earliest"}"#,
            "group 'workers' goes on at offset 3 of 'plant/+'",
        ),
        (
            &["seek", NAME, "17", "-r", "meter"],
            (200, json!({"position": 7})),
            post("seek"),
            r#"{"reader":"meter","offset":17}"#,
            "client 'meter' goes on at offset 7 of 'plant/+'",
        ),
        (
            &["forget", NAME, "-r", "a/b"],
            (204, Value::Null),
            format!("DELETE {PATH}/readers/a%2Fb?kind=client"),
            "",
            "position of client 'a/b' in 'plant/+' forgotten",
        ),
        (&["pause", NAME], (200, view()), post("pause"), "{}", "stream 'plant/+' paused"),
        (&["resume", NAME], (200, view()), post("resume"), "{}", "stream 'plant/+' resumed"),
        (
            &["peek", NAME, "-o", "5", "-n", "3"],
            (200, json!({"data": [], "next": null})),
            format!("GET {PATH}/messages?offset=5&limit=3"),
            "",
            "no messages",
        ),
        (
            &["readers", NAME],
            (200, json!({"data": [], "next": null})),
            format!("GET {PATH}/readers?limit=1000"),
            "",
            "no readers",
        ),
    ] {
        let (ended, asked) = against(vec![answer], arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        assert_eq!(asked, [(line, sent.to_owned())], "{arguments:?}");
        assert!(ended.stdout.starts_with(said), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn a_tail_begins_with_the_newest_and_json_is_as_the_broker_gives_it() {
    let message = |offset: u64| {
        json!({
            "offset": offset, "publish_ts": "2026-11-24T10:37:00.000Z", "topic": "plant/a",
            "payload": "aGk=", "text": "hi", "qos": 1, "properties": {}, "key": "a",
        })
    };
    let page = || json!({"data": [message(5), message(6)], "next": null});
    let answers = || vec![(200, view()), (200, page())];
    let (ended, asked) = against(answers(), &["tail", NAME, "-n", "2", "-C", "2"]);
    assert_eq!(asked[1].0, format!("GET {PATH}/messages?offset=5&limit=2"));
    let expected = "5 2026-11-24T10:37:00.000Z key=a plant/a hi\n6 2026-11-24T10:37:00.000Z key=a plant/a hi\n";
    assert_eq!(ended.stdout, expected);
    let (ended, _) = against(answers(), &["tail", NAME, "-n", "2", "-C", "2", "--json"]);
    let lines = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    assert_eq!(lines.collect::<Vec<Value>>(), [message(5), message(6)]);
}

#[test]
fn lists_and_the_ledger_are_tables_or_json() {
    let reader = json!({
        "kind": "group", "name": "workers", "position": 3, "lag": 4,
        "lag_bytes": 0, "lag_ms": 61_234,
        "members": 2, "in_flight": 2, "waiting": 1, "rejected": 0, "skipped": 0,
    });
    let ledger = json!({
        "stream": NAME, "appended": 7, "kept": 7, "expired": 0, "dropped": 0, "replaced": 0,
        "purged": 0, "balances": true,
    });
    for (arguments, answer, json, words) in [
        (&["ls"][..], json!({"data": [view()], "next": null}), json!([view()]), "plant/+"),
        (&["readers", NAME], json!({"data": [reader], "next": null}), json!([reader]), "workers"),
        (&["ledger", NAME], ledger.clone(), ledger.clone(), "+ purged"),
        (&["show", NAME], view(), view(), "balances"),
    ] {
        let (ended, _) = against(vec![(200, answer.clone())], arguments);
        assert!(ended.stdout.contains(words), "{arguments:?}: {ended:?}");
        let (ended, _) = against(vec![(200, answer)], &[arguments, &["--json"]].concat());
        let printed: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        assert_eq!(printed, json, "{arguments:?}");
    }
}

#[test]
fn a_subscription_says_where_to_begin_and_for_which_group() {
    let (port, server) = serve_mqtt(|peer| {
        let packet_id = peer.expect(|packet| {
            let Packet::Subscribe(subscribe) = packet else { panic!("{packet:?}") };
            let properties: Vec<_> = subscribe.properties.user_properties().collect();
            assert_eq!(properties, [("stream-offset", "earliest"), ("stream-group", "workers")]);
            subscribe.packet_id
        });
        let (properties, code) = (Properties::EMPTY, ReasonCode::GRANTED_QOS_1.0);
        peer.send(&Packet::SubAck(SubAck { packet_id, properties, reason_codes: &[code] }));
        peer.deliver(1, b"x", Properties::EMPTY);
        peer.expect_puback(1, ReasonCode::SUCCESS);
        peer.expect_disconnect();
    });
    let flags = ["--stream-offset", "earliest", "--stream-group", "workers"];
    let sub = ["sub", "-p", &port, "-q", "1", "-C", "1", "-t", "$stream/logs"];
    let ended = run(&[&sub[..], &flags].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "x\n"), "{}", ended.stderr);
    server.join().expect("the script holds");
    let ended = run(&[&["sub", "-V", "311", "-t", "$stream/logs"], &flags[..2]].concat());
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("$s/<offset>/<filter>"), "{}", ended.stderr);
}

#[test]
fn one_that_is_not_there_does_not_keep_the_others() {
    let gone = json!({"code": "not_found", "message": "stream 'b' does not exist", "details": {}});
    let answers = vec![(204, json!(null)), (404, gone), (204, json!(null))];
    let (ended, asked) = against(answers, &["rm", "a", "b", "c"]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout, "stream 'a' deleted\nstream 'c' deleted\n");
    let said = "weir: stream 'b' does not exist; `weir stream ls` lists what is there\n";
    assert_eq!(ended.stderr, said);
    assert_eq!(asked.len(), 3);
}

#[test]
fn what_was_done_is_json_when_that_is_wanted() {
    let (ended, _) = against(vec![(204, json!(null))], &["rm", NAME, "--json"]);
    assert_eq!(ended.stdout, "{\n  \"deleted\": \"plant/+\"\n}\n");
    let (ended, _) = against(vec![(204, json!(null))], &["forget", NAME, "-g", "g", "--json"]);
    let said: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(said, json!({"forgotten": "g", "kind": "group"}));
}

#[test]
fn what_cannot_be_is_said_in_words_for_people() {
    for (arguments, said) in [
        (&["peek", NAME, "-o", "zz"][..], "is no offset: give a whole number, such as 17"),
        (&["peek", NAME, "-n", "0"], "must be 1 or more"),
        (&["tail", NAME, "-n", "x"], "is no whole number that fits here"),
        (&["purge", NAME, "--before=-1"], "is no offset"),
        (&["seek", NAME, "soon", "-r", "a"], "is none of earliest, latest, an offset"),
        (&["redrive", NAME], "a stream has no dead letters"),
        (&["redrive", NAME, "--rate", "5"], "weir stream seek NAME OFFSET --reader CLIENT_ID"),
    ] {
        let ended = run(&[&["stream"], arguments].concat());
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(said), "{arguments:?}: {ended:?}");
        assert!(!ended.stderr.contains("invalid digit"), "{ended:?}");
    }
}
