//! Whether the log knows of a durable session's present connection: what is said about a session that the log does not know
//! is worth nothing after a crash. It must not know what is said.
//!
//! The record of a CONNECT is not waited for; it may be refused by a full disk that has room for a smaller record the moment
//! after. So who promises something that needs the session says in one record what CONNECT said too, as long as that is not
//! known to be stored.

use mqtt_session::Inbox;

use super::Shard;
use super::state::SessionEntry;
use crate::ids::{SessionId, SessionNumber};
use crate::outbox::Outbox;
use crate::record::{ConnectedAs, SessionEvent};

/// Of the tokens of sessions' records, those of records of connections. Then comes the session's number.
const CONNECTED_TOKEN: u64 = 3 << 61;

/// The session whose connection the record with that token tells of.
pub(super) const fn connected_of(token: u64) -> Option<SessionNumber> {
    if token >> 61 == CONNECTED_TOKEN >> 61 {
        Some(SessionNumber(token & !CONNECTED_TOKEN))
    } else {
        None
    }
}

pub(super) const fn connected_token(number: SessionNumber) -> u64 {
    CONNECTED_TOKEN | number.0
}

/// What the log was told of a session's connection.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Told {
    /// So many records are on their way.
    waiting: u16,
    /// One was refused, and none has been sent since.
    is_refused: bool,
}

impl Told {
    /// Whether the newest is surely stored.
    pub(crate) const fn is_stored(self) -> bool {
        self.waiting == 0 && !self.is_refused
    }

    fn begin(&mut self) {
        self.waiting = self.waiting.saturating_add(1);
        self.is_refused = false;
    }

    fn end(&mut self, is_stored: bool) {
        self.waiting = self.waiting.saturating_sub(1);
        self.is_refused |= !is_stored;
    }
}

impl Shard {
    /// Tells the log that the session's client is connected.
    pub(super) fn log_connected(&mut self, id: SessionId) {
        if let Some(connected) = self.connected_as(id) {
            self.log_unawaited(id, SessionEvent::Connected(connected));
        }
    }

    /// What the log must know of a session, before it says something else of it. It is on its way then.
    pub(super) fn connected_as(&mut self, id: SessionId) -> Option<ConnectedAs> {
        let entry = self.sessions.get_mut(id).filter(|_| id.is_durable())?;
        entry.told.begin();
        let SessionEntry { session, owner, .. } = entry;
        Some(ConnectedAs {
            client_id: session.client_id().into(),
            owner: owner.as_deref().map(Box::from),
            expiry_interval: session.expiry_interval(),
            will: session.will().cloned().map(Box::new),
        })
    }

    /// A record that tells of the session's connection is stored, or not. Messages at QoS 2 wait for it.
    pub(super) fn connected_told<O: Outbox>(
        &mut self,
        number: SessionNumber,
        is_stored: bool,
        out: &mut O,
    ) {
        let id = self.sessions.durable_id(number);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        entry.told.end(is_stored);
        if entry.told.is_stored() && entry.session.inbox().is_some_and(Inbox::has_more) {
            self.pump(id, out);
        }
    }

    /// The log takes records again: it hears of the session if it has not.
    pub(super) fn store_connected_again(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get(id).filter(|entry| !entry.told.is_stored()) else {
            return;
        };
        let is_gone = entry.conn.is_none();
        self.log_connected(id);
        if is_gone {
            self.log_disconnected(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_knows_when_the_newest_record_is_stored_and_none_was_refused_since() {
        let mut told = Told::default();
        assert!(told.is_stored(), "a session from before the restart");
        told.begin();
        assert!(!told.is_stored());
        told.begin();
        told.end(true);
        assert!(!told.is_stored(), "the newer one may be refused");
        told.end(false);
        assert!(!told.is_stored());
        told.begin();
        assert!(!told.is_stored());
        told.end(true);
        assert!(told.is_stored());
    }

    #[test]
    fn tokens_are_told_from_those_of_answers() {
        let number = SessionNumber::new((1 << 40) - 1, "a client");
        let token = connected_token(number);
        assert_eq!(connected_of(token), Some(number));
        assert!(super::super::session_log::is_session_token(token));
        for other in [1 << 62, 1 << 62 | 77, 1 << 61, 1 << 63, u64::MAX, u64::MAX - 1] {
            assert_eq!(connected_of(other), None, "{other:x}");
        }
    }
}
