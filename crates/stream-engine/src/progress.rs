//! How far a reader has come, as the log keeps it. It must not know who reads.

use message_index::Offset;

/// What of a reader survives a restart.
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
