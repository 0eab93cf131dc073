//! How far a reader has come, as the log keeps it. It must not know who reads.

use message_index::Offset;

use crate::Runs;

/// What of a reader survives a restart, but for what it has settled above its position.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// All messages below are settled by this reader, skipped, or not wanted. It reads on from here.
    pub position: Offset,
    /// No message from here on was delivered. What lies between bears an attempt above 1 when it is delivered again.
    pub delivered_to: Offset,
    /// Messages that it rejected.
    pub rejected: u64,
    /// Messages that were passed by because they were too large for it, or gone before they were handed over.
    pub skipped: u64,
}

/// What the log is told of a reader. All reports since the last one that begins anew make up what is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// How far it has come, at least.
    pub progress: Progress,
    /// What it has settled at its position or above: all of that if it begins anew, else what may be new.
    pub settled: Runs,
    /// Nothing holds any more that was reported before: the reader is new, was set elsewhere, or a report was lost.
    pub begins: bool,
}
