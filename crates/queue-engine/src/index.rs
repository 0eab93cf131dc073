//! The index of a queue: for each message that has not left, where its body is, its size and its time.
//! It must not know what state a message is in, only whether it is still here.
//!
//! ```text
//!   first chunk                                       open chunk
//!   | held | gone | held | held | ........ | held | at, size, stored: growing |
//!     512 messages each, packed and shared          0..512 messages
//! ```
//! A message that waits costs its share of a packed chunk: some 4 to 10 bytes. Chunks that everything has left are freed
//! wherever they are, and their places too from the front. Nothing that is packed changes any more, so that a copy of
//! the index, as for a snapshot, shares it.

mod chunk;
mod codec;
mod marks;
mod packed;

use std::collections::VecDeque;
use std::sync::Arc;

use stdx::UnixMillis;

use crate::ids::{Offset, StoredAt};

use chunk::{Chunk, OpenChunk};
use marks::Marks;

pub(crate) use codec::Reader;

/// Messages in a chunk.
pub(crate) const CHUNK: usize = 512;

/// What the index knows of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) at: StoredAt,
    pub(crate) size: u32,
    pub(crate) stored: UnixMillis,
}

/// A full chunk that something has not left yet.
#[derive(Clone, Debug)]
struct Held {
    chunk: Arc<Chunk>,
    left: Marks,
    waiting: u16,
}

/// All messages that have not left, by offset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// The number of the chunk in front; a message's chunk is its offset / 512.
    first: u64,
    chunks: VecDeque<Option<Box<Held>>>,
    open: OpenChunk,
    open_left: Marks,
    /// The offset of the next message.
    next: u64,
    /// The first offset that has not left, or `next`.
    head: u64,
    waiting: u64,
    bytes: u64,
}

impl Index {
    pub(crate) const fn next(&self) -> Offset {
        Offset(self.next)
    }

    /// The first message that has not left, or the next one to come.
    pub(crate) const fn head(&self) -> u64 {
        self.head
    }

    pub(crate) const fn waiting(&self) -> u64 {
        self.waiting
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn oldest_stored(&self) -> Option<UnixMillis> {
        self.entry(Offset(self.head)).map(|entry| entry.stored)
    }

    pub(crate) fn push(&mut self, entry: Entry) -> Offset {
        let offset = Offset(self.next);
        self.open.push(entry);
        self.next += 1;
        self.waiting += 1;
        self.bytes += u64::from(entry.size);
        if self.open.len() == CHUNK {
            self.close();
        }
        offset
    }

    /// Packs the open chunk and begins another.
    fn close(&mut self) {
        let left = std::mem::take(&mut self.open_left);
        let waiting = CHUNK - left.count();
        let held = || Box::new(Held { chunk: Arc::new(self.open.pack()), left, waiting: waiting as u16 });
        self.chunks.push_back((waiting > 0).then(held));
        self.open.clear();
        self.free_front();
    }

    fn free_front(&mut self) {
        while let Some(None) = self.chunks.front() {
            self.chunks.pop_front();
            self.first += 1;
        }
    }

    fn held(&self, chunk: u64) -> Option<&Held> {
        let place = usize::try_from(chunk.checked_sub(self.first)?).ok()?;
        self.chunks.get(place)?.as_deref()
    }

    const fn open_number(&self) -> u64 {
        self.next / CHUNK as u64
    }

    /// What is known of a message, unless it has left or is yet to come.
    pub(crate) fn entry(&self, offset: Offset) -> Option<Entry> {
        let (chunk, place) = split(offset);
        if chunk == self.open_number() {
            return if self.open_left.get(place) { None } else { self.open.get(place) };
        }
        let held = self.held(chunk)?;
        if held.left.get(place) { None } else { Some(held.chunk.get(place)) }
    }

    /// The message leaves. `None` if it has left before or is yet to come.
    pub(crate) fn leave(&mut self, offset: Offset) -> Option<Entry> {
        let entry = self.entry(offset)?;
        let (chunk, place) = split(offset);
        if chunk == self.open_number() {
            self.open_left.set(place);
        } else {
            let slot = self.chunks.get_mut((chunk - self.first) as usize)?;
            let held = slot.as_deref_mut()?;
            held.left.set(place);
            held.waiting -= 1;
            if held.waiting == 0 {
                *slot = None;
                self.free_front();
            }
        }
        self.waiting -= 1;
        self.bytes -= u64::from(entry.size);
        if offset.0 == self.head {
            self.head = self.next_waiting(self.head).unwrap_or(self.next);
        }
        Some(entry)
    }

    /// The first message from `from` on that has not left.
    pub(crate) fn next_waiting(&self, from: u64) -> Option<u64> {
        let (mut chunk, mut place) = split(Offset(from));
        if chunk < self.first {
            (chunk, place) = (self.first, 0);
        }
        while chunk < self.open_number() {
            if let Some(found) = self.held(chunk).and_then(|held| held.left.next_clear(place, CHUNK)) {
                return Some(chunk * CHUNK as u64 + found as u64);
            }
            (chunk, place) = (chunk + 1, 0);
        }
        if chunk > self.open_number() {
            return None;
        }
        let found = self.open_left.next_clear(place, self.open.len())?;
        Some(chunk * CHUNK as u64 + found as u64)
    }

    /// All that has not left, from `from` on.
    pub(crate) fn iter(&self, from: u64) -> impl Iterator<Item = (Offset, Entry)> + '_ {
        let mut from = from;
        std::iter::from_fn(move || {
            let offset = Offset(self.next_waiting(from)?);
            from = offset.0 + 1;
            self.entry(offset).map(|entry| (offset, entry))
        })
    }

    /// Bytes of memory that the index takes, about.
    #[cfg(test)]
    fn memory(&self) -> usize {
        let held = |held: &Held| size_of::<Held>() + held.chunk.memory() + 2 * size_of::<usize>();
        let chunks = self.chunks.iter().flatten().map(|chunk| held(chunk));
        self.chunks.capacity() * size_of::<usize>() + chunks.sum::<usize>() + self.open.memory()
    }
}

const fn split(offset: Offset) -> (u64, usize) {
    (offset.0 / CHUNK as u64, (offset.0 % CHUNK as u64) as usize)
}

#[cfg(test)]
mod tests;
