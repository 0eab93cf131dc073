//! What a session and a retained message are after kill -9: everything that was acknowledged.

use it::{Client, Connect, Event, Options, Version, Weir};

const COUNT: u32 = 200;

/// A connection that keeps its session.
fn resume(weir: &Weir, client_id: &str, version: Version) -> Client {
    let connect = Connect { clean: false, ..Connect::new(client_id).version(version) };
    weir.connect(&connect)
}

fn publish(weir: &Weir, topic: &str, numbers: std::ops::Range<u32>) {
    let mut publisher = weir.connect(&Connect::new("publisher"));
    for number in numbers {
        assert_eq!(publisher.publish_acked(topic, number.to_string().as_bytes()), 0);
    }
}

fn take(client: &mut Client, count: u32) -> Vec<u32> {
    let take = |_| {
        let (_, payload, id) = client.message();
        client.ack(id.expect("QoS 1")).expect("it is connected");
        String::from_utf8_lossy(&payload).parse().expect("a number")
    };
    (0..count).map(take).collect()
}

#[test]
fn an_offline_session_has_its_backlog_after_a_kill() {
    for version in [Version::V311, Version::V5] {
        let mut weir = Weir::start(Options::new());
        let mut client = resume(&weir, "sleeper", version);
        assert_eq!(client.subscribe("a/+", 1), 1);
        client.disconnect();
        publish(&weir, "a/b", 0..COUNT);
        weir = weir.kill().restart();
        publish(&weir, "a/c", COUNT..2 * COUNT);
        weir = weir.kill().set("server.shards", "3").restart();
        let mut client = resume(&weir, "sleeper", version);
        assert_eq!(take(&mut client, COUNT), (0..COUNT).collect::<Vec<_>>());
        // The rest is on its way too, and comes again.
        client.ping().expect("it is connected");
        while client.next(it::DEADLINE) != Some(Event::Pong) {}
        drop(client);
        weir = weir.terminate().restart();
        let mut client = resume(&weir, "sleeper", version);
        assert_eq!(take(&mut client, COUNT), (COUNT..2 * COUNT).collect::<Vec<_>>());
    }
}

#[test]
fn a_connected_session_misses_nothing_over_a_kill() {
    let mut weir = Weir::start(Options::new());
    let mut came = Vec::new();
    for round in 0..5 {
        let mut client = resume(&weir, "dashboard", Version::V5);
        if round == 0 {
            assert_eq!(client.subscribe("a/#", 1), 1);
        }
        publish(&weir, "a/b", round * 20..(round + 1) * 20);
        // It reads half of what there is, and acknowledges none of the rest.
        came.extend(take(&mut client, 10));
        weir = weir.kill().restart();
    }
    let mut client = resume(&weir, "dashboard", Version::V5);
    publish(&weir, "a/b", 100..101);
    while came.last() != Some(&100) {
        came.extend(take(&mut client, 1));
    }
    came.sort_unstable();
    came.dedup();
    assert_eq!(came, (0..=100).collect::<Vec<_>>());
}

#[test]
fn retained_messages_survive_a_kill() {
    let mut weir = Weir::start(Options::new());
    let mut publisher = weir.connect(&Connect::new("publisher"));
    for topic in ["r/a", "r/b"] {
        assert_eq!(publisher.publish_retained(topic, topic.as_bytes()), 0x10);
    }
    assert_eq!(publisher.publish_retained("r/b", b""), 0x10);
    weir = weir.kill().restart();
    let mut subscriber = weir.connect(&Connect::new("subscriber"));
    assert_eq!(subscriber.subscribe("r/#", 1), 1);
    let (topic, payload, _) = subscriber.message();
    assert_eq!((topic.as_str(), payload.as_slice()), ("r/a", &b"r/a"[..]));
    publish(&weir, "r/c", 0..1);
    assert_eq!(subscriber.message().0, "r/c", "there was no other");
}
