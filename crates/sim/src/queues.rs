//! The queues of a simulation, and what each is there for. It must not know what happens to them.

use std::time::Duration;

use broker::{Durability, QueueProperties};
use queue_engine::{DispatchStrategy, Overflow};

/// What a queue is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Plain,
    /// Has one consumer at most, so that first deliveries show their order.
    Alone,
    /// Gives messages up after two deliveries, or when they are rejected.
    Dying,
    /// Has what [`Kind::Dying`] gave up. It is made when that happens first.
    Dead,
    /// Keeps the newest few.
    Ring,
    /// Has one consumer, with a durable session at QoS 2: each message comes to it once.
    Once,
    /// Keeps what was settled, and an operator purges it and sets it back.
    Operated,
    /// Keeps the order of each topic, whoever consumes, goes, refuses.
    Keyed,
    /// One of its consumers gets one message at a time.
    Sole,
    /// Takes each message id once.
    Dedup,
    /// Has messages that are held back or expire.
    Timed,
    /// Is paused now and then, and dispatches in other ways.
    Moody,
    /// Acknowledges what is written, and synced soon.
    Os,
    /// Keeps what it has as long as the process lives.
    Memory,
    /// Keeps the newest, as many as so many bytes are.
    Vat,
    /// Keeps the newest of each topic.
    Latest,
    /// Takes back what is unsettled for too long.
    Hasty,
    /// Lets messages expire that are too old.
    Brief,
    /// Takes what is published later.
    Later,
    /// Goes by other keys now and then, and by none.
    Turning,
}

/// A queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueOf {
    pub(crate) name: &'static str,
    /// Empty when it is bound to nothing.
    pub(crate) filter: &'static str,
    pub(crate) kind: Kind,
}

const fn queue(name: &'static str, filter: &'static str, kind: Kind) -> QueueOf {
    QueueOf { name, filter, kind }
}

/// All queues.
pub(crate) const QUEUES: [QueueOf; 21] = [
    queue("one", "t/+", Kind::Plain),
    queue("two", "t/both", Kind::Plain),
    queue("solo", "t/+", Kind::Alone),
    queue("dying", "t/+", Kind::Dying),
    queue("dead:dying", "", Kind::Dead),
    queue("ring", "t/+", Kind::Ring),
    queue("operated", "t/+", Kind::Operated),
    queue("once", "t/+", Kind::Once),
    queue("keyed", "t/+", Kind::Keyed),
    queue("sole", "t/+", Kind::Sole),
    queue("dedup", "t/+", Kind::Dedup),
    queue("timed", "q/timed", Kind::Timed),
    queue("moody", "t/+", Kind::Moody),
    queue("os", "+/both", Kind::Os),
    queue("memory", "+/both", Kind::Memory),
    queue("vat", "t/single", Kind::Vat),
    queue("latest", "t/+", Kind::Latest),
    queue("hasty", "t/single", Kind::Hasty),
    queue("brief", "t/single", Kind::Brief),
    queue("later", "d/later", Kind::Later),
    queue("turning", "t/+", Kind::Turning),
];
/// The places of some of them. The first is bound anew now and then: to more, and back.
pub(crate) const REBOUND: usize = 1;
pub(crate) const DYING: usize = 3;
pub(crate) const DEAD: usize = 4;
pub(crate) const OPERATED: usize = 6;
pub(crate) const ONCE: usize = 7;
pub(crate) const MOODY: usize = 12;
pub(crate) const OS: usize = 13;
pub(crate) const MEMORY: usize = 14;
pub(crate) const VAT: usize = 15;
pub(crate) const LATEST: usize = 16;
pub(crate) const HASTY: usize = 17;
pub(crate) const BRIEF: usize = 18;
pub(crate) const LATER: usize = 19;
pub(crate) const TURNING: usize = 20;
/// What the last one goes by, one at a time: its keys, if it keeps their order, and how they are made.
pub(crate) const WAYS: [Option<(&str, KeyOf)>; 4] = [
    None,
    Some(("topic", |topic| topic)),
    Some(("level(1)", |_| "t")),
    Some(("coalesce(user_property(\"no\"), hash(level(1), 9))", |_| "one of nine")),
];
/// The key of a topic.
pub(crate) type KeyOf = fn(&'static str) -> &'static str;
/// What it is bound to then.
pub(crate) const WIDE: &str = "t/+";
/// What the ring keeps.
pub(crate) const RING_MAX: u64 = 4;
/// The bytes that the vat has at most: more than the largest message.
pub(crate) const VAT_BYTES: u64 = 5000;
/// How long consumers may leave a message of the hasty queue unsettled.
pub(crate) const HASTE_MS: u64 = 2000;

/// How old a message of the brief queue gets, in a simulation of that seed.
pub(crate) const fn brief_ms(seed: u64) -> u64 {
    if seed.is_multiple_of(2) { 1000 } else { 20_000 }
}

/// How long the operated queue keeps what was settled, in a simulation of that seed. What it keeps fills segments, which are
/// never sparse then.
pub(crate) const fn keeps_settled_ms(seed: u64) -> u64 {
    match seed % 4 {
        3 => 0,
        1 => 40_000,
        _ => 1_000_000_000,
    }
}

/// The queue of that name.
pub(crate) fn number_of(name: &str) -> usize {
    QUEUES.iter().position(|of| of.name == name).expect("a queue of ours")
}

impl Kind {
    /// Whether messages may leave it that no consumer has taken.
    pub(crate) const fn may_lose(self) -> bool {
        let drops = matches!(self, Self::Ring | Self::Vat | Self::Memory);
        drops || matches!(self, Self::Operated | Self::Latest | Self::Brief)
    }
}

impl QueueOf {
    /// Messages with the same key are settled one after the other, if the queue promises that.
    pub(crate) fn key_of(self, topic: &'static str) -> Option<&'static str> {
        match self.kind {
            Kind::Keyed => Some(topic),
            Kind::Sole => Some(""),
            _ => None,
        }
    }

    /// What a client subscribes to.
    pub(crate) fn address(self) -> String {
        match self.name.strip_prefix("dead:") {
            Some(of) => format!("$dead/{of}"),
            None => format!("$queue/{}", self.name),
        }
    }

    /// Its properties.
    pub(crate) fn properties(self, defaults: &QueueProperties, seed: u64) -> QueueProperties {
        let mut properties = defaults.clone();
        match self.kind {
            Kind::Dying => properties.config.max_attempts = 2,
            Kind::Ring => {
                properties.config.max_messages = Some(RING_MAX);
                properties.config.overflow = Overflow::DropOldest;
            }
            Kind::Keyed => properties.config.dispatch_strategy = DispatchStrategy::KeyOrdered,
            Kind::Sole => {
                properties.config.dispatch_strategy = DispatchStrategy::SingleActive;
                properties.config.max_inflight = 1;
            }
            Kind::Os => properties.durability = Durability::Os,
            Kind::Memory => properties.durability = Durability::Memory,
            Kind::Vat => {
                properties.config.max_bytes = Some(VAT_BYTES);
                properties.config.overflow = Overflow::DropOldest;
            }
            Kind::Latest => properties.config.last_value = true,
            Kind::Hasty => properties.config.ack_timeout = Duration::from_millis(HASTE_MS),
            Kind::Brief => properties.config.retention = Duration::from_millis(brief_ms(seed)),
            Kind::Dedup => properties.config.dedup_window = Duration::from_secs(1_000_000),
            Kind::Operated => {
                properties.config.keep_settled = Duration::from_millis(keeps_settled_ms(seed));
            }
            _ => {}
        }
        if matches!(self.kind, Kind::Vat | Kind::Latest | Kind::Hasty | Kind::Brief) {
            // One in two goes by its own strategy.
            let nth = (seed / 8) as usize % (2 * DispatchStrategy::ALL.len());
            if let Some(strategy) = DispatchStrategy::ALL.get(nth) {
                properties.config.dispatch_strategy = *strategy;
            }
        }
        properties
    }
}
