use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value as Json, json};

use super::*;
use crate::{SpanKind, TraceParent, Value};

fn config(endpoint: String) -> OtlpConfig {
    OtlpConfig {
        endpoint,
        service_name: "weir-test".to_owned(),
        version: "1.2.3",
        sample_ratio: 1.0,
        headers: vec![("x-tenant".to_owned(), "one".to_owned())],
        timeout: Duration::from_secs(10),
        seed: 1,
    }
}

fn span(tracer: &Tracer) -> Span {
    let parent = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .expect("legal");
    Span {
        context: parent.at(tracer.span_id()),
        parent: Some(parent.span),
        name: "store",
        kind: SpanKind::Internal,
        start_ms: 1_700_000_000_001,
        end_ms: 1_700_000_000_002,
        attributes: vec![
            ("messaging.system", "mqtt".into()),
            ("messaging.message.body.size", 12_u64.into()),
            ("weirmq.queues", Value::Texts(vec!["jobs".to_owned()])),
        ],
        error: Some("disk full"),
    }
}

/// One request: its head in lower case, and its body.
fn take_request(listener: &TcpListener, answer: &str) -> (String, Json) {
    let (stream, _) = listener.accept().expect("a client");
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).expect("a line"), 0, "{head}");
    }
    let head = head.to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.expect("a length").parse().expect("a number")];
    reader.read_exact(&mut body).expect("the body");
    let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).expect("answered");
    (head, serde_json::from_slice(&body).expect("json"))
}

#[test]
fn a_collector_gets_what_the_mapping_says() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}/", listener.local_addr().expect("an address"));
    let (tracer, exporter) = start(config(endpoint)).expect("a thread");
    let sent = span(&tracer);
    let id = sent.context.span.to_string();
    let collector = thread::spawn(move || take_request(&listener, "200 OK"));
    tracer.send(sent);
    exporter.stop(Duration::from_secs(60));
    let (head, body) = collector.join().expect("no panic");
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    assert!(head.contains("x-tenant: one\r\n"), "{head}");
    let resource = &body["resourceSpans"][0];
    assert_eq!(
        resource["resource"]["attributes"][0],
        json!({"key": "service.name", "value": {"stringValue": "weir-test"}})
    );
    assert_eq!(
        resource["scopeSpans"][0]["spans"],
        json!([{
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
            "spanId": id,
            "name": "store",
            "kind": 1,
            "startTimeUnixNano": "1700000000001000000",
            "endTimeUnixNano": "1700000000002000000",
            "attributes": [
                {"key": "messaging.system", "value": {"stringValue": "mqtt"}},
                {"key": "messaging.message.body.size", "value": {"intValue": "12"}},
                {"key": "weirmq.queues", "value": {"arrayValue": {"values": [{"stringValue": "jobs"}]}}},
            ],
            "parentSpanId": "00f067aa0ba902b7",
            "status": {"code": 2, "message": "disk full"},
        }])
    );
    assert_eq!(tracer.counts().exported, 1);
}

#[test]
fn a_collector_that_says_no_or_is_not_there_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let (tracer, exporter) = start(config(endpoint.clone())).expect("a thread");
    tracer.send(span(&tracer));
    let collector = thread::spawn(move || take_request(&listener, "503 Busy"));
    exporter.stop(Duration::from_secs(60));
    collector.join().expect("no panic");
    assert_eq!(tracer.counts().failed, 1);
    let (tracer, exporter) = start(config(endpoint)).expect("a thread");
    tracer.send(span(&tracer));
    exporter.stop(Duration::from_secs(60));
    assert_eq!((tracer.counts().failed, tracer.counts().exported), (1, 0));
}

#[test]
fn a_collector_that_hangs_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let hour = Duration::from_secs(3600);
    let (tracer, exporter) =
        start(OtlpConfig { timeout: hour, ..config(endpoint) }).expect("a thread");
    for _ in 0..3 * ROOM {
        tracer.send(span(&tracer));
    }
    // Its backlog takes the connection; nobody answers.
    let dropped = tracer.counts().dropped as usize;
    assert!((ROOM..=2 * ROOM).contains(&dropped), "{dropped} of {}", 3 * ROOM);
    exporter.stop(Duration::from_millis(1));
    drop(listener);
}
