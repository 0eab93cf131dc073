//! The packet ids of incoming PUBLISH packets at QoS 2. It must not know the messages.

use mqtt_types::{PacketId, ReasonCode};

use crate::packet_id_set::PacketIdSet;

/// What an incoming PUBLISH at QoS 2 is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incoming2 {
    /// A new message: store it, then say [`stored`](crate::Session::stored_qos2) or
    /// [`refused`](crate::Session::refuse_qos2).
    New,
    /// A repeated one whose message is stored: send PUBREC again, deliver nothing. `[MQTT-4.3.3-10]`
    Duplicate,
    /// A repeated one whose message is being stored: its PUBREC waits for that outcome, see
    /// [`ack_begin_repeated`](crate::Connection::ack_begin_repeated).
    InProgress,
}

/// Where each packet id stands on its way in.
///
/// ```text
///           PUBLISH            stored: PUBREC < 0x80          PUBREL: PUBCOMP 0x00
///  (free) ──────────▶ storing ──────────────────────▶ stored ──────────────────────▶ (free)
///    ▲                   │
///    └───────────────────┘ refused: PUBREC >= 0x80
/// ```
/// PUBREL in `(free)` is answered by PUBCOMP 0x92; in `storing` it is a protocol error, as no PUBREC was sent.
#[derive(Debug, Default)]
pub(crate) struct IncomingQos2 {
    known: PacketIdSet,
    storing: PacketIdSet,
    /// Those that storage has.
    kept: PacketIdSet,
}

impl IncomingQos2 {
    pub(crate) const fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(crate) fn receive(&mut self, id: PacketId) -> Incoming2 {
        if self.known.insert(id) {
            self.storing.insert(id);
            return Incoming2::New;
        }
        if self.storing.contains(id) { Incoming2::InProgress } else { Incoming2::Duplicate }
    }

    pub(crate) fn stored(&mut self, id: PacketId) {
        self.storing.remove(id);
    }

    pub(crate) fn refuse(&mut self, id: PacketId) {
        if self.storing.remove(id) {
            self.known.remove(id);
            self.kept.remove(id);
        }
    }

    pub(crate) fn is_kept(&self, id: PacketId) -> bool {
        self.kept.contains(id)
    }

    pub(crate) fn keep(&mut self, id: PacketId) {
        self.known.insert(id);
        self.kept.insert(id);
    }

    /// The ids that storage has, or will have with the commit of what was handed to it.
    pub(crate) fn kept_ids(&self) -> impl Iterator<Item = PacketId> {
        self.kept.iter().filter(|id| !self.storing.contains(*id))
    }

    pub(crate) fn pubrel(&mut self, id: PacketId) -> ReasonCode {
        if self.storing.contains(id) {
            return ReasonCode::PROTOCOL_ERROR;
        }
        self.kept.remove(id);
        if self.known.remove(id) {
            ReasonCode::SUCCESS
        } else {
            ReasonCode::PACKET_IDENTIFIER_NOT_FOUND
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.known.is_sound()
            && self.storing.is_sound()
            && self.storing.iter().chain(self.kept.iter()).all(|id| self.known.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_id_walks_the_chart() {
        let id = PacketId::MIN;
        let mut incoming = IncomingQos2::default();
        assert_eq!(incoming.pubrel(id), ReasonCode::PACKET_IDENTIFIER_NOT_FOUND);
        assert_eq!(incoming.receive(id), Incoming2::New);
        assert_eq!(incoming.receive(id), Incoming2::InProgress);
        assert_eq!(incoming.pubrel(id), ReasonCode::PROTOCOL_ERROR);
        incoming.keep(id);
        assert_eq!(incoming.kept_ids().count(), 0, "not yet");
        incoming.stored(id);
        // `[MQTT-4.3.3-10]`: until PUBREL it is the same message.
        assert_eq!(incoming.receive(id), Incoming2::Duplicate);
        incoming.refuse(id);
        assert_eq!(
            incoming.receive(id),
            Incoming2::Duplicate,
            "what is stored cannot be refused any more"
        );
        assert_eq!(incoming.kept_ids().collect::<Vec<_>>(), [id]);
        assert_eq!(incoming.pubrel(id), ReasonCode::SUCCESS);
        // `[MQTT-4.3.3-12]`: after PUBCOMP it is a new one.
        assert_eq!(incoming.receive(id), Incoming2::New);
        incoming.refuse(id);
        // `[MQTT-4.3.3-9]`: a PUBREC of 0x80 or more frees the id.
        assert_eq!(incoming.receive(id), Incoming2::New);
        assert!(incoming.is_sound());
    }
}
