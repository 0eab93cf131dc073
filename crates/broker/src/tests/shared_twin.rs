//! Shared subscriptions under random commands, beside a naive twin that knows for each message who has it: nothing is lost
//! while a member is there, nobody gets what another one has or has answered for, and a sticky strategy keeps order.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::World;
use crate::config::Config;
use crate::groups::{SharedStrategy, SharedSubscriptions};

const MEMBERS: [&str; 4] = ["m0", "m1", "m2", "m3"];
const PUBLISHERS: [&str; 2] = ["p0", "p1"];
const TOPICS: usize = 3;

const STRATEGIES: [SharedStrategy; 6] = [
    SharedStrategy::RoundRobin,
    SharedStrategy::Random,
    SharedStrategy::LeastInflight,
    SharedStrategy::HashTopic,
    SharedStrategy::HashClientid,
    SharedStrategy::SingleActive,
];

#[derive(Clone, Debug)]
enum Step {
    Publish { publisher: usize, topic: usize },
    Answer { member: usize, count: usize, code: &'static str },
    Lose { member: usize },
    Connect { member: usize, window: u16, keep: bool },
    Unsubscribe { member: usize },
    Block { member: usize },
    Unblock { member: usize },
    Wait { milliseconds: u64 },
    Log(&'static str),
    Checkpoint,
    Crash,
}

/// Steps that change who is a member have this weight; 0 leaves the members as they are.
fn step(change: u32, crash: u32) -> impl Strategy<Value = Step> {
    let member = 0..MEMBERS.len();
    let code = prop::sample::select(vec!["00", "00", "10", "80"]);
    let steps = vec![
        (
            10,
            (0..PUBLISHERS.len(), 0..TOPICS)
                .prop_map(|(publisher, topic)| Step::Publish { publisher, topic })
                .boxed(),
        ),
        (
            10,
            (member.clone(), 1..4_usize, code)
                .prop_map(|(member, count, code)| Step::Answer { member, count, code })
                .boxed(),
        ),
        (change, member.clone().prop_map(|member| Step::Lose { member }).boxed()),
        (
            3 * change,
            (member.clone(), 1..5_u16, any::<bool>())
                .prop_map(|(member, window, keep)| Step::Connect { member, window, keep })
                .boxed(),
        ),
        (change, member.clone().prop_map(|member| Step::Unsubscribe { member }).boxed()),
        (1, member.clone().prop_map(|member| Step::Block { member }).boxed()),
        (2, member.prop_map(|member| Step::Unblock { member }).boxed()),
        (
            2,
            prop::sample::select(vec![1, 60, 500])
                .prop_map(|milliseconds| Step::Wait { milliseconds })
                .boxed(),
        ),
        (2, prop::sample::select(vec!["hold", "commit", "commit"]).prop_map(Step::Log).boxed()),
        (crash, Just(Step::Checkpoint).boxed()),
        (crash, Just(Step::Crash).boxed()),
    ];
    let wanted = steps.into_iter().filter(|(weight, _)| *weight > 0);
    prop::strategy::Union::new_weighted(wanted.collect())
}

/// What the twin knows of a message.
#[derive(Clone, Default)]
struct Known {
    publisher: usize,
    topic: usize,
    /// Its publisher was told that it is taken, by somebody.
    is_taken: bool,
    /// Who was sent it last, on which connection.
    holder: Option<(usize, u32)>,
    /// The holder has answered.
    is_answered: bool,
    was_delivered: bool,
}

#[derive(Default)]
struct Member {
    /// Which of its connections it is; `None` while it has none.
    connection: Option<u32>,
    connections: u32,
    is_durable: bool,
    /// Packet ids that it has not answered, with their messages.
    open: VecDeque<(u16, usize)>,
}

struct Twin {
    world: World,
    members: Vec<Member>,
    messages: Vec<Known>,
    /// Packet ids of publishers that wait for an answer.
    asked: BTreeMap<(usize, u16), usize>,
    next_id: [u16; 2],
    /// Whether members that do not answer stall, so that others get what they have too.
    stalls: bool,
    /// Who is never lost: as long as it is there, nothing is.
    anchor: usize,
    order: Vec<usize>,
}

impl Twin {
    fn new(shards: u16, strategy: SharedStrategy, durable: u8, stalls: bool) -> Self {
        let stall_timeout = Duration::from_secs(u64::from(stalls));
        let shared_subscriptions =
            SharedSubscriptions { strategy, groups: BTreeMap::new(), stall_timeout };
        let world = World::new(Config { shards, shared_subscriptions, ..Config::default() });
        let member = |n| Member { is_durable: durable >> n & 1 == 1, ..Member::default() };
        let mut twin = Self {
            world,
            members: (0..MEMBERS.len()).map(member).collect(),
            messages: Vec::new(),
            asked: BTreeMap::new(),
            next_id: [0; 2],
            stalls,
            anchor: 0,
            order: Vec::new(),
        };
        twin.publishers();
        for member in 0..MEMBERS.len() {
            twin.connect(member, 3, true);
        }
        twin
    }

    fn publishers(&mut self) {
        self.asked.clear();
        PUBLISHERS.iter().for_each(|name| self.command(&format!("{name} connect")));
    }

    fn command(&mut self, line: &str) {
        for heard in self.world.command(line) {
            self.hear(&heard);
        }
    }

    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let id = |word: &str| word.trim_start_matches("id=").parse::<u16>().expect("an id");
        if let Some(publisher) = PUBLISHERS.iter().position(|name| *name == words[0])
            && words[1] == "puback"
        {
            let message = self.asked.remove(&(publisher, id(words[2]))).expect("asked for");
            self.messages[message].is_taken = words[3] == "00";
        }
        let Some(member) = MEMBERS.iter().position(|name| *name == words[0]) else { return };
        if words[1] == "publish" {
            let id = id(words[3]);
            let number: usize = words.last().and_then(|word| word.parse().ok()).expect("a number");
            self.deliver(member, id, number);
        }
    }

    fn deliver(&mut self, member: usize, id: u16, number: usize) {
        let connection = self.members[member].connection.expect("it hears");
        let message = &mut self.messages[number];
        let may_repeat = self.stalls;
        assert!(
            may_repeat || !message.is_answered,
            "{number} is answered, and comes to {}",
            MEMBERS[member]
        );
        if let Some((holder, on)) = message.holder {
            let is_there = self.members[holder].connection == Some(on);
            let name = MEMBERS[holder];
            assert!(
                may_repeat || !is_there,
                "{name} has {number}, and {} gets it too",
                MEMBERS[member]
            );
        }
        message.holder = Some((member, connection));
        if !std::mem::replace(&mut message.was_delivered, true) {
            self.order.push(number);
        }
        self.members[member].open.push_back((id, number));
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Publish { publisher, topic } => self.publish(publisher, topic),
            Step::Answer { member, count, code } => self.answer(member, count, code),
            Step::Lose { member } if member != self.anchor => self.lose(member),
            Step::Connect { member, window, keep }
                if member != self.anchor || keep && self.members[member].is_durable =>
            {
                self.connect(member, window, keep);
            }
            Step::Unsubscribe { member }
                if member != self.anchor && self.members[member].connection.is_some() =>
            {
                // What it has in flight stays with it; nobody else has it.
                self.command(&format!("{} unsubscribe 2 $share/g/t/+", MEMBERS[member]));
            }
            Step::Block { member } if self.members[member].connection.is_some() => {
                self.command(&format!("{} block", MEMBERS[member]));
            }
            Step::Unblock { member } if self.members[member].connection.is_some() => {
                self.command(&format!("{} unblock", MEMBERS[member]));
            }
            Step::Wait { milliseconds } => self.command(&format!("wait {milliseconds}")),
            Step::Log(word) => self.command(&format!("log {word}")),
            Step::Checkpoint => self.command("checkpoint"),
            Step::Crash => self.crash(),
            _ => {}
        }
    }

    fn publish(&mut self, publisher: usize, topic: usize) {
        let number = self.messages.len();
        let id = self.next_id[publisher] % 900 + 1;
        self.next_id[publisher] = id;
        self.messages.push(Known { publisher, topic, ..Known::default() });
        self.asked.insert((publisher, id), number);
        self.command(&format!("{} publish 1 t/{topic} {number} id={id}", PUBLISHERS[publisher]));
    }

    fn answer(&mut self, member: usize, count: usize, code: &str) {
        for _ in 0..count {
            if self.members[member].connection.is_some()
                && let Some((id, number)) = self.members[member].open.pop_front()
            {
                self.messages[number].is_answered = true;
                self.command(&format!("{} puback {id} {code}", MEMBERS[member]));
            }
        }
    }

    fn lose(&mut self, member: usize) {
        self.members[member].open.clear();
        if self.members[member].connection.take().is_some() {
            self.command(&format!("{} lost", MEMBERS[member]));
        }
    }

    fn connect(&mut self, member: usize, window: u16, keep: bool) {
        let name = MEMBERS[member];
        // What it does not read before it takes its own place is not heard of.
        self.lose(member);
        let state = &mut self.members[member];
        state.connections += 1;
        state.connection = Some(state.connections);
        let expiry = if state.is_durable { " expiry=100000" } else { "" };
        let keep = if keep { " keep" } else { "" };
        self.command(&format!("{name} connect{keep} rm={window}{expiry}"));
        self.command(&format!("{name} subscribe 1 $share/g/t/+,1"));
    }

    /// All that the process knew is gone: who has what, and the members whose sessions were not durable.
    fn crash(&mut self) {
        self.command("crash");
        for member in &mut self.members {
            member.connection = None;
            member.open.clear();
        }
        for message in &mut self.messages {
            // What was answered in the last moment may come again.
            (message.holder, message.is_answered) = (None, false);
        }
        self.publishers();
        self.connect(self.anchor, 3, true);
    }

    /// Everybody is there and answers: everything comes to its end.
    fn finish(mut self) -> Self {
        self.command("log commit");
        for (member, name) in MEMBERS.iter().enumerate() {
            if self.members[member].connection.is_none() {
                self.connect(member, 3, true);
            }
            self.command(&format!("{name} unblock"));
        }
        // What a session keeps that is over may come a second later.
        let mut quiet = 0;
        while quiet < 3 {
            self.command("wait 500");
            let is_quiet = self.members.iter().all(|member| member.open.is_empty());
            quiet = if is_quiet { quiet + 1 } else { 0 };
            (0..MEMBERS.len()).for_each(|member| self.answer(member, 9, "00"));
        }
        for (number, message) in self.messages.iter().enumerate() {
            assert!(message.was_delivered || !message.is_taken, "{number} is lost");
        }
        assert_eq!(self.world.open_ends(), 0);
        self.command("wait 60");
        self.world.check();
        self
    }
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_is_lost_while_a_member_is_there(
        shards in 1..4_u16,
        strategy in prop::sample::select(STRATEGIES.to_vec()),
        durable in 0..16_u8,
        steps in prop::collection::vec(step(1, 0), 1..120),
    ) {
        let mut twin = Twin::new(shards, strategy, durable, false);
        steps.iter().for_each(|step| twin.step(step));
        twin.finish();
    }

    #[test]
    fn nothing_is_lost_when_members_stall(
        shards in 1..4_u16,
        strategy in prop::sample::select(STRATEGIES.to_vec()),
        durable in 0..16_u8,
        steps in prop::collection::vec(step(1, 0), 1..120),
    ) {
        let mut twin = Twin::new(shards, strategy, durable, true);
        steps.iter().for_each(|step| twin.step(step));
        twin.finish();
    }

    #[test]
    fn nothing_is_lost_by_a_crash_while_a_durable_session_is_a_member(
        shards in 1..4_u16,
        stalls in any::<bool>(),
        strategy in prop::sample::select(STRATEGIES.to_vec()),
        durable in 0..16_u8,
        steps in prop::collection::vec(step(1, 1), 1..120),
    ) {
        let mut twin = Twin::new(shards, strategy, durable | 1, stalls);
        steps.iter().for_each(|step| twin.step(step));
        twin.crash();
        twin.finish();
    }

    #[test]
    fn a_sticky_strategy_keeps_the_order_of_a_publisher_and_topic(
        shards in 1..4_u16,
        strategy in prop::sample::select(STRATEGIES.iter().copied().filter(|one| one.is_sticky()).collect::<Vec<_>>()),
        durable in 0..16_u8,
        steps in prop::collection::vec(step(0, 0), 1..120),
    ) {
        let mut twin = Twin::new(shards, strategy, durable, false);
        steps.iter().for_each(|step| twin.step(step));
        let twin = twin.finish();
        for publisher in 0..PUBLISHERS.len() {
            for topic in 0..TOPICS {
                let is_of = |number: &&usize| {
                    let of = &twin.messages[**number];
                    (of.publisher, of.topic) == (publisher, topic)
                };
                let came: Vec<usize> = twin.order.iter().filter(is_of).copied().collect();
                prop_assert!(came.is_sorted(), "{came:?}");
            }
        }
    }
}
