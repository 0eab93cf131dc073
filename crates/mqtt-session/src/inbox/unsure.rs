//! Messages of which nobody knows whether the client was sent them. It must not know why.

use super::Inbox;

impl Inbox {
    /// What the session's client was sent last is not known.
    pub fn sent_is_unsure(&mut self) {
        self.unsure_to = self.end();
    }

    /// Messages below that number may have been sent, whatever else is known.
    #[must_use]
    pub const fn unsure_to(&self) -> u64 {
        self.unsure_to
    }

    /// The same, as storage says.
    pub fn replay_unsure_to(&mut self, sequence: u64) {
        self.unsure_to = sequence.min(self.end());
    }
}
