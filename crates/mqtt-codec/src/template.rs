//! A PUBLISH encoded once for many receivers, who differ in packet identifier and DUP only.

use mqtt_types::{PacketId, ProtocolVersion, QoS};

use crate::error::EncodeError;
use crate::outgoing::{OutgoingPublish, encode_publish};

/// A PUBLISH whose bytes are shared by a fan-out.
///
/// ```text
/// head: fixed header, topic name | packet identifier (QoS > 0) | tail: property block (5.0), payload
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishTemplate {
    bytes: Vec<u8>,
    packet_id_at: Option<usize>,
}

const DUP: u8 = 0b1000;

impl PublishTemplate {
    /// Encodes a PUBLISH; its packet identifier is ignored.
    ///
    /// # Errors
    /// A field or the packet is longer than its length can say.
    pub fn new(
        version: ProtocolVersion,
        publish: &OutgoingPublish<'_>,
    ) -> Result<Self, EncodeError> {
        let packet_id = (publish.qos != QoS::AtMostOnce).then_some(PacketId::MIN);
        let mut bytes = Vec::new();
        let encoded =
            encode_publish(&mut bytes, version, &OutgoingPublish { packet_id, ..*publish })?;
        Ok(Self { bytes, packet_id_at: encoded.packet_id_at })
    }

    /// The length of every copy in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a packet is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether copies need a packet identifier: the QoS is above 0.
    #[must_use]
    pub const fn needs_packet_id(&self) -> bool {
        self.packet_id_at.is_some()
    }

    /// Appends a copy for one receiver.
    ///
    /// # Errors
    /// A packet identifier is there and not needed, or the other way round; `out` is as it was. `[MQTT-2.2.1-2]`
    #[inline]
    pub fn write_to(
        &self,
        out: &mut Vec<u8>,
        packet_id: Option<PacketId>,
        dup: bool,
    ) -> Result<(), EncodeError> {
        if self.needs_packet_id() != packet_id.is_some() {
            return Err(EncodeError::PacketId);
        }
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let Some(copy) = out.get_mut(start..) else { return Ok(()) };
        if let Some((at, packet_id)) = self.packet_id_at.zip(packet_id)
            && let Some(place) = copy.get_mut(at..at + 2)
        {
            place.copy_from_slice(&packet_id.get().to_be_bytes());
        }
        if let Some(first) = copy.first_mut().filter(|_| dup && packet_id.is_some()) {
            *first |= DUP;
        }
        Ok(())
    }

    /// What lies before and behind the packet identifier, for a vectored write; all is head at QoS 0.
    #[must_use]
    pub fn parts(&self) -> (&[u8], &[u8]) {
        let Some(at) = self.packet_id_at else { return (&self.bytes, &[]) };
        (self.bytes.get(..at).unwrap_or_default(), self.bytes.get(at + 2..).unwrap_or_default())
    }
}
