//! The index as a snapshot holds it. It must not know the snapshot's bytes.

use std::sync::Arc;

use stdx::UnixMillis;

use super::{Index, Slot, Tally, split};
use crate::chunk::{Chunk, Entry, NEVER};
use crate::present::Present;
use crate::{Offset, StoredAt};

/// A chunk as a snapshot holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedChunk {
    /// Its first offset, divided by 512.
    pub(super) number: u64,
    pub(super) present: Present,
    /// Messages that were settled and are kept.
    pub(super) kept: Present,
    pub(super) chunk: Arc<Chunk>,
}

impl SharedChunk {
    /// Its number: its first offset, divided by 512.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Messages that are still here.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.present.len() as u64
    }

    /// Messages that were settled and are kept.
    #[must_use]
    pub const fn kept(&self) -> u64 {
        self.kept.len() as u64
    }

    /// Whether a message of this chunk is still here.
    #[must_use]
    pub const fn contains(&self, offset: Offset) -> bool {
        let (number, at) = split(offset);
        number == self.number && self.present.contains(at)
    }

    /// Whether both are the same bytes in memory.
    #[must_use]
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chunk, &other.chunk)
    }
}

impl Index {
    /// An index that goes on after `next` messages with those in the chunks, which must be in order and below `next`.
    pub fn restore(next: Offset, chunks: &[SharedChunk]) -> Self {
        let (open_number, open_len) = split(next);
        let first = chunks.first().map_or(open_number, |chunk| chunk.number);
        let mut index = Self { first, next, ..Self::default() };
        for SharedChunk { number, present, kept, chunk } in chunks {
            index.slots.resize_with((number - first) as usize, || None);
            index.tallies.resize((number - first) as usize, Tally::default());
            let tally =
                Tally { messages: present.len() as u64, bytes: sum_of_sizes(*present, chunk) };
            index.len += tally.messages;
            index.bytes += tally.bytes;
            index.kept += kept.len() as u64;
            let is_open = *number == open_number;
            if is_open {
                index.open.extend(chunk.entries().take(open_len));
            }
            let slot = Slot {
                present: *present,
                placed: None,
                kept: (!kept.is_empty()).then(|| Box::new(*kept)),
                packed: (!is_open).then(|| chunk.clone()),
            };
            index.slots.push_back(Some(Box::new(slot)));
            index.tallies.push_back(tally);
        }
        // Chunks at the end may have nothing left, and yet the next message has its place behind them.
        let open_slots = usize::from(open_len > 0);
        if !index.slots.is_empty() || open_len > 0 {
            let slots = (open_number - first) as usize + open_slots;
            index.slots.resize_with(slots, || None);
            index.tallies.resize(slots, Tally::default());
        }
        if open_len > 0 {
            // Places of messages that have left are filled with anything.
            index.open.resize(open_len, Entry::plain(StoredAt(0), 0, UnixMillis(0)));
        }
        index
    }

    /// Chunks with messages that are still here or kept, in order. Packed ones are shared, not copied.
    pub fn share(&self) -> Vec<SharedChunk> {
        let slots = (self.first..).zip(&self.slots);
        let used = slots.filter_map(|(number, slot)| Some((number, slot.as_ref()?)));
        let used = used.filter(|(_, slot)| !slot.present.is_empty() || slot.kept.is_some());
        let chunks = used.map(|(number, slot)| {
            let chunk = slot.packed.clone().unwrap_or_else(|| Arc::new(Chunk::pack(&self.open)));
            let kept = slot.kept.as_deref().copied().unwrap_or_default();
            SharedChunk { number, present: slot.present, kept, chunk }
        });
        chunks.collect()
    }

    /// Numbers of the chunks with messages that are still here, and times in each before which no message was stored, and
    /// none runs out by itself.
    pub fn chunks(&self) -> impl Iterator<Item = (u64, UnixMillis, UnixMillis)> {
        let of_open = |time: fn(&Entry) -> UnixMillis| self.open.iter().map(time).min();
        self.used().map(move |(number, slot)| match &slot.packed {
            Some(chunk) => (number, chunk.stored_first(), chunk.expires_first()),
            None => (
                number,
                of_open(|entry| entry.stored).unwrap_or(NEVER),
                of_open(|entry| entry.expires).unwrap_or(NEVER),
            ),
        })
    }

    /// The chunk to look in for the first message that was stored then or later, as far as times are in order.
    pub fn chunk_at(&self, time: UnixMillis) -> u64 {
        let earlier = self.chunks().take_while(|(_, stored, _)| *stored < time);
        earlier.last().map_or(self.first, |(number, ..)| number)
    }

    /// Messages that are still here and were held back at first.
    pub fn held_back(&self) -> impl Iterator<Item = (Offset, Entry)> {
        let may = |slot: &Slot| slot.packed.as_ref().is_none_or(|chunk| chunk.may_be_held_back());
        let chunks = self.used().filter(move |(_, slot)| may(slot));
        let messages = chunks.flat_map(|(number, _)| self.iter_of(number));
        messages.filter(|(_, entry)| entry.is_held_back())
    }

    fn used(&self) -> impl Iterator<Item = (u64, &Slot)> {
        let slots = (self.first..).zip(&self.slots);
        let used = slots.filter_map(|(number, slot)| Some((number, slot.as_deref()?)));
        used.filter(|(_, slot)| !slot.present.is_empty())
    }
}

fn sum_of_sizes(present: Present, chunk: &Chunk) -> u64 {
    present.iter().take_while(|at| *at < chunk.len()).map(|at| u64::from(chunk.size(at))).sum()
}
