//! `round_robin`: one after the other, in the order of their slots, over those that can take a message.

use super::Slot;
use super::slot_set::SlotSet;

/// A ring with a hand that points behind the one served last.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    able: SlotSet,
    hand: Slot,
}

impl RoundRobin {
    pub(super) fn enter(&mut self, slot: Slot) {
        self.able.insert(slot);
    }

    pub(super) fn leave(&mut self, slot: Slot) {
        self.able.remove(slot);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.able.is_empty()
    }

    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.able.contains(slot)
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.able.iter()
    }

    pub(super) fn pick(&mut self, mut allowed: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let mut from = self.hand;
        let mut wrapped = false;
        loop {
            match self.able.next(from) {
                Some(slot) if wrapped && slot >= self.hand => return None,
                Some(slot) if allowed(slot) => {
                    self.hand = slot + 1;
                    return Some(slot);
                }
                Some(slot) => from = slot + 1,
                None if wrapped => return None,
                None => {
                    wrapped = true;
                    from = 0;
                }
            }
        }
    }
}
