//! Traces: what a traced message bears on each of its ways, and which spans tell of it.

use std::sync::mpsc::Receiver;

use telemetry::{Span, TraceParent, Tracer, Value};

use super::check;
use super::world::World;
use crate::config::Config;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A world with a tracer, and where its spans come out.
struct Traced {
    world: World,
    spans: Receiver<Span>,
}

impl Traced {
    fn new(shards: u16, ratio: f64) -> Self {
        let (tracer, spans) = Tracer::new(1, ratio, 1000);
        let config = Config { shards, tracer: Some(tracer), ..Config::default() };
        Self { world: World::new(config), spans }
    }

    fn say(&mut self, line: &str) -> Vec<String> {
        self.world.command(line)
    }

    fn quietly(&mut self, lines: &[&str]) {
        for line in lines {
            self.world.command(line);
        }
    }

    fn take(&self) -> Vec<Span> {
        self.spans.try_iter().collect()
    }
}

fn id(span: &Span) -> String {
    span.context.span.to_string()
}

fn parent(span: &Span) -> String {
    span.parent.map(|parent| parent.to_string()).unwrap_or_default()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    match named(spans, name)[..] {
        [span] => span,
        ref other => panic!("{} spans of the name {name}: {spans:?}", other.len()),
    }
}

fn says(span: &Span, key: &str) -> String {
    let value = span.attributes.iter().find(|(found, _)| *found == key);
    match value {
        Some((_, Value::Text(text))) => text.clone(),
        Some((_, Value::Number(number))) => number.to_string(),
        Some((_, Value::Texts(texts))) => texts.join(","),
        None => panic!("no {key} in {span:?}"),
    }
}

/// The contexts of what was heard.
fn borne(heard: &[String]) -> Vec<TraceParent> {
    let found = heard.iter().filter_map(|line| line.split("traceparent:").nth(1));
    let legal = |rest: &str| TraceParent::parse(rest.split(' ').next().unwrap_or_default());
    found.map(|rest| legal(rest).expect("a legal traceparent")).collect()
}

fn publish(qos: u8, topic: &str, rest: &str) -> String {
    format!("p publish {qos} {topic} hello {rest} up=traceparent:{SENT} up=tracestate:a=b")
}

#[test]
fn without_a_tracer_nothing_is_altered() {
    check(&format!(
        "p connect\n  p connack 00\nc connect\n  c connack 00\nc subscribe 1 a,0 $q/a,1\n  c suback 1 00 01\n\
         p publish 0 a x up=traceparent:{SENT}\n  c publish 0 a x traceparent:{SENT}\n  \
         c publish 1 id=1 a x traceparent:{SENT}\n"
    ));
}

#[test]
fn publish_store_deliver_and_settle_are_one_trace() {
    for shards in [1, 3] {
        let mut traced = Traced::new(shards, 0.0);
        traced.quietly(&["create jobs a", "p connect", "c connect", "c subscribe 1 $queue/jobs,1"]);
        let heard = traced.say(&publish(1, "a", "id=1"));
        let spans = traced.take();
        let [publish, store, deliver] =
            ["publish", "store", "deliver"].map(|name| one(&spans, name));
        assert!(spans.iter().all(|span| span.context.to_string()[3..35] == *TRACE), "{spans:?}");
        assert_eq!(parent(publish), "00f067aa0ba902b7");
        assert_eq!([store, deliver].map(parent), [id(publish), id(publish)]);
        assert_eq!(says(publish, "messaging.destination.name"), "a");
        assert_eq!(says(publish, "messaging.client.id"), "p");
        assert_eq!(says(publish, "messaging.message.body.size"), "5");
        assert_eq!(says(store, "weirmq.stored_in"), "jobs");
        assert_eq!(says(deliver, "weirmq.queue"), "jobs");
        assert_eq!(says(deliver, "weirmq.attempt"), "1");
        assert_eq!(borne(&heard), [deliver.context], "{heard:?}");
        assert!(heard.iter().any(|line| line.ends_with("tracestate:a=b")), "{heard:?}");
        // Given back, it comes once more.
        traced.quietly(&["c puback 1 80"]);
        let again = traced.say("wait 60000");
        let spans_again = traced.take();
        let (release, deliver_again) = (one(&spans_again, "settle"), one(&spans_again, "deliver"));
        assert_eq!(parent(release), id(deliver));
        assert_eq!(says(release, "weirmq.outcome"), "release");
        assert_eq!(says(release, "mqtt.reason_code"), "128");
        assert_eq!(parent(deliver_again), id(publish));
        assert_ne!(id(deliver_again), id(deliver));
        assert_eq!(says(deliver_again, "weirmq.attempt"), "2");
        assert_eq!(borne(&again), [deliver_again.context], "{again:?}");
        let packet_id = again[0].split("id=").nth(1).and_then(|rest| rest.split(' ').next());
        traced.quietly(&[&format!("c puback {}", packet_id.expect("an id"))]);
        let last = traced.take();
        assert_eq!(says(one(&last, "settle"), "weirmq.outcome"), "accept");
        assert_eq!(parent(one(&last, "settle")), id(deliver_again));
        assert_eq!(last.len(), 1, "{last:?}");
    }
}

#[test]
fn each_delivery_of_a_fan_out_has_a_span_of_its_own() {
    for shards in [1, 3] {
        let mut traced = Traced::new(shards, 0.0);
        traced.quietly(&["p connect", "a connect", "b connect", "o connect v=3.1.1"]);
        traced.quietly(&["a subscribe 1 t/#,0", "b subscribe 1 t/#,0", "o subscribe 1 t/#,0"]);
        let heard = traced.say(&publish(0, "t/1", ""));
        let spans = traced.take();
        let publish = one(&spans, "publish");
        let deliveries = named(&spans, "deliver");
        assert_eq!(deliveries.len(), 3, "the one before 5.0 too: {spans:?}");
        assert!(deliveries.iter().all(|deliver| parent(deliver) == id(publish)));
        let mut said = borne(&heard);
        assert_eq!(said.len(), 2, "{heard:?}");
        said.dedup();
        assert_eq!(said.len(), 2, "{heard:?}");
        for context in said {
            assert!(deliveries.iter().any(|deliver| deliver.context == context));
        }
        assert!(named(&spans, "store").is_empty() && named(&spans, "settle").is_empty());
    }
}

#[test]
fn a_trace_goes_on_after_a_restart() {
    for shards in [1, 3] {
        let mut traced = Traced::new(shards, 0.0);
        traced.quietly(&["create jobs a", "p connect", "d connect keep expiry=1000"]);
        traced.quietly(&["d subscribe 1 a,1", "d lost", &publish(1, "a", "id=1 retain")]);
        let before = traced.take();
        traced.quietly(&["crash", "c connect"]);
        let mut heard = traced.say("c subscribe 1 $queue/jobs,1");
        heard.extend(traced.say("d connect keep expiry=1000"));
        heard.extend(traced.say("c subscribe 2 a,0"));
        let after = traced.take();
        let deliveries = named(&after, "deliver");
        assert_eq!(deliveries.len(), 3, "queue, inbox, retained: {heard:?}");
        let publish = id(one(&before, "publish"));
        assert!(deliveries.iter().all(|deliver| parent(deliver) == publish), "{after:?}");
        let said: Vec<_> = deliveries.iter().map(|deliver| deliver.context).collect();
        assert_eq!(borne(&heard), said);
    }
}

#[test]
fn a_stream_is_named_and_what_a_lost_client_had_is_lost() {
    for qos in [1, 2] {
        let mut traced = Traced::new(1, 0.0);
        traced.quietly(&["p connect", "c connect"]);
        traced.quietly(&[&format!("c subscribe 1 $stream/log/a,{qos}"), &publish(1, "a", "id=1")]);
        let spans = traced.take();
        let deliver = one(&spans, "deliver");
        assert_eq!(says(deliver, "weirmq.stream"), "log");
        assert_eq!(says(deliver, "weirmq.offset"), "0");
        traced.quietly(&["c lost"]);
        let spans = traced.take();
        assert_eq!(says(one(&spans, "settle"), "weirmq.outcome"), "lost");
        assert_eq!(parent(one(&spans, "settle")), id(deliver));
    }
}

#[test]
fn what_is_not_legal_or_not_sampled_is_passed_on() {
    let twice = format!("{SENT} up=traceparent:{SENT}");
    let unsampled = SENT.replace("-01", "-00");
    for said in [SENT.to_uppercase().as_str(), "nonsense", &unsampled, &twice] {
        let mut traced = Traced::new(1, 1.0);
        traced.quietly(&["p connect", "c connect", "c subscribe 1 a,0"]);
        let heard = traced.say(&format!("p publish 0 a x up=traceparent:{said}"));
        let first = said.split(' ').next().unwrap_or_default();
        assert!(heard[0].contains(&format!("traceparent:{first}")), "{heard:?}");
        assert_eq!(traced.take(), []);
    }
}

#[test]
fn the_ratio_begins_traces() {
    let mut traced = Traced::new(1, 1.0);
    traced.quietly(&["p connect v=3.1.1", "c connect", "c subscribe 1 a,0"]);
    let heard = traced.say("p publish 0 a x");
    let spans = traced.take();
    assert_eq!(one(&spans, "publish").parent, None);
    assert_eq!(borne(&heard), [one(&spans, "deliver").context]);
    let mut none = Traced::new(1, 0.0);
    none.quietly(&["p connect", "c connect", "c subscribe 1 a,0"]);
    assert_eq!(none.say("p publish 0 a x"), ["c publish 0 a x"]);
    assert_eq!(none.take(), []);
}

#[test]
fn a_store_that_fails_says_so() {
    let mut traced = Traced::new(1, 0.0);
    traced.quietly(&["create jobs a", "p connect", "log refuses", &publish(1, "a", "id=1")]);
    let spans = traced.take();
    let store = one(&spans, "store");
    assert_eq!(store.error, Some("not stored"));
    assert_eq!(parent(store), id(one(&spans, "publish")));
}

#[test]
fn a_message_that_a_client_cannot_take_ends_its_delivery() {
    let mut traced = Traced::new(1, 0.0);
    traced.quietly(&["p connect", "c connect mps=60", "c subscribe 1 a,0", &publish(0, "a", "")]);
    assert_eq!(one(&traced.take(), "deliver").error, Some("too_large"));
}
