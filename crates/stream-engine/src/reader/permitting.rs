//! Deliveries that the log knows of before they are made.

use message_index::Offset;

use super::Reader;

impl Reader {
    /// No message from here on was given to it, where it is now.
    pub(crate) fn dispatched_to(&self) -> Offset {
        self.cursor.max(self.floor)
    }

    /// Messages below may be given to it for the first time.
    pub(crate) const fn permit(&mut self, to: Offset) {
        self.permitted = to;
    }

    /// Nothing may that was not given to it before.
    pub(crate) fn withhold(&mut self) {
        self.permitted = self.dispatched_to();
    }

    /// Whether the log says of messages that are still to come that it may have been given them.
    pub(crate) const fn is_overstated(&self) -> bool {
        self.is_overstated
    }

    /// All of the log was replayed: what comes behind that end was given to nobody, whatever the log says.
    pub(crate) fn end_replay(&mut self, end: Offset) {
        self.is_overstated = self.floor > end;
        self.floor = self.floor.min(end);
    }
}
