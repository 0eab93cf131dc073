//! Random commands to a queue that keeps what was settled, with crashes in between: what stood in the log stands after a
//! crash as it stood before, message by message.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::World;
use crate::config::Config;

#[derive(Clone, Debug)]
enum Step {
    Publish,
    /// The consumer answers its oldest message.
    Answer(&'static str),
    Seek(&'static str),
    Purge(&'static str),
    Pause(&'static str),
    Checkpoint,
    /// What consumers settled is not stored yet when the next command comes.
    Hasty,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let places = vec!["earliest", "latest", "offset=2", "offset=5", "offset=9", "time=1"];
    prop_oneof![
        6 => Just(Step::Publish),
        6 => prop::sample::select(vec!["00", "00", "00", "80"]).prop_map(Step::Answer),
        3 => prop::sample::select(places).prop_map(Step::Seek),
        1 => prop::sample::select(vec!["", " filter=t/even", " key=odd"]).prop_map(Step::Purge),
        1 => prop::sample::select(vec!["pause", "resume"]).prop_map(Step::Pause),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Hasty),
        2 => Just(Step::Crash),
    ]
}

struct Twin {
    world: World,
    published: u32,
    /// Packet ids that the consumer has not answered, in order.
    leased: VecDeque<String>,
    is_hasty: bool,
}

impl Twin {
    fn new(shards: u16) -> Self {
        let mut world = World::new(Config { shards, ..Config::default() });
        let properties =
            "keep_settled=3600000 max_attempts=0 max_inflight=3 strategy=4 key=level(2)";
        assert_eq!(world.command(&format!("create jobs t/# {properties}")), [""; 0]);
        let mut twin = Self { world, published: 0, leased: VecDeque::new(), is_hasty: false };
        twin.connect();
        twin
    }

    fn connect(&mut self) {
        self.leased.clear();
        for line in ["p connect", "c connect", "c subscribe 1 $queue/jobs,1"] {
            self.command(line);
        }
    }

    fn command(&mut self, line: &str) {
        for heard in self.world.command(line) {
            let words: Vec<&str> = heard.split(' ').collect();
            if words.first() == Some(&"c") && words.get(1) == Some(&"publish") {
                let id = words.iter().find_map(|word| word.strip_prefix("id="));
                self.leased.push_back(id.expect("QoS 1").to_owned());
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Publish => {
                self.published += 1;
                let topic = if self.published.is_multiple_of(2) { "t/even" } else { "t/odd" };
                let n = self.published;
                self.command(&format!("p publish 1 {topic} {n} id={n}"));
            }
            Step::Answer(code) => {
                let Some(id) = self.leased.pop_front() else { return };
                self.command(&format!("c puback {id} {code}"));
            }
            Step::Seek(place) => self.command(&format!("seek jobs {place}")),
            Step::Purge(meant) => self.command(&format!("purge jobs{meant}")),
            Step::Pause(verb) => self.command(&format!("{verb} jobs")),
            Step::Checkpoint => self.command("checkpoint"),
            Step::Hasty => self.is_hasty = true,
            Step::Crash => return self.crash(),
        }
        if !std::mem::take(&mut self.is_hasty) {
            self.command("wait 50");
        }
    }

    /// Where each message stands, in flight and delayed ones as ready, and the counts of what has left.
    fn stands(&mut self) -> (BTreeMap<String, bool>, [u64; 3]) {
        let lines = self.world.command("peek jobs");
        let state = |line: String| {
            let mut words = line.split(' ').map(str::to_owned);
            let (offset, state) = (words.next()?, words.next()?);
            Some((offset, state == "Settled"))
        };
        let ledger = self.world.ledger("jobs").expect("it is there");
        assert!(ledger.balances(), "{ledger:?}");
        (
            lines.into_iter().filter_map(state).collect(),
            [ledger.enqueued, ledger.settled, ledger.purged],
        )
    }

    fn crash(&mut self) {
        self.command("wait 50");
        let before = self.stands();
        self.command("crash");
        assert_eq!(self.stands(), before, "before and after a crash");
        self.connect();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_operators_did_stands_after_a_crash(shards in 1..4_u16, steps in prop::collection::vec(step(), 1..60)) {
        let mut twin = Twin::new(shards);
        for step in &steps {
            twin.step(step);
        }
        twin.crash();
        prop_assert_eq!(twin.world.open_ends(), 0);
    }
}
