//! The broker's state as the log tells it: a checkpoint, and the records after it.

use std::collections::BTreeMap;

use log_api::{CheckpointParts, Position, RecordKind, VisitError};
use mqtt_router::SinkId;
use queue_engine::{Offset, Queue, StoredAt};
use stdx::UnixMillis;

use crate::hosting::{ShardPart, StoredQueue};
use crate::record::{DefinitionRecord, PublishRecord, RecordError, SettleRecord, decode_deleted};

/// A queue on its way back.
pub(crate) struct RecoveredQueue {
    pub(crate) definition: DefinitionRecord,
    pub(crate) engine: Queue,
}

/// Takes a checkpoint and replays records over it.
#[derive(Default)]
pub struct Recovery {
    queues: BTreeMap<SinkId, RecoveredQueue>,
    next_sink: u32,
    released: BTreeMap<u32, u32>,
}

/// What a broker starts with.
pub struct Recovered {
    pub(crate) queues: Vec<RecoveredQueue>,
    pub(crate) next_sink: u32,
    /// References that the log must drop: pairs of a segment and a count.
    pub released: Vec<(u32, u32)>,
}

impl Recovered {
    /// Number of queues, and of messages waiting in them.
    #[must_use]
    pub fn counts(&self) -> (usize, u64) {
        let waiting = |queue: &RecoveredQueue| queue.engine.ledger().waiting();
        (self.queues.len(), self.queues.iter().map(waiting).sum())
    }
}

impl Recovery {
    /// Begins with the newest checkpoint, if there is one.
    ///
    /// # Errors
    /// A part of the checkpoint is not legal.
    pub fn new(checkpoint: Option<&CheckpointParts>) -> Result<Self, RecordError> {
        let mut recovery = Self::default();
        for part in checkpoint.iter().flat_map(|checkpoint| &checkpoint.parts) {
            let (next_sink, queues) = ShardPart::decode(part)?;
            recovery.next_sink = recovery.next_sink.max(next_sink);
            for StoredQueue { definition, snapshot } in queues {
                let seed = u64::from(definition.sink.0);
                let engine = Queue::restore(definition.engine_config(), seed, snapshot);
                recovery.queues.insert(definition.sink, RecoveredQueue { definition, engine });
            }
        }
        Ok(recovery)
    }

    /// Replays one record.
    ///
    /// # Errors
    /// Its body is not legal.
    pub fn visit(
        &mut self,
        kind: RecordKind,
        position: Position,
        body: &[u8],
    ) -> Result<(), VisitError> {
        match kind {
            RecordKind::Publish => self.publish(position, body)?,
            RecordKind::Settle => self.settle(&SettleRecord::decode(body)?),
            RecordKind::QueueDefined => self.define(DefinitionRecord::decode(body)?),
            RecordKind::QueueDeleted => {
                if let Some(queue) = self.queues.remove(&decode_deleted(body)?) {
                    for (_, at) in queue.engine.stored() {
                        release(&mut self.released, Position::from_u64(at.0));
                    }
                }
            }
            RecordKind::Attempt => {}
        }
        Ok(())
    }

    fn publish(&mut self, position: Position, body: &[u8]) -> Result<(), RecordError> {
        let record = PublishRecord::view(body)?;
        for sink in record.sinks() {
            match self.queues.get_mut(&sink) {
                Some(queue) => {
                    let stored = UnixMillis(record.received_at_ms());
                    queue.engine.replay_enqueue(
                        StoredAt(position.as_u64()),
                        record.counted_bytes(),
                        stored,
                    );
                }
                None => release(&mut self.released, position),
            }
        }
        Ok(())
    }

    fn settle(&mut self, record: &SettleRecord) {
        let Some(queue) = self.queues.get_mut(&record.sink) else { return };
        for (left, ranges) in &record.left {
            for offset in ranges.iter().cloned().flatten() {
                let at = queue.engine.replay_left(Offset(offset), left.departure());
                if let Some(at) = at {
                    release(&mut self.released, Position::from_u64(at.0));
                }
            }
        }
        queue.engine.replay_dispatched(record.dispatched_to);
        for (offset, attempts) in &record.attempts {
            queue.engine.replay_attempts(*offset, *attempts);
        }
    }

    fn define(&mut self, definition: DefinitionRecord) {
        self.next_sink = self.next_sink.max(definition.sink.0 + 1);
        match self.queues.get_mut(&definition.sink) {
            Some(queue) => {
                queue.engine.replay_reconfigure(definition.engine_config());
                queue.definition = definition;
            }
            None => {
                let engine = Queue::new(definition.engine_config(), u64::from(definition.sink.0));
                self.queues.insert(definition.sink, RecoveredQueue { definition, engine });
            }
        }
    }

    /// Ends the replay.
    #[must_use]
    pub fn finish(self) -> Recovered {
        Recovered {
            queues: self.queues.into_values().collect(),
            next_sink: self.next_sink,
            released: self.released.into_iter().collect(),
        }
    }
}

fn release(released: &mut BTreeMap<u32, u32>, position: Position) {
    *released.entry(position.segment()).or_default() += 1;
}
