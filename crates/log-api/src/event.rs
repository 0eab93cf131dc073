//! What a log tells the shards. It must not know how a shard's mailbox works.

use bytes::Bytes;

use crate::{AppendError, LogState, Position, ReadError, RecordKind, ShardId};

/// A record that is stored, as durably as the log promises.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedRecord {
    /// What it is.
    pub kind: RecordKind,
    /// Where it lies.
    pub position: Position,
    /// Its body: a slice of the buffer that was written, which lives as long as any slice of it.
    pub body: Bytes,
    /// The shard that appended it.
    pub from: ShardId,
    /// The appender's own mark.
    pub token: u64,
}

/// A record that is not stored. Its appender may need the body once more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailedRecord {
    /// What it is.
    pub kind: RecordKind,
    /// The appender's own mark.
    pub token: u64,
    /// Its body.
    pub body: Bytes,
}

/// What a log tells one shard.
#[derive(Debug)]
pub enum LogEvent {
    /// Records are stored; those whose `notify` has this shard, in log order.
    Committed(Vec<CommittedRecord>),
    /// Records that this shard appended are **not** stored, and will not appear later; in the order of appending.
    /// (Only a disk that fails and loses its power right afterwards may bring some of them back at the next start.)
    Failed {
        /// The records.
        records: Vec<FailedRecord>,
        /// Why.
        error: AppendError,
    },
    /// The bodies that this shard asked for, in the order of asking.
    Read {
        /// The mark given to [`Log::read`](crate::Log::read).
        token: u64,
        /// One for each position.
        records: Vec<Result<Bytes, ReadError>>,
    },
    /// A checkpoint wants this shard's state. Every record before `position` has been delivered to it, none after.
    ///
    /// Answer with [`Log::checkpoint_part`](crate::Log::checkpoint_part) before taking any later event, so that the part is
    /// what the records before `position` made.
    CheckpointRequested {
        /// Which checkpoint.
        id: u64,
        /// Replay will begin here.
        position: Position,
    },
    /// The log's state has changed. [`LogState::Full`] is answered with [`Log::heard_full`](crate::Log::heard_full).
    State(LogState),
}

/// Where a log delivers its events: the mailboxes of the shards.
///
/// Called from the log's threads, once per shard and group of commits. It must not block and must not call the log.
pub trait EventSink: Send + Sync + 'static {
    /// Puts an event into the shard's mailbox and wakes it.
    fn deliver(&self, shard: ShardId, event: LogEvent);
}
