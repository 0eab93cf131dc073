//! Where a packet ends, by its fixed header alone. It must not know bodies.

use mqtt_types::ProtocolVersion;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::limits::Limits;
use crate::packet_type::PacketType;
use crate::varint;

/// Whether a buffer starts with a whole packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameStatus {
    /// The packet goes on beyond the buffer.
    Incomplete {
        /// How many more bytes must come at least; exact once the fixed header is whole.
        needed: usize,
    },
    /// The packet is whole.
    Complete {
        /// Its length, fixed header included.
        len: usize,
    },
}

/// A fixed header that is legal in some version of MQTT.
///
/// ```text
/// bit     7 6 5 4   3    2 1    0
/// byte 1  type      DUP  QoS    RETAIN      (flags of PUBLISH; fixed for all others)
/// byte 2… remaining length, 1 to 4 bytes
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct FixedHeader {
    pub(crate) packet_type: PacketType,
    pub(crate) flags: u8,
    /// Where the body starts.
    pub(crate) body_at: usize,
    /// Where it ends.
    pub(crate) len: usize,
}

const DUP: u8 = 0b1000;
const QOS: u8 = 0b0110;

impl FixedHeader {
    /// Reads it, `None` when it goes on beyond the buffer. A wrong first byte is told before the rest comes.
    #[inline]
    pub(crate) fn read(buffer: &[u8], limits: &Limits) -> Result<Option<Self>, DecodeError> {
        let Some((&first, rest)) = buffer.split_first() else { return Ok(None) };
        let Some(packet_type) = PacketType::from_first_byte(first) else {
            return Err(DecodeError { kind: DecodeErrorKind::PacketTypeReserved, packet: None });
        };
        let flags = first & 0x0F;
        check_flags(packet_type, flags).map_err(|kind| kind.within(packet_type))?;
        let read = varint::read(rest).map_err(|kind| kind.within(packet_type))?;
        let Some((remaining, count)) = read else { return Ok(None) };
        let body_at = 1 + count;
        let len = body_at + remaining as usize;
        if len > limits.max_packet_size as usize {
            let (len, limit) = (remaining + 1 + count as u32, limits.max_packet_size);
            return Err(DecodeErrorKind::PacketTooLarge { len, limit }.within(packet_type));
        }
        Ok(Some(Self { packet_type, flags, body_at, len }))
    }

    /// Checks what depends on the version: DUP on PUBREL, SUBSCRIBE and UNSUBSCRIBE, which 3.1 had, DUP at QoS 0, of
    /// which 3.1 says nothing, and AUTH, which came with 5.0.
    #[inline]
    pub(crate) fn check_version(&self, version: ProtocolVersion) -> Result<(), DecodeErrorKind> {
        if self.packet_type == PacketType::Publish {
            let dup_at_qos_0 = self.flags & (DUP | QOS) == DUP;
            return if dup_at_qos_0 && version != ProtocolVersion::V3_1 {
                Err(DecodeErrorKind::DupAtQoS0)
            } else {
                Ok(())
            };
        }
        if self.flags & DUP != 0 && version != ProtocolVersion::V3_1 {
            return Err(DecodeErrorKind::FlagsReserved);
        }
        if self.packet_type == PacketType::Auth && !version.is_v5() {
            return Err(DecodeErrorKind::PacketTypeReserved);
        }
        Ok(())
    }
}

/// Refuses flags that no version of MQTT allows.
#[inline]
const fn check_flags(packet_type: PacketType, flags: u8) -> Result<(), DecodeErrorKind> {
    match packet_type {
        PacketType::Publish if flags & QOS == QOS => Err(DecodeErrorKind::QoS3),
        PacketType::Publish => Ok(()),
        PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => {
            if flags & !DUP == packet_type.fixed_flags() {
                Ok(())
            } else {
                Err(DecodeErrorKind::FlagsReserved)
            }
        }
        _ if flags == 0 => Ok(()),
        _ => Err(DecodeErrorKind::FlagsReserved),
    }
}

/// Tells whether `buffer` starts with a whole packet, looking at its fixed header only.
///
/// # Errors
/// The type or the flags exist in no version of MQTT, the length is malformed, or the packet is too large.
pub fn frame(buffer: &[u8], limits: &Limits) -> Result<FrameStatus, DecodeError> {
    Ok(match FixedHeader::read(buffer, limits)? {
        Some(header) if header.len <= buffer.len() => FrameStatus::Complete { len: header.len },
        Some(header) => FrameStatus::Incomplete { needed: header.len - buffer.len() },
        None => FrameStatus::Incomplete { needed: if buffer.is_empty() { 2 } else { 1 } },
    })
}
