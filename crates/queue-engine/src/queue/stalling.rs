//! Why nothing moves.

use std::fmt;

use stdx::Instant;

use super::Queue;
use crate::Offset;

/// Why a queue with messages that wait delivers none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stall {
    /// It is paused.
    Paused,
    /// Nobody consumes it.
    NoConsumers,
    /// The keys of messages are being made anew; nothing is delivered until all have one.
    Rekeying {
        /// How many wait for theirs.
        messages: u64,
    },
    /// All that wait are delayed; the first until then, if that is known.
    Delayed {
        /// Until when.
        until: Option<Instant>,
    },
    /// The log has not taken yet what is to be delivered.
    AwaitingLog,
    /// Each consumer that has credit was too busy and rests; the first until then.
    Resting {
        /// Until when.
        until: Instant,
    },
    /// Each consumer has as many unsettled messages as it takes.
    NoCredit {
        /// How many they have.
        in_flight: u64,
    },
    /// The key of each message looked at has as many unsettled messages as it may.
    KeysBlocked {
        /// How many messages were passed over.
        passed_over: u64,
        /// Whether as many were passed over as may be: nothing behind them was looked at.
        at_the_limit: bool,
    },
    /// Nothing overtakes a message that was released, and it waits for its next try.
    AwaitingRetry {
        /// Where it is.
        offset: Offset,
        /// Until when.
        until: Instant,
    },
    /// Whose turn it is waits until another consumer has settled what it has.
    HandingOver {
        /// How much that is.
        in_flight: u64,
    },
    /// The consumers with credit take none of the messages: these are too large for them, or their leases ran out there.
    Barred {
        /// How many.
        messages: u64,
    },
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("the queue is paused"),
            Self::NoConsumers => f.write_str("no consumer is attached"),
            Self::Rekeying { messages } => write!(
                f,
                "the keys of {messages} waiting messages are still to be made anew, by properties that have changed"
            ),
            Self::Delayed { .. } => f.write_str("all waiting messages are delayed"),
            Self::AwaitingLog => f.write_str("the log has not taken what is to be delivered"),
            Self::Resting { .. } => f.write_str("all consumers with credit were too busy and rest"),
            Self::NoCredit { in_flight } => {
                write!(f, "no consumer has credit: {in_flight} messages are unsettled")
            }
            Self::KeysBlocked { passed_over, at_the_limit: false } => {
                write!(f, "the keys of all {passed_over} waiting messages have unsettled ones")
            }
            Self::KeysBlocked { passed_over, at_the_limit: true } => write!(
                f,
                "{passed_over} messages of blocked keys were passed over, which is the most: those behind wait"
            ),
            Self::AwaitingRetry { offset, .. } => write!(
                f,
                "the order of the queue is kept: the message at offset {offset} waits for its next try"
            ),
            Self::HandingOver { in_flight } => write!(
                f,
                "the next consumer waits until another one settles its {in_flight} messages"
            ),
            Self::Barred { messages } => write!(
                f,
                "{messages} messages wait for another consumer: those with credit cannot take them"
            ),
        }
    }
}

impl Queue {
    /// Why nothing is delivered at this moment, if messages wait. After each input that is so, or nothing waits.
    #[must_use]
    pub fn why_no_progress(&self) -> Option<Stall> {
        let ledger = self.ledger();
        if ledger.ready + ledger.delayed == 0 {
            return None;
        }
        if self.config.paused {
            return Some(Stall::Paused);
        }
        if self.consumers.len() == 0 {
            return Some(Stall::NoConsumers);
        }
        if self.is_rekeying {
            return Some(Stall::Rekeying { messages: self.rekeying() });
        }
        if self.awaits_permit() || self.has_announced() {
            return Some(Stall::AwaitingLog);
        }
        if ledger.ready == 0 {
            let held_back = self.held_back.first().and_then(|(due, _)| self.clock.when(*due));
            let until = [self.delayed.first_due(), held_back].into_iter().flatten().min();
            return Some(Stall::Delayed { until });
        }
        if let Some((until, offset)) = self.awaited_retry() {
            return Some(Stall::AwaitingRetry { offset, until });
        }
        let in_flight = ledger.in_flight;
        let messages = self.barred.ready().len() as u64;
        if !self.consumers.slots().any(|slot| self.consumers.get(slot).is_available) {
            return Some(self.why_nobody(in_flight));
        }
        if self.is_single() {
            return Some(self.why_not_the_active(in_flight));
        }
        if messages == ledger.ready {
            return Some(Stall::Barred { messages });
        }
        let passed_over = self.keys.waiting() as u64;
        let at_the_limit = passed_over >= u64::from(self.config.key_look_ahead.max(1));
        Some(Stall::KeysBlocked { passed_over, at_the_limit })
    }

    /// Why no consumer may be chosen.
    pub(super) fn why_nobody(&self, in_flight: u64) -> Stall {
        let consumers = self.consumers.slots().map(|slot| (slot, self.consumers.get(slot)));
        let with_credit = consumers.filter(|(slot, one)| one.in_flight < self.credit(*slot));
        match with_credit.filter_map(|(_, consumer)| consumer.rests).min() {
            Some(until) => Stall::Resting { until },
            None => Stall::NoCredit { in_flight },
        }
    }

    /// Why the consumer whose turn it is gets nothing.
    pub(super) fn why_not_the_active(&self, in_flight: u64) -> Stall {
        match self.next_and_active().map(|(_, slot)| self.consumers.get(slot)) {
            Some(active) if u64::from(active.in_flight) != in_flight => {
                Stall::HandingOver { in_flight }
            }
            Some(active) if active.rests.is_some() => {
                Stall::Resting { until: active.rests.unwrap_or_default() }
            }
            _ => Stall::NoCredit { in_flight },
        }
    }
}
