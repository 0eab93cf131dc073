//! How messages leave.

use super::Queue;
use crate::{Action, DeadReason, Departure, Key, Offset};
use message_index::{Entry, Removed};

impl Queue {
    /// Takes out a message that is in no place any more.
    pub(super) fn leave(&mut self, offset: Offset, departure: Departure) -> Entry {
        self.barred.forget(offset);
        self.counts.count(departure);
        let removed = self.index.remove(offset).expect("a message leaves once");
        self.has_left(offset, &removed);
        removed.entry
    }

    /// Forgets what is known of a message beside the index.
    pub(super) fn has_left(&mut self, offset: Offset, removed: &Removed) {
        if let Some(chunk) = removed.freed {
            self.expiry.forget(chunk);
            self.kept_until.forget(chunk);
            self.kept_since.remove(&chunk);
        }
        self.stale.remove(offset);
        self.is_newest_no_more(offset, removed.entry.key);
    }

    pub(super) fn is_newest_no_more(&mut self, offset: Offset, key: Key) {
        if self.config.last_value {
            self.newest.remove(key, offset);
        }
    }

    pub(super) fn dead_letter(
        &mut self,
        offset: Offset,
        reason: DeadReason,
        attempts: u32,
        actions: &mut Vec<Action>,
    ) {
        let at = self.leave(offset, Departure::DeadLettered).at;
        actions.push(Action::DeadLetter { offset, at, reason, attempts });
    }

    /// The time of a message that is in no place ran out.
    pub(super) fn expired(&mut self, offset: Offset, attempts: u32, actions: &mut Vec<Action>) {
        if self.config.dead_letter_expired {
            return self.dead_letter(offset, DeadReason::Expired, attempts, actions);
        }
        let at = self.leave(offset, Departure::Expired).at;
        actions.push(Action::Expired { offset, at });
    }

    /// A message that is in no place is one too many.
    pub(super) fn dropped(&mut self, offset: Offset, attempts: u32, actions: &mut Vec<Action>) {
        if self.config.dead_letter_dropped {
            return self.dead_letter(offset, DeadReason::Dropped, attempts, actions);
        }
        let at = self.leave(offset, Departure::Dropped).at;
        actions.push(Action::Dropped { offset, at });
    }

    /// A message that is in no place was accepted, or is settled elsewhere.
    pub(super) fn accepted(&mut self, offset: Offset, actions: &mut Vec<Action>) {
        if self.config.keep_settled.is_zero() {
            let at = self.leave(offset, Departure::Settled).at;
            actions.push(Action::Settled { offset, at });
        } else {
            let at = self.keep(offset).at;
            actions.push(Action::Kept { offset, at });
        }
    }
}
