//! `random`: any of those that can take a message, each as likely as the other.

use super::Slot;
use crate::prng::Prng;

const ABSENT: u32 = u32::MAX;

/// The able ones packed together, and where each stands, so that one throw decides.
#[derive(Debug, Default)]
pub(crate) struct Random {
    able: Vec<Slot>,
    place: Vec<u32>,
}

impl Random {
    pub(super) fn enter(&mut self, slot: Slot) {
        if self.contains(slot) {
            return;
        }
        if self.place.len() <= slot as usize {
            self.place.resize(slot as usize + 1, ABSENT);
        }
        self.place[slot as usize] = self.able.len() as u32;
        self.able.push(slot);
    }

    pub(super) fn leave(&mut self, slot: Slot) {
        if !self.contains(slot) {
            return;
        }
        let place = std::mem::replace(&mut self.place[slot as usize], ABSENT) as usize;
        self.able.swap_remove(place);
        if let Some(&moved) = self.able.get(place) {
            self.place[moved as usize] = place as u32;
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.able.is_empty()
    }

    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.place.get(slot as usize).is_some_and(|&place| place != ABSENT)
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.able.iter().copied()
    }

    pub(super) fn pick(&self, prng: &mut Prng) -> Option<Slot> {
        if self.able.is_empty() {
            return None;
        }
        self.able.get(prng.below(self.able.len() as u32) as usize).copied()
    }

    /// Looks at all of them: for the few messages that not everybody is to get.
    pub(super) fn pick_among(&self, prng: &mut Prng, allowed: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let mut allowed = allowed;
        let count = self.able.iter().filter(|&&slot| allowed(slot)).count();
        if count == 0 {
            return None;
        }
        let chosen = prng.below(count as u32) as usize;
        self.able.iter().copied().filter(|&slot| allowed(slot)).nth(chosen)
    }
}
