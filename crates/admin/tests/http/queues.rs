use serde_json::{Value, json};

use crate::client::World;

const QUEUES: &str = "/api/v1/queues";

#[test]
fn a_queue_lives_from_create_to_delete_by_its_encoded_name() {
    let world = World::start();
    let created =
        world.call("POST", QUEUES, r#"{"topic_filter": "sensor/+/data", "ack_timeout": "300s"}"#);
    assert_eq!(created.status, 201, "{}", created.text);
    let path = "/api/v1/queues/sensor%2F%2B%2Fdata";
    assert_eq!(created.header("location"), Some(path));
    let json = created.json();
    assert_eq!((&json["name"], &json["ack_timeout"]), (&json!("sensor/+/data"), &json!("5m")));
    assert_eq!((&json["max_inflight"], &json["max_bytes"]), (&json!(32), &Value::Null));

    let shown = world.call("GET", path, "");
    assert_eq!((shown.status, shown.json()), (200, created.json()));
    let plus_unencoded = world.call("GET", "/api/v1/queues/sensor%2f+%2fdata", "");
    assert_eq!((plus_unencoded.status, plus_unencoded.json()), (200, created.json()));

    let patched = world.call("PATCH", path, r#"{"max_inflight": 5, "paused": true}"#);
    assert_eq!(
        (patched.status, &patched.json()["max_inflight"]),
        (200, &json!(5)),
        "{}",
        patched.text
    );
    assert_eq!(world.call("GET", path, "").json()["paused"], true);

    let deleted = world.call("DELETE", path, "");
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    for method in ["GET", "DELETE"] {
        let (status, code, _) = world.call(method, path, "").outcome();
        assert_eq!((status, code.as_str()), (404, "not_found"), "{method}");
    }
    assert_eq!(world.call("PATCH", path, "{}").status, 404);
}

#[test]
fn names_of_any_script_and_of_slashes_come_through() {
    let world = World::start();
    for (name, path) in [
        ("/", "%2F"),
        ("a//b", "a%2F%2Fb"),
        ("#", "%23"),
        ("täglich/%/x y?", "t%C3%A4glich%2F%25%2Fx%20y%3F"),
    ] {
        let created = world.call("POST", QUEUES, &json!({"topic_filter": name}).to_string());
        assert_eq!(created.status, 201, "{}", created.text);
        let path = format!("{QUEUES}/{path}");
        assert_eq!(created.header("location"), Some(path.as_str()));
        assert_eq!(world.call("GET", &path, "").json()["name"], name);
    }
    assert_eq!(
        world.call("GET", "/api/v1/queues/%FF", "").outcome(),
        (400, "invalid".into(), "name".into())
    );
}

#[test]
fn lists_come_in_pages() {
    let world = World::start();
    for number in 0..7 {
        let body = json!({"topic_filter": format!("a/{number}/+")}).to_string();
        assert_eq!(world.call("POST", QUEUES, &body).status, 201);
    }
    let mut names = Vec::new();
    let mut sizes = Vec::new();
    let mut path = format!("{QUEUES}?limit=3");
    loop {
        let page = world.call("GET", &path, "");
        assert_eq!(page.status, 200, "{}", page.text);
        let json = page.json();
        let data = json["data"].as_array().expect("a list");
        sizes.push(data.len());
        names.extend(data.iter().map(|queue| queue["name"].as_str().expect("a text").to_owned()));
        match json["next"].as_str() {
            Some(next) => path = format!("{QUEUES}?limit=3&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    assert_eq!(names, (0..7).map(|number| format!("a/{number}/+")).collect::<Vec<_>>());
    assert_eq!(world.call("GET", QUEUES, "").json()["next"], Value::Null);
}

#[test]
fn what_is_wrong_is_named() {
    let world = World::start();
    assert_eq!(world.call("POST", QUEUES, r#"{"topic_filter": "a"}"#).status, 201);
    for (method, path, body, status, code, field) in [
        ("POST", QUEUES, "{", 400, "malformed_json", ""),
        ("POST", QUEUES, "", 400, "malformed_json", ""),
        ("POST", QUEUES, "{} x", 400, "malformed_json", ""),
        ("POST", QUEUES, "[]", 400, "malformed_json", ""),
        ("POST", QUEUES, r#"{"overflow": null}"#, 400, "invalid", "overflow"),
        ("POST", QUEUES, r#"{"overflow": 1}"#, 400, "invalid", "overflow"),
        ("POST", QUEUES, r#"{"overflow": nul}"#, 400, "malformed_json", ""),
        ("POST", QUEUES, "{}", 400, "invalid", "topic_filter"),
        ("POST", QUEUES, r#"{"topic_filter": "a+/b"}"#, 400, "invalid", "topic_filter"),
        ("POST", QUEUES, r#"{"topic_filter": 5}"#, 400, "invalid", "topic_filter"),
        (
            "POST",
            QUEUES,
            r#"{"topic_filter": "b", "max_inflight": "x"}"#,
            400,
            "invalid",
            "max_inflight",
        ),
        (
            "POST",
            QUEUES,
            r#"{"topic_filter": "b", "max_inflight": 70000}"#,
            400,
            "invalid",
            "max_inflight",
        ),
        (
            "POST",
            QUEUES,
            r#"{"topic_filter": "b", "ack_timeout": 5}"#,
            400,
            "invalid",
            "ack_timeout",
        ),
        (
            "POST",
            QUEUES,
            r#"{"topic_filter": "b", "ack_timeout": "1 week"}"#,
            400,
            "invalid",
            "ack_timeout",
        ),
        (
            "POST",
            QUEUES,
            r#"{"topic_filter": "b", "dispatch_strategy": "x"}"#,
            400,
            "invalid",
            "dispatch_strategy",
        ),
        ("POST", QUEUES, r#"{"topic_filter": "b", "colour": "red"}"#, 400, "invalid", "colour"),
        (
            "POST",
            QUEUES,
            r#"{"topic_filter": "b", "durability": "os"}"#,
            400,
            "unsupported",
            "durability",
        ),
        ("POST", QUEUES, r#"{"topic_filter": "a"}"#, 409, "conflict", ""),
        ("PATCH", "/api/v1/queues/a", r#"{"name": "b"}"#, 400, "invalid", "name"),
        ("PATCH", "/api/v1/queues/a", r#"{"stats": {}}"#, 400, "invalid", "stats"),
        ("PATCH", "/api/v1/queues/a", r#"{"max_inflight": null}"#, 400, "invalid", "max_inflight"),
        (
            "PATCH",
            "/api/v1/queues/a",
            r#"{"overflow": "drop_oldest"}"#,
            400,
            "unsupported",
            "overflow",
        ),
        ("GET", "/api/v1/queues?limit=0", "", 400, "invalid", "limit"),
        ("GET", "/api/v1/queues?limit=many", "", 400, "invalid", "limit"),
        ("GET", "/api/v1/queues?cursor=xyz", "", 400, "invalid", "cursor"),
        ("GET", "/api/v1/queues?colour=red", "", 400, "invalid", "query"),
        ("GET", "/api/v1/cues", "", 404, "not_found", ""),
        ("GET", "/api/v1/queues/a/b", "", 404, "not_found", ""),
        ("PUT", "/api/v1/queues/a", "", 405, "method_not_allowed", ""),
        ("DELETE", QUEUES, "", 405, "method_not_allowed", ""),
    ] {
        let reply = world.call(method, path, body);
        assert_eq!(
            reply.outcome(),
            (status, code.to_owned(), field.to_owned()),
            "{method} {path} {body}: {}",
            reply.text
        );
        assert!(!reply.json()["message"].as_str().expect("a text").is_empty());
    }
    assert_eq!(world.backend.queues.lock().expect("not poisoned").len(), 1);
}

#[test]
fn an_overloaded_broker_says_when_to_come_again() {
    let world = World::start();
    *world.backend.overloaded.lock().expect("not poisoned") = true;
    let reply = world.call("GET", QUEUES, "");
    assert_eq!(reply.outcome(), (503, "unavailable".into(), String::new()));
    assert_eq!(reply.header("retry-after"), Some("2"));
}
