//! What the log must know of durable sessions, and the answers that wait until it does: a SUBACK, a PUBCOMP or a PUBREL
//! means that a crash changes nothing about it.

use log_api::{AppendError, RecordKind, ShardSet};
use mqtt_codec::AckKind;
use mqtt_session::SubscriptionRecord;
use mqtt_types::{PacketId, ReasonCode};
use stream_engine::Start;

use super::Shard;
use super::connected::{connected_of, connected_token};
use super::kept_replay::KeptPage;
use super::leases::Delivering;
use super::unsettled::Stored;
use crate::control::Reply;
use crate::hosting::SETTLE_TOKEN;
use crate::ids::{ConnId, SessionId};
use crate::listing::ClientError;
use crate::mail::Began;
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
    /// That retained messages are to be sent, and the newest change of one when the subscription entered the router.
    pub(crate) replays: Option<u64>,
    /// Where the reader of a stream is to go on.
    pub(crate) seek: Option<Start>,
    /// What the subscription has made of its reader, until it is stored.
    pub(crate) began: Option<Box<Began>>,
    /// What its record says, once that is on its way.
    pub(crate) stored: Stored,
}

impl Granted {
    pub(super) fn new(
        address: &str,
        record: SubscriptionRecord,
        (replays, seek): (Option<u64>, Option<Start>),
    ) -> Self {
        let address = address.into();
        Self { address, record, replays, seek, began: None, stored: None }
    }

    /// Whether something begins with its SUBACK.
    pub(super) const fn has_to_do(&self) -> bool {
        self.replays.is_some() || self.seek.is_some()
    }
}

/// A SUBACK to send.
pub(crate) struct SubAckToSend {
    pub(crate) conn: ConnId,
    pub(crate) packet_id: PacketId,
    pub(crate) codes: Vec<u8>,
    pub(crate) reason: Option<String>,
    pub(crate) granted: Vec<Granted>,
    pub(crate) wants_metadata: bool,
    /// Whether its record tells of the session's connection too.
    pub(crate) tells_connection: bool,
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
        session: SessionId,
        packet_id: PacketId,
        codes: Vec<u8>,
        /// The subscriptions that ended.
        addresses: Vec<Box<str>>,
    },
    PubRel {
        session: SessionId,
        sequence: u64,
    },
    /// An operator ended the session.
    Ended(Reply<Result<(), ClientError>>),
    /// A queue's PUBLISH.
    Lease(Box<Delivering>),
    /// The PUBREL for one.
    LeaseReceived {
        session: SessionId,
        packet_id: PacketId,
    },
    /// Retained messages on their way to an inbox.
    Retained {
        session: SessionId,
        page: Box<KeptPage>,
    },
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
        self.push_session_record(SessionRecord { number, event }, token, notify);
    }

    /// The same for a record of the session's connection, for which only the session's entry waits.
    pub(super) fn log_unawaited(&mut self, id: SessionId, event: SessionEvent) {
        let Some(number) = id.number() else { return };
        let (token, notify) = (connected_token(number), ShardSet::single(self.id));
        self.push_session_record(SessionRecord { number, event }, token, notify);
    }

    fn push_session_record(&mut self, record: SessionRecord, token: u64, notify: ShardSet) {
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
        let mut stored = Vec::new();
        for granted in &mut suback.granted {
            // As it is now: while a queue was made it may have been changed or ended, and that record is there already.
            granted.stored = self.subscription_of(id, &granted.address);
            if let Some(now) = &granted.stored {
                self.log_group(id, &granted.address, now.group.clone());
            }
            let replay = self.begins_kept_replay(id, granted);
            stored.extend(granted.stored.as_ref().map(|now| StoredSubscription {
                address: granted.address.clone(),
                record: now.record,
                wants_metadata: now.has_metadata,
                replay,
            }));
        }
        let is_known = self.sessions.get(id).is_none_or(|entry| entry.told.is_stored());
        let connected = if is_known { None } else { self.connected_as(id) };
        suback.tells_connection = connected.is_some();
        let event = match connected {
            Some(connected) => SessionEvent::ConnectedAndSubscribed(connected, stored),
            None => SessionEvent::Subscribed(stored),
        };
        let waiting = Waiting::SubAck { session: id, suback: Box::new(suback) };
        self.log_session(id, event, waiting);
    }

    fn send_granted<O: Outbox>(&mut self, id: SessionId, suback: &SubAckToSend, out: &mut O) {
        let SubAckToSend { conn, packet_id, codes, reason, granted, .. } = suback;
        self.send_suback(*conn, *packet_id, codes, reason.as_deref(), out);
        if self.conns.get(*conn).is_none() && !id.is_durable() {
            return;
        }
        let mut replays = false;
        for granted in granted {
            if let Some(to) = granted.seek {
                self.seek_granted(id, &granted.address, to);
            }
            let Some(since) = granted.replays else { continue };
            let is_there = self.subscription_of(id, &granted.address).is_some();
            if !is_there && !self.is_unsettled(id, &granted.address) {
                continue; // It was ended before it was stored.
            }
            self.begin_replay(id, &granted.address, granted.record, since);
            if !is_there {
                self.suspend_replay(id, &granted.address, since);
            }
            replays = true;
        }
        if replays {
            self.replay(id, out);
        }
    }

    /// A session's record is stored.
    pub(super) fn session_stored<O: Outbox>(&mut self, token: u64, out: &mut O) {
        if let Some(number) = connected_of(token) {
            return self.connected_told(number, true, out);
        }
        match self.take_answer(token) {
            None | Some(Waiting::Nobody) => {}
            Some(Waiting::SubAck { session, mut suback }) => {
                self.suback_told(session, &suback, true, out);
                for granted in &mut suback.granted {
                    let began = granted.began.take().map(|began| *began);
                    let end = (Some(granted.stored.clone()), began);
                    self.change_ends(session, &granted.address, end, out);
                }
                self.send_granted(session, &suback, out);
            }
            Some(Waiting::Ended(reply)) => reply(Ok(())),
            Some(Waiting::UnsubAck { conn, session, packet_id, codes, addresses }) => {
                for address in &addresses {
                    self.change_ends(session, address, (Some(None), None), out);
                }
                self.send_unsuback(conn, packet_id, &codes, out);
            }
            Some(Waiting::Retained { session, page }) => self.page_stored(session, *page, out),
            Some(Waiting::PubRel { session, sequence }) => {
                self.received_stored(session, sequence, out);
            }
            Some(Waiting::Lease(delivering)) => self.lease_stored(delivering, out),
            Some(Waiting::LeaseReceived { session, packet_id }) => {
                self.lease_received_stored(session, packet_id, out);
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
        if let Some(number) = connected_of(token) {
            return self.connected_told(number, false, out);
        }
        let code = match error {
            AppendError::Full => ReasonCode::QUOTA_EXCEEDED,
            _ => ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
        };
        match self.take_answer(token) {
            // PUBREL and PUBCOMP can only say yes: without them the client goes on asking, and after a restart the
            // handshake goes on where the log has it.
            None | Some(Waiting::Nobody) => {}
            Some(Waiting::Retained { session, page }) => self.page_not_stored(session, *page),
            Some(Waiting::PubRel { session, sequence }) => {
                self.received_not_stored(session, sequence);
            }
            Some(Waiting::Lease(delivering)) => self.lease_not_stored(delivering, error),
            Some(Waiting::LeaseReceived { session, packet_id }) => {
                self.lease_received_not_stored(session, packet_id);
            }
            Some(Waiting::PubComp { session, packet_id, .. }) => {
                // For a restart the packet id is not free: it must not be called so when the client asks again.
                if let Some(entry) = self.sessions.get_mut(session) {
                    entry.session.kept_qos2(packet_id);
                }
            }
            Some(Waiting::SubAck { session, suback }) => {
                self.suback_told(session, &suback, false, out);
                self.take_back(session, *suback, code, error, out);
            }
            Some(Waiting::Ended(reply)) => reply(Err(ClientError::NotStored(error.to_string()))),
            Some(Waiting::UnsubAck { conn, session, packet_id, codes, addresses }) => {
                // Before 5.0 it cannot be said: then it is so, and the next checkpoint makes up for it.
                let conns = self.conns.get(conn);
                let can_tell = conns.is_some_and(|state| state.connection.version().is_v5());
                for address in &addresses {
                    let end = ((!can_tell).then_some(None), None);
                    self.change_ends(session, address, end, out);
                }
                let failed = ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR.0;
                self.send_unsuback(conn, packet_id, &vec![failed; codes.len()], out);
                self.replay_again(session, out);
            }
        }
    }

    fn suback_told<O: Outbox>(
        &mut self,
        id: SessionId,
        suback: &SubAckToSend,
        is_stored: bool,
        out: &mut O,
    ) {
        if let Some(number) = id.number().filter(|_| suback.tells_connection) {
            self.connected_told(number, is_stored, out);
        }
    }

    /// Subscriptions that could not be stored are what they were.
    fn take_back<O: Outbox>(
        &mut self,
        id: SessionId,
        mut suback: SubAckToSend,
        code: ReasonCode,
        error: &AppendError,
        out: &mut O,
    ) {
        for granted in suback.granted.drain(..) {
            self.pause_replay(id, &granted.address, false);
            let end = (None, granted.began.map(|began| *began));
            self.change_ends(id, &granted.address, end, out);
        }
        for granted in suback.codes.iter_mut().filter(|granted| !ReasonCode(**granted).is_error()) {
            *granted = code.0;
        }
        suback.reason = Some(format!("subscription not stored: {error}"));
        self.send_granted(id, &suback, out);
        self.replay_again(id, out);
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
        self.answers.try_remove(key)
    }
}
