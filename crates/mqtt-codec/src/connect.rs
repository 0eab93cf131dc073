//! CONNECT (§3.1). It must not know what a server makes of it.

mod properties;

use mqtt_types::{ProtocolVersion, QoS, TopicError, TopicName};

pub use properties::{ConnectProperties, WillProperties};

use crate::error::DecodeErrorKind;
use crate::limits::Limits;
use crate::packet_type::PacketType;
use crate::properties::Properties;
use crate::property_owner::PropertyOwner;
use crate::publish::check_length_and_depth;
use crate::reader::{ReadResult, Reader};
use crate::writer::{self, WriteResult};

/// A CONNECT.
///
/// ```text
/// protocol name (string) | version (u8) | flags (u8) | keep alive (u16) | property block (5.0)
/// client id (string) | [will properties (5.0) | will topic (string) | will payload (binary)]
/// [user name (string)] | [password (binary)]
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connect<'a> {
    /// The version that the client speaks.
    pub version: ProtocolVersion,
    /// Clean Start, which 3.x calls Clean Session.
    pub clean_start: bool,
    /// The Keep Alive in seconds, 0 for none.
    pub keep_alive: u16,
    /// The client identifier; may be empty.
    pub client_id: &'a str,
    /// The will.
    pub will: Option<Will<'a>>,
    /// The user name.
    pub username: Option<&'a str>,
    /// The password.
    pub password: Option<&'a [u8]>,
    /// The properties; none before 5.0. See [`ConnectProperties`].
    pub properties: Properties<'a>,
}

/// The will of a CONNECT: what the server publishes when the client is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Will<'a> {
    /// Its QoS.
    pub qos: QoS,
    /// Whether it is published as a retained message.
    pub retain: bool,
    /// Its topic name.
    pub topic: &'a str,
    /// Its payload.
    pub payload: &'a [u8],
    /// Its properties; none before 5.0. See [`WillProperties`].
    pub properties: Properties<'a>,
}

const RESERVED: u8 = 0x01;
const CLEAN_START: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS: u8 = 0x18;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USERNAME: u8 = 0x80;

impl<'a> Connect<'a> {
    pub(crate) fn decode(body: &'a [u8], limits: &Limits) -> ReadResult<Self> {
        let mut reader = Reader::new(body);
        let version = read_version(&mut reader)?;
        let flags = reader.u8()?;
        check_flags(flags, version)?;
        let keep_alive = reader.u16()?;
        let properties =
            Properties::read(&mut reader, PropertyOwner::Connect, version, limits.from)?;
        let client_id = reader.string()?;
        let will = if flags & WILL == 0 {
            None
        } else {
            Some(Will::decode(&mut reader, flags, version, limits)?)
        };
        // In 3.1 the length of the packet decides: what a flag announces may be missing at the end.
        let may_miss = version == ProtocolVersion::V3_1;
        let has = |flag, reader: &Reader<'_>| flags & flag != 0 && !(may_miss && reader.is_empty());
        let username = if has(USERNAME, &reader) { Some(reader.string()?) } else { None };
        let password = if has(PASSWORD, &reader) { Some(reader.binary()?) } else { None };
        reader.finish()?;
        let clean_start = flags & CLEAN_START != 0;
        Ok(Self {
            version,
            clean_start,
            keep_alive,
            client_id,
            will,
            username,
            password,
            properties,
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> WriteResult {
        writer::packet(out, PacketType::Connect.first_byte(), |out| {
            let name = if self.version == ProtocolVersion::V3_1 { "MQIsdp" } else { "MQTT" };
            writer::string(out, name)?;
            out.extend_from_slice(&[self.version as u8, self.flags()]);
            out.extend_from_slice(&self.keep_alive.to_be_bytes());
            self.properties.write(self.version, out)?;
            writer::string(out, self.client_id)?;
            if let Some(will) = &self.will {
                will.properties.write(self.version, out)?;
                writer::string(out, will.topic)?;
                writer::binary(out, will.payload)?;
            }
            if let Some(username) = self.username {
                writer::string(out, username)?;
            }
            self.password.map_or(Ok(()), |password| writer::binary(out, password))
        })
    }

    fn flags(&self) -> u8 {
        let when = |set: bool, flag| if set { flag } else { 0 };
        let will = self
            .will
            .as_ref()
            .map_or(0, |will| WILL | will.qos.as_u8() << 3 | when(will.retain, WILL_RETAIN));
        will | when(self.clean_start, CLEAN_START)
            | when(self.username.is_some(), USERNAME)
            | when(self.password.is_some(), PASSWORD)
    }

    /// The version that a CONNECT at the head of `buffer` names, also when the rest of it is malformed: so that the
    /// refusal can be written in that version.
    #[must_use]
    pub fn peek_version(buffer: &[u8]) -> Option<ProtocolVersion> {
        let (&first, mut rest) = buffer.split_first()?;
        if first != PacketType::Connect.first_byte() {
            return None;
        }
        while let Some((&length, others)) = rest.split_first() {
            rest = others;
            if length < 0x80 {
                break;
            }
        }
        read_version(&mut Reader::new(rest)).ok()
    }

    /// Whether a 3.1.1 server must answer with return code 2: an empty client identifier asks for a session to be
    /// kept. It is a refusal, not a malformed packet. `[MQTT311-3.1.3-8]`
    #[must_use]
    pub const fn must_reject_client_id(&self) -> bool {
        match self.version {
            ProtocolVersion::V3_1 => self.client_id.is_empty(),
            ProtocolVersion::V3_1_1 => self.client_id.is_empty() && !self.clean_start,
            ProtocolVersion::V5 => false,
        }
    }
}

impl<'a> Will<'a> {
    fn decode(
        reader: &mut Reader<'a>,
        flags: u8,
        version: ProtocolVersion,
        limits: &Limits,
    ) -> ReadResult<Self> {
        let qos = QoS::from_u8((flags & WILL_QOS) >> 3).ok_or(DecodeErrorKind::WillQoS3)?;
        let retain = flags & WILL_RETAIN != 0;
        let properties = Properties::read(reader, PropertyOwner::Will, version, limits.from)?;
        let topic = match TopicName::new(reader.string_with_null()?) {
            Ok(topic) => topic.as_str(),
            Err(TopicError::Null) => return Err(DecodeErrorKind::StringHasNull),
            Err(error) => return Err(DecodeErrorKind::WillTopic(error)),
        };
        check_length_and_depth(topic, limits)?;
        Ok(Self { qos, retain, topic, payload: reader.binary()?, properties })
    }
}

/// The protocol name and the version, which must fit each other. `[MQTT-3.1.2-1]`, `[MQTT-3.1.2-2]`
fn read_version(reader: &mut Reader<'_>) -> ReadResult<ProtocolVersion> {
    let name = reader.binary()?;
    if name != b"MQTT" && name != b"MQIsdp" {
        return Err(DecodeErrorKind::ProtocolName);
    }
    match (name, reader.u8()?) {
        (b"MQTT", 5) => Ok(ProtocolVersion::V5),
        (b"MQTT", 4) => Ok(ProtocolVersion::V3_1_1),
        (b"MQIsdp", 3) => Ok(ProtocolVersion::V3_1),
        (_, version) => Err(DecodeErrorKind::ProtocolVersion(version)),
    }
}

fn check_flags(flags: u8, version: ProtocolVersion) -> ReadResult<()> {
    // 3.1 calls the reserved bit unused, and the will's bits when there is no will.
    let strict = version != ProtocolVersion::V3_1;
    if strict && flags & RESERVED != 0 {
        return Err(DecodeErrorKind::ConnectFlagReserved);
    }
    if strict && flags & WILL == 0 && flags & (WILL_QOS | WILL_RETAIN) != 0 {
        return Err(DecodeErrorKind::WillFlagsWithoutWill);
    }
    if flags & WILL != 0 && flags & WILL_QOS == WILL_QOS {
        return Err(DecodeErrorKind::WillQoS3);
    }
    if !version.is_v5() && flags & (USERNAME | PASSWORD) == PASSWORD {
        return Err(DecodeErrorKind::PasswordWithoutUserName);
    }
    Ok(())
}
