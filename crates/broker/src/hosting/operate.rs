//! What operators do to a queue, a bounded part at a time. Whoever calls sees to the rest.

use std::time::Duration;

use log_api::{Position, ShardSet};
use mqtt_router::SinkId;
use queue_engine::{Input, Offset, Peeked, Scope};
use stdx::UnixMillis;

use super::{HostedQueue, Hosting};
use crate::mail::QueueState;
use crate::operate::{Attached, OFFSETS_MAX};
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
        let Some(queue) = self.queues.get_mut(&sink) else { return 0 };
        let before = queue.engine.ledger().purged;
        queue.handle(Input::Purge { scope, max: usize::MAX }, turn);
        let purged = queue.engine.ledger().purged - before;
        if purged > 0 {
            queue.log(None, ShardSet::single(turn.shard), token, turn);
        }
        self.note(sink);
        purged
    }

    /// Logs what has left a queue so far, if only to say that nothing has.
    pub(crate) fn seal(&mut self, sink: SinkId, token: u64, turn: &mut Turn) {
        if let Some(queue) = self.queues.get_mut(&sink) {
            queue.log(None, ShardSet::single(turn.shard), token, turn);
        }
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
        let Some(queue) = self.queues.get(&sink) else { return (Vec::new(), None) };
        let behind = |number: u64| after.is_none_or(|after| number > after);
        let attached = queue.consumers.iter().filter(|(consumer, _)| behind(consumer.0));
        let attached = attached.filter_map(|(consumer, at)| {
            let state = queue.engine.consumer(*consumer)?;
            Some(Attached {
                consumer: *consumer,
                at: *at,
                in_flight: state.in_flight,
                max_inflight: state.max_inflight,
                is_resting: state.rests_until.is_some(),
            })
        });
        let mut attached: Vec<Attached> = attached.collect();
        attached.sort_unstable_by_key(|one| one.consumer);
        let is_cut = attached.len() > limit;
        attached.truncate(limit);
        let last = attached.last().map(|one| one.consumer.0);
        (attached, last.filter(|_| is_cut))
    }
}

impl HostedQueue {
    /// Its numbers at this moment.
    pub(crate) fn state(&self, now: UnixMillis) -> QueueState {
        let ledger = self.engine.ledger();
        let milliseconds = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let age = |since: Option<UnixMillis>| since.map_or(0, |at| milliseconds(now.since(at)));
        let retention = self.definition.properties.config.retention;
        let expires = ledger.oldest_stored.filter(|_| !retention.is_zero());
        QueueState {
            ledger,
            oldest_age_ms: age(ledger.oldest_stored),
            lag_ms: age(self.engine.next_since()),
            data_loss_ms: expires.map(|stored| milliseconds((stored + retention).since(now))),
        }
    }

    /// Whether it delivers nothing, for whatever reason of the broker's or the operator's.
    pub(crate) fn is_held(&self) -> bool {
        self.definition.properties.config.paused || self.damaged || self.is_seeking
    }

    /// Messages from an offset on that are wanted, as many as may be read at once, and looks at no more than a turn
    /// may.
    pub(crate) fn find(
        &self,
        from: Offset,
        limit: usize,
        wanted: impl Fn(&Peeked) -> bool,
    ) -> Found {
        let mut messages = Vec::new();
        let mut bytes = 0;
        for (looked, message) in self.engine.peek(from).enumerate() {
            let is_full = messages.len() >= limit.min(BODIES_MAX)
                || (!messages.is_empty() && bytes + u64::from(message.size) > BODY_BYTES_MAX);
            if is_full || looked as u64 >= OFFSETS_MAX {
                return Found { messages, next: Some(message.offset) };
            }
            if wanted(&message) {
                bytes += u64::from(message.size);
                messages.push(message);
            }
        }
        Found { messages, next: None }
    }
}

/// Where the bodies of messages are.
pub(crate) fn positions(messages: &[Peeked]) -> Vec<Position> {
    messages.iter().map(|message| Position::from_u64(message.at.0)).collect()
}
