//! What happens in a simulation, decided beforehand from a seed, so that steps can be left out to see whether they matter.
//! It must not know what comes of them.

use crate::dice::Dice;
use crate::groups::SHARERS;
use crate::queues::{DEAD, DYING, QUEUES, WAYS};
use crate::streams::{OPERATED_READERS, PLAIN_READERS};

/// Clients that publish; the last one speaks 3.1.1.
pub(crate) const PUBLISHERS: usize = 4;
/// Clients that consume from queues.
pub(crate) const CONSUMERS: usize = 4;
/// Clients with a durable session, the first at QoS 1, the second at QoS 2.
pub(crate) const SESSIONS: usize = 2;
/// Clients that read streams on their own.
pub(crate) const READING: usize = 5;
/// Clients that read a stream together.
pub(crate) const TEAM_MEMBERS: usize = 2;
/// Topics: some lead to all queues but those with topics of their own, and the last one to nobody.
pub(crate) const TOPICS: [&str; 7] =
    ["t/single", "t/both", "t/both", "q/timed", "o/both", "d/later", "x/nobody"];
/// The topic of messages that are held back or expire, for a queue of their own.
pub(crate) const TIMED_TOPIC: usize = 3;
/// The topic of messages that nobody takes who syncs before he acknowledges.
pub(crate) const RELAXED_TOPIC: usize = 4;
/// The topic of messages that are published later.
pub(crate) const LATER_TOPIC: usize = 5;

/// Whether somebody takes a message for that topic.
pub(crate) fn is_wanted(topic: &str) -> bool {
    topic != TOPICS[TOPICS.len() - 1]
}

/// Whether a message for that topic is one for a filter of [`QUEUES`], or for one of a session.
pub(crate) fn leads_to(topic: &str, filter: &str) -> bool {
    let same = |topic: &str, level: &str| level == "+" || level == topic;
    let levels = topic.split('/').zip(filter.split('/'));
    !filter.is_empty() && levels.into_iter().all(|(topic, level)| same(topic, level))
}

/// What a publisher asks for a message.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Timing {
    /// Seconds that it is held back.
    pub(crate) delay: Option<u32>,
    /// Seconds that it lives.
    pub(crate) expires: Option<u32>,
    /// Seconds until it is published.
    pub(crate) later: Option<u32>,
}

impl Timing {
    /// Where a message for that topic is published.
    pub(crate) fn address(self, topic: &str) -> String {
        self.later.map_or_else(|| topic.to_owned(), |seconds| format!("$delayed/{seconds}/{topic}"))
    }
}

/// Where somebody begins to read a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Start {
    Next,
    Earliest,
    Latest,
    /// So many hundredths of the way from the first offset to the last.
    Offset(u64),
    /// When the message was stored that is so many hundredths of the way among those that are known.
    Time(u64),
}

/// Something that happens.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Step {
    Publish {
        publisher: usize,
        topic: usize,
        qos: u8,
        bytes: usize,
        retain: bool,
    },
    /// A message that is held back, or expires, or both.
    PublishTimed {
        publisher: usize,
        qos: u8,
        bytes: usize,
        timing: Timing,
    },
    /// A message that is published later.
    PublishLater {
        publisher: usize,
        qos: u8,
        bytes: usize,
        seconds: u32,
    },
    /// An operator cancels one of those that wait to be published.
    Cancel {
        nth: usize,
    },
    Subscribe {
        consumer: usize,
        queue: usize,
        qos: u8,
    },
    Unsubscribe {
        consumer: usize,
        queue: usize,
    },
    /// A client answers one of the messages that it holds.
    Answer {
        client: usize,
        nth: usize,
        code: u8,
    },
    /// A client answers all.
    AnswerAll {
        client: usize,
    },
    /// Consumers come to some queues, and answer what they get as they like.
    Consume {
        seed: u64,
    },
    /// Everybody comes and takes all that waits, so that what is left is little and lies far apart.
    TakeAll,
    /// A connection ends; its client comes back when it wants something.
    Lose {
        client: usize,
    },
    Connect {
        client: usize,
    },
    /// A client reads its connection no more, or again.
    Block {
        client: usize,
        is_blocked: bool,
    },
    /// A client reads a stream, from there on.
    Read {
        reader: usize,
        start: Start,
        qos: u8,
    },
    /// A client joins its group.
    Join {
        sharer: usize,
    },
    /// A client leaves its group, and stays.
    Leave {
        sharer: usize,
    },
    /// A durable member of a group begins anew.
    BeginAnew {
        sharer: usize,
    },
    Turn {
        shard: usize,
    },
    Work {
        worker: usize,
    },
    /// Everyone works until nothing is left to do.
    Run,
    /// The same, with time for what waits for it.
    Calm,
    Wait {
        milliseconds: u64,
    },
    /// Little by little time goes by, as it does where nothing happens.
    Idle,
    /// The disk is slow: nothing is stored until it is not.
    Slow {
        is_slow: bool,
    },
    /// Bodies are read slowly: one at a time, by a step of its own, until it is over.
    SlowReads {
        is_slow: bool,
    },
    Checkpoint,
    /// An operator removes what waits in a queue.
    Purge,
    /// An operator lets a queue go on elsewhere, perhaps just after consumers have accepted what they have.
    Seek {
        hundredths: u64,
        is_at_rest: bool,
    },
    /// An operator sends dead letters back.
    Redrive,
    /// An operator pauses a queue, or lets it go on.
    Pause {
        is_paused: bool,
    },
    /// An operator binds a queue to more, or back.
    Rebind {
        is_wide: bool,
    },
    /// An operator gives a queue another strategy.
    Reconfigure {
        strategy: usize,
        max_inflight: u32,
    },
    /// An operator lets a queue go by other keys.
    TurnKeys {
        way: usize,
    },
    /// An operator lets a reader that is not connected go on elsewhere.
    SeekReader {
        reader: usize,
        hundredths: u64,
    },
    /// An operator forgets a reader that is not connected.
    ForgetReader {
        reader: usize,
    },
    /// A message must run live while nothing can be stored.
    LiveProbe {
        publisher: usize,
        bytes: usize,
    },
    /// The process dies; with the machine, or without.
    Crash {
        power: bool,
        seed: u64,
    },
    /// The machine dies in the middle of what it does, so many operations of the disk later; or the process alone.
    CutIn {
        operations: usize,
        power: bool,
    },
    Room {
        bytes: Option<u64>,
    },
    FailSync,
    /// A write to a segment fails when half of it is written.
    FailWrite,
    /// The wall clock is set.
    Clock {
        seconds: i64,
    },
    Flip {
        seed: u64,
    },
    Misdirect {
        seed: u64,
    },
}

/// All that happens in one simulation.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) shards: u16,
    pub(crate) steps: Vec<Step>,
}

/// How the weather is: which faults come, and how often.
struct Climate {
    crashes: usize,
    full: usize,
    fails: usize,
    harms: usize,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let climate = match dice.below(8) {
            0 => Climate { crashes: 0, full: 0, fails: 0, harms: 0 },
            1 | 2 => Climate { crashes: 12, full: 0, fails: 0, harms: 0 },
            3 => Climate { crashes: 8, full: 10, fails: 0, harms: 0 },
            4 => Climate { crashes: 10, full: 0, fails: 6, harms: 0 },
            5 => Climate { crashes: 10, full: 6, fails: 3, harms: 0 },
            _ => Climate { crashes: 8, full: 0, fails: 0, harms: 6 },
        };
        let shards = dice.one_of(&[1, 2, 3]);
        let length = (40 + dice.below(260)) * dice.one_of(&[1, 1, 1, 1, 1, 4]);
        let steps = (0..length).map(|_| step(&mut dice, &climate, shards)).collect();
        Self { seed, shards: shards as u16, steps }
    }
}

fn step(dice: &mut Dice, climate: &Climate, shards: usize) -> Step {
    let faults = climate.crashes + climate.full + climate.fails + climate.harms;
    let fault = dice.below(200);
    if fault < faults {
        return fault_of(dice, climate, fault);
    }
    let client = dice.below(CLIENTS - PUBLISHERS);
    let consumer = dice.below(CONSUMERS);
    let queue = dice.below(QUEUES.len());
    let publisher = dice.below(PUBLISHERS);
    let sharer = dice.below(SHARERS.len());
    let bytes = dice.one_of(&[0, 10, 100, 100, 400, 400, 900, 3000]);
    match dice.below(98) {
        0..21 => {
            let nobody = TOPICS.len() - 1;
            let relaxed = if dice.one_in(6) { RELAXED_TOPIC } else { dice.below(TIMED_TOPIC) };
            let topic = if dice.one_in(12) { nobody } else { relaxed };
            let qos = dice.one_of(&[0, 1, 1, 1, 2, 2]);
            Step::Publish { publisher, topic, qos, bytes, retain: dice.one_in(6) }
        }
        21..25 => {
            let queue = dice.one_of(&[queue, queue, DYING, DEAD]);
            Step::Subscribe { consumer, queue, qos: dice.below(3) as u8 }
        }
        25 => Step::Unsubscribe { consumer, queue },
        26..33 => {
            let code = dice.one_of(&[0, 0, 0, 0x97, 0x80, 0x99]);
            // Those who can refuse do so often.
            let client = if dice.one_in(2) { consumer } else { client };
            Step::Answer { client, nth: dice.below(12), code }
        }
        33..39 => Step::AnswerAll { client },
        39 | 40 => Step::Lose { client: dice.below(CLIENTS) },
        41..44 => Step::Connect { client: dice.below(CLIENTS) },
        44 => Step::Block { client, is_blocked: dice.one_in(2) },
        45..49 => Step::Turn { shard: dice.below(shards) },
        49..53 => Step::Work { worker: dice.below(4) },
        53..59 => Step::Run,
        59..62 => Step::Calm,
        62 => Step::Wait { milliseconds: dice.one_of(&[1, 20, 60, 1500, 2500, 31_000]) },
        63 => Step::Slow { is_slow: dice.one_in(2) },
        64 => Step::Checkpoint,
        65 => Step::Clock { seconds: dice.one_of(&[-90_000, -3600, -1, 1, 60, 3600, 90_000]) },
        66 => Step::Idle,
        67 => Step::Purge,
        68 | 69 => {
            let hundredths = dice.one_of(&[0, 0, 10, 50, 90, 100]);
            Step::Seek { hundredths, is_at_rest: dice.one_in(2) }
        }
        70..75 => {
            let reader = dice.one_of(&PLAIN_READERS);
            Step::Read { reader, start: start(dice), qos: qos_of_reading(dice) }
        }
        75 | 76 => Step::Join { sharer },
        77 => Step::Leave { sharer },
        78 => Step::BeginAnew { sharer },
        79 => Step::TakeAll,
        80 => Step::SlowReads { is_slow: dice.one_in(2) },
        81..84 => timed_step(dice, publisher, bytes),
        84..90 => operator_step(dice),
        90..95 => Step::Consume { seed: dice.next() },
        95 | 96 => {
            let seconds = dice.one_of(&[0, 1, 2, 30]);
            Step::PublishLater { publisher, qos: dice.below(3) as u8, bytes, seconds }
        }
        _ => Step::LiveProbe { publisher, bytes },
    }
}

/// A message that is held back, or expires, or both.
fn timed_step(dice: &mut Dice, publisher: usize, bytes: usize) -> Step {
    let times = [None, Some(1), Some(30)];
    let (delay, expires) = (dice.one_of(&times), dice.one_of(&times));
    let timing = Timing { delay, expires, later: None };
    Step::PublishTimed { publisher, qos: dice.one_of(&[1, 2]), bytes, timing }
}

/// What an operator does to queues that others use, and to readers.
fn operator_step(dice: &mut Dice) -> Step {
    let reader = dice.one_of(&OPERATED_READERS);
    match dice.below(10) {
        9 => Step::Cancel { nth: dice.below(12) },
        0 | 1 => Step::Redrive,
        7 | 8 => Step::TurnKeys { way: dice.below(WAYS.len()) },
        6 => Step::Rebind { is_wide: dice.one_in(2) },
        2 => Step::Pause { is_paused: dice.one_in(2) },
        3 => Step::Reconfigure { strategy: dice.below(5), max_inflight: dice.below(6) as u32 },
        4 => Step::SeekReader { reader, hundredths: dice.below(101) as u64 },
        _ => Step::ForgetReader { reader },
    }
}

fn start(dice: &mut Dice) -> Start {
    let hundredths = dice.below(101) as u64;
    let elsewhere =
        [Start::Earliest, Start::Latest, Start::Offset(hundredths), Start::Time(hundredths)];
    if dice.one_in(3) { dice.one_of(&elsewhere) } else { Start::Next }
}

fn qos_of_reading(dice: &mut Dice) -> u8 {
    dice.one_of(&[0, 1, 1, 1, 1, 2])
}

/// The client that consumes from a queue with a durable session, at QoS 2.
pub(crate) const KEEPER: usize = PUBLISHERS + CONSUMERS + SESSIONS;
/// The client that listens live.
pub(crate) const LIVE: usize = KEEPER + 1;
/// The first client that reads a stream on its own.
pub(crate) const READER: usize = LIVE + 1;
/// The first client that reads a stream with others.
pub(crate) const MEMBER: usize = READER + READING;
/// The first client that shares a subscription.
pub(crate) const SHARER: usize = MEMBER + TEAM_MEMBERS;
/// Clients that a plan knows. One more comes at the end.
pub(crate) const CLIENTS: usize = SHARER + SHARERS.len();

fn fault_of(dice: &mut Dice, climate: &Climate, fault: usize) -> Step {
    let seed = dice.next();
    if fault < climate.crashes {
        return match dice.below(3) {
            0 => Step::Crash { power: dice.one_in(2), seed },
            _ => Step::CutIn { operations: dice.below(40), power: !dice.one_in(3) },
        };
    }
    if fault < climate.crashes + climate.full {
        let room = dice.one_of(&[Some(0), Some(3000), Some(9000), Some(20_000), None, None]);
        return Step::Room { bytes: room };
    }
    if fault < climate.crashes + climate.full + climate.fails {
        return if dice.one_in(2) { Step::FailSync } else { Step::FailWrite };
    }
    if dice.one_in(2) { Step::Flip { seed } } else { Step::Misdirect { seed } }
}
