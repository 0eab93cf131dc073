//! What happens as time passes by the wall clock: messages expire, fall due, are forgotten.

use std::time::Duration;

use stdx::UnixMillis;

use super::Queue;
use crate::{Action, Offset};
use message_index::{Entry, NEVER, chunk_of};

impl Queue {
    /// When a message expires.
    pub(super) fn deadline(&self, entry: &Entry) -> UnixMillis {
        entry.expires.min(UnixMillis(entry.stored.0.saturating_add(self.retention_millis)))
    }

    /// Does what is due by the wall clock.
    pub(super) fn time_passes(&mut self, actions: &mut Vec<Action>) {
        let Some(now) = self.clock.at(self.now) else { return };
        if self.expiry.first().is_some_and(|due| due <= now) {
            self.expire(now, actions);
        }
        if !self.held_back.is_empty() {
            self.release_held_back(now, actions);
        }
        if self.kept_until.first().is_some_and(|due| due <= now) {
            self.forget_old(now, actions);
        }
    }

    fn expire(&mut self, now: UnixMillis, actions: &mut Vec<Action>) {
        let mut due = Vec::new();
        while self.expiry.first().is_some_and(|first| first <= now)
            && !self.is_enough(actions)
            && let Some(chunk) = self.expiry.pop_due(now)
        {
            let mut next = NEVER;
            for (offset, entry) in self.index.iter_of(chunk) {
                // One in flight is seen to when it comes back.
                if self.leases.len() > 0 && self.leases.get(offset).is_some() {
                    continue;
                }
                let deadline = self.deadline(&entry);
                if deadline <= now {
                    due.push(offset);
                } else {
                    next = next.min(deadline);
                }
            }
            if next != NEVER {
                self.expiry.note(chunk, next);
            }
            for offset in due.drain(..) {
                let attempts = self.take_out(offset);
                self.expired(offset, attempts, actions);
            }
        }
    }

    /// Whether a message that comes back, and is in no place, has left instead: it was replaced, or its time ran out.
    pub(super) fn is_over(&mut self, offset: Offset, actions: &mut Vec<Action>) -> bool {
        if self.is_replaced(offset) {
            self.attempts.take(offset);
            self.replaced(offset, actions);
            return true;
        }
        let entry = self.index.get(offset).expect("a message that comes back is still here");
        let deadline = self.deadline(&entry);
        if deadline == NEVER {
            return false;
        }
        if self.clock.at(self.now).is_some_and(|now| deadline <= now) {
            let attempts = self.attempts.take(offset);
            self.expired(offset, attempts, actions);
            return true;
        }
        self.expiry.note(chunk_of(offset), deadline);
        false
    }

    /// Finds anew when each chunk has to be looked through.
    pub(super) fn find_deadlines(&mut self) {
        self.expiry.clear();
        self.retention_millis = millis_or_never(self.config.retention);
        for (chunk, stored, expires) in self.index.chunks() {
            let due = expires.min(UnixMillis(stored.0.saturating_add(self.retention_millis)));
            if due != NEVER {
                self.expiry.note(chunk, due);
            }
        }
    }
}

/// A time to live that is zero is none.
pub(super) fn millis_or_never(time: Duration) -> u64 {
    match time {
        Duration::ZERO => NEVER.0,
        time => u64::try_from(time.as_millis()).unwrap_or(NEVER.0),
    }
}
