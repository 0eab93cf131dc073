//! A log in memory that tests can hold, fill up, break and open again. It must not know files.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    AppendBatch, AppendError, CheckpointPart, CheckpointParts, CommittedRecord, EventSink, Log,
    LogEvent, LogState, LogStats, Part, Position, ReadError, RecordKind, SegmentUse, ShardId,
    ShardSet, Visit, VisitError, frame_bytes,
};

/// References by segment; none is kept for 0.
type Counts = BTreeMap<u32, i64>;

/// What a [`MemoryLog`] leaves behind, as a disk would. Clones are the same store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    records: BTreeMap<Position, Stored>,
    next_offset: u32,
    /// After so many records the next segment begins; 0 for never.
    segment_records: u32,
    segment: u32,
    in_segment: u32,
    checkpoint: Option<CheckpointParts>,
    /// References as of the checkpoint, with what its parts hold.
    references: Counts,
    /// The checkpoint before: where it begins, and its references.
    older: Option<(Position, Counts)>,
}

impl Kept {
    /// Where the next record goes.
    fn position(&self) -> Position {
        Position::new(1 + self.segment, self.next_offset)
    }

    fn advance(&mut self) {
        self.next_offset += 8;
        self.in_segment += 1;
        if self.in_segment == self.segment_records {
            (self.segment, self.in_segment) = (self.segment + 1, 0);
        }
    }

    /// Puts a checkpoint in the place of the newest, and lets go what the one before can spare, as a disk does.
    fn stand(&mut self, checkpoint: CheckpointParts, references: Counts) {
        let newest = self.checkpoint.replace(checkpoint);
        let references = std::mem::replace(&mut self.references, references);
        self.older = newest.map(|newest| (newest.position, references));
        let Some((position, references)) = &self.older else { return };
        self.records.retain(|at, _| {
            at.segment() >= position.segment() || references.contains_key(&at.segment())
        });
    }
}

struct Stored {
    kind: RecordKind,
    partition: u16,
    references: u32,
    /// 0 when the body is one piece.
    head_bytes: usize,
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
        let turn = Turn { live: self.references(), ..Turn::default() };
        Arc::new(MemoryLog { store: self.clone(), shards, sink, turn: Mutex::new(turn) })
    }

    /// References as of the checkpoint, and of all records since.
    fn references(&self) -> Counts {
        let kept = self.kept.lock();
        let from =
            kept.checkpoint.as_ref().map_or(Position::START, |checkpoint| checkpoint.position);
        let mut references = kept.references.clone();
        for (at, stored) in kept.records.range(from..) {
            change(&mut references, at.segment(), i64::from(stored.references));
        }
        references
    }

    /// Begins a segment after every so many records. What nobody needs of the segments before goes with checkpoints.
    pub fn roll_after(&self, records: u32) {
        self.kept.lock().segment_records = records;
    }

    /// Segments that have records.
    #[must_use]
    pub fn segments(&self) -> Vec<u32> {
        let mut segments: Vec<u32> =
            self.kept.lock().records.keys().map(|at| at.segment()).collect();
        segments.dedup();
        segments
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
    is_held: bool,
    refuses_next: bool,
    waiting: Vec<(ShardId, AppendBatch)>,
    /// What was asked for and is not answered, while a test holds reads.
    reads: Option<Vec<HeldRead>>,
    state: LogState,
    shut_down: bool,
    checkpoints: u64,
    making: Option<Making>,
    make_another: bool,
    live: Counts,
    held: Counts,
    read_bytes: u64,
    stats: LogStats,
}

struct HeldRead {
    shard: ShardId,
    token: u64,
    positions: Vec<Position>,
    heads_alone: bool,
}

struct Making {
    id: u64,
    position: Position,
    parts: Vec<Option<CheckpointPart>>,
    /// Those at the position, without what shards released before they answered.
    references: Counts,
}

impl MemoryLog {
    /// Commits nothing until [`Self::commit`].
    pub fn hold(&self) {
        self.turn.lock().is_held = true;
    }

    /// Commits what waits, and from now on at once again.
    pub fn commit(&self) {
        let turn = &mut *self.turn.lock();
        turn.is_held = false;
        for (from, batch) in std::mem::take(&mut turn.waiting) {
            self.store_batch(turn, from, batch);
        }
    }

    /// Reads nothing until [`Self::answer_reads`].
    pub fn hold_reads(&self) {
        self.turn.lock().reads.get_or_insert_default();
    }

    /// Reads what was asked for meanwhile, as it is now, and from now on at once again.
    pub fn answer_reads(&self) {
        let held = self.turn.lock().reads.take();
        held.into_iter().flatten().for_each(|read| self.answer(read));
    }

    /// Refuses the next batch whole, as a full disk refuses what does not fit into what is left, and takes what comes then.
    pub fn refuse_next(&self) {
        self.turn.lock().refuses_next = true;
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
        release(&mut self.turn.lock().live, released);
    }

    /// References that hold bodies; below zero if some were dropped twice.
    #[must_use]
    pub fn references(&self) -> i64 {
        self.turn.lock().live.values().sum()
    }

    /// Whether records wait for [`Self::commit`].
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.turn.lock().waiting.is_empty()
    }

    /// Bodies that are held without a reference.
    #[must_use]
    pub fn held(&self) -> i64 {
        self.turn.lock().held.values().sum()
    }

    /// Bytes of all bodies that were read.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.turn.lock().read_bytes
    }

    fn store_batch(&self, turn: &mut Turn, from: ShardId, mut batch: AppendBatch) {
        let refuses = std::mem::take(&mut turn.refuses_next);
        let failed = match &turn.state {
            LogState::Writable | LogState::Full if refuses => {
                Some((std::mem::take(&mut batch).into_failed(), AppendError::Full))
            }
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
            let body = buffer.slice(record.body());
            let position = kept.position();
            kept.advance();
            let stored = Stored {
                kind: record.kind,
                partition: record.partition,
                references: record.references,
                head_bytes: record.head_bytes,
                body: Ok(body.clone()),
            };
            kept.records.insert(position, stored);
            change(&mut turn.live, position.segment(), i64::from(record.references));
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

    fn answer(&self, read: HeldRead) {
        let turn = &mut *self.turn.lock();
        if let Some(held) = &mut turn.reads {
            held.push(read);
            return;
        }
        let HeldRead { shard, token, positions, heads_alone } = read;
        let kept = self.store.kept.lock();
        let part = |stored: &Stored| match stored.head_bytes {
            bytes if heads_alone && bytes > 0 => {
                stored.body.as_ref().map(|body| body.slice(..bytes)).map_err(Clone::clone)
            }
            _ => stored.body.clone(),
        };
        let read = |position| match kept.records.get(&position) {
            _ if turn.shut_down => Err(ReadError::ShutDown),
            Some(stored) => part(stored),
            None => Err(ReadError::NotFound { position }),
        };
        let records = positions.into_iter().map(read).collect::<Vec<_>>();
        turn.stats.read_records_total += records.len() as u64;
        turn.read_bytes += records.iter().flatten().map(|body| body.len() as u64).sum::<u64>();
        self.sink.deliver(shard, LogEvent::Read { token, records });
    }

    fn begin_checkpoint(&self, turn: &mut Turn) {
        if turn.making.is_some() {
            turn.make_another = true;
            return;
        }
        turn.checkpoints += 1;
        let (id, position) = (turn.checkpoints, self.store.kept.lock().position());
        let parts = (0..self.shards).map(|_| None).collect();
        turn.making = Some(Making { id, position, parts, references: turn.live.clone() });
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
        } else if turn.is_held {
            turn.waiting.push((from, batch));
        } else {
            self.store_batch(turn, from, batch);
        }
    }

    fn backlog_bytes(&self) -> u64 {
        self.turn.lock().waiting.iter().map(|(_, batch)| batch.bytes() as u64).sum()
    }

    fn read(&self, shard: ShardId, token: u64, positions: Vec<Position>) {
        self.answer(HeldRead { shard, token, positions, heads_alone: false });
    }

    fn read_heads(&self, shard: ShardId, token: u64, heads: Vec<(Position, u32)>) {
        let positions = heads.into_iter().map(|(position, _)| position).collect();
        self.answer(HeldRead { shard, token, positions, heads_alone: true });
    }

    fn release(&self, shard: ShardId, released: &[(u32, u32)]) {
        let turn = &mut *self.turn.lock();
        release(&mut turn.live, released);
        if let Some(making) = &mut turn.making
            && let Some(None) = making.parts.get(usize::from(shard.0))
        {
            release(&mut making.references, released);
        }
    }

    fn hold_bodies(&self, changes: &[(u32, i32)]) {
        let turn = &mut *self.turn.lock();
        for (segment, more) in changes {
            change(&mut turn.held, *segment, i64::from(*more));
        }
    }

    fn segments(&self) -> Vec<SegmentUse> {
        let turn = self.turn.lock();
        let kept = self.store.kept.lock();
        let writing = kept.position().segment();
        let mut bytes = BTreeMap::<u32, u64>::new();
        for (at, stored) in kept.records.range(..Position::new(writing, 0)) {
            let body = stored.body.as_ref().map_or(0, Bytes::len);
            *bytes.entry(at.segment()).or_default() += frame_bytes(body) as u64;
        }
        let references = |segment| turn.live.get(&segment).copied().unwrap_or_default();
        let of = |(segment, bytes)| SegmentUse {
            segment,
            bytes,
            references: u64::try_from(references(segment)).unwrap_or_default(),
        };
        bytes.into_iter().map(of).collect()
    }

    fn checkpoint_part(&self, shard: ShardId, id: u64, part: CheckpointPart) {
        let turn = &mut *self.turn.lock();
        let Some(making) = turn.making.as_mut().filter(|making| making.id == id) else { return };
        if let Some(place) = making.parts.get_mut(usize::from(shard.0)) {
            *place = Some(part);
        }
        if making.parts.iter().any(Option::is_none) {
            return;
        }
        let Some(making) = turn.making.take() else { return };
        let Making { position, parts, mut references, .. } = making;
        let made = parts.into_iter().flatten().map(|make| {
            let Part { bytes, held } = make();
            for (segment, count) in held {
                change(&mut references, segment, i64::from(count));
            }
            bytes
        });
        let parts = made.collect();
        self.store.kept.lock().stand(CheckpointParts { position, parts }, references);
        turn.stats.checkpoints_total += 1;
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

    /// A test says when there is room.
    fn heard_full(&self, _: ShardId) {}

    fn state(&self) -> LogState {
        self.turn.lock().state.clone()
    }

    fn stats(&self) -> LogStats {
        let turn = self.turn.lock();
        let kept = self.store.kept.lock();
        LogStats {
            segments: 1,
            live_references: turn.live.values().chain(turn.held.values()).sum::<i64>().max(0)
                as u64,
            checkpoint: kept.checkpoint.as_ref().map(|checkpoint| checkpoint.position),
            ..turn.stats
        }
    }

    fn shutdown(&self) {
        self.commit();
        self.turn.lock().shut_down = true;
    }
}

fn release(counts: &mut Counts, released: &[(u32, u32)]) {
    for (segment, count) in released {
        change(counts, *segment, -i64::from(*count));
    }
}

fn change(counts: &mut Counts, segment: u32, by: i64) {
    let count = counts.entry(segment).or_default();
    *count += by;
    if *count == 0 {
        counts.remove(&segment);
    }
}

#[cfg(test)]
mod tests;
