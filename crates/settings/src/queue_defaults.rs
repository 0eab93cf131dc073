//! What a new queue has where nothing else is said: the queue properties of the contract as typed values.
//! It must not know how a queue acts on them.

use std::time::Duration;

/// The properties a queue is made with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QueueDefaults {
    /// Which consumer gets the next message.
    pub dispatch_strategy: DispatchStrategy,
    /// What the key of a message is.
    pub key_expression: String,
    /// Messages of one key in flight at once.
    pub key_inflight: u32,
    /// Whether only the newest message of each key is kept.
    pub last_value: bool,
    /// What an acknowledgement promises.
    pub durability: Durability,
    /// The age at which an unsettled message expires; none: never.
    pub retention: Option<Duration>,
    /// The most messages; none: no limit.
    pub max_messages: Option<u64>,
    /// The most bytes; none: no limit.
    pub max_bytes: Option<u64>,
    /// What happens at the limit.
    pub overflow: Overflow,
    /// Unsettled messages for each consumer.
    pub max_inflight: u16,
    /// How long a message may be unsettled before another consumer gets it.
    pub ack_timeout: Duration,
    /// Deliveries before a message is dead-lettered; none: no limit.
    pub max_attempts: Option<u32>,
    /// The first back-off.
    pub retry_delay: Duration,
    /// The longest back-off.
    pub retry_delay_max: Duration,
    /// Where dead letters go.
    pub dead_letter: DeadLetter,
    /// Whether expired messages are dead-lettered too.
    pub dead_letter_expired: bool,
    /// Whether messages dropped at the limit are dead-lettered too.
    pub dead_letter_dropped: bool,
    /// Whether messages whose key expression has no value are dead-lettered too.
    pub dead_letter_unkeyed: bool,
    /// How long a `message-id` is remembered; none: not at all.
    pub dedup_window: Option<Duration>,
    /// How long settled messages stay replayable.
    pub keep_settled: Duration,
    /// Whether the queue stores and does not deliver.
    pub paused: bool,
}

/// Which consumer gets the next message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DispatchStrategy {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// Any, with equal chances.
    Random,
    /// The one with the fewest messages in flight.
    LeastInflight,
    /// Order kept per key.
    KeyOrdered,
    /// One at a time; the next takes over.
    SingleActive,
}

impl DispatchStrategy {
    pub(crate) const WORDS: &[&str] =
        &["round_robin", "random", "least_inflight", "key_ordered", "single_active"];
    pub(crate) const ALL: &[Self] = &[
        Self::RoundRobin,
        Self::Random,
        Self::LeastInflight,
        Self::KeyOrdered,
        Self::SingleActive,
    ];
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// Synced to disk.
    #[default]
    Sync,
    /// Written, synced a little later.
    Os,
    /// Gone with the process.
    Memory,
}

impl Durability {
    pub(crate) const WORDS: &[&str] = &["sync", "os", "memory"];
    pub(crate) const ALL: &[Self] = &[Self::Sync, Self::Os, Self::Memory];
}

/// What happens when a queue is at its limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Overflow {
    /// The publisher is refused.
    #[default]
    RejectPublish,
    /// The oldest message makes room.
    DropOldest,
}

impl Overflow {
    pub(crate) const WORDS: &[&str] = &["reject_publish", "drop_oldest"];
    pub(crate) const ALL: &[Self] = &[Self::RejectPublish, Self::DropOldest];
}

/// Where dead letters go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum DeadLetter {
    /// Into the queue's own dead-letter queue.
    #[default]
    Own,
    /// Into the queue of that name.
    Queue(String),
    /// Nowhere: they count as dropped.
    None,
}

impl DeadLetter {
    /// Reads `own`, `none` or the name of a queue.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "own" => Ok(Self::Own),
            "none" => Ok(Self::None),
            "" => Err("the name of a queue cannot be empty; write own, none or a name".to_owned()),
            name => Ok(Self::Queue(name.to_owned())),
        }
    }
}
