//! How messages leave.

use message_index::{Entry, Offset};

use super::Stream;
use crate::{Action, Departure};

impl Stream {
    /// Takes a message out that is here.
    pub(super) fn remove(&mut self, offset: Offset, how: Departure, actions: &mut Vec<Action>) {
        if let Some(entry) = self.take_out(offset, how) {
            actions.push(Action::Removed { offset, at: entry.at, how });
        }
    }

    /// Takes a message out, if it is here. Readers find out when its turn comes.
    pub(super) fn take_out(&mut self, offset: Offset, how: Departure) -> Option<Entry> {
        let removed = self.index.remove(offset)?;
        self.counts.count(how);
        self.stale.remove(offset);
        if let Some(chunk) = removed.freed {
            self.expiry.forget(chunk);
        }
        if self.newest.get(&removed.entry.key) == Some(&offset) {
            self.newest.remove(&removed.entry.key);
        }
        Some(removed.entry)
    }
}
