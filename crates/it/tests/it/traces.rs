//! Traces, with the real binary and a collector of ours.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use it::{Connect, DEADLINE, Options, Weir};
use serde_json::{Value, json};

/// A span as it came, of which tests look at some members.
#[derive(Debug)]
struct Span {
    name: String,
    trace: String,
    id: String,
    parent: String,
    attributes: BTreeMap<String, Value>,
}

fn text(of: &Value) -> String {
    of.as_str().unwrap_or_default().to_owned()
}

fn span(of: &Value) -> Span {
    let attributes = of["attributes"].as_array().expect("a list");
    let attribute = |one: &Value| (text(&one["key"]), one["value"].clone());
    Span {
        name: text(&of["name"]),
        trace: text(&of["traceId"]),
        id: text(&of["spanId"]),
        parent: text(&of["parentSpanId"]),
        attributes: attributes.iter().map(attribute).collect(),
    }
}

/// The body of one request, which is answered.
fn request(stream: TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let length = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    reader.get_mut().write_all(answer).ok()?;
    serde_json::from_slice(&body).ok()
}

/// A collector and where it is.
fn collector() -> (String, Receiver<Span>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, spans) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let Some(body) = request(stream) else { continue };
            let resources = body["resourceSpans"].as_array().cloned().unwrap_or_default();
            for scope in resources.iter().filter_map(|of| of["scopeSpans"].as_array()).flatten() {
                for one in scope["spans"].as_array().into_iter().flatten() {
                    if tell.send(span(one)).is_err() {
                        return;
                    }
                }
            }
        }
    });
    (endpoint, spans)
}

fn next(spans: &Receiver<Span>, name: &str) -> Span {
    let span = spans.recv_timeout(DEADLINE).expect("a span comes");
    assert_eq!(span.name, name, "{span:?}");
    span
}

#[test]
fn a_message_is_one_trace_though_the_broker_was_killed_between() {
    let (endpoint, spans) = collector();
    let options = Options::new()
        .set("telemetry.otlp.endpoint", &endpoint)
        .set("telemetry.otlp.sample_ratio", "1.0");
    let weir = Weir::start(options);
    let jobs = json!({"name": "jobs", "topic_filter": "work"});
    assert_eq!(weir.rest().post("/queues", &jobs).status, 201);
    let mut publisher = weir.connect(&Connect::new("publisher"));
    assert_eq!(publisher.publish_acked("work", b"one"), 0);
    let (publish, store) = (next(&spans, "publish"), next(&spans, "store"));
    assert_eq!((&publish.parent[..], &store.parent), ("", &publish.id));
    let stored_in = json!({"arrayValue": {"values": [{"stringValue": "jobs"}]}});
    assert_eq!(store.attributes["weirmq.stored_in"], stored_in);

    let weir = weir.kill().restart();
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$queue/jobs", 1), 1);
    let (_, payload, id) = consumer.message();
    assert_eq!(payload, b"one");
    consumer.settle(id.expect("QoS 1"), 0x99).expect("it is connected");
    let (deliver, settle) = (next(&spans, "deliver"), next(&spans, "settle"));
    assert_eq!((&deliver.parent, &settle.parent), (&publish.id, &deliver.id));
    let traces = [&store.trace, &deliver.trace, &settle.trace];
    assert_eq!(traces, [&publish.trace; 3]);
    assert_eq!(deliver.attributes["weirmq.queue"], json!({"stringValue": "jobs"}));
    assert_eq!(settle.attributes["weirmq.outcome"], json!({"stringValue": "reject"}));
}

#[test]
fn a_collector_that_never_answers_holds_nothing_up() {
    // Connections are taken by the system, and nobody reads.
    let hangs = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", hangs.local_addr().expect("an address"));
    let options = Options::new()
        .set("telemetry.otlp.endpoint", &endpoint)
        .set("telemetry.otlp.sample_ratio", "1.0")
        .expect("collector");
    let weir = Weir::start(options);
    weir.rest().create_queue("work", json!({}));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    // More spans than the channel has room for.
    publisher.publish_all(500, (0..20_000).map(|_| ("work", &b"x"[..])));
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/work", 1), 1);
    for _ in 0..100 {
        let (_, _, id) = consumer.message();
        consumer.ack(id.expect("QoS 1")).expect("it is connected");
    }
    weir.rest().until("work", "100 are settled", |ledger| ledger.settled == 100);
    let metrics = weir.rest().metrics();
    let dropped = metrics.lines().find(|line| line.starts_with("weir_otlp_spans_dropped_total "));
    assert!(dropped.is_some_and(|line| !line.ends_with(" 0")), "{dropped:?}");
    let weir = weir.terminate().restart();
    weir.rest().until("work", "nothing is lost", |ledger| ledger.waiting() == 19_900);
}
