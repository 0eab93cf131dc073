//! Giving out what is ready to those with credit. It must not know how a lease ends.

use stdx::Instant;

use super::Queue;
use crate::action::Action;
use crate::ids::Offset;
use crate::leases::Lease;

/// What goes next, and from where.
enum Next {
    /// Nobody has had it yet.
    Fresh(Offset),
    /// Had before, for anybody.
    Again(Offset),
    /// Had before, not for everybody.
    Choosy(Offset),
}

impl Queue {
    /// Gives out messages until there are none, or nobody can take one.
    pub(super) fn dispatch(&mut self, now: Instant, actions: &mut Vec<Action>) {
        while !self.config.paused && !self.consumers.is_exhausted() {
            let Some(next) = self.next_message() else { return };
            if !self.deliver(next, now, actions) {
                return;
            }
        }
    }

    /// What had been out goes first, in order of offset; then what nobody has had yet, in order.
    fn next_message(&self) -> Option<Next> {
        let open = self.backlog.first_open();
        if self.backlog.has_choosy()
            && let Some(choosy) = self.next_choosy()
            && open.is_none_or(|open| choosy < open)
        {
            return Some(Next::Choosy(choosy));
        }
        if let Some(offset) = open {
            return Some(Next::Again(offset));
        }
        if self.fresh == 0 {
            return None;
        }
        self.index.next_waiting(self.cursor).map(|offset| Next::Fresh(Offset(offset)))
    }

    /// The first message that somebody with credit may get, though not everybody.
    fn next_choosy(&self) -> Option<Offset> {
        let attached = self.consumers.len();
        let open_to_some = self.backlog.first_choosy().filter(|(shunned, _)| {
            let shunned = *shunned;
            self.consumers.any(|consumer| shunned.allows(consumer, attached))
        });
        open_to_some.map(|(_, offset)| offset).min()
    }

    fn deliver(&mut self, next: Next, now: Instant, actions: &mut Vec<Action>) -> bool {
        let (Next::Fresh(offset) | Next::Again(offset) | Next::Choosy(offset)) = next;
        let slot = match (&next, self.backlog.shunned(offset)) {
            (Next::Choosy(_), Some(shunned)) => {
                let attached = self.consumers.len();
                self.consumers.pick_among(&mut self.prng, |consumer| shunned.allows(consumer, attached))
            }
            _ => self.consumers.pick(&mut self.prng),
        };
        let Some(slot) = slot else { return false };
        let consumer = self.consumers.get(slot).map(|consumer| consumer.id);
        let (Some(consumer), Some(entry)) = (consumer, self.index.entry(offset)) else { return false };
        let attempt = self.attempts_of(offset).saturating_add(1);
        let is_first = match next {
            Next::Fresh(_) => {
                self.cursor = offset.0 + 1;
                self.fresh -= 1;
                attempt == 1
            }
            Next::Again(_) | Next::Choosy(_) => {
                self.backlog.take(offset);
                false
            }
        };
        self.counts.redelivered += u64::from(!is_first);
        self.leases.grant(Lease { offset, holder: slot, granted: now });
        self.consumers.granted(slot);
        actions.push(Action::Deliver { consumer, offset, at: entry.at, attempt });
        true
    }
}
