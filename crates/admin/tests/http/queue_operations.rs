//! What operators do to queues: purge, messages, seek, pause, consumers, ledger.

use admin_api::{ConsumerView, Timestamp};
use serde_json::json;

use crate::client::World;

fn world() -> World {
    let world = World::start();
    let body = r#"{"topic_filter": "a/+"}"#;
    assert_eq!(world.call("POST", "/api/v1/queues", body).status, 201);
    world
}

const PATH: &str = "/api/v1/queues/a%2F%2B";

#[test]
fn messages_come_in_pages_of_offsets() {
    let world = world();
    let get = |query: &str| world.call("GET", &format!("{PATH}/messages{query}"), "");
    let first = get("?limit=2").json();
    assert_eq!(
        first["data"][0],
        json!({
            "offset": 0, "state": "ready", "attempts": 0, "publish_ts": "1970-01-01T00:00:00.000Z",
            "topic": "a", "payload": "eA==", "text": "x", "qos": 1, "properties": {},
        })
    );
    assert_eq!(first["next"], "2");
    assert_eq!(get("?cursor=&limit=1").json(), get("?limit=1").json());
    let second = get("?cursor=2&state=settled").json();
    assert_eq!((&second["data"][0]["offset"], &second["next"]), (&json!(2), &json!(null)));
    assert_eq!(second["data"][0]["state"], "settled");
    for (query, field) in [
        ("?offset=x", "offset"),
        ("?cursor=-1", "cursor"),
        ("?limit=0", "limit"),
        ("?state=gone", "state"),
        ("?a=b", "query"),
    ] {
        assert_eq!(get(query).outcome(), (400, "invalid".into(), field.into()), "{query}");
    }
}

#[test]
fn a_purge_says_how_many_and_the_ledger_knows() {
    let world = world();
    let purge = |body: &str| world.call("POST", &format!("{PATH}/purge"), body);
    for (body, field) in [
        (r#"{"filter": "a+"}"#, "filter"),
        (r#"{"key": "k"}"#, "key"),
        (r#"{"topic": "a"}"#, "topic"),
    ] {
        assert_eq!(purge(body).outcome(), (400, "invalid".into(), field.into()), "{body}");
    }
    assert_eq!(purge("").status, 400, "all that waits is never meant by mistake");
    let done = purge(r#"{"filter": "a/+"}"#);
    assert_eq!((done.status, done.json()), (200, json!({"purged": 5})));
    let expected = json!({
        "queue": "a/+", "enqueued": 5, "settled": 0, "ready": 0, "in_flight": 0, "delayed": 0,
        "expired": 0, "dropped": 0, "replaced": 0, "dead_lettered": 0, "purged": 5, "balances": true,
    });
    assert_eq!(world.call("GET", &format!("{PATH}/ledger"), "").json(), expected);
}

#[test]
fn a_seek_goes_to_one_place_at_a_time() {
    let world = world();
    let seek = |body: &str| world.call("POST", &format!("{PATH}/seek"), body);
    for (body, offset) in
        [(r#"{"offset": 3}"#, 3), (r#"{"time": 0}"#, 0), (r#"{"to": "latest"}"#, 5)]
    {
        let done = seek(body);
        let expected = json!({"offset": offset, "purged": 0, "restored": 0});
        assert_eq!((done.status, done.json()), (200, expected), "{body}");
    }
    for (body, field) in [
        ("{}", "offset"),
        (r#"{"offset": 3, "to": "latest"}"#, "to"),
        (r#"{"to": "end"}"#, "to"),
        (r#"{"offset": -1}"#, "offset"),
    ] {
        assert_eq!(seek(body).outcome(), (400, "invalid".into(), field.into()), "{body}");
    }
    assert_eq!(seek(r#"{"offset": 13}"#).status, 409);
}

#[test]
fn a_queue_pauses_and_resumes() {
    let world = world();
    for (verb, paused) in [("pause", true), ("pause", true), ("resume", false)] {
        let done = world.call("POST", &format!("{PATH}/{verb}"), "");
        assert_eq!((done.status, &done.json()["paused"]), (200, &json!(paused)), "{verb}");
    }
}

#[test]
fn consumers_are_listed() {
    let world = world();
    let consumer = |client_id: &str| ConsumerView {
        client_id: client_id.to_owned(),
        address: "$q/a/+".to_owned(),
        qos: 1,
        in_flight: 2,
        credit: 30,
        resting: false,
        since: Timestamp::default(),
    };
    *world.backend.consumers.lock().expect("not poisoned") = vec![consumer("b"), consumer("a")];
    let first = world.call("GET", &format!("{PATH}/consumers?limit=1"), "").json();
    assert_eq!(
        first["data"],
        json!([{
            "client_id": "a", "address": "$q/a/+", "qos": 1, "in_flight": 2, "credit": 30,
            "resting": false, "since": "1970-01-01T00:00:00.000Z",
        }])
    );
    let cursor = first["next"].as_str().expect("there is more");
    let second = world.call("GET", &format!("{PATH}/consumers?cursor={cursor}"), "").json();
    assert_eq!((&second["data"][0]["client_id"], &second["next"]), (&json!("b"), &json!(null)));
}

#[test]
fn a_queue_that_is_not_there_has_none_of_it() {
    let world = World::start();
    for (method, what, body) in [
        ("POST", "purge", "{}"),
        ("GET", "messages", ""),
        ("POST", "seek", r#"{"to": "latest"}"#),
        ("POST", "pause", ""),
        ("POST", "resume", ""),
        ("GET", "consumers", ""),
        ("GET", "ledger", ""),
    ] {
        let answer = world.call(method, &format!("/api/v1/queues/nothing/{what}"), body);
        assert_eq!(answer.status, 404, "{what}");
        let unknown = world.call("DELETE", &format!("/api/v1/queues/nothing/{what}"), body);
        assert_eq!(unknown.status, 405, "{what}");
    }
}
