//! SUBACK (§3.9) and UNSUBACK (§3.11), which answer filter by filter.

use mqtt_types::{PacketId, ProtocolVersion, ReasonCode};

use crate::error::DecodeErrorKind;
use crate::limits::Limits;
use crate::packet_type::PacketType;
use crate::properties::Properties;
use crate::property_owner::PropertyOwner;
use crate::reader::{ReadResult, Reader};
use crate::writer::{self, WriteResult};

/// A SUBACK: packet identifier (u16) | property block (5.0) | reason code (u8), one for each filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubAck<'a> {
    /// The SUBSCRIBE it answers.
    pub packet_id: PacketId,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
    /// One reason code for each filter, in their order. 3.x knows one failure only, 0x80: every code from 0x80 on is
    /// written so.
    pub reason_codes: &'a [u8],
}

/// An UNSUBACK: packet identifier (u16) | property block and reason codes (5.0).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnsubAck<'a> {
    /// The UNSUBSCRIBE it answers.
    pub packet_id: PacketId,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
    /// One reason code for each filter, in their order; none before 5.0.
    pub reason_codes: &'a [u8],
}

impl<'a> SubAck<'a> {
    pub(crate) fn decode(
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> ReadResult<Self> {
        let mut reader = Reader::new(body);
        let packet_id = reader.packet_id()?;
        let properties =
            Properties::read(&mut reader, PropertyOwner::SubAck, version, limits.from)?;
        let reason_codes = reader.left();
        check(reason_codes, |code| {
            // [MQTT-3.9.3-2], [MQTT311-3.9.3-2]: 3.1.1 has four of them, and 3.1 servers send 0x80 too.
            match code {
                0x00..=0x02 | 0x80 => true,
                0x83 | 0x87 | 0x8F | 0x91 | 0x97 | 0x9E | 0xA1 | 0xA2 => version.is_v5(),
                _ => false,
            }
        })?;
        Ok(Self { packet_id, properties, reason_codes })
    }

    pub(crate) fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> WriteResult {
        writer::packet(out, PacketType::SubAck.first_byte(), |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            if version.is_v5() {
                self.properties.write(version, out)?;
                out.extend_from_slice(self.reason_codes);
            } else {
                out.extend(self.reason_codes.iter().map(|&code| code.min(0x80)));
            }
            Ok(())
        })
    }

    /// The reason codes in the order of the filters.
    pub fn codes(&self) -> impl Iterator<Item = ReasonCode> + use<'a> {
        self.reason_codes.iter().copied().map(ReasonCode)
    }
}

impl<'a> UnsubAck<'a> {
    pub(crate) fn decode(
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> ReadResult<Self> {
        let mut reader = Reader::new(body);
        let packet_id = reader.packet_id()?;
        if !version.is_v5() {
            reader.finish()?;
            return Ok(Self { packet_id, properties: Properties::EMPTY, reason_codes: &[] });
        }
        let properties =
            Properties::read(&mut reader, PropertyOwner::UnsubAck, version, limits.from)?;
        let reason_codes = reader.left();
        // [MQTT-3.11.3-2]
        check(reason_codes, |code| matches!(code, 0x00 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8F | 0x91))?;
        Ok(Self { packet_id, properties, reason_codes })
    }

    pub(crate) fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> WriteResult {
        writer::packet(out, PacketType::UnsubAck.first_byte(), |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            if version.is_v5() {
                self.properties.write(version, out)?;
                out.extend_from_slice(self.reason_codes);
            }
            Ok(())
        })
    }

    /// The reason codes in the order of the filters.
    pub fn codes(&self) -> impl Iterator<Item = ReasonCode> + use<'a> {
        self.reason_codes.iter().copied().map(ReasonCode)
    }
}

fn check(codes: &[u8], is_legal: impl Fn(u8) -> bool) -> ReadResult<()> {
    if codes.is_empty() {
        return Err(DecodeErrorKind::NoReasonCode);
    }
    match codes.iter().find(|&&code| !is_legal(code)) {
        None => Ok(()),
        Some(&code) => Err(DecodeErrorKind::ReasonCode(ReasonCode(code))),
    }
}
