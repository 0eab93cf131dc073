//! Reading a snapshot: whatever the bytes, a legal snapshot or an error.

use message_index::{ChunkError, ChunkLayout, SharedChunk, Stale, chunk_of};
use stdx::UnixMillis;

use super::{Snapshot, SnapshotError, VERSION, VERSION_1, VERSION_2, VERSION_4};
use crate::ledger::Counts;
use crate::{Departure, MessageId, Offset};

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(SnapshotError::EndsEarly)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, SnapshotError> {
        self.array().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, SnapshotError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, SnapshotError> {
        self.array().map(u64::from_le_bytes)
    }
}

impl From<ChunkError> for SnapshotError {
    fn from(error: ChunkError) -> Self {
        match error {
            ChunkError::EndsEarly => Self::EndsEarly,
            ChunkError::Illegal(what) => Self::Illegal(what),
        }
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
        if !(VERSION_1..=VERSION).contains(&version) {
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
        let stale = match version {
            VERSION_4.. => Stale::decode(&mut reader.rest, next)?,
            _ => Stale::default(),
        };
        let delayed = if version >= VERSION { read_delayed(&mut reader)? } else { Vec::new() };
        let layout = if version == VERSION_1 { ChunkLayout::V1 } else { ChunkLayout::V2 };
        let chunks = SharedChunk::decode_all(&mut reader.rest, layout, next)?;
        let kept: u64 = chunks.iter().map(SharedChunk::kept).sum();
        let snapshot =
            Self { next, dispatched_to, counts, attempts, replaced, ids, stale, delayed, chunks };
        let left = departures.into_iter().try_fold(0_u64, u64::checked_add);
        let is_balanced =
            left.and_then(|left| left.checked_add(snapshot.waiting())) == Some(next.0);
        for (is_legal, what) in [
            (reader.rest.is_empty(), "bytes follow"),
            (version > VERSION_2 || dispatched_to <= next, "more was dispatched than came"),
            (is_balanced, "its ledger does not balance"),
            (snapshot.are_here(&snapshot.replaced), "what is not here was replaced"),
            (snapshot.knows_delayed(), "what is not here is delayed"),
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
    /// Whether all that is delayed is here, and in order.
    fn knows_delayed(&self) -> bool {
        let offsets: Vec<Offset> = self.delayed.iter().map(|(offset, _)| *offset).collect();
        self.are_here(&offsets)
    }

    /// Whether all these messages are here, and in order.
    fn are_here(&self, offsets: &[Offset]) -> bool {
        let is_here = |offset: &Offset| {
            let found = self.chunks.binary_search_by_key(&chunk_of(*offset), SharedChunk::number);
            let chunk = found.ok().and_then(|at| self.chunks.get(at));
            chunk.is_some_and(|chunk| chunk.contains(*offset))
        };
        offsets.is_sorted_by(|a, b| a < b) && offsets.iter().all(is_here)
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

fn read_delayed(reader: &mut Reader<'_>) -> Result<Vec<(Offset, UnixMillis)>, SnapshotError> {
    let count = reader.u64()?;
    let mut delayed = Vec::new();
    for _ in 0..count {
        delayed.push((Offset(reader.u64()?), UnixMillis(reader.u64()?)));
    }
    Ok(delayed)
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
