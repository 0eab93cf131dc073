//! How a log fares. It must not know metric names.

use std::fmt;

use crate::Position;

/// Whether a log takes records.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum LogState {
    /// It takes everything.
    #[default]
    Writable,
    /// The disk is full: it takes only small records without references, such as settlements, until room appears.
    Full,
    /// A write or a sync failed: it takes nothing more. Reads go on.
    Failed {
        /// The failure.
        reason: String,
    },
}

impl fmt::Display for LogState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writable => f.write_str("writable"),
            Self::Full => f.write_str("full"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
        }
    }
}

/// What keeps a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentUse {
    /// Its number.
    pub segment: u32,
    /// Its bytes on disk.
    pub bytes: u64,
    /// References that hold bodies in it live, without those that are held.
    pub references: u64,
}

/// A log's numbers. Totals count from the start of the process.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LogStats {
    /// Bytes that the segments take on disk.
    pub disk_bytes: u64,
    /// Number of segments.
    pub segments: u64,
    /// References that hold bodies live, and bodies that are held.
    pub live_references: u64,
    /// Records committed.
    pub appended_records_total: u64,
    /// Bytes committed, headers included.
    pub appended_bytes_total: u64,
    /// Records that were not stored.
    pub failed_records_total: u64,
    /// Groups of batches that were written as one.
    pub groups_total: u64,
    /// Syncs of segments.
    pub syncs_total: u64,
    /// Records read back.
    pub read_records_total: u64,
    /// Bodies found damaged in reading.
    pub damaged_reads_total: u64,
    /// Checkpoints written.
    pub checkpoints_total: u64,
    /// Segments trimmed.
    pub trimmed_segments_total: u64,
    /// Where the newest checkpoint stands, if there is one.
    pub checkpoint: Option<Position>,
}
