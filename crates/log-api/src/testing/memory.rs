//! A log in memory that tests can hold, fill up, break and open again. It must not know files.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    AppendBatch, AppendError, CheckpointPart, CheckpointParts, CommittedRecord, EventSink, Log,
    LogEvent, LogState, LogStats, Position, ReadError, RecordKind, ShardId, ShardSet, Visit,
    VisitError,
};

/// What a [`MemoryLog`] leaves behind, as a disk would. Clones are the same store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    records: BTreeMap<Position, Stored>,
    next_offset: u32,
    checkpoint: Option<CheckpointParts>,
    /// References as of the checkpoint.
    references: i64,
}

struct Stored {
    kind: RecordKind,
    partition: u16,
    references: u32,
    body: Result<Bytes, ReadError>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a log on what is stored. What an earlier log of this store had not committed is gone.
    #[must_use]
    pub fn open(&self, shards: u16, sink: Arc<dyn EventSink>) -> Arc<MemoryLog> {
        let turn = Turn { references: self.references(), ..Turn::default() };
        Arc::new(MemoryLog { store: self.clone(), shards, sink, turn: Mutex::new(turn) })
    }

    /// References as of the checkpoint, and of all records since.
    fn references(&self) -> i64 {
        let kept = self.kept.lock();
        let from =
            kept.checkpoint.as_ref().map_or(Position::START, |checkpoint| checkpoint.position);
        let since = kept.records.range(from..).map(|(_, stored)| i64::from(stored.references));
        kept.references + since.sum::<i64>()
    }

    /// The newest checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Option<CheckpointParts> {
        self.kept.lock().checkpoint.clone()
    }

    /// Shows every record from the newest checkpoint on.
    ///
    /// # Errors
    /// What `visit` returns.
    pub fn replay(&self, visit: &mut Visit<'_>) -> Result<(), VisitError> {
        let kept = self.kept.lock();
        let from =
            kept.checkpoint.as_ref().map_or(Position::START, |checkpoint| checkpoint.position);
        for (position, stored) in kept.records.range(from..) {
            visit(
                stored.kind,
                *position,
                stored.partition,
                stored.body.as_ref().map_err(Clone::clone)?,
            )?;
        }
        Ok(())
    }

    /// Spoils a stored body: it reads as damaged from now on.
    pub fn damage(&self, position: Position) {
        if let Some(stored) = self.kept.lock().records.get_mut(&position) {
            stored.body = Err(ReadError::Damaged {
                file: "memory".to_owned(),
                offset: u64::from(position.offset()),
                what: "damaged by a test".to_owned(),
            });
        }
    }
}

/// A log in memory. It commits at once, in the call, until a test holds it.
pub struct MemoryLog {
    store: MemoryStore,
    shards: u16,
    sink: Arc<dyn EventSink>,
    turn: Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    held: bool,
    waiting: Vec<(ShardId, AppendBatch)>,
    state: LogState,
    shut_down: bool,
    checkpoints: u64,
    making: Option<Making>,
    make_another: bool,
    references: i64,
    stats: LogStats,
}

struct Making {
    id: u64,
    position: Position,
    parts: Vec<Option<Vec<u8>>>,
    /// Those at the position, without what shards released before they answered.
    references: i64,
}

impl MemoryLog {
    /// Commits nothing until [`Self::commit`].
    pub fn hold(&self) {
        self.turn.lock().held = true;
    }

    /// Commits what waits, and from now on at once again.
    pub fn commit(&self) {
        let turn = &mut *self.turn.lock();
        turn.held = false;
        for (from, batch) in std::mem::take(&mut turn.waiting) {
            self.store_batch(turn, from, batch);
        }
    }

    /// Makes the disk full, or fail, or well again, and tells the shards.
    pub fn set_state(&self, state: LogState) {
        let turn = &mut *self.turn.lock();
        turn.state = state.clone();
        for shard in ShardSet::first(self.shards).iter() {
            self.sink.deliver(shard, LogEvent::State(state.clone()));
        }
    }

    /// References that recovery found to be dropped.
    pub fn release_recovered(&self, released: &[(u32, u32)]) {
        let released = released.iter().map(|(_, count)| i64::from(*count)).sum::<i64>();
        self.turn.lock().references -= released;
    }

    /// References that hold bodies; below zero if some were dropped twice.
    #[must_use]
    pub fn references(&self) -> i64 {
        self.turn.lock().references
    }

    fn store_batch(&self, turn: &mut Turn, from: ShardId, mut batch: AppendBatch) {
        let failed = match &turn.state {
            LogState::Writable => None,
            LogState::Full => Some((batch.keep_small(), AppendError::Full)),
            LogState::Failed { reason } => {
                let batch = std::mem::take(&mut batch);
                Some((batch.into_failed(), AppendError::Failed { reason: reason.clone() }))
            }
        };
        self.commit_batch(turn, from, batch);
        if let Some((records, error)) = failed.filter(|(records, _)| !records.is_empty()) {
            turn.stats.failed_records_total += records.len() as u64;
            self.sink.deliver(from, LogEvent::Failed { records, error });
        }
    }

    fn commit_batch(&self, turn: &mut Turn, from: ShardId, batch: AppendBatch) {
        if batch.is_empty() {
            return;
        }
        let kept = &mut *self.store.kept.lock();
        let mut told: Vec<Vec<CommittedRecord>> = vec![Vec::new(); usize::from(self.shards)];
        let (buffer, records) = batch.into_parts();
        let buffer = Bytes::from(buffer);
        turn.stats.groups_total += 1;
        turn.stats.appended_bytes_total += buffer.len() as u64;
        for record in records {
            let body = buffer.slice(record.body_start()..record.body_start() + record.body_bytes);
            let position = Position::new(1, kept.next_offset);
            kept.next_offset += 8;
            let stored = Stored {
                kind: record.kind,
                partition: record.partition,
                references: record.references,
                body: Ok(body.clone()),
            };
            kept.records.insert(position, stored);
            turn.references += i64::from(record.references);
            turn.stats.appended_records_total += 1;
            let committed =
                CommittedRecord { kind: record.kind, position, body, from, token: record.token };
            for shard in record.notify.iter() {
                if let Some(told) = told.get_mut(usize::from(shard.0)) {
                    told.push(committed.clone());
                }
            }
        }
        for (shard, records) in
            (0..).map(ShardId).zip(told).filter(|(_, records)| !records.is_empty())
        {
            self.sink.deliver(shard, LogEvent::Committed(records));
        }
    }

    fn begin_checkpoint(&self, turn: &mut Turn) {
        if turn.making.is_some() {
            turn.make_another = true;
            return;
        }
        turn.checkpoints += 1;
        let (id, position) =
            (turn.checkpoints, Position::new(1, self.store.kept.lock().next_offset));
        let parts = vec![None; usize::from(self.shards)];
        turn.making = Some(Making { id, position, parts, references: turn.references });
        for shard in ShardSet::first(self.shards).iter() {
            self.sink.deliver(shard, LogEvent::CheckpointRequested { id, position });
        }
    }
}

impl Log for MemoryLog {
    fn append(&self, from: ShardId, batch: AppendBatch) {
        let turn = &mut *self.turn.lock();
        if batch.is_empty() {
        } else if turn.shut_down {
            let records = batch.into_failed();
            self.sink.deliver(from, LogEvent::Failed { records, error: AppendError::ShutDown });
        } else if turn.held {
            turn.waiting.push((from, batch));
        } else {
            self.store_batch(turn, from, batch);
        }
    }

    fn backlog_bytes(&self) -> u64 {
        self.turn.lock().waiting.iter().map(|(_, batch)| batch.bytes() as u64).sum()
    }

    fn read(&self, shard: ShardId, token: u64, positions: Vec<Position>) {
        let turn = &mut *self.turn.lock();
        let kept = self.store.kept.lock();
        let read = |position| match kept.records.get(&position) {
            _ if turn.shut_down => Err(ReadError::ShutDown),
            Some(stored) => stored.body.clone(),
            None => Err(ReadError::NotFound { position }),
        };
        let records = positions.into_iter().map(read).collect::<Vec<_>>();
        turn.stats.read_records_total += records.len() as u64;
        self.sink.deliver(shard, LogEvent::Read { token, records });
    }

    fn release(&self, shard: ShardId, released: &[(u32, u32)]) {
        let turn = &mut *self.turn.lock();
        let released = released.iter().map(|(_, count)| i64::from(*count)).sum::<i64>();
        turn.references -= released;
        if let Some(making) = &mut turn.making
            && let Some(None) = making.parts.get(usize::from(shard.0))
        {
            making.references -= released;
        }
    }

    fn checkpoint_part(&self, shard: ShardId, id: u64, part: CheckpointPart) {
        let part = part();
        let turn = &mut *self.turn.lock();
        let Some(making) = turn.making.as_mut().filter(|making| making.id == id) else { return };
        if let Some(place) = making.parts.get_mut(usize::from(shard.0)) {
            *place = Some(part);
        }
        let Some(parts) = making.parts.iter().cloned().collect::<Option<Vec<_>>>() else { return };
        let (position, references) = (making.position, making.references);
        {
            let mut kept = self.store.kept.lock();
            kept.checkpoint = Some(CheckpointParts { position, parts });
            kept.references = references;
        }
        turn.stats.checkpoints_total += 1;
        turn.making = None;
        if std::mem::take(&mut turn.make_another) {
            self.begin_checkpoint(turn);
        }
    }

    fn request_checkpoint(&self) {
        let turn = &mut *self.turn.lock();
        if !turn.shut_down {
            self.begin_checkpoint(turn);
        }
    }

    fn state(&self) -> LogState {
        self.turn.lock().state.clone()
    }

    fn stats(&self) -> LogStats {
        let turn = self.turn.lock();
        let kept = self.store.kept.lock();
        LogStats {
            segments: 1,
            live_references: u64::try_from(turn.references).unwrap_or(0),
            checkpoint: kept.checkpoint.as_ref().map(|checkpoint| checkpoint.position),
            ..turn.stats
        }
    }

    fn shutdown(&self) {
        self.commit();
        self.turn.lock().shut_down = true;
    }
}

#[cfg(test)]
mod tests;
