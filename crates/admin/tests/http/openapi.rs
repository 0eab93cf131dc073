use std::collections::BTreeSet;

use admin_api::{PROPERTY_NAMES, STREAM_PROPERTY_NAMES};
use serde_json::{Value, json};

use crate::client::World;

fn document(world: &World) -> Value {
    let reply = world.call("GET", "/api/openapi.json", "");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    reply.json()
}

/// Each operation with its method and path.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("an item");
        item.iter().map(|(method, operation)| (method.to_uppercase(), path.clone(), operation))
    });
    all.collect()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// All `$ref` in a value.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|inner| references(inner, found));
        }
        Value::Array(array) => array.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_for_those_who_are_signed_in() {
    let world = World::start();
    let reply = world.request("GET", "/api/openapi.json", "", None);
    assert_eq!(reply.outcome(), (401, "unauthorized".into(), "".into()));
    let document = document(&world);
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1."));
    assert_eq!(document["info"]["title"], "WeirMQ");
    assert_eq!(document["info"]["version"], "9.9.9");
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[test]
fn every_operation_is_described_and_exists() {
    let world = World::start();
    let document = document(&world);
    let operations = operations(&document);
    let mut ids = BTreeSet::new();
    for (method, path, operation) in &operations {
        let at = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().expect(&at)), "{at}: id is taken");
        assert!(operation["summary"].as_str().expect(&at).ends_with('.'), "{at}");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{at}");
        let documented = keys(&operation["responses"]);
        let body = if method == "GET" || method == "DELETE" { "" } else { "{}" };
        let reply = world.call(method, &path.replace(['{', '}'], ""), body);
        let status = reply.status.to_string();
        assert!(documented.contains(status.as_str()), "{at}: {status} {}", reply.text);
        let open = ["/healthz", "/readyz", "/metrics", "/api/v1/login"].contains(&path.as_str());
        let refused = world.request(method, &path.replace(['{', '}'], ""), body, None).status;
        assert_eq!(refused != 401, open, "{at}");
        let may_be_open =
            operation["security"].as_array().is_some_and(|all| all.contains(&json!({})));
        assert_eq!(may_be_open, open, "{at}");
    }
    assert_eq!(operations.len(), 49, "{ids:?}");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document(&World::start());
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    let schemas = keys(&document["components"]["schemas"]);
    let used: BTreeSet<&str> = found
        .into_iter()
        .map(|reference| reference.strip_prefix("#/components/schemas/").expect(reference))
        .collect();
    let lost: Vec<_> = used.difference(&schemas).collect();
    assert!(lost.is_empty() && used.len() > 10, "{lost:?}");
}

/// What is created, changed and shown is as its schemas say, which are called after it.
fn check_resource(what: &str, path: &str, property_names: &[&str]) {
    let world = World::start();
    let document = document(&world);
    let schemas = &document["components"]["schemas"];
    let schema = |part: &str| &schemas[format!("{what}{part}")];

    let body = schema("Body");
    let expected = property_names.iter().copied().chain(["name", "topic_filter"]).collect();
    assert_eq!(keys(&body["properties"]), expected);
    assert_eq!((&body["additionalProperties"], body.get("required")), (&json!(false), None));
    let mut change = schema("Patch").clone();
    change["description"] = body["description"].clone();
    change["properties"]["name"] = body["properties"]["name"].clone();
    assert_eq!(&change, body, "a change is a body without a name");
    for (name, property) in body["properties"].as_object().expect("an object") {
        let nullable = property["type"].as_array().is_some_and(|any| any.contains(&json!("null")))
            || property["oneOf"]
                .as_array()
                .is_some_and(|any| any.contains(&json!({"type": "null"})));
        let mut body = json!({"name": "a", "topic_filter": null});
        body[name] = Value::Null;
        let reply = world.call("POST", path, &body.to_string());
        assert_eq!(reply.status != 400, nullable, "{name}: {property} {}", reply.text);
    }

    let reply = world.call("POST", path, r#"{"topic_filter": "a/#"}"#);
    assert_eq!(reply.status, 201);
    let (view, mut properties) = (reply.json(), BTreeSet::new());
    for part in schema("View")["allOf"].as_array().expect("parts") {
        let part = match part["$ref"].as_str() {
            Some(reference) => &schemas[reference.rsplit('/').next().expect("a name")],
            None => part,
        };
        properties.extend(keys(&part["properties"]));
    }
    assert_eq!(keys(&view), properties);
    assert_eq!(keys(&view["stats"]), keys(&schema("Stats")["properties"]));
}

#[test]
fn queues_are_as_their_schemas_say() {
    check_resource("Queue", "/api/v1/queues", PROPERTY_NAMES);
}

#[test]
fn streams_are_as_their_schemas_say() {
    check_resource("Stream", "/api/v1/streams", STREAM_PROPERTY_NAMES);
}
