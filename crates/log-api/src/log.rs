//! The trait of a log. It must not know how one keeps its promises.

use crate::{AppendBatch, LogState, LogStats, Position, SegmentUse, ShardId};

/// Makes a shard's part of a checkpoint.
pub type CheckpointPart = Box<dyn FnOnce() -> Part + Send>;

/// A shard's part of a checkpoint.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Part {
    /// What it says, which only shards understand.
    pub bytes: Vec<u8>,
    /// Bodies that it names and that no reference of a record counts: pairs of a segment and how many of the bodies in it.
    pub held: Vec<(u32, u32)>,
}

impl From<Vec<u8>> for Part {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, held: Vec::new() }
    }
}

/// An append-only log of records, shared by all shards.
///
/// No call blocks on the disk but [`Self::shutdown`]; answers come as [`LogEvent`](crate::LogEvent)s at the
/// [`EventSink`](crate::EventSink) that the log was opened with. What holds of every log, and is tested by the conformance
/// suite in `testing`:
///
/// 1. **Order.** The log is one sequence. One shard's records lie in it in the order of appending. Each shard is told of commits
///    in log order.
/// 2. **Truth.** A record is committed only when it will be found again after a crash. Each record is either committed or
///    failed, once.
/// 3. **Liveness of bodies.** A committed body is readable, unaltered, at its position, while not all of its references have
///    been released, or while it is held.
/// 4. **Checkpoints.** What the parts of the newest checkpoint hold, and the records from its position on, are all there was.
pub trait Log: Send + Sync + 'static {
    /// Appends a turn's records. An empty batch does nothing.
    fn append(&self, from: ShardId, batch: AppendBatch);

    /// Bytes appended and neither committed nor failed yet.
    fn backlog_bytes(&self) -> u64;

    /// Asks for bodies; they come as one [`LogEvent::Read`](crate::LogEvent::Read) to the shard. Ascending positions are fastest.
    fn read(&self, shard: ShardId, token: u64, positions: Vec<Position>);

    /// As [`Self::read`], but of records that were [pushed in two](AppendBatch::push_in_two) only the heads come. With each
    /// position goes about how many bytes are wanted there: a guess that is too low costs a second look at the disk.
    fn read_heads(&self, shard: ShardId, token: u64, heads: Vec<(Position, u32)>);

    /// Drops references that the shard held: pairs of a segment and how many of the bodies in it.
    ///
    /// What a shard releases before it answers a checkpoint must be gone from its part; what it releases afterwards is found
    /// again by replay, and is released again then.
    fn release(&self, shard: ShardId, released: &[(u32, u32)]);

    /// Holds bodies without a reference of their record, or lets go of them: pairs of a segment and how many more, or fewer.
    ///
    /// These are bodies of which the parts of a checkpoint say themselves which ones they need ([`Part::held`]), so that a
    /// part can be gathered while they change. A body may be held from when a shard is told of its commit until that shard
    /// answers a checkpoint that begins later, and must then be in a part of each checkpoint for as long as it is needed.
    fn hold_bodies(&self, changes: &[(u32, i32)]);

    /// The segments that are written to their ends, in order.
    fn segments(&self) -> Vec<SegmentUse>;

    /// Answers [`LogEvent::CheckpointRequested`](crate::LogEvent::CheckpointRequested). When all shards have, it is written.
    ///
    /// The part is asked for later, when all shards have answered, on a thread of the log's: what need not be of the very
    /// moment can be gathered there.
    fn checkpoint_part(&self, shard: ShardId, id: u64, part: CheckpointPart);

    /// Asks for a checkpoint now. When one is being made, another follows it.
    fn request_checkpoint(&self);

    /// The shard has been told that the log is full, and what it appends from here on it appends knowing that.
    ///
    /// A full log takes messages again only when every shard has said so. Otherwise it could take a message that was on its way
    /// when an earlier one of the same publisher was refused, who then has that stored behind it.
    fn heard_full(&self, shard: ShardId);

    /// Whether it takes records.
    fn state(&self) -> LogState;

    /// Its numbers.
    fn stats(&self) -> LogStats;

    /// Stores what has been appended, finishes a checkpoint that all shards have answered, and stops the log's threads.
    ///
    /// Blocks until that is done; calling it again does nothing. What is appended afterwards fails. For a start without
    /// replay, ask for a checkpoint and let the shards answer it first.
    fn shutdown(&self);
}
