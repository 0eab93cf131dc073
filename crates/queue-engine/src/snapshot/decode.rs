//! Reading a snapshot: whatever the bytes, a legal snapshot or an error.

use std::sync::Arc;

use super::{Snapshot, SnapshotError, VERSION};
use crate::index::{CHUNK_MESSAGES, COLUMNS, Chunk, PRESENT_WORDS, Present, SharedChunk};
use crate::ledger::Counts;
use crate::{Departure, Offset};

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], SnapshotError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(SnapshotError::EndsEarly)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(SnapshotError::EndsEarly)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, SnapshotError> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Result<u16, SnapshotError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, SnapshotError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, SnapshotError> {
        self.array().map(u64::from_le_bytes)
    }
}

impl Snapshot {
    /// Reads the bytes of one snapshot, all of them.
    ///
    /// # Errors
    /// They end early, are of a newer version, or contradict themselves.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut reader = Reader { rest: bytes };
        let version = reader.u8()?;
        if version != VERSION {
            return Err(SnapshotError::UnknownVersion(version));
        }
        let next = Offset(reader.u64()?);
        let dispatched_to = Offset(reader.u64()?);
        let mut departures = [0; Departure::ALL.len()];
        for departure in &mut departures {
            *departure = reader.u64()?;
        }
        let counts = Counts::of(departures, reader.u64()?);
        let attempts = read_attempts(&mut reader)?;
        let chunks = read_chunks(&mut reader, next)?;
        let snapshot = Self { next, dispatched_to, counts, attempts, chunks };
        let left = departures.into_iter().try_fold(0_u64, u64::checked_add);
        let is_balanced =
            left.and_then(|left| left.checked_add(snapshot.waiting())) == Some(next.0);
        for (is_legal, what) in [
            (reader.rest.is_empty(), "bytes follow"),
            (dispatched_to <= next, "more was dispatched than came"),
            (is_balanced, "its ledger does not balance"),
        ] {
            if !is_legal {
                return Err(SnapshotError::Illegal(what));
            }
        }
        Ok(snapshot)
    }
}

fn read_attempts(reader: &mut Reader<'_>) -> Result<Vec<(Offset, u32)>, SnapshotError> {
    let count = reader.u64()?;
    let mut attempts: Vec<(Offset, u32)> = Vec::new();
    for _ in 0..count {
        let one = (Offset(reader.u64()?), reader.u32()?);
        if attempts.last().is_some_and(|last| last.0 >= one.0) {
            return Err(SnapshotError::Illegal("attempts are not in order"));
        }
        attempts.push(one);
    }
    Ok(attempts)
}

fn read_chunks(reader: &mut Reader<'_>, next: Offset) -> Result<Vec<SharedChunk>, SnapshotError> {
    let count = reader.u64()?;
    let mut chunks: Vec<SharedChunk> = Vec::new();
    for _ in 0..count {
        let chunk = read_chunk(reader, next)?;
        if chunks.last().is_some_and(|last| last.number >= chunk.number) {
            return Err(SnapshotError::Illegal("chunks are not in order"));
        }
        chunks.push(chunk);
    }
    Ok(chunks)
}

fn read_chunk(reader: &mut Reader<'_>, next: Offset) -> Result<SharedChunk, SnapshotError> {
    let number = reader.u64()?;
    let len = usize::from(reader.u16()?);
    let mut words = [0; PRESENT_WORDS];
    for word in &mut words {
        *word = reader.u64()?;
    }
    let mut columns = [(0, 0); COLUMNS];
    for column in &mut columns {
        *column = (reader.u64()?, reader.u8()?);
    }
    let messages = CHUNK_MESSAGES as u64;
    let came = number.checked_mul(messages).and_then(|first| next.0.checked_sub(first));
    let present = Present::from_words(words);
    if came.map(|came| came.min(messages)) != Some(len as u64)
        || present.first_from(len).is_some()
        || present.is_empty()
    {
        return Err(SnapshotError::Illegal("a chunk holds what never came, or nothing"));
    }
    let packed = reader.take(Chunk::packed_bytes(len, &columns))?;
    let chunk = Chunk::from_parts(len, columns, packed)
        .ok_or(SnapshotError::Illegal("a chunk does not fit together"))?;
    Ok(SharedChunk { number, present, chunk: Arc::new(chunk) })
}
