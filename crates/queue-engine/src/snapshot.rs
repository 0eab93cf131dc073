//! What is kept of a queue over a restart, and its bytes. It must not know consumers or leases: none survive.

use crate::ids::Offset;
use crate::index::{Index, Reader};
use crate::ledger::Counts;

const VERSION: u8 = 1;

/// A queue's state at one moment, to be written to a checkpoint.
///
/// It shares the full chunks of the index with the queue it was taken of, and stays as it is while that goes on.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) index: Index,
    pub(crate) counts: Counts,
    /// In order of offset.
    pub(crate) attempts: Vec<(Offset, u32)>,
}

/// Why bytes are no snapshot.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A newer version wrote them.
    #[error("the snapshot has version {0}, which is not known")]
    UnknownVersion(u8),
    /// They end early, go on too long, or make no sense.
    #[error("the snapshot is damaged: {0}")]
    Damaged(&'static str),
}

impl Snapshot {
    /// Appends the snapshot.
    ///
    /// ```text
    /// version u8 = 1
    /// | settled u64 | dead_lettered u64 | dropped u64 | expired u64 | replaced u64 | purged u64 | redelivered u64
    /// | index (drawn at its encoding)
    /// | count u64 | { offset u64 | attempts u32 } ...       in order of offset
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        let Counts { settled, dead_lettered, dropped, expired, replaced, purged, redelivered } = self.counts;
        for count in [settled, dead_lettered, dropped, expired, replaced, purged, redelivered] {
            out.extend_from_slice(&count.to_le_bytes());
        }
        self.index.encode(out);
        out.extend_from_slice(&(self.attempts.len() as u64).to_le_bytes());
        for (offset, attempts) in &self.attempts {
            out.extend_from_slice(&offset.0.to_le_bytes());
            out.extend_from_slice(&attempts.to_le_bytes());
        }
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    /// When the bytes are of another version or are damaged. What is read balances.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut reader = Reader::new(bytes);
        match reader.u8() {
            Some(VERSION) => {}
            Some(version) => return Err(SnapshotError::UnknownVersion(version)),
            None => return Err(SnapshotError::Damaged("it is empty")),
        }
        let counts = decode_counts(&mut reader).ok_or(SnapshotError::Damaged("the counts end early"))?;
        let index = Index::decode(&mut reader).ok_or(SnapshotError::Damaged("the index makes no sense"))?;
        let attempts = decode_attempts(&mut reader, &index);
        let attempts = attempts.ok_or(SnapshotError::Damaged("the attempts make no sense"))?;
        if !reader.is_empty() {
            return Err(SnapshotError::Damaged("it goes on after its end"));
        }
        if counts.left().and_then(|left| left.checked_add(index.waiting())) != Some(index.next().0) {
            return Err(SnapshotError::Damaged("it does not balance"));
        }
        Ok(Self { index, counts, attempts })
    }
}

fn decode_counts(reader: &mut Reader<'_>) -> Option<Counts> {
    Some(Counts {
        settled: reader.u64()?,
        dead_lettered: reader.u64()?,
        dropped: reader.u64()?,
        expired: reader.u64()?,
        replaced: reader.u64()?,
        purged: reader.u64()?,
        redelivered: reader.u64()?,
    })
}

/// Only messages that have not left may have attempts, each once.
fn decode_attempts(reader: &mut Reader<'_>, index: &Index) -> Option<Vec<(Offset, u32)>> {
    let count = reader.u64()?;
    let mut attempts: Vec<(Offset, u32)> = Vec::new();
    for _ in 0..count {
        let offset = Offset(reader.u64()?);
        let number = reader.u32()?;
        let ascends = attempts.last().is_none_or(|(last, _)| *last < offset);
        if !ascends || number == 0 || index.entry(offset).is_none() {
            return None;
        }
        attempts.push((offset, number));
    }
    Some(attempts)
}
