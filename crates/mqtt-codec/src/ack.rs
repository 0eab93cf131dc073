//! PUBACK, PUBREC, PUBREL and PUBCOMP (§3.4 to §3.7), which differ in their reason codes only.

use mqtt_types::{PacketId, Property, ProtocolVersion, ReasonCode};

use crate::error::{DecodeErrorKind, EncodeError};
use crate::limits::Limits;
use crate::packet_type::PacketType;
use crate::properties::Properties;
use crate::property;
use crate::property_owner::PropertyOwner;
use crate::reader::{ReadResult, Reader};
use crate::writer::{self, WriteResult};

/// Which of the four.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum AckKind {
    PubAck,
    PubRec,
    PubRel,
    PubComp,
}

/// A PUBACK, PUBREC, PUBREL or PUBCOMP.
///
/// ```text
/// packet identifier (u16) | [reason code (u8) | [property block]]      (5.0; success may be left out)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack<'a> {
    /// The packet it answers.
    pub packet_id: PacketId,
    /// The answer; success before 5.0.
    pub reason_code: ReasonCode,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
}

impl AckKind {
    /// The type of the packet.
    #[must_use]
    pub const fn packet_type(self) -> PacketType {
        match self {
            Self::PubAck => PacketType::PubAck,
            Self::PubRec => PacketType::PubRec,
            Self::PubRel => PacketType::PubRel,
            Self::PubComp => PacketType::PubComp,
        }
    }

    /// `[MQTT-3.4.2-1]`, `[MQTT-3.5.2-1]`, `[MQTT-3.6.2-1]`, `[MQTT-3.7.2-1]`
    const fn check_reason_code(self, code: ReasonCode) -> ReadResult<()> {
        let legal = match self {
            Self::PubAck | Self::PubRec => {
                matches!(code.0, 0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99)
            }
            Self::PubRel | Self::PubComp => matches!(code.0, 0x00 | 0x92),
        };
        if legal { Ok(()) } else { Err(DecodeErrorKind::ReasonCode(code)) }
    }
}

impl<'a> Ack<'a> {
    /// An answer without properties.
    #[must_use]
    pub const fn new(packet_id: PacketId, reason_code: ReasonCode) -> Self {
        Self { packet_id, reason_code, properties: Properties::EMPTY }
    }

    #[inline]
    pub(crate) fn decode(
        kind: AckKind,
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> ReadResult<Self> {
        let mut reader = Reader::new(body);
        let mut ack = Self::new(reader.packet_id()?, ReasonCode::SUCCESS);
        if version.is_v5() && !reader.is_empty() {
            ack.reason_code = ReasonCode(reader.u8()?);
            kind.check_reason_code(ack.reason_code)?;
            if !reader.is_empty() {
                ack.properties =
                    Properties::read(&mut reader, PropertyOwner::Ack, version, limits.from)?;
            }
        }
        reader.finish()?;
        Ok(ack)
    }

    pub(crate) fn encode(
        &self,
        kind: AckKind,
        version: ProtocolVersion,
        out: &mut Vec<u8>,
    ) -> WriteResult {
        if !version.is_v5() || self.properties.is_empty() {
            encode_short(out, version, kind, self.packet_id, self.reason_code);
            return Ok(());
        }
        writer::packet(out, kind.packet_type().first_byte(), |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            out.push(self.reason_code.0);
            self.properties.write(version, out)
        })
    }
}

/// Appends a PUBACK, PUBREC, PUBREL or PUBCOMP in its shortest form. Before 5.0 there is neither a reason code nor a
/// Reason String, and both are left out.
///
/// # Errors
/// The Reason String is longer than 65,535 bytes.
#[inline]
pub fn encode_ack(
    out: &mut Vec<u8>,
    version: ProtocolVersion,
    kind: AckKind,
    packet_id: PacketId,
    reason_code: ReasonCode,
    reason_string: Option<&str>,
) -> Result<(), EncodeError> {
    match reason_string {
        Some(text) if version.is_v5() => {
            encode_with_reason_string(out, kind, packet_id, reason_code, text)
        }
        _ => {
            encode_short(out, version, kind, packet_id, reason_code);
            Ok(())
        }
    }
}

#[inline]
fn encode_short(
    out: &mut Vec<u8>,
    version: ProtocolVersion,
    kind: AckKind,
    packet_id: PacketId,
    reason_code: ReasonCode,
) {
    let first = kind.packet_type().first_byte();
    let [high, low] = packet_id.get().to_be_bytes();
    if version.is_v5() && reason_code != ReasonCode::SUCCESS {
        out.extend_from_slice(&[first, 3, high, low, reason_code.0]);
    } else {
        out.extend_from_slice(&[first, 2, high, low]);
    }
}

#[cold]
fn encode_with_reason_string(
    out: &mut Vec<u8>,
    kind: AckKind,
    packet_id: PacketId,
    reason_code: ReasonCode,
    text: &str,
) -> WriteResult {
    writer::packet(out, kind.packet_type().first_byte(), |out| {
        out.extend_from_slice(&packet_id.get().to_be_bytes());
        out.push(reason_code.0);
        writer::varint(out, 3 + text.len());
        property::write(out, &Property::ReasonString(text))
    })
}
