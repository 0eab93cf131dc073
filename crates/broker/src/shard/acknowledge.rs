//! PUBACK, PUBREC, PUBREL, PUBCOMP from a client: credit comes back, queues hear the verdict.

use std::sync::Arc;

use mqtt_codec::{Ack, AckKind};
use mqtt_session::{Completed, Inbox, Origin, PubRecVerdict};
use mqtt_types::{QoS, ReasonCode};
use queue_engine::{ConsumerId, Offset, Outcome};

use super::Shard;
use super::leases::Delivering;
use super::send::{Sent, put_delivery, reason_of};
use super::trace::To;
use crate::ids::{ConnId, SessionId};
use crate::mail::{Letter, LoanOutcome};
use crate::outbox::Outbox;

impl Shard {
    #[inline]
    pub(super) fn on_puback<O: Outbox>(&mut self, conn: ConnId, ack: &Ack<'_>, out: &mut O) {
        let Some(id) = self.conns.get(conn).map(|state| state.session) else { return };
        let delivery = (ack.packet_id, QoS::AtLeastOnce);
        self.traces.answered(id, delivery, reason_of(ack), self.turn.unix_ms);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        match entry.session.on_puback(ack.packet_id, reason_of(ack)) {
            Ok(completed) => {
                let session = &entry.session;
                let more = session.pending_len() > 0
                    || session.is_resuming()
                    || session.inbox().is_some_and(Inbox::has_more)
                    || entry.is_replaying();
                let is_member = entry.extras.is_some();
                self.settle(id, completed);
                if more {
                    self.pump(id, out);
                }
                if is_member {
                    self.answered(id);
                }
            }
            Err(reason) => {
                // Maybe a late answer for what another member has meanwhile, whose place in the window is free now.
                self.answered(id);
                if id.is_durable() {
                    self.pump(id, out);
                }
                self.after_unknown(conn, reason, out);
            }
        }
    }

    pub(super) fn on_pubrec<O: Outbox>(&mut self, conn: ConnId, ack: &Ack<'_>, out: &mut O) {
        let Some(id) = self.conns.get(conn).map(|state| state.session) else { return };
        let delivery = (ack.packet_id, QoS::ExactlyOnce);
        self.traces.answered(id, delivery, reason_of(ack), self.turn.unix_ms);
        if id.is_durable() && self.received_from_queue(id, ack.packet_id, reason_of(ack)) {
            return;
        }
        let Some(entry) = self.sessions.get_mut(id) else { return };
        match entry.session.on_pubrec(ack.packet_id, reason_of(ack)) {
            Ok(PubRecVerdict::SendPubRel { settled }) => {
                self.send_ack(conn, AckKind::PubRel, ack.packet_id, ReasonCode::SUCCESS, out);
                if let Some(completed) = settled {
                    self.settle(id, completed);
                }
                self.answered(id);
            }
            Ok(PubRecVerdict::Store(gone)) => self.received_from_inbox(id, gone),
            Ok(PubRecVerdict::BeingStored) => {}
            Ok(PubRecVerdict::StoreAgain(sequence)) => self.log_received(id, sequence),
            Ok(PubRecVerdict::Completed(completed)) => {
                self.lease_over(id, ack.packet_id);
                self.settle(id, completed);
                self.pump(id, out);
                self.answered(id);
            }
            Err(reason @ ReasonCode::PACKET_IDENTIFIER_NOT_FOUND) => {
                self.send_ack(conn, AckKind::PubRel, ack.packet_id, reason, out);
            }
            Err(reason) => self.after_unknown(conn, reason, out),
        }
    }

    pub(super) fn on_pubrel<O: Outbox>(&mut self, conn: ConnId, ack: &Ack<'_>, out: &mut O) {
        let Some(id) = self.conns.get(conn).map(|state| state.session) else { return };
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let is_kept = entry.session.keeps_qos2(ack.packet_id);
        let reason = entry.session.on_pubrel(ack.packet_id);
        if is_kept && reason == ReasonCode::SUCCESS {
            self.release_stored(conn, id, ack.packet_id);
            return;
        }
        if reason == ReasonCode::PACKET_IDENTIFIER_NOT_FOUND
            && id.is_durable()
            && self.is_being_released(conn, id, ack.packet_id)
        {
            return; // Its PUBCOMP is on its way.
        }
        if reason == ReasonCode::PROTOCOL_ERROR {
            self.end_connection(conn, reason, Some("PUBREL for a PUBLISH without PUBREC"), out);
            return;
        }
        self.send_pubcomp(conn, ack.packet_id, reason, out);
    }

    pub(super) fn on_pubcomp<O: Outbox>(&mut self, conn: ConnId, ack: &Ack<'_>, out: &mut O) {
        let Some(id) = self.conns.get(conn).map(|state| state.session) else { return };
        let Some(entry) = self.sessions.get_mut(id) else { return };
        match entry.session.on_pubcomp(ack.packet_id) {
            Ok(kept) => {
                match kept {
                    Some(sequence) => self.forget_in_inbox(id, sequence),
                    None => self.lease_over(id, ack.packet_id),
                }
                self.pump(id, out);
                self.answered(id);
            }
            Err(reason) => self.after_unknown(conn, reason, out),
        }
    }

    /// An acknowledgement of nothing is harmless after a lost session; one of the wrong kind is a protocol error.
    fn after_unknown<O: Outbox>(&mut self, conn: ConnId, reason: ReasonCode, out: &mut O) {
        if reason == ReasonCode::PROTOCOL_ERROR {
            self.end_connection(
                conn,
                reason,
                Some("acknowledgement of another kind than the PUBLISH needs"),
                out,
            );
        }
    }

    /// Tells a queue what its consumer made of a message (contract §3, settling); takes one of the inbox out.
    pub(super) fn settle(&mut self, id: SessionId, completed: Completed) {
        let is_queue = matches!(completed.origin, Origin::Queue { .. });
        // Discarded: nobody else gets it, nor this client again. `[MQTT-4.8.2-6]`
        self.counts.negative_acks_total += u64::from(completed.reason.is_error() && !is_queue);
        let (consumer, offset, attempt) = match completed.origin {
            Origin::Queue { consumer, offset, attempt } => (consumer, offset, attempt),
            Origin::Inbox(gone) => return self.left_inbox(id, gone),
            Origin::Lent { loan, .. } => return self.loan_ends(loan, LoanOutcome::Settled),
            Origin::Live | Origin::Shared { .. } => return,
        };
        let outcome = match completed.reason {
            ReasonCode::QUOTA_EXCEEDED => Outcome::Busy,
            ReasonCode::PAYLOAD_FORMAT_INVALID => Outcome::Reject,
            reason if reason.is_error() => Outcome::Release,
            _ => Outcome::Accept,
        };
        self.settle_as(ConsumerId(consumer), Offset(offset), attempt, outcome);
    }

    pub(super) fn settle_as(
        &mut self,
        consumer: ConsumerId,
        offset: Offset,
        attempt: u32,
        outcome: Outcome,
    ) {
        let Some(state) = self.consumers.get(consumer) else { return };
        let sink = state.sink;
        self.turn.mail(state.owner, Letter::Settle { sink, consumer, offset, attempt, outcome });
    }

    /// Sends what waits in a session, as far as its window and its connection's output go.
    pub(super) fn pump<O: Outbox>(&mut self, id: SessionId, out: &mut O) {
        self.resend(id, out);
        self.pump_inbox(id, out);
        self.pump_pending(id, out);
        if let Some(entry) = self.sessions.get_mut(id) {
            entry.tell_others();
        }
        self.replay(id, out);
    }

    fn pump_pending<O: Outbox>(&mut self, id: SessionId, out: &mut O) {
        let unix_ms = self.turn.unix_ms;
        loop {
            let Some(entry) = self.sessions.get_mut(id) else { return };
            let Some(conn) = entry.conn else { return };
            let Some(state) = self.conns.get_mut(conn) else { return };
            let Some(buffer) = out.buffer(conn) else { return };
            if !self.shared.takes_more(buffer.len()) {
                out.notify_drained(conn);
                return;
            }
            let Some(pending) = entry.session.next_pending() else { break };
            entry.account(&self.shared.budgets.memory);
            let delivery = &pending.delivery;
            if let (Origin::Queue { consumer, offset, attempt }, Some(packet_id)) =
                (pending.origin, pending.packet_id)
                && Self::keeps_lease(id, delivery.qos)
            {
                let delivering = Delivering {
                    conn,
                    session: id,
                    packet_id,
                    consumer: ConsumerId(consumer),
                    offset: Offset(offset),
                    attempt,
                    place: self.leases_again.next(),
                    message: delivery.message.clone(),
                    identifiers: delivery.subscription_identifiers.clone(),
                };
                self.deliver_kept(delivering, out);
                continue;
            }
            let to = To::of(&mut self.traces, &self.consumers, entry, pending.origin, unix_ms);
            let (connection, packet_id) = (&mut state.connection, pending.packet_id);
            let sent = put_delivery(buffer, connection, delivery, packet_id, (unix_ms, to));
            if sent == Sent::Yes {
                self.counts.publishes_sent_total += 1;
                let qos = delivery.qos;
                let is_kept = match pending.origin {
                    Origin::Shared { .. } => qos == QoS::AtLeastOnce,
                    _ => entry.session.outlives_connection(),
                };
                let kept = is_kept.then(|| Arc::clone(&pending.delivery));
                entry.session.sent(pending.packet_id, qos, pending.origin, kept, out.mark(conn));
                if entry.session.has_unwritten() {
                    out.notify_drained(conn);
                }
            } else {
                self.not_sent(pending.origin, sent);
            }
        }
    }

    /// A message that could not go to this client.
    pub(super) fn not_sent(&mut self, origin: Origin, sent: Sent) {
        let Origin::Queue { consumer, offset, attempt } = origin else {
            self.counts.live_dropped_total += 1;
            if let Origin::Lent { loan, .. } = origin {
                self.loan_ends(loan, LoanOutcome::Settled);
            }
            return;
        };
        let (consumer, offset) = (ConsumerId(consumer), Offset(offset));
        if sent == Sent::Expired {
            self.settle_as(consumer, offset, attempt, Outcome::Expired);
        } else if let Some(state) = self.consumers.get(consumer) {
            let sink = state.sink;
            self.turn.mail(state.owner, Letter::TooLarge { sink, consumer, offset, attempt });
        }
    }
}
