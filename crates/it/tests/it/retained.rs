//! Retained messages of many topics: in the log, over kill -9, and no longer in segments that hold little else.

use std::collections::{BTreeMap, BTreeSet};

use it::{Client, Connect, Options, Segments, Weir, until};

const TOPICS: usize = 3_000;
const WINDOW: usize = 500;

/// Small segments, many checkpoints, and no body in memory.
fn options() -> Options {
    Options::new()
        .set("log.segment_size", "1MiB")
        .set("log.checkpoint_every", "1MiB")
        .set("log.reserve", "0")
        .set("mqtt.retained_cache", "0B")
}

fn payload(topic: usize, round: usize) -> Vec<u8> {
    let mut payload = format!("{topic} {round} ").into_bytes();
    // Some are longer than what is read at once around them.
    payload.resize(if topic.is_multiple_of(500) { 20_000 } else { 400 }, b'.');
    payload
}

/// Publishes what `wants` says yes to.
fn retain(weir: &Weir, round: usize, wants: impl Fn(usize) -> bool) {
    let messages: Vec<(String, Vec<u8>)> = (0..TOPICS)
        .filter(|topic| wants(*topic))
        .map(|topic| (format!("site/{}/{topic}", topic % 7), payload(topic, round)))
        .collect();
    let mut publisher = weir.connect(&Connect::new("publisher"));
    let messages = messages.iter().map(|(topic, payload)| (topic.as_str(), payload.as_slice()));
    publisher.retain_all(WINDOW, messages);
}

/// All that a new client gets at that QoS.
fn all(weir: &Weir, qos: u8) -> BTreeMap<String, Vec<u8>> {
    let mut client: Client = weir.connect(&Connect::new("subscriber"));
    assert_eq!(client.subscribe("#", qos), qos);
    let mut got = BTreeMap::new();
    while got.len() < TOPICS {
        let (topic, payload, id) = client.message();
        if let Some(id) = id {
            client.ack(id).expect("it is connected");
        }
        assert_eq!(got.insert(topic.clone(), payload), None, "{topic} came twice");
    }
    got
}

fn assert_all(got: &BTreeMap<String, Vec<u8>>, round_of: impl Fn(usize) -> usize) {
    for topic in 0..TOPICS {
        let name = format!("site/{}/{topic}", topic % 7);
        assert_eq!(got[&name], payload(topic, round_of(topic)), "{name}");
    }
}

#[test]
fn old_retained_messages_keep_no_segments_and_survive_kills() {
    let mut weir = Weir::start(options());
    retain(&weir, 0, |_| true);
    assert_all(&all(&weir, 0), |_| 0);
    let first = Segments::of(weir.data_dir()).oldest().to_owned();
    weir = weir.kill().restart();
    assert_all(&all(&weir, 1), |_| 0);
    // All but every fiftieth are replaced: the first segments are kept for those.
    let is_old = |topic: usize| topic.is_multiple_of(50);
    for round in 1..4 {
        retain(&weir, round, |topic| !is_old(topic));
    }
    until("the first segment to go", || (!first.exists()).then_some(()));
    let round_of = |topic| if is_old(topic) { 0 } else { 3 };
    assert_all(&all(&weir, 1), round_of);
    weir = weir.kill().restart();
    assert_all(&all(&weir, 0), round_of);
}

/// [MQTT-4.4.0-1]
#[test]
fn a_replay_to_a_session_goes_on_over_kills() {
    const OPEN: u16 = 100;
    let mut weir = Weir::start(options());
    retain(&weir, 0, |_| true);
    let connect = Connect { clean: false, ..Connect::new("archive").receive_maximum(OPEN) };
    let mut client = weir.connect(&connect);
    assert_eq!(client.subscribe("site/#", 1), 1);
    let mut got = BTreeSet::new();
    for round in 1..4 {
        for _ in 0..500 {
            let (topic, _, id) = client.message();
            client.ack(id.expect("QoS 1")).expect("it is connected");
            got.insert(topic);
        }
        // These stay without an answer, and their topics have other messages by the time of the kill.
        let mut open: BTreeMap<Option<u16>, (String, Vec<u8>)> = BTreeMap::new();
        for _ in 0..OPEN {
            let (topic, payload, id) = client.message();
            open.insert(id, (topic, payload));
        }
        let topics: BTreeSet<String> = open.values().map(|(topic, _)| topic.clone()).collect();
        retain(&weir, round, |topic| topics.contains(&format!("site/{}/{topic}", topic % 7)));
        weir = weir.kill().restart();
        client = weir.connect(&connect);
        let mut answers = Vec::new();
        while !open.is_empty() {
            let (topic, payload, id) = client.message();
            match open.remove(&id) {
                Some(before) => {
                    assert_eq!((&topic, &payload), (&before.0, &before.1), "{id:?}");
                    answers.push(id.expect("QoS 1"));
                    got.insert(topic);
                }
                None => {
                    // An answer that came right before the kill may be forgotten.
                    assert!(got.contains(&topic), "{topic} came before what is older");
                    client.ack(id.expect("QoS 1")).expect("it is connected");
                }
            }
        }
        for id in answers {
            client.ack(id).expect("it is connected");
        }
    }
    while got.len() < TOPICS {
        let (topic, _, id) = client.message();
        client.ack(id.expect("QoS 1")).expect("it is connected");
        got.insert(topic);
    }
}
