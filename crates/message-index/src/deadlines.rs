//! When something in each chunk of the index falls due. It must not know what is due, or in which message.
//!
//! A deadline for each chunk, not for each message: 512 messages share one entry, and the chunk is looked through when it
//! is due. It is a lower bound. A message that has left meanwhile costs a look for nothing, and no memory.

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use stdx::UnixMillis;

/// The deadlines of chunks.
#[derive(Debug, Default)]
pub struct Deadlines {
    by_time: BTreeSet<(UnixMillis, u64)>,
    of_chunk: HashMap<u64, UnixMillis, FixedState>,
    /// The chunk noted last: messages of one chunk come together.
    last: Option<(u64, UnixMillis)>,
}

impl Deadlines {
    /// Something in a chunk is due then, or before.
    pub fn note(&mut self, chunk: u64, due: UnixMillis) {
        if self.last.is_some_and(|(last, known)| last == chunk && known <= due) {
            return;
        }
        let known = self.of_chunk.get(&chunk).copied();
        let least = known.map_or(due, |known| known.min(due));
        if known != Some(least) {
            if let Some(known) = known {
                self.by_time.remove(&(known, chunk));
            }
            self.of_chunk.insert(chunk, least);
            self.by_time.insert((least, chunk));
        }
        self.last = Some((chunk, least));
    }

    /// A chunk is gone, or nothing in it falls due.
    pub fn forget(&mut self, chunk: u64) {
        if self.last.is_some_and(|(last, _)| last == chunk) {
            self.last = None;
        }
        if let Some(due) = self.of_chunk.remove(&chunk) {
            self.by_time.remove(&(due, chunk));
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The first deadline.
    pub fn first(&self) -> Option<UnixMillis> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// Takes out a chunk whose deadline is over.
    pub fn pop_due(&mut self, now: UnixMillis) -> Option<u64> {
        let (_, chunk) = *self.by_time.first().filter(|(due, _)| *due <= now)?;
        self.forget(chunk);
        Some(chunk)
    }

    /// The deadline of a chunk.
    pub fn of(&self, chunk: u64) -> Option<UnixMillis> {
        self.of_chunk.get(&chunk).copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }

    /// Chunks with a deadline.
    pub fn len(&self) -> usize {
        self.by_time.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_of_a_chunk_holds_until_it_is_taken_out() {
        let mut deadlines = Deadlines::default();
        for (chunk, due) in [(1, 50), (1, 60), (2, 40), (1, 30), (2, 90), (3, 30)] {
            deadlines.note(chunk, UnixMillis(due));
        }
        let of = [1, 2, 3, 4].map(|chunk| deadlines.of(chunk).map(|due| due.0));
        assert_eq!(of, [Some(30), Some(40), Some(30), None]);
        deadlines.forget(3);
        assert_eq!((deadlines.first(), deadlines.len()), (Some(UnixMillis(30)), 2));
        assert_eq!(deadlines.pop_due(UnixMillis(29)), None);
        assert_eq!(deadlines.pop_due(UnixMillis(40)), Some(1));
        deadlines.note(1, UnixMillis(70));
        assert_eq!(deadlines.pop_due(UnixMillis(40)), Some(2));
        assert_eq!(deadlines.pop_due(UnixMillis(40)), None);
        assert_eq!(deadlines.first(), Some(UnixMillis(70)));
    }
}
