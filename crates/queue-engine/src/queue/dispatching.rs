//! Handing out: which ready message goes to which consumer.

use super::Queue;
use crate::consumers::ConsumerSlot;
use crate::leases::Lease;
use crate::{Action, Offset};

impl Queue {
    /// Hands out what is ready as far as there is credit.
    ///
    /// After it: no ready message is left, or nobody may be chosen, or each ready message has bars for all who may be.
    pub(super) fn dispatch(&mut self, actions: &mut Vec<Action>) {
        if self.config.paused || self.is_rekeying || self.permits.is_withheld() {
            self.entered.clear();
            self.unplaced.clear();
            return;
        }
        if self.is_single() {
            return self.dispatch_single(actions);
        }
        if !self.barred.ready().is_empty() {
            self.place_barred(actions);
        }
        if self.is_keyed() {
            return self.dispatch_keyed(actions);
        }
        self.entered.clear();
        self.unplaced.clear();
        while let Some((offset, is_fresh)) = self.next_ready() {
            let Some(slot) = self.dispatcher.choose(&mut self.prng, |_| true) else { return };
            self.take_next(offset, is_fresh);
            self.deliver(offset, slot, actions);
        }
    }

    /// The next ready message that any consumer may have, and whether it is fresh: those that have a turn come before.
    pub(super) fn next_ready(&mut self) -> Option<(Offset, bool)> {
        if let Some((_, offset)) = self.returned.first() {
            return Some((*offset, false));
        }
        self.next_fresh().map(|offset| (offset, true))
    }

    /// Takes the next ready message, in order to deliver it.
    pub(super) fn take_next(&mut self, offset: Offset, is_fresh: bool) {
        if is_fresh {
            self.fresh = offset.next();
        } else {
            self.returned.pop_first();
        }
    }

    pub(super) fn next_fresh(&mut self) -> Option<Offset> {
        if self.fresh >= self.index.next() {
            return None;
        }
        let found = self.index.first_unplaced(self.fresh);
        // What has left in between stays away: it need not be looked through again.
        self.fresh = found.unwrap_or_else(|| self.index.next());
        found.filter(|offset| self.permits.is_permitted(*offset))
    }

    /// Hands out messages with bars. What was ready before this input has bars for all who could be chosen then, so only
    /// newly ready messages and newly available consumers need a look.
    fn place_barred(&mut self, actions: &mut Vec<Action>) {
        for at in 0..self.unplaced.len() {
            let offset = self.unplaced[at];
            if !self.barred.ready().contains(&offset) {
                continue;
            }
            let key = self.is_keyed().then(|| self.key(offset));
            let bars = self.barred.bars(offset);
            let keys = &self.keys;
            let allowed = |slot| {
                bars.is_none_or(|bars| !bars.has(slot))
                    && key.is_none_or(|key| keys.may_have_held(key, slot))
            };
            if let Some(slot) = self.dispatcher.choose(&mut self.prng, allowed) {
                self.set_barred_ready(offset, false);
                self.deliver(offset, slot, actions);
            }
        }
        for at in 0..self.entered.len() {
            self.place_barred_at(self.entered[at], actions);
        }
    }

    /// Hands a consumer the messages with bars that it may have.
    fn place_barred_at(&mut self, slot: ConsumerSlot, actions: &mut Vec<Action>) {
        while self.may_have_barred(slot) {
            let ready = self.barred.ready().iter().copied();
            let Some(offset) = ready.into_iter().find(|offset| self.may_have(*offset, slot)) else {
                return;
            };
            self.set_barred_ready(offset, false);
            self.deliver(offset, slot, actions);
        }
    }

    /// Whether a consumer may have a message with bars.
    pub(super) fn may_have(&self, offset: Offset, slot: ConsumerSlot) -> bool {
        self.barred.bars(offset).is_none_or(|bars| !bars.has(slot))
            && (!self.is_keyed() || self.keys.may_have_held(self.key(offset), slot))
    }

    /// Whether a consumer has credit and a ready message with bars for others is not barred from it.
    fn may_have_barred(&self, slot: ConsumerSlot) -> bool {
        let consumer = self.consumers.get(slot);
        consumer.is_available && (consumer.barred as usize) < self.barred.ready().len()
    }

    /// Makes a message with bars ready, or not; its consumers know how many are barred from them.
    pub(super) fn set_barred_ready(&mut self, offset: Offset, is_ready: bool) {
        self.barred.set_ready(offset, is_ready);
        self.hold(offset, is_ready);
        let bars = self.barred.bars(offset);
        for slot in bars.into_iter().flat_map(|bars| bars.slots()) {
            let barred = &mut self.consumers.get_mut(slot).barred;
            *barred = if is_ready { *barred + 1 } else { *barred - 1 };
        }
    }

    /// Hands a message that is in no place to a consumer.
    pub(super) fn deliver(
        &mut self,
        offset: Offset,
        slot: ConsumerSlot,
        actions: &mut Vec<Action>,
    ) {
        let at = self.index.body(offset).expect("a ready message is still here");
        let attempts = self.attempts.take(offset);
        if self.is_keyed() {
            self.keys.delivered(self.key(offset), slot);
        }
        if !self.barred.is_empty() {
            self.barred.lift_ran_out(offset);
        }
        if self.config.last_value {
            self.newest.note(self.key(offset));
        }
        let consumer = self.consumers.get_mut(slot);
        consumer.in_flight += 1;
        let lease = Lease { offset, consumer: slot, attempts, granted: self.now };
        self.leases.grant(lease, &mut consumer.held);
        let (consumer, in_flight) = (consumer.id, consumer.in_flight);
        let attempt = lease.attempt();
        self.counts.redelivered += u64::from(attempt > 1);
        actions.push(Action::Deliver { consumer, offset, at, attempt });
        if in_flight < self.credit(slot) {
            self.dispatcher.served(slot, in_flight);
        } else {
            self.dispatcher.leave(slot);
            self.consumers.get_mut(slot).is_available = false;
        }
    }

    pub(super) fn credit(&self, slot: ConsumerSlot) -> u32 {
        self.consumers.get(slot).max_inflight.min(self.config.max_inflight.max(1))
    }

    /// Tells the dispatcher whether a consumer may be chosen, when that has changed.
    pub(super) fn refresh(&mut self, slot: ConsumerSlot) {
        let consumer = self.consumers.get(slot);
        let in_flight = consumer.in_flight;
        let was_available = consumer.is_available;
        let is_available = consumer.rests.is_none() && in_flight < self.credit(slot);
        match (was_available, is_available) {
            (false, true) => {
                self.dispatcher.enter(slot, in_flight);
                self.entered.push(slot);
            }
            (true, false) => self.dispatcher.leave(slot),
            (true, true) => self.dispatcher.relieved(slot, in_flight),
            (false, false) => {}
        }
        self.consumers.get_mut(slot).is_available = is_available;
    }
}
