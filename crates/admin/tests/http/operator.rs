//! Clients, subscriptions, delayed messages, publishing.

use admin_api::{
    ClientView, DelayedView, MessageProperties, MessageSpec, RetainedView, SubscriptionView,
    Timestamp,
};
use serde_json::{Value, json};
use stdx::UnixMillis;

use crate::client::World;

fn client(client_id: &str, connected: bool) -> ClientView {
    ClientView {
        client_id: client_id.to_owned(),
        connected,
        protocol: connected.then(|| "5.0".to_owned()),
        username: None,
        durable: true,
        session_expiry: None,
        subscriptions: 1,
        waiting_messages: 0,
        waiting_bytes: 0,
        in_flight: 0,
        disconnected_at: (!connected).then_some(Timestamp(UnixMillis(0))),
    }
}

fn ids(list: &Value, key: &str) -> Vec<String> {
    let list = list["data"].as_array().expect("a list");
    list.iter().map(|thing| thing[key].as_str().expect("text").to_owned()).collect()
}

#[test]
fn clients_are_listed_shown_and_sent_away() {
    let world = World::start();
    *world.backend.clients.lock().expect("not poisoned") =
        vec![client("a/b", true), client("c", false), client("d", true)];
    let list = |query: &str| world.call("GET", &format!("/api/v1/clients{query}"), "");
    assert_eq!(ids(&list("").json(), "client_id"), ["a/b", "c", "d"]);
    assert_eq!(ids(&list("?connected=true").json(), "client_id"), ["a/b", "d"]);
    assert_eq!(ids(&list("?connected=false").json(), "client_id"), ["c"]);
    let first = list("?limit=2").json();
    let cursor = first["next"].as_str().expect("there is more");
    assert_eq!(ids(&list(&format!("?cursor={cursor}")).json(), "client_id"), ["d"]);
    // The first page has no page before.
    assert_eq!(list("?cursor=&limit=1").json(), list("?limit=1").json());
    for (query, field) in [
        ("?connected=yes", "connected"),
        ("?limit=x", "limit"),
        ("?cursor=zz", "cursor"),
        ("?a=b", "query"),
    ] {
        assert_eq!(list(query).outcome(), (400, "invalid".into(), field.into()), "{query}");
    }

    let shown = world.call("GET", "/api/v1/clients/a%2Fb", "");
    assert_eq!(shown.status, 200);
    let expected = json!({
        "client_id": "a/b", "connected": true, "protocol": "5.0", "username": null,
        "durable": true, "session_expiry": null, "subscriptions": 1, "waiting_messages": 0,
        "waiting_bytes": 0, "in_flight": 0, "disconnected_at": null,
    });
    assert_eq!(shown.json(), expected);
    let end = |path: &str| world.call("DELETE", &format!("/api/v1/clients/{path}"), "");
    assert_eq!(end("a%2Fb?session=keep").status, 204);
    let shown = world.call("GET", "/api/v1/clients/a%2Fb", "").json();
    assert_eq!(shown["connected"], json!(false));
    assert_eq!(end("a%2Fb").status, 204);
    assert_eq!(end("a%2Fb").outcome(), (404, "not_found".into(), String::new()));
    assert_eq!(end("c?session=no").outcome(), (400, "invalid".into(), "session".into()));
    assert_eq!(world.request("DELETE", "/api/v1/clients/c", "", None).status, 401);
}

#[test]
fn subscriptions_are_found_by_client_and_topic() {
    let world = World::start();
    let subscription = |client_id: &str, topic_filter: &str| SubscriptionView {
        client_id: client_id.to_owned(),
        topic_filter: topic_filter.to_owned(),
        qos: 1,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
        subscription_identifier: None,
    };
    *world.backend.subscriptions.lock().expect("not poisoned") =
        vec![subscription("a", "t/+"), subscription("b", "u")];
    for (query, expected) in [
        ("", vec!["t/+", "u"]),
        ("?client_id=a", vec!["t/+"]),
        ("?topic=u", vec!["u"]),
        ("?topic=t%2F%2B&client_id=b", vec![]),
    ] {
        let list = world.call("GET", &format!("/api/v1/subscriptions{query}"), "").json();
        assert_eq!(ids(&list, "topic_filter"), expected, "{query}");
    }
}

#[test]
fn delayed_messages_are_listed_and_cancelled() {
    let world = World::start();
    let message = |id: &str| DelayedView {
        id: id.to_owned(),
        due: Timestamp(UnixMillis(1_700_000_000_000)),
        topic: Some("a".to_owned()),
        client_id: None,
        qos: 1,
        retain: false,
        bytes: 2,
    };
    *world.backend.delayed.lock().expect("not poisoned") = vec![message("1-1"), message("2-1")];
    let first = world.call("GET", "/api/v1/delayed?limit=1", "").json();
    let expected = json!({
        "id": "1-1", "due": "2023-11-14T22:13:20.000Z", "topic": "a", "client_id": null, "qos": 1,
        "retain": false, "bytes": 2,
    });
    assert_eq!(first["data"], json!([expected]));
    let cursor = first["next"].as_str().expect("there is more");
    let second = world.call("GET", &format!("/api/v1/delayed?cursor={cursor}"), "").json();
    assert_eq!((ids(&second, "id"), &second["next"]), (vec!["2-1".to_owned()], &json!(null)));
    assert_eq!(world.call("DELETE", "/api/v1/delayed/1-1", "").status, 204);
    let again = world.call("DELETE", "/api/v1/delayed/1-1", "");
    assert_eq!(again.outcome(), (404, "not_found".into(), String::new()));
}

#[test]
fn messages_are_published_one_or_many_and_the_answer_is_the_truth() {
    let world = World::start();
    let one = |body: Value| world.call("POST", "/api/v1/publish", &body.to_string());
    let reply = one(
        json!({"topic": "a", "payload": "x", "qos": 1, "properties": {"user_properties": [["k", "v"]]}}),
    );
    assert_eq!((reply.status, reply.json()), (200, json!({"reason_code": 0, "reason": "success"})));
    let published: Vec<MessageSpec> = world.backend.published.lock().expect("not poisoned").clone();
    assert_eq!((published[0].qos, published[0].retain), (1, false));
    assert_eq!(published[0].properties.user_properties, [("k".to_owned(), "v".to_owned())]);
    assert_eq!(one(json!({"topic": "nobody"})).json()["reason_code"], json!(16));
    let full = one(json!({"topic": "full", "qos": 1}));
    assert_eq!(full.outcome(), (503, "unavailable".into(), String::new()));
    assert_eq!(full.header("retry-after"), Some("5"));
    assert_eq!(full.json()["message"], json!("it is full"));
    for (body, field) in [
        (json!({"topic": "wrong"}), "properties.user_properties"),
        (json!({"payload": "x"}), "topic"),
        (json!({"topic": "a/+"}), "topic"),
        (json!({"topic": "$q/a"}), "topic"),
        (json!({"topic": "a", "qos": "1"}), "qos"),
        (json!({"topic": "a", "color": "red"}), "color"),
        (json!({"topic": "a", "properties": {"color": "red"}}), "properties.color"),
    ] {
        assert_eq!(one(body.clone()).outcome(), (400, "invalid".into(), field.into()), "{body}");
    }

    let bulk = |body: Value| world.call("POST", "/api/v1/publish/bulk", &body.to_string());
    let reply = bulk(json!({"messages": [{"topic": "a"}, {"topic": "full"}, {"topic": "nobody"}]}));
    let codes: Vec<u64> = reply.json()["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|outcome| outcome["reason_code"].as_u64().expect("a number"))
        .collect();
    assert_eq!((reply.status, codes), (200, vec![0, 0x97, 0x10]));
    let before = world.backend.published.lock().expect("not poisoned").len();
    let wrong = bulk(json!({"messages": [{"topic": "a"}, {"topic": "a/+"}]}));
    assert_eq!(wrong.outcome(), (400, "invalid".into(), "messages[1].topic".into()));
    let many: Vec<Value> = (0..1_001).map(|_| json!({"topic": "a"})).collect();
    let wrong = bulk(json!({"messages": many}));
    assert_eq!(wrong.outcome(), (400, "invalid".into(), "messages".into()));
    assert_eq!(world.backend.published.lock().expect("not poisoned").len(), before);
    assert_eq!(world.request("POST", "/api/v1/publish", "{}", None).status, 401);
}

#[test]
fn retained_messages_are_listed_and_removed() {
    let world = World::start();
    let message = |topic| {
        let none = MessageProperties::default();
        RetainedView::new(topic, b"on", 1, none, Timestamp::default())
    };
    *world.backend.retained.lock().expect("not poisoned") =
        vec![message("a/b"), message("a/c"), message("d")];
    let first = world.call("GET", "/api/v1/retained?limit=1&filter=a%2F", "").json();
    assert_eq!(first["data"][0]["topic"], "a/b");
    let cursor = first["next"].as_str().expect("there is more");
    let path = format!("/api/v1/retained?filter=a%2F&cursor={cursor}");
    let second = world.call("GET", &path, "").json();
    assert_eq!((&second["data"][0]["topic"], second["next"].is_null()), (&"a/c".into(), true));
    let nothing_said = world.call("DELETE", "/api/v1/retained", "");
    assert_eq!(nothing_said.status, 400);
    assert_eq!(nothing_said.json()["details"]["field"], "filter");
    let removed = world.call("DELETE", "/api/v1/retained?filter=a%2F", "");
    assert_eq!((removed.status, removed.json()["removed"].as_u64()), (200, Some(2)));
    let left = world.call("GET", "/api/v1/retained", "").json();
    assert_eq!(left["data"].as_array().map(Vec::len), Some(1));
}
