//! How leases end: by a verdict, by time, with their consumer. It must not know who gets the message next.

use std::time::Duration;

use stdx::Instant;

use super::Queue;
use crate::action::{Action, DeadReason};
use crate::config::QueueConfig;
use crate::dispatch::Slot;
use crate::ids::{ConsumerId, Offset};
use crate::input::{InputError, Outcome};
use crate::ledger::Departure;
use crate::prng::Prng;

impl Queue {
    /// Ends a lease by its consumer's verdict.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        consumer: ConsumerId,
        offset: Offset,
        outcome: Outcome,
        actions: &mut Vec<Action>,
    ) -> Result<(), InputError> {
        let slot = self.end_lease(consumer, offset)?;
        match outcome {
            Outcome::Accept => {
                let at = self.leave(offset, Departure::Settled);
                actions.extend(at.map(|at| Action::Settled { offset, at }));
            }
            Outcome::Expired => {
                let at = self.leave(offset, Departure::Expired);
                actions.extend(at.map(|at| Action::Expired { offset, at }));
            }
            Outcome::Reject => {
                let attempts = self.attempts_of(offset).saturating_add(1);
                self.dead_letter(offset, DeadReason::Rejected, attempts, actions);
            }
            Outcome::Busy => {
                if !self.config.retry_delay.is_zero() {
                    self.consumers.rest(slot, now + self.config.retry_delay);
                }
                self.make_ready(offset, actions);
            }
            Outcome::Release => {
                let Some(attempts) = self.count_attempt(offset, actions) else { return Ok(()) };
                match retry_delay(&self.config, attempts, &mut self.prng) {
                    Duration::ZERO => self.make_ready(offset, actions),
                    delay => self.backlog.delay(offset, now + delay),
                }
            }
        }
        Ok(())
    }

    /// Ends a lease on a message that its consumer cannot take.
    pub(super) fn too_large(
        &mut self,
        consumer: ConsumerId,
        offset: Offset,
        actions: &mut Vec<Action>,
    ) -> Result<(), InputError> {
        self.end_lease(consumer, offset)?;
        self.backlog.refuse(offset, consumer);
        self.make_ready(offset, actions);
        Ok(())
    }

    /// Takes a consumer out and releases what it had, in order and without back-off.
    pub(super) fn detach(
        &mut self,
        consumer: ConsumerId,
        mut written: Vec<Offset>,
        actions: &mut Vec<Action>,
    ) -> Result<(), InputError> {
        let slot = self.consumers.slot(consumer).ok_or(InputError::UnknownConsumer(consumer))?;
        let mut held: Vec<Offset> = self.leases.of(slot).map(|lease| lease.offset).collect();
        held.sort_unstable();
        written.sort_unstable();
        for &offset in &held {
            self.leases.end(offset, slot);
        }
        self.consumers.detach(slot);
        for offset in self.backlog.forget_consumer(consumer) {
            self.make_ready(offset, actions);
        }
        for offset in held {
            let is_written = written.binary_search(&offset).is_ok();
            if !is_written || self.count_attempt(offset, actions).is_some() {
                self.make_ready(offset, actions);
            }
        }
        Ok(())
    }

    /// Ends what is over: leases, back-offs, rests.
    pub(super) fn tick(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let ack_timeout = self.config.ack_timeout;
        while let Some(lease) = self.leases.oldest()
            && !ack_timeout.is_zero()
            && lease.granted + ack_timeout <= now
        {
            self.leases.end(lease.offset, lease.holder);
            self.consumers.ended(lease.holder);
            if self.count_attempt(lease.offset, actions).is_some() {
                if let Some(consumer) = self.consumers.get(lease.holder) {
                    self.backlog.time_out(lease.offset, consumer.id);
                }
                self.make_ready(lease.offset, actions);
            }
        }
        while let Some(offset) = self.backlog.take_due(now) {
            self.make_ready(offset, actions);
        }
        self.consumers.wake(now);
    }

    fn end_lease(&mut self, consumer: ConsumerId, offset: Offset) -> Result<Slot, InputError> {
        let slot = self.consumers.slot(consumer).ok_or(InputError::UnknownConsumer(consumer))?;
        self.leases.end(offset, slot).ok_or(InputError::NotLeased { consumer, offset })?;
        self.consumers.ended(slot);
        Ok(slot)
    }

    /// Counts an attempt. `None` when it was the last, and the message is dead.
    fn count_attempt(&mut self, offset: Offset, actions: &mut Vec<Action>) -> Option<u32> {
        let attempts = self.attempts_of(offset).saturating_add(1);
        if self.config.max_attempts != 0 && attempts >= self.config.max_attempts {
            self.dead_letter(offset, DeadReason::MaxAttempts, attempts, actions);
            return None;
        }
        self.attempts.insert(offset, attempts);
        actions.push(Action::Attempted { offset, attempts });
        Some(attempts)
    }

    /// The message is ready again, unless nobody attached can take it.
    fn make_ready(&mut self, offset: Offset, actions: &mut Vec<Action>) {
        let attached = self.consumers.len();
        if self.backlog.shunned(offset).is_some_and(|shunned| shunned.is_refused_by_all(attached)) {
            let attempts = self.attempts_of(offset);
            self.dead_letter(offset, DeadReason::TooLarge, attempts, actions);
        } else {
            self.backlog.make_ready(offset);
        }
    }

    fn dead_letter(&mut self, offset: Offset, reason: DeadReason, attempts: u32, actions: &mut Vec<Action>) {
        let at = self.leave(offset, Departure::Dropped);
        actions.extend(at.map(|at| Action::DeadLetter { offset, at, reason, attempts }));
    }
}

/// How long a message waits after so many attempts: doubling, up to the most, ± 20 %.
fn retry_delay(config: &QueueConfig, attempts: u32, prng: &mut Prng) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let delay = config.retry_delay.saturating_mul(1 << doublings).min(config.retry_delay_max);
    let thousandths = 800 + u64::from(prng.below(401));
    let nanoseconds = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos((u128::from(nanoseconds) * u128::from(thousandths) / 1000).try_into().unwrap_or(u64::MAX))
}
