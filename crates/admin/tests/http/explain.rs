//! Why messages go where they go.

use admin_api::Explanation;
use serde_json::json;

use crate::client::World;

#[test]
fn a_question_is_answered_or_the_field_named_that_makes_it_none() {
    let world = World::start();
    let ask = |query: &str| world.call("GET", &format!("/api/v1/explain{query}"), "");
    let reply = ask("?topic=a%2Fb&client_id=c");
    assert_eq!(reply.status, 200, "{}", reply.text);
    let json = reply.json();
    assert_eq!(json["question"], json!({"topic": "a/b", "client_id": "c"}));
    assert_eq!((&json["verdict"], &json["alarms"]), (&json!("no_takers"), &json!([])));
    assert!(json.get("message").is_none(), "{json}");

    world.call("POST", "/api/v1/queues", r#"{"name": "jobs", "topic_filter": "a/#"}"#);
    let json = ask("?queue=jobs&offset=3&since=2026-11-24T10:37:00Z").json();
    let question = json!({"queue": "jobs", "offset": 3, "since": "2026-11-24T10:37:00.000Z"});
    assert_eq!((&json["question"], &json["verdict"]), (&question, &json!("left")));

    for (query, status, field) in [
        ("?queue=none&offset=3", 404, ""),
        ("?queue=none", 404, ""),
        ("?stream=none&offset=0", 404, ""),
        ("", 400, "topic"),
        ("?since=2026-11-24T10:37:00Z", 400, "topic"),
        ("?topic=a%2F%2B", 400, "topic"),
        ("?topic=a&offset=1", 400, "offset"),
        ("?offset=1", 400, "offset"),
        ("?queue=jobs&offset=x", 400, "offset"),
        ("?queue=jobs&stream=s", 400, "stream"),
        ("?queue=jobs&client_id=c", 400, "client_id"),
        ("?queue=jobs&since=soon", 400, "since"),
        ("?color=red", 400, "query"),
    ] {
        let code = if status == 404 { "not_found" } else { "invalid" };
        assert_eq!(ask(query).outcome(), (status, code.into(), field.into()), "{query}");
    }
    assert_eq!(world.request("GET", "/api/v1/explain?topic=a", "", None).status, 401);
}

#[test]
fn the_examples_of_the_document_are_answers() {
    let world = World::start();
    let document = world.call("GET", "/api/openapi.json", "").json();
    let content = &document["paths"]["/api/v1/explain"]["get"]["responses"]["200"]["content"];
    let examples = content["application/json"]["examples"].as_object().expect("examples");
    assert_eq!(examples.len(), 2);
    for (name, example) in examples {
        let answer: Explanation = serde_json::from_value(example["value"].clone()).expect(name);
        assert_eq!(serde_json::to_value(&answer).expect("JSON"), example["value"], "{name}");
        assert!(!answer.reasons.is_empty(), "{name}");
    }
}
