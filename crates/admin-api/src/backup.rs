//! A backup on its way out of the broker.

use std::fmt;
use std::task::{Context, Poll};

/// The header that says about how many bytes a backup will have.
pub const ESTIMATED_BYTES: &str = "x-weir-estimated-bytes";

/// A backup on its way, a tar file. Dropped, it ends.
pub struct BackupDownload {
    /// About how many bytes it will have.
    pub estimated_bytes: u64,
    /// Its bytes.
    pub pieces: Box<dyn Pieces>,
}

/// Bytes that come piece by piece.
pub trait Pieces: Send {
    /// The next piece; `None` is the end. An error is why there is no whole backup.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>, String>>>;
}

impl fmt::Debug for BackupDownload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupDownload")
            .field("estimated_bytes", &self.estimated_bytes)
            .finish_non_exhaustive()
    }
}
