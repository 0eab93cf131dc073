//! Keys that are made anew: of messages that wait when the properties change that their keys follow from.
//!
//! ```text
//! other properties ──▶ all that is here is stale ◀──── one comes with a key of other days
//!                        │
//!                        │ to_rekey: read these ──▶ Rekey: their keys, and so on
//!                        ▼
//!                      none is stale ──▶ turns, newest and older ones are found anew; it goes on
//! ```
//! Meanwhile nothing is delivered and nothing is replaced. All else goes on: messages come, are settled, expire, are purged.

use super::Queue;
use crate::keys::{PASSED_OVER, RETURNED};
use crate::{Action, DeadReason, DispatchStrategy, Key, MadeKey, NewMessage, Offset, QueueConfig};
use message_index::StalePart;

impl Queue {
    /// Messages whose bodies are to be read for their keys next, as many as are of so many bytes together; none when no
    /// message needs a key. What comes of it goes in with [`Input::Rekey`](crate::Input::Rekey).
    #[must_use]
    pub fn to_rekey(&self, bytes_max: u64) -> Option<StalePart> {
        self.stale.part(&self.index, bytes_max)
    }

    /// How many messages that are here wait for their keys to be made anew.
    #[must_use]
    pub fn rekeying(&self) -> u64 {
        self.stale.len(&self.index)
    }

    /// Whether keys are being made anew.
    #[must_use]
    pub const fn is_rekeying(&self) -> bool {
        self.is_rekeying
    }

    /// Whether older messages are replaced, and their keys are known.
    pub(super) const fn is_last_value(&self) -> bool {
        self.config.last_value && !self.is_rekeying
    }

    /// Whether a message comes without the key that this queue wants of it: who sent it knew other properties.
    pub(super) fn has_no_key_here(&self, message: &NewMessage) -> bool {
        // One that was to be given up for want of a key has not even its topic as key.
        let stays_unkeyed = message.is_unkeyed && !self.config.dead_letter_unkeyed;
        let is_old = message.key_generation != self.config.key_generation;
        self.config.needs_keys() && (is_old || stays_unkeyed)
    }

    /// A message has come whose key has to be made.
    pub(super) fn stale_since(&mut self, offset: Offset) {
        self.stale.add(offset);
        if !std::mem::replace(&mut self.is_rekeying, true) {
            self.forget_keys();
            self.find_newest();
        }
    }

    /// Finds out, by other properties, whose keys are to be made anew.
    pub(super) fn find_stale(&mut self, before: &QueueConfig) {
        if self.stale.want(self.config.key_making(), before.key_making(), &self.index) {
            self.unkeyed.clear();
        }
        self.is_rekeying = !self.stale.is_empty();
    }

    /// Takes keys that were made anew.
    pub(super) fn rekey(&mut self, round: u64, made: &[MadeKey], actions: &mut Vec<Action>) {
        if !self.stale.is_done(round, made.iter().map(|made| made.offset)) {
            return;
        }
        let keys: Vec<(Offset, Key)> = made.iter().map(|made| (made.offset, made.key)).collect();
        self.index.rekey(&keys);
        if !self.config.dead_letter_unkeyed {
            return;
        }
        for MadeKey { offset, .. } in made.iter().filter(|made| made.is_unkeyed) {
            if self.is_waiting(*offset) {
                let attempts = self.take_out(*offset);
                self.dead_letter(*offset, DeadReason::Unkeyed, attempts, actions);
            }
        }
    }

    /// If all have the keys that they need, finds anew what follows from keys.
    pub(super) fn end_rekeying(&mut self, actions: &mut Vec<Action>) {
        if !self.is_rekeying || !self.stale.is_through(&self.index) {
            return;
        }
        if matches!(self.config.dispatch_strategy, DispatchStrategy::KeyOrdered) {
            self.line_up(actions);
        }
        self.is_rekeying = false;
        if self.is_keyed() {
            self.go_by_keys();
        }
        self.find_newest();
        self.rules_are_stale = true;
        self.unplaced.extend(self.barred.ready());
    }

    /// Puts what was delivered before, or passed over behind other keys, in the order of offsets: back-offs end.
    fn line_up(&mut self, actions: &mut Vec<Action>) {
        let passed_over = self.returned.split_off(&(PASSED_OVER, Offset(0)));
        self.returned.extend(passed_over.into_iter().map(|(_, offset)| (RETURNED, offset)));
        let delayed: Vec<Offset> = self.delayed.iter().collect();
        for offset in delayed {
            self.delayed.remove(offset);
            self.end_back_off(offset, actions);
        }
    }
}
