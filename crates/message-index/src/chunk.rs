//! Up to 512 consecutive messages: where their bodies are, their sizes, when they were stored, their keys and times.
//! It must not know which of them are still here.

use stdx::UnixMillis;

use crate::column::{Column, PADDING};
use crate::{Key, StoredAt};

/// Messages in a full chunk.
pub const CHUNK_MESSAGES: usize = 512;

/// Columns in a chunk.
pub(crate) const COLUMNS: usize = 7;

/// Columns of a chunk in the first version of snapshots: no keys, no times of their own.
pub(crate) const COLUMNS_V1: usize = 4;

const SIZES: usize = 2;
const STORED: usize = 3;
const KEYS: usize = 4;
const EXPIRES: usize = 5;
const NOT_BEFORE: usize = 6;

/// What the index knows of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Where its body is.
    pub at: StoredAt,
    /// Its bytes, as limits count them.
    pub size: u32,
    /// When it was stored.
    pub stored: UnixMillis,
    /// Its key.
    pub key: Key,
    /// [`NEVER`]: it does not run out by itself. Not before it was stored.
    pub expires: UnixMillis,
    /// When it was stored, or later.
    pub not_before: UnixMillis,
}

/// The time at which nothing happens.
pub const NEVER: UnixMillis = UnixMillis(u64::MAX);

impl Entry {
    /// Its place in a body alone: nothing is known of the rest.
    #[must_use]
    pub const fn plain(at: StoredAt, size: u32, stored: UnixMillis) -> Self {
        Self { at, size, stored, key: Key::NONE, expires: NEVER, not_before: stored }
    }

    /// Whether it has neither a key nor times of its own.
    fn is_plain(&self) -> bool {
        self.key == Key::NONE && self.expires == NEVER && !self.is_held_back()
    }

    /// Whether it is held back at first.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        self.not_before > self.stored
    }

    /// Positions are split in halves: the upper one hardly changes from message to message and the lower one only
    /// within a segment, so that the jump from one segment to the next costs no width. Times of its own count from when
    /// it was stored, so that messages without, or with the same, cost no width either.
    const fn column(&self, column: usize) -> u64 {
        match column {
            0 => self.at.0 >> 32,
            1 => self.at.0 & 0xFFFF_FFFF,
            SIZES => self.size as u64,
            STORED => self.stored.0,
            KEYS => self.key.0,
            NOT_BEFORE => self.not_before.0.saturating_sub(self.stored.0),
            // 0: never.
            _ if self.expires.0 == NEVER.0 => 0,
            _ => self.expires.0.saturating_sub(self.stored.0).saturating_add(1),
        }
    }

    fn of(columns: [u64; COLUMNS]) -> Self {
        let [upper, lower, size, stored, key, expires, not_before] = columns;
        let expires = expires.checked_sub(1).map_or(NEVER.0, |after| stored.saturating_add(after));
        Self {
            at: place(upper, lower),
            size: size as u32,
            stored: UnixMillis(stored),
            key: Key(key),
            expires: UnixMillis(expires),
            not_before: UnixMillis(stored.saturating_add(not_before)),
        }
    }
}

const fn place(upper: u64, lower: u64) -> StoredAt {
    StoredAt((upper << 32) | (lower & 0xFFFF_FFFF))
}

/// Messages that no longer change, packed.
///
/// ```text
/// bytes: [upper halves of positions | lower halves | sizes | times stored | keys | time to live + 1 | delay | 8 zeros]
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Chunk {
    columns: [Column; COLUMNS],
    len: u16,
    bytes: Box<[u8]>,
}

impl Chunk {
    pub(crate) fn pack(entries: &[Entry]) -> Self {
        let mut bytes = Vec::with_capacity(entries.len() * 12 + PADDING);
        // Most queues have nothing in the columns behind, which then need not be gone through one by one.
        let stored = if entries.iter().all(Entry::is_plain) { COLUMNS_V1 } else { COLUMNS };
        let mut columns = [Column::default(); COLUMNS];
        for (number, column) in columns.iter_mut().enumerate() {
            let entries = if number < stored { entries } else { &[] };
            *column = Column::pack(entries.iter().map(|entry| entry.column(number)), &mut bytes);
        }
        bytes.extend([0; PADDING]);
        Self { columns, len: entries.len() as u16, bytes: bytes.into() }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    /// Message `at`, which must be below the length.
    pub(crate) fn get(&self, at: usize) -> Entry {
        debug_assert!(at < self.len());
        Entry::of(self.columns.map(|column| column.get(at, &self.bytes)))
    }

    /// The size alone, cheaper than all.
    pub(crate) fn size(&self, at: usize) -> u32 {
        self.columns[SIZES].get(at, &self.bytes) as u32
    }

    /// The place of the body alone, cheaper than all.
    pub(crate) fn body(&self, at: usize) -> StoredAt {
        place(self.columns[0].get(at, &self.bytes), self.columns[1].get(at, &self.bytes))
    }

    /// The key alone, cheaper than all.
    pub(crate) fn key(&self, at: usize) -> Key {
        Key(self.columns[KEYS].get(at, &self.bytes))
    }

    /// No message was stored before.
    pub(crate) const fn stored_first(&self) -> UnixMillis {
        UnixMillis(self.columns[STORED].base)
    }

    /// No message's own time runs out before.
    pub(crate) fn expires_first(&self) -> UnixMillis {
        let column = self.columns[EXPIRES];
        if column.base == 0 && column.width == 0 {
            return NEVER;
        }
        UnixMillis(self.stored_first().0.saturating_add(column.base.saturating_sub(1)))
    }

    /// Whether a message may be held back.
    pub(crate) const fn may_be_held_back(&self) -> bool {
        self.columns[NOT_BEFORE].base != 0 || self.columns[NOT_BEFORE].width != 0
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        (0..self.len()).map(|at| self.get(at))
    }

    /// Base and width of each column, and the bytes without padding.
    pub(crate) fn parts(&self) -> ([(u64, u8); COLUMNS], &[u8]) {
        let columns = self.columns.map(|column| (column.base, column.width));
        (columns, &self.bytes[..self.bytes.len() - PADDING])
    }

    /// The bytes that so many messages take in columns of those widths.
    pub(crate) fn packed_bytes(len: usize, columns: &[(u64, u8); COLUMNS]) -> usize {
        columns.iter().map(|(_, width)| len * usize::from(*width)).sum()
    }

    /// Puts together what [`Chunk::parts`] took apart; none when it does not fit together.
    pub(crate) fn from_parts(
        len: usize,
        columns: [(u64, u8); COLUMNS],
        packed: &[u8],
    ) -> Option<Self> {
        let legal = len <= CHUNK_MESSAGES && columns.iter().all(|(_, width)| *width <= 8);
        if !legal || packed.len() != Self::packed_bytes(len, &columns) {
            return None;
        }
        let mut start = 0;
        let columns = columns.map(|(base, width)| {
            let column = Column { base, width, start };
            start += len as u32 * u32::from(width);
            column
        });
        let mut bytes = Vec::with_capacity(packed.len() + PADDING);
        bytes.extend_from_slice(packed);
        bytes.extend([0; PADDING]);
        Some(Self { columns, len: len as u16, bytes: bytes.into() })
    }

    /// Bytes it occupies.
    pub(crate) const fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(segment: impl Fn(u64) -> u64, spacing: u64) -> Vec<Entry> {
        let entry = |n: u64| Entry {
            at: StoredAt((segment(n) << 32) | (n * spacing % (1 << 26))),
            size: 300 + (n % 7) as u32,
            ..Entry::plain(StoredAt(0), 0, UnixMillis(1_800_000_000_000 + n / 3))
        };
        (0..CHUNK_MESSAGES as u64).map(entry).collect()
    }

    #[test]
    fn messages_come_out_as_they_went_in_and_cost_few_bytes() {
        for (what, entries, bytes_max) in [
            ("within a segment", entries(|_| 9, 320), 5),
            ("over the end of a segment", entries(|n| 9 + n / 256, 320), 6),
            ("in a busy log, a segment apart each", entries(|n| n, 64 << 20), 6),
            ("anywhere", entries(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32, 977), 12),
        ] {
            let chunk = Chunk::pack(&entries);
            assert_eq!(chunk.entries().collect::<Vec<_>>(), entries, "{what}");
            assert!(chunk.entries().enumerate().all(|(at, entry)| chunk.size(at) == entry.size));
            let bytes = chunk.parts().1.len();
            assert!(bytes <= bytes_max * CHUNK_MESSAGES, "{what}: {bytes} bytes");
        }
    }

    #[test]
    fn keys_and_times_cost_only_where_there_are_any() {
        let entry = |n: u64| Entry {
            key: Key(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            expires: if n.is_multiple_of(3) {
                NEVER
            } else {
                UnixMillis(1_800_000_000_000 + n / 3 + n * 9)
            },
            not_before: UnixMillis(1_800_000_000_000 + n / 3 + n % 2 * 60_000),
            ..entries(|_| 9, 320)[n as usize]
        };
        let entries: Vec<Entry> = (0..CHUNK_MESSAGES as u64).map(entry).collect();
        let chunk = Chunk::pack(&entries);
        assert_eq!(chunk.entries().collect::<Vec<_>>(), entries);
        assert!(chunk.parts().1.len() <= (5 + 8 + 2 + 2) * CHUNK_MESSAGES);
        for (at, entry) in entries.iter().enumerate() {
            assert_eq!((chunk.body(at), chunk.key(at)), (entry.at, entry.key));
        }
        assert!(chunk.may_be_held_back());
        assert_eq!(chunk.stored_first(), UnixMillis(1_800_000_000_000));
    }

    #[test]
    fn parts_that_do_not_fit_together_are_refused() {
        let chunk = Chunk::pack(&entries(|_| 3, 100)[..40]);
        let (columns, packed) = chunk.parts();
        assert_eq!(Chunk::from_parts(40, columns, packed).as_ref(), Some(&chunk));
        assert_eq!(Chunk::from_parts(41, columns, packed), None);
        assert_eq!(Chunk::from_parts(40, columns, &packed[1..]), None);
        assert_eq!(Chunk::from_parts(CHUNK_MESSAGES + 1, [(0, 0); COLUMNS], &[]), None);
        let mut wide = [(0, 0); COLUMNS];
        wide[0].1 = 9;
        assert_eq!(Chunk::from_parts(1, wide, &[0; 9]), None);
    }
}
