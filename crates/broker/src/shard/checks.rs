//! What must hold in a shard after every step; for tests. It must not change anything.

use mqtt_router::SinkId;
use mqtt_session::{Gone, Inbox};
use queue_engine::{Ledger, Peeked};

use super::Shard;

impl Shard {
    /// Checks the engines and the tables.
    ///
    /// # Errors
    /// Says what is broken.
    pub fn check_all(&self) -> Result<(), String> {
        self.hosting.check()?;
        for entry in self.sessions.iter() {
            mqtt_session::invariants::check(&entry.session).map_err(|broken| broken.to_string())?;
            let connected = entry.conn.is_some_and(|conn| self.conns.get(conn).is_some());
            if entry.session.is_connected() != connected {
                return Err(format!("session {}: connected or not?", entry.session.client_id()));
            }
        }
        // What leaves an inbox is counted when its record is written.
        let slack = 8192;
        for entry in self.sessions.iter() {
            let bytes = |inbox: &Inbox| inbox.entries() * 32 + inbox.identifier_bytes();
            let inbox = entry.session.inbox().map_or(0, bytes);
            let waits = entry.session.pending_len() * 256 + inbox;
            if waits.abs_diff(entry.accounted()) > slack {
                let client_id = entry.session.client_id();
                return Err(format!(
                    "session {client_id}: {waits} bytes wait, not {}",
                    entry.accounted()
                ));
            }
        }
        for (_, consumer) in self.consumers.iter() {
            let session = self.sessions.get(consumer.session);
            if session.is_none_or(|entry| entry.conn.is_none()) {
                return Err(format!("a consumer of {} has no client", consumer.name));
            }
        }
        Ok(())
    }

    /// Timers that are set.
    #[cfg(test)]
    pub(crate) fn timers_len(&self) -> usize {
        self.timers.len()
    }

    /// Checks that what is taken of queues' rooms is what is there; when nothing is on its way.
    ///
    /// # Errors
    /// Says which is not.
    pub fn check_rooms(&self) -> Result<(), String> {
        self.hosting.check_rooms()
    }

    /// Bodies in the log that queues, sessions and delays here need.
    #[must_use]
    pub fn references(&self) -> usize {
        let kept = self.kept().filter(|kept| !kept.is_held).count();
        self.hosting.references() + self.delayed.len() + kept
    }

    /// Bodies of retained messages that sessions here need, whatever their topics have.
    #[must_use]
    pub fn held(&self) -> usize {
        self.kept().filter(|kept| kept.is_held).count() + self.holding().len()
    }

    fn kept(&self) -> impl Iterator<Item = Gone> {
        let inboxes = self.sessions.iter().filter_map(|entry| entry.session.inbox());
        inboxes.flat_map(Inbox::stored)
    }

    /// What the subscriptions of the sessions here are reckoned to take.
    #[cfg(test)]
    pub(crate) fn subscription_bytes(&self) -> usize {
        self.sessions.iter().map(|entry| self.subscriptions_bytes(entry.id)).sum()
    }

    /// Timers that are set, with pointless ones.
    #[cfg(test)]
    pub(crate) fn timers(&self) -> usize {
        self.timers.len()
    }

    /// Bodies in the log that the retained messages of all shards need.
    #[must_use]
    pub fn retained_held(&self) -> u64 {
        self.shared.retained.held()
    }

    /// Segments that have retained bodies.
    #[must_use]
    pub fn retained_segments(&self) -> Vec<u32> {
        self.shared.retained.segments()
    }

    /// The account of a queue that is hosted here.
    #[must_use]
    pub fn ledger(&self, sink: SinkId) -> Option<Ledger> {
        self.hosting.ledger(sink)
    }

    /// What waits in a queue that is hosted here, or is kept.
    #[must_use]
    pub fn peek(&self, sink: SinkId) -> Vec<Peeked> {
        self.hosting.peek(sink)
    }

    /// The account of a stream that is hosted here.
    #[must_use]
    pub fn stream_ledger(&self, sink: SinkId) -> Option<stream_engine::Ledger> {
        self.hosting.stream(sink).map(|stream| stream.engine.ledger())
    }

    /// Answers that somebody waits for.
    #[must_use]
    pub fn open_ends(&self) -> usize {
        self.publishes.len()
            + self.subscribes.len()
            + self.answers.len()
            + self.entrants.len()
            + self.looks.len()
            + self.outside.len()
            + self.leases_again.len()
            + self.delayed.open_ends()
            + self.operations.len()
            + self.redrives.open_ends()
    }
}
