//! Which consumer gets the next message. Strategies decide, they do not act: they know consumers that can take a message
//! by their slot and by how much each has in flight, and must not know messages, leases or time.

mod least_inflight;
mod random;
mod round_robin;
mod slot_set;

use crate::config::DispatchStrategy;
use crate::prng::Prng;

use least_inflight::LeastInflight;
use random::Random;
use round_robin::RoundRobin;

/// A consumer's place in the table of consumers.
pub(crate) type Slot = u32;

/// The strategy in force, with the consumers that can take a message now.
#[derive(Debug)]
pub(crate) enum Dispatch {
    RoundRobin(RoundRobin),
    Random(Random),
    LeastInflight(LeastInflight),
}

impl Dispatch {
    /// The strategy, with no consumer that can take anything.
    pub(crate) fn new(strategy: DispatchStrategy) -> Self {
        match strategy {
            DispatchStrategy::RoundRobin => Self::RoundRobin(RoundRobin::default()),
            DispatchStrategy::Random => Self::Random(Random::default()),
            DispatchStrategy::LeastInflight => Self::LeastInflight(LeastInflight::default()),
        }
    }

    /// A consumer can take messages from now on.
    pub(crate) fn enter(&mut self, slot: Slot, in_flight: u32) {
        match self {
            Self::RoundRobin(strategy) => strategy.enter(slot),
            Self::Random(strategy) => strategy.enter(slot),
            Self::LeastInflight(strategy) => strategy.enter(slot, in_flight),
        }
    }

    /// A consumer can take no more. `in_flight` is what was said last.
    pub(crate) fn leave(&mut self, slot: Slot, in_flight: u32) {
        match self {
            Self::RoundRobin(strategy) => strategy.leave(slot),
            Self::Random(strategy) => strategy.leave(slot),
            Self::LeastInflight(strategy) => strategy.leave(slot, in_flight),
        }
    }

    /// A consumer that can take messages has another number in flight.
    pub(crate) fn change(&mut self, slot: Slot, from: u32, to: u32) {
        match self {
            Self::RoundRobin(_) | Self::Random(_) => {}
            Self::LeastInflight(strategy) => {
                strategy.leave(slot, from);
                strategy.enter(slot, to);
            }
        }
    }

    /// Whether nobody can take a message.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::RoundRobin(strategy) => strategy.is_empty(),
            Self::Random(strategy) => strategy.is_empty(),
            Self::LeastInflight(strategy) => strategy.is_empty(),
        }
    }

    /// Whether this consumer is among those that can take a message.
    pub(crate) fn contains(&self, slot: Slot, in_flight: u32) -> bool {
        match self {
            Self::RoundRobin(strategy) => strategy.contains(slot),
            Self::Random(strategy) => strategy.contains(slot),
            Self::LeastInflight(strategy) => strategy.contains(slot, in_flight),
        }
    }

    /// Whether one of the allowed can take a message.
    pub(crate) fn any(&self, mut allowed: impl FnMut(Slot) -> bool) -> bool {
        match self {
            Self::RoundRobin(strategy) => strategy.slots().any(&mut allowed),
            Self::Random(strategy) => strategy.slots().any(&mut allowed),
            Self::LeastInflight(strategy) => strategy.slots().any(&mut allowed),
        }
    }

    /// The consumer that gets the next message, and one step on in the turns.
    pub(crate) fn pick(&mut self, prng: &mut Prng) -> Option<Slot> {
        match self {
            Self::RoundRobin(strategy) => strategy.pick(|_| true),
            Self::Random(strategy) => strategy.pick(prng),
            Self::LeastInflight(strategy) => strategy.pick(|_| true),
        }
    }

    /// The same among the allowed, for a message that not everybody is to get.
    pub(crate) fn pick_among(&mut self, prng: &mut Prng, allowed: impl FnMut(Slot) -> bool) -> Option<Slot> {
        match self {
            Self::RoundRobin(strategy) => strategy.pick(allowed),
            Self::Random(strategy) => strategy.pick_among(prng, allowed),
            Self::LeastInflight(strategy) => strategy.pick(allowed),
        }
    }
}
