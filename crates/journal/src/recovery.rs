//! The broker's state as the log tells it: a checkpoint, and the records after it.

mod holes;
mod retained;
mod sessions;
mod streams;

use std::collections::BTreeMap;

use log_api::{CheckpointParts, Position, RecordKind, VisitError};
use mqtt_router::{RetainedIndex, SinkId};
use mqtt_session::Gone;
use mqtt_types::Message;
use queue_engine::{Departure, Offset, Queue, StoredAt};
use stdx::UnixMillis;
use stream_engine::ReaderName;

use crate::checkpoint::{StoredPart, StoredQueue, held_in};
use crate::ids::SessionNumber;
use crate::queue::Durability;
use crate::record::{
    DefinitionRecord, Delayed, KeptLease, Leaving, Lying, Moved, PublishRecord, RecordError,
    Relocated, SessionEvent, SessionRecord, SettleRecord, StoredSession, StreamRecord,
    decode_delayed_done, decode_deleted,
};
use crate::retained::Entry;
use holes::Holes;
use retained::Retained;
use sessions::Sessions;
use streams::Streams;

pub use streams::RecoveredStream;

/// A queue on its way back.
pub struct RecoveredQueue {
    /// What the queue is.
    pub definition: DefinitionRecord,
    /// Its engine, as the log left it.
    pub engine: Queue,
    /// Messages that the engine has given up and that have not been stored as dead letters.
    pub leaving: BTreeMap<Offset, Leaving>,
    /// What was in memory alone and is dropped with this start. The log does not say so yet.
    pub lost: Vec<Offset>,
}

impl RecoveredQueue {
    /// A consumer accepted a message. Gives where its body is, if nobody needs that any more.
    fn settled(&mut self, offset: Offset) -> Option<StoredAt> {
        if self.definition.properties.config.keep_settled.is_zero() {
            return self.engine.replay_left(offset, Departure::Settled);
        }
        self.engine.replay_kept(offset);
        None
    }
}

/// Takes a checkpoint and replays records over it.
#[derive(Default)]
pub struct Recovery {
    queues: BTreeMap<SinkId, RecoveredQueue>,
    streams: Streams,
    next_sink: u32,
    sessions: Sessions,
    retained: Retained,
    /// When each delayed message is due, and where it lies.
    delayed: BTreeMap<u64, (u64, Lying)>,
    /// The highest number of a delayed message.
    newest_delayed: u64,
    /// The newest moment that a record tells of.
    newest: UnixMillis,
    /// Behind the newest record.
    end: Position,
    released: Releases,
    holes: Holes,
    /// Messages for queues that are not known: deleted ones, or such whose definition is lost.
    orphans: u64,
}

/// What a broker starts with.
pub struct Recovered {
    /// The queues that were not deleted.
    pub queues: Vec<RecoveredQueue>,
    /// The streams that were not deleted.
    pub streams: Vec<RecoveredStream>,
    /// The number of the next queue or stream.
    pub next_sink: u32,
    /// The durable sessions that have not ended.
    pub sessions: Vec<StoredSession>,
    /// The count of the next durable session's number.
    pub next_session: u64,
    /// Where the retained messages lie.
    pub retained: RetainedIndex<Entry>,
    /// Retained messages that the log does not have: they are to be written.
    pub whole_retained: Vec<Message>,
    /// The messages that are to be published later, and where they lie.
    pub delayed: Vec<(Delayed, Lying)>,
    /// The highest number of a delayed message.
    pub newest_delayed: u64,
    /// The newest moment that the log tells of: it is not earlier now.
    pub newest: UnixMillis,
    /// No record that this knows of lies there or behind it.
    pub end: Position,
    /// No retained message has a newer version, and no replay goes by one.
    pub retained_version: u64,
    /// References that the log must drop: pairs of a segment and a count.
    pub released: Vec<(u32, u32)>,
    /// Bodies that the log must hold: pairs of a segment and a count.
    pub held: Vec<(u32, i32)>,
}

/// What cannot be told because records are lost.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Doubts {
    /// By queue, messages that may have been settled and are delivered again.
    pub queues: BTreeMap<String, u64>,
    /// By client id, the same of durable sessions.
    pub sessions: BTreeMap<String, u64>,
    /// Messages for queues that are not known: deleted ones, or such whose definition is lost.
    pub orphans: u64,
}

/// How much a broker starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecoveredCounts {
    /// Queues.
    pub queues: usize,
    /// Messages waiting in them.
    pub waiting: u64,
    /// Streams.
    pub streams: usize,
    /// Messages kept in them.
    pub kept: u64,
    /// Durable sessions.
    pub sessions: usize,
    /// Retained messages.
    pub retained: usize,
}

impl Recovered {
    /// How much there is.
    #[must_use]
    pub fn counts(&self) -> RecoveredCounts {
        let waiting = |queue: &RecoveredQueue| queue.engine.ledger().waiting();
        RecoveredCounts {
            queues: self.queues.len(),
            waiting: self.queues.iter().map(waiting).sum(),
            streams: self.streams.len(),
            kept: self.streams.iter().map(|stream| stream.engine.ledger().kept).sum(),
            sessions: self.sessions.len(),
            retained: self.retained.len() + self.whole_retained.len(),
        }
    }
}

impl Recovery {
    /// Begins with the newest checkpoint, if there is one.
    ///
    /// # Errors
    /// A part of the checkpoint is not legal.
    pub fn new(checkpoint: Option<&CheckpointParts>) -> Result<Self, RecordError> {
        let end = checkpoint.map_or(Position::START, |checkpoint| checkpoint.position);
        let mut recovery = Self { end, ..Self::default() };
        for part in checkpoint.iter().flat_map(|checkpoint| &checkpoint.parts) {
            let part = StoredPart::decode(part)?;
            recovery.next_sink = recovery.next_sink.max(part.next_sink);
            for StoredQueue { definition, snapshot, leaving } in part.queues {
                let seed = u64::from(definition.sink.0);
                let engine = Queue::restore(definition.properties.config.clone(), seed, snapshot);
                let queue = RecoveredQueue { definition, engine, leaving, lost: Vec::new() };
                recovery.queues.insert(queue.definition.sink, queue);
            }
            part.streams.into_iter().for_each(|stream| recovery.streams.restore(stream));
            let moments = part.sessions.iter().map(|session| session.as_of);
            recovery.newest = moments.fold(recovery.newest, UnixMillis::max);
            recovery.sessions.restore(part.next_session, part.sessions, &mut recovery.released);
            part.holding.iter().for_each(|at| recovery.released.add(*at));
            recovery.retained.restore(part.retained, &mut recovery.released);
            for (delayed, lying) in part.delayed {
                recovery.delay(delayed, lying);
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
        self.end = self.end.max(position.next());
        match kind {
            RecordKind::Publish => self.publish(position, body)?,
            RecordKind::Settle => self.settle(&SettleRecord::decode(body)?),
            RecordKind::QueueDefined => self.define(DefinitionRecord::decode(body)?),
            RecordKind::StreamDefined => {
                let definition = DefinitionRecord::decode(body)?;
                self.next_sink = self.next_sink.max(definition.sink.0 + 1);
                self.streams.define(definition);
            }
            RecordKind::StreamChanged => {
                let record = StreamRecord::decode(body)?;
                let sure = self.holes.sure(record.sink);
                self.streams.change(record, sure, &mut self.released);
            }
            RecordKind::QueueDeleted => {
                let sink = decode_deleted(body)?;
                self.streams.delete(sink, &mut self.released);
                if let Some(queue) = self.queues.remove(&sink) {
                    let leaving = queue.leaving.values().map(|leaving| leaving.at);
                    let here = queue.engine.stored().chain(queue.engine.kept());
                    for at in here.map(|(_, at)| at).chain(leaving) {
                        self.released.add(Position::from_u64(at.0));
                    }
                }
            }
            RecordKind::Attempt => {}
            RecordKind::Delayed => {
                if let Some((_, lying)) = self.delayed.remove(&decode_delayed_done(body)?) {
                    self.released.add(lying.at);
                }
            }
            RecordKind::Session => {
                let record = SessionRecord::decode(body)?;
                if let SessionEvent::Disconnected { at, .. } = &record.event {
                    self.newest = self.newest.max(*at);
                }
                if let SessionEvent::Leased(lease) = &record.event
                    && lease.offset >= self.holes.sure(lease.sink)
                {
                    return Ok(());
                }
                if let SessionEvent::LeaseReceived(lease, reader) = &record.event
                    && lease.offset < self.holes.sure(lease.sink)
                {
                    self.received(record.number, lease, reader.clone());
                }
                self.sessions.apply(record, &mut self.released);
            }
        }
        Ok(())
    }

    /// A session's client has a message of a queue or a stream at QoS 2: there it is settled.
    fn received(&mut self, number: SessionNumber, lease: &KeptLease, reader: Option<ReaderName>) {
        let KeptLease { sink, offset, .. } = *lease;
        if let Some(queue) = self.queues.get_mut(&sink) {
            let gone = queue.settled(offset);
            gone.iter().for_each(|at| self.released.add(Position::from_u64(at.0)));
        } else if let Some(name) = self.streams.name_of(sink)
            && let Some(reader) = reader.or_else(|| self.sessions.reader_of(number, name))
        {
            self.streams.received(sink, reader, offset);
        }
    }

    /// What cannot be told because records are lost. Nothing when none are.
    #[must_use]
    pub fn doubts(&self) -> Doubts {
        if !self.holes.are_there() {
            return Doubts::default();
        }
        let of_queue = |(sink, queue): (&SinkId, &RecoveredQueue)| {
            let sure = self.holes.sure(*sink);
            let unsure = queue.engine.stored().filter(|(offset, _)| *offset >= sure).count() as u64;
            (unsure > 0).then(|| (queue.definition.name.clone(), unsure))
        };
        let queues = self.queues.iter().filter_map(of_queue).collect();
        Doubts { queues, sessions: self.sessions.doubts(), orphans: self.orphans }
    }

    /// Records are lost between those that have been replayed and those that come.
    ///
    /// What a message is called in a queue or an inbox follows from how many came before it. So from here on nothing is
    /// believed that is said of messages which are not known yet: they are delivered again rather than taken for others.
    pub fn lost(&mut self) {
        let queues = self.queues.iter().map(|(sink, queue)| (*sink, queue.engine.next_offset()));
        self.holes.add(queues.chain(self.streams.ends()));
        self.sessions.lost();
    }

    fn publish(&mut self, position: Position, body: &[u8]) -> Result<(), RecordError> {
        let record = PublishRecord::decode(body)?;
        self.newest = self.newest.max(UnixMillis(record.received_at_ms()));
        let more = record.more()?;
        if let Some(relocated) = more.as_ref().and_then(|more| more.relocated) {
            self.relocated(relocated, position);
            return Ok(());
        }
        for sink in record.sinks() {
            let message = record.new_message(position, sink, more.as_ref());
            let is_kept = match self.queues.get_mut(&sink) {
                Some(queue) => queue.engine.replay_enqueue(&message).is_some(),
                None => {
                    let is_known = self.streams.append(sink, &message);
                    self.orphans += u64::from(!is_known);
                    is_known
                }
            };
            if !is_kept {
                self.released.add(position);
            }
        }
        if let Some(more) = more {
            if let Some(moved) = more.moved {
                self.moved(moved);
            }
            let size = record.counted_bytes();
            self.sessions.publish(&more, position, size, &mut self.released);
            if let Some(version) = more.retained {
                self.retained.publish(version, position, &record)?;
            }
            if let Some(delayed) = more.delayed {
                self.delay(delayed, Lying { at: position, size: record.counted_bytes() });
            }
        }
        Ok(())
    }

    /// The body of a message that stays lies elsewhere.
    fn relocated(&mut self, relocated: Relocated, to: Position) {
        let before = match relocated {
            Relocated::Hosted { sink, offset } => self.relocated_in(sink, offset, to),
            Relocated::Delayed(Delayed { number, .. }) => {
                let lying = self.delayed.get_mut(&number);
                lying.map(|(_, lying)| std::mem::replace(&mut lying.at, to))
            }
            Relocated::Kept(number, place) => self.sessions.relocated(number, &place, to),
        };
        // Where it was, or here when it has left meanwhile.
        self.released.add(before.unwrap_or(to));
    }

    fn relocated_in(&mut self, sink: SinkId, offset: Offset, to: Position) -> Option<Position> {
        if offset >= self.holes.sure(sink) {
            return None;
        }
        let at = StoredAt(to.as_u64());
        let before = match self.queues.get_mut(&sink) {
            Some(queue) => queue.engine.relocate(offset, at),
            None => self.streams.relocate(sink, offset, at),
        };
        before.map(|before| Position::from_u64(before.0))
    }

    /// A message has left a queue for another.
    fn moved(&mut self, moved: Moved) {
        if moved.offset >= self.holes.sure(moved.from) {
            return;
        }
        let Some(queue) = self.queues.get_mut(&moved.from) else { return };
        let leaving = queue.leaving.remove(&moved.offset).map(|leaving| leaving.at);
        if let Some(at) = queue.engine.replay_left(moved.offset, moved.how).or(leaving) {
            self.released.add(Position::from_u64(at.0));
        }
    }

    fn delay(&mut self, delayed: Delayed, lying: Lying) {
        self.newest_delayed = self.newest_delayed.max(delayed.number);
        self.delayed.insert(delayed.number, (delayed.due_ms, lying));
    }

    fn settle(&mut self, record: &SettleRecord) {
        let sure = self.holes.sure(record.sink);
        let Some(queue) = self.queues.get_mut(&record.sink) else { return };
        if let Some(to) = record.rewound.filter(|to| *to < sure) {
            queue.engine.replay_rewound(to);
        }
        for (left, ranges) in &record.left {
            for offset in ranges.iter().flat_map(|range| range.start..range.end.min(sure.0)) {
                if let Some(at) = left.replay(Offset(offset), &mut queue.engine) {
                    self.released.add(Position::from_u64(at.0));
                }
            }
        }
        queue.engine.replay_dispatched(record.dispatched_to.min(sure));
        for tried in record.attempts.iter().filter(|tried| tried.offset < sure) {
            queue.engine.replay_attempts(tried.offset, tried.attempts, tried.until);
        }
    }

    fn define(&mut self, definition: DefinitionRecord) {
        self.next_sink = self.next_sink.max(definition.sink.0 + 1);
        match self.queues.get_mut(&definition.sink) {
            Some(queue) => {
                queue.engine.replay_reconfigure(definition.properties.config.clone());
                queue.definition = definition;
            }
            None => {
                let engine =
                    Queue::new(definition.properties.config.clone(), u64::from(definition.sink.0));
                let (leaving, lost) = (BTreeMap::new(), Vec::new());
                let queue = RecoveredQueue { definition, engine, leaving, lost };
                self.queues.insert(queue.definition.sink, queue);
            }
        }
    }

    /// What queues had that keep messages for as long as the process lives is gone with it.
    fn drop_what_was_in_memory(&mut self) {
        let in_memory = |queue: &&mut RecoveredQueue| {
            queue.definition.properties.durability == Durability::Memory
        };
        for queue in self.queues.values_mut().filter(in_memory) {
            queue.lost = queue.engine.stored().map(|(offset, _)| offset).collect();
            for offset in &queue.lost {
                if let Some(at) = queue.engine.replay_left(*offset, Departure::Dropped) {
                    self.released.add(Position::from_u64(at.0));
                }
            }
        }
    }

    /// Ends the replay.
    #[must_use]
    pub fn finish(mut self) -> Recovered {
        self.drop_what_was_in_memory();
        self.queues.values_mut().for_each(|queue| queue.engine.end_replay());
        let streams = self.streams.finish(&mut self.released);
        let (next_session, sessions) = self.sessions.finish(&mut self.released);
        let retained = self.retained.finish();
        let inboxes = sessions.iter().flat_map(|session| held_in(&session.image.inbox));
        let held = inboxes.map(|at| (at.segment(), 1)).chain(retained.held).collect();
        let replays = sessions.iter().flat_map(|session| &session.replays);
        let since = replays.filter_map(|(_, replay)| replay.known_since());
        // A change that a replay goes by may have come to nothing: its number is not given again.
        let retained_version = since.fold(retained.newest, u64::max);
        let delayed = self
            .delayed
            .into_iter()
            .map(|(number, (due_ms, lying))| (Delayed { number, due_ms }, lying))
            .collect();
        Recovered {
            queues: self.queues.into_values().collect(),
            streams,
            next_sink: self.next_sink,
            sessions,
            next_session,
            delayed,
            newest_delayed: self.newest_delayed,
            newest: self.newest,
            end: self.end,
            retained_version,
            held,
            retained: retained.index,
            whole_retained: retained.whole,
            released: self.released.0.into_iter().collect(),
        }
    }
}

/// References to drop, by segment.
#[derive(Default)]
struct Releases(BTreeMap<u32, u32>);

impl Releases {
    /// A message that left an inbox; one that is held is counted by nobody any more.
    fn add_gone(&mut self, gone: Gone) {
        if !gone.is_held {
            self.add(Position::from_u64(gone.at));
        }
    }

    fn add(&mut self, position: Position) {
        *self.0.entry(position.segment()).or_default() += 1;
    }
}
