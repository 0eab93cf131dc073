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
}

impl DispatchStrategy {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::RoundRobin, Self::Random, Self::LeastInflight];

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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_strategies_stay() {
        let numbers = DispatchStrategy::ALL.map(DispatchStrategy::number);
        assert_eq!(numbers, [1, 2, 3]);
        for number in 0..=u8::MAX {
            let strategy = DispatchStrategy::from_number(number);
            assert_eq!(
                strategy.map(DispatchStrategy::number),
                numbers.contains(&number).then_some(number)
            );
        }
    }
}
