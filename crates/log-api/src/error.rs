//! Why a record was not stored, and why a body cannot be read. It must not know reason codes of any protocol.

use crate::Position;

/// Why records were not stored.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk is full. Room may appear.
    #[error("the log is full: no room on the disk for another segment")]
    Full,
    /// The log failed before, and takes nothing more until the process is started anew.
    #[error("the log has failed: {reason}")]
    Failed {
        /// The first failure.
        reason: String,
    },
    /// The batch is larger than a segment can be.
    #[error("a batch of {bytes} bytes is larger than a segment can be")]
    TooLarge {
        /// Bytes of the batch.
        bytes: usize,
    },
    /// The log has been shut down.
    #[error("the log has been shut down")]
    ShutDown,
}

/// Why a body cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes on disk are not those that were written. They are never handed out.
    #[error("damaged record in {file} at offset {offset}: {what}")]
    Damaged {
        /// The file.
        file: String,
        /// Offset of the frame in the file.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// No record was ever committed there, or its segment has been trimmed.
    #[error("no record at position {position}")]
    NotFound {
        /// The position asked for.
        position: Position,
    },
    /// The disk did not give the bytes.
    #[error("cannot read {file} at offset {offset}: {reason}")]
    Io {
        /// The file.
        file: String,
        /// Offset of the frame in the file.
        offset: u64,
        /// The system's words.
        reason: String,
    },
    /// The log has been shut down.
    #[error("the log has been shut down")]
    ShutDown,
}

/// Why a visitor of the replay refused a record.
pub type VisitError = Box<dyn std::error::Error + Send + Sync>;
