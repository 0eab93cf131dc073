//! The places that messages wait in, and how they get into them and out of them.

use super::{Queue, STEP_MAX};
use crate::keys::{PASSED_OVER, RETURNED, Turn};
use crate::{Action, DispatchStrategy, Key, Offset};

impl Queue {
    /// Whether messages are handed out by keys, and these are known.
    pub(super) const fn is_keyed(&self) -> bool {
        matches!(self.config.dispatch_strategy, DispatchStrategy::KeyOrdered) && !self.is_rekeying
    }

    pub(super) const fn is_single(&self) -> bool {
        matches!(self.config.dispatch_strategy, DispatchStrategy::SingleActive)
    }

    /// Whether a message that is here is in no place of its own.
    pub(super) fn is_fresh(&self, offset: Offset) -> bool {
        offset >= self.fresh && !self.index.is_placed(offset)
    }

    pub(super) fn key(&self, offset: Offset) -> Key {
        self.index.key(offset).unwrap_or_default()
    }

    /// Puts a message among those that wait.
    pub(super) fn wait(&mut self, turn: Turn) {
        if self.is_keyed() {
            self.keys.wait(self.key(turn.1), turn);
        } else {
            self.returned.insert(turn);
        }
    }

    /// The turn of a message that waits and is not fresh.
    pub(super) fn waiting_turn(&self, offset: Offset) -> Option<Turn> {
        let entry = self.index.get(offset)?;
        let firsts = [RETURNED, due_turn(entry.not_before.0), PASSED_OVER];
        let mut turns = firsts.into_iter().map(|first| (first, offset));
        if self.is_keyed() {
            turns.find(|turn| self.keys.waits(entry.key, *turn))
        } else {
            turns.find(|turn| self.returned.contains(turn))
        }
    }

    /// Takes a message that stays in the index out of its place, and gives up its attempts.
    pub(super) fn take_out(&mut self, offset: Offset) -> u32 {
        if let Some(lease) = self.leases.get(offset) {
            let slot = lease.consumer;
            return self.end(offset, slot).attempts;
        }
        if !self.is_fresh(offset) {
            self.take_out_of_place(offset);
        }
        self.attempts.take(offset)
    }

    fn take_out_of_place(&mut self, offset: Offset) {
        if self.barred.ready().contains(&offset) {
            self.set_barred_ready(offset, false);
        } else if self.delayed.remove(offset) {
            self.hold(offset, false);
        } else if let Some(turn) = self.waiting_turn(offset) {
            if self.is_keyed() {
                self.keys.unwait(self.key(offset), turn);
            } else {
                self.returned.remove(&turn);
            }
        } else if let Some(entry) = self.index.get(offset) {
            self.held_back.remove(&(entry.not_before, offset));
            self.permits.announced.remove(&(entry.not_before, offset));
        }
    }

    /// Lets a message that waits elsewhere block its key, or not any more.
    pub(super) fn hold(&mut self, offset: Offset, is_held: bool) {
        if self.is_keyed() {
            self.keys.hold(self.key(offset), is_held);
        }
    }

    /// All messages that are neither fresh nor in flight, in no order.
    pub(super) fn set_aside(&self) -> impl Iterator<Item = Offset> {
        let waiting = self.returned.iter().copied().chain(self.keys.iter()).map(|(_, at)| at);
        let barred = self.barred.ready().iter().copied();
        let held_back = self.held_back.iter().chain(&self.permits.announced);
        let held_back = held_back.map(|(_, offset)| *offset);
        waiting.chain(barred).chain(self.delayed.iter()).chain(held_back)
    }

    /// Makes messages that were held back ready, as far as it is time.
    pub(super) fn release_held_back(&mut self, now: stdx::UnixMillis, actions: &mut Vec<Action>) {
        let mut released = 0;
        while let Some(&(due, offset)) = self.held_back.first().filter(|(due, _)| *due <= now) {
            if released == STEP_MAX {
                self.has_more = true;
                return;
            }
            released += 1;
            self.held_back.remove(&(due, offset));
            self.fall_due(due, offset, actions);
        }
    }
}

/// Where those that fell due then come among those that wait.
pub(super) const fn due_turn(due: u64) -> u64 {
    if due == RETURNED {
        RETURNED + 1
    } else if due == PASSED_OVER {
        PASSED_OVER - 1
    } else {
        due
    }
}
