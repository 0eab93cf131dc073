//! `least_inflight`: the one with the fewest unsettled messages; among equals one after the other.

use std::collections::BTreeSet;

use super::Slot;

/// The able ones by what they have in flight, then by slot, and a hand that points behind the one served last.
#[derive(Debug, Default)]
pub(crate) struct LeastInflight {
    able: BTreeSet<(u32, Slot)>,
    hand: Slot,
}

impl LeastInflight {
    pub(super) fn enter(&mut self, slot: Slot, in_flight: u32) {
        self.able.insert((in_flight, slot));
    }

    pub(super) fn leave(&mut self, slot: Slot, in_flight: u32) {
        self.able.remove(&(in_flight, slot));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.able.is_empty()
    }

    pub(super) fn contains(&self, slot: Slot, in_flight: u32) -> bool {
        self.able.contains(&(in_flight, slot))
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.able.iter().map(|&(_, slot)| slot)
    }

    pub(super) fn pick(&mut self, mut allowed: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let fewest = self.able.iter().find(|(_, slot)| allowed(*slot))?.0;
        let onward = self.able.range((fewest, self.hand)..=(fewest, Slot::MAX));
        let around = self.able.range((fewest, 0)..(fewest, self.hand));
        let slot = onward.chain(around).map(|&(_, slot)| slot).find(|&slot| allowed(slot))?;
        self.hand = slot + 1;
        Some(slot)
    }
}
