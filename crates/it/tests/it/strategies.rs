//! 10,000 sensors into one queue, drained by three consumers under each strategy.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use it::{Client, Connect, DEADLINE, Event, Options, Weir};
use serde_json::json;

const SENSORS: usize = 10_000;
const ROUNDS: usize = 3;
const TOTAL: usize = SENSORS * ROUNDS;
const PUBLISHERS: usize = 4;
const QUEUE: &str = "sensor/+/data";

/// Runs all through a queue of that strategy and gives how many messages each consumer had. Nothing is settled before
/// everything is delivered, so that the choice depends on the strategy alone and not on who is fast.
fn drain(strategy: &str) -> Vec<usize> {
    drain_on("1", strategy)
}

fn drain_on(shards: &str, strategy: &str) -> Vec<usize> {
    let options = Options::new().set("mqtt.max_outgoing_inflight", "65535");
    let weir = Weir::start(options.set("server.shards", shards));
    let rest = weir.rest();
    rest.create_queue(QUEUE, json!({ "dispatch_strategy": strategy, "max_inflight": 65_535 }));
    let delivered = Arc::new(AtomicUsize::new(0));
    let consumers: Vec<_> = (0..3)
        .map(|number| {
            let mut client = weir.connect(&Connect::new(&format!("consumer-{number}")));
            assert_eq!(client.subscribe("$q/sensor/+/data", 1), 1);
            let delivered = Arc::clone(&delivered);
            thread::spawn(move || consume(client, &delivered))
        })
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|number| {
            let client = weir.connect(&Connect::new(&format!("publisher-{number}")));
            thread::spawn(move || publish(client, number))
        })
        .collect();
    publishers.into_iter().for_each(|publisher| publisher.join().expect("it published"));
    let received: Vec<Vec<(String, usize)>> =
        consumers.into_iter().map(|consumer| consumer.join().expect("it consumed")).collect();
    check_each_once_and_in_order(&received);
    let ledger = rest.until(QUEUE, "all settled", |ledger| ledger.settled == TOTAL as u64);
    assert_eq!(ledger.waiting() + ledger.gone(), 0, "{ledger:?}");
    received.iter().map(Vec::len).collect()
}

/// Publishes every round of its share of the sensors, each by its own topic.
fn publish(mut client: Client, number: usize) {
    let topics: Vec<String> = (number..SENSORS)
        .step_by(PUBLISHERS)
        .map(|sensor| format!("sensor/{sensor:05}/data"))
        .collect();
    for round in 0..ROUNDS {
        let payload = round.to_string();
        client.publish_all(500, topics.iter().map(|topic| (topic.as_str(), payload.as_bytes())));
    }
}

/// Takes messages until all consumers together have all, then settles its own.
fn consume(mut client: Client, delivered: &AtomicUsize) -> Vec<(String, usize)> {
    let mut received = Vec::new();
    let mut ids = Vec::new();
    let start = Instant::now();
    while delivered.load(Ordering::Relaxed) < TOTAL {
        assert!(start.elapsed() < 2 * DEADLINE, "{} of {TOTAL}", delivered.load(Ordering::Relaxed));
        match client.next(Duration::from_millis(50)) {
            Some(Event::Message { topic, payload, id }) => {
                let round = String::from_utf8_lossy(&payload).parse().expect("a round");
                received.push((topic, round));
                ids.push(id.expect("QoS 1"));
                delivered.fetch_add(1, Ordering::Relaxed);
            }
            None => {}
            other => panic!("wanted a message, got {other:?}"),
        }
    }
    ids.into_iter().for_each(|id| client.ack(id).expect("it is connected"));
    client.ping().expect("it is connected");
    match client.next(DEADLINE) {
        Some(Event::Pong) => received,
        other => panic!("nothing more was to come, got {other:?}"),
    }
}

fn check_each_once_and_in_order(received: &[Vec<(String, usize)>]) {
    let mut rounds: HashMap<&str, Vec<usize>> = HashMap::new();
    for consumer in received {
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (topic, round) in consumer {
            rounds.entry(topic).or_default().push(*round);
            let before = last.insert(topic, *round);
            assert!(
                before.is_none_or(|before| before < *round),
                "{topic}: {round} after {before:?}"
            );
        }
    }
    assert_eq!(rounds.len(), SENSORS);
    for (topic, mut rounds) in rounds {
        rounds.sort_unstable();
        assert_eq!(rounds, (0..ROUNDS).collect::<Vec<_>>(), "{topic}");
    }
}

#[test]
fn round_robin_deals_out_evenly() {
    assert_eq!(drain("round_robin"), [TOTAL / 3; 3]);
}

#[test]
fn least_inflight_evens_out_what_is_unsettled() {
    assert_eq!(drain("least_inflight"), [TOTAL / 3; 3]);
}

/// Publishers and consumers are on other shards than the queue.
#[test]
fn several_shards_deal_out_as_one_does() {
    assert_eq!(drain_on("4", "round_robin"), [TOTAL / 3; 3]);
    assert_eq!(drain_on("2", "least_inflight"), [TOTAL / 3; 3]);
}

/// 30,000 fair draws of three: six standard deviations are 490.
#[test]
fn random_is_fair() {
    for count in drain("random") {
        assert!(count.abs_diff(TOTAL / 3) < 490, "{count}");
    }
}

/// Of two consumers the one that settles nothing gets one message and no more, for the other has always fewer in flight.
#[test]
fn least_inflight_spares_who_does_not_settle() {
    let weir = Weir::start(Options::new());
    let rest = weir.rest();
    rest.create_queue("a", json!({ "dispatch_strategy": "least_inflight" }));
    let mut idle = weir.connect(&Connect::new("idle"));
    let mut busy = weir.connect(&Connect::new("busy"));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    assert_eq!(idle.subscribe("$q/a", 1), 1);
    assert_eq!(publisher.publish_acked("a", b"0"), 0);
    assert_eq!(idle.message().1, b"0");
    assert_eq!(busy.subscribe("$q/a", 1), 1);
    for settled in 1..=20_u64 {
        assert_eq!(publisher.publish_acked("a", settled.to_string().as_bytes()), 0);
        let (_, payload, id) = busy.message();
        assert_eq!(payload, settled.to_string().as_bytes());
        busy.ack(id.expect("QoS 1")).expect("it is connected");
        rest.until("a", "the settlement", |ledger| ledger.settled == settled);
    }
    assert_eq!(rest.ledger("a").map(|ledger| ledger.in_flight), Some(1));
}

/// A consumer has no more unsettled messages than the queue grants, nor than its own Receive Maximum.
#[test]
fn credit_is_the_lower_of_the_queues_and_the_consumers() {
    for (queue, consumer, credit) in [(8, 65_535, 8), (100, 5, 5)] {
        let weir = Weir::start(Options::new());
        let rest = weir.rest();
        rest.create_queue("a", json!({ "max_inflight": queue }));
        let mut client = weir.connect(&Connect::new("consumer").receive_maximum(consumer));
        assert_eq!(client.subscribe("$q/a", 1), 1);
        let mut publisher = weir.connect(&Connect::new("publisher"));
        publisher.publish_all(50, (0..50).map(|_| ("a", &b"x"[..])));
        let ledger = rest.until("a", "full credit", |ledger| ledger.in_flight == credit);
        assert_eq!(ledger.ready, 50 - credit, "{ledger:?}");
    }
}

/// A consumer that leaves gives back what it had, at once and in order.
#[test]
fn what_a_lost_consumer_had_goes_to_the_next_in_order() {
    let weir = Weir::start(Options::new());
    let mut first = weir.connect(&Connect::new("first"));
    assert_eq!(first.subscribe("$q/a/+", 1), 1);
    let mut publisher = weir.connect(&Connect::new("publisher"));
    for number in 0..20_u8 {
        assert_eq!(publisher.publish_acked("a/b", &[number]), 0);
    }
    let before: Vec<u8> = (0..20).map(|_| first.message().1[0]).collect();
    assert_eq!(before, (0..20).collect::<Vec<u8>>());
    drop(first);
    let mut second = weir.connect(&Connect::new("second"));
    assert_eq!(second.subscribe("$q/a/+", 1), 1);
    let after: Vec<u8> = (0..20).map(|_| second.message().1[0]).collect();
    assert_eq!(after, before);
}
