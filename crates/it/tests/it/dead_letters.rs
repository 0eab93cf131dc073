//! Dead letters with the real binary: over kill -9, looked at, sent back.

use it::{Connect, Options, Weir};
use serde_json::json;

const QUEUE: &str = "/queues/work%2F%23";
const DEAD: &str = "/queues/dead%3Awork%2F%23";

#[test]
fn a_rejected_message_is_a_dead_letter_over_kill_and_comes_back_by_redrive() {
    let weir = Weir::start(Options::new());
    weir.rest().create_queue("work/#", json!({}));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    for n in 0..100 {
        assert_eq!(publisher.publish_acked("work/a", n.to_string().as_bytes()), 0);
    }
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/work/#", 1), 1);
    for n in 0..100 {
        let (_, payload, id) = consumer.message();
        assert_eq!(payload, n.to_string().as_bytes());
        let code = if n % 10 == 3 { 0x99 } else { 0 };
        consumer.settle(id.expect("QoS 1"), code).expect("sent");
    }
    weir.rest()
        .until("work/#", "all are dealt with", |ledger| ledger.ready + ledger.in_flight == 0);
    weir.rest().until("dead:work/#", "all dead letters are stored", |ledger| ledger.ready == 10);
    drop((publisher, consumer));
    let weir = weir.kill().restart();
    let ledger = weir.rest().get(&format!("{QUEUE}/ledger")).body;
    assert_eq!((&ledger["dead_lettered"], &ledger["balances"]), (&json!(10), &json!(true)));
    let page = weir.rest().get(&format!("{DEAD}/messages?limit=1")).body;
    let properties = page["data"][0]["properties"]["user_properties"].clone();
    let expected = json!([
        ["dead-reason", "rejected"],
        ["dead-attempts", "1"],
        ["dead-queue", "work/#"],
        ["dead-offset", "3"]
    ]);
    assert_eq!(properties, expected);

    let done = weir.command(&["queue", "redrive", "work/#", "-n", "4"], "");
    assert_eq!(done, "queue 'work/#': 4 dead letters sent back\n");
    let done = weir.rest().post(&format!("{QUEUE}/redrive"), &json!({"rate": 1000}));
    assert_eq!((done.status, done.body), (200, json!({"redriven": 6})));
    let weir = weir.kill().restart();
    let dead = weir.rest().get(&format!("{DEAD}/ledger")).body;
    assert_eq!((&dead["settled"], &dead["ready"]), (&json!(10), &json!(0)));
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/work/#", 1), 1);
    let mut came: Vec<String> = Vec::new();
    while came.len() < 10 {
        let (_, payload, id) = consumer.message();
        came.push(String::from_utf8(payload).expect("a number"));
        consumer.ack(id.expect("QoS 1")).expect("sent");
    }
    assert_eq!(came, (0..10).map(|n| (n * 10 + 3).to_string()).collect::<Vec<_>>());
}

#[test]
fn a_redrive_that_cannot_be_says_why() {
    let weir = Weir::start(Options::new());
    let rest = weir.rest();
    rest.create_queue("work/#", json!({}));
    rest.create_queue("none/#", json!({"dead_letter": "none"}));
    let redrive = |path: &str, body| {
        let answer = rest.post(&format!("/queues/{path}/redrive"), &body);
        (answer.status, answer.body)
    };
    assert_eq!(redrive("work%2F%23", json!({})), (200, json!({"redriven": 0})));
    assert_eq!(redrive("work%2F%23", json!({"to": "nowhere"})).0, 400);
    assert_eq!(redrive("work%2F%23", json!({"rate": 0})).0, 400);
    assert_eq!(redrive("none%2F%23", json!({})).0, 409);
    assert_eq!(redrive("nothing", json!({})).0, 404);
}
