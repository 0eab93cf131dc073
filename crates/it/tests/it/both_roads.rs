//! A publish arrives live and waits in a queue, with each client and beside every kind of backlog.

use it::{Client, Connect, Options, Program, Reach, Version, Weir};
use serde_json::json;

const COUNT: usize = 50;

/// One program publishes; the next one of the list subscribes live, then drains the queue.
fn check(publisher: Program, version: Version) {
    let at = Program::ALL.iter().position(|program| *program == publisher).expect("listed");
    let subscriber = Program::ALL[(at + 1) % Program::ALL.len()];
    let weir = Weir::start(Options::new());
    exchange(&weir, &weir.mqtt.into(), publisher, subscriber, version);
}

/// Publishes live and into a queue, which is then drained.
pub fn exchange(
    weir: &Weir,
    reach: &Reach,
    publisher: Program,
    subscriber: Program,
    version: Version,
) {
    let rest = weir.rest();
    rest.create_queue("plant/+/data", json!({}));

    let mut live = subscriber.subscribe(reach.clone(), version, "plant/+/data", 1, COUNT);
    publisher.publish(reach.clone(), version, "plant/{}/data", 1, COUNT);
    let numbers: Vec<String> = (0..COUNT).map(|_| live.message().payload).collect();
    live.end();
    assert_all(numbers);
    let ledger = rest.until("plant/+/data", "all ready", |ledger| ledger.ready == COUNT as u64);
    assert_eq!(ledger.enqueued, COUNT as u64, "{ledger:?}");

    let mut consumer = subscriber.subscribe(reach.clone(), version, "$q/plant/+/data", 1, COUNT);
    let messages: Vec<_> = (0..COUNT).map(|_| consumer.message()).collect();
    consumer.end();
    for message in &messages {
        let number: usize = message.payload.parse().expect("a number");
        assert_eq!(
            (message.topic.as_str(), message.qos),
            (format!("plant/{number:05}/data").as_str(), 1)
        );
    }
    assert_all(messages.into_iter().map(|message| message.payload).collect());
    rest.until("plant/+/data", "all settled", |ledger| ledger.settled == COUNT as u64);
}

fn assert_all(mut numbers: Vec<String>) {
    numbers.sort_by_key(|number| number.parse::<usize>().expect("a number"));
    let wanted: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
    assert_eq!(numbers, wanted);
}

#[test]
fn paho_3() {
    check(Program::Paho, Version::V311);
}

#[test]
fn paho_5() {
    check(Program::Paho, Version::V5);
}

#[test]
fn aiomqtt_3() {
    check(Program::Aiomqtt, Version::V311);
}

#[test]
fn aiomqtt_5() {
    check(Program::Aiomqtt, Version::V5);
}

#[test]
fn mqtt_js_3() {
    check(Program::MqttJs, Version::V311);
}

#[test]
fn mqtt_js_5() {
    check(Program::MqttJs, Version::V5);
}

#[test]
fn mosquitto_3() {
    check(Program::Mosquitto, Version::V311);
}

#[test]
fn mosquitto_5() {
    check(Program::Mosquitto, Version::V5);
}

#[test]
fn rumqttc_3() {
    check(Program::Rumqttc, Version::V311);
}

#[test]
fn rumqttc_5() {
    check(Program::Rumqttc, Version::V5);
}

/// Connections, sessions and queues spread over shards, which nobody outside can tell.
#[test]
fn on_several_shards() {
    for shards in ["2", "4"] {
        let weir = Weir::start(Options::new().set("server.shards", shards));
        exchange(&weir, &weir.mqtt.into(), Program::Paho, Program::Mosquitto, Version::V5);
    }
}

/// Each publish of QoS 0 must come out live before the next one is sent.
fn assert_live(weir: &Weir, topic: &str) {
    let mut subscriber = weir.connect(&Connect::new("live"));
    assert_eq!(subscriber.subscribe(topic, 0), 0);
    let mut publisher = weir.connect(&Connect::new("publisher"));
    for number in 0..100_u32 {
        let payload = number.to_string();
        publisher.publish_qos0(topic, payload.as_bytes());
        let (got, body, _) = subscriber.message();
        assert_eq!((got.as_str(), body.as_slice()), (topic, payload.as_bytes()));
    }
    subscriber.disconnect();
    publisher.disconnect();
}

#[test]
fn live_runs_past_a_queue_without_consumers() {
    let weir = Weir::start(Options::new());
    weir.rest().create_queue("a/#", json!({}));
    assert_live(&weir, "a/b");
    weir.rest().until("a/#", "all stored", |ledger| ledger.ready == 100);
}

#[test]
fn live_runs_past_a_consumer_that_does_not_read() {
    let weir = Weir::start(Options::new());
    let mut paused: Client = weir.connect(&Connect::new("paused"));
    assert_eq!(paused.subscribe("$q/a/#", 1), 1);
    let large = vec![b'x'; 100_000];
    let mut publisher = weir.connect(&Connect::new("filler"));
    publisher.publish_all(32, (0..200).map(|_| ("a/large", large.as_slice())));
    assert_live(&weir, "a/b");
    let ledger = weir.rest().until("a/#", "all stored", |ledger| ledger.enqueued == 300);
    assert_eq!((ledger.settled, ledger.in_flight), (0, 32), "{ledger:?}");
}

#[test]
fn live_runs_past_a_million_waiting() {
    const MILLION: u64 = 1_000_000;
    let weir = Weir::start(Options::new());
    let rest = weir.rest();
    rest.create_queue("a/#", json!({}));
    let mut publisher = weir.connect(&Connect::new("filler"));
    publisher.publish_all(1_000, (0..MILLION).map(|_| ("a/backlog", &b"waiting"[..])));
    assert_live(&weir, "a/b");
    rest.until("a/#", "all stored", |ledger| ledger.ready == MILLION + 100);
}
