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
    /// The durable subscriber wants all of them, has heard what was sent, or loses its connection.
    Subscribe {
        window: u16,
        qos: u8,
    },
    Hear,
    Lose,
}

fn step() -> impl Strategy<Value = Step> {
    let topic = 0..TOPICS;
    let publisher = 0..PUBLISHERS.len();
    let expiry = prop_oneof![3 => Just(None), 1 => (1..20_u16).prop_map(Some)];
    prop_oneof![
        12 => (publisher.clone(), 0..3_u8, topic.clone(), expiry, prop::bool::weighted(0.1))
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
        3 => (1..4_u16, 1..3_u8).prop_map(|(window, qos)| Step::Subscribe { window, qos }),
        2 => Just(Step::Hear),
        1 => Just(Step::Lose),
    ]
}

/// A message of the twin, when it expires, and its QoS.
type Message = (String, Option<u64>, u8);

struct Twin {
    world: World,
    now_ms: u64,
    /// What subscribers see.
    seen: BTreeMap<u8, Message>,
    /// What they saw when the log was held: a crash undoes what came since.
    stored: Option<BTreeMap<u8, Message>>,
    numbers: u32,
    ids: u16,
    subscriber: Subscriber,
}

/// A durable session that gets each of them, live or as retained, and not both ways.
#[derive(Default)]
struct Subscriber {
    is_connected: bool,
    /// Whether it has ever wanted any.
    subscribed: bool,
    window: u16,
    /// What it was sent and has not heard.
    lines: Vec<String>,
    /// Packet ids at QoS 2 that it holds.
    received: BTreeSet<String>,
    due: Due,
    /// The same when the log was held: a crash undoes what came since.
    stored_due: Option<Due>,
    /// Messages that came at QoS 1, since a crash, and at QoS 2, since the subscription. Their payloads tell them apart.
    once: [BTreeSet<String>; 2],
}

/// Messages that must come.
#[derive(Clone, Default)]
struct Due {
    /// By topic, what was there before the subscription, if nothing happens to it before its turn.
    retained: BTreeMap<u8, String>,
    /// What was published since at QoS 1 and 2.
    live: BTreeSet<String>,
}

impl Due {
    fn came(&mut self, payload: &str) {
        self.retained.retain(|_, other| other != payload);
        self.live.remove(payload);
    }
}

impl Subscriber {
    /// A topic has another message, or none. At QoS 0 that is so even if a crash undoes it: the client has heard of it.
    fn published(&mut self, topic: u8, qos: u8, payload: Option<&str>) {
        self.due.retained.remove(&topic);
        if let Some(stored) = self.stored_due.as_mut().filter(|_| qos == 0) {
            stored.retained.remove(&topic);
        }
        if self.subscribed && qos > 0 {
            self.due.live.extend(payload.map(str::to_owned));
        }
    }

    /// A message came. What is sent again says so.
    fn came(&mut self, qos: &str, payload: &str, is_again: bool) {
        self.due.came(payload);
        self.stored_due.iter_mut().for_each(|due| due.came(payload));
        let once = match qos {
            "1" => &mut self.once[0],
            "2" => &mut self.once[1],
            _ => return,
        };
        assert!(once.insert(payload.to_owned()) || is_again, "{payload} came twice at QoS {qos}");
    }
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
            subscriber: Subscriber { window: 1, ..Subscriber::default() },
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
            self.command(&format!("{name} connect id=p{name}"));
        }
    }

    fn run(&mut self) {
        self.command("run");
        self.command("wait 0");
    }

    fn publish(&mut self, name: &str, qos: u8, topic: &str, payload: &str, more: &str) {
        self.ids = self.ids % 60_000 + 1;
        let id = if qos > 0 { format!("id={}", self.ids) } else { String::new() };
        self.command(&format!("{name} publish {qos} {topic} {payload} {id} retain {more}"));
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
                self.subscriber.published(
                    topic,
                    qos,
                    Some(&shown).filter(|_| due.is_none()).map(|shown| &**shown),
                );
                self.seen.insert(topic, (shown, due, qos));
                let more = expiry.map(|expiry| format!("expiry={expiry}")).unwrap_or_default();
                self.publish(PUBLISHERS[publisher], qos, &format!("r/{topic}"), &payload, &more);
            }
            Step::Remove { publisher, topic } => {
                self.seen.remove(&topic);
                self.subscriber.published(topic, 0, None);
                self.publish(PUBLISHERS[publisher], 0, &format!("r/{topic}"), "-", "");
            }
            Step::Stored { topic } => self.publish("a", 1, &format!("k/{topic}"), "kept", ""),
            Step::Late { publisher } => {
                self.command(&format!("late p{}", PUBLISHERS[publisher]));
            }
            Step::Run => self.run(),
            Step::Wait { milliseconds } => {
                self.now_ms += milliseconds;
                self.command(&format!("wait {milliseconds}"));
            }
            Step::Log("hold") => {
                self.run();
                self.command("log hold");
                self.stored.get_or_insert_with(|| self.seen.clone());
                let subscriber = &mut self.subscriber;
                subscriber.stored_due.get_or_insert_with(|| subscriber.due.clone());
            }
            Step::Log(word) => {
                self.command(&format!("log {word}"));
                self.stored = None;
                self.subscriber.stored_due = None;
            }
            Step::Checkpoint => drop(self.command("checkpoint")),
            Step::Crash => {
                self.run();
                self.command("crash");
                self.subscriber.is_connected = false;
                self.subscriber.lines.clear();
                self.subscriber.once[0].clear();
                if let Some(stored) = self.stored.take() {
                    self.seen = stored;
                }
                if let Some(stored) = self.subscriber.stored_due.take() {
                    self.subscriber.due = stored;
                }
                self.connect();
            }
            Step::Look { window, qos } => self.look(window, qos),
            Step::Subscribe { window, qos } => self.subscribe(window, qos),
            Step::Hear => self.hear(),
            Step::Lose => {
                if self.subscriber.is_connected {
                    self.command("u lost");
                }
                self.subscriber.is_connected = false;
                self.subscriber.lines.clear();
            }
        }
    }

    /// What the subscriber is sent meanwhile it hears later.
    fn command(&mut self, line: &str) -> Vec<String> {
        let heard = self.world.command(line);
        let lines = heard.iter().filter(|line| line.starts_with("u "));
        self.subscriber.lines.extend(lines.cloned());
        heard
    }

    /// The subscriber comes back if it is away, and answers everything, until nothing comes any more.
    fn hear(&mut self) {
        self.run();
        if !self.subscriber.is_connected {
            let window = self.subscriber.window;
            self.command(&format!("u connect keep expiry=100000 rm={window}"));
            self.subscriber.is_connected = true;
        }
        while !self.subscriber.lines.is_empty() {
            let line = self.subscriber.lines.remove(0);
            let words: Vec<&str> = line.split_whitespace().collect();
            let id = words.iter().find_map(|word| word.strip_prefix("id="));
            match (words[1], id) {
                ("publish", id) => {
                    let is_new = words[2] != "2"
                        || self.subscriber.received.insert(id.expect("an id").to_owned());
                    let topic = words.iter().position(|word| word.starts_with("r/"));
                    // An empty one is a removal.
                    let payload = topic.and_then(|topic| words.get(topic + 1));
                    if let Some(payload) = payload.filter(|_| is_new) {
                        let is_again = words[2] == "1" && words.contains(&"dup");
                        self.subscriber.came(words[2], payload, is_again);
                    }
                    let ack = if words[2] == "2" { "pubrec" } else { "puback" };
                    if let Some(id) = id {
                        self.command(&format!("u {ack} {id}"));
                    }
                }
                ("pubrel", ..) => {
                    self.subscriber.received.remove(words[2]);
                    self.command(&format!("u pubcomp {}", words[2]));
                }
                _ => {}
            }
        }
    }

    /// Everything is sent and answered: what had to come has come.
    fn hear_all(&mut self) {
        self.step(&Step::Log("commit"));
        for _ in 0..3 {
            self.hear();
            self.command("wait 10");
            self.now_ms += 10;
        }
        self.hear();
        let Due { retained, live } = &self.subscriber.due;
        assert!(retained.is_empty(), "{retained:?} did not come at {} ms", self.now_ms);
        assert!(live.is_empty(), "{live:?} did not come live at {} ms", self.now_ms);
    }

    fn subscribe(&mut self, window: u16, qos: u8) {
        self.hear_all();
        self.step(&Step::Lose);
        self.subscriber.window = window;
        self.hear();
        self.subscriber.once = Default::default();
        self.subscriber.subscribed = true;
        self.command(&format!("u subscribe 1 r/#,{qos}"));
        let stays = |(topic, (payload, due, qos)): (&u8, &Message)| {
            (due.is_none() && *qos > 0).then(|| (*topic, payload.clone()))
        };
        self.subscriber.due.retained = self.seen.iter().filter_map(stays).collect();
    }

    /// A new client gets what is there, whatever is on its way.
    fn look(&mut self, window: u16, qos: u8) {
        self.run();
        let mut heard = self.command(&format!("s connect rm={window}"));
        heard.append(&mut self.command(&format!("s subscribe 1 r/#,{qos}")));
        let (mut got, mut at) = (BTreeMap::new(), 0);
        while let Some(line) = heard.get(at).cloned() {
            at += 1;
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[..2] != ["s", "publish"] {
                continue;
            }
            if let Some(id) = words.iter().find_map(|word| word.strip_prefix("id=")) {
                heard.append(&mut self.command(&format!("s puback {id}")));
            }
            let topic = words.iter().position(|word| word.starts_with("r/")).expect("a topic");
            let number = words[topic][2..].parse::<u8>().expect("a number");
            let before = got.insert(number, words[topic + 1].to_owned());
            assert_eq!(before, None, "r/{number} came twice");
        }
        self.command("s disconnect");
        let is_left = |due: &Option<u64>| due.is_none_or(|due| due > self.now_ms);
        let expected: BTreeMap<u8, String> = self
            .seen
            .iter()
            .filter(|(_, (_, due, _))| is_left(due))
            .map(|(topic, (payload, ..))| (*topic, payload.clone()))
            .collect();
        assert_eq!(got, expected, "retained messages at {} ms", self.now_ms);
    }

    fn finish(mut self) {
        self.hear_all();
        self.step(&Step::Crash);
        self.hear_all();
        self.command("v connect id=u");
        self.look(2, 1);
        // Whatever was, in the end the log has little but what is retained.
        self.command("wait 1000");
        self.command("delete k");
        self.command("x connect id=d");
        for _ in 0..3 {
            self.command("wait 11000");
            self.now_ms += 11_000;
            self.command("wait 100");
            self.command("checkpoint");
            self.command("checkpoint");
        }
        self.now_ms += 1_300;
        self.step(&Step::Crash);
        self.look(2, 0);
        let held: BTreeSet<u32> = self.world.held_segments().into_iter().collect();
        // Short records of a session leave more than half of a segment to what is retained.
        let few = if self.subscriber.subscribed { TOPICS } else { 1 + TOPICS / 2 };
        assert!(held.len() <= usize::from(few), "segments {held:?} are kept for little");
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
