//! What operators do to queues, over REST and the command line, with the real binary: peek, purge, seek, pause, consumers,
//! ledger, the stall alarm; over kill -9.

use it::{Connect, Options, Program, Version, Weir, until};
use serde_json::{Value, json};

/// A broker with a queue of so many messages, by turns at `work/a` and `work/b`.
fn stocked(messages: usize) -> Weir {
    let weir = Weir::start(Options::new());
    weir.rest().create_queue("work/#", json!({}));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    for n in 0..messages {
        let topic = if n % 2 == 0 { "work/a" } else { "work/b" };
        assert_eq!(publisher.publish_acked(topic, n.to_string().as_bytes()), 0);
    }
    weir
}

const PATH: &str = "/queues/work%2F%23";

fn offsets(page: &Value) -> Vec<u64> {
    let data = page["data"].as_array().expect("a list");
    data.iter().map(|message| message["offset"].as_u64().expect("a number")).collect()
}

#[test]
fn a_purge_lasts_over_kill_and_leaves_what_is_in_flight() {
    let weir = stocked(9);
    let mut consumer = weir.connect(&Connect::new("consumer").receive_maximum(1));
    assert_eq!(consumer.subscribe("$q/work/#", 1), 1);
    let (_, payload, id) = consumer.message();
    assert_eq!(payload, b"0");
    let done = weir.command(&["queue", "purge", "work/#", "--filter", "work/b"], "");
    assert_eq!(done, "queue 'work/#': 4 messages purged\n");
    let rest = weir.rest();
    let done = rest.post(&format!("{PATH}/purge"), &json!({"filter": "work/a"}));
    assert_eq!((done.status, done.body), (200, json!({"purged": 4})));
    let ledger = rest.get(&format!("{PATH}/ledger")).body;
    assert_eq!((&ledger["purged"], &ledger["in_flight"]), (&json!(8), &json!(1)));
    let weir = weir.kill().restart();
    let ledger = weir.rest().get(&format!("{PATH}/ledger")).body;
    assert_eq!(
        (&ledger["purged"], &ledger["ready"], &ledger["balances"]),
        (&json!(8), &json!(1), &json!(true))
    );
    drop((consumer, id));
    let key = weir.rest().post(&format!("{PATH}/purge"), &json!({"key": "k"}));
    assert_eq!((key.status, &key.body["details"]["field"]), (400, &json!("key")));
    let shown = weir.command(&["queue", "show", "work/#"], "");
    assert!(shown.contains("+ purged") && shown.ends_with("balances\n"), "{shown}");
}

#[test]
fn messages_are_looked_at_by_offset_and_state() {
    let weir = stocked(5);
    let mut consumer = weir.connect(&Connect::new("consumer").receive_maximum(2));
    assert_eq!(consumer.subscribe("$q/work/#", 1), 1);
    consumer.message();
    consumer.message();
    let get = |query: &str| weir.rest().get(&format!("{PATH}/messages{query}")).body;
    assert_eq!(offsets(&get("")), [0, 1, 2, 3, 4]);
    assert_eq!(offsets(&get("?state=in_flight")), [0, 1]);
    let page = get("?state=ready&limit=2");
    assert_eq!((offsets(&page), &page["next"]), (vec![2, 3], &json!("4")));
    let message = &get("?offset=3&limit=1")["data"][0];
    assert_eq!(
        [&message["topic"], &message["payload"], &message["text"], &message["state"]],
        ["work/b", "Mw==", "3", "ready"]
    );
    let peeked = weir.command(&["queue", "peek", "work/#", "-n", "3"], "");
    let states: Vec<&str> = peeked.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(states, ["in_flight", "in_flight", "ready"], "{peeked}");
    let tailed = weir.command(&["queue", "tail", "work/#", "-n", "2", "-C", "2", "--json"], "");
    assert_eq!(tailed.lines().count(), 2, "{tailed}");
    assert!(tailed.lines().all(|line| line.starts_with("{\"offset\":")), "{tailed}");
    let consumers = weir.rest().get(&format!("{PATH}/consumers")).body;
    let one = &consumers["data"][0];
    assert_eq!((&one["client_id"], &one["in_flight"]), (&json!("consumer"), &json!(2)));
    assert_eq!((&one["credit"], &one["address"]), (&json!(0), &json!("$q/work/#")));
    let listed = weir.command(&["queue", "consumers", "work/#"], "");
    assert!(listed.contains("consumer") && listed.contains("active"), "{listed}");
}

#[test]
fn a_seek_forward_lasts_over_kill() {
    let weir = stocked(6);
    let done = weir.command(&["queue", "seek", "work/#", "4"], "");
    let expected = "queue 'work/#' goes on at offset 4: 4 messages passed over, 0 ready again\n";
    assert_eq!(done, expected);
    let weir = weir.kill().restart();
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/work/#", 1), 1);
    assert_eq!(consumer.message().1, b"4");
    let later = weir.rest().post(&format!("{PATH}/seek"), &json!({"time": "2100-01-01T00:00:00Z"}));
    assert_eq!(later.body, json!({"offset": 6, "purged": 0, "restored": 0}));
}

#[test]
fn a_paused_queue_is_paused_after_kill_and_delivers_when_it_is_resumed() {
    let weir = stocked(1);
    assert_eq!(weir.command(&["queue", "pause", "work/#"], ""), "queue 'work/#' paused\n");
    let weir = weir.kill().restart();
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/work/#", 1), 1);
    let is_attached = |stats: &Value| stats["consumers"] == json!(1);
    let stats = until("the consumer", || {
        let stats = weir.rest().get(PATH).body["stats"].clone();
        is_attached(&stats).then_some(stats)
    });
    assert_eq!((&stats["ready"], &stats["in_flight"]), (&json!(1), &json!(0)));
    let resumed = weir.rest().post(&format!("{PATH}/resume"), &json!({}));
    assert_eq!((resumed.status, &resumed.body["paused"]), (200, &json!(false)));
    assert_eq!(consumer.message().1, b"0");
}

#[test]
fn a_queue_that_stands_still_raises_an_alarm_and_metrics_say_how_far_it_is_behind() {
    let options = Options::new().set("queues.stall_alarm_after", "1s").expect("alarm raised");
    let weir = Weir::start(options);
    weir.rest().create_queue("slow", json!({"retry_delay": "1h", "retry_delay_max": "1h"}));
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/slow", 1), 1);
    let mut publisher = weir.connect(&Connect::new("publisher"));
    assert_eq!(publisher.publish_acked("slow", b"x"), 0);
    let (_, _, id) = consumer.message();
    consumer.settle(id.expect("QoS 1"), 0x97).expect("it is connected");
    let alarm = until("the alarm", || {
        let alarms = weir.rest().get("/alarms").body["data"].clone();
        alarms
            .as_array()
            .expect("a list")
            .iter()
            .find(|one| one["name"] == "queue_stalled")
            .cloned()
    });
    assert_eq!(alarm["resource"], "slow");
    assert_eq!(alarm["reason"], "all consumers with credit were too busy and rest");
    let listed = weir.command(&["alarms", "ls"], "");
    assert!(listed.contains("queue_stalled") && listed.contains("slow"), "{listed}");
    let metrics = weir.rest().metrics();
    for line in ["weir_alarms{name=\"queue_stalled\"} 1", "weir_queue_ready{queue=\"slow\"} 1"] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    let number = |name: &str| -> f64 {
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}{{queue=\"slow\"}} ")));
        line.expect(name).parse().expect("a number")
    };
    assert!(number("weir_queue_lag_seconds") >= 1.0);
    let week = 7.0 * 86_400.0;
    let left = number("weir_queue_time_to_data_loss_seconds");
    assert!(left > week - 600.0 && left < week, "{left}");
    assert_eq!(weir.rest().delete("/queues/slow").status, 204);
    until("the alarm is over", || {
        let alarms = weir.rest().get("/alarms").body["data"].clone();
        alarms.as_array().expect("a list").is_empty().then_some(())
    });
}

/// Its filter changes under a publisher: each message finds the queue by the old one or by the new one.
#[test]
fn a_queue_that_is_bound_anew_loses_nothing_and_keeps_the_order() {
    const MESSAGES: usize = 500;
    let weir = Weir::start(Options::new().set("server.shards", "2"));
    let made = weir.command(&["queue", "create", "jobs", "--filter", "a/+"], "");
    assert!(made.starts_with("queue 'jobs' created"), "{made}");
    std::thread::scope(|scope| {
        let publishing =
            scope.spawn(|| Program::Paho.publish(weir.mqtt, Version::V5, "a/b", 1, MESSAGES));
        let filters = ["topic_filter=a/#", "topic_filter=+/b", "topic_filter=a/b"];
        for filter in filters.into_iter().cycle() {
            let _ = weir.command(&["queue", "set", "jobs", filter], "");
            if publishing.is_finished() {
                break;
            }
        }
    });
    let ledger = weir.rest().ledger("jobs").expect("it is there");
    assert_eq!((ledger.enqueued, ledger.ready), (MESSAGES as u64, MESSAGES as u64));
    let mut consumer =
        Program::MqttJs.subscribe(weir.mqtt, Version::V311, "$queue/jobs", 1, MESSAGES);
    for number in 0..MESSAGES {
        assert_eq!(consumer.message().payload, number.to_string());
    }
    consumer.end();
}
