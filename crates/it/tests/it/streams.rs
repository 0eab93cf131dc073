//! Streams: clients that nobody here wrote read them from where they say, also after kill -9, and positions are kept.

use it::{Client, Connect, Options, Version, Weir};

use crate::operator::{mosquitto, words};

const MESSAGES: usize = 300;
/// How many the reader acknowledges before the broker is killed.
const READ: usize = 100;

/// A stream, made by a subscription, and messages in it.
fn fill(weir: &Weir) {
    let mut maker = weir.connect(&Connect::new("maker").version(Version::V311));
    assert_eq!(maker.subscribe("$s/latest/log/#", 0), 0);
    maker.disconnect();
    let mut client = weir.connect(&Connect::new("publisher"));
    let messages: Vec<(String, String)> =
        (0..MESSAGES).map(|n| (format!("log/{}", n % 7), n.to_string())).collect();
    client.publish_all(50, messages.iter().map(|(topic, text)| (topic.as_str(), text.as_bytes())));
}

/// What mosquitto reads from there until all is read.
fn read(weir: &Weir, version: &str, from: usize, filter: &str) {
    let count = (MESSAGES - from).to_string();
    let arguments = ["-V", version, "-q", "1", "-t", filter, "-C", &count, "-W", "60"];
    let output = mosquitto(weir, "mosquitto_sub", &arguments);
    let wanted: Vec<String> = (from..MESSAGES).map(|n| n.to_string()).collect();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.lines().collect::<Vec<_>>(), wanted, "{}", words(&output));
}

#[test]
fn mosquitto_reads_a_stream_from_where_it_says_also_after_a_kill() {
    let mut weir = Weir::start(Options::new().set("server.shards", "2"));
    fill(&weir);
    for shards in ["1", "3"] {
        for version in ["5", "311"] {
            read(&weir, version, 0, "$s/earliest/log/#");
            read(&weir, version, 170, "$s/170/log/#");
        }
        weir = weir.kill().set("server.shards", shards).restart();
    }
    read(&weir, "5", 0, "$s/@2001-02-03T04:05:06Z/log/#");
}

fn next(client: &mut Client) -> (usize, u16) {
    let (_, payload, id) = client.message();
    let text = String::from_utf8(payload).expect("a number");
    (text.parse().expect("a number"), id.expect("at QoS 1"))
}

#[test]
fn a_reader_goes_on_where_it_was_after_a_kill() {
    let weir = Weir::start(Options::new());
    fill(&weir);
    let reader = Connect::new("reader").version(Version::V311);
    let mut client = weir.connect(&reader);
    assert_eq!(client.subscribe("$s/next/log/#", 1), 1);
    for wanted in 0..READ {
        let (number, id) = next(&mut client);
        assert_eq!(number, wanted);
        client.ack(id).expect("it is connected");
    }
    let weir = weir.kill().restart();
    let mut client = weir.connect(&reader);
    assert_eq!(client.subscribe("$s/next/log/#", 1), 1);
    let (first, id) = next(&mut client);
    assert!(first <= READ, "{first} is beyond what was acknowledged");
    client.ack(id).expect("it is connected");
    for wanted in first + 1..MESSAGES {
        let (number, id) = next(&mut client);
        assert_eq!(number, wanted);
        client.ack(id).expect("it is connected");
    }
}

/// The positions of the user property `stream-offset`, by a client that nobody here wrote.
#[test]
fn mosquitto_says_by_a_property_where_it_begins() {
    let weir = Weir::start(Options::new());
    let made = weir.command(&["stream", "create", "log", "--filter", "log/#"], "");
    assert!(made.starts_with("stream 'log' created"), "{made}");
    let publish = |text: &str| {
        let arguments = ["-V", "5", "-q", "1", "-t", "log/a", "-m", text];
        assert!(mosquitto(&weir, "mosquitto_pub", &arguments).status.success());
    };
    let read = |id: &str, offset: &str, wanted: &str| {
        let count = wanted.len().to_string();
        let whole = ["-V", "5", "-i", id, "-q", "1", "-t", "$stream/log", "-C", &count, "-W", "60"];
        let place = ["-D", "subscribe", "user-property", "stream-offset", offset, "-F", "%p"];
        let output = mosquitto(&weir, "mosquitto_sub", &[&whole[..], &place[..]].concat());
        let text = String::from_utf8_lossy(&output.stdout).replace('\n', "");
        assert_eq!(text, wanted, "{id} at {offset}: {}", words(&output));
    };
    ["a", "b", "c", "d"].into_iter().for_each(publish);
    read("one", "earliest", "abcd");
    read("one", "2", "cd");
    read("one", "@2026-01-01T00:00:00Z", "abcd");
    read("two", "next", "abcd");
    let third = weir.rest().get("/streams/log/messages?offset=2&limit=1").body;
    let time = third["data"][0]["publish_ts"].as_str().expect("a time").to_owned();
    read("one", &format!("@{time}"), "cd");
    ["e", "f"].into_iter().for_each(publish);
    read("two", "next", "ef");
}
