//! Reading a snapshot: whatever the bytes, a legal snapshot or an error.

use std::sync::Arc;

use stdx::UnixMillis;

use super::{Snapshot, SnapshotError, VERSION, VERSION_1};
use crate::index::{
    CHUNK_MESSAGES, COLUMNS, COLUMNS_V1, Chunk, PRESENT_WORDS, Present, SharedChunk,
};
use crate::ledger::Counts;
use crate::{Departure, MessageId, Offset};

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
        if version != VERSION && version != VERSION_1 {
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
        let (replaced, ids) = match version {
            VERSION_1 => (Vec::new(), Vec::new()),
            _ => (read_offsets(&mut reader)?, read_ids(&mut reader)?),
        };
        let chunks = read_chunks(&mut reader, version, next)?;
        let kept: u64 = chunks.iter().map(|chunk| chunk.kept.len() as u64).sum();
        let snapshot = Self { next, dispatched_to, counts, attempts, replaced, ids, chunks };
        let left = departures.into_iter().try_fold(0_u64, u64::checked_add);
        let is_balanced =
            left.and_then(|left| left.checked_add(snapshot.waiting())) == Some(next.0);
        for (is_legal, what) in [
            (reader.rest.is_empty(), "bytes follow"),
            (dispatched_to <= next, "more was dispatched than came"),
            (is_balanced, "its ledger does not balance"),
            (snapshot.knows_replaced(), "what is not here was replaced"),
            (kept <= counts.get(Departure::Settled), "more is kept than was settled"),
        ] {
            if !is_legal {
                return Err(SnapshotError::Illegal(what));
            }
        }
        Ok(snapshot)
    }
}

impl Snapshot {
    /// Whether all that was replaced is here, and in order.
    fn knows_replaced(&self) -> bool {
        let is_here = |offset: &Offset| {
            let messages = CHUNK_MESSAGES as u64;
            let found =
                self.chunks.binary_search_by_key(&(offset.0 / messages), |chunk| chunk.number);
            let chunk = found.ok().and_then(|at| self.chunks.get(at));
            chunk.is_some_and(|chunk| chunk.present.contains((offset.0 % messages) as usize))
        };
        self.replaced.is_sorted_by(|a, b| a < b) && self.replaced.iter().all(is_here)
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

fn read_offsets(reader: &mut Reader<'_>) -> Result<Vec<Offset>, SnapshotError> {
    let count = reader.u64()?;
    let mut offsets = Vec::new();
    for _ in 0..count {
        offsets.push(Offset(reader.u64()?));
    }
    Ok(offsets)
}

fn read_ids(reader: &mut Reader<'_>) -> Result<Vec<(MessageId, UnixMillis)>, SnapshotError> {
    let count = reader.u64()?;
    let mut ids = Vec::new();
    for _ in 0..count {
        let id = MessageId::new(reader.array().map(u128::from_le_bytes)?);
        ids.push((id, UnixMillis(reader.u64()?)));
    }
    Ok(ids)
}

fn read_chunks(
    reader: &mut Reader<'_>,
    version: u8,
    next: Offset,
) -> Result<Vec<SharedChunk>, SnapshotError> {
    let count = reader.u64()?;
    let mut chunks: Vec<SharedChunk> = Vec::new();
    for _ in 0..count {
        let chunk = read_chunk(reader, version, next)?;
        if chunks.last().is_some_and(|last| last.number >= chunk.number) {
            return Err(SnapshotError::Illegal("chunks are not in order"));
        }
        chunks.push(chunk);
    }
    Ok(chunks)
}

fn read_set(reader: &mut Reader<'_>) -> Result<Present, SnapshotError> {
    let mut words = [0; PRESENT_WORDS];
    for word in &mut words {
        *word = reader.u64()?;
    }
    Ok(Present::from_words(words))
}

fn read_chunk(
    reader: &mut Reader<'_>,
    version: u8,
    next: Offset,
) -> Result<SharedChunk, SnapshotError> {
    let number = reader.u64()?;
    let len = usize::from(reader.u16()?);
    let present = read_set(reader)?;
    let has_kept = version != VERSION_1 && reader.u8()? != 0;
    let kept = if has_kept { read_set(reader)? } else { Present::default() };
    let mut columns = [(0, 0); COLUMNS];
    let stored = if version == VERSION_1 { COLUMNS_V1 } else { COLUMNS };
    for column in columns.iter_mut().take(stored) {
        *column = (reader.u64()?, reader.u8()?);
    }
    let messages = CHUNK_MESSAGES as u64;
    let came = number.checked_mul(messages).and_then(|first| next.0.checked_sub(first));
    if came.map(|came| came.min(messages)) != Some(len as u64)
        || [present, kept].iter().any(|set| set.first_from(len).is_some())
        || present.is_empty() && kept.is_empty()
        || present.iter().any(|at| kept.contains(at))
    {
        return Err(SnapshotError::Illegal("a chunk holds what never came, or nothing"));
    }
    let packed = reader.take(Chunk::packed_bytes(len, &columns))?;
    let chunk = Chunk::from_parts(len, columns, packed)
        .ok_or(SnapshotError::Illegal("a chunk does not fit together"))?;
    Ok(SharedChunk { number, present, kept, chunk: Arc::new(chunk) })
}
