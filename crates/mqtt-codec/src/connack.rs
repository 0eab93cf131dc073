//! CONNACK (§3.2). It must not know why a server answers so.

mod properties;

use mqtt_types::{ProtocolVersion, ReasonCode};

pub use properties::ConnAckProperties;

use crate::error::DecodeErrorKind;
use crate::limits::Limits;
use crate::packet_type::PacketType;
use crate::properties::Properties;
use crate::property_owner::PropertyOwner;
use crate::reader::{ReadResult, Reader};
use crate::writer::{self, WriteResult};

/// A CONNACK: acknowledge flags (u8) | reason code (u8) | property block (5.0).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnAck<'a> {
    /// Whether the server has a session of the client; 3.1 cannot tell.
    pub session_present: bool,
    /// The answer, always in words of 5.0: return codes of 3.x are translated both ways.
    pub reason_code: ReasonCode,
    /// The properties; none before 5.0. See [`ConnAckProperties`].
    pub properties: Properties<'a>,
}

const SESSION_PRESENT: u8 = 1;

impl<'a> ConnAck<'a> {
    pub(crate) fn decode(
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> ReadResult<Self> {
        let mut reader = Reader::new(body);
        let flags = reader.u8()?;
        // 3.1 has no use for the byte. [MQTT-3.2.2-1]
        let flags = if version == ProtocolVersion::V3_1 { 0 } else { flags };
        if flags & !SESSION_PRESENT != 0 {
            return Err(DecodeErrorKind::ConnAckFlagsReserved);
        }
        let code = reader.u8()?;
        let reason_code = if version.is_v5() {
            check_reason_code(ReasonCode(code))?
        } else {
            reason_of_return_code(code)?
        };
        let properties =
            Properties::read(&mut reader, PropertyOwner::ConnAck, version, limits.from)?;
        reader.finish()?;
        let session_present = flags & SESSION_PRESENT != 0;
        // [MQTT-3.2.2-6], [MQTT311-3.2.2-4]
        if session_present && reason_code.is_error() {
            return Err(DecodeErrorKind::SessionPresentInRefusal);
        }
        Ok(Self { session_present, reason_code, properties })
    }

    pub(crate) fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> WriteResult {
        writer::packet(out, PacketType::ConnAck.first_byte(), |out| {
            let has_flag = version != ProtocolVersion::V3_1;
            out.push(u8::from(self.session_present && has_flag));
            let code = self.reason_code;
            out.push(if version.is_v5() { code.0 } else { connect_return_code(code) });
            self.properties.write(version, out)
        })
    }
}

/// The return code of 3.x (§3.2.2.3 of 3.1.1) that says most nearly what the reason code says.
#[must_use]
pub const fn connect_return_code(reason_code: ReasonCode) -> u8 {
    match reason_code {
        ReasonCode::SUCCESS => 0,
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => 1,
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID => 2,
        ReasonCode::BAD_USER_NAME_OR_PASSWORD => 4,
        ReasonCode::NOT_AUTHORIZED | ReasonCode::BANNED | ReasonCode::BAD_AUTHENTICATION_METHOD => {
            5
        }
        _ => 3,
    }
}

const fn reason_of_return_code(code: u8) -> ReadResult<ReasonCode> {
    Ok(match code {
        0 => ReasonCode::SUCCESS,
        1 => ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
        2 => ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
        3 => ReasonCode::SERVER_UNAVAILABLE,
        4 => ReasonCode::BAD_USER_NAME_OR_PASSWORD,
        5 => ReasonCode::NOT_AUTHORIZED,
        _ => return Err(DecodeErrorKind::ReasonCode(ReasonCode(code))),
    })
}

/// `[MQTT-3.2.2-8]`
const fn check_reason_code(code: ReasonCode) -> ReadResult<ReasonCode> {
    match code.0 {
        0x00 | 0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F => Ok(code),
        _ => Err(DecodeErrorKind::ReasonCode(code)),
    }
}
