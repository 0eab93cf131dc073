//! What an earlier connection left unacknowledged goes out again.

use std::sync::Arc;

use mqtt_codec::AckKind;
use mqtt_session::{Delivery, Origin, Resend};
use mqtt_types::{PacketId, QoS, ReasonCode};

use super::Shard;
use super::send::{Sent, put_again};
use super::trace::To;
use crate::ids::{ConnId, SessionId};
use crate::outbox::Outbox;

impl Shard {
    /// Sends again what an earlier connection left unacknowledged, in the original order. `[MQTT-4.4.0-1]`
    pub(super) fn resend<O: Outbox>(&mut self, id: SessionId, out: &mut O) {
        let mut resends = Vec::new();
        while let Some(entry) =
            self.sessions.get_mut(id).filter(|entry| entry.session.is_resuming())
        {
            let Some(conn) = entry.conn else { return };
            entry.session.resume(&mut resends);
            let mut frees_place = false;
            for resend in resends.drain(..) {
                match resend {
                    Resend::PubRel { packet_id } => {
                        self.send_ack(conn, AckKind::PubRel, packet_id, ReasonCode::SUCCESS, out);
                    }
                    Resend::Publish { packet_id, delivery } => {
                        frees_place |= !self.publish_again(id, conn, packet_id, &delivery, out);
                    }
                }
            }
            if !frees_place {
                return;
            }
        }
    }

    /// False when the message is given up, because the client takes no packet of its size any more, and its place is free.
    fn publish_again<O: Outbox>(
        &mut self,
        id: SessionId,
        conn: ConnId,
        packet_id: PacketId,
        delivery: &Arc<Delivery>,
        out: &mut O,
    ) -> bool {
        let Some(state) = self.conns.get_mut(conn) else { return true };
        let Some(buffer) = out.buffer(conn) else { return true };
        let Some(entry) = self.sessions.get(id) else { return true };
        let unix_ms = self.turn.unix_ms;
        let to = To::of(&mut self.traces, &self.consumers, entry, Origin::Live, unix_ms);
        if put_again(buffer, &mut state.connection, delivery, packet_id, (unix_ms, to)) == Sent::Yes
        {
            self.counts.publishes_sent_total += 1;
            return true;
        }
        self.counts.live_dropped_total += 1;
        let Some(entry) = self.sessions.get_mut(id) else { return true };
        if delivery.qos == QoS::ExactlyOnce {
            // The client may have it: it must forget the packet id before another message bears it.
            let _ = entry.session.on_pubrec(packet_id, ReasonCode::SUCCESS);
            self.send_ack(conn, AckKind::PubRel, packet_id, ReasonCode::SUCCESS, out);
        } else {
            let _ = entry.session.on_puback(packet_id, ReasonCode::SUCCESS);
        }
        delivery.qos == QoS::ExactlyOnce
    }
}
