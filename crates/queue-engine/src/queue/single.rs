//! Handing out to one consumer: the one that attached first. The next takes over when it goes, says that it is busy, or lets a
//! lease run out.
//!
//! Two never have messages at the same time: whoever takes over gets its first message when the other has none left. A
//! message that is too large for the first in line goes to the first one that takes it, by the same rule.
//!
//! With one message in flight at most, the queue's order is kept: while one waits for its next try, nothing overtakes it.

use stdx::Instant;

use super::Queue;
use crate::consumers::ConsumerSlot;
use crate::keys::RETURNED;
use crate::{Action, Offset};

impl Queue {
    /// Hands out what is ready in order, as far as whose turn it is has credit.
    pub(super) fn dispatch_single(&mut self, actions: &mut Vec<Action>) {
        self.entered.clear();
        self.unplaced.clear();
        while self.awaited_retry().is_none()
            && let Some((offset, is_fresh)) = self.next_for_single()
        {
            let Some(slot) = self.whose_turn(offset) else { return };
            let consumer = self.consumers.get(slot);
            if !consumer.is_available || consumer.in_flight as usize != self.leases.len() {
                return;
            }
            if self.barred.ready().contains(&offset) {
                self.set_barred_ready(offset, false);
            } else {
                self.take_next(offset, is_fresh);
            }
            self.deliver(offset, slot, actions);
        }
    }

    /// The message that nothing may overtake, and when it is tried again.
    pub(super) fn awaited_retry(&self) -> Option<(Instant, Offset)> {
        let keeps_order = self.is_single() && self.config.max_inflight <= 1;
        self.delayed.first().filter(|_| keeps_order)
    }

    /// The next message in order, and whether it is fresh.
    fn next_for_single(&mut self) -> Option<(Offset, bool)> {
        match self.first_set_aside() {
            Some(offset) => Some((offset, false)),
            None => self.next_fresh().map(|offset| (offset, true)),
        }
    }

    fn first_set_aside(&self) -> Option<Offset> {
        let returned = self.returned.first().copied();
        let barred = self.barred.ready().first().map(|at| (RETURNED, *at));
        [returned, barred].into_iter().flatten().min().map(|(_, offset)| offset)
    }

    /// The message that comes next, and who is to get it.
    pub(super) fn next_and_active(&self) -> Option<(Offset, ConsumerSlot)> {
        let next = self.first_set_aside().or_else(|| self.index.first_unplaced(self.fresh))?;
        Some((next, self.whose_turn(next)?))
    }

    /// The first in line that may have a message.
    fn whose_turn(&self, offset: Offset) -> Option<ConsumerSlot> {
        self.consumers.in_line().find(|slot| self.may_have(offset, *slot))
    }
}
