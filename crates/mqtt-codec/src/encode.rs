//! From any packet to bytes. A broker's hot paths are in `outgoing` and `ack`.

use mqtt_types::ProtocolVersion;

use crate::ack::AckKind;
use crate::error::EncodeError;
use crate::outgoing::{OutgoingPublish, encode_publish};
use crate::packet::Packet;
use crate::packet_type::PacketType;
use crate::publish::Publish;

/// Appends a packet as `version` writes it; a CONNECT brings its own version. What the version has no place for, such
/// as properties before 5.0, is left out. On an error `out` is as it was.
///
/// # Errors
/// A field or the packet is longer than its length can say, or the packet is not one of the version.
pub fn encode(
    packet: &Packet<'_>,
    version: ProtocolVersion,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    match packet {
        Packet::Connect(connect) => connect.encode(out),
        Packet::ConnAck(connack) => connack.encode(version, out),
        Packet::Publish(publish) => encode_publish(out, version, &as_outgoing(publish)).map(|_| ()),
        Packet::PubAck(ack) => ack.encode(AckKind::PubAck, version, out),
        Packet::PubRec(ack) => ack.encode(AckKind::PubRec, version, out),
        Packet::PubRel(ack) => ack.encode(AckKind::PubRel, version, out),
        Packet::PubComp(ack) => ack.encode(AckKind::PubComp, version, out),
        Packet::Subscribe(subscribe) => subscribe.encode(version, out),
        Packet::SubAck(suback) => suback.encode(version, out),
        Packet::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
        Packet::UnsubAck(unsuback) => unsuback.encode(version, out),
        Packet::PingReq => {
            out.extend_from_slice(&[PacketType::PingReq.first_byte(), 0]);
            Ok(())
        }
        Packet::PingResp => {
            out.extend_from_slice(&[PacketType::PingResp.first_byte(), 0]);
            Ok(())
        }
        Packet::Disconnect(disconnect) => disconnect.encode(version, out),
        Packet::Auth(auth) => auth.encode(version, out),
    }
}

/// The whole block as it came, so that nothing is to be added to it.
const fn as_outgoing<'a>(publish: &Publish<'a>) -> OutgoingPublish<'a> {
    OutgoingPublish {
        dup: publish.dup,
        qos: publish.qos,
        retain: publish.retain,
        topic: publish.topic,
        packet_id: publish.packet_id,
        topic_alias: None,
        message_expiry_interval: None,
        subscription_identifiers: &[],
        properties: publish.properties.raw,
        user_properties: &[],
        payload: publish.payload,
    }
}
