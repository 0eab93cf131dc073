//! From bytes to a packet: finds the frame and gives its body to the packet's own decoder.

use mqtt_types::ProtocolVersion;

use crate::ack::{Ack, AckKind};
use crate::connack::ConnAck;
use crate::connect::Connect;
use crate::disconnect::{Auth, Disconnect};
use crate::error::DecodeError;
use crate::frame::FixedHeader;
use crate::limits::Limits;
use crate::packet::Packet;
use crate::packet_type::PacketType;
use crate::publish::Publish;
use crate::reader::{ReadResult, Reader};
use crate::suback::{SubAck, UnsubAck};
use crate::subscribe::Subscribe;
use crate::unsubscribe::Unsubscribe;

/// Decodes the packet at the head of `buffer`, and says how many bytes it took. `None` when it goes on beyond the
/// buffer: come again with more. A CONNECT brings its own version; `version` is for all else.
///
/// # Errors
/// The rule that the bytes break. No more bytes can mend that: the connection is to be closed. `[MQTT-4.13.1-1]`
#[inline]
pub fn decode<'a>(
    buffer: &'a [u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> Result<Option<(Packet<'a>, usize)>, DecodeError> {
    let Some(header) = FixedHeader::read(buffer, limits)? else { return Ok(None) };
    if let Err(kind) = header.check_version(version) {
        return Err(kind.within(header.packet_type));
    }
    let Some(body) = buffer.get(header.body_at..header.len) else { return Ok(None) };
    match decode_body(&header, body, version, limits) {
        Ok(packet) => Ok(Some((packet, header.len))),
        Err(kind) => Err(kind.within(header.packet_type)),
    }
}

#[inline]
fn decode_body<'a>(
    header: &FixedHeader,
    body: &'a [u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> ReadResult<Packet<'a>> {
    let ack = |kind| Ack::decode(kind, body, version, limits);
    Ok(match header.packet_type {
        PacketType::Publish => {
            Packet::Publish(Publish::decode(header.flags, body, version, limits)?)
        }
        PacketType::PubAck => Packet::PubAck(ack(AckKind::PubAck)?),
        PacketType::PubRec => Packet::PubRec(ack(AckKind::PubRec)?),
        PacketType::PubRel => Packet::PubRel(ack(AckKind::PubRel)?),
        PacketType::PubComp => Packet::PubComp(ack(AckKind::PubComp)?),
        PacketType::Connect => Packet::Connect(Connect::decode(body, limits)?),
        PacketType::ConnAck => Packet::ConnAck(ConnAck::decode(body, version, limits)?),
        PacketType::Subscribe => Packet::Subscribe(Subscribe::decode(body, version, limits)?),
        PacketType::SubAck => Packet::SubAck(SubAck::decode(body, version, limits)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe::decode(body, version, limits)?),
        PacketType::UnsubAck => Packet::UnsubAck(UnsubAck::decode(body, version, limits)?),
        PacketType::PingReq => empty(body, Packet::PingReq)?,
        PacketType::PingResp => empty(body, Packet::PingResp)?,
        PacketType::Disconnect => Packet::Disconnect(Disconnect::decode(body, version, limits)?),
        PacketType::Auth => Packet::Auth(Auth::decode(body, limits)?),
    })
}

fn empty<'a>(body: &[u8], packet: Packet<'a>) -> ReadResult<Packet<'a>> {
    Reader::new(body).finish().map(|()| packet)
}
