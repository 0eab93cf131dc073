//! The messages that are still here, chunk by chunk. It must not know what state a message is in.
//!
//! This is all that a waiting message costs: chunks of 512 messages, packed when full, freed when empty.

mod keeping;
mod layout;
mod rekeying;
mod relocating;
mod sharing;
mod tallying;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::chunk::{CHUNK_MESSAGES, Chunk, Entry};
use crate::present::Present;
use crate::{Key, Offset, StoredAt};

pub use layout::{ChunkError, ChunkLayout};
pub use sharing::SharedChunk;
pub use tallying::Tally;

const CHUNK: u64 = CHUNK_MESSAGES as u64;

/// A chunk with messages that are still here, or settled and kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Slot {
    present: Present,
    /// Messages that are passed over when the next one is looked for, because they are in a place of their own.
    placed: Option<Box<Present>>,
    /// Messages that were settled and are kept.
    kept: Option<Box<Present>>,
    /// None: the newest chunk, whose messages are in [`Index::open`].
    packed: Option<Arc<Chunk>>,
}

impl Slot {
    fn is_used(&self) -> bool {
        !self.present.is_empty() || self.kept.is_some() || self.packed.is_none()
    }
}

/// All messages that are still here, by offset.
#[derive(Debug, Default)]
pub struct Index {
    /// The number of the first chunk of `slots`.
    first: u64,
    /// Chunks in order; none: nothing of it is here any more.
    slots: VecDeque<Option<Box<Slot>>>,
    /// What is here of each of them: side by side, so that millions of messages are soon summed up.
    tallies: VecDeque<Tally>,
    /// The messages of the newest chunk until it is full.
    open: Vec<Entry>,
    next: Offset,
    len: u64,
    bytes: u64,
    kept: u64,
}

/// What was taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removed {
    /// The message.
    pub entry: Entry,
    /// The number of its chunk, if nothing is left in it.
    pub freed: Option<u64>,
}

const fn split(offset: Offset) -> (u64, usize) {
    (offset.0 / CHUNK, (offset.0 % CHUNK) as usize)
}

/// The number of a message's chunk.
pub const fn chunk_of(offset: Offset) -> u64 {
    offset.0 / CHUNK
}

/// The first message of a chunk.
pub const fn first_of(chunk: u64) -> Offset {
    Offset(chunk * CHUNK)
}

impl Index {
    /// The offset that the next message gets, which is the number of messages that ever came.
    pub const fn next(&self) -> Offset {
        self.next
    }

    /// Whether no message is here.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Messages that are still here.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// The sum of their sizes.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a message.
    pub fn push(&mut self, entry: Entry) -> Offset {
        let offset = self.next;
        let (number, at) = split(offset);
        if at == 0 && self.slots.is_empty() {
            self.first = number;
        }
        let place = (number - self.first) as usize;
        if place == self.slots.len() {
            self.slots.push_back(None);
            self.tallies.push_back(Tally::default());
        }
        let slot = self.slots[place].get_or_insert_with(Box::default);
        slot.present.insert(at);
        self.open.push(entry);
        self.tallies[place].add(entry.size);
        self.len += 1;
        self.bytes += u64::from(entry.size);
        self.next = offset.next();
        if self.open.len() == CHUNK_MESSAGES {
            slot.packed = Some(Arc::new(Chunk::pack(&self.open)));
            self.open.clear();
        }
        offset
    }

    fn slot(&self, number: u64) -> Option<&Slot> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get(place)?.as_deref()
    }

    fn slot_mut(&mut self, number: u64) -> Option<&mut Slot> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get_mut(place)?.as_deref_mut()
    }

    /// The slot of a message that is still here.
    fn present(&self, offset: Offset) -> Option<&Slot> {
        let (number, at) = split(offset);
        self.slot(number).filter(|slot| slot.present.contains(at))
    }

    /// Whether the message is still here.
    pub fn contains(&self, offset: Offset) -> bool {
        self.present(offset).is_some()
    }

    fn entry(&self, slot: &Slot, at: usize) -> Option<Entry> {
        slot.packed.as_ref().map_or_else(|| self.open.get(at).copied(), |chunk| Some(chunk.get(at)))
    }

    /// A message that is still here.
    pub fn get(&self, offset: Offset) -> Option<Entry> {
        self.entry(self.present(offset)?, split(offset).1)
    }

    /// Where the body of a message is that is still here.
    pub fn body(&self, offset: Offset) -> Option<StoredAt> {
        let (slot, at) = (self.present(offset)?, split(offset).1);
        match &slot.packed {
            Some(chunk) => Some(chunk.body(at)),
            None => self.open.get(at).map(|entry| entry.at),
        }
    }

    /// The size of a message that is still here.
    pub fn size(&self, offset: Offset) -> Option<u32> {
        let (slot, at) = (self.present(offset)?, split(offset).1);
        match &slot.packed {
            Some(chunk) => Some(chunk.size(at)),
            None => self.open.get(at).map(|entry| entry.size),
        }
    }

    /// The key of a message that is still here.
    pub fn key(&self, offset: Offset) -> Option<Key> {
        let (slot, at) = (self.present(offset)?, split(offset).1);
        match &slot.packed {
            Some(chunk) => Some(chunk.key(at)),
            None => self.open.get(at).map(|entry| entry.key),
        }
    }

    /// Takes a message out.
    pub fn remove(&mut self, offset: Offset) -> Option<Removed> {
        let entry = self.get(offset)?;
        let (number, at) = split(offset);
        let slot = self.slot_mut(number).expect("a message was found in it");
        slot.present.remove(at);
        if let Some(placed) = slot.placed.as_mut().filter(|placed| placed.contains(at)) {
            placed.remove(at);
        }
        let is_used = slot.is_used();
        self.tallies[(number - self.first) as usize].take(entry.size);
        self.len -= 1;
        self.bytes -= u64::from(entry.size);
        Some(Removed { entry, freed: (!is_used).then(|| self.free(number)) })
    }

    fn free(&mut self, number: u64) -> u64 {
        self.slots[(number - self.first) as usize] = None;
        // Keeps the slot of the open chunk: it is about to be needed.
        let (open_number, _) = split(self.next);
        while self.first < open_number && matches!(self.slots.front(), Some(None)) {
            self.slots.pop_front();
            self.tallies.pop_front();
            self.first += 1;
        }
        number
    }

    /// Lets a message be passed over by [`Index::first_unplaced`], as long as it is here.
    pub fn place(&mut self, offset: Offset) {
        let (number, at) = split(offset);
        let Some(slot) = self.slot_mut(number).filter(|slot| slot.present.contains(at)) else {
            return;
        };
        let placed = slot.placed.get_or_insert_default();
        if !placed.contains(at) {
            placed.insert(at);
        }
    }

    /// Lets a message not be passed over any more.
    pub fn unplace(&mut self, offset: Offset) {
        let (number, at) = split(offset);
        let placed = self.slot_mut(number).and_then(|slot| slot.placed.as_mut());
        if let Some(placed) = placed.filter(|placed| placed.contains(at)) {
            placed.remove(at);
        }
    }

    /// Whether a message is passed over.
    pub fn is_placed(&self, offset: Offset) -> bool {
        let (number, at) = split(offset);
        let placed = self.slot(number).and_then(|slot| slot.placed.as_ref());
        placed.is_some_and(|placed| placed.contains(at))
    }

    /// The first message at or after `from` that is still here.
    pub fn first_from(&self, from: Offset) -> Option<Offset> {
        self.search(from, |slot, at| slot.present.first_from(at))
    }

    /// The first message at or after `from` that is still here and not passed over.
    pub fn first_unplaced(&self, from: Offset) -> Option<Offset> {
        self.search(from, |slot, at| match &slot.placed {
            Some(placed) => slot.present.first_without(placed, at),
            None => slot.present.first_from(at),
        })
    }

    /// All messages at or after `from` that are passed over, in order.
    pub fn placed_from(&self, from: Offset) -> impl Iterator<Item = Offset> {
        let next = |from| self.search(from, |slot, at| slot.placed.as_ref()?.first_from(at));
        std::iter::successors(next(from), move |after| next(after.next()))
    }

    /// The first place in any chunk at or after an offset that `find` finds.
    fn search(&self, from: Offset, find: impl Fn(&Slot, usize) -> Option<usize>) -> Option<Offset> {
        let (number, at) = split(from);
        let (number, mut at) = if number < self.first { (self.first, 0) } else { (number, at) };
        let place = usize::try_from(number - self.first).ok()?;
        for (number, slot) in (number..).zip(self.slots.range(place.min(self.slots.len())..)) {
            if let Some(found) = slot.as_ref().and_then(|slot| find(slot, at)) {
                return Some(Offset(number * CHUNK + found as u64));
            }
            at = 0;
        }
        None
    }

    /// All messages that are still here, at or after `from`, in order.
    pub fn iter_from(&self, from: Offset) -> impl Iterator<Item = (Offset, Entry)> {
        let next = move |after: &Offset| self.first_from(after.next());
        let offsets = std::iter::successors(self.first_from(from), next);
        offsets.filter_map(|offset| Some((offset, self.get(offset)?)))
    }

    /// The messages of a chunk that are still here, in order.
    pub fn iter_of(&self, chunk: u64) -> impl Iterator<Item = (Offset, Entry)> {
        self.iter_from(first_of(chunk)).take_while(move |(offset, _)| chunk_of(*offset) == chunk)
    }

    /// Bytes it occupies.
    pub fn heap_bytes(&self) -> usize {
        let slots = self.slots.iter().flatten();
        let chunks = slots.map(|slot| {
            let sets = usize::from(slot.placed.is_some()) + usize::from(slot.kept.is_some());
            let packed = slot.packed.as_ref().map_or(0, |chunk| chunk.heap_bytes());
            size_of::<Slot>() + sets * size_of::<Present>() + packed
        });
        chunks.sum::<usize>()
            + self.slots.capacity() * size_of::<Option<Box<Slot>>>()
            + self.tallies.capacity() * size_of::<Tally>()
            + self.open.capacity() * size_of::<Entry>()
    }

    /// What must hold; the first thing that does not.
    pub fn check(&self) -> Result<(), String> {
        let (open_number, open_len) = split(self.next);
        if self.open.len() != open_len {
            return Err(format!("{} messages in the open chunk, not {open_len}", self.open.len()));
        }
        self.check_tallies()?;
        let (mut len, mut bytes, mut kept) = (0, 0, 0);
        for (number, slot) in (self.first..).zip(&self.slots) {
            let Some(slot) = slot else { continue };
            if (number == open_number) != slot.packed.is_none() || !slot.is_used() {
                return Err(format!("chunk {number} is kept in the wrong way"));
            }
            let sets = [Some(&slot.present), slot.placed.as_deref(), slot.kept.as_deref()];
            for set in sets.into_iter().flatten() {
                if Present::from_words(*set.words()) != *set {
                    return Err(format!("chunk {number} counts its messages wrongly"));
                }
            }
            let has = |at: &usize| slot.present.contains(*at);
            let mut placed = slot.placed.iter().flat_map(|placed| placed.iter());
            let mut settled = slot.kept.iter().flat_map(|kept| kept.iter());
            if !placed.all(|at| has(&at)) || settled.any(|at| has(&at)) {
                return Err(format!("chunk {number} has a message in two ways"));
            }
            len += slot.present.len() as u64;
            kept += slot.kept.as_ref().map_or(0, |kept| kept.len() as u64);
        }
        for (offset, entry) in self.iter_from(Offset(0)) {
            if offset >= self.next {
                return Err(format!("offset {offset} is here and never came"));
            }
            bytes += u64::from(entry.size);
        }
        let counted = (self.len, self.bytes, self.kept);
        if counted != (len, bytes, kept) {
            return Err(format!(
                "messages, bytes and kept are {:?}, counted as {counted:?}",
                (len, bytes, kept)
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
