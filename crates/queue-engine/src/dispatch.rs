//! Who gets the next message. A strategy decides among the consumers that may be chosen; it does not act.
//! It must not know messages, leases or credit.

mod least_inflight;
mod random;
mod round_robin;

use crate::DispatchStrategy;
use crate::consumers::ConsumerSlot;
use crate::prng::Prng;

use least_inflight::LeastInflight;
use random::Random;
use round_robin::RoundRobin;

/// A strategy, told of the consumers that have credit and do not rest: those that *may be chosen*.
trait Dispatch {
    /// A consumer may be chosen from now on.
    fn enter(&mut self, slot: ConsumerSlot, in_flight: u32);

    /// A consumer may not be chosen any more.
    fn leave(&mut self, slot: ConsumerSlot);

    /// A consumer got a message and may still be chosen.
    fn served(&mut self, slot: ConsumerSlot, in_flight: u32);

    /// A consumer gave a message up and could be chosen already.
    fn relieved(&mut self, slot: ConsumerSlot, in_flight: u32);

    /// Decides for one message, among those that it is allowed to go to. Costs O(log n), times those that are not allowed.
    fn choose(
        &mut self,
        prng: &mut Prng,
        allowed: impl Fn(ConsumerSlot) -> bool,
    ) -> Option<ConsumerSlot>;
}

/// The strategy of a queue.
#[derive(Debug)]
pub(crate) enum Dispatcher {
    RoundRobin(RoundRobin),
    Random(Random),
    LeastInflight(LeastInflight),
}

macro_rules! delegate {
    ($self:ident, $strategy:ident => $call:expr) => {
        match $self {
            Self::RoundRobin($strategy) => $call,
            Self::Random($strategy) => $call,
            Self::LeastInflight($strategy) => $call,
        }
    };
}

impl Dispatcher {
    pub(crate) fn new(strategy: DispatchStrategy) -> Self {
        match strategy {
            // With a single active consumer nobody is chosen.
            DispatchStrategy::RoundRobin | DispatchStrategy::SingleActive => {
                Self::RoundRobin(RoundRobin::default())
            }
            DispatchStrategy::Random => Self::Random(Random::default()),
            DispatchStrategy::LeastInflight | DispatchStrategy::KeyOrdered => {
                Self::LeastInflight(LeastInflight::default())
            }
        }
    }

    pub(crate) fn enter(&mut self, slot: ConsumerSlot, in_flight: u32) {
        delegate!(self, strategy => strategy.enter(slot, in_flight));
    }

    pub(crate) fn leave(&mut self, slot: ConsumerSlot) {
        delegate!(self, strategy => strategy.leave(slot));
    }

    pub(crate) fn served(&mut self, slot: ConsumerSlot, in_flight: u32) {
        delegate!(self, strategy => strategy.served(slot, in_flight));
    }

    pub(crate) fn relieved(&mut self, slot: ConsumerSlot, in_flight: u32) {
        delegate!(self, strategy => strategy.relieved(slot, in_flight));
    }

    pub(crate) fn choose(
        &mut self,
        prng: &mut Prng,
        allowed: impl Fn(ConsumerSlot) -> bool,
    ) -> Option<ConsumerSlot> {
        delegate!(self, strategy => strategy.choose(prng, allowed))
    }
}

#[cfg(test)]
mod tests;
