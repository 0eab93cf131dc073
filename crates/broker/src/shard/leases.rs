//! Deliveries of queues at QoS 2 to durable sessions. The log knows which packet id bears which message before the PUBLISH
//! goes out, and that the client has it before the PUBREL does: so the client sees each message once, over any crash.

use std::collections::BTreeMap;

use log_api::{AppendError, ShardId};
use mqtt_codec::AckKind;
use mqtt_router::SinkId;
use mqtt_session::{Completed, Origin};
use mqtt_types::{Message, PacketId, QoS, ReasonCode};
use queue_engine::{ConsumerId, Offset, Outcome};
use smallvec::SmallVec;
use stream_engine::ReaderName;

use super::Shard;
use super::leases_again::Place;
use super::send::{Outgoing, Sent, put_publish};
use super::session_log::Waiting;
use super::trace::To;
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

/// A delivery.
#[derive(Clone, Debug)]
struct Leased {
    sink: SinkId,
    offset: Offset,
    /// For which reader of a stream it is; not known of one that was stored, until its message comes again.
    reader: Option<ReaderName>,
    state: State,
}

/// A session's deliveries by packet id.
#[derive(Default)]
pub(crate) struct Leases(BTreeMap<PacketId, Leased>);

impl Leases {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a packet id is in use for one.
    pub(crate) fn has(&self, packet_id: PacketId) -> bool {
        self.0.contains_key(&packet_id)
    }

    /// What was stored of them.
    pub(crate) fn restored(stored: &[KeptLease]) -> Self {
        let lease = |one: &KeptLease| {
            let KeptLease { packet_id, sink, offset } = *one;
            (packet_id, Leased { sink, offset, reader: None, state: State::Sent })
        };
        Self(stored.iter().map(lease).collect())
    }

    /// What is to be stored of them.
    pub(crate) fn kept(&self) -> Vec<KeptLease> {
        let kept = |(packet_id, one): (&PacketId, &Leased)| {
            let Leased { sink, offset, .. } = *one;
            KeptLease { packet_id: *packet_id, sink, offset }
        };
        self.0.iter().map(kept).collect()
    }

    fn state(&self, packet_id: PacketId) -> Option<State> {
        self.0.get(&packet_id).map(|one| one.state)
    }

    fn set(&mut self, packet_id: PacketId, to: State) {
        if let Some(one) = self.0.get_mut(&packet_id) {
            one.state = to;
        }
    }

    /// The packet id that is held under which the client may have the message already. One client may read a stream for
    /// itself and for groups, and have a message for each of them.
    fn find(
        &self,
        (sink, offset): (SinkId, Offset),
        reader: Option<&ReaderName>,
        is_held: impl Fn(PacketId) -> bool,
    ) -> Option<PacketId> {
        let same = |(packet_id, one): &(&PacketId, &Leased)| {
            (one.sink, one.offset, one.state) == (sink, offset, State::Sent) && is_held(**packet_id)
        };
        let for_it = |(_, one): &(&PacketId, &Leased)| one.reader.as_ref() == reader;
        let unknown = |(_, one): &(&PacketId, &Leased)| one.reader.is_none();
        let mut held = self.0.iter().filter(same);
        let found = held.find(for_it).or_else(|| self.0.iter().filter(same).find(unknown));
        found.map(|(packet_id, _)| *packet_id)
    }
}

/// A delivery whose PUBLISH waits for its record.
pub(crate) struct Delivering {
    pub(crate) conn: ConnId,
    pub(crate) session: SessionId,
    pub(crate) packet_id: PacketId,
    pub(crate) consumer: ConsumerId,
    pub(crate) offset: Offset,
    pub(crate) attempt: u32,
    pub(crate) place: Place,
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
        let Delivering { session: id, packet_id, consumer, offset, attempt, .. } = delivering;
        let Some(sink) = self.consumers.get(consumer).map(|state| state.sink) else { return };
        let reader = self.reader_by(id, consumer);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let leases = &mut entry.extras.get_or_insert_default().leases;
        let is_held = |packet_id| entry.session.holds(packet_id);
        if let Some(known) = leases.find((sink, offset), reader.as_ref(), is_held) {
            if let Some(one) = leases.0.get_mut(&known) {
                one.reader = reader;
            }
            delivering.packet_id = known;
            return self.put_kept(&delivering, true, out);
        }
        leases.0.insert(packet_id, Leased { sink, offset, reader, state: State::Storing });
        entry.session.keep(packet_id);
        let origin = Origin::Queue { consumer: consumer.0, offset: offset.0, attempt };
        // Its last byte is not written before it goes out.
        entry.session.sent(Some(packet_id), QoS::ExactlyOnce, origin, None, u64::MAX);
        self.lease_not_over(id, packet_id);
        if let Some(delivering) = self.keep_behind(Box::new(delivering)) {
            let event = SessionEvent::Leased(KeptLease { packet_id, sink, offset });
            self.log_session(id, event, Waiting::Lease(delivering));
        }
    }

    /// The log knows the packet id: the PUBLISH goes out, if its consumer is still there.
    pub(super) fn lease_stored<O: Outbox>(&mut self, delivering: Box<Delivering>, out: &mut O) {
        let Some(delivering) = self.keep_behind(delivering) else { return };
        let Delivering { conn, session: id, consumer, .. } = *delivering;
        if self.consumers.get(consumer).is_none() {
            self.unsend_lease(&delivering);
        } else if self.sessions.get(id).is_some_and(|entry| entry.conn == Some(conn)) {
            self.put_kept(&delivering, false, out);
        }
    }

    /// It does not. A full log may take it later; else the message goes back to its queue.
    pub(super) fn lease_not_stored(&mut self, delivering: Box<Delivering>, error: &AppendError) {
        if self.consumers.get(delivering.consumer).is_none() {
            self.unsend_lease(&delivering);
        } else if *error == AppendError::Full {
            self.keep_back(delivering);
        } else {
            self.give_back_lease(&delivering);
        }
    }

    /// A delivery does not go out, and its message goes back to its queue, which tries again later.
    pub(super) fn give_back_lease(&mut self, delivering: &Delivering) {
        let Delivering { consumer, offset, attempt, .. } = *delivering;
        self.unsend_lease(delivering);
        self.settle_as(consumer, offset, attempt, Outcome::Busy);
    }

    /// A delivery does not go out: its packet id is free, if the connection that it was for is still there.
    pub(super) fn unsend_lease(&mut self, delivering: &Delivering) {
        let Delivering { conn, session: id, packet_id, .. } = *delivering;
        if let Some(entry) = self.sessions.get_mut(id).filter(|entry| entry.conn == Some(conn)) {
            entry.session.unsend(packet_id);
            self.lease_over(id, packet_id);
        }
    }

    fn put_kept<O: Outbox>(&mut self, delivering: &Delivering, again: bool, out: &mut O) {
        let Delivering { conn, session: id, packet_id, consumer, offset, attempt, .. } =
            *delivering;
        let Delivering { message, identifiers, .. } = delivering;
        let origin = Origin::Queue { consumer: consumer.0, offset: offset.0, attempt };
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
                let Some(entry) = self.sessions.get(id) else { return };
                let now = self.turn.unix_ms;
                let to = To::of(&mut self.traces, &self.consumers, entry, origin, now);
                put_publish(buffer, &mut state.connection, &outgoing, to)
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

    /// Whom a consumer reads a stream for, if it is one that does.
    fn reader_by(&self, id: SessionId, consumer: ConsumerId) -> Option<ReaderName> {
        let consumer = self.consumers.get(consumer)?;
        let is_stream = consumer.what == SinkKind::Stream;
        is_stream.then(|| self.reader_name(id, &consumer.address))?
    }

    fn log_lease_received(&mut self, id: SessionId, packet_id: PacketId) {
        let extras = self.sessions.get(id).and_then(|entry| entry.extras.as_ref());
        let lease = extras.and_then(|extras| extras.leases.0.get(&packet_id).cloned());
        if let Some(Leased { sink, offset, reader, .. }) = lease {
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
        let unstored = extras.leases.0.iter().filter(|(_, one)| one.state == State::Unstored);
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
        if extras.is_some_and(|extras| extras.leases.0.remove(&packet_id).is_some()) {
            self.note_lease_over(id, packet_id);
        }
    }

    /// The connection is gone: what the client cannot have got is forgotten.
    pub(super) fn hold_leases(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let session = &entry.session;
        let Some(extras) = entry.extras.as_mut() else { return };
        let is_gone = |(packet_id, one): (&PacketId, &Leased)| {
            let is_gone = match one.state {
                State::Received => false,
                _ => !session.holds(*packet_id),
            };
            is_gone.then_some(*packet_id)
        };
        let gone: Vec<PacketId> = extras.leases.0.iter().filter_map(is_gone).collect();
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
                let state = self.consumers.get(consumer)?;
                Some((state.sink, state.owner, consumer, self.reader_by(id, consumer)))
            })
            .collect();
        for (packet_id, Leased { sink, offset, reader, state }) in &extras.leases.0 {
            let is_by = |of: &Option<ReaderName>| reader.is_none() || reader == of;
            let consumer = consuming.iter().find(|(to, _, _, of)| to == sink && is_by(of));
            match (state, consumer) {
                (State::Sent, Some((sink, owner, consumer, _))) => {
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
        let reader = self.reader_by(id, consumer);
        for offset in offsets {
            let Some(entry) = self.sessions.get(id) else { return };
            let is_held = |packet_id| entry.session.holds(packet_id);
            let extras = entry.extras.as_ref();
            let packet_id = extras
                .and_then(|extras| extras.leases.find((sink, *offset), reader.as_ref(), is_held));
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
