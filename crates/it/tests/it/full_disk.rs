//! A disk that fills up: no false acknowledgement, the live road runs on, room made is room again.

use std::time::Duration;

use it::{Connect, Event, Mount, Options, Random, Version, Weir, until};
use serde_json::json;

#[test]
fn a_full_disk_is_said_and_gets_better() {
    let Some(mount) = Mount::tmpfs("24m") else { return };
    let options = Options::new()
        .data_dir(mount.path())
        .set("log.segment_size", "1MiB")
        .set("log.reserve", "2MiB")
        .set("mqtt.publisher_hold", "1s")
        .expect("space")
        .expect("the log is full");
    let weir = Weir::start(options);
    let rest = weir.rest();
    rest.create_queue("a", json!({}));

    // Until the publisher hears that it cannot be stored.
    let mut publisher = weir.connect(&Connect::new("publisher"));
    let mut random = Random::seeded();
    let mut stored: Vec<Vec<u8>> = Vec::new();
    let refused = until("a refusal", || {
        let payload = random.bytes(64_000);
        let code = publisher.publish_acked("a", &payload);
        if code < 0x80 {
            stored.push(payload);
            return None;
        }
        Some(code)
    });
    assert!([0x97, 0x80, 0x83].contains(&refused), "{refused:#x}");
    assert!(stored.len() > 50, "{} were stored on 24 MiB", stored.len());

    // A 3.x client has no code to hear: it is held, then disconnected, and never acknowledged.
    let mut old = weir.connect(&Connect::new("old").version(Version::V311));
    old.publish("a", &random.bytes(64_000)).expect("it is connected");
    assert_eq!(old.next(Duration::from_secs(30)), Some(Event::Closed));

    // The live road does not care.
    let mut live = weir.connect(&Connect::new("live"));
    assert_eq!(live.subscribe("elsewhere", 0), 0);
    publisher.publish_qos0("elsewhere", b"runs");
    assert_eq!(live.message().1, b"runs");

    // All that was acknowledged comes out, and nothing else.
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/a", 1), 1);
    for payload in &stored {
        let (_, came, id) = consumer.message();
        assert!(came == *payload, "another message came than was stored");
        consumer.ack(id.expect("QoS 1")).expect("it is connected");
    }
    rest.until("a", "an empty queue", |ledger| ledger.waiting() == 0);

    // And there is room again.
    until("room", || (publisher.publish_acked("a", &random.bytes(64_000)) < 0x80).then_some(()));
}
