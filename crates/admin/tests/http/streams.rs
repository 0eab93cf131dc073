//! Streams from create to delete, and what operators do to them and their readers.

use serde_json::json;

use crate::client::World;

const STREAMS: &str = "/api/v1/streams";
const PATH: &str = "/api/v1/streams/plant%2F%2B";

fn world() -> World {
    let world = World::start();
    let created = world.call("POST", STREAMS, r#"{"topic_filter": "plant/+", "retention": "48h"}"#);
    assert_eq!((created.status, created.header("location")), (201, Some(PATH)));
    world
}

#[test]
fn a_stream_lives_from_create_to_delete_by_its_encoded_name() {
    let world = world();
    let shown = world.call("GET", PATH, "").json();
    assert_eq!((&shown["name"], &shown["retention"]), (&json!("plant/+"), &json!("2d")));
    assert_eq!(shown["stats"]["next_offset"], 5);
    assert_eq!(world.call("GET", STREAMS, "").json(), json!({"data": [shown], "next": null}));
    let changed =
        world.call("PATCH", PATH, r#"{"max_messages": 100, "key_expression": "level(1)"}"#);
    assert_eq!((changed.status, &changed.json()["max_messages"]), (200, &json!(100)));
    for (verb, paused) in [("pause", true), ("pause", true), ("resume", false)] {
        let done = world.call("POST", &format!("{PATH}/{verb}"), "");
        assert_eq!((done.status, &done.json()["paused"]), (200, &json!(paused)), "{verb}");
    }
    assert_eq!(world.call("DELETE", PATH, "").status, 204);
    for (method, what, body) in [
        ("GET", "", ""),
        ("PATCH", "", "{}"),
        ("DELETE", "", ""),
        ("POST", "/purge", "{}"),
        ("GET", "/messages", ""),
        ("POST", "/seek", r#"{"reader": "meter/7", "to": "latest"}"#),
        ("POST", "/pause", ""),
        ("POST", "/resume", ""),
        ("GET", "/readers", ""),
        ("GET", "/consumers", ""),
        ("DELETE", "/readers/meter%2F7", ""),
        ("GET", "/ledger", ""),
    ] {
        let reply = world.call(method, &format!("{PATH}{what}"), body);
        assert_eq!(reply.outcome(), (404, "not_found".into(), "".into()), "{method} {what}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let world = world();
    for (method, what, body, status, field) in [
        ("POST", "", r#"{"topic_filter": "plant/+"}"#, 409, ""),
        ("POST", "", r#"{"topic_filter": "a", "overflow": "drop_oldest"}"#, 400, "overflow"),
        (
            "POST",
            "",
            r#"{"topic_filter": "a", "key_expression": "level(0)"}"#,
            400,
            "key_expression",
        ),
        ("POST", "", "{}", 400, "topic_filter"),
        ("GET", "?limit=0", "", 400, "limit"),
        ("PATCH", "/plant%2F%2B", r#"{"name": "b"}"#, 400, "name"),
        ("PATCH", "/plant%2F%2B", r#"{"retention": null}"#, 400, "retention"),
        ("POST", "/plant%2F%2B/purge", r#"{"before": -1}"#, 400, "before"),
        ("POST", "/plant%2F%2B/purge", r#"{"key": "k"}"#, 400, "key"),
        ("GET", "/plant%2F%2B/messages?offset=x", "", 400, "offset"),
        ("GET", "/plant%2F%2B/messages?state=ready", "", 400, "query"),
        ("POST", "/plant%2F%2B/seek", r#"{"to": "latest"}"#, 400, "reader"),
        ("POST", "/plant%2F%2B/seek", r#"{"reader": "meter/7"}"#, 400, "offset"),
        (
            "POST",
            "/plant%2F%2B/seek",
            r#"{"reader": "a", "group": "a", "offset": 1}"#,
            400,
            "group",
        ),
        ("POST", "/plant%2F%2B/seek", r#"{"group": "b", "offset": 1}"#, 400, "group"),
        ("DELETE", "/plant%2F%2B/readers/meter%2F7?kind=all", "", 400, "kind"),
        ("DELETE", "/plant%2F%2B/readers/%FF", "", 400, "reader"),
        ("DELETE", "/plant%2F%2B/readers/b", "", 404, ""),
        ("DELETE", "/plant%2F%2B/readers/meter%2F7?kind=group", "", 409, ""),
    ] {
        let reply = world.call(method, &format!("{STREAMS}{what}"), body);
        let (found, _, named) = reply.outcome();
        assert_eq!((found, named.as_str()), (status, field), "{method} {what} {body}");
    }
}

#[test]
fn messages_come_in_pages_and_a_purge_is_in_the_ledger() {
    let world = world();
    let first = world.call("GET", &format!("{PATH}/messages?limit=2"), "").json();
    assert_eq!(
        first["data"][1],
        json!({
            "offset": 1, "publish_ts": "1970-01-01T00:00:00.000Z",
            "topic": "a", "payload": "eA==", "text": "x", "qos": 1, "properties": {},
        })
    );
    assert_eq!(first["next"], "2");
    let rest = world.call("GET", &format!("{PATH}/messages?cursor=2"), "").json();
    assert_eq!((rest["data"].as_array().map(Vec::len), &rest["next"]), (Some(3), &json!(null)));
    let purge = |body: &str| world.call("POST", &format!("{PATH}/purge"), body);
    assert_eq!(purge("").status, 400, "all of it is never meant by mistake");
    assert_eq!(purge(r#"{"before": 2}"#).json(), json!({"purged": 2}));
    let expected = json!({
        "stream": "plant/+", "appended": 5, "kept": 3, "expired": 0, "dropped": 0, "replaced": 0,
        "purged": 2, "balances": true,
    });
    assert_eq!(world.call("GET", &format!("{PATH}/ledger"), "").json(), expected);
}

#[test]
fn readers_are_listed_set_elsewhere_and_forgotten() {
    let world = world();
    let first = world.call("GET", &format!("{PATH}/readers?limit=1"), "").json();
    assert_eq!(
        first["data"],
        json!([{
            "kind": "client", "name": "meter/7", "position": 3, "lag": 2,
            "lag_bytes": 128, "lag_ms": 1_500,
            "members": 0, "in_flight": 0, "waiting": 0, "rejected": 1, "skipped": 0,
        }])
    );
    let cursor = first["next"].as_str().expect("there is more");
    let second = world.call("GET", &format!("{PATH}/readers?cursor={cursor}"), "").json();
    assert_eq!((&second["data"][0]["kind"], &second["next"]), (&json!("group"), &json!(null)));
    let seek = |body: &str| world.call("POST", &format!("{PATH}/seek"), body).json();
    assert_eq!(seek(r#"{"group": "meter/7", "to": "latest"}"#), json!({"position": 5}));
    assert_eq!(seek(r#"{"reader": "meter/7", "offset": 4}"#), json!({"position": 4}));
    for path in ["readers/meter%2F7", "readers/meter%2F7?kind=client"] {
        assert_eq!(world.call("DELETE", &format!("{PATH}/{path}"), "").status, 204, "{path}");
    }
}
