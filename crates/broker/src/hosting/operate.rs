//! What operators do to a queue or a stream, a bounded part at a time. Whoever calls sees to the rest.

use std::time::Duration;

use log_api::{Position, ShardSet};
use mqtt_router::SinkId;
use mqtt_types::Message;
use queue_engine::{ConsumerId, Input, Key, MessageState, Offset, Peeked, Scope};
use stdx::UnixMillis;
use stream_engine::{ReaderName, ReaderState, Start};

use super::{Hosted, HostedQueue, HostedStream, Hosting};
use crate::mail::{Moved, QueueState};
use crate::operate::{Attached, OFFSETS_MAX, StreamReader};
use crate::terms::key_text;
use crate::turn::Turn;

/// Bodies that are read for one step.
const BODIES_MAX: usize = 256;
/// Bytes of them, but for the one that always has room.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// What a step found: messages whose bodies are to be read, and from where to go on; none when that was all.
pub(crate) struct Found {
    pub(crate) messages: Vec<Peeked>,
    pub(crate) next: Option<Offset>,
}

impl Hosting {
    /// A queue that is hosted here.
    pub(crate) fn hosted(&self, sink: SinkId) -> Option<&HostedQueue> {
        self.queues.get(&sink)
    }

    /// Removes what is meant and waits, and logs it if there was something. Gives how many left.
    pub(crate) fn purge(&mut self, sink: SinkId, scope: Scope, token: u64, turn: &mut Turn) -> u64 {
        let purged = match (self.queues.get_mut(&sink), self.streams.get_mut(&sink)) {
            (Some(queue), _) => {
                let before = queue.engine.ledger().purged;
                queue.handle(Input::Purge { scope, max: usize::MAX }, turn);
                queue.engine.ledger().purged - before
            }
            (None, Some(stream)) => {
                let before = stream.engine.ledger().purged;
                let scope = stream_scope(scope);
                stream.handle(stream_engine::Input::Purge { scope, max: usize::MAX }, turn);
                stream.engine.ledger().purged - before
            }
            (None, None) => return 0,
        };
        if let Some(hosted) = self.hosted_mut(sink).filter(|_| purged > 0) {
            hosted.log_unlogged(ShardSet::single(turn.shard), token, turn);
        }
        self.note(sink);
        purged
    }

    /// Logs what has left a queue or a stream so far. False when there is nothing to be logged.
    pub(crate) fn seal(&mut self, sink: SinkId, token: u64, turn: &mut Turn) -> bool {
        let notify = ShardSet::single(turn.shard);
        if let Some(queue) = self.queues.get_mut(&sink) {
            queue.log(None, notify, token, turn);
            return true;
        }
        let stream = self.streams.get_mut(&sink).filter(|stream| stream.has_unlogged());
        stream.map(|stream| stream.log_unlogged(notify, token, turn)).is_some()
    }

    /// The offset that the next message of a queue or a stream gets; none when it is not here.
    pub(crate) fn end_of(&self, sink: SinkId) -> Option<Offset> {
        let queue = self.queues.get(&sink).map(|queue| queue.engine.next_offset());
        queue.or_else(|| Some(self.streams.get(&sink)?.engine.next_offset()))
    }

    /// The first message from an offset on that is here.
    pub(crate) fn first_here(&self, sink: SinkId, from: Offset) -> Option<Offset> {
        match self.queues.get(&sink) {
            Some(queue) => queue.engine.first_here(from),
            None => self.streams.get(&sink)?.engine.peek(from).next().map(|found| found.offset),
        }
    }

    /// Messages from an offset on that are wanted, as many as may be read at once, and looks at no more than a turn may.
    pub(crate) fn find(
        &self,
        sink: SinkId,
        from: Offset,
        limit: usize,
        wanted: impl Fn(&Peeked) -> bool,
    ) -> Option<Found> {
        Some(match self.queues.get(&sink) {
            Some(queue) => find(queue.engine.peek(from), limit, wanted),
            None => find(self.streams.get(&sink)?.peek(from), limit, wanted),
        })
    }

    /// Where a message stands, and how often it was tried; none when it has left.
    pub(crate) fn state_of(&self, sink: SinkId, offset: Offset) -> Option<(MessageState, u32)> {
        let Some(queue) = self.queues.get(&sink) else {
            let stream = self.streams.get(&sink)?;
            return stream.engine.message(offset).map(|_| (MessageState::Ready, 0));
        };
        let state = queue.engine.state(offset)?;
        // What a settled one had is over: it begins anew when it is wanted again.
        let is_settled = state == MessageState::Settled;
        Some((state, if is_settled { 0 } else { queue.engine.attempts(offset) }))
    }

    /// The text of a message's key, if keys are kept and it can be told.
    pub(crate) fn key_text(&self, sink: SinkId, message: &Message, key: Key) -> Option<String> {
        let (expression, seed) = match self.queues.get(&sink) {
            Some(queue) => {
                (&queue.definition.properties.key_expression, &queue.definition.key_seed)
            }
            None => {
                let definition = &self.streams.get(&sink)?.definition;
                (&definition.properties.key_expression, &definition.key_seed)
            }
        };
        key_text(expression, seed, message, key)
    }

    /// Sets a reader of a stream elsewhere, or forgets it, and logs that. Gives what that has made of it, and whether there
    /// is something to log.
    pub(crate) fn operate_reader(
        &mut self,
        sink: SinkId,
        (reader, to): (ReaderName, Option<Start>),
        token: u64,
        turn: &mut Turn,
    ) -> Option<(Moved, bool)> {
        let stream = self.streams.get_mut(&sink)?;
        let before = stream.before_moving(&reader);
        let input = match to {
            Some(to) => stream_engine::Input::Seek { reader: reader.clone(), to },
            None => stream_engine::Input::Forget(reader.clone()),
        };
        stream.handle(input, turn);
        let to = stream.place(&reader);
        let is_logged = stream.has_unlogged();
        if is_logged {
            stream.log_unlogged(ShardSet::single(turn.shard), token, turn);
        }
        self.note(sink);
        Some((Moved { reader, before, to }, is_logged))
    }

    /// What was done to a reader could not be logged.
    pub(crate) fn take_back(&mut self, sink: SinkId, moved: Moved, turn: &mut Turn) {
        if let Some(stream) = self.streams.get_mut(&sink) {
            stream.take_back(moved, turn);
        }
        self.note(sink);
    }

    /// Makes what is kept from an offset on ready again, and logs it if there was something. Gives how many are back.
    pub(crate) fn rewind(&mut self, sink: SinkId, to: Offset, token: u64, turn: &mut Turn) -> u64 {
        let Some(queue) = self.queues.get_mut(&sink) else { return 0 };
        if queue.engine.first_kept(to).is_none() {
            return 0;
        }
        if queue.has_unlogged() {
            // What was settled before must come before in the log, or a replay would settle again what is ready by then.
            queue.log(None, ShardSet::EMPTY, super::SETTLE_TOKEN, turn);
        }
        let before = queue.engine.ledger().settled;
        queue.handle(Input::Rewind(to), turn);
        let restored = before.saturating_sub(queue.engine.ledger().settled);
        queue.log(Some(to), ShardSet::single(turn.shard), token, turn);
        self.note(sink);
        restored
    }

    /// Lets a queue deliver nothing while it is set elsewhere, or lets it deliver again.
    pub(crate) fn set_seeking(&mut self, sink: SinkId, is_seeking: bool, turn: &mut Turn) {
        let Some(queue) = self.queues.get_mut(&sink) else { return };
        queue.is_seeking = is_seeking;
        let input = if queue.is_held() { Input::Pause } else { Input::Resume };
        queue.handle(input, turn);
        self.note(sink);
    }

    /// Consumers behind that one, in the order of their numbers; and the last of them if there are more.
    pub(crate) fn consumers(
        &self,
        sink: SinkId,
        after: Option<u64>,
        limit: usize,
    ) -> (Vec<Attached>, Option<u64>) {
        let mut attached: Vec<Attached> = if let Some(queue) = self.queues.get(&sink) {
            queue.attached().collect()
        } else if let Some(stream) = self.streams.get(&sink) {
            stream.attached().collect()
        } else {
            return (Vec::new(), None);
        };
        attached.retain(|one| after.is_none_or(|after| one.consumer.0 > after));
        attached.sort_unstable_by_key(|one| one.consumer);
        let is_cut = attached.len() > limit;
        attached.truncate(limit);
        let last = attached.last().map(|one| one.consumer.0);
        (attached, last.filter(|_| is_cut))
    }
}

impl HostedQueue {
    fn attached(&self) -> impl Iterator<Item = Attached> {
        self.consumers.iter().filter_map(|(consumer, at)| {
            let state = self.engine.consumer(*consumer)?;
            Some(Attached {
                consumer: *consumer,
                at: *at,
                in_flight: state.in_flight,
                max_inflight: state.max_inflight,
                is_resting: state.rests_until.is_some(),
            })
        })
    }

    /// Its numbers at this moment.
    pub(crate) fn state(&self, now: UnixMillis) -> QueueState {
        let ledger = self.engine.ledger();
        let milliseconds = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let age = |since: Option<UnixMillis>| since.map_or(0, |at| milliseconds(now.since(at)));
        let retention = self.definition.properties.config.retention;
        let expires = ledger.oldest_stored.filter(|_| !retention.is_zero());
        QueueState {
            ledger,
            rekeying: self.engine.rekeying(),
            oldest_age_ms: age(ledger.oldest_stored),
            lag_ms: age(self.engine.next_since()),
            data_loss_ms: expires.map(|stored| milliseconds((stored + retention).since(now))),
        }
    }

    /// Whether it delivers nothing, for whatever reason of the broker's or the operator's.
    pub(crate) fn is_held(&self) -> bool {
        self.definition.properties.config.paused || self.damaged || self.is_seeking
    }
}

impl HostedStream {
    fn attached(&self) -> impl Iterator<Item = Attached> {
        self.members().filter_map(|(member, at)| {
            let state = self.engine.member(member)?;
            Some(Attached {
                consumer: ConsumerId(member.0),
                at,
                in_flight: state.in_flight,
                max_inflight: state.max_inflight,
                is_resting: state.is_resting,
            })
        })
    }

    fn peek(&self, from: Offset) -> impl Iterator<Item = Peeked> {
        self.engine.peek(from).map(|message| Peeked {
            offset: message.offset,
            state: MessageState::Ready,
            attempts: 0,
            at: message.at,
            size: message.size,
            stored: message.stored,
            key: message.key,
            expires: message.expires,
            not_before: None,
        })
    }

    /// Readers behind that one, in the order of their names; and whether there are more.
    pub(crate) fn readers(
        &self,
        after: Option<&ReaderName>,
        limit: usize,
    ) -> (Vec<StreamReader>, bool) {
        let names = self.engine.reader_names();
        let mut names: Vec<_> = names.filter(|name| Some(*name) > after).collect();
        names.sort_unstable();
        let is_cut = names.len() > limit;
        names.truncate(limit);
        let states = self.engine.readers_of(&names);
        (states.into_iter().map(reader).collect(), is_cut)
    }
}

fn reader(state: ReaderState) -> StreamReader {
    let in_flight = state.members.iter().map(|(_, in_flight)| u64::from(*in_flight));
    StreamReader {
        position: state.progress.position.0,
        lag: state.lag,
        lag_bytes: state.lag_bytes,
        lag_ms: state.lag_ms,
        members: state.members.len() as u64,
        in_flight: in_flight.sum(),
        waiting: state.waiting as u64,
        rejected: state.progress.rejected,
        skipped: state.progress.skipped,
        name: state.name,
    }
}

fn find(
    messages: impl Iterator<Item = Peeked>,
    limit: usize,
    wanted: impl Fn(&Peeked) -> bool,
) -> Found {
    let mut found = Vec::new();
    let mut bytes = 0;
    for (looked, message) in messages.enumerate() {
        let is_full = found.len() >= limit.min(BODIES_MAX)
            || (!found.is_empty() && bytes + u64::from(message.size) > BODY_BYTES_MAX);
        if is_full || looked as u64 >= OFFSETS_MAX {
            return Found { messages: found, next: Some(message.offset) };
        }
        if wanted(&message) {
            bytes += u64::from(message.size);
            found.push(message);
        }
    }
    Found { messages: found, next: None }
}

fn stream_scope(scope: Scope) -> stream_engine::Scope {
    match scope {
        Scope::Range(range) => stream_engine::Scope::Range(range),
        Scope::Key(range, key) => stream_engine::Scope::Key(range, key),
        Scope::Offsets(offsets) => stream_engine::Scope::Offsets(offsets),
    }
}

/// Where the bodies of messages are.
pub(crate) fn positions(messages: &[Peeked]) -> Vec<Position> {
    messages.iter().map(|message| Position::from_u64(message.at.0)).collect()
}
