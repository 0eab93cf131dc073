//! What happens as time passes by the wall clock: messages expire, readers that have long gone are forgotten.

use std::time::Duration;

use message_index::{Entry, NEVER};
use stdx::UnixMillis;

use super::Stream;
use crate::{Action, Departure, ReaderId};

impl Stream {
    /// When a message expires.
    pub(super) fn deadline(&self, entry: &Entry) -> UnixMillis {
        entry.expires.min(UnixMillis(entry.stored.0.saturating_add(self.retention_millis)))
    }

    /// Does what is due by the wall clock.
    pub(super) fn time_passes(&mut self, actions: &mut Vec<Action>) {
        let Some(now) = self.clock.at(self.now) else { return };
        if self.expiry.first().is_some_and(|due| due <= now) {
            self.expire(now, actions);
        }
        self.readers.date_all(now);
        while let Some((_, id)) = self.next_to_forget().filter(|(due, _)| *due <= now) {
            if let Some(reader) = self.readers.remove(id) {
                actions.push(Action::Forgotten { reader: id, name: reader.name });
            }
        }
    }

    fn expire(&mut self, now: UnixMillis, actions: &mut Vec<Action>) {
        while actions.len() < self.enough_at
            && let Some(chunk) = self.expiry.pop_due(now)
        {
            let (mut due, mut next) = (Vec::new(), NEVER);
            for (offset, entry) in self.index.iter_of(chunk) {
                let deadline = self.deadline(&entry);
                if deadline <= now {
                    due.push(offset);
                } else {
                    next = next.min(deadline);
                }
            }
            if next != NEVER {
                self.expiry.note(chunk, next);
            }
            for offset in due {
                self.remove(offset, Departure::Expired, actions);
            }
        }
    }

    /// The reader whose position is given up next, and when.
    pub(super) fn next_to_forget(&self) -> Option<(UnixMillis, ReaderId)> {
        let keep = millis_or_never(self.config.keep_positions);
        let (since, id) = self.readers.first_gone()?;
        let due = since.0.saturating_add(keep);
        (due != NEVER.0).then_some((UnixMillis(due), id))
    }

    /// Finds anew when each chunk has to be looked through.
    pub(super) fn find_deadlines(&mut self) {
        self.expiry.clear();
        self.retention_millis = millis_or_never(self.config.retention);
        for (chunk, stored, expires) in self.index.chunks() {
            let due = expires.min(UnixMillis(stored.0.saturating_add(self.retention_millis)));
            if due != NEVER {
                self.expiry.note(chunk, due);
            }
        }
    }
}

/// A time that is zero is none.
pub(super) fn millis_or_never(time: Duration) -> u64 {
    match time {
        Duration::ZERO => NEVER.0,
        time => u64::try_from(time.as_millis()).unwrap_or(NEVER.0),
    }
}
