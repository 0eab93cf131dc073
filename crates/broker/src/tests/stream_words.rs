//! Words about streams, and those for what an operator is answered:
//!
//! - `stream <name> <filter or -> [property=value …]` creates, `restream <name> [property=value …]` changes,
//!   `unstream <name>` deletes; durations are in milliseconds;
//! - `kept <name>`: its account; `read <name> [from=] [limit=]`: its messages; `cut <name> [filter=] [key=] [before=]`: a purge;
//! - `readers <name> [limit=]`, `set <name> <reader> <to>`, `forget <name> <reader>`, where a reader is `c:<client id>` or
//!   `g:<group>`, and `to` is `earliest`, `latest`, an offset or `@<milliseconds>`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hashbrown::HashMap;
use key_expression::KeyExpression;
use mqtt_router::SinkId;
use stdx::UnixMillis;
use stream_engine::ReaderName;

use super::client::Words;
use super::world::{EPOCH_MS, World};
use crate::control::{NewStream, StreamChange};
use crate::directory::{Durability, StreamProperties};
use crate::listing::Page;
use crate::mail::StreamState;
use crate::operate::{OperateError, SeekTo, StreamLook, StreamMessage, StreamPurge, StreamReader};

impl World {
    /// Does one of an operator's commands about a stream; false when it is none. Answers are said when they come.
    pub(super) fn stream_command(&mut self, words: &Words<'_>) -> bool {
        let answers = self.answers.clone();
        let say = move |lines: Vec<String>| answers.lock().expect("not poisoned").extend(lines);
        let limit = words.value("limit").map_or(1_000, |limit| limit.parse().expect("a number"));
        let number = |key| words.value(key).map(|text| text.parse::<u64>().expect("a number"));
        let name = words.at(1);
        match words.at(0) {
            "stream" => {
                let mut properties = StreamProperties::default();
                apply(&mut properties, words);
                let stream = NewStream {
                    name: name.to_owned(),
                    topic_filter: Some(words.at(2).to_owned()).filter(|filter| filter != "-"),
                    properties,
                };
                let reply = move |result: Result<_, crate::ControlError>| {
                    say(result.err().iter().map(ToString::to_string).collect());
                };
                self.handle.create_stream(stream, Box::new(reply));
            }
            "restream" => {
                let known = self.handle.stream(name).expect("a stream");
                let mut properties = known.properties.clone();
                apply(&mut properties, words);
                let topic_filter = words.value("filter").map(|filter| Some(filter.to_owned()));
                let properties = Some(properties);
                let change = StreamChange { properties, topic_filter, paused: None };
                let reply = move |result: Result<_, crate::ControlError>| {
                    say(result.err().iter().map(ToString::to_string).collect());
                };
                self.handle.change_stream(name.to_owned(), change, Box::new(reply));
            }
            "unstream" => {
                let reply = move |result: Result<_, crate::ControlError>| {
                    say(result.err().iter().map(ToString::to_string).collect());
                };
                self.handle.delete_stream(name.to_owned(), Box::new(reply));
            }
            "kept" => {
                let sink = self.handle.stream(name).map(|stream| stream.sink);
                let reply = move |states: HashMap<SinkId, StreamState>| {
                    let state = sink.and_then(|sink| states.get(&sink));
                    say(vec![state.map_or("no such stream".to_owned(), state_line)]);
                };
                self.handle.stream_states(Box::new(reply));
            }
            "read" => {
                let look = StreamLook { from: number("from").unwrap_or(0), limit };
                let lines = |page: Page<StreamMessage, u64>| {
                    let next = page.next.map(|next| format!("next {next}"));
                    page.data.iter().map(message_line).chain(next).collect()
                };
                let reply = Box::new(move |page| say(told(page, lines)));
                self.handle.peek_stream(name, look, reply);
            }
            "cut" => {
                let reply = Box::new(move |purged| {
                    say(told(purged, |purged: u64| vec![format!("purged {purged}")]));
                });
                let (filter, key) = (words.value("filter"), words.value("key"));
                let purge = StreamPurge { filter, key, before: number("before") };
                self.handle.purge_stream(name, purge, reply);
            }
            "readers" => {
                let lines = |page: Page<StreamReader, ReaderName>| {
                    let next = page.next.map(|_| "more".to_owned());
                    page.data.iter().map(reader_line).chain(next).collect()
                };
                let after = words.value("after").map(reader);
                let reply = Box::new(move |page| say(told(page, lines)));
                self.handle.stream_readers(name, (after, limit), reply);
            }
            "set" => {
                let to = match words.at(3) {
                    "earliest" => SeekTo::Earliest,
                    "latest" => SeekTo::Latest,
                    text => match text.strip_prefix('@') {
                        Some(ms) => {
                            let ms: u64 = ms.parse().expect("milliseconds");
                            SeekTo::Time(UnixMillis(EPOCH_MS + ms))
                        }
                        None => SeekTo::Offset(text.parse().expect("an offset")),
                    },
                };
                let line = |position: u64| vec![format!("at {position}")];
                let reply = Box::new(move |position| say(told(position, line)));
                self.handle.seek_stream(name, reader(words.at(2)), to, reply);
            }
            "forget" => {
                let line = |()| vec!["forgotten".to_owned()];
                let reply = Box::new(move |result| say(told(result, line)));
                self.handle.forget_reader(name, reader(words.at(2)), reply);
            }
            _ => return false,
        }
        true
    }

    /// A stream's numbers.
    pub(super) fn stream_state(&mut self, name: &str) -> Option<StreamState> {
        let sink = self.handle.stream(name)?.sink;
        let found = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&found);
        let reply = move |states: HashMap<SinkId, StreamState>| {
            *keep.lock().expect("not poisoned") = states.get(&sink).cloned();
        };
        self.handle.stream_states(Box::new(reply));
        self.settle();
        found.lock().expect("not poisoned").take()
    }
}

fn told<T>(result: Result<T, OperateError>, lines: impl FnOnce(T) -> Vec<String>) -> Vec<String> {
    result.map_or_else(|error| vec![error.to_string()], lines)
}

fn reader(text: &str) -> ReaderName {
    match text.split_once(':') {
        Some(("c", id)) => ReaderName::client(id),
        Some(("g", name)) => ReaderName::group(name),
        _ => panic!("no reader: {text}"),
    }
}

fn state_line(state: &StreamState) -> String {
    let ledger = &state.ledger;
    let terms = [
        ("appended", ledger.appended),
        ("kept", ledger.kept),
        ("expired", ledger.expired),
        ("dropped", ledger.dropped),
        ("replaced", ledger.replaced),
        ("purged", ledger.purged),
        ("readers", ledger.readers),
        ("members", ledger.members),
        ("redelivered", ledger.redelivered),
    ];
    let terms = terms.iter().filter(|(_, n)| *n > 0).map(|(term, n)| format!("{term}={n}"));
    terms.collect::<Vec<_>>().join(" ")
}

fn message_line(message: &StreamMessage) -> String {
    let StreamMessage { offset, stored, message, key } = message;
    let body = message.as_ref().map_or("-".to_owned(), |message| {
        let payload = String::from_utf8_lossy(message.payload());
        format!("{} {payload}", message.topic())
    });
    let at = stored.0 - EPOCH_MS;
    let key = key.as_ref().map(|key| format!(" key={key}")).unwrap_or_default();
    format!("{offset} {body} at={at}{key}")
}

fn reader_line(reader: &StreamReader) -> String {
    let StreamReader {
        name, position, lag, members, in_flight, waiting, rejected, skipped, ..
    } = reader;
    let mut line = format!("{name} at {position}");
    for (what, number) in [
        ("lag", lag),
        ("members", members),
        ("in_flight", in_flight),
        ("waiting", waiting),
        ("rejected", rejected),
        ("skipped", skipped),
    ] {
        if *number > 0 {
            line += &format!(" {what}={number}");
        }
    }
    line
}

fn apply(properties: &mut StreamProperties, words: &Words<'_>) {
    let number = |key| words.value(key).map(|text| text.parse::<u64>().expect("a number"));
    let duration = |key| number(key).map(Duration::from_millis);
    let config = &mut properties.config;
    let set = |place: &mut Duration, value: Option<Duration>| *place = value.unwrap_or(*place);
    set(&mut config.retention, duration("retention"));
    set(&mut config.retry_delay, duration("retry_delay"));
    set(&mut config.keep_positions, duration("keep_positions"));
    config.max_messages = number("max_messages").or(config.max_messages);
    config.max_bytes = number("max_bytes").or(config.max_bytes);
    config.max_inflight = number("max_inflight").map_or(config.max_inflight, |n| n as u32);
    config.readers_max = number("readers_max").map_or(config.readers_max, |n| n as usize);
    config.last_value = words.value("last_value").map_or(config.last_value, |text| text == "yes");
    config.paused = words.value("paused").map_or(config.paused, |text| text == "yes");
    if let Some(key) = words.value("key") {
        config.keyed = true;
        properties.key_expression = KeyExpression::parse(key).expect("a key expression");
    }
    match words.value("durability") {
        None => {}
        Some("os") => properties.durability = Durability::Os,
        Some("memory") => properties.durability = Durability::Memory,
        Some(other) => panic!("unknown durability {other}"),
    }
}
