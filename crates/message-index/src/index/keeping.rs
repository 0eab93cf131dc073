//! Settled messages that are kept in the index for a while. It must not know for how long.

use super::{Index, Removed, split};
use crate::chunk::Entry;
use crate::present::Present;
use crate::{Offset, StoredAt};

impl Index {
    /// Settled messages that are kept.
    pub const fn kept_len(&self) -> u64 {
        self.kept
    }

    /// Takes a message out and keeps it as settled.
    pub fn keep(&mut self, offset: Offset) -> Option<Entry> {
        let (number, at) = split(offset);
        // First, so that its chunk is not freed.
        let slot = self.slot_mut(number).filter(|slot| slot.present.contains(at))?;
        slot.kept.get_or_insert_default().insert(at);
        self.kept += 1;
        self.remove(offset).map(|removed| removed.entry)
    }

    /// Whether a message was settled and is kept.
    pub fn is_kept(&self, offset: Offset) -> bool {
        let (number, at) = split(offset);
        let kept = self.slot(number).and_then(|slot| slot.kept.as_ref());
        kept.is_some_and(|kept| kept.contains(at))
    }

    /// A kept message.
    pub fn get_kept(&self, offset: Offset) -> Option<Entry> {
        let (number, at) = split(offset);
        self.is_kept(offset).then(|| self.entry(self.slot(number)?, at)).flatten()
    }

    /// The first kept message at or after `from`.
    pub fn first_kept(&self, from: Offset) -> Option<Offset> {
        if self.kept == 0 {
            return None;
        }
        self.search(from, |slot, at| slot.kept.as_ref()?.first_from(at))
    }

    /// All kept messages at or after `from`, in order.
    pub fn kept_from(&self, from: Offset) -> impl Iterator<Item = (Offset, StoredAt)> {
        let next = move |after: &Offset| self.first_kept(after.next());
        let offsets = std::iter::successors(self.first_kept(from), next);
        offsets.filter_map(|offset| Some((offset, self.get_kept(offset)?.at)))
    }

    /// Gives up a kept message.
    pub fn forget(&mut self, offset: Offset) -> Option<Removed> {
        let entry = self.get_kept(offset)?;
        let (number, _) = split(offset);
        self.unkeep(offset);
        let is_used = self.slot(number).is_some_and(super::Slot::is_used);
        Some(Removed { entry, freed: (!is_used).then(|| self.free(number)) })
    }

    /// Makes a kept message one that is still here.
    pub fn take_back(&mut self, offset: Offset) -> Option<Entry> {
        let entry = self.get_kept(offset)?;
        let (number, at) = split(offset);
        self.slot_mut(number)?.present.insert(at);
        self.unkeep(offset);
        self.tallies[(number - self.first) as usize].add(entry.size);
        self.len += 1;
        self.bytes += u64::from(entry.size);
        Some(entry)
    }

    fn unkeep(&mut self, offset: Offset) {
        let (number, at) = split(offset);
        let Some(slot) = self.slot_mut(number) else { return };
        if let Some(kept) = &mut slot.kept {
            kept.remove(at);
        }
        if slot.kept.as_deref().is_some_and(Present::is_empty) {
            slot.kept = None;
        }
        self.kept -= 1;
    }
}
