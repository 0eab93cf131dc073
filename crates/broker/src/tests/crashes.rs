//! Random commands with crashes in between: what was acknowledged is not lost, what was refused does not come, what
//! was settled and is durable does not come again.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::World;
use crate::config::Config;

const PUBLISHERS: [&str; 3] = ["p0", "p1", "p2"];
const CONSUMERS: [&str; 4] = ["c0", "c1", "c2", "c3"];
/// Queues with their filters: one topic leads to both.
const QUEUES: [(&str, &str); 2] = [("one", "t/+"), ("two", "t/both")];
const TOPICS: [&str; 3] = ["t/single", "t/both", "t/both"];

#[derive(Clone, Debug)]
enum Step {
    Publish { publisher: usize, topic: usize, qos: u8 },
    Subscribe { consumer: usize, queue: usize, qos: u8 },
    Unsubscribe { consumer: usize, queue: usize },
    Answer { consumer: usize, nth: usize, code: &'static str },
    Lose { consumer: usize },
    Block { consumer: usize },
    Unblock { consumer: usize },
    Wait { milliseconds: u64 },
    Log(&'static str),
    Purge { queue: usize, filter: Option<&'static str> },
    Seek { queue: usize, place: &'static str },
    Pause { queue: usize, pauses: bool },
    Checkpoint,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let consumer = 0..CONSUMERS.len();
    let queue = 0..QUEUES.len();
    prop_oneof![
        8 => (0..PUBLISHERS.len(), 0..TOPICS.len(), 1..3_u8)
            .prop_map(|(publisher, topic, qos)| Step::Publish { publisher, topic, qos }),
        4 => (consumer.clone(), queue.clone(), 0..3_u8)
            .prop_map(|(consumer, queue, qos)| Step::Subscribe { consumer, queue, qos }),
        1 => (consumer.clone(), queue).prop_map(|(consumer, queue)| Step::Unsubscribe { consumer, queue }),
        8 => (consumer.clone(), 0..4_usize, prop::sample::select(vec!["00", "00", "00", "97", "80"]))
            .prop_map(|(consumer, nth, code)| Step::Answer { consumer, nth, code }),
        1 => consumer.clone().prop_map(|consumer| Step::Lose { consumer }),
        1 => consumer.clone().prop_map(|consumer| Step::Block { consumer }),
        1 => consumer.prop_map(|consumer| Step::Unblock { consumer }),
        3 => prop::sample::select(vec![1, 60, 1500]).prop_map(|milliseconds| Step::Wait { milliseconds }),
        3 => prop::sample::select(vec!["hold", "commit", "commit", "full", "well", "well"]).prop_map(Step::Log),
        1 => (0..QUEUES.len(), prop::sample::select(vec![None, Some("t/both"), Some("t/single")]))
            .prop_map(|(queue, filter)| Step::Purge { queue, filter }),
        1 => (0..QUEUES.len(), prop::sample::select(vec!["offset=3", "offset=20", "latest", "earliest", "time=60"]))
            .prop_map(|(queue, place)| Step::Seek { queue, place }),
        1 => (0..QUEUES.len(), any::<bool>()).prop_map(|(queue, pauses)| Step::Pause { queue, pauses }),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Crash),
    ]
}

/// What the clients know.
struct Twin {
    world: World,
    messages: u32,
    /// Topic of each message.
    topics: BTreeMap<u32, usize>,
    /// Publishers' open packets: the message of each.
    open: BTreeMap<(String, u16), u32>,
    acknowledged: BTreeSet<u32>,
    refused: BTreeSet<u32>,
    /// Consumers' unanswered messages: consumer, packet id, QoS, queue, message.
    leased: Vec<(String, u16, u8, String, u32)>,
    /// Accepted, by queue and message, and whether that is durable.
    accepted: BTreeMap<(String, u32), bool>,
    /// Accepted shortly before a crash: may come again, or not.
    forgotten: BTreeSet<(String, u32)>,
    /// Purged, by queue and message, and answered so: gone for good.
    gone: BTreeSet<(String, u32)>,
    /// Messages that a purge or a seek may have taken that is not answered, or never was.
    at_risk: BTreeSet<(String, u32)>,
    /// Purges and seeks that are not answered.
    operations: usize,
    is_held: bool,
    blocked: BTreeSet<usize>,
}

impl Twin {
    fn new(shards: u16) -> Self {
        let mut config = Config { shards, ..Config::default() };
        config.queue_defaults.config.max_attempts = 0;
        config.queue_defaults.config.max_inflight = 3;
        let mut world = World::new(config);
        for (name, filter) in QUEUES {
            assert_eq!(world.command(&format!("create {name} {filter}")), [""; 0]);
        }
        let mut twin = Self {
            world,
            messages: 0,
            topics: BTreeMap::new(),
            open: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            refused: BTreeSet::new(),
            leased: Vec::new(),
            accepted: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            gone: BTreeSet::new(),
            at_risk: BTreeSet::new(),
            operations: 0,
            is_held: false,
            blocked: BTreeSet::new(),
        };
        twin.connect_all();
        twin
    }

    fn connect_all(&mut self) {
        for name in PUBLISHERS.iter().chain(&CONSUMERS) {
            self.command(&format!("{name} connect"));
        }
    }

    fn command(&mut self, line: &str) {
        for heard in self.world.command(line) {
            self.hear(&heard);
        }
    }

    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !PUBLISHERS.iter().chain(&CONSUMERS).any(|name| *name == words[0]) {
            self.operations -= usize::from(line != "done");
            return;
        }
        let name = words[0].to_owned();
        match words[1] {
            "puback" | "pubrec" => {
                let id: u16 = words[2].parse().expect("a packet id");
                let message = self.open.remove(&(name, id)).expect("a publish that waits");
                let taken =
                    if words[3] == "00" { &mut self.acknowledged } else { &mut self.refused };
                taken.insert(message);
            }
            "publish" => self.hear_message(name, &words),
            "pubrel" => self.command(&format!("{name} pubcomp {}", words[2])),
            _ => {}
        }
    }

    fn hear_message(&mut self, name: String, words: &[&str]) {
        let qos: u8 = words[2].parse().expect("a QoS");
        let id = words.iter().find_map(|word| word.strip_prefix("id=")?.parse().ok()).unwrap_or(0);
        let queue = words.iter().find_map(|word| word.strip_prefix("queue:")).expect("metadata");
        let at = words.iter().position(|word| word.starts_with("t/")).expect("a topic");
        let message: u32 = words[at + 1].parse().expect("a number");
        let key = (queue.to_owned(), message);
        assert_ne!(
            self.accepted.get(&key),
            Some(&true),
            "settled, durable, and here again: {words:?}"
        );
        assert!(!self.refused.contains(&message), "refused, and delivered: {words:?}");
        assert!(!self.gone.contains(&key), "purged, and delivered: {words:?}");
        self.forgotten.remove(&key);
        if qos == 0 {
            self.accepted.entry(key).or_insert(false);
        } else {
            self.leased.push((name, id, qos, queue.to_owned(), message));
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Publish { publisher, topic, qos } => {
                self.messages += 1;
                let (name, id) = (PUBLISHERS[publisher], self.messages as u16);
                self.topics.insert(self.messages, topic);
                self.open.insert((name.to_owned(), id), self.messages);
                self.command(&format!("{name} publish {qos} {} {id} id={id}", TOPICS[topic]));
                if qos == 2 && !self.open.contains_key(&(name.to_owned(), id)) {
                    self.command(&format!("{name} pubrel {id}"));
                }
            }
            Step::Subscribe { consumer, queue, qos } => {
                let (name, queue) = (CONSUMERS[consumer], QUEUES[queue].0);
                self.command(&format!("{name} subscribe 9 $queue/{queue},{qos} metadata"));
            }
            Step::Unsubscribe { consumer, queue } => {
                // What is on its way when its consumer ends goes back, and is heard all the same.
                self.step(&Step::Unblock { consumer });
                self.leased.retain(|(name, .., of, _)| {
                    name != CONSUMERS[consumer] || of != QUEUES[queue].0
                });
                self.command(&format!(
                    "{} unsubscribe 9 $queue/{}",
                    CONSUMERS[consumer], QUEUES[queue].0
                ));
            }
            Step::Answer { consumer, nth, code } => self.answer(CONSUMERS[consumer], nth, code),
            Step::Lose { consumer } => {
                let name = CONSUMERS[consumer];
                self.leased.retain(|(of, ..)| of != name);
                self.blocked.remove(&consumer);
                self.command(&format!("{name} lost"));
                self.command(&format!("{name} connect"));
            }
            Step::Block { consumer } => {
                self.blocked.insert(consumer);
                self.command(&format!("{} block", CONSUMERS[consumer]));
            }
            Step::Unblock { consumer } => {
                self.blocked.remove(&consumer);
                self.command(&format!("{} unblock", CONSUMERS[consumer]));
            }
            Step::Wait { milliseconds } => self.wait(milliseconds),
            Step::Log(word) => {
                self.is_held = word == "hold" || (self.is_held && word != "commit");
                self.command(&format!("log {word}"));
                self.look();
            }
            Step::Purge { queue, filter } => {
                let filter = filter.map(|filter| format!(" filter={filter}")).unwrap_or_default();
                self.operate(queue, &format!("purge {}{filter}", QUEUES[queue].0));
            }
            Step::Seek { queue, place } => {
                self.operate(queue, &format!("seek {} {place}", QUEUES[queue].0));
            }
            Step::Pause { queue, pauses } => {
                let verb = if pauses { "pause" } else { "resume" };
                self.command(&format!("{verb} {}", QUEUES[queue].0));
            }
            Step::Checkpoint => self.command("checkpoint"),
            Step::Crash => self.crash(),
        }
    }

    /// Something that takes messages out of a queue. Once all such is answered, those that are not there any more are gone
    /// for good, and the others are at risk no more.
    fn operate(&mut self, queue: usize, line: &str) {
        let name = QUEUES[queue].0;
        let stored = self.acknowledged.iter().filter(|message| self.is_of(name, **message));
        let left = stored.map(|message| (name.to_owned(), *message));
        let left = left.filter(|key| !self.gone.contains(key));
        self.at_risk.extend(left.collect::<Vec<_>>());
        self.operations += 1;
        self.command(line);
        self.look();
    }

    fn look(&mut self) {
        if self.operations > 0 {
            return;
        }
        let at_risk = std::mem::take(&mut self.at_risk);
        for (name, _) in QUEUES {
            let peeked = self.world.command(&format!("peek {name} limit=100000"));
            let number = |line: &String| line.split(' ').nth(3)?.parse::<u32>().ok();
            let here: BTreeSet<u32> = peeked.iter().filter_map(number).collect();
            assert_eq!(here.len(), peeked.len(), "{peeked:?}");
            let gone = at_risk.iter().filter(|(of, message)| of == name && !here.contains(message));
            let gone = gone.filter(|key| !self.accepted.contains_key(*key));
            let gone = gone.filter(|key| !self.forgotten.contains(*key)).cloned();
            self.gone.extend(gone.collect::<Vec<_>>());
        }
    }

    fn is_of(&self, queue: &str, message: u32) -> bool {
        queue == "one" || TOPICS[self.topics[&message]] == "t/both"
    }

    fn wait(&mut self, milliseconds: u64) {
        let before: Vec<_> = self.accepted.keys().cloned().collect();
        self.command(&format!("wait {milliseconds}"));
        if milliseconds >= 50 && !self.is_held {
            self.accepted.extend(before.into_iter().map(|key| (key, true)));
        }
    }

    fn answer(&mut self, name: &str, nth: usize, code: &str) {
        let mut mine = self.leased.iter().enumerate().filter(|(_, (of, ..))| of == name);
        let Some((at, _)) = mine.nth(nth) else { return };
        let (_, id, qos, queue, message) = self.leased.remove(at);
        if code == "00" {
            self.accepted.entry((queue, message)).or_insert(false);
        }
        let ack = if qos == 1 { "puback" } else { "pubrec" };
        self.command(&format!("{name} {ack} {id} {code}"));
    }

    fn crash(&mut self) {
        self.command("crash");
        self.operations = 0;
        self.is_held = false;
        self.open.clear();
        self.leased.clear();
        self.blocked.clear();
        let accepted = std::mem::take(&mut self.accepted);
        let (durable, others): (Vec<_>, Vec<_>) =
            accepted.into_iter().partition(|(_, durable)| *durable);
        self.accepted = durable.into_iter().collect();
        self.forgotten.extend(others.into_iter().map(|(key, _)| key));
        self.connect_all();
    }

    /// All is well again: what waits comes out, in order, and it is all that must.
    fn finish(mut self) {
        self.crash();
        // No back-off lasts longer.
        self.command("wait 72000");
        for (queue, _) in QUEUES {
            self.command(&format!("resume {queue}"));
            self.command(&format!("c0 subscribe 9 $queue/{queue},1 metadata"));
            let mut came = Vec::new();
            while let Some((_, id, _, of, message)) = self.leased.pop() {
                assert_eq!(of, queue);
                came.push(message);
                self.leased.iter().for_each(|(.., message)| came.push(*message));
                let others: Vec<u16> = self.leased.drain(..).map(|(_, id, ..)| id).collect();
                for id in others.into_iter().chain([id]) {
                    self.command(&format!("c0 puback {id} 00"));
                }
            }
            let came: BTreeSet<u32> = came.into_iter().collect();
            for message in &self.acknowledged {
                let is_of = self.is_of(queue, *message);
                let key = (queue.to_owned(), *message);
                let accepted = self.accepted.contains_key(&key) || self.forgotten.contains(&key);
                let accepted = accepted || self.gone.contains(&key) || self.at_risk.contains(&key);
                assert!(
                    !is_of || accepted || came.contains(message),
                    "message {message} of {queue} is lost"
                );
            }
            self.command(&format!("c0 unsubscribe 9 $queue/{queue}"));
            let ledger = self.world.ledger(queue).expect("it is there");
            assert_eq!(ledger.waiting(), 0, "{ledger:?}");
        }
        assert_eq!(self.world.open_ends(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_acknowledged_is_lost(shards in 1..4_u16, steps in prop::collection::vec(step(), 1..80)) {
        let mut twin = Twin::new(shards);
        for step in &steps {
            twin.step(step);
        }
        twin.finish();
    }
}
