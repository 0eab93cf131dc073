//! A chunk of the index: growing, then packed. It must not know which of its messages have left.

use stdx::UnixMillis;

use crate::ids::StoredAt;

use super::packed::Packed;
use super::{CHUNK, Entry, Reader};

/// A chunk that will not change any more.
#[derive(Debug)]
pub(super) struct Chunk {
    at: Packed,
    size: Packed,
    stored: Packed,
}

impl Chunk {
    /// The message at `place`, which is within the chunk.
    pub(super) fn get(&self, place: usize) -> Entry {
        Entry {
            at: StoredAt(self.at.get(place)),
            size: self.size.get(place) as u32,
            stored: UnixMillis(self.stored.get(place)),
        }
    }

    /// `positions | sizes | times`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.at.encode(out);
        self.size.encode(out);
        self.stored.encode(out);
    }

    pub(super) fn decode(len: usize, reader: &mut Reader<'_>) -> Option<Self> {
        let at = Packed::decode(len, reader)?;
        let size = Packed::decode(len, reader)?;
        let stored = Packed::decode(len, reader)?;
        Some(Self { at, size, stored })
    }

    #[cfg(test)]
    pub(super) const fn memory(&self) -> usize {
        size_of::<Self>() + self.at.memory() + self.size.memory() + self.stored.memory()
    }
}

/// The chunk at the tail, which still grows.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenChunk {
    at: Vec<u64>,
    size: Vec<u32>,
    stored: Vec<u64>,
}

impl OpenChunk {
    pub(super) const fn len(&self) -> usize {
        self.at.len()
    }

    pub(super) fn push(&mut self, entry: Entry) {
        debug_assert!(self.len() < CHUNK, "a full chunk is closed at once");
        self.at.push(entry.at.0);
        self.size.push(entry.size);
        self.stored.push(entry.stored.0);
    }

    pub(super) fn get(&self, place: usize) -> Option<Entry> {
        let (at, size, stored) = (self.at.get(place)?, self.size.get(place)?, self.stored.get(place)?);
        Some(Entry { at: StoredAt(*at), size: *size, stored: UnixMillis(*stored) })
    }

    pub(super) fn pack(&self) -> Chunk {
        Chunk {
            at: Packed::pack(self.at.iter().copied()),
            size: Packed::pack(self.size.iter().map(|&size| u64::from(size))),
            stored: Packed::pack(self.stored.iter().copied()),
        }
    }

    /// Empties it, and keeps its room for the next.
    pub(super) fn clear(&mut self) {
        self.at.clear();
        self.size.clear();
        self.stored.clear();
    }

    #[cfg(test)]
    pub(super) const fn memory(&self) -> usize {
        self.at.capacity() * 8 + self.size.capacity() * 4 + self.stored.capacity() * 8
    }
}
