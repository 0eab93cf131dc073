//! Random commands with crashes in between: what was acknowledged is in its streams, at one offset for ever; each reader gets
//! all of it, in order, and not again what is settled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::World;
use crate::config::Config;

const PUBLISHERS: [&str; 2] = ["p0", "p1"];
/// Who reads, and for which group.
const CLIENTS: [(&str, Option<&str>); 4] =
    [("c0", None), ("c1", None), ("c2", Some("w")), ("c3", Some("w"))];
const STREAMS: [&str; 2] = ["one", "two"];
const TOPICS: [&str; 3] = ["t/single", "t/both", "t/both"];

#[derive(Clone, Debug)]
enum Step {
    Publish { publisher: usize, topic: usize, qos: u8 },
    Subscribe { client: usize, stream: usize, qos: u8, start: &'static str },
    Unsubscribe { client: usize, stream: usize },
    Answer { client: usize, nth: usize, code: &'static str },
    Lose { client: usize },
    Block { client: usize },
    Unblock { client: usize },
    Wait { milliseconds: u64 },
    Log(&'static str),
    Checkpoint,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS.len();
    let stream = 0..STREAMS.len();
    let codes = vec!["00", "00", "00", "97", "80", "99"];
    prop_oneof![
        8 => (0..PUBLISHERS.len(), 0..TOPICS.len(), 0..3_u8)
            .prop_map(|(publisher, topic, qos)| Step::Publish { publisher, topic, qos }),
        4 => (client.clone(), stream.clone(), 0..3_u8, prop::sample::select(vec!["next", "next", "earliest"]))
            .prop_map(|(client, stream, qos, start)| Step::Subscribe { client, stream, qos, start }),
        1 => (client.clone(), stream)
            .prop_map(|(client, stream)| Step::Unsubscribe { client, stream }),
        9 => (client.clone(), 0..4_usize, prop::sample::select(codes))
            .prop_map(|(client, nth, code)| Step::Answer { client, nth, code }),
        1 => client.clone().prop_map(|client| Step::Lose { client }),
        1 => client.clone().prop_map(|client| Step::Block { client }),
        1 => client.prop_map(|client| Step::Unblock { client }),
        3 => prop::sample::select(vec![1, 60, 1500]).prop_map(|milliseconds| Step::Wait { milliseconds }),
        3 => prop::sample::select(vec!["hold", "commit", "commit", "full", "well", "well"]).prop_map(Step::Log),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Crash),
    ]
}

/// A stream, and a client or a group that reads it.
type Reader = (String, String);

/// A message that a client has and has not answered.
struct Held {
    client: String,
    id: u16,
    qos: u8,
    stream: String,
    offset: u64,
}

/// What is known of a reader.
#[derive(Default)]
struct Read {
    /// Offsets that it was given and has not settled.
    open: BTreeSet<u64>,
    settled: BTreeSet<u64>,
    /// Those of them that a crash does not bring again.
    durable: BTreeSet<u64>,
    /// Messages that it was ever given.
    had: BTreeSet<u32>,
    /// The newest that it was given since it began or went back, and since the broker did.
    newest: Option<u64>,
    /// It went back before these, and what it had then may come once more.
    went_back: Option<u64>,
}

impl Read {
    fn is_sure(&self, offset: u64) -> bool {
        self.went_back.is_none_or(|last| offset > last)
    }
}

struct Twin {
    world: World,
    messages: u32,
    topics: BTreeMap<u32, usize>,
    publishing: BTreeMap<(String, u16), u32>,
    acknowledged: BTreeSet<u32>,
    refused: BTreeSet<u32>,
    offsets: BTreeMap<(String, u64), u32>,
    held: Vec<Held>,
    readers: BTreeMap<Reader, Read>,
    is_held: bool,
}

fn name_of(client: &str) -> String {
    let (_, group) = CLIENTS.iter().find(|(name, _)| *name == client).expect("a reader");
    group.map_or(client.to_owned(), |group| format!("g:{group}"))
}

impl Twin {
    /// Over so many shards, with room to read ahead for so many messages, and for so many bytes.
    fn new(shards: u16, (read_ahead_messages, read_ahead_bytes): (usize, usize)) -> Self {
        let config = Config { shards, read_ahead_messages, read_ahead_bytes, ..Config::default() };
        let mut world = World::new(config);
        for line in ["stream one t/+ max_inflight=3", "stream two t/both", "create jobs t/both"] {
            assert_eq!(world.command(line), [""; 0]);
        }
        let mut twin = Self {
            world,
            messages: 0,
            topics: BTreeMap::new(),
            publishing: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            refused: BTreeSet::new(),
            offsets: BTreeMap::new(),
            held: Vec::new(),
            readers: BTreeMap::new(),
            is_held: false,
        };
        twin.connect_all();
        twin
    }

    fn connect_all(&mut self) {
        for name in PUBLISHERS.iter().chain(CLIENTS.iter().map(|(name, _)| name)) {
            self.command(&format!("{name} connect rm=5"));
        }
    }

    fn command(&mut self, line: &str) {
        let mut lines = VecDeque::from([line.to_owned()]);
        while let Some(line) = lines.pop_front() {
            // All that has come is heard before something is said to it.
            for heard in self.world.command(&line) {
                lines.extend(self.hear(&heard));
            }
        }
    }

    /// Hears a line, and gives what is to be said to it.
    fn hear(&mut self, line: &str) -> Option<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words[0].to_owned();
        match words[1] {
            "puback" | "pubrec" => {
                let id: u16 = words[2].parse().expect("a packet id");
                let message = self.publishing.remove(&(name, id)).expect("a publish that waits");
                let taken =
                    if words[3] == "00" { &mut self.acknowledged } else { &mut self.refused };
                taken.insert(message);
            }
            "publish" => self.hear_message(name, &words),
            "pubrel" => return Some(format!("{name} pubcomp {}", words[2])),
            _ => {}
        }
        None
    }

    fn hear_message(&mut self, client: String, words: &[&str]) {
        let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let qos: u8 = words[2].parse().expect("a QoS");
        let id = value("id=").map_or(0, |id| id.parse().expect("a number"));
        let stream = value("stream:").expect("metadata").to_owned();
        let offset: u64 = value("offset:").expect("metadata").parse().expect("a number");
        let attempt: u32 = value("attempt:").expect("metadata").parse().expect("a number");
        let at = words.iter().position(|word| word.starts_with("t/")).expect("a topic");
        let message: u32 = words[at + 1].parse().expect("a number");
        assert!(!self.refused.contains(&message), "refused, and here: {words:?}");
        let known = *self.offsets.entry((stream.clone(), offset)).or_insert(message);
        assert_eq!(known, message, "another message at that offset: {words:?}");
        let read = self.readers.entry((stream.clone(), name_of(&client))).or_default();
        let is_again = read.settled.contains(&offset) && read.is_sure(offset);
        assert!(!is_again, "settled, and here again: {words:?}");
        let is_first = read.newest.is_none_or(|newest| newest < offset);
        let is_in_order = is_first || read.open.contains(&offset) || attempt > 1;
        // Among the members of a group there is no order.
        let is_group = name_of(&client) != client;
        assert!(is_in_order || is_group || !read.is_sure(offset), "out of order: {words:?}");
        read.newest = read.newest.max(Some(offset));
        read.had.insert(message);
        let is_twice = self.held.iter().any(|held| {
            (held.stream.as_str(), held.offset) == (&stream, offset)
                && name_of(&held.client) == name_of(&client)
        });
        assert!(!is_twice, "two have it: {words:?}");
        if qos == 0 {
            read.open.remove(&offset);
            read.settled.insert(offset);
        } else {
            read.open.insert(offset);
            self.held.push(Held { client, id, qos, stream, offset });
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Publish { publisher, topic, qos } => {
                self.messages += 1;
                let (name, id) = (PUBLISHERS[publisher], self.messages as u16);
                self.topics.insert(self.messages, topic);
                let packet_id = if qos == 0 { String::new() } else { format!(" id={id}") };
                if qos > 0 {
                    self.publishing.insert((name.to_owned(), id), self.messages);
                }
                self.command(&format!("{name} publish {qos} {} {id}{packet_id}", TOPICS[topic]));
                if qos == 2 && !self.publishing.contains_key(&(name.to_owned(), id)) {
                    self.command(&format!("{name} pubrel {id}"));
                }
            }
            Step::Subscribe { client, stream, qos, start } => {
                let ((name, group), stream) = (CLIENTS[client], STREAMS[stream]);
                let reader = (stream.to_owned(), name_of(name));
                if start == "earliest" && group.is_none() {
                    // It goes back; what the client has stays with it.
                    let read = self.readers.entry(reader).or_default();
                    read.settled.clear();
                    read.durable.clear();
                    read.newest = None;
                    read.went_back = Some(u64::from(self.messages));
                }
                let group = group.map(|group| format!(" up=stream-group:{group}"));
                let group = group.unwrap_or_default();
                self.command(&format!(
                    "{name} subscribe 9 $stream/{stream},{qos} metadata up=stream-offset:{start}{group}"
                ));
            }
            Step::Unsubscribe { client, stream } => {
                // What is on its way when its subscription ends comes again, and is heard all the same.
                self.step(&Step::Unblock { client });
                let (name, stream) = (CLIENTS[client].0, STREAMS[stream]);
                self.held.retain(|held| held.client != name || held.stream != stream);
                self.command(&format!("{name} unsubscribe 9 $stream/{stream}"));
            }
            Step::Answer { client, nth, code } => self.answer(CLIENTS[client].0, nth, code),
            Step::Lose { client } => {
                let name = CLIENTS[client].0;
                self.held.retain(|held| held.client != name);
                self.command(&format!("{name} lost"));
                self.command(&format!("{name} connect rm=5"));
            }
            Step::Block { client } => self.command(&format!("{} block", CLIENTS[client].0)),
            Step::Unblock { client } => self.command(&format!("{} unblock", CLIENTS[client].0)),
            Step::Wait { milliseconds } => {
                let settled: Vec<(Reader, BTreeSet<u64>)> = self
                    .readers
                    .iter()
                    .map(|(reader, read)| (reader.clone(), read.settled.clone()))
                    .collect();
                self.command(&format!("wait {milliseconds}"));
                if milliseconds >= 50 && !self.is_held {
                    self.note_durable(&settled);
                }
            }
            Step::Log(word) => {
                self.is_held = word == "hold" || (self.is_held && word != "commit");
                self.command(&format!("log {word}"));
            }
            Step::Checkpoint => self.command("checkpoint"),
            Step::Crash => self.crash(),
        }
    }

    /// What was settled so long ago is so durably; but not while the log is full.
    fn note_durable(&mut self, settled: &[(Reader, BTreeSet<u64>)]) {
        if self.world.log_is_full() {
            return;
        }
        for (reader, settled) in settled {
            let read = self.readers.entry(reader.clone()).or_default();
            let sure = settled.iter().copied().filter(|offset| read.is_sure(*offset));
            let sure: Vec<u64> = sure.collect();
            read.durable.extend(sure);
        }
    }

    fn answer(&mut self, client: &str, nth: usize, code: &str) {
        let mut mine = self.held.iter().enumerate().filter(|(_, held)| held.client == client);
        let Some((at, _)) = mine.nth(nth) else { return };
        let Held { id, qos, stream, offset, .. } = self.held.remove(at);
        if matches!(code, "00" | "99") {
            let read = self.readers.entry((stream, name_of(client))).or_default();
            read.open.remove(&offset);
            read.settled.insert(offset);
        }
        let ack = if qos == 1 { "puback" } else { "pubrec" };
        self.command(&format!("{client} {ack} {id} {code}"));
    }

    fn crash(&mut self) {
        self.command("crash");
        self.is_held = false;
        self.publishing.clear();
        self.held.clear();
        for read in self.readers.values_mut() {
            read.settled = read.durable.clone();
            read.open.clear();
            read.newest = None;
        }
        self.connect_all();
    }

    /// All is well again: each reader gets what it never had.
    fn finish(mut self) {
        self.crash();
        for stream in STREAMS {
            let all: Vec<u32> = self.acknowledged.iter().copied().collect();
            let wanted = |message: &u32| stream == "one" || self.topics[message] > 0;
            let all: Vec<u32> = all.into_iter().filter(wanted).collect();
            for (client, start) in [(0, "next"), (1, "earliest"), (2, "next")] {
                self.step(&Step::Subscribe {
                    client,
                    stream: usize::from(stream == "two"),
                    qos: 1,
                    start,
                });
                while let Some(held) = self.held.first() {
                    let client = held.client.clone();
                    self.answer(&client, 0, "00");
                }
                let reader = (stream.to_owned(), name_of(CLIENTS[client].0));
                let read = &self.readers.entry(reader).or_default();
                let lost = all.iter().find(|message| !read.had.contains(*message));
                assert_eq!(lost, None, "a message of {stream} never came to {client}");
            }
            let state = self.world.stream_state(stream).expect("it is there");
            assert!(state.ledger.balances() && state.ledger.kept == state.next_offset);
        }
        assert_eq!(self.world.open_ends(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_come_to_each_reader(
        shards in 1..4_u16,
        ahead in prop::sample::select(vec![(1, 1), (4, 30), (2048, 1 << 20)]),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut twin = Twin::new(shards, ahead);
        for step in &steps {
            twin.step(step);
        }
        twin.finish();
    }
}
