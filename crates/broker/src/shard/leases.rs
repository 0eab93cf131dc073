//! Deliveries of queues at QoS 2 to durable sessions. The log knows which packet id bears which message before the PUBLISH
//! goes out, and that the client has it before the PUBREL does: so the client sees each message once, over any crash.

use std::collections::BTreeMap;

use log_api::ShardId;
use mqtt_codec::AckKind;
use mqtt_router::SinkId;
use mqtt_session::{Completed, Origin};
use mqtt_types::{Message, PacketId, QoS, ReasonCode};
use queue_engine::{ConsumerId, Offset, Outcome};
use smallvec::SmallVec;
use stream_engine::ReaderName;

use super::Shard;
use super::send::{Outgoing, Sent, put_publish};
use super::session_log::Waiting;
use super::state::Extras;
use crate::control::SinkKind;
use crate::ids::{ConnId, SessionId};
use crate::mail::Letter;
use crate::outbox::Outbox;
use crate::record::{KeptLease, SessionEvent};

/// How far a delivery is.
///
/// ```text
/// Storing ── stored, PUBLISH ──▶ Sent ── PUBREC ──▶ Receiving ── stored, PUBREL ──▶ Received ── PUBCOMP ──▶ gone
///                                 │ ▲                 │     ▲                          ▲
///                 connection lost │ │ leased again    │     └── Unstored ◀─┐           │
///                                 ▼ │                 └─── not stored ─────┘           │
///                               (held) ── the message is gone, PUBREL ─────────────────┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Storing,
    Sent,
    Receiving,
    Unstored,
    Received,
}

/// A session's deliveries by packet id.
#[derive(Default)]
pub(crate) struct Leases {
    open: BTreeMap<PacketId, (SinkId, Offset, State)>,
    /// For which readers of streams those messages are that the client has and of which that is not stored.
    received_for: BTreeMap<PacketId, ReaderName>,
}

impl Leases {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a packet id is in use for one.
    pub(crate) fn has(&self, packet_id: PacketId) -> bool {
        self.open.contains_key(&packet_id)
    }

    /// What was stored of them.
    pub(crate) fn restored(stored: &[KeptLease]) -> Self {
        let open = stored.iter().map(|one| (one.packet_id, (one.sink, one.offset, State::Sent)));
        Self { open: open.collect(), received_for: BTreeMap::new() }
    }

    /// What is to be stored of them.
    pub(crate) fn kept(&self) -> Vec<KeptLease> {
        let kept = |(packet_id, (sink, offset, _)): (&PacketId, &(SinkId, Offset, State))| {
            KeptLease { packet_id: *packet_id, sink: *sink, offset: *offset }
        };
        self.open.iter().map(kept).collect()
    }

    fn state(&self, packet_id: PacketId) -> Option<State> {
        self.open.get(&packet_id).map(|(.., state)| *state)
    }

    fn set(&mut self, packet_id: PacketId, to: State) {
        if let Some((.., state)) = self.open.get_mut(&packet_id) {
            *state = to;
        }
    }

    fn remove(&mut self, packet_id: PacketId) -> bool {
        self.received_for.remove(&packet_id);
        self.open.remove(&packet_id).is_some()
    }

    /// The packet id under which the client may have the message already.
    fn find(&self, sink: SinkId, offset: Offset) -> Option<PacketId> {
        let same = |one: &(SinkId, Offset, State)| *one == (sink, offset, State::Sent);
        self.open.iter().find(|(_, one)| same(one)).map(|(packet_id, _)| *packet_id)
    }
}

/// A delivery whose PUBLISH waits for its record.
pub(crate) struct Delivering {
    pub(crate) conn: ConnId,
    pub(crate) session: SessionId,
    pub(crate) packet_id: PacketId,
    pub(crate) consumer: ConsumerId,
    pub(crate) offset: Offset,
    pub(crate) message: Message,
    pub(crate) identifiers: SmallVec<[u32; 4]>,
}

impl Shard {
    /// Whether deliveries at that QoS to the session go through the log.
    pub(super) fn keeps_lease(id: SessionId, qos: QoS) -> bool {
        id.is_durable() && qos == QoS::ExactlyOnce
    }

    /// Delivers: under the packet id that the client may know from before, or else under the one given, once that is
    /// stored.
    pub(super) fn deliver_kept<O: Outbox>(&mut self, mut delivering: Delivering, out: &mut O) {
        let Delivering { session: id, packet_id, consumer, offset, .. } = delivering;
        let Some(sink) = self.consumers.get(consumer).map(|state| state.sink) else { return };
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let leases = &mut entry.extras.get_or_insert_default().leases;
        if let Some(known) = leases.find(sink, offset).filter(|known| entry.session.holds(*known)) {
            delivering.packet_id = known;
            return self.put_kept(&delivering, true, out);
        }
        leases.open.insert(packet_id, (sink, offset, State::Storing));
        entry.session.keep(packet_id);
        let origin = Origin::Queue { consumer: consumer.0, offset: offset.0 };
        // Its last byte is not written before it goes out.
        entry.session.sent(Some(packet_id), QoS::ExactlyOnce, origin, None, u64::MAX);
        self.lease_not_over(id, packet_id);
        let event = SessionEvent::Leased(KeptLease { packet_id, sink, offset });
        self.log_session(id, event, Waiting::Lease(Box::new(delivering)));
    }

    /// The log knows the packet id: the PUBLISH goes out, if its consumer is still there.
    pub(super) fn lease_stored<O: Outbox>(&mut self, delivering: &Delivering, out: &mut O) {
        let Delivering { conn, session: id, packet_id, consumer, .. } = *delivering;
        let is_there = self.consumers.get(consumer).is_some();
        let Some(entry) = self.sessions.get_mut(id).filter(|entry| entry.conn == Some(conn)) else {
            return;
        };
        if is_there {
            self.put_kept(delivering, false, out);
        } else {
            entry.session.unsend(packet_id);
            self.lease_over(id, packet_id);
        }
    }

    /// It does not: the message goes back to its queue, which tries again later.
    pub(super) fn lease_not_stored(&mut self, delivering: &Delivering) {
        let Delivering { conn, session: id, packet_id, consumer, offset, .. } = *delivering;
        if let Some(entry) = self.sessions.get_mut(id).filter(|entry| entry.conn == Some(conn)) {
            entry.session.unsend(packet_id);
            self.lease_over(id, packet_id);
            self.settle_as(consumer, offset, Outcome::Busy);
        }
    }

    fn put_kept<O: Outbox>(&mut self, delivering: &Delivering, again: bool, out: &mut O) {
        let Delivering { conn, session: id, packet_id, consumer, offset, message, identifiers } =
            delivering;
        let (conn, id, packet_id) = (*conn, *id, *packet_id);
        let origin = Origin::Queue { consumer: consumer.0, offset: offset.0 };
        let left = match message.expiry_left(self.turn.unix_ms) {
            Some(None) => None,
            left => Some(left.flatten()),
        };
        let state = self.conns.get_mut(conn);
        let sent = match (state, out.buffer(conn), left) {
            (Some(state), Some(buffer), Some(expiry)) => {
                let outgoing = Outgoing {
                    dup: again,
                    qos: QoS::ExactlyOnce,
                    retain: false,
                    packet_id: Some(packet_id),
                    topic: message.topic(),
                    expiry,
                    identifiers,
                    properties: message.properties(),
                    added: &[],
                    payload: message.payload(),
                };
                put_publish(buffer, &mut state.connection, &outgoing)
            }
            (.., None) => Sent::Expired,
            _ => return,
        };
        let mark = out.mark(conn);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        if sent == Sent::Yes {
            self.counts.publishes_sent_total += 1;
            if again {
                entry.session.send_again(packet_id, origin, mark);
            } else {
                entry.session.sent_at(packet_id, mark);
                entry.extras.get_or_insert_default().leases.set(packet_id, State::Sent);
            }
            return;
        }
        if again {
            self.end_held(id, packet_id, out);
        } else {
            entry.session.unsend(packet_id);
            self.lease_over(id, packet_id);
        }
        self.not_sent(origin, sent);
    }

    /// PUBREC for one of these deliveries. False for any other.
    pub(super) fn received_from_queue(
        &mut self,
        id: SessionId,
        packet_id: PacketId,
        reason: ReasonCode,
    ) -> bool {
        let Some(entry) = self.sessions.get_mut(id) else { return false };
        let Some(extras) = entry.extras.as_mut() else { return false };
        if entry.session.holds(packet_id) {
            return true; // Its message comes again, or its PUBREL.
        }
        match extras.leases.state(packet_id) {
            Some(State::Sent) if !reason.is_error() => {
                let Some(origin) = entry.session.settle_sent(packet_id) else {
                    // It was given back, or is held: the handshake goes on, and a restart would only begin it anew.
                    return false;
                };
                extras.leases.set(packet_id, State::Receiving);
                let reader = self.reader_of_delivery(id, origin);
                let extras = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut());
                if let Some((extras, reader)) = extras.zip(reader) {
                    extras.leases.received_for.insert(packet_id, reader);
                }
                self.settle(id, Completed { origin, reason });
                self.log_lease_received(id, packet_id);
                true
            }
            Some(State::Receiving) => true,
            Some(State::Unstored) => {
                extras.leases.set(packet_id, State::Receiving);
                self.log_lease_received(id, packet_id);
                true
            }
            Some(State::Storing | State::Sent | State::Received) | None => false,
        }
    }

    /// The reader of a stream that a delivery is for.
    fn reader_of_delivery(&self, id: SessionId, origin: Origin) -> Option<ReaderName> {
        let Origin::Queue { consumer, .. } = origin else { return None };
        let consumer = self.consumers.get(ConsumerId(consumer))?;
        let is_stream = consumer.what == SinkKind::Stream;
        is_stream.then(|| self.reader_name(id, &consumer.address))?
    }

    fn log_lease_received(&mut self, id: SessionId, packet_id: PacketId) {
        let Some(entry) = self.sessions.get(id) else { return };
        let Some(Extras { leases, .. }) = entry.extras.as_deref() else { return };
        if let Some((sink, offset, _)) = leases.open.get(&packet_id).copied() {
            let reader = leases.received_for.get(&packet_id).cloned();
            let lease = KeptLease { packet_id, sink, offset };
            let event = SessionEvent::LeaseReceived(lease, reader);
            self.log_session(id, event, Waiting::LeaseReceived { session: id, packet_id });
        }
    }

    /// It is stored that the client has the message.
    pub(super) fn lease_received_stored<O: Outbox>(
        &mut self,
        id: SessionId,
        packet_id: PacketId,
        out: &mut O,
    ) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let Some(extras) = entry.extras.as_mut() else { return };
        extras.leases.set(packet_id, State::Received);
        extras.leases.received_for.remove(&packet_id);
        let Some(conn) = entry.conn else { return };
        if entry.session.end_held(packet_id)
            || entry.session.on_pubrec(packet_id, ReasonCode::SUCCESS).is_ok()
        {
            self.send_ack(conn, AckKind::PubRel, packet_id, ReasonCode::SUCCESS, out);
        }
    }

    /// It is not: it is tried again when the client says so again, comes back, or the log takes records again.
    pub(super) fn lease_received_not_stored(&mut self, id: SessionId, packet_id: PacketId) {
        let extras = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut());
        if let Some(extras) = extras {
            extras.leases.set(packet_id, State::Unstored);
        }
    }

    /// Tries again to store what could not be.
    pub(super) fn store_leases_again(&mut self, id: SessionId) {
        let extras = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut());
        let Some(extras) = extras.filter(|extras| !extras.leases.is_empty()) else { return };
        let unstored =
            extras.leases.open.iter().filter(|(_, (.., state))| *state == State::Unstored);
        let unstored: Vec<PacketId> = unstored.map(|(packet_id, _)| *packet_id).collect();
        for packet_id in unstored {
            if let Some(extras) = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut())
            {
                extras.leases.set(packet_id, State::Receiving);
            }
            self.log_lease_received(id, packet_id);
        }
    }

    /// The packet id has come to its end; its record comes within the settle interval.
    pub(super) fn lease_over(&mut self, id: SessionId, packet_id: PacketId) {
        let extras = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut());
        if extras.is_some_and(|extras| extras.leases.remove(packet_id)) {
            self.note_lease_over(id, packet_id);
        }
    }

    /// The connection is gone: what the client cannot have got is forgotten.
    pub(super) fn hold_leases(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let session = &entry.session;
        let Some(extras) = entry.extras.as_mut() else { return };
        let is_gone = |(packet_id, (.., state)): (&PacketId, &(SinkId, Offset, State))| {
            let is_gone = match state {
                State::Received => false,
                _ => !session.holds(*packet_id),
            };
            is_gone.then_some(*packet_id)
        };
        let gone: Vec<PacketId> = extras.leases.open.iter().filter_map(is_gone).collect();
        gone.into_iter().for_each(|packet_id| self.lease_over(id, packet_id));
    }

    /// The client is back, and a consumer again of what it consumes: packet ids that it may hold go on, by their message
    /// or by PUBREL. The queues are asked which messages can still come.
    pub(super) fn resume_leases<O: Outbox>(&mut self, id: SessionId, out: &mut O) {
        self.store_leases_again(id);
        let Some(entry) = self.sessions.get(id) else { return };
        let Some(extras) = entry.extras.as_ref() else { return };
        let mut asked = BTreeMap::<ConsumerId, (ShardId, SinkId, Vec<Offset>)>::new();
        let mut over = Vec::new();
        let consuming: Vec<_> = entry
            .session
            .subscriptions()
            .filter_map(|(_, record)| {
                let consumer = ConsumerId(record.consumer);
                self.consumers.get(consumer).map(|state| (state.sink, state.owner, consumer))
            })
            .collect();
        for (packet_id, (sink, offset, state)) in &extras.leases.open {
            let consumer = consuming.iter().find(|(of, ..)| of == sink);
            match (state, consumer) {
                (State::Sent, Some((sink, owner, consumer))) => {
                    let asked = asked.entry(*consumer).or_insert((*owner, *sink, Vec::new()));
                    asked.2.push(*offset);
                }
                (State::Sent | State::Received, _) => over.push(*packet_id),
                (State::Storing | State::Receiving | State::Unstored, _) => {}
            }
        }
        for packet_id in over {
            self.end_held(id, packet_id, out);
        }
        for (consumer, (owner, sink, offsets)) in asked {
            self.turn.mail(owner, Letter::AreThere { sink, consumer, at: self.id, offsets });
        }
    }

    /// Messages of a queue that a consumer here asked for are gone: their packet ids come to their end.
    pub(super) fn leases_gone<O: Outbox>(
        &mut self,
        consumer: ConsumerId,
        offsets: &[Offset],
        out: &mut O,
    ) {
        let Some(state) = self.consumers.get(consumer) else { return };
        let (id, sink) = (state.session, state.sink);
        for offset in offsets {
            let extras = self.sessions.get(id).and_then(|entry| entry.extras.as_ref());
            let packet_id = extras.and_then(|extras| extras.leases.find(sink, *offset));
            if let Some(packet_id) = packet_id {
                self.end_held(id, packet_id, out);
            }
        }
    }

    /// The message of a held packet id does not come again: the client is let forget the id.
    fn end_held<O: Outbox>(&mut self, id: SessionId, packet_id: PacketId, out: &mut O) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let Some(conn) = entry.conn else { return };
        if entry.session.end_held(packet_id) {
            entry.extras.get_or_insert_default().leases.set(packet_id, State::Received);
            self.send_ack(conn, AckKind::PubRel, packet_id, ReasonCode::SUCCESS, out);
        }
    }
}
