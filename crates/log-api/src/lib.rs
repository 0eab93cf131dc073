//! The seam between those who write durable facts and the log that keeps them.
//! It must not know what the bodies of records mean, nor where a log keeps them.
//!
//! A record's way through a log:
//! ```text
//!  AppendBatch::push ── Log::append ──► stored, synced ──► LogEvent::Committed, to each shard of `notify`
//!                                  └──► not stored ──────► LogEvent::Failed, to the appender
//!  references: the body stays readable ── Log::read ──► LogEvent::Read
//!              until ── Log::release ── has been called for each
//! ```

mod batch;
mod error;
mod event;
mod log;
mod position;
mod record;
mod recovered;
mod shard;
mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use batch::{
    AppendBatch, FRAME_ALIGNMENT, FRAME_HEADER_BYTES, HEAD_MARK_BYTES, PendingRecord,
    SMALL_BODY_BYTES_MAX, failed_records, frame_bytes,
};
pub use error::{AppendError, ReadError, VisitError};
pub use event::{CommittedRecord, EventSink, FailedRecord, LogEvent};
pub use log::{CheckpointPart, Log, Part};
pub use position::Position;
pub use record::{RecordKind, UnknownRecordKind};
pub use recovered::{CheckpointParts, Visit};
pub use shard::{SHARDS_MAX, ShardId, ShardSet};
pub use state::{LogState, LogStats, SegmentUse};
