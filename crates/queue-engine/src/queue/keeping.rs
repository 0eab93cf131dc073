//! Settled messages that stay replayable for a while.

use stdx::UnixMillis;

use super::Queue;
use crate::{Action, Departure, Offset};
use message_index::{Entry, chunk_of, first_of};

impl Queue {
    /// Settles a message and keeps it. Its chunk is forgotten as one, when the last one settled in it is old enough.
    pub(super) fn keep(&mut self, offset: Offset) -> Entry {
        self.barred.forget(offset);
        self.counts.count(Departure::Settled);
        let entry = self.index.keep(offset).expect("a message leaves once");
        self.is_newest_no_more(offset, entry.key);
        let chunk = chunk_of(offset);
        match self.clock.at(self.now) {
            Some(now) => {
                self.kept_since.insert(chunk, now);
                self.kept_until.note(chunk, now + self.config.keep_settled);
            }
            // When the clock is told, it counts from then.
            None => self.kept_until.note(chunk, UnixMillis(0)),
        }
        entry
    }

    /// Forgets kept messages that are old enough.
    pub(super) fn forget_old(&mut self, now: UnixMillis, actions: &mut Vec<Action>) {
        while self.kept_until.first().is_some_and(|first| first <= now)
            && !self.is_enough(actions)
            && let Some(chunk) = self.kept_until.pop_due(now)
        {
            let since = *self.kept_since.entry(chunk).or_insert(now);
            let until = since + self.config.keep_settled;
            if until > now {
                self.kept_until.note(chunk, until);
            } else {
                self.forget_kept(chunk, actions);
            }
        }
    }

    fn forget_kept(&mut self, chunk: u64, actions: &mut Vec<Action>) {
        self.kept_since.remove(&chunk);
        let mut next = self.index.first_kept(first_of(chunk));
        while let Some(offset) = next.filter(|offset| chunk_of(*offset) == chunk) {
            if let Some(removed) = self.index.forget(offset) {
                self.has_left(offset, &removed);
                actions.push(Action::Forgotten { offset, at: removed.entry.at });
            }
            next = self.index.first_kept(offset.next());
        }
    }

    /// Has a look at every chunk with kept messages, as if it were due.
    pub(super) fn find_kept(&mut self) {
        self.kept_until.clear();
        let mut next = self.index.first_kept(Offset(0));
        while let Some(offset) = next {
            let chunk = chunk_of(offset);
            self.kept_until.note(chunk, UnixMillis(0));
            next = self.index.first_kept(first_of(chunk + 1));
        }
    }

    /// Forgets all kept messages, in a queue that keeps none any more, as far as one input goes.
    pub(super) fn forget_all(&mut self, actions: &mut Vec<Action>) {
        while let Some(offset) = self.index.first_kept(Offset(0)) {
            if self.is_enough(actions) {
                return;
            }
            self.forget_kept(chunk_of(offset), actions);
        }
        self.kept_until.clear();
    }
}
