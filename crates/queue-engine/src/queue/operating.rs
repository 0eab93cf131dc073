//! What operators do: purge, seek, redrive.

use super::Queue;
use crate::{Action, Departure, InputError, Offset, Scope};
use message_index::chunk_of;

impl Queue {
    /// Removes messages that are not in flight, as many as are asked for.
    pub(super) fn purge(&mut self, scope: Scope, max: usize, actions: &mut Vec<Action>) {
        let of_range = |range: std::ops::Range<Offset>| {
            let messages = self.index.iter_from(range.start);
            messages.take_while(move |(offset, _)| *offset < range.end)
        };
        let is_idle = |offset: &Offset| self.leases.get(*offset).is_none();
        let purged: Vec<Offset> = match scope {
            Scope::Range(range) => {
                of_range(range).map(|(offset, _)| offset).filter(is_idle).take(max).collect()
            }
            Scope::Key(range, key) => {
                let of_key = of_range(range).filter(|(_, entry)| entry.key == key);
                of_key.map(|(offset, _)| offset).filter(is_idle).take(max).collect()
            }
            Scope::Offsets(offsets) => {
                let idle = offsets.into_iter().filter(|at| self.index.contains(*at) && is_idle(at));
                idle.take(max).collect()
            }
        };
        for offset in purged {
            // An offset may be named twice.
            if self.index.contains(offset) {
                self.take_out(offset);
                let at = self.leave(offset, Departure::Purged).at;
                actions.push(Action::Purged { offset, at });
            }
        }
    }

    /// A waiting message went elsewhere.
    pub(super) fn redriven(
        &mut self,
        offset: Offset,
        actions: &mut Vec<Action>,
    ) -> Result<(), InputError> {
        if !self.index.contains(offset) || self.leases.get(offset).is_some() {
            return Err(InputError::NotWaiting(offset));
        }
        self.take_out(offset);
        // It lives elsewhere now: there is nothing to keep.
        let at = self.leave(offset, Departure::Settled).at;
        actions.push(Action::Settled { offset, at });
        Ok(())
    }

    /// Settled messages are wanted again.
    pub(super) fn rewind(&mut self, to: Offset, actions: &mut Vec<Action>) {
        let dispatched_to = self.dispatched_to();
        let out_of_turn: Vec<Offset> =
            self.index.kept_from(to.max(dispatched_to)).map(|(offset, _)| offset).collect();
        let count = self.take_back(to);
        if count > 0 {
            actions.push(Action::Rewound { to, count });
        }
        for offset in out_of_turn {
            self.attempts.set(offset, 1);
            actions.push(Action::Attempted { offset, attempts: 1, until: None });
        }
    }

    /// Makes what is kept from an offset on ready. It was delivered before, which counts as one attempt.
    pub(super) fn take_back(&mut self, to: Offset) -> u64 {
        if self.index.first_kept(to).is_none() {
            return 0;
        }
        self.say_untried();
        // What is in a place stays in it: it is not to be found between those that are ready again.
        let leased = self.leases.iter().map(|lease| lease.offset);
        let elsewhere: Vec<Offset> = self.set_aside().chain(leased).collect();
        for offset in elsewhere.into_iter().filter(|offset| *offset >= to) {
            self.index.place(offset);
        }
        let mut count = 0;
        let mut next = self.index.first_kept(to);
        while let Some(offset) = next {
            if let Some(entry) = self.index.take_back(offset) {
                count += 1;
                self.expiry.note(chunk_of(offset), self.deadline(&entry));
                self.replaces(offset);
            }
            next = self.index.first_kept(offset.next());
        }
        self.counts.uncount(Departure::Settled, count);
        self.fresh = self.fresh.min(to);
        self.oldest_idle = self.oldest_idle.min(to);
        self.rules_are_stale = true;
        count
    }

    /// Says of each message that was passed over or held back that it was not tried, so that the others below can count as
    /// delivered once.
    pub(super) fn say_untried(&mut self) {
        let floor = self.dispatched_to();
        let known: Vec<(Offset, u32)> =
            self.set_aside().map(|offset| (offset, self.attempts.get(offset))).collect();
        self.attempts.raise_floor(floor);
        for (offset, attempts) in known {
            self.attempts.set(offset, attempts);
        }
    }
}
