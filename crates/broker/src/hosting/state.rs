//! A shard's part of a checkpoint: its queues, each with its definition and the state of its engine.

use queue_engine::Snapshot;

use crate::directory::QueueDefinition;
use crate::record::{DefinitionRecord, RecordError};

const VERSION: u8 = 1;

/// One queue in a checkpoint.
pub(crate) struct QueuePart {
    pub(crate) definition: QueueDefinition,
    pub(crate) snapshot: Snapshot,
}

/// What a shard answers to a checkpoint.
///
/// ```text
/// version u8 | next_sink u32 | queues u32 | { definition_len u32 | definition record | state_len u64 | state } ...
/// ```
pub(crate) struct ShardPart {
    /// The number of the next queue; 0 from shards that are not the control shard.
    pub(crate) next_sink: u32,
    pub(crate) queues: Vec<QueuePart>,
}

/// A queue as read back.
pub(crate) struct StoredQueue {
    pub(crate) definition: DefinitionRecord,
    pub(crate) snapshot: Snapshot,
}

impl ShardPart {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.next_sink.to_le_bytes());
        out.extend_from_slice(&(self.queues.len() as u32).to_le_bytes());
        for queue in &self.queues {
            let mut definition = Vec::new();
            DefinitionRecord::of(&queue.definition).encode(&mut definition);
            let mut state = Vec::new();
            queue.snapshot.encode(&mut state);
            out.extend_from_slice(&(definition.len() as u32).to_le_bytes());
            out.extend_from_slice(&definition);
            out.extend_from_slice(&(state.len() as u64).to_le_bytes());
            out.extend_from_slice(&state);
        }
        out
    }

    /// Reads a part: the number of the next queue, and the queues.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(u32, Vec<StoredQueue>), RecordError> {
        let mut reader = Reader { rest: bytes };
        if reader.take(1)? != [VERSION] {
            return Err(illegal("it was written by a newer version"));
        }
        let next_sink = reader.u32()?;
        let count = reader.u32()?;
        let mut queues = Vec::new();
        for _ in 0..count {
            let len = reader.u32()? as usize;
            let definition = DefinitionRecord::decode(reader.take(len)?)?;
            let len =
                usize::try_from(reader.u64()?).map_err(|_| illegal("a length is too large"))?;
            let snapshot = Snapshot::decode(reader.take(len)?)
                .map_err(|_| illegal("a queue's state is not legal"))?;
            queues.push(StoredQueue { definition, snapshot });
        }
        Ok((next_sink, queues))
    }
}

const fn illegal(what: &'static str) -> RecordError {
    RecordError { record: "checkpoint", what }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(illegal("it ends early"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, RecordError> {
        let bytes = self.take(4)?.try_into().map_err(|_| illegal("it ends early"))?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn u64(&mut self) -> Result<u64, RecordError> {
        let bytes = self.take(8)?.try_into().map_err(|_| illegal("it ends early"))?;
        Ok(u64::from_le_bytes(bytes))
    }
}
