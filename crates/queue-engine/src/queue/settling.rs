//! How leases end: verdicts, time, consumers that go.

use super::Queue;
use crate::barred::Bar;
use crate::consumers::ConsumerSlot;
use crate::keys::{RETURNED, Turn};
use crate::leases::Lease;
use crate::retry::back_off;
use crate::{Action, ConsumerId, DeadReason, InputError, Offset, Outcome};

impl Queue {
    /// A consumer's verdict.
    pub(super) fn settle(
        &mut self,
        (consumer, offset, attempt): (ConsumerId, Offset, u32),
        outcome: Outcome,
        actions: &mut Vec<Action>,
    ) -> Result<(), InputError> {
        // What is done with or never to come is so whichever delivery says it; to put back is only what was not since.
        let attempt = matches!(outcome, Outcome::Release | Outcome::Busy).then_some(attempt);
        let slot = self.leased_to(consumer, offset, attempt)?;
        match outcome {
            Outcome::Accept => {
                self.end(offset, slot);
                self.accepted(offset, actions);
            }
            Outcome::Expired => {
                let lease = self.end(offset, slot);
                self.expired(offset, lease.attempts, actions);
            }
            Outcome::Reject => {
                let lease = self.end(offset, slot);
                self.dead_letter(
                    offset,
                    DeadReason::Rejected,
                    lease.attempts.saturating_add(1),
                    actions,
                );
            }
            Outcome::Release => {
                let lease = self.end(offset, slot);
                if self.count_attempt(&lease, true, actions) {
                    self.delay(offset, actions);
                }
            }
            Outcome::Busy => {
                let lease = self.end(offset, slot);
                if self.is_single() {
                    self.consumers.stand_back(slot);
                }
                if !self.config.retry_delay.is_zero() {
                    self.consumers.rest(slot, self.now + self.config.retry_delay);
                    self.refresh(slot);
                }
                self.count_attempt(&lease, false, actions);
                self.make_ready((RETURNED, offset), actions);
            }
        }
        Ok(())
    }

    /// A leased message is too large for its consumer.
    pub(super) fn too_large(
        &mut self,
        (consumer, offset, attempt): (ConsumerId, Offset, u32),
        actions: &mut Vec<Action>,
    ) -> Result<(), InputError> {
        let slot = self.leased_to(consumer, offset, Some(attempt))?;
        let lease = self.end(offset, slot);
        self.count_attempt(&lease, false, actions);
        self.barred.bar(offset, slot, Bar::TooLarge);
        self.make_ready((RETURNED, offset), actions);
        Ok(())
    }

    /// A consumer has gone: what it had is ready at once, in order.
    pub(super) fn detach(
        &mut self,
        consumer: ConsumerId,
        written: &[Offset],
        actions: &mut Vec<Action>,
    ) -> Result<(), InputError> {
        let slot = self.consumers.slot(consumer).ok_or(InputError::UnknownConsumer(consumer))?;
        if self.consumers.get(slot).is_available {
            self.dispatcher.leave(slot);
        }
        let mut written = written.to_vec();
        written.sort_unstable();
        let mut back = Vec::new();
        while let Some(offset) =
            self.leases.first_of(self.consumers.get(slot).held).map(|lease| lease.offset)
        {
            let lease = self.end_lease(offset, slot);
            if self.count_attempt(&lease, written.binary_search(&offset).is_ok(), actions) {
                back.push(offset);
            }
        }
        let barred: Vec<Offset> = self.barred.ready().iter().copied().collect();
        barred.iter().for_each(|offset| self.set_barred_ready(*offset, false));
        self.barred.lift_for(slot);
        self.consumers.remove(slot);
        // Its end can lift bars, and can leave nobody that takes a message.
        for offset in barred.into_iter().chain(back) {
            self.make_ready((RETURNED, offset), actions);
        }
        Ok(())
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, actions: &mut Vec<Action>) {
        while let Some(slot) = self.consumers.wake_next(self.now) {
            self.refresh(slot);
        }
        while let Some(offset) = self.delayed.pop_due(self.now) {
            self.hold(offset, false);
            self.make_ready((RETURNED, offset), actions);
        }
        while let Some(lease) =
            self.leases.oldest().copied().filter(|lease| self.has_run_out(lease))
        {
            self.end(lease.offset, lease.consumer);
            if self.is_single() {
                self.consumers.stand_back(lease.consumer);
            }
            if self.count_attempt(&lease, true, actions) {
                if !self.is_single() {
                    self.barred.bar(lease.offset, lease.consumer, Bar::RanOut);
                }
                self.make_ready((RETURNED, lease.offset), actions);
            }
        }
    }

    fn has_run_out(&self, lease: &Lease) -> bool {
        let ack_timeout = self.config.ack_timeout;
        !ack_timeout.is_zero() && lease.granted + ack_timeout <= self.now
    }

    /// The consumer that has the message, by that delivery if one is given.
    fn leased_to(
        &self,
        consumer: ConsumerId,
        offset: Offset,
        attempt: Option<u32>,
    ) -> Result<ConsumerSlot, InputError> {
        let slot = self.consumers.slot(consumer).ok_or(InputError::UnknownConsumer(consumer))?;
        let lease = self.leases.get(offset).filter(|lease| lease.consumer == slot);
        let lease = lease.filter(|lease| attempt.is_none_or(|attempt| attempt == lease.attempt()));
        lease.map(|_| slot).ok_or(InputError::NotLeased { consumer, offset })
    }

    /// Ends a lease and gives its consumer the credit back.
    pub(super) fn end(&mut self, offset: Offset, slot: ConsumerSlot) -> Lease {
        let lease = self.end_lease(offset, slot);
        self.refresh(slot);
        lease
    }

    fn end_lease(&mut self, offset: Offset, slot: ConsumerSlot) -> Lease {
        let consumer = self.consumers.get_mut(slot);
        consumer.in_flight -= 1;
        let lease = self.leases.end(offset, &mut consumer.held).expect("the lease was looked up");
        self.oldest_idle = self.oldest_idle.min(offset);
        if self.config.last_value {
            self.newest.note(self.key(offset));
        }
        if self.is_keyed() && self.keys.ended(self.key(offset)) {
            // Messages of its key that wait for a consumer of their own may go now.
            let ready = self.barred.ready().iter().copied();
            let key = self.key(offset);
            let of_key: Vec<Offset> = ready.filter(|other| self.key(*other) == key).collect();
            self.unplaced.extend(of_key);
        }
        lease
    }

    /// Notes the attempts of a message whose lease has ended. False when it was one too many and the message has left.
    fn count_attempt(&mut self, lease: &Lease, counts: bool, actions: &mut Vec<Action>) -> bool {
        let offset = lease.offset;
        let attempts = lease.attempts.saturating_add(u32::from(counts));
        let attempts_max = self.config.max_attempts;
        if counts && attempts_max != 0 && attempts >= attempts_max {
            self.dead_letter(offset, DeadReason::MaxAttempts, attempts, actions);
            return false;
        }
        self.attempts.set(offset, attempts);
        if attempts > 0 {
            actions.push(Action::Attempted { offset, attempts });
        }
        true
    }

    /// Lets a released message wait for its back-off.
    fn delay(&mut self, offset: Offset, actions: &mut Vec<Action>) {
        if self.is_over(offset, actions) {
            return;
        }
        let delay = back_off(&self.config, self.attempts.get(offset), &mut self.prng);
        if delay.is_zero() || self.has_older_before(offset) {
            self.make_ready((RETURNED, offset), actions);
        } else {
            self.delayed.insert(self.now + delay, offset);
            self.hold(offset, true);
        }
    }

    /// Whether an older message of its key waits, which is to go before it: it was in flight when the keys were made anew.
    fn has_older_before(&self, offset: Offset) -> bool {
        let keeps_order = self.is_keyed() && self.config.key_inflight <= 1;
        keeps_order && self.keys.is_before(self.key(offset), (RETURNED, offset))
    }

    /// Makes a message ready that was not; a dead letter when it is too large for each consumer.
    pub(super) fn make_ready(&mut self, turn: Turn, actions: &mut Vec<Action>) {
        let (_, offset) = turn;
        if self.is_over(offset, actions) {
            return;
        }
        if self.is_barred_from_all(offset) {
            self.barred.lift_ran_out(offset);
            if self.is_barred_from_all(offset) {
                let attempts = self.attempts.take(offset);
                self.dead_letter(offset, DeadReason::TooLarge, attempts, actions);
                return;
            }
        }
        if self.barred.bars(offset).is_some() {
            self.set_barred_ready(offset, true);
            self.unplaced.push(offset);
        } else {
            self.wait(turn);
        }
    }

    fn is_barred_from_all(&self, offset: Offset) -> bool {
        self.barred.bars(offset).is_some_and(|bars| bars.len() == self.consumers.len())
    }
}
