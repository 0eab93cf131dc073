//! Looking at messages without changing anything.

use stdx::UnixMillis;

use super::Queue;
use crate::{Key, Offset, StoredAt};
use message_index::NEVER;

/// Where a message that is still here stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MessageState {
    /// It waits for a consumer.
    Ready,
    /// A consumer has it.
    InFlight,
    /// It waits before it is tried again, or for the first time.
    Delayed,
    /// It was settled, and is kept for a while.
    Settled,
}

/// A message as an operator sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peeked {
    /// Its place in the queue.
    pub offset: Offset,
    /// Where it stands.
    pub state: MessageState,
    /// Deliveries that counted, the one under way not among them. 0 for a settled one.
    pub attempts: u32,
    /// Where its body is.
    pub at: StoredAt,
    /// Its bytes, as limits count them.
    pub size: u32,
    /// When it was stored.
    pub stored: UnixMillis,
    /// Its key, if the queue keeps keys.
    pub key: Key,
    /// When its own time runs out.
    pub expires: Option<UnixMillis>,
    /// Until when it was, or is, held back.
    pub not_before: Option<UnixMillis>,
}

impl Queue {
    /// The messages that are here, or settled and kept, from an offset on, in order.
    pub fn peek(&self, from: Offset) -> impl Iterator<Item = Peeked> {
        let next = |from: Offset| {
            let found = [self.index.first_from(from), self.index.first_kept(from)];
            found.into_iter().flatten().min()
        };
        let offsets = std::iter::successors(next(from), move |after| next(after.next()));
        offsets.filter_map(|offset| self.look_at(offset))
    }

    fn look_at(&self, offset: Offset) -> Option<Peeked> {
        let entry = self.index.get(offset).or_else(|| self.index.get_kept(offset))?;
        let state = self.state(offset)?;
        Some(Peeked {
            offset,
            state,
            attempts: if state == MessageState::Settled { 0 } else { self.attempts(offset) },
            at: entry.at,
            size: entry.size,
            stored: entry.stored,
            key: entry.key,
            expires: (entry.expires != NEVER).then_some(entry.expires),
            not_before: entry.is_held_back().then_some(entry.not_before),
        })
    }

    /// The first offset from which on messages were stored at that time or later, as far as their times are in order.
    #[must_use]
    pub fn offset_at(&self, time: UnixMillis) -> Offset {
        let from = message_index::first_of(self.index.chunk_at(time));
        let found = self.peek(from).find(|message| message.stored >= time);
        found.map_or(self.index.next(), |message| message.offset)
    }

    /// Whether a message waits that was never dispatched since the start.
    #[must_use]
    pub fn has_fresh(&self) -> bool {
        self.index.first_unplaced(self.fresh).is_some()
    }

    /// Appends the next messages that were never dispatched, in order, at most `max` of those after `after`.
    pub fn upcoming(&self, after: Option<Offset>, max: usize, out: &mut Vec<(Offset, StoredAt)>) {
        let from = after.map_or(self.fresh, |after| self.fresh.max(after.next()));
        let next = |after: &Offset| self.index.first_unplaced(after.next());
        let offsets = std::iter::successors(self.index.first_unplaced(from), next);
        let bodies = offsets.filter_map(|offset| Some((offset, self.index.body(offset)?)));
        out.extend(bodies.take(max));
    }

    /// All messages that are still here, in order.
    pub fn stored(&self) -> impl Iterator<Item = (Offset, StoredAt)> {
        self.index.iter_from(Offset(0)).map(|(offset, entry)| (offset, entry.at))
    }

    /// All messages that were settled and are kept, in order. Their bodies are needed as those of [`Queue::stored`] are.
    pub fn kept(&self) -> impl Iterator<Item = (Offset, StoredAt)> {
        self.index.kept_from(Offset(0))
    }

    /// The body of a message that is still here, or kept, lies elsewhere from now on, and in a replay. Gives where it was;
    /// none when nobody needs it.
    pub fn relocate(&mut self, offset: Offset, to: StoredAt) -> Option<StoredAt> {
        self.index.relocate(offset, to)
    }

    /// Bodies of a part of the messages that are here or kept, from that one on: offset, place, size. And where to go on.
    #[must_use]
    pub fn bodies(&self, from: Offset) -> (Vec<(Offset, StoredAt, u32)>, Option<Offset>) {
        self.index.bodies_from(from)
    }

    /// Where a message stands; none when it has left or never came.
    #[must_use]
    pub fn state(&self, offset: Offset) -> Option<MessageState> {
        if !self.index.contains(offset) {
            return self.index.is_kept(offset).then_some(MessageState::Settled);
        }
        if self.is_fresh(offset) {
            return Some(MessageState::Ready);
        }
        if self.leases.get(offset).is_some() {
            return Some(MessageState::InFlight);
        }
        let is_ready = self.barred.ready().contains(&offset) || self.waiting_turn(offset).is_some();
        Some(if is_ready { MessageState::Ready } else { MessageState::Delayed })
    }

    /// Deliveries of a message that counted, the one under way not among them.
    #[must_use]
    pub fn attempts(&self, offset: Offset) -> u32 {
        self.leases.get(offset).map_or_else(|| self.attempts.get(offset), |lease| lease.attempts)
    }

    /// Until when a message waits before it is tried again; none when it does not, or the wall clock was never told.
    #[must_use]
    pub fn waits_until(&self, offset: Offset) -> Option<UnixMillis> {
        self.delayed.until(offset, &self.clock)
    }

    /// Where the body of a message is that is still here, or kept.
    #[must_use]
    pub fn body(&self, offset: Offset) -> Option<StoredAt> {
        self.index.body(offset).or_else(|| self.index.get_kept(offset).map(|entry| entry.at))
    }

    /// Where the body of a message is that is still here, its size, and when it was stored.
    #[must_use]
    pub fn message(&self, offset: Offset) -> Option<(StoredAt, u32, UnixMillis)> {
        self.index.get(offset).map(|entry| (entry.at, entry.size, entry.stored))
    }
}
