//! `round_robin`: the one that has waited longest for a message.

use super::Dispatch;
use crate::consumers::ConsumerSlot;
use crate::links::{Links, List};
use crate::prng::Prng;

/// Consumers in the order of their turns. Who is served, or comes back, goes to the end.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    turns: List,
    links: Links,
}

impl Dispatch for RoundRobin {
    fn enter(&mut self, slot: ConsumerSlot, _in_flight: u32) {
        self.links.push_back(&mut self.turns, slot.0);
    }

    fn leave(&mut self, slot: ConsumerSlot) {
        self.links.remove(&mut self.turns, slot.0);
    }

    fn served(&mut self, slot: ConsumerSlot, _in_flight: u32) {
        self.links.remove(&mut self.turns, slot.0);
        self.links.push_back(&mut self.turns, slot.0);
    }

    fn relieved(&mut self, _slot: ConsumerSlot, _in_flight: u32) {}

    fn choose(
        &mut self,
        _prng: &mut Prng,
        allowed: impl Fn(ConsumerSlot) -> bool,
    ) -> Option<ConsumerSlot> {
        self.links.iter(self.turns).map(ConsumerSlot).find(|slot| allowed(*slot))
    }
}
