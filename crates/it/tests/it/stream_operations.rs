//! Streams over REST and the command line, with the real binary, beside clients that read them: other people's, ours, groups;
//! over kill -9. And `weir top`.

use it::{Connect, Options, Program, Version, Weir, until};
use serde_json::{Value, json};

const PATH: &str = "/streams/plant%2F%2B";

/// A broker with a stream of so many messages, by turns at `plant/a` and `plant/b`.
fn stocked(messages: usize) -> Weir {
    let weir = Weir::start(Options::new());
    let body = json!({"topic_filter": "plant/+", "key_expression": "level(2)"});
    let created = weir.rest().post("/streams", &body);
    assert_eq!((created.status, &created.body["name"]), (201, &json!("plant/+")));
    publish(&weir, 0..messages);
    weir
}

fn publish(weir: &Weir, numbers: std::ops::Range<usize>) {
    let mut publisher = weir.connect(&Connect::new("publisher"));
    for n in numbers {
        let topic = if n % 2 == 0 { "plant/a" } else { "plant/b" };
        assert_eq!(publisher.publish_acked(topic, n.to_string().as_bytes()), 0);
    }
}

fn offsets(page: &Value) -> Vec<u64> {
    let data = page["data"].as_array().expect("a list");
    data.iter().map(|message| message["offset"].as_u64().expect("a number")).collect()
}

/// Waits until a reader stands as wanted.
fn reader(weir: &Weir, kind: &str, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until(name, || {
        let readers = weir.rest().get(&format!("{PATH}/readers")).body["data"].clone();
        let mut all = readers.as_array().expect("a list").iter();
        let is_it = |one: &&Value| one["name"] == name && one["kind"] == kind && wanted(one);
        all.find(is_it).cloned()
    })
}

fn is_away(reader: &Value) -> bool {
    reader["members"] == 0
}

#[test]
fn everybody_reads_the_same_messages_and_the_operator_sees_how_far() {
    let weir = stocked(5);
    for version in [Version::V311, Version::V5] {
        let mut run = Program::Mosquitto.subscribe(weir.mqtt, version, "$s/earliest/plant/+", 1, 5);
        let payloads: Vec<String> = (0..5).map(|_| run.message().payload).collect();
        assert_eq!(payloads, ["0", "1", "2", "3", "4"], "{version:?}");
        run.end();
    }
    let port = weir.mqtt.port().to_string();
    let ours = ["sub", "-p", &port, "-q", "1", "-i", "ours", "-C", "2", "-t", "$s/3/plant/+"];
    let from_3 = weir.command(&ours, "");
    assert_eq!(from_3, "3\n4\n");
    let found = reader(&weir, "client", "ours", is_away);
    assert_eq!((&found["position"], &found["lag"]), (&json!(5), &json!(0)));
    publish(&weir, 5..7);
    let shown = weir.rest().get(PATH).body;
    let stats = &shown["stats"];
    assert_eq!(
        (&stats["appended"], &stats["kept"], &stats["next_offset"]),
        (&json!(7), &json!(7), &json!(7))
    );
    assert_eq!((&stats["oldest_offset"], &stats["readers"]), (&json!(0), &json!(3)));
    let table = weir.command(&["stream", "readers", "plant/+"], "");
    let row = table.lines().find(|line| line.starts_with("ours")).expect("it is listed");
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((&words[..4], words[5]), (&["ours", "client", "5", "2"][..], "away"), "{table}");
    let listed = weir.command(&["stream", "ls"], "");
    assert!(listed.contains("plant/+") && listed.contains("running"), "{listed}");
    let metrics = weir.rest().metrics();
    let readers = weir.rest().get(&format!("{PATH}/readers")).body["data"].clone();
    let lags = readers.as_array().into_iter().flatten().filter_map(|one| one["lag"].as_u64());
    let lag = lags.max().expect("there are readers");
    for line in [
        "weir_stream_appended_total{stream=\"plant/+\"} 7",
        "weir_stream_readers{stream=\"plant/+\"} 3",
        "weir_stream_readers_behind{stream=\"plant/+\"} 3",
        &format!("weir_stream_reader_lag{{stream=\"plant/+\"}} {lag}"),
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
}

#[test]
fn messages_are_looked_at_and_purged_for_good() {
    let weir = stocked(6);
    let get = |query: &str| weir.rest().get(&format!("{PATH}/messages{query}")).body;
    assert_eq!(offsets(&get("")), [0, 1, 2, 3, 4, 5]);
    let page = get("?offset=3&limit=2");
    assert_eq!((offsets(&page), &page["next"]), (vec![3, 4], &json!("5")));
    let message = &page["data"][0];
    assert_eq!(
        [&message["topic"], &message["payload"], &message["text"], &message["key"]],
        ["plant/b", "Mw==", "3", "b"]
    );
    let peeked = weir.command(&["stream", "peek", "plant/+", "-n", "1"], "");
    assert!(peeked.starts_with("0 ") && peeked.ends_with(" key=a plant/a 0\n"), "{peeked}");
    let tailed = weir.command(&["stream", "tail", "plant/+", "-n", "2", "-C", "2"], "");
    assert_eq!(tailed.lines().count(), 2, "{tailed}");
    let purge =
        |flags: &[&str]| weir.command(&[&["stream", "purge", "plant/+"], flags].concat(), "");
    assert_eq!(purge(&["--before", "2"]), "stream 'plant/+': 2 messages purged\n");
    assert_eq!(purge(&["-k", "b"]), "stream 'plant/+': 2 messages purged\n");
    let weir = weir.kill().restart();
    assert_eq!(offsets(&weir.rest().get(&format!("{PATH}/messages")).body), [2, 4]);
    let ledger = weir.rest().get(&format!("{PATH}/ledger")).body;
    let expected = json!({
        "stream": "plant/+", "appended": 6, "kept": 2, "expired": 0, "dropped": 0, "replaced": 0,
        "purged": 4, "balances": true,
    });
    assert_eq!(ledger, expected);
    let shown = weir.command(&["stream", "show", "plant/+"], "");
    assert!(shown.contains("= kept") && shown.ends_with("balances\n"), "{shown}");
    let done = weir.rest().post(&format!("{PATH}/purge"), &json!({"filter": "plant/a"}));
    assert_eq!((done.status, done.body), (200, json!({"purged": 2})));
}

#[test]
fn readers_are_set_elsewhere_and_forgotten_for_good() {
    let weir = stocked(4);
    let port = weir.mqtt.port().to_string();
    let read = |flags: &[&str]| {
        let sub = ["sub", "-p", &port, "-q", "1", "-W", "60", "-t", "$s/earliest/plant/+"];
        weir.command(&[&sub[..], flags].concat(), "")
    };
    assert_eq!(read(&["-i", "meter", "-C", "4"]), "0\n1\n2\n3\n");
    let group = ["-C", "4", "--stream-group", "workers"];
    assert_eq!(read(&[&["-i", "w1"][..], &group].concat()), "0\n1\n2\n3\n");
    let at_the_end = |one: &Value| is_away(one) && one["position"] == 4;
    reader(&weir, "client", "meter", at_the_end);
    reader(&weir, "group", "workers", at_the_end);
    let done = weir.command(&["stream", "seek", "plant/+", "2", "--group", "workers"], "");
    assert_eq!(done, "group 'workers' goes on at offset 2 of 'plant/+'\n");
    let done = weir.rest().post(&format!("{PATH}/seek"), &json!({"reader": "meter", "offset": 1}));
    assert_eq!((done.status, done.body), (200, json!({"position": 1})));
    let weir = weir.kill().restart();
    let port = weir.mqtt.port().to_string();
    let next = ["sub", "-p", &port, "-q", "1", "-W", "60", "-t", "$s/next/plant/+"];
    let rest_of = |flags: &[&str]| weir.command(&[&next[..], flags].concat(), "");
    let workers = ["-C", "2", "--stream-group", "workers"];
    assert_eq!(rest_of(&[&["-i", "w2"][..], &workers].concat()), "2\n3\n");
    // A client that reads cannot be forgotten.
    let mut consumer = weir.connect(&Connect::new("meter").receive_maximum(1));
    assert_eq!(consumer.subscribe("$s/next/plant/+", 1), 1);
    assert_eq!(consumer.message().1, b"1");
    let forget = |path: &str| weir.rest().delete(&format!("{PATH}/readers/{path}")).status;
    assert_eq!(forget("meter"), 409);
    let metrics = weir.rest().metrics();
    let found = |metric: &str| {
        let start = format!("weir_stream_{metric}{{stream=\"plant/+\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {metric} in\n{metrics}")).to_owned()
    };
    assert_eq!(found("reader_lag"), "3");
    let stats = &weir.rest().get(PATH).body["stats"];
    // All are of one size.
    assert_eq!(stats["lag_bytes"].as_u64(), stats["bytes"].as_u64().map(|bytes| bytes * 3 / 4));
    assert_eq!(found("reader_lag_bytes"), stats["lag_bytes"].to_string());
    let seconds = |metric: &str| found(metric).parse::<f64>().expect("seconds");
    assert!(seconds("reader_lag_seconds") > 0.0, "{metrics}");
    let week = 7.0 * 24.0 * 3600.0;
    let left = seconds("time_to_data_loss_seconds");
    assert!(left < week && left > week - 3600.0, "{left}");
    let consumers = weir.rest().get(&format!("{PATH}/consumers")).body;
    let one = &consumers["data"][0];
    assert_eq!(
        [&one["client_id"], &one["address"], &one["qos"], &one["in_flight"], &one["credit"]],
        [&json!("meter"), &json!("$s/next/plant/+"), &json!(1), &json!(1), &json!(0)]
    );
    assert_eq!(
        (consumers["data"].as_array().map(Vec::len), &consumers["next"]),
        (Some(1), &json!(null))
    );
    let table = weir.command(&["stream", "consumers", "plant/+"], "");
    assert!(table.lines().nth(1).is_some_and(|row| row.starts_with("meter")), "{table}");
    drop(consumer);
    reader(&weir, "client", "meter", is_away);
    // Nobody reads any more, and who is behind is behind.
    let stats = &weir.rest().get(PATH).body["stats"];
    assert_eq!((&stats["members"], &stats["readers_behind"]), (&json!(0), &json!(1)));
    assert_eq!((&stats["lag"], &stats["data_loss_by"]["max_bytes_ms"]), (&json!(3), &json!(null)));
    let lines = ["reader_lag{stream=\"plant/+\"} 3", "readers_behind{stream=\"plant/+\"} 1"];
    let metrics = weir.rest().metrics();
    for line in lines {
        assert!(metrics.contains(&format!("weir_stream_{line}\n")), "{line} in\n{metrics}");
    }
    assert_eq!((forget("meter"), forget("meter"), forget("workers")), (204, 404, 404));
    let done = weir.command(&["stream", "forget", "plant/+", "-g", "workers"], "");
    assert_eq!(done, "position of group 'workers' in 'plant/+' forgotten\n");
    let weir = weir.kill().restart();
    assert_eq!(weir.rest().get(&format!("{PATH}/readers")).body["data"], json!([]));
    let unknown =
        weir.rest().post(&format!("{PATH}/seek"), &json!({"reader": "meter", "offset": 1}));
    assert_eq!((unknown.status, &unknown.body["details"]["field"]), (400, &json!("reader")));
}

#[test]
fn a_stream_is_changed_paused_and_deleted_while_it_is_read() {
    let weir = stocked(3);
    let set = ["stream", "set", "plant/+", "max_messages=2"];
    assert!(weir.command(&set, "").starts_with("stream 'plant/+' changed"));
    until("the oldest goes", || {
        (weir.rest().get(PATH).body["stats"]["dropped"] == json!(1)).then_some(())
    });
    assert_eq!(weir.command(&["stream", "pause", "plant/+"], ""), "stream 'plant/+' paused\n");
    let weir = weir.kill().restart();
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$s/earliest/plant/+", 1), 1);
    reader(&weir, "client", "consumer", |one| one["members"] == 1 && one["in_flight"] == 0);
    let resumed = weir.rest().post(&format!("{PATH}/resume"), &json!({}));
    assert_eq!((resumed.status, &resumed.body["paused"]), (200, &json!(false)));
    assert_eq!(consumer.message().1, b"1");
    for (method, answer) in [
        ("a filter", weir.try_command(&["stream", "set", "plant/+", "topic_filter=a"], "")),
        ("twice", weir.try_command(&["stream", "create", "plant/+"], "")),
        ("a queue's", weir.try_command(&["stream", "set", "plant/+", "dead_letter=own"], "")),
    ] {
        assert_eq!(answer.status.code(), Some(1), "{method}: {answer:?}");
    }
    assert_eq!(weir.command(&["stream", "rm", "plant/+"], ""), "stream 'plant/+' deleted\n");
    assert_eq!(weir.rest().get(PATH).status, 404);
    assert_eq!(weir.rest().get("/streams").body, json!({"data": [], "next": null}));
}

#[test]
fn a_subscriber_makes_a_stream_with_the_defaults_of_the_configuration() {
    let options = Options::new().set("streams.defaults.max_messages", "2");
    let weir = Weir::start(options.set("streams.defaults.retention", "1d"));
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$s/latest/plant/+", 1), 1);
    publish(&weir, 0..3);
    let shown = until("the oldest goes", || {
        let body = weir.rest().get(PATH).body;
        (body["stats"]["dropped"] == json!(1)).then_some(body)
    });
    assert_eq!((&shown["retention"], &shown["max_messages"]), (&json!("1d"), &json!(2)));
    let other = weir.rest().post("/streams", &json!({"name": "logs", "topic_filter": "l/#"}));
    assert_eq!((other.status, &other.body["max_messages"]), (201, &json!(2)));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    assert_eq!(publisher.publish_acked("l/a", b"logged"), 0);
    let port = weir.mqtt.port().to_string();
    let sub = ["sub", "-p", &port, "-q", "1", "-C", "1", "-W", "60", "-t", "$stream/logs"];
    let read = weir.command(&[&sub[..], &["--stream-offset", "earliest"]].concat(), "");
    assert_eq!(read, "logged\n");
}

#[test]
fn top_shows_queues_streams_and_connections() {
    let weir = stocked(3);
    weir.rest().create_queue("work/#", json!({}));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    assert_eq!(publisher.publish_acked("work/a", b"x"), 0);
    let shown = weir.command(&["top", "--once", "-d", "100ms"], "");
    for words in ["ready", "connections 1,", "work/#", "plant/+"] {
        assert!(shown.contains(words), "{words} is missing in\n{shown}");
    }
    let json = weir.command(&["top", "--json", "-d", "100ms"], "");
    let seen: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&seen["queues"][0]["name"], &seen["queues"][0]["ready"]),
        (&json!("work/#"), &json!(1))
    );
    assert_eq!((&seen["streams"][0]["kept"], &seen["connections"]), (&json!(3), &json!(1)));
    assert_eq!(seen["queues"][0]["enqueued_per_second"], json!(0.0));
}
