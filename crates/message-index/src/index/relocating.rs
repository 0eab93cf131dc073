//! Bodies that lie elsewhere from now on. It must not know why.

use std::sync::Arc;

use super::{Index, chunk_of, first_of, split};
use crate::chunk::{Chunk, Entry};
use crate::{Offset, StoredAt};

impl Index {
    /// The body of a message that is still here, or kept, lies elsewhere from now on. Gives where it was.
    pub fn relocate(&mut self, offset: Offset, to: StoredAt) -> Option<StoredAt> {
        let before = self.get(offset).or_else(|| self.get_kept(offset))?.at;
        let (number, at) = split(offset);
        let (open_number, _) = split(self.next);
        if number == open_number {
            self.open[at].at = to;
            return Some(before);
        }
        let slot = self.slot_mut(number)?;
        let packed = slot.packed.as_ref()?;
        let mut entries: Vec<Entry> = packed.entries().collect();
        let is_used = |at: usize| {
            slot.present.contains(at) || slot.kept.as_ref().is_some_and(|kept| kept.contains(at))
        };
        for (place, entry) in entries.iter_mut().enumerate() {
            // What has left is anywhere: here it takes no room.
            if place == at || !is_used(place) {
                entry.at = to;
            }
        }
        slot.packed = Some(Arc::new(Chunk::pack(&entries)));
        Some(before)
    }

    /// Bodies of messages that are still here, or kept, from that one on to the end of a chunk: offset, place, size. And the
    /// first message behind them.
    pub fn bodies_from(&self, from: Offset) -> (Vec<(Offset, StoredAt, u32)>, Option<Offset>) {
        let first =
            |from| [self.first_from(from), self.first_kept(from)].into_iter().flatten().min();
        let Some(from) = first(from) else { return (Vec::new(), None) };
        let end = first_of(chunk_of(from) + 1);
        let here = self.iter_from(from).map(|(offset, entry)| (offset, entry.at, entry.size));
        let kept =
            std::iter::successors(self.first_kept(from), |last| self.first_kept(last.next()));
        let kept = kept.filter_map(|offset| Some((offset, self.get_kept(offset)?)));
        let kept = kept.map(|(offset, entry)| (offset, entry.at, entry.size));
        let is_in = |(offset, ..): &(Offset, StoredAt, u32)| *offset < end;
        (here.take_while(is_in).chain(kept.take_while(is_in)).collect(), first(end))
    }
}
