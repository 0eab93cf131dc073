//! Why messages go where they go, with the real binary, over REST and the command line.

use it::{Connect, Options, Weir, until};
use serde_json::{Value, json};

fn explain(weir: &Weir, query: &str) -> Value {
    let answer = weir.rest().get(&format!("/explain?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    answer.body
}

fn codes(reasons: &Value) -> Vec<&str> {
    let reasons = reasons.as_array().expect("a list");
    reasons.iter().map(|reason| reason["code"].as_str().expect("a word")).collect()
}

#[test]
fn a_publish_goes_where_it_was_said_to_go() {
    let weir = Weir::start(Options::new());
    let rest = weir.rest();
    for (path, body) in [
        ("/queues", json!({"name": "small", "topic_filter": "orders/#", "max_messages": 1})),
        (
            "/queues",
            json!({"name": "ring", "topic_filter": "orders/+", "max_messages": 1, "overflow": "drop_oldest", "dedup_window": "1m"}),
        ),
        (
            "/queues",
            json!({"name": "state", "topic_filter": "orders/+", "last_value": true, "key_expression": "level(2)"}),
        ),
        (
            "/streams",
            json!({"name": "log", "topic_filter": "orders/#", "key_expression": "payload.id"}),
        ),
    ] {
        assert_eq!(rest.post(path, &body).status, 201, "{body}");
    }
    let mut board = weir.connect(&Connect::new("board"));
    assert_eq!(board.subscribe("orders/#", 0), 0);
    let mut shop = weir.connect(&Connect::new("shop"));

    let answer = explain(&weir, "topic=orders%2F7&client_id=shop");
    assert_eq!((&answer["verdict"], &answer["reasons"]), (&json!("accepted"), &json!([])));
    let publish = &answer["publish"];
    assert_eq!(
        [
            &publish["reason_code"],
            &publish["policy"]["connected"],
            &publish["subscriptions"]["count"]
        ],
        [&json!(0), &json!(true), &json!(1)]
    );
    assert_eq!(publish["subscriptions"]["data"][0]["client_id"], "board");
    let sinks = publish["sinks"]["data"].as_array().expect("a list");
    let said: Vec<_> =
        sinks.iter().map(|sink| (sink["name"].as_str(), codes(&sink["reasons"]))).collect();
    assert_eq!(
        said,
        [
            (Some("small"), vec!["no_consumers"]),
            (Some("ring"), vec!["dedup", "no_consumers"]),
            (Some("state"), vec!["last_value", "no_consumers"]),
            (Some("log"), vec!["key_depends", "no_consumers"]),
        ]
    );
    assert_eq!(sinks[2]["key"], "7");

    // It is as it was said, and after that it is otherwise.
    assert_eq!(shop.publish_acked("orders/7", b"{}"), 0);
    assert_eq!(board.message().0, "orders/7");
    let answer = explain(&weir, "topic=orders%2F7&client_id=nobody");
    assert_eq!(answer["verdict"], "refused");
    assert_eq!(codes(&answer["reasons"]), ["full", "who_hears", "client_not_connected"]);
    let sinks = answer["publish"]["sinks"]["data"].as_array().expect("a list");
    let outcomes: Vec<_> = sinks.iter().map(|sink| sink["outcome"].as_str()).collect();
    assert_eq!(
        outcomes,
        [Some("refused"), Some("not_stored"), Some("not_stored"), Some("not_stored")]
    );
    assert_eq!(codes(&sinks[1]["reasons"])[0], "drops_oldest");
    assert_eq!(codes(&sinks[2]["reasons"])[0], "replaces");
    assert_eq!(shop.publish_acked("orders/7", b"{}"), 0x97);

    let only = explain(&weir, "topic=bills%2F7&queue=small");
    assert_eq!(
        (&only["verdict"], &only["publish"]["reason_code"]),
        (&json!("no_takers"), &json!(16))
    );
    assert_eq!(only["publish"]["sinks"]["data"][0]["outcome"], "not_matched");
    assert_eq!(shop.publish_acked("bills/7", b"{}"), 0x10);
    let shown = weir.command(&["explain", "--topic", "$SYS/x"], "");
    assert!(shown.starts_with("a publish to '$SYS/x' would be refused (0x90)"), "{shown}");
}

#[test]
fn a_message_says_where_it_stands_until_it_is_a_dead_letter() {
    let weir = Weir::start(Options::new());
    let properties =
        json!({"dispatch_strategy": "key_ordered", "retry_delay": "1h", "retry_delay_max": "1h"});
    weir.rest().create_queue("work/+", properties);
    let mut publisher = weir.connect(&Connect::new("publisher"));
    for (topic, payload) in [("work/a", b"0"), ("work/a", b"1"), ("work/b", b"2"), ("work/c", b"3")]
    {
        assert_eq!(publisher.publish_acked(topic, payload), 0);
    }
    let ask = |offset: u64| explain(&weir, &format!("queue=work%2F%2B&offset={offset}"));
    let answer = ask(0);
    assert_eq!(
        (&answer["verdict"], codes(&answer["reasons"])),
        (&json!("ready"), vec!["no_consumers"])
    );
    assert_eq!(
        (&answer["message"]["topic"], &answer["message"]["key"]),
        (&json!("work/a"), &json!("work/a"))
    );

    let mut worker = weir.connect(&Connect::new("worker").receive_maximum(2));
    assert_eq!(worker.subscribe("$q/work/+", 1), 1);
    let (first, third) = (worker.message().2, worker.message().2);
    let answer = ask(0);
    assert_eq!(
        (&answer["verdict"], &answer["message"]["client_id"]),
        (&json!("in_flight"), &json!("worker"))
    );
    assert_eq!(
        (codes(&ask(3)["reasons"]), ask(9)["verdict"].as_str()),
        (vec!["no_credit"], Some("not_yet"))
    );

    worker.settle(first.expect("QoS 1"), 0x80).expect("sent");
    let (_, payload, fourth) = worker.message();
    assert_eq!(payload, b"3");
    let answer = ask(0);
    assert_eq!(
        (&answer["verdict"], codes(&answer["reasons"])),
        (&json!("delayed"), vec!["back_off"])
    );
    assert_eq!(answer["message"]["attempts"], 1);
    worker.settle(third.expect("QoS 1"), 0x99).expect("sent");
    worker.settle(fourth.expect("QoS 1"), 0).expect("sent");
    weir.rest().until("dead:work/+", "the dead letter is stored", |ledger| ledger.ready == 1);
    until("the accepted one has left", || (ask(3)["verdict"] == "left").then_some(()));
    let answer = ask(1);
    assert_eq!(
        (codes(&answer["reasons"]), &answer["reasons"][0]["details"]["offset"]),
        (vec!["key_busy"], &json!(0))
    );
    let answer = ask(2);
    assert_eq!(
        (&answer["verdict"], codes(&answer["reasons"])),
        (&json!("dead_lettered"), vec!["dead_lettered"])
    );
    assert_eq!(
        answer["reasons"][0]["message"],
        "it was given up (rejected, after 1 delivery) and is at offset 0 of queue 'dead:work/+'"
    );
    assert_eq!(codes(&ask(3)["reasons"]), ["left"]);

    let shown = weir.command(&["explain", "--queue", "work/+", "--offset", "1"], "");
    let words = "the message at offset 1 of queue 'work/+' is ready and not delivered: the message at offset 0, of the same \
                 key, waits for its next try\n";
    assert!(shown.starts_with(words), "{shown}");
    let paused = weir.command(&["queue", "pause", "work/+"], "");
    assert!(paused.contains("paused"), "{paused}");
    let answer = explain(&weir, "queue=work%2F%2B");
    assert_eq!((&answer["verdict"], codes(&answer["reasons"])), (&json!("held"), vec!["paused"]));
}
