//! `random`: any, each as likely as the other.

use super::Dispatch;
use crate::consumers::ConsumerSlot;
use crate::prng::Prng;

/// Consumers in no order.
#[derive(Debug, Default)]
pub(crate) struct Random {
    members: Vec<ConsumerSlot>,
    /// Where each slot is among the members.
    places: Vec<u32>,
}

impl Random {
    fn swap(&mut self, a: usize, b: usize) {
        self.members.swap(a, b);
        for at in [a, b] {
            self.places[self.members[at].0 as usize] = at as u32;
        }
    }
}

impl Dispatch for Random {
    fn enter(&mut self, slot: ConsumerSlot, _in_flight: u32) {
        let at = slot.0 as usize;
        if at >= self.places.len() {
            self.places.resize(at + 1, 0);
        }
        self.places[at] = self.members.len() as u32;
        self.members.push(slot);
    }

    fn leave(&mut self, slot: ConsumerSlot) {
        let place = self.places[slot.0 as usize] as usize;
        self.swap(place, self.members.len() - 1);
        self.members.pop();
    }

    fn served(&mut self, _slot: ConsumerSlot, _in_flight: u32) {}

    fn relieved(&mut self, _slot: ConsumerSlot, _in_flight: u32) {}

    /// Draws without putting back, so that the first that is allowed is as likely as any other that is.
    fn choose(
        &mut self,
        prng: &mut Prng,
        allowed: impl Fn(ConsumerSlot) -> bool,
    ) -> Option<ConsumerSlot> {
        for left in (1..=self.members.len()).rev() {
            let drawn = prng.below(left as u64) as usize;
            if allowed(self.members[drawn]) {
                return Some(self.members[drawn]);
            }
            self.swap(drawn, left - 1);
        }
        None
    }
}
