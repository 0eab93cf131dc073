//! DISCONNECT (§3.14) and AUTH (§3.15), which have the same form.

use mqtt_types::{ProtocolVersion, ReasonCode};

use crate::error::{DecodeErrorKind, EncodeError};
use crate::limits::{Limits, Peer};
use crate::packet_type::PacketType;
use crate::properties::Properties;
use crate::property_owner::PropertyOwner;
use crate::reader::{ReadResult, Reader};
use crate::writer::{self, WriteResult};

/// A DISCONNECT: [reason code (u8) | [property block]], 5.0 only; success may be left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Disconnect<'a> {
    /// Why; normal disconnection before 5.0.
    pub reason_code: ReasonCode,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
}

/// An AUTH: [reason code (u8) | [property block]]; success may be left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Auth<'a> {
    /// Success, continue authentication or re-authenticate.
    pub reason_code: ReasonCode,
    /// The properties.
    pub properties: Properties<'a>,
}

impl<'a> Disconnect<'a> {
    /// A DISCONNECT without properties.
    #[must_use]
    pub const fn new(reason_code: ReasonCode) -> Self {
        Self { reason_code, properties: Properties::EMPTY }
    }

    pub(crate) fn decode(
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> ReadResult<Self> {
        if !version.is_v5() {
            Reader::new(body).finish()?;
            return Ok(Self::new(ReasonCode::SUCCESS));
        }
        let (reason_code, properties) = decode(body, PropertyOwner::Disconnect, limits)?;
        // 0x8C is in §2.4 only: a re-authentication that fails ends so.
        let legal = match reason_code.0 {
            0x00 | 0x80..=0x83 | 0x8C | 0x90 | 0x93..=0x99 => true,
            0x04 => limits.from == Peer::Client,
            0x87 | 0x89 | 0x8B | 0x8D..=0x8F | 0x9A..=0xA2 => limits.from == Peer::Server,
            _ => false,
        };
        // [MQTT-3.14.2-1]
        if !legal {
            return Err(DecodeErrorKind::ReasonCode(reason_code));
        }
        Ok(Self { reason_code, properties })
    }

    pub(crate) fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> WriteResult {
        let plain = Self::new(ReasonCode::SUCCESS);
        let this = if version.is_v5() { self } else { &plain };
        encode(PacketType::Disconnect, this.reason_code, this.properties, out)
    }
}

impl<'a> Auth<'a> {
    pub(crate) fn decode(body: &'a [u8], limits: &Limits) -> ReadResult<Self> {
        let (reason_code, properties) = decode(body, PropertyOwner::Auth, limits)?;
        // [MQTT-3.15.2-1]
        let legal = match reason_code {
            ReasonCode::SUCCESS => limits.from == Peer::Server,
            ReasonCode::CONTINUE_AUTHENTICATION => true,
            ReasonCode::REAUTHENTICATE => limits.from == Peer::Client,
            _ => false,
        };
        if !legal {
            return Err(DecodeErrorKind::ReasonCode(reason_code));
        }
        Ok(Self { reason_code, properties })
    }

    pub(crate) fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> WriteResult {
        if !version.is_v5() {
            return Err(EncodeError::NotInVersion(PacketType::Auth));
        }
        encode(PacketType::Auth, self.reason_code, self.properties, out)
    }
}

/// No byte says success, one byte leaves the properties out (§3.14.2.1, §3.15.2.1).
fn decode<'a>(
    body: &'a [u8],
    owner: PropertyOwner,
    limits: &Limits,
) -> ReadResult<(ReasonCode, Properties<'a>)> {
    let mut reader = Reader::new(body);
    if reader.is_empty() {
        return Ok((ReasonCode::SUCCESS, Properties::EMPTY));
    }
    let reason_code = ReasonCode(reader.u8()?);
    let properties = if reader.is_empty() {
        Properties::EMPTY
    } else {
        Properties::read(&mut reader, owner, ProtocolVersion::V5, limits.from)?
    };
    // Any other AUTH is part of an exchange, which its method names (§3.15.2.2.2).
    if owner == PropertyOwner::Auth && properties.is_empty() {
        return Err(DecodeErrorKind::AuthenticationMethodMissing);
    }
    reader.finish()?;
    Ok((reason_code, properties))
}

fn encode(
    packet_type: PacketType,
    reason_code: ReasonCode,
    properties: Properties<'_>,
    out: &mut Vec<u8>,
) -> WriteResult {
    writer::packet(out, packet_type.first_byte(), |out| {
        if reason_code != ReasonCode::SUCCESS || !properties.is_empty() {
            out.push(reason_code.0);
        }
        if properties.is_empty() {
            return Ok(());
        }
        properties.write(ProtocolVersion::V5, out)
    })
}
