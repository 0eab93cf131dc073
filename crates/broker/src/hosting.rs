//! The queues and streams that a shard owns: applies what the log commits, answers consumers, writes settlements and
//! checkpoints.
//! It must not know sessions, connections or packets.

mod bodies;
mod explain;
mod granting;
mod granting_readers;
mod hosted;
mod logging;
mod moves;
pub(crate) mod operate;
mod queue;
pub(crate) mod rekey;
mod relocate;
mod reports;
mod reservation;
mod reserving;
mod stream;
mod streams;
mod taking_back;
pub(crate) mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use log_api::{CommittedRecord, Position, ReadError};
use mqtt_router::SinkId;
use queue_engine::{Input, Offset, Queue};
use stdx::{Instant, UnixMillis};

use crate::checkpoint::QueuePart;
use crate::directory::{QueueDefinition, owner_of};
use crate::mail::{Letter, QueueState, ReadRefused};
use crate::record::{MoreTargets, PublishRecord};
use crate::terms::Room;
use crate::turn::Turn;

pub(crate) use hosted::Hosted;
pub(crate) use queue::{HostedQueue, ReadAhead};
use rekey::Rekeying;
pub(crate) use stream::HostedStream;

/// The token of records whose commit nobody waits for.
pub(crate) const NO_TOKEN: u64 = u64::MAX;
/// The token of settle records, whose failure is told from that of a message.
pub(crate) const SETTLE_TOKEN: u64 = u64::MAX - 1;
/// The token of records by which a message leaves one queue for another.
pub(crate) const MOVE_TOKEN: u64 = u64::MAX - 2;
/// The token of records by which a body lies elsewhere.
pub(crate) const RELOCATE_TOKEN: u64 = u64::MAX - 4;
/// The token of reads of bodies that are to lie elsewhere.
pub(crate) const RELOCATE_READ: u64 = 1 << 34;
/// Nobody waits, but if it is not stored the session that is over keeps its message on.
pub(crate) const PASS_TOKEN: u64 = u64::MAX - 3;
/// Tells reads of bodies of dead letters from those for consumers; below it is the queue.
const MOVE_READ: u64 = 1 << 32;
/// Tells reads of bodies of messages that are sent back; below it is the page.
const REDRIVE_READ: u64 = 1 << 33;
/// What the wall clock may differ from what engines derived before they are told.
const CLOCK_DRIFT_MS: u64 = 5;
/// How long it may take to notice that the wall clock was set, when something waits for it.
const CLOCK_LOOK: Duration = Duration::from_secs(60);

/// A shard's queues.
pub(crate) struct Hosting {
    shards: u16,
    ahead: ReadAhead,
    queues: HashMap<SinkId, HostedQueue>,
    streams: HashMap<SinkId, HostedStream>,
    /// Letters to those whose definition has not been applied here yet.
    early: HashMap<SinkId, Vec<Letter>>,
    /// The newest one defined here. Numbers ascend in the log, so what is unknown up to here was deleted.
    newest: Option<SinkId>,
    /// Those with something that waits for a record.
    unlogged: Vec<SinkId>,
    /// Those with something that is to be written before the turn ends.
    urgent: Vec<SinkId>,
    /// Those that something has happened to in this turn.
    touched: Vec<SinkId>,
    /// Queues with messages on their way to the dead letters.
    moving: Vec<SinkId>,
    rekeying: Rekeying,
    /// When the engines were told the time, and what it was.
    told: Option<(Instant, u64)>,
    /// When the wall clock was looked at.
    looked: Instant,
    /// When engines have something to do by themselves: the soonest deadline of each, which is its `timer`.
    deadlines: BTreeSet<(Instant, SinkId)>,
}

impl Hosting {
    pub(crate) fn new(shards: u16, ahead: ReadAhead) -> Self {
        Self {
            shards,
            ahead,
            queues: HashMap::new(),
            streams: HashMap::new(),
            early: HashMap::new(),
            newest: None,
            unlogged: Vec::new(),
            urgent: Vec::new(),
            touched: Vec::new(),
            moving: Vec::new(),
            rekeying: Rekeying::default(),
            told: None,
            looked: Instant::ZERO,
            deadlines: BTreeSet::new(),
        }
    }

    /// Takes a queue in: from recovery, or because its definition was committed.
    pub(crate) fn define(
        &mut self,
        definition: Arc<QueueDefinition>,
        engine: Option<Queue>,
        room: Arc<Room>,
        turn: &mut Turn,
    ) {
        let sink = definition.sink;
        if let Some(queue) = self.queues.get_mut(&sink) {
            queue.reconfigure(definition, turn);
        } else {
            let config = &definition.properties.config;
            let engine = engine.unwrap_or_else(|| Queue::new(config.clone(), u64::from(sink.0)));
            let mut queue = HostedQueue::new(definition, engine, room, self.ahead.clone());
            if self.told.is_some() {
                queue.tell_clock(turn.unix_ms, turn);
            }
            self.queues.insert(sink, queue);
        }
        self.is_there(sink, turn);
    }

    /// Those who were early are served.
    fn is_there(&mut self, sink: SinkId, turn: &mut Turn) {
        self.newest = self.newest.max(Some(sink));
        for letter in self.early.remove(&sink).unwrap_or_default() {
            self.letter(letter, turn);
        }
        self.note(sink);
    }

    /// Lets a queue or a stream go, with all that is in it. Its consumers are told.
    pub(crate) fn delete(&mut self, sink: SinkId, turn: &mut Turn) {
        let Some(queue) = self.queues.remove(&sink) else { return self.delete_stream(sink, turn) };
        if let Some(timer) = queue.marks.timer {
            self.deadlines.remove(&(timer, sink));
        }
        let leaving = queue.moves.leaving().values().map(|leaving| leaving.at);
        let here = queue.engine.stored().chain(queue.engine.kept());
        for at in here.map(|(_, at)| at).chain(leaving) {
            turn.release(Position::from_u64(at.0));
        }
        for (consumer, shard) in queue.consumers {
            turn.mail(shard, Letter::QueueGone { consumer });
        }
    }

    /// Applies a message that the log has committed to the queues and streams here that take it.
    pub(crate) fn apply_publish(
        &mut self,
        record: &CommittedRecord,
        publish: &PublishRecord,
        more: Option<&MoreTargets>,
        turn: &mut Turn,
    ) {
        if let Some(moved) = more.and_then(|more| more.moved) {
            self.moved(moved, turn);
        }
        let mut message = None;
        for sink in publish.sinks() {
            let Some(queue) = self.queues.get_mut(&sink) else {
                if !self.append(sink, (record, publish, more), &mut message, turn)
                    && owner_of(sink, self.shards) == turn.shard
                {
                    // Deleted since the message was routed.
                    turn.release(record.position);
                }
                continue;
            };
            let new = publish.new_message(record.position, sink, more);
            let is_wanted = !queue.consumers.is_empty();
            if is_wanted && message.is_none() {
                message = publish.message().ok();
            }
            queue.enqueue(new, message.as_ref().filter(|_| is_wanted), turn);
            self.note(sink);
        }
    }

    /// Serves a letter to a queue or a stream.
    pub(crate) fn letter(&mut self, letter: Letter, turn: &mut Turn) {
        let sink = match &letter {
            Letter::Attach { sink, .. }
            | Letter::AreThere { sink, .. }
            | Letter::Detach { sink, .. }
            | Letter::Settle { sink, .. }
            | Letter::TooLarge { sink, .. }
            | Letter::Read { sink, .. }
            | Letter::SeekReader { sink, .. }
            | Letter::PutBack { sink, .. } => *sink,
            _ => return,
        };
        let Some(queue) = self.queues.get_mut(&sink) else {
            match self.streams.get_mut(&sink) {
                Some(stream) => stream.letter(letter, turn),
                None => self.letter_to_unknown(sink, letter, turn),
            }
            return self.note(sink);
        };
        match letter {
            Letter::Attach { consumer, at, max_inflight, .. } => {
                queue.consumers.insert(consumer, at);
                queue.handle(Input::Attach { consumer, max_inflight }, turn);
            }
            Letter::AreThere { consumer, at, mut offsets, .. } => {
                offsets.retain(|offset| queue.engine.message(*offset).is_none());
                if !offsets.is_empty() {
                    turn.mail(at, Letter::Gone { consumer, offsets });
                }
            }
            Letter::Detach { consumer, written, .. } => {
                queue.consumers.remove(&consumer);
                queue.handle(Input::Detach { consumer, written }, turn);
                queue.trim();
            }
            Letter::Settle { consumer, offset, attempt, outcome, .. } => {
                queue.handle(Input::Settle { consumer, offset, attempt, outcome }, turn);
            }
            Letter::TooLarge { consumer, offset, attempt, .. } => {
                queue.handle(Input::TooLarge { consumer, offset, attempt }, turn);
            }
            _ => {}
        }
        self.note(sink);
    }

    /// An attachment can overtake the commit of the definition on its way here, or come after the deletion.
    fn letter_to_unknown(&mut self, sink: SinkId, letter: Letter, turn: &mut Turn) {
        let was_deleted = self.newest.is_some_and(|newest| sink <= newest);
        match letter {
            Letter::Attach { consumer, at, .. } if was_deleted => {
                turn.mail(at, Letter::QueueGone { consumer })
            }
            Letter::Read { consumer, at, asked, .. } if was_deleted => {
                let result = Err(ReadRefused::Deleted);
                turn.mail(at, Letter::Reading { consumer, asked, result });
            }
            Letter::Attach { .. }
            | Letter::Detach { .. }
            | Letter::Read { .. }
            | Letter::SeekReader { .. }
                if !was_deleted =>
            {
                self.early.entry(sink).or_default().push(letter);
            }
            _ => {}
        }
    }

    /// Bodies that a queue or a stream asked for.
    pub(crate) fn read(
        &mut self,
        token: u64,
        records: Vec<Result<Bytes, ReadError>>,
        turn: &mut Turn,
    ) {
        let Ok(sink) = u32::try_from(token).map(SinkId) else { return };
        let name = self.name(sink);
        let Some(hosted) = self.hosted_mut(sink) else { return };
        for record in records {
            if record == Err(ReadError::ShutDown) {
                hosted.not_read();
                continue;
            }
            let body = record.map_err(|error| error.to_string()).and_then(|body| {
                PublishRecord::decode_head(body)
                    .and_then(|record| record.message())
                    .map_err(|error| error.to_string())
            });
            match body {
                Ok(message) => hosted.read(message, turn),
                Err(error) => {
                    if hosted.not_whole(turn) {
                        let name = name.as_deref();
                        tracing::error!(name, error, "stopped: a stored message is damaged");
                    }
                }
            }
        }
        hosted.reads_done(turn);
        self.note(sink);
    }

    /// A queue or a stream.
    fn hosted_mut(&mut self, sink: SinkId) -> Option<&mut dyn Hosted> {
        match self.queues.get_mut(&sink) {
            Some(queue) => Some(queue),
            None => self.streams.get_mut(&sink).map(|stream| stream as &mut dyn Hosted),
        }
    }

    fn name(&self, sink: SinkId) -> Option<Arc<str>> {
        let queue = self.queues.get(&sink).map(|queue| &queue.definition.name);
        let name = queue.or_else(|| Some(&self.streams.get(&sink)?.definition.name));
        name.map(Arc::clone)
    }

    /// Something has happened to a queue or a stream: it is looked after before the turn ends.
    fn note(&mut self, sink: SinkId) {
        if let Some(hosted) = self.hosted_mut(sink)
            && !std::mem::replace(&mut hosted.marks().is_touched, true)
        {
            self.touched.push(sink);
        }
    }

    /// Sees to what those have to be called for later that something has happened to: a record, a deadline.
    pub(crate) fn see_to_touched(&mut self) {
        while let Some(sink) = self.touched.pop() {
            self.see_to_one(sink);
        }
    }

    fn see_to_one(&mut self, sink: SinkId) {
        let hosted: &mut dyn Hosted = match self.queues.get_mut(&sink) {
            Some(queue) => {
                if !queue.is_moving && queue.moves.is_waiting() {
                    queue.is_moving = true;
                    self.moving.push(sink);
                }
                queue
            }
            None => match self.streams.get_mut(&sink) {
                Some(stream) => stream,
                None => return,
            },
        };
        let (has_unlogged, deadline) = (hosted.has_unlogged(), hosted.next_deadline());
        if has_unlogged && hosted.is_urgent() {
            self.urgent.push(sink);
        }
        let wants_keys = hosted.wants_keys();
        let marks = hosted.marks();
        marks.is_touched = false;
        let rekeys = wants_keys && !std::mem::replace(&mut marks.is_rekeying, true);
        if !marks.is_listed && has_unlogged {
            marks.is_listed = true;
            self.unlogged.push(sink);
        }
        if let Some(deadline) = deadline
            && marks.timer.is_none_or(|timer| deadline < timer)
        {
            if let Some(later) = marks.timer.replace(deadline) {
                self.deadlines.remove(&(later, sink));
            }
            self.deadlines.insert((deadline, sink));
        }
        if rekeys {
            self.rekey_soon(sink);
        }
    }

    /// The soonest moment at which an engine has something to do by itself.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let (at, _) = self.deadlines.first()?;
        let look = self.looked + CLOCK_LOOK;
        Some(if self.told.is_some() { look.min(*at) } else { *at })
    }

    /// Tells the engines the time, if it is not what they think: before they hear of what came at that time.
    pub(crate) fn tell_clock(&mut self, turn: &mut Turn) {
        if let Some((told, unix_ms)) = self.told {
            let passed_ms = u64::try_from(turn.now.since(told).as_millis()).unwrap_or(u64::MAX);
            let derived = unix_ms.saturating_add(passed_ms);
            if derived.abs_diff(turn.unix_ms) <= CLOCK_DRIFT_MS {
                self.looked = turn.now;
                return;
            }
        }
        self.told = Some((turn.now, turn.unix_ms));
        self.looked = turn.now;
        let sinks: Vec<SinkId> = self.queues.keys().chain(self.streams.keys()).copied().collect();
        for sink in sinks {
            if let Some(hosted) = self.hosted_mut(sink) {
                hosted.tell_clock(turn.unix_ms, turn);
            }
            self.note(sink);
        }
    }

    /// Notes for the log what was in memory alone before a restart: it must not come back when the durability changes.
    pub(crate) fn log_lost(&mut self, sink: SinkId, lost: &[Offset]) {
        if lost.is_empty() {
            return;
        }
        if let Some(queue) = self.queues.get_mut(&sink) {
            queue.log_lost(lost);
        } else if let Some(stream) = self.streams.get_mut(&sink) {
            stream.log_lost(lost);
        }
        self.note(sink);
    }

    pub(crate) fn queue(&mut self, sink: SinkId) -> Option<&mut HostedQueue> {
        self.queues.get_mut(&sink)
    }

    /// Lets the engines do what is due.
    pub(crate) fn tick(&mut self, turn: &mut Turn) {
        while let Some(&(at, sink)) = self.deadlines.first() {
            if at > turn.now {
                return;
            }
            self.deadlines.pop_first();
            let Some(hosted) = self.hosted_mut(sink) else { continue };
            hosted.marks().timer = None;
            hosted.tick(turn);
            self.note(sink);
        }
    }

    /// The token of reads for a page of messages that are sent back.
    pub(crate) const fn redrive_token(page: usize) -> u64 {
        REDRIVE_READ | page as u64
    }

    /// The page whose messages were read, if it was that.
    pub(crate) fn redrive_of(token: u64) -> Option<usize> {
        let page = token.checked_sub(REDRIVE_READ)?;
        u32::try_from(page).ok().map(|page| page as usize)
    }

    /// All queues' numbers.
    pub(crate) fn states(&self, now: UnixMillis) -> Vec<(SinkId, QueueState)> {
        let state = |(sink, queue): (&SinkId, &HostedQueue)| (*sink, queue.state(now));
        self.queues.iter().map(state).collect()
    }

    /// Checks the engines, that accounts balance, and that no more is kept in memory than is waiting.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn check(&self) -> Result<(), String> {
        let queues = self.queues.values().filter(|queue| queue.marks.timer.is_some()).count();
        let streams = self.streams.values().filter(|stream| stream.marks.timer.is_some()).count();
        if self.deadlines.len() != queues + streams {
            return Err(format!("{} deadlines for {queues} + {streams}", self.deadlines.len()));
        }
        self.queues.values().try_for_each(HostedQueue::check)?;
        self.streams.values().try_for_each(HostedStream::check)
    }

    /// Checks that what is taken of rooms is what is there; when nothing is on its way.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn check_rooms(&self) -> Result<(), String> {
        self.queues.values().try_for_each(HostedQueue::check_room)?;
        self.streams.values().try_for_each(HostedStream::check_room)
    }

    /// Bodies in the log that the queues and streams here need.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn references(&self) -> usize {
        let streams: usize = self.streams.values().map(HostedStream::references).sum();
        self.queues.values().map(HostedQueue::references).sum::<usize>() + streams
    }

    /// The account of a queue.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn ledger(&self, sink: SinkId) -> Option<queue_engine::Ledger> {
        self.queues.get(&sink).map(|queue| queue.engine.ledger())
    }

    /// What waits in a queue, or is kept.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn peek(&self, sink: SinkId) -> Vec<queue_engine::Peeked> {
        let queue = self.queues.get(&sink);
        queue.map_or_else(Vec::new, |queue| queue.engine.peek(Offset(0)).collect())
    }

    /// What a checkpoint must keep of the queues here.
    pub(crate) fn parts(&self) -> Vec<QueuePart> {
        let part = |queue: &HostedQueue| QueuePart {
            definition: (*queue.definition).clone(),
            snapshot: queue.engine.snapshot(queue.reserved_to()),
            leaving: queue.moves.leaving().clone(),
        };
        self.queues.values().map(part).collect()
    }
}
