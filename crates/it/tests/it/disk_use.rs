//! What the log takes on the disk when old messages wait beside busy traffic. It is measured here, and that it ends.

use it::{Connect, Options, Random, Version, Weir, until};
use serde_json::json;

const ROUNDS: usize = 12;
const SEGMENT_BYTES: u64 = 1 << 20;

fn number(metrics: &str, name: &str) -> u64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no metric {name}"))
}

/// One small message to that topic, and a segment's worth of messages that are settled at once; again and again.
fn fill(weir: &Weir, topic: &str) {
    weir.rest().create_queue("busy", json!({}));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/busy", 1), 1);
    let body = Random::seeded().bytes(32_000);
    for round in 0..ROUNDS {
        assert_eq!(publisher.publish_acked(topic, round.to_string().as_bytes()), 0);
        for _ in 0..33 {
            assert_eq!(publisher.publish_acked("busy", &body), 0);
            let (_, _, id) = consumer.message();
            consumer.ack(id.expect("QoS 1")).expect("it is connected");
        }
    }
    weir.rest().until("busy", "an empty queue", |ledger| ledger.waiting() == 0);
}

/// Says what is on the disk for so few bytes.
fn measure(weir: &Weir, what: &str) {
    let metrics = weir.rest().metrics();
    let segments = number(&metrics, "weir_log_segments");
    println!("{ROUNDS} small messages wait {what}: {segments} segments of {SEGMENT_BYTES} bytes");
}

/// Publishes until what nobody needs is gone.
fn until_few(weir: &Weir) {
    let mut publisher = weir.connect(&Connect::new("pusher"));
    let body = Random::seeded().bytes(32_000);
    let mut consumer = weir.connect(&Connect::new("puller"));
    assert_eq!(consumer.subscribe("$q/busy", 1), 1);
    until("few segments", || {
        for _ in 0..33 {
            assert_eq!(publisher.publish_acked("busy", &body), 0);
            let (_, _, id) = consumer.message();
            consumer.ack(id.expect("QoS 1")).expect("it is connected");
        }
        let segments = number(&weir.rest().metrics(), "weir_log_segments");
        (segments <= 6).then_some(())
    });
}

fn options() -> Options {
    let options = Options::new().set("log.segment_size", "1MiB");
    options.set("log.checkpoint_every", "1MiB").set("log.reserve", "64KiB")
}

#[test]
fn messages_that_wait_in_a_slow_queue_do_not_keep_segments() {
    let weir = Weir::start(options());
    weir.rest().create_queue("slow", json!({}));
    fill(&weir, "slow");
    measure(&weir, "in a queue");
    until_few(&weir);
    assert!(number(&weir.rest().metrics(), "weir_log_relocated_messages_total") > 0);
    let weir = weir.kill().restart();
    let mut consumer = weir.connect(&Connect::new("slow"));
    assert_eq!(consumer.subscribe("$q/slow", 1), 1);
    for round in 0..ROUNDS {
        let (_, payload, id) = consumer.message();
        assert_eq!(payload, round.to_string().as_bytes());
        consumer.ack(id.expect("QoS 1")).expect("it is connected");
    }
}

#[test]
fn messages_that_wait_for_a_sleeping_session_do_not_keep_segments() {
    let weir = Weir::start(options());
    let sleeper = |weir: &Weir| {
        weir.connect(&Connect { clean: false, ..Connect::new("sleeper").version(Version::V311) })
    };
    let mut client = sleeper(&weir);
    assert_eq!(client.subscribe("slow", 1), 1);
    client.disconnect();
    fill(&weir, "slow");
    measure(&weir, "for a session");
    until_few(&weir);
    assert!(number(&weir.rest().metrics(), "weir_log_relocated_messages_total") > 0);
    let weir = weir.kill().restart();
    let mut client = sleeper(&weir);
    for round in 0..ROUNDS {
        let (_, payload, id) = client.message();
        assert_eq!(payload, round.to_string().as_bytes());
        client.ack(id.expect("QoS 1")).expect("it is connected");
    }
}

#[test]
fn delayed_messages_do_not_keep_segments() {
    let weir = Weir::start(options());
    fill(&weir, "$delayed/86400/later");
    measure(&weir, "until tomorrow");
    until_few(&weir);
    assert!(number(&weir.rest().metrics(), "weir_log_relocated_messages_total") > 0);
    let weir = weir.kill().restart();
    assert_eq!(number(&weir.rest().metrics(), "weir_delayed_messages"), ROUNDS as u64);
}
