//! Shared subscriptions under random commands, beside a naive twin that knows for each message who has it: nothing is lost
//! while a member is there, nobody gets what another one has or has answered for, and a sticky strategy keeps order. At
//! QoS 0 and 2 nothing comes twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    Publish {
        publisher: usize,
        topic: usize,
        qos: u8,
    },
    Answer {
        member: usize,
        count: usize,
        code: &'static str,
    },
    Lose {
        member: usize,
    },
    Connect {
        member: usize,
        window: u16,
        keep: bool,
    },
    Unsubscribe {
        member: usize,
    },
    Block {
        member: usize,
    },
    Unblock {
        member: usize,
    },
    Wait {
        milliseconds: u64,
    },
    Log(&'static str),
    Checkpoint,
    Crash,
    /// What waits is stored, and the process dies before that shard hears of it.
    CrashBehind {
        shard: u16,
    },
}

/// Steps that change who is a member have this weight; 0 leaves the members as they are.
fn step(change: u32, crash: u32) -> impl Strategy<Value = Step> {
    // Most are at QoS 1, of which the twin knows the most.
    let qos = prop::sample::select(vec![0, 1, 1, 1, 2, 2]);
    let member = 0..MEMBERS.len();
    let code = prop::sample::select(vec!["00", "00", "10", "80"]);
    let steps = vec![
        (
            10,
            (0..PUBLISHERS.len(), 0..TOPICS, qos)
                .prop_map(|(publisher, topic, qos)| Step::Publish { publisher, topic, qos })
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
        (crash, (0..3_u16).prop_map(|shard| Step::CrashBehind { shard }).boxed()),
    ];
    let wanted = steps.into_iter().filter(|(weight, _)| *weight > 0);
    prop::strategy::Union::new_weighted(wanted.collect())
}

/// What the twin knows of a message.
#[derive(Clone, Default)]
struct Known {
    publisher: usize,
    topic: usize,
    qos: u8,
    /// It may have been sent at QoS 2 to a session that ended before its client had read it.
    may_be_gone: bool,
    /// The broker has been started again since.
    is_unsure: bool,
    /// Its publisher was told that it is taken, by somebody.
    is_taken: bool,
    /// Who was sent it last, on which connection.
    holder: Option<(usize, u32)>,
    /// The holder has answered.
    is_answered: bool,
    /// At QoS 2: its client has refused it, or has begun its session anew. A crash soon after takes that back.
    may_return: bool,
    was_delivered: bool,
}

#[derive(Default)]
struct Member {
    /// Which of its connections it is; `None` while it has none.
    connection: Option<u32>,
    connections: u32,
    is_durable: bool,
    /// It reads nothing.
    is_blocked: bool,
    /// Its session may have been sent what it has not read.
    has_missed: bool,
    is_subscribed: bool,
    /// Packet ids that it has not answered, with their messages.
    open: VecDeque<(u16, usize)>,
    /// Packet ids of its session at QoS 2 that it has and that are not released.
    unreleased: BTreeSet<u16>,
}

struct Twin {
    world: World,
    members: Vec<Member>,
    messages: Vec<Known>,
    /// Packet ids of publishers that wait for an answer.
    asked: BTreeMap<(usize, u16), usize>,
    next_id: [u16; 2],
    /// The QoS that members subscribe with.
    granted: u8,
    /// What clients say at once to what they have heard.
    replies: VecDeque<String>,
    /// Whether members that do not answer stall, so that others get what they have too.
    stalls: bool,
    /// Who is never lost: as long as it is there, nothing is.
    anchor: usize,
    order: Vec<usize>,
}

impl Twin {
    fn new(shards: u16, strategy: SharedStrategy, durable: u8, granted: u8, stalls: bool) -> Self {
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
            granted,
            replies: VecDeque::new(),
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
        while let Some(reply) = self.replies.pop_front() {
            for heard in self.world.command(&reply) {
                self.hear(&heard);
            }
        }
    }

    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let id = |word: &str| word.trim_start_matches("id=").parse::<u16>().expect("an id");
        if let Some(publisher) = PUBLISHERS.iter().position(|name| *name == words[0])
            && matches!(words[1], "puback" | "pubrec")
        {
            let message = self.asked.remove(&(publisher, id(words[2]))).expect("asked for");
            // 10: nobody has subscribed. At QoS 2 that is no end of the handshake.
            self.messages[message].is_taken = words[3] == "00";
            if words[1] == "pubrec" {
                self.replies.push_back(format!("{} pubrel {}", words[0], words[2]));
            }
        }
        let Some(member) = MEMBERS.iter().position(|name| *name == words[0]) else { return };
        let number = || words.last().and_then(|word| word.parse::<usize>().ok()).expect("a number");
        match (words[1], words[2]) {
            ("publish", "0") => self.deliver_at_most_once(member, number()),
            ("publish", "1") => self.deliver(member, id(words[3]), number()),
            ("publish", "2") => self.deliver_once(member, id(words[3]), number()),
            ("pubrel", released) => {
                self.members[member].unreleased.remove(&id(released));
                self.replies.push_back(format!("{} pubcomp {released}", words[0]));
            }
            _ => {}
        }
    }

    fn deliver_at_most_once(&mut self, member: usize, number: usize) {
        let message = &mut self.messages[number];
        assert!(message.qos == 0, "{number} is acknowledged");
        let was_delivered = std::mem::replace(&mut message.was_delivered, true);
        assert!(!was_delivered, "{number} comes again, to {}", MEMBERS[member]);
        self.order.push(number);
    }

    fn deliver_once(&mut self, member: usize, id: u16, number: usize) {
        let name = MEMBERS[member];
        let message = &mut self.messages[number];
        assert!(message.qos == 2, "{number} was published with less");
        self.members[member].open.push_back((id, number));
        if self.members[member].unreleased.insert(id) {
            let was_delivered = std::mem::replace(&mut message.was_delivered, true);
            assert!(!was_delivered, "{number} comes again, to {name}, where {id} is free");
            message.holder = Some((member, 0));
            self.order.push(number);
        } else {
            assert_eq!(message.holder, Some((member, 0)), "{name} has {id}, for another message");
        }
    }

    fn deliver(&mut self, member: usize, id: u16, number: usize) {
        let connection = self.members[member].connection.expect("it hears");
        let message = &mut self.messages[number];
        assert!(message.qos.min(self.granted) == 1, "{number} at QoS 1");
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
            Step::Publish { publisher, topic, qos } => self.publish(publisher, topic, qos),
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
                self.members[member].is_subscribed = false;
                self.command(&format!("{} unsubscribe 2 $share/g/t/+", MEMBERS[member]));
            }
            Step::Block { member } if self.members[member].connection.is_some() => {
                self.members[member].is_blocked = true;
                self.command(&format!("{} block", MEMBERS[member]));
            }
            Step::Unblock { member } if self.members[member].connection.is_some() => {
                self.members[member].is_blocked = false;
                self.command(&format!("{} unblock", MEMBERS[member]));
            }
            Step::Wait { milliseconds } => self.command(&format!("wait {milliseconds}")),
            Step::Log(word) => self.command(&format!("log {word}")),
            Step::Checkpoint => self.command("checkpoint"),
            Step::Crash => self.crash(),
            Step::CrashBehind { shard } => {
                self.command(&format!("stall {}", shard % self.world.shards.len() as u16));
                self.command("log commit");
                self.crash();
            }
            _ => {}
        }
    }

    fn publish(&mut self, publisher: usize, topic: usize, qos: u8) {
        let number = self.messages.len();
        self.messages.push(Known { publisher, topic, qos, ..Known::default() });
        let name = PUBLISHERS[publisher];
        if qos == 0 {
            self.command(&format!("{name} publish 0 t/{topic} {number}"));
            let is_there = |member: &Member| member.connection.is_some() && member.is_subscribed;
            let are_reading = self.members.iter().all(|member| !member.is_blocked);
            if are_reading && self.members.iter().any(is_there) && !self.stalls {
                assert!(self.messages[number].was_delivered, "{number} is lost at QoS 0");
            }
            return;
        }
        let id = self.next_id[publisher] % 900 + 1;
        self.next_id[publisher] = id;
        self.asked.insert((publisher, id), number);
        self.command(&format!("{name} publish {qos} t/{topic} {number} id={id}"));
    }

    fn answer(&mut self, member: usize, count: usize, code: &str) {
        for _ in 0..count {
            if self.members[member].connection.is_some()
                && let Some((id, number)) = self.members[member].open.pop_front()
            {
                let message = &mut self.messages[number];
                message.is_answered = true;
                let word = if message.qos.min(self.granted) == 2 { "pubrec" } else { "puback" };
                if word == "pubrec" && code >= "80" {
                    message.may_return = true;
                    self.members[member].unreleased.remove(&id);
                }
                self.command(&format!("{} {word} {id} {code}", MEMBERS[member]));
            }
        }
    }

    fn lose(&mut self, member: usize) {
        let state = &mut self.members[member];
        state.open.clear();
        state.has_missed |= std::mem::take(&mut state.is_blocked);
        if !state.is_durable {
            state.is_subscribed = false;
            self.end_session(member);
        }
        if self.members[member].connection.take().is_some() {
            self.command(&format!("{} lost", MEMBERS[member]));
        }
    }

    /// What was sent to it at QoS 2 is gone with it. [MQTT-4.8.2-5]
    fn end_session(&mut self, member: usize) {
        let state = &mut self.members[member];
        state.unreleased.clear();
        let has_missed = std::mem::take(&mut state.has_missed);
        let at_qos_2 = self.messages.iter_mut().filter(|one| one.qos.min(self.granted) == 2);
        for message in at_qos_2 {
            message.may_be_gone |= has_missed || message.is_unsure;
            message.may_return |= message.holder == Some((member, 0));
        }
    }

    fn connect(&mut self, member: usize, window: u16, keep: bool) {
        let name = MEMBERS[member];
        // What it does not read before it takes its own place is not heard of.
        self.lose(member);
        if !keep {
            self.end_session(member);
        }
        let state = &mut self.members[member];
        state.connections += 1;
        state.connection = Some(state.connections);
        state.is_subscribed = true;
        let expiry = if state.is_durable { " expiry=100000" } else { "" };
        let keep = if keep { " keep" } else { "" };
        self.command(&format!("{name} connect{keep} rm={window}{expiry}"));
        self.command(&format!("{name} subscribe 1 $share/g/t/+,{}", self.granted));
    }

    /// All that the process knew is gone: who has what, and the members whose sessions were not durable.
    fn crash(&mut self) {
        self.command("crash");
        for member in &mut self.members {
            member.connection = None;
            member.is_blocked = false;
            member.open.clear();
            if !member.is_durable {
                member.unreleased.clear();
            }
        }
        for message in &mut self.messages {
            // What a session had may have been sent.
            message.is_unsure = true;
            // What was answered in the last moment may come again.
            if message.qos.min(self.granted) == 1 {
                (message.holder, message.is_answered) = (None, false);
            }
            if std::mem::take(&mut message.may_return) {
                (message.was_delivered, message.may_be_gone) = (false, true);
            }
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
            self.members[member].is_blocked = false;
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
            let is_lost = message.is_taken && !message.may_be_gone && !message.was_delivered;
            assert!(!is_lost, "{number} is lost at QoS {}", message.qos);
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
        granted in 1..3_u8,
        steps in prop::collection::vec(step(1, 0), 1..120),
    ) {
        let mut twin = Twin::new(shards, strategy, durable, granted, false);
        steps.iter().for_each(|step| twin.step(step));
        twin.finish();
    }

    #[test]
    fn nothing_is_lost_when_members_stall(
        shards in 1..4_u16,
        strategy in prop::sample::select(STRATEGIES.to_vec()),
        durable in 0..16_u8,
        granted in 1..3_u8,
        steps in prop::collection::vec(step(1, 0), 1..120),
    ) {
        let mut twin = Twin::new(shards, strategy, durable, granted, true);
        steps.iter().for_each(|step| twin.step(step));
        twin.finish();
    }

    #[test]
    fn nothing_is_lost_by_a_crash_while_a_durable_session_is_a_member(
        shards in 1..4_u16,
        stalls in any::<bool>(),
        strategy in prop::sample::select(STRATEGIES.to_vec()),
        durable in 0..16_u8,
        granted in 1..3_u8,
        steps in prop::collection::vec(step(1, 1), 1..120),
    ) {
        let mut twin = Twin::new(shards, strategy, durable | 1, granted, stalls);
        steps.iter().for_each(|step| twin.step(step));
        twin.crash();
        twin.finish();
    }

    #[test]
    fn a_sticky_strategy_keeps_the_order_of_a_publisher_topic_and_qos(
        shards in 1..4_u16,
        strategy in prop::sample::select(STRATEGIES.iter().copied().filter(|one| one.is_sticky()).collect::<Vec<_>>()),
        durable in 0..16_u8,
        granted in 1..3_u8,
        steps in prop::collection::vec(step(0, 0), 1..120),
    ) {
        let mut twin = Twin::new(shards, strategy, durable, granted, false);
        steps.iter().for_each(|step| twin.step(step));
        let twin = twin.finish();
        for publisher in 0..PUBLISHERS.len() {
            for (topic, qos) in (0..TOPICS).flat_map(|topic| (0..3).map(move |qos| (topic, qos))) {
                let is_of = |number: &&usize| {
                    let of = &twin.messages[**number];
                    (of.publisher, of.topic, of.qos) == (publisher, topic, qos)
                };
                let came: Vec<usize> = twin.order.iter().filter(is_of).copied().collect();
                prop_assert!(came.is_sorted(), "{came:?}");
            }
        }
    }
}
