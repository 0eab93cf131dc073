//! Random commands with crashes in between, on queues that give messages up: each acknowledged message was accepted, or is
//! in its queue, or is in the queue of its dead letters, and never in both.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::World;
use crate::config::Config;

const PUBLISHERS: [&str; 2] = ["p0", "p1"];
const CONSUMERS: [&str; 3] = ["c0", "c1", "c2"];
/// Queues, and the one that takes their dead letters.
const QUEUES: [(&str, &str); 2] = [("one", "dead:one"), ("two", "morgue")];
/// What consumers may subscribe to.
const ADDRESSES: [&str; 4] = ["$queue/one", "$queue/two", "$dead/one", "$queue/morgue"];
const TOPICS: [&str; 3] = ["t/single", "t/both", "t/both"];

#[derive(Clone, Debug)]
enum Step {
    Publish { publisher: usize, topic: usize, qos: u8, expires: bool },
    Subscribe { consumer: usize, address: usize },
    Unsubscribe { consumer: usize, address: usize },
    Answer { consumer: usize, nth: usize, code: &'static str },
    Lose { consumer: usize },
    Wait { milliseconds: u64 },
    Log(&'static str),
    Redrive { queue: usize },
    Checkpoint,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let consumer = 0..CONSUMERS.len();
    let address = 0..ADDRESSES.len();
    let codes = vec!["00", "97", "80", "80", "99", "99"];
    prop_oneof![
        8 => (0..PUBLISHERS.len(), 0..TOPICS.len(), 1..3_u8, any::<bool>())
            .prop_map(|(publisher, topic, qos, expires)| Step::Publish { publisher, topic, qos, expires }),
        4 => (consumer.clone(), address.clone())
            .prop_map(|(consumer, address)| Step::Subscribe { consumer, address }),
        1 => (consumer.clone(), address)
            .prop_map(|(consumer, address)| Step::Unsubscribe { consumer, address }),
        8 => (consumer.clone(), 0..4_usize, prop::sample::select(codes))
            .prop_map(|(consumer, nth, code)| Step::Answer { consumer, nth, code }),
        1 => consumer.prop_map(|consumer| Step::Lose { consumer }),
        3 => prop::sample::select(vec![1, 60, 1500, 4000])
            .prop_map(|milliseconds| Step::Wait { milliseconds }),
        3 => prop::sample::select(vec!["hold", "commit", "commit", "full", "well", "well"])
            .prop_map(Step::Log),
        2 => (0..QUEUES.len()).prop_map(|queue| Step::Redrive { queue }),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Crash),
    ]
}

/// A message that a consumer has and has not answered.
struct Leased {
    consumer: String,
    id: u16,
    queue: String,
    message: u32,
}

struct Twin {
    world: World,
    messages: u32,
    topics: BTreeMap<u32, usize>,
    open: BTreeMap<(String, u16), u32>,
    acknowledged: BTreeSet<u32>,
    refused: BTreeSet<u32>,
    leased: Vec<Leased>,
    /// Accepted once, by queue of origin and message.
    accepted: BTreeSet<(String, u32)>,
    has_crashed: bool,
}

/// The queue from which what lies in a queue came in the end.
fn origin(queue: &str) -> &str {
    let of = QUEUES.iter().find(|(_, dead)| *dead == queue);
    of.map_or(queue, |(name, _)| name)
}

impl Twin {
    fn new(shards: u16, strategies: (u8, u8)) -> Self {
        let mut world = World::new(Config { shards, ..Config::default() });
        let (first, second) = strategies;
        for line in [
            format!(
                "create one t/+ dead_letter=own max_attempts=2 max_inflight=3 max_messages=6 \
                 strategy={first} key=level(2) dead_expired=yes retention=9000"
            ),
            format!(
                "create two t/both dead_letter=morgue max_attempts=3 max_inflight=3 max_messages=3 \
                 overflow=drop dead_dropped=yes dead_expired=yes strategy={second} \
                 key=client_id"
            ),
            "create morgue - max_inflight=3 max_attempts=0 max_messages=4 retention=0".to_owned(),
        ] {
            assert_eq!(world.command(&line), [""; 0]);
        }
        let mut twin = Self {
            world,
            messages: 0,
            topics: BTreeMap::new(),
            open: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            refused: BTreeSet::new(),
            leased: Vec::new(),
            accepted: BTreeSet::new(),
            has_crashed: false,
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
        if !PUBLISHERS.contains(&words[0]) && !CONSUMERS.contains(&words[0]) {
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
            _ => {}
        }
    }

    fn hear_message(&mut self, consumer: String, words: &[&str]) {
        let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let id = value("id=").expect("a packet id").parse().expect("a number");
        let queue = value("queue:").expect("metadata").to_owned();
        let at = words.iter().position(|word| word.starts_with("t/")).expect("a topic");
        let message: u32 = words[at + 1].parse().expect("a number");
        assert!(!self.refused.contains(&message), "refused, and delivered: {words:?}");
        if origin(&queue) != queue {
            assert_eq!(value("dead-queue:"), Some(origin(&queue)), "{words:?}");
        }
        self.leased.push(Leased { consumer, id, queue, message });
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Publish { publisher, topic, qos, expires } => {
                self.messages += 1;
                let (name, id) = (PUBLISHERS[publisher], self.messages as u16);
                self.topics.insert(self.messages, topic);
                self.open.insert((name.to_owned(), id), self.messages);
                let expiry = if expires { " expiry=3" } else { "" };
                let topic = TOPICS[topic];
                self.command(&format!("{name} publish {qos} {topic} {id} id={id}{expiry}"));
                if qos == 2 && !self.open.contains_key(&(name.to_owned(), id)) {
                    self.command(&format!("{name} pubrel {id}"));
                }
            }
            Step::Subscribe { consumer, address } => {
                let (name, address) = (CONSUMERS[consumer], ADDRESSES[address]);
                self.command(&format!("{name} subscribe 9 {address},1 metadata"));
            }
            Step::Unsubscribe { consumer, address } => {
                let (name, address) = (CONSUMERS[consumer], ADDRESSES[address]);
                let queue = address.replace("$queue/", "").replace("$dead/", "dead:");
                self.leased.retain(|one| one.consumer != name || one.queue != queue);
                self.command(&format!("{name} unsubscribe 9 {address}"));
            }
            Step::Answer { consumer, nth, code } => self.answer(CONSUMERS[consumer], nth, code),
            Step::Lose { consumer } => {
                let name = CONSUMERS[consumer];
                self.leased.retain(|one| one.consumer != name);
                self.command(&format!("{name} lost"));
                self.command(&format!("{name} connect"));
            }
            Step::Wait { milliseconds } => self.command(&format!("wait {milliseconds}")),
            Step::Log(word) => self.command(&format!("log {word}")),
            Step::Redrive { queue } => self.command(&format!("redrive {}", QUEUES[queue].1)),
            Step::Checkpoint => self.command("checkpoint"),
            Step::Crash => self.crash(),
        }
        let waiting = |queue| self.world.ledger(queue).map_or(0, |ledger| ledger.waiting());
        if !self.has_crashed {
            // After a crash what was settled just before is there again.
            assert!(waiting("one") <= 6 && waiting("two") <= 3 && waiting("morgue") <= 4);
        }
    }

    fn answer(&mut self, name: &str, nth: usize, code: &str) {
        let mut mine = self.leased.iter().enumerate().filter(|(_, one)| one.consumer == name);
        let Some((at, _)) = mine.nth(nth) else { return };
        let Leased { id, queue, message, .. } = self.leased.remove(at);
        // Who rejects a dead letter wants it gone.
        let code = if origin(&queue) != queue && code == "99" { "97" } else { code };
        if code == "00" {
            self.accepted.insert((origin(&queue).to_owned(), message));
        }
        self.command(&format!("{name} puback {id} {code}"));
    }

    fn crash(&mut self) {
        self.command("crash");
        self.has_crashed = true;
        self.open.clear();
        self.leased.clear();
        self.connect_all();
    }

    /// All that is in a queue.
    fn drain(&mut self, queue: &str, address: &str) -> Vec<u32> {
        self.command(&format!("c0 subscribe 9 {address},1 metadata"));
        let mut came = Vec::new();
        while let Some(Leased { id, queue: of, message, .. }) = self.leased.pop() {
            assert_eq!(of, queue);
            came.push(message);
            self.command(&format!("c0 puback {id} 00"));
        }
        self.command(&format!("c0 unsubscribe 9 {address}"));
        came
    }

    /// All is well again: what there is comes out.
    fn finish(mut self) {
        self.command("log commit");
        self.command("log well");
        self.crash();
        let mut found = BTreeMap::<(String, u32), u32>::new();
        // What waits for room among the dead letters comes as they are drained.
        for _ in 0..50 {
            for (queue, dead) in QUEUES {
                let dead_address = if dead == "morgue" { "$queue/morgue" } else { "$dead/one" };
                for (from, address) in [(dead, dead_address), (queue, &*format!("$queue/{queue}"))]
                {
                    for message in self.drain(from, address) {
                        *found.entry((queue.to_owned(), message)).or_default() += 1;
                    }
                }
            }
            self.command("wait 2000");
        }
        for (queue, dead) in QUEUES {
            for message in &self.acknowledged {
                let is_of = queue == "one" || TOPICS[self.topics[message]] == "t/both";
                let key = (queue.to_owned(), *message);
                let is_there = self.accepted.contains(&key) || found.contains_key(&key);
                assert!(!is_of || is_there, "message {message} of {queue} is lost");
            }
            for name in [queue, dead] {
                let ledger = self.world.ledger(name).expect("it is there");
                assert_eq!(ledger.waiting(), 0, "{name}: {ledger:?}");
            }
        }
        let twice = found.iter().find(|(_, times)| **times > 1);
        assert_eq!(twice, None, "in its queue, and among the dead letters");
        assert_eq!(self.world.open_ends(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_dead_letter_is_lost_or_doubled(
        shards in 1..4_u16,
        strategies in (1..6_u8, 1..6_u8),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut twin = Twin::new(shards, strategies);
        for step in &steps {
            twin.step(step);
        }
        twin.finish();
    }
}
