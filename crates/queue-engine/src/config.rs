//! What a queue can be told about its behaviour. It must not know how it behaves.

use std::time::Duration;

/// Which consumer gets the next message. The numbers are persisted and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum DispatchStrategy {
    /// One after the other, over those with credit.
    #[default]
    RoundRobin = 1,
    /// Any of those with credit, each as likely as the other.
    Random = 2,
    /// The one with the fewest unsettled messages; among equals one after the other.
    LeastInflight = 3,
    /// Messages of a key one after the other, at one consumer at a time; the consumer with the fewest unsettled takes
    /// the next free key.
    KeyOrdered = 4,
    /// The consumer that attached first gets all; the next takes over.
    SingleActive = 5,
}

impl DispatchStrategy {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::RoundRobin, Self::Random, Self::LeastInflight, Self::KeyOrdered, Self::SingleActive];

    /// The number to persist.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The strategy of a persisted number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.number() == number)
    }
}

/// What happens to a message that is one too many. The numbers are persisted and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Overflow {
    /// It is refused: the caller asks [`Queue::would_fit`](crate::Queue::would_fit) before it stores one.
    #[default]
    RejectPublish = 1,
    /// It is taken, and the oldest that is not in flight goes. When all but the newest are in flight, the oldest of these
    /// goes: its consumer may still finish it, and its verdict comes too late. The newest of all is the last to go.
    DropOldest = 2,
}

impl Overflow {
    /// The number to persist.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The behaviour of a persisted number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::RejectPublish, Self::DropOldest].into_iter().find(|one| one.number() == number)
    }
}

/// A queue's properties, as far as the engine acts on them. The defaults are those of a new queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueConfig {
    /// Which consumer gets the next message.
    pub dispatch_strategy: DispatchStrategy,
    /// Unsettled messages per consumer, whatever it asks for. 0 counts as 1.
    pub max_inflight: u32,
    /// How long a message may be unsettled at a consumer. Zero: for ever.
    pub ack_timeout: Duration,
    /// Deliveries before a message becomes a dead letter. 0: no limit.
    ///
    /// Looked at when an attempt is counted: a crash or a lower limit can lead to one more delivery.
    pub max_attempts: u32,
    /// How long a released message waits, the first time. Also how long a consumer rests that was too busy.
    pub retry_delay: Duration,
    /// How long a released message waits at most, before jitter.
    pub retry_delay_max: Duration,
    /// Stores, does not deliver.
    pub paused: bool,
    /// Messages of a key in flight at most, with `key_ordered`. 0 counts as 1.
    ///
    /// A message that waits for its back-off, or for a consumer that may have it, counts among them.
    pub key_inflight: u32,
    /// Messages that `key_ordered` passes over at most because their keys are blocked, to find others behind them.
    ///
    /// Beyond it messages of free keys wait too, until one that was passed over is delivered. Each costs 16 bytes of
    /// memory. 0 counts as 1.
    pub key_look_ahead: u32,
    /// Keep only the newest message of each key.
    pub last_value: bool,
    /// Of which making the keys of messages are. Another number: those that wait need new ones, see
    /// [`Queue::to_rekey`](crate::Queue::to_rekey).
    pub key_generation: u8,
    /// The age at which a message expires that is not in flight. Zero: never.
    pub retention: Duration,
    /// Messages at most, whether ready, in flight or delayed.
    pub max_messages: Option<u64>,
    /// Their bytes at most.
    pub max_bytes: Option<u64>,
    /// What happens to one that is too many.
    pub overflow: Overflow,
    /// Whether what expires becomes a dead letter.
    pub dead_letter_expired: bool,
    /// Whether what is dropped becomes a dead letter.
    pub dead_letter_dropped: bool,
    /// Whether a message whose key expression had no value becomes one. Otherwise its topic is its key.
    pub dead_letter_unkeyed: bool,
    /// How long a message id is remembered. Zero: not at all.
    pub dedup_window: Duration,
    /// Message ids remembered at most, the newest; each costs some 60 bytes of memory.
    pub dedup_ids_max: usize,
    /// How long settled messages stay replayable. Zero: not at all.
    pub keep_settled: Duration,
}

impl QueueConfig {
    /// Whether it needs the keys of messages.
    #[must_use]
    pub const fn needs_keys(&self) -> bool {
        self.last_value || matches!(self.dispatch_strategy, DispatchStrategy::KeyOrdered)
    }

    /// Of which making it needs them, if it does.
    pub(crate) fn key_making(&self) -> Option<u8> {
        self.needs_keys().then_some(self.key_generation)
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            dispatch_strategy: DispatchStrategy::default(),
            max_inflight: 32,
            ack_timeout: Duration::from_secs(5 * 60),
            max_attempts: 16,
            retry_delay: Duration::from_secs(1),
            retry_delay_max: Duration::from_secs(60),
            paused: false,
            key_inflight: 1,
            key_look_ahead: 65_536,
            last_value: false,
            key_generation: 0,
            retention: Duration::from_secs(7 * 24 * 3600),
            max_messages: None,
            max_bytes: None,
            overflow: Overflow::default(),
            dead_letter_expired: false,
            dead_letter_dropped: false,
            dead_letter_unkeyed: false,
            dedup_window: Duration::ZERO,
            dedup_ids_max: 1_000_000,
            keep_settled: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_strategies_stay() {
        let numbers = DispatchStrategy::ALL.map(DispatchStrategy::number);
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        for number in 0..=u8::MAX {
            let strategy = DispatchStrategy::from_number(number);
            assert_eq!(
                strategy.map(DispatchStrategy::number),
                numbers.contains(&number).then_some(number)
            );
            let overflow = Overflow::from_number(number);
            let known = (1..=2).contains(&number).then_some(number);
            assert_eq!(overflow.map(Overflow::number), known);
        }
    }
}
