//! Reading a snapshot: whatever the bytes, a legal snapshot or an error.

use message_index::{ChunkError, ChunkLayout, Offset, SharedChunk, Stale};
use stdx::UnixMillis;

use super::{
    CLIENT, GROUP, POSITIONS_ALONE, Snapshot, SnapshotError, StoredReader, UNKNOWN, VERSION,
    VERSION_3,
};
use crate::ledger::Counts;
use crate::{Departure, Progress, ReaderName, Runs};

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
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

    fn u32(&mut self) -> Result<u32, SnapshotError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, SnapshotError> {
        self.array().map(u64::from_le_bytes)
    }

    /// What a reader has settled from its position on, and was given.
    fn settled(&mut self, progress: &Progress) -> Result<Runs, SnapshotError> {
        let (mut runs, mut behind) = (Runs::default(), progress.position.0);
        for _ in 0..self.u64()? {
            let run = self.u64()?..self.u64()?;
            if run.is_empty() || run.start < behind || run.end > progress.delivered_to.0 {
                return Err(SnapshotError::Illegal("what a reader has settled is not in order"));
            }
            behind = run.end;
            runs.add(run);
        }
        Ok(runs)
    }

    fn reader(&mut self, version: u8) -> Result<StoredReader, SnapshotError> {
        let kind = self.u8()?;
        let len = self.u32()?;
        let text = self.take(len as usize)?;
        let text = std::str::from_utf8(text)
            .map_err(|_| SnapshotError::Illegal("the name of a reader is no text"))?;
        let name = match kind {
            CLIENT => ReaderName::client(text),
            GROUP => ReaderName::group(text),
            _ => return Err(SnapshotError::Illegal("a reader is neither a client nor a group")),
        };
        let progress = Progress {
            position: Offset(self.u64()?),
            delivered_to: Offset(self.u64()?),
            rejected: self.u64()?,
            skipped: self.u64()?,
        };
        let gone_since = self.u64()?;
        let gone_since = (gone_since != UNKNOWN).then_some(UnixMillis(gone_since));
        let settled =
            if version > POSITIONS_ALONE { self.settled(&progress)? } else { Runs::default() };
        Ok(StoredReader { name, progress, settled, gone_since })
    }
}

fn ends_before(settled: &Runs, next: Offset) -> bool {
    settled.end().is_none_or(|end| end <= next)
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
        let mut cursor = Cursor { rest: bytes };
        let version = cursor.u8()?;
        if !(POSITIONS_ALONE..=VERSION).contains(&version) {
            return Err(SnapshotError::UnknownVersion(version));
        }
        let next = Offset(cursor.u64()?);
        let mut departures = [0; Departure::ALL.len()];
        for departure in &mut departures {
            *departure = cursor.u64()?;
        }
        let counts = Counts::of(departures, cursor.u64()?);
        let count = cursor.u64()?;
        let mut readers: Vec<StoredReader> = Vec::new();
        for _ in 0..count {
            readers.push(cursor.reader(version)?);
        }
        let stale = match version {
            VERSION_3.. => Stale::decode(&mut cursor.rest, next)?,
            _ => Stale::default(),
        };
        let chunks = SharedChunk::decode_all(&mut cursor.rest, ChunkLayout::V2, next)?;
        let snapshot = Self { next, counts, readers, stale, chunks };
        let left = departures.into_iter().try_fold(0_u64, u64::checked_add);
        let came = left.and_then(|left| left.checked_add(snapshot.kept()));
        let in_order = |reader: &StoredReader| {
            let Progress { position, delivered_to, .. } = reader.progress;
            let may_be_ahead = version > VERSION_3;
            let given_to = if may_be_ahead { delivered_to.min(next) } else { delivered_to };
            position <= given_to && given_to <= next && ends_before(&reader.settled, next)
        };
        for (is_legal, what) in [
            (cursor.rest.is_empty(), "bytes follow"),
            (came == Some(next.0), "its ledger does not balance"),
            (snapshot.readers.iter().all(in_order), "a reader has read what never came"),
            (
                snapshot.readers.is_sorted_by(|a, b| a.name < b.name),
                "readers are not in order of their names",
            ),
            (
                snapshot.chunks.iter().all(|chunk| chunk.kept() == 0),
                "it keeps what was settled, which streams do not do",
            ),
        ] {
            if !is_legal {
                return Err(SnapshotError::Illegal(what));
            }
        }
        Ok(snapshot)
    }
}
