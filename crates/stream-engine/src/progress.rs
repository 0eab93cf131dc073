//! How far a reader has come, as the log keeps it. It must not know who reads.

use message_index::Offset;

use crate::Runs;

/// What of a reader survives a restart, but for what it has settled above its position.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// All messages below are settled by this reader, skipped, or not wanted. It reads on from here.
    pub position: Offset,
    /// Messages below may have been delivered, in a log also those that come later. What lies between bears an attempt above
    /// 1 when it is delivered again.
    pub delivered_to: Offset,
    /// Messages that it rejected.
    pub rejected: u64,
    /// Messages that were passed by because they were too large for it, or gone before they were handed over.
    pub skipped: u64,
}

/// What a caller that logs deliveries before they are made must know of a reader to say how far they may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outlook {
    /// No message from here on was delivered.
    pub dispatched_to: Offset,
    /// Whether somebody reads for it.
    pub has_members: bool,
    /// Whether it would take a message that comes at once.
    pub is_hungry: bool,
    /// Whether something would go, when that was looked at last, if there were a permit for it.
    pub awaits_permit: bool,
}

/// What the log is told of a reader. All reports since the last one that begins anew make up what is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// How far it has come, at least. What the last report says of deliveries holds.
    pub progress: Progress,
    /// What it has settled at its position or above: all of that if it begins anew, else what may be new.
    pub settled: Runs,
    /// Nothing holds any more that was reported before: the reader is new, was set elsewhere, or a report was lost.
    pub begins: bool,
}
