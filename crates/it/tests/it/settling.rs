//! What a client that we did not write says to a queue by the reason codes of PUBACK and PUBREC.

use it::{Options, Program, Version, Weir};
use serde_json::json;

/// What is said to each delivery, and which one it is: the payload and the attempt.
const TALK: [(u8, &str, u64); 7] = [
    (0x83, "0", 1), // released: an attempt counts
    (0x97, "0", 2), // busy: none does
    (0x99, "0", 2), // rejected
    (0x00, "1", 1),
    (0x10, "2", 1), // below 0x80 accepts
    (0x91, "3", 1), // any other from 0x80 releases
    (0x00, "3", 2),
];

fn check(qos: u8) {
    let weir = Weir::start(Options::new());
    let rest = weir.rest();
    rest.create_queue("work/+", json!({ "retry_delay": "0" }));
    Program::Paho.publish(weir.mqtt, Version::V5, "work/{}", 1, 4);
    let codes = TALK.map(|(code, ..)| code);
    let mut consumer = Program::settle(weir.mqtt, "$q/work/+", qos, &codes);
    for (code, payload, attempt) in TALK {
        let message = consumer.message();
        assert_eq!(
            (message.payload.as_str(), message.attempt, message.qos),
            (payload, Some(attempt), qos),
            "before {code:#x}"
        );
    }
    consumer.end();
    let ledger = rest.until("work/+", "all are settled", |ledger| ledger.waiting() == 0);
    assert_eq!((ledger.settled, ledger.dead_lettered), (3, 1), "{ledger:?}");
    // What was rejected is to be had by any client.
    let mut undertaker =
        Program::Mosquitto.subscribe(weir.mqtt, Version::V311, "$dead/work/+", 1, 1);
    let message = undertaker.message();
    assert_eq!((message.topic.as_str(), message.payload.as_str()), ("work/00000", "0"));
    undertaker.end();
}

#[test]
fn puback_of_mqtt_js() {
    check(1);
}

#[test]
fn pubrec_of_mqtt_js() {
    check(2);
}

/// Nothing overtakes a message that waits for its next try, where the contract promises the order of the whole queue.
#[test]
fn a_single_active_consumer_gets_all_in_order_under_retries() {
    let weir = Weir::start(Options::new());
    let order =
        json!({ "dispatch_strategy": "single_active", "max_inflight": 1, "retry_delay": "50ms" });
    weir.rest().create_queue("work/+", order);
    Program::Paho.publish(weir.mqtt, Version::V5, "work/{}", 1, 3);
    let codes = [0x83, 0x83, 0, 0x83, 0, 0];
    let mut consumer = Program::settle(weir.mqtt, "$q/work/+", 1, &codes);
    for (payload, attempt) in [("0", 1), ("0", 2), ("0", 3), ("1", 1), ("1", 2), ("2", 1)] {
        let message = consumer.message();
        assert_eq!((message.payload.as_str(), message.attempt), (payload, Some(attempt)));
    }
    consumer.end();
}
