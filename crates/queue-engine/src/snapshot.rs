//! The state of a queue as data, and its bytes. It must not know what a queue does.

mod decode;
mod encode;

use stdx::UnixMillis;

use crate::ledger::Counts;
use crate::{MessageId, Offset};
use message_index::{SharedChunk, Stale};

/// What of a queue survives a restart. Cheap to take and to clone: full chunks are shared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub(crate) next: Offset,
    /// Messages below count as delivered once, but for those in `attempts`; also those that come after this.
    pub(crate) dispatched_to: Offset,
    pub(crate) counts: Counts,
    /// Deliveries that counted, by ascending offset.
    pub(crate) attempts: Vec<(Offset, u32)>,
    /// Messages that are still here and were replaced while they were in flight, by ascending offset.
    pub(crate) replaced: Vec<Offset>,
    /// Message ids that are remembered, and when they were stored, in the order they came.
    pub(crate) ids: Vec<(MessageId, UnixMillis)>,
    /// Messages whose keys are to be made anew.
    pub(crate) stale: Stale,
    /// Until when messages wait before they are tried again, by ascending offset.
    pub(crate) delayed: Vec<(Offset, UnixMillis)>,
    pub(crate) chunks: Vec<SharedChunk>,
}

/// Why bytes are no snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// They end before the snapshot does.
    #[error("a queue snapshot ends early")]
    EndsEarly,
    /// They were written by a newer version.
    #[error("a queue snapshot of version {0} is unknown here")]
    UnknownVersion(u8),
    /// They contradict themselves.
    #[error("a queue snapshot is not legal: {0}")]
    Illegal(&'static str),
}

/// What is written while messages wait before they are tried again.
const VERSION: u8 = 5;
/// What is written otherwise while keys are made anew.
const VERSION_4: u8 = 4;
/// What is written otherwise. Versions 1 and 2 are read as well.
const VERSION_3: u8 = 3;
const VERSION_2: u8 = 2;
const VERSION_1: u8 = 1;

impl Snapshot {
    /// The offset that the next message gets.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        self.next
    }

    /// Messages that are still here.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.chunks.iter().map(SharedChunk::waiting).sum()
    }
}

#[cfg(test)]
mod tests;
