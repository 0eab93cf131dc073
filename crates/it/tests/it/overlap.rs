//! Two queues on overlapping filters: both get the message, its body is on disk once.

use it::{Connect, Options, Random, Segments, Weir};
use serde_json::json;

#[test]
fn both_queues_get_it_and_its_body_is_written_once() {
    let weir = Weir::start(Options::new());
    let rest = weir.rest();
    let queues = ["a/+/c", "a/b/#"];
    queues.iter().for_each(|queue| rest.create_queue(queue, json!({})));
    let body = Random::seeded().bytes(4_000);
    let mut publisher = weir.connect(&Connect::new("publisher"));
    assert_eq!(publisher.publish_acked("a/b/c", &body), 0);
    for queue in queues {
        let ledger = rest.until(queue, "the message", |ledger| ledger.ready == 1);
        assert_eq!(ledger.enqueued, 1, "{queue}");
    }
    let stopped = weir.kill();
    let segments = Segments::of(&stopped.data_dir());
    assert_eq!(segments.count_of(&body[1_000..1_064]), 1);
    let weir = stopped.restart();
    for queue in queues {
        let mut consumer = weir.connect(&Connect::new(queue));
        assert_eq!(consumer.subscribe(&format!("$q/{queue}"), 1), 1);
        let (topic, payload, id) = consumer.message();
        assert_eq!((topic.as_str(), &payload), ("a/b/c", &body));
        consumer.ack(id.expect("QoS 1")).expect("it is connected");
        weir.rest().until(queue, "its settlement", |ledger| ledger.settled == 1);
    }
}

/// A message that nobody takes is acknowledged with 0x10, one that a queue takes with 0x00.
#[test]
fn the_puback_says_whether_anyone_took_it() {
    let weir = Weir::start(Options::new());
    weir.rest().create_queue("a/#", json!({}));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    assert_eq!(publisher.publish_acked("b", b"x"), 0x10);
    assert_eq!(publisher.publish_acked("a/b", b"x"), 0);
    let mut subscriber = weir.connect(&Connect::new("subscriber"));
    assert_eq!(subscriber.subscribe("b", 0), 0);
    assert_eq!(publisher.publish_acked("b", b"x"), 0);
}
