//! What the writer is asked to do. It must not know who asks.

use log_api::{AppendBatch, CheckpointPart, ShardId};

/// What the writer is asked to do.
pub(crate) enum Command {
    /// Append a batch.
    Append { from: ShardId, batch: AppendBatch },
    /// Begin a checkpoint.
    RequestCheckpoint,
    /// A shard's part of the checkpoint with that number, for its maker once what came before is stored.
    Part { shard: ShardId, id: u64, part: CheckpointPart },
    /// The checkpoint in the making is written, or cannot be. `another` asks for one more, which lets segments go.
    CheckpointDone { another: bool },
    /// Look whether the next segment is prepared.
    Prepared,
    /// A shard knows that the log is full.
    HeardFull,
    /// Append what came before, and end.
    Stop,
}
