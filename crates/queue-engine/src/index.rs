//! The index of a queue: for each message that is still here, where its body is, its size, when it was stored.
//! It must not know consumers, or what state a message is in.
//!
//! This is all that a waiting message costs: chunks of 512 messages, packed when full, freed when empty.

mod chunk;
mod column;
mod present;

use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) use chunk::{CHUNK_MESSAGES, COLUMNS, Chunk, Entry};
pub(crate) use present::{PRESENT_WORDS, Present};

use crate::Offset;

const CHUNK: u64 = CHUNK_MESSAGES as u64;

/// A chunk with messages that are still here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    pub(crate) present: Present,
    /// None: the newest chunk, whose messages are in [`Index::open`].
    packed: Option<Arc<Chunk>>,
}

/// A chunk as a snapshot holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SharedChunk {
    /// Its first offset, divided by 512.
    pub(crate) number: u64,
    pub(crate) present: Present,
    pub(crate) chunk: Arc<Chunk>,
}

/// All messages that are still here, by offset.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The number of the first chunk of `slots`.
    first: u64,
    /// Chunks in order; none: nothing of it is here any more.
    slots: VecDeque<Option<Box<Slot>>>,
    /// The messages of the newest chunk until it is full.
    open: Vec<Entry>,
    next: Offset,
    len: u64,
    bytes: u64,
}

const fn split(offset: Offset) -> (u64, usize) {
    (offset.0 / CHUNK, (offset.0 % CHUNK) as usize)
}

impl Index {
    /// An index that goes on after `next` messages with those in the chunks, which must be in order and below `next`.
    pub(crate) fn restore(next: Offset, chunks: &[SharedChunk]) -> Self {
        let (open_number, open_len) = split(next);
        let first = chunks.first().map_or(open_number, |chunk| chunk.number);
        let mut index = Self { first, next, ..Self::default() };
        for SharedChunk { number, present, chunk } in chunks {
            let present = *present;
            index.slots.resize_with((number - first) as usize, || None);
            index.len += present.len() as u64;
            index.bytes += sum_of_sizes(present, chunk);
            let is_open = *number == open_number;
            if is_open {
                index.open.extend(chunk.entries().take(open_len));
            }
            let packed = (!is_open).then(|| chunk.clone());
            index.slots.push_back(Some(Box::new(Slot { present, packed })));
        }
        if open_len > 0 {
            // Places of messages that have left are filled with anything.
            index.slots.resize_with((open_number - first) as usize + 1, || None);
            let gone = Entry { at: crate::StoredAt(0), size: 0, stored: stdx::UnixMillis(0) };
            index.open.resize(open_len, gone);
        }
        index
    }

    /// Chunks with messages that are still here, in order. Packed ones are shared, not copied.
    pub(crate) fn share(&self) -> Vec<SharedChunk> {
        let slots = (self.first..).zip(&self.slots);
        let present = slots.filter_map(|(number, slot)| Some((number, slot.as_ref()?)));
        let chunks = present.filter(|(_, slot)| !slot.present.is_empty()).map(|(number, slot)| {
            let chunk = slot.packed.clone().unwrap_or_else(|| Arc::new(Chunk::pack(&self.open)));
            SharedChunk { number, present: slot.present, chunk }
        });
        chunks.collect()
    }

    /// The offset that the next message gets, which is the number of messages that ever came.
    pub(crate) const fn next(&self) -> Offset {
        self.next
    }

    /// Messages that are still here.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// The sum of their sizes.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a message.
    pub(crate) fn push(&mut self, entry: Entry) -> Offset {
        let offset = self.next;
        let (number, at) = split(offset);
        if at == 0 && self.slots.is_empty() {
            self.first = number;
        }
        let place = (number - self.first) as usize;
        if place == self.slots.len() {
            self.slots.push_back(None);
        }
        let slot = self.slots[place]
            .get_or_insert_with(|| Box::new(Slot { present: Present::default(), packed: None }));
        slot.present.insert(at);
        self.open.push(entry);
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

    /// Whether the message is still here.
    pub(crate) fn contains(&self, offset: Offset) -> bool {
        let (number, at) = split(offset);
        self.slot(number).is_some_and(|slot| slot.present.contains(at))
    }

    /// A message that is still here.
    pub(crate) fn get(&self, offset: Offset) -> Option<Entry> {
        let (number, at) = split(offset);
        let slot = self.slot(number).filter(|slot| slot.present.contains(at))?;
        slot.packed.as_ref().map_or_else(|| self.open.get(at).copied(), |chunk| Some(chunk.get(at)))
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, offset: Offset) -> Option<Entry> {
        let entry = self.get(offset)?;
        let (number, at) = split(offset);
        let place = (number - self.first) as usize;
        let slot = self.slots[place].as_mut().expect("a message was found in it");
        slot.present.remove(at);
        let is_done = slot.present.is_empty() && slot.packed.is_some();
        self.len -= 1;
        self.bytes -= u64::from(entry.size);
        if is_done {
            self.slots[place] = None;
            self.drop_empty_front();
        }
        Some(entry)
    }

    /// Keeps the slot of the open chunk: it is about to be needed.
    fn drop_empty_front(&mut self) {
        let (open_number, _) = split(self.next);
        while self.first < open_number && matches!(self.slots.front(), Some(None)) {
            self.slots.pop_front();
            self.first += 1;
        }
    }

    /// The first message at or after `from` that is still here.
    pub(crate) fn first_from(&self, from: Offset) -> Option<Offset> {
        let (number, at) = split(from);
        let (number, mut at) = if number < self.first { (self.first, 0) } else { (number, at) };
        let place = usize::try_from(number - self.first).ok()?;
        for (number, slot) in (number..).zip(self.slots.iter().skip(place)) {
            if let Some(found) = slot.as_ref().and_then(|slot| slot.present.first_from(at)) {
                return Some(Offset(number * CHUNK + found as u64));
            }
            at = 0;
        }
        None
    }

    /// All messages that are still here, at or after `from`, in order.
    pub(crate) fn iter_from(&self, from: Offset) -> impl Iterator<Item = (Offset, Entry)> {
        let next = move |after: &Offset| self.first_from(after.next());
        let offsets = std::iter::successors(self.first_from(from), next);
        offsets.filter_map(|offset| Some((offset, self.get(offset)?)))
    }

    /// Bytes it occupies.
    pub(crate) fn heap_bytes(&self) -> usize {
        let slots = self.slots.iter().flatten();
        let chunks = slots.map(|slot| {
            size_of::<Slot>() + slot.packed.as_ref().map_or(0, |chunk| chunk.heap_bytes())
        });
        chunks.sum::<usize>()
            + self.slots.capacity() * size_of::<Option<Box<Slot>>>()
            + self.open.capacity() * size_of::<Entry>()
    }

    /// What must hold; the first thing that does not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (open_number, open_len) = split(self.next);
        if self.open.len() != open_len {
            return Err(format!("{} messages in the open chunk, not {open_len}", self.open.len()));
        }
        let (mut len, mut bytes) = (0, 0);
        for (number, slot) in (self.first..).zip(&self.slots) {
            let Some(slot) = slot else { continue };
            let is_open = number == open_number;
            if is_open != slot.packed.is_none() || (slot.present.is_empty() && !is_open) {
                return Err(format!("chunk {number} is kept in the wrong way"));
            }
            if Present::from_words(*slot.present.words()) != slot.present {
                return Err(format!("chunk {number} counts its messages wrongly"));
            }
            len += slot.present.len() as u64;
        }
        for (offset, entry) in self.iter_from(Offset(0)) {
            if offset >= self.next {
                return Err(format!("offset {offset} is here and never came"));
            }
            bytes += u64::from(entry.size);
        }
        let counted = (self.len, self.bytes);
        if counted != (len, bytes) {
            return Err(format!(
                "messages and bytes are {len} and {bytes}, counted as {counted:?}"
            ));
        }
        Ok(())
    }
}

fn sum_of_sizes(present: Present, chunk: &Chunk) -> u64 {
    let places = std::iter::successors(present.first_from(0), |at| present.first_from(at + 1));
    places.take_while(|at| *at < chunk.len()).map(|at| u64::from(chunk.size(at))).sum()
}

#[cfg(test)]
mod tests;
