//! Deliveries of queues at QoS 2 whose packet ids storage knows: so the client sees each message once, over the end of the
//! connection and of the broker. It must not know storage.
//!
//! ```text
//! keep ── PUBLISH, sent_at ──▶ sent ── PUBREC, settle_sent; stored; on_pubrec, PUBREL ──▶ PUBCOMP
//!                               │ ▲
//!               connection lost ▼ │ send_again: the message comes again
//!                              held ── end_held: it does not, PUBREL ──▶ PUBCOMP
//! ```

use mqtt_types::{PacketId, QoS};

use super::{Origin, Session};
use crate::in_flight::{Slot, awaiting};

impl Session {
    /// Storage knows the packet id, or will before its PUBLISH goes out; also of a session that was restored.
    pub fn keep(&mut self, packet_id: PacketId) {
        self.in_flight.keep(packet_id);
    }

    /// Whether the client may hold the packet id from an earlier connection, and nothing was sent for it on this one.
    #[must_use]
    pub fn holds(&self, packet_id: PacketId) -> bool {
        self.in_flight.is_held(packet_id)
    }

    /// The message of a held packet id goes out again, with DUP, its last byte at `mark`. `[MQTT-3.3.1-1]`
    pub fn send_again(&mut self, packet_id: PacketId, origin: Origin, mark: u64) {
        let slot = Slot { origin, mark, delivery: None, awaiting: awaiting(QoS::ExactlyOnce) };
        self.in_flight.send_held(packet_id, slot);
    }

    /// The message of a held packet id does not come again: send PUBREL if it was held.
    pub fn end_held(&mut self, packet_id: PacketId) -> bool {
        self.in_flight.end_held(packet_id)
    }

    /// The PUBLISH that waited for storage has gone out, its last byte at `mark`.
    pub fn sent_at(&mut self, packet_id: PacketId, mark: u64) {
        self.in_flight.sent_at(packet_id, mark);
    }

    /// The delivery of that packet id leaves the session's care before the handshake goes on; none when it was given back.
    pub fn settle_sent(&mut self, packet_id: PacketId) -> Option<Origin> {
        self.in_flight.take_origin(packet_id)
    }

    /// The PUBLISH does not go out: its packet id is free.
    pub fn unsend(&mut self, packet_id: PacketId) {
        self.in_flight.unsend(packet_id);
    }
}
