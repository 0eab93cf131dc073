//! SIGTERM drains and loses nothing.

use it::{Connect, Options, Weir};
use serde_json::json;

#[test]
fn sigterm_under_load_loses_nothing_acknowledged() {
    let weir = Weir::start(Options::new());
    weir.rest().create_queue("a", json!({}));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    publisher.publish_all(500, (0..5_000).map(|_| ("a", &b"x"[..])));
    let weir = weir.terminate().restart();
    let rest = weir.rest();
    rest.until("a", "all that was acknowledged", |ledger| ledger.ready == 5_000);
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/a", 1), 1);
    for _ in 0..5_000 {
        let (_, _, id) = consumer.message();
        consumer.ack(id.expect("QoS 1")).expect("it is connected");
    }
    rest.until("a", "all settled", |ledger| ledger.settled == 5_000);
    let weir = weir.terminate().restart();
    let ledger = weir.rest().ledger("a").expect("the queue is still there");
    assert_eq!((ledger.settled, ledger.waiting()), (5_000, 0), "{ledger:?}");
}

#[test]
fn an_idle_broker_ends_at_once_and_starts_again_on_its_data() {
    let weir = Weir::start(Options::new());
    let weir = weir.terminate().restart();
    assert_eq!(weir.rest().get("/queues").status, 200);
}
