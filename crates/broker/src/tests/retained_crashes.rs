//! Random retained messages, removals, expiries, checkpoints, segments that go and crashes, against a naive twin: a map
//! from topics to the last message that the log took.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::World;
use crate::config::Config;

const TOPICS: u8 = 6;
/// On three shards they are not all at one.
const PUBLISHERS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Debug)]
enum Step {
    Publish {
        publisher: usize,
        qos: u8,
        topic: u8,
        expiry: Option<u16>,
        is_long: bool,
    },
    Remove {
        publisher: usize,
        topic: u8,
    },
    /// A message of which a queue and a durable session hold the body too.
    Stored {
        topic: u8,
    },
    Late {
        publisher: usize,
    },
    Run,
    Wait {
        milliseconds: u64,
    },
    Log(&'static str),
    Checkpoint,
    Crash,
    Look {
        window: u16,
        qos: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let topic = 0..TOPICS;
    let publisher = 0..PUBLISHERS.len();
    let expiry = prop_oneof![3 => Just(None), 1 => (1..20_u16).prop_map(Some)];
    prop_oneof![
        12 => (publisher.clone(), 0..2_u8, topic.clone(), expiry, prop::bool::weighted(0.1))
            .prop_map(|(publisher, qos, topic, expiry, is_long)| {
                Step::Publish { publisher, qos, topic, expiry, is_long }
            }),
        4 => (publisher.clone(), topic.clone())
            .prop_map(|(publisher, topic)| Step::Remove { publisher, topic }),
        1 => topic.prop_map(|topic| Step::Stored { topic }),
        1 => publisher.prop_map(|publisher| Step::Late { publisher }),
        2 => Just(Step::Run),
        3 => prop::sample::select(vec![1, 900, 3_000, 11_000])
            .prop_map(|milliseconds| Step::Wait { milliseconds }),
        2 => prop::sample::select(vec!["hold", "commit", "commit"]).prop_map(Step::Log),
        3 => Just(Step::Checkpoint),
        1 => Just(Step::Crash),
        2 => (1..4_u16, 0..2_u8).prop_map(|(window, qos)| Step::Look { window, qos }),
    ]
}

/// A message of the twin, and when it expires.
type Message = (String, Option<u64>);

struct Twin {
    world: World,
    now_ms: u64,
    /// What subscribers see.
    seen: BTreeMap<u8, Message>,
    /// What they saw when the log was held: a crash undoes what came since.
    stored: Option<BTreeMap<u8, Message>>,
    numbers: u32,
    ids: u16,
}

impl Twin {
    fn new(shards: u16, cache: u64) -> Self {
        let config = Config { shards, retained_cache: cache, ..Config::default() };
        let mut twin = Self {
            world: World::new(config),
            now_ms: 0,
            seen: BTreeMap::new(),
            stored: None,
            numbers: 0,
            ids: 0,
        };
        twin.world.command("segments 5");
        twin.world.command("d connect expiry=100000");
        twin.world.command("d subscribe 1 k/+,1");
        twin.world.command("d lost");
        twin.connect();
        twin.world.command("create k k/+");
        twin
    }

    fn connect(&mut self) {
        for name in PUBLISHERS {
            self.world.command(&format!("{name} connect id=p{name}"));
        }
    }

    fn run(&mut self) {
        self.world.command("run");
        self.world.command("wait 0");
    }

    fn publish(&mut self, name: &str, qos: u8, topic: &str, payload: &str, more: &str) {
        self.ids = self.ids % 60_000 + 1;
        let id = if qos > 0 { format!("id={}", self.ids) } else { String::new() };
        self.world.command(&format!("{name} publish {qos} {topic} {payload} {id} retain {more}"));
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Publish { publisher, qos, topic, expiry, is_long } => {
                self.numbers += 1;
                // A client says of a long payload how long it is.
                let (payload, shown) = if is_long {
                    let length = 5000 + self.numbers as usize;
                    ("x".repeat(length), format!("<{length}"))
                } else {
                    (self.numbers.to_string(), self.numbers.to_string())
                };
                let due = expiry.map(|expiry| self.now_ms + u64::from(expiry) * 1000);
                self.seen.insert(topic, (shown, due));
                let more = expiry.map(|expiry| format!("expiry={expiry}")).unwrap_or_default();
                self.publish(PUBLISHERS[publisher], qos, &format!("r/{topic}"), &payload, &more);
            }
            Step::Remove { publisher, topic } => {
                self.seen.remove(&topic);
                self.publish(PUBLISHERS[publisher], 0, &format!("r/{topic}"), "-", "");
            }
            Step::Stored { topic } => self.publish("a", 1, &format!("k/{topic}"), "kept", ""),
            Step::Late { publisher } => {
                self.world.command(&format!("late p{}", PUBLISHERS[publisher]));
            }
            Step::Run => self.run(),
            Step::Wait { milliseconds } => {
                self.now_ms += milliseconds;
                self.world.command(&format!("wait {milliseconds}"));
            }
            Step::Log("hold") => {
                self.run();
                self.world.command("log hold");
                self.stored.get_or_insert_with(|| self.seen.clone());
            }
            Step::Log(word) => {
                self.world.command(&format!("log {word}"));
                self.stored = None;
            }
            Step::Checkpoint => drop(self.world.command("checkpoint")),
            Step::Crash => {
                self.run();
                self.world.command("crash");
                if let Some(stored) = self.stored.take() {
                    self.seen = stored;
                }
                self.connect();
            }
            Step::Look { window, qos } => self.look(window, qos),
        }
    }

    /// A new client gets what is there, whatever is on its way.
    fn look(&mut self, window: u16, qos: u8) {
        self.run();
        let mut heard = self.world.command(&format!("s connect rm={window}"));
        heard.append(&mut self.world.command(&format!("s subscribe 1 r/#,{qos}")));
        let (mut got, mut at) = (BTreeMap::new(), 0);
        while let Some(line) = heard.get(at).cloned() {
            at += 1;
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[..2] != ["s", "publish"] {
                continue;
            }
            if let Some(id) = words.iter().find_map(|word| word.strip_prefix("id=")) {
                heard.append(&mut self.world.command(&format!("s puback {id}")));
            }
            let topic = words.iter().position(|word| word.starts_with("r/")).expect("a topic");
            let number = words[topic][2..].parse::<u8>().expect("a number");
            let before = got.insert(number, words[topic + 1].to_owned());
            assert_eq!(before, None, "r/{number} came twice");
        }
        self.world.command("s disconnect");
        let is_left = |due: &Option<u64>| due.is_none_or(|due| due > self.now_ms);
        let expected: BTreeMap<u8, String> = self
            .seen
            .iter()
            .filter(|(_, (_, due))| is_left(due))
            .map(|(topic, (payload, _))| (*topic, payload.clone()))
            .collect();
        assert_eq!(got, expected, "retained messages at {} ms", self.now_ms);
    }

    fn finish(mut self) {
        self.step(&Step::Crash);
        self.look(2, 1);
        // Whatever was, in the end the log has little but what is retained.
        self.world.command("wait 1000");
        self.world.command("delete k");
        self.world.command("x connect id=d");
        for _ in 0..3 {
            self.world.command("wait 11000");
            self.now_ms += 11_000;
            self.world.command("wait 100");
            self.world.command("checkpoint");
            self.world.command("checkpoint");
        }
        self.now_ms += 1_300;
        self.step(&Step::Crash);
        self.look(2, 0);
        let held: BTreeSet<u32> = self.world.held_segments().into_iter().collect();
        assert!(held.len() <= 1 + usize::from(TOPICS) / 2, "segments {held:?} are kept for little");
        self.world.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn retained_messages_are_what_the_log_took_last(
        shards in 1..4_u16,
        cache in prop::sample::select(vec![0, 200, 1 << 20]),
        steps in prop::collection::vec(step(), 1..100),
    ) {
        let mut twin = Twin::new(shards, cache);
        for step in &steps {
            twin.step(step);
        }
        twin.finish();
    }
}
