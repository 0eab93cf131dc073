//! The state of a stream as data, and its bytes. It must not know what a stream does.

mod decode;
mod encode;

use message_index::{Offset, SharedChunk, Stale};
use stdx::UnixMillis;

use crate::ledger::Counts;
use crate::{Progress, ReaderName, Runs};

/// What of a stream survives a restart. Cheap to take and to clone: full chunks are shared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub(crate) next: Offset,
    pub(crate) counts: Counts,
    /// By name.
    pub(crate) readers: Vec<StoredReader>,
    /// Messages whose keys are to be made anew.
    pub(crate) stale: Stale,
    pub(crate) chunks: Vec<SharedChunk>,
}

/// A reader in a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StoredReader {
    pub(crate) name: ReaderName,
    pub(crate) progress: Progress,
    /// What it has settled at its position or above.
    pub(crate) settled: Runs,
    /// Since when it has no members; none if it has some, or nobody knew the time.
    pub(crate) gone_since: Option<UnixMillis>,
}

/// Why bytes are no snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// They end before the snapshot does.
    #[error("a stream snapshot ends early")]
    EndsEarly,
    /// They were written by a newer version.
    #[error("a stream snapshot of version {0} is unknown here")]
    UnknownVersion(u8),
    /// They contradict themselves.
    #[error("a stream snapshot is not legal: {0}")]
    Illegal(&'static str),
}

/// What is written while a reader may be given what is still to come.
const VERSION: u8 = 4;
/// What is written while keys are made anew.
const VERSION_3: u8 = 3;
/// What is written otherwise, unless the one before says the same.
const VERSION_2: u8 = 2;
/// It knows nothing of what readers have settled above their positions.
const POSITIONS_ALONE: u8 = 1;

/// How the kinds of readers are numbered. Never reused.
const CLIENT: u8 = 1;
const GROUP: u8 = 2;

/// The time that stands for none.
const UNKNOWN: u64 = u64::MAX;

impl Snapshot {
    /// The offset that the next message gets.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        self.next
    }

    /// Messages that are still here.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.chunks.iter().map(SharedChunk::waiting).sum()
    }
}

#[cfg(test)]
mod tests;
