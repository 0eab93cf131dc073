//! Deliveries that the log knows of before they are made.

use stdx::UnixMillis;

use super::Queue;
use super::places::due_turn;
use crate::permits::Permitted;
use crate::{Action, InputError, Offset};

impl Queue {
    /// The log knows that this much may have been delivered.
    pub(super) fn permit(
        &mut self,
        to: Option<Offset>,
        tried: &[Offset],
        actions: &mut Vec<Action>,
    ) {
        if let Some(to) = to {
            if self.permits.is_withheld() {
                self.go_on();
            }
            self.permits.permitted = Permitted::To(to);
        }
        let is_all = !self.permits.are_asked_for();
        let mut tried = tried.to_vec();
        tried.sort_unstable();
        let announced = self.permits.announced.iter().copied();
        let known: Vec<_> =
            announced.filter(|(_, offset)| is_all || tried.binary_search(offset).is_ok()).collect();
        for (due, offset) in known {
            self.permits.announced.remove(&(due, offset));
            self.make_ready((due_turn(due.0), offset), actions);
        }
    }

    /// Delivers nothing until there is a permit, as [`Input::Withhold`](crate::Input::Withhold) has it.
    ///
    /// # Errors
    /// The queue has consumers.
    pub fn withhold(&mut self) -> Result<(), InputError> {
        if self.consumers.len() > 0 {
            return Err(InputError::HasConsumers);
        }
        self.permits.permitted = Permitted::Nothing;
        Ok(())
    }

    /// The log is about to be told that what is [`Queue::untried`] may be delivered: so it is told of what falls due from
    /// now on, too.
    pub fn begin_to_permit(&mut self) {
        if self.permits.is_withheld() {
            self.permits.permitted = Permitted::Soon;
        }
    }

    /// A message that was held back falls due. The log says that it was not tried, until it says otherwise.
    pub(super) fn fall_due(&mut self, due: UnixMillis, offset: Offset, actions: &mut Vec<Action>) {
        let is_told_later = self.permits.permitted == Permitted::Nothing;
        if self.attempts.get(offset) > 0 || is_told_later {
            return self.make_ready((due_turn(due.0), offset), actions);
        }
        actions.push(Action::Attempted { offset, attempts: 1, until: None });
        if self.permits.are_asked_for() {
            self.permits.announced.insert((due, offset));
        } else {
            self.make_ready((due_turn(due.0), offset), actions);
        }
    }

    /// Whether a message is here that nobody can have had, though others behind it were dispatched.
    pub(super) fn is_untried(&self, offset: Offset) -> bool {
        let is_held_back =
            |entry: message_index::Entry| self.held_back.contains(&(entry.not_before, offset));
        self.permits.permitted == Permitted::Nothing
            || self.index.get(offset).is_some_and(is_held_back)
    }

    /// What a log is to say of a message that is here: one delivery at least if somebody may have had it.
    #[must_use]
    pub fn attempts_to_say(&self, offset: Offset) -> u32 {
        self.attempts(offset).max(u32::from(!self.is_untried(offset)))
    }

    /// Messages that nobody can have had though they come before [`Queue::dispatched_to`], but for those that are held
    /// back: passed over, or given back without an attempt. In order.
    ///
    /// To be logged, as 0 attempts, with the record after which nothing is delivered; as 1, with the one after which they
    /// may be.
    #[must_use]
    pub fn untried(&self) -> Vec<Offset> {
        let set_aside = self.set_aside().filter(|offset| self.attempts.get(*offset) == 0);
        let said = self.attempts.iter().filter(|(_, attempts)| *attempts == 0);
        let all = set_aside.chain(said.map(|(offset, _)| offset));
        let is_held_back = |offset: &Offset| {
            let entry = self.index.get(*offset);
            entry.is_some_and(|entry| self.held_back.contains(&(entry.not_before, *offset)))
        };
        let mut untried: Vec<Offset> = all.filter(|offset| !is_held_back(offset)).collect();
        untried.sort_unstable();
        untried.dedup();
        untried
    }

    /// Whether something would be delivered if the log knew of it, beside what [`Queue::has_announced`].
    #[must_use]
    pub fn awaits_permit(&self) -> bool {
        let waits = match self.permits.permitted {
            Permitted::Nothing | Permitted::Soon => self.index.len() > self.leases.len() as u64,
            Permitted::To(to) => self.fresh >= to && self.fresh < self.index.next(),
        };
        waits && self.has_somebody()
    }

    /// Whether somebody takes what is next.
    fn has_somebody(&self) -> bool {
        if self.config.paused || self.is_rekeying || self.rules_are_stale || self.has_more {
            return false;
        }
        if self.is_single() {
            let next = self.next_and_active().filter(|_| self.awaited_retry().is_none());
            return next.is_some_and(|(_, slot)| {
                let consumer = self.consumers.get(slot);
                consumer.is_available && consumer.in_flight as usize == self.leases.len()
            });
        }
        let look_ahead = self.config.key_look_ahead.max(1) as usize;
        let is_far = self.is_keyed() && self.keys.waiting() >= look_ahead;
        !is_far && self.consumers.slots().any(|slot| self.consumers.get(slot).is_available)
    }

    /// Whether a message whose time has come waits for the log.
    #[must_use]
    pub fn has_announced(&self) -> bool {
        !self.permits.announced.is_empty()
    }
}
