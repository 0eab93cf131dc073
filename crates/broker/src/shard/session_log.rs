//! What the log must know of durable sessions, and the answers that wait until it does: a SUBACK, a PUBCOMP or a PUBREL
//! means that a crash changes nothing about it.

use log_api::{AppendError, RecordKind, ShardSet};
use mqtt_codec::AckKind;
use mqtt_session::SubscriptionRecord;
use mqtt_types::{PacketId, ReasonCode};

use super::Shard;
use crate::control::Reply;
use crate::hosting::SETTLE_TOKEN;
use crate::ids::{ConnId, SessionId};
use crate::listing::ClientError;
use crate::outbox::Outbox;
use crate::record::{SessionEvent, SessionRecord, StoredSubscription};

/// Tells the tokens of answers that wait for a session's record from those of publishes.
const SESSION_TOKEN: u64 = 1 << 62;

pub(super) const fn is_session_token(token: u64) -> bool {
    token >> 62 == SESSION_TOKEN >> 62
}

/// A subscription that was granted.
pub(crate) struct Granted {
    pub(crate) address: Box<str>,
    pub(crate) record: SubscriptionRecord,
    /// Whether it is none if it cannot be stored: there was none before, and no other SUBSCRIBE for it waits behind.
    pub(crate) is_new: bool,
    /// Whether retained messages are to be sent.
    pub(crate) replays: bool,
}

/// A SUBACK to send.
pub(crate) struct SubAckToSend {
    pub(crate) conn: ConnId,
    pub(crate) packet_id: PacketId,
    pub(crate) codes: Vec<u8>,
    pub(crate) reason: Option<String>,
    pub(crate) granted: Vec<Granted>,
    pub(crate) wants_metadata: bool,
}

/// Who waits for a session's record.
pub(crate) enum Waiting {
    /// Nobody: if it is not stored, the next checkpoint makes up for it.
    Nobody,
    SubAck {
        session: SessionId,
        suback: Box<SubAckToSend>,
    },
    UnsubAck {
        conn: ConnId,
        packet_id: PacketId,
        codes: Vec<u8>,
    },
    PubRel {
        session: SessionId,
        sequence: u64,
    },
    /// An operator ended the session.
    Ended(Reply<Result<(), ClientError>>),
    /// The connection is the one that asked last: nobody else may be told.
    PubComp {
        conn: ConnId,
        session: SessionId,
        packet_id: PacketId,
    },
}

impl Shard {
    /// Hands a session's record to the log, if the session is a durable one.
    pub(super) fn log_session(&mut self, id: SessionId, event: SessionEvent, waiting: Waiting) {
        let Some(number) = id.number() else { return };
        let (token, notify) = match waiting {
            Waiting::Nobody => (SETTLE_TOKEN, ShardSet::EMPTY),
            waiting => {
                let token = self.answers.insert(waiting) as u64 | SESSION_TOKEN;
                (token, ShardSet::single(self.id))
            }
        };
        let record = SessionRecord { number, event };
        self.turn.batch.push(RecordKind::Session, 0, 0, notify, token, |out| record.encode(out));
        self.turn.hand_over_long_batch(&*self.shared.log);
    }

    /// All filters of a SUBSCRIBE are decided: the client hears so, when a crash does not change it any more.
    pub(super) fn finish_subscribe<O: Outbox>(
        &mut self,
        id: SessionId,
        mut suback: SubAckToSend,
        out: &mut O,
    ) {
        if !id.is_durable() || suback.granted.is_empty() {
            self.send_granted(id, &suback, out);
            return;
        }
        self.for_waiting_grants(id, |earlier| {
            let same = suback.granted.iter_mut().find(|later| later.address == earlier.address);
            if let Some(later) = same.filter(|_| earlier.is_new) {
                (earlier.is_new, later.is_new) = (false, true);
            }
        });
        let wants_metadata = suback.wants_metadata;
        let stored = |granted: &Granted| StoredSubscription {
            address: granted.address.clone(),
            record: granted.record,
            wants_metadata,
        };
        let event = SessionEvent::Subscribed(suback.granted.iter().map(stored).collect());
        let key = self.answers.vacant_key();
        if let Some(entry) = self.sessions.get_mut(id) {
            entry.extras.get_or_insert_default().subacks.push(key);
        }
        self.log_session(id, event, Waiting::SubAck { session: id, suback: Box::new(suback) });
    }

    /// Looks at what SUBSCRIBE packets of the session granted whose records are on their way.
    fn for_waiting_grants(&mut self, id: SessionId, mut look: impl FnMut(&mut Granted)) {
        let extras = self.sessions.get(id).and_then(|entry| entry.extras.as_ref());
        for key in extras.into_iter().flat_map(|extras| &extras.subacks) {
            if let Some(Waiting::SubAck { suback, .. }) = self.answers.get_mut(*key) {
                suback.granted.iter_mut().for_each(&mut look);
            }
        }
    }

    fn send_granted<O: Outbox>(&mut self, id: SessionId, suback: &SubAckToSend, out: &mut O) {
        let SubAckToSend { conn, packet_id, codes, reason, granted, .. } = suback;
        self.send_suback(*conn, *packet_id, codes, reason.as_deref(), out);
        if self.conns.get(*conn).is_none() {
            return;
        }
        let mut replays = false;
        for granted in granted.iter().filter(|granted| granted.replays) {
            let entry = self.sessions.get(id);
            if entry.is_none_or(|entry| entry.session.subscription(&granted.address).is_none()) {
                continue; // It was ended before it was stored.
            }
            self.begin_replay(id, &granted.address, granted.record);
            replays = true;
        }
        if replays {
            self.replay(id, out);
        }
    }

    /// A session's record is stored.
    pub(super) fn session_stored<O: Outbox>(&mut self, token: u64, out: &mut O) {
        match self.take_answer(token) {
            None | Some(Waiting::Nobody) => {}
            Some(Waiting::SubAck { session, suback }) => {
                self.for_waiting_grants(session, |later| {
                    later.is_new &= !suback.granted.iter().any(|one| one.address == later.address);
                });
                self.send_granted(session, &suback, out);
            }
            Some(Waiting::Ended(reply)) => reply(Ok(())),
            Some(Waiting::UnsubAck { conn, packet_id, codes }) => {
                self.send_unsuback(conn, packet_id, &codes, out);
            }
            Some(Waiting::PubRel { session, sequence }) => {
                self.received_stored(session, sequence, out);
            }
            Some(Waiting::PubComp { conn, packet_id, .. }) => {
                self.send_pubcomp(conn, packet_id, ReasonCode::SUCCESS, out);
            }
        }
    }

    /// A session's record is not stored: who waits hears so, if that can be said.
    pub(super) fn session_not_stored<O: Outbox>(
        &mut self,
        token: u64,
        error: &AppendError,
        out: &mut O,
    ) {
        let code = match error {
            AppendError::Full => ReasonCode::QUOTA_EXCEEDED,
            _ => ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
        };
        match self.take_answer(token) {
            // PUBREL and PUBCOMP can only say yes: without them the client goes on asking, and after a restart the
            // handshake goes on where the log has it.
            None | Some(Waiting::Nobody | Waiting::PubRel { .. }) => {}
            Some(Waiting::PubComp { session, packet_id, .. }) => {
                // For a restart the packet id is not free: it must not be called so when the client asks again.
                if let Some(entry) = self.sessions.get_mut(session) {
                    entry.session.kept_qos2(packet_id);
                }
            }
            Some(Waiting::SubAck { session, suback }) => {
                self.take_back(session, *suback, code, error, out);
            }
            Some(Waiting::Ended(reply)) => reply(Err(ClientError::NotStored(error.to_string()))),
            Some(Waiting::UnsubAck { conn, packet_id, codes }) => {
                let failed = ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR.0;
                self.send_unsuback(conn, packet_id, &vec![failed; codes.len()], out);
            }
        }
    }

    /// Subscriptions that could not be stored are none.
    fn take_back<O: Outbox>(
        &mut self,
        id: SessionId,
        mut suback: SubAckToSend,
        code: ReasonCode,
        error: &AppendError,
        out: &mut O,
    ) {
        let written = out.written(suback.conn);
        for granted in suback.granted.drain(..).filter(|granted| granted.is_new) {
            let entry = self.sessions.get_mut(id);
            let record = entry.and_then(|entry| entry.session.unsubscribe(&granted.address));
            if let Some(record) = record {
                self.let_go(id, &granted.address, record, written);
            }
        }
        for granted in suback.codes.iter_mut().filter(|granted| !ReasonCode(**granted).is_error()) {
            *granted = code.0;
        }
        suback.reason = Some(format!("subscription not stored: {error}"));
        self.send_granted(id, &suback, out);
    }

    /// PUBREL freed a packet id that a restart would know: PUBCOMP waits until it would not.
    pub(super) fn release_stored(&mut self, conn: ConnId, id: SessionId, packet_id: PacketId) {
        let waiting = Waiting::PubComp { conn, session: id, packet_id };
        self.log_session(id, SessionEvent::Released(packet_id), waiting);
    }

    /// Whether a PUBCOMP of that packet id waits for its record. It goes to the connection that asks now: one that has not
    /// asked could take it for the answer to a later message with the same packet id.
    pub(super) fn is_being_released(
        &mut self,
        asking: ConnId,
        id: SessionId,
        asked: PacketId,
    ) -> bool {
        let waiting = self.answers.iter_mut().find_map(|(_, waiting)| match waiting {
            Waiting::PubComp { conn, session, packet_id }
                if *session == id && *packet_id == asked =>
            {
                Some(conn)
            }
            _ => None,
        });
        if let Some(conn) = waiting {
            *conn = asking;
            return true;
        }
        false
    }

    pub(super) fn send_pubcomp<O: Outbox>(
        &mut self,
        conn: ConnId,
        packet_id: PacketId,
        reason: ReasonCode,
        out: &mut O,
    ) {
        let Some(state) = self.conns.get_mut(conn) else { return };
        state.connection.pubcomp_sent();
        self.send_ack(conn, AckKind::PubComp, packet_id, reason, out);
    }

    fn take_answer(&mut self, token: u64) -> Option<Waiting> {
        let key = usize::try_from(token & !SESSION_TOKEN).ok()?;
        let waiting = self.answers.try_remove(key)?;
        if let Waiting::SubAck { session, .. } = &waiting
            && let Some(entry) = self.sessions.get_mut(*session)
            && let Some(extras) = &mut entry.extras
        {
            extras.subacks.retain(|other| *other != key);
        }
        Some(waiting)
    }
}
