//! PUBLISH (§3.3) as it is decoded. How it is written is in `outgoing`.

use mqtt_types::{PacketId, ProtocolVersion, QoS, TopicError, TopicName};

use crate::error::DecodeErrorKind;
use crate::limits::Limits;
use crate::publish_properties::PublishProperties;
use crate::reader::{ReadResult, Reader};

/// A PUBLISH.
///
/// ```text
/// topic name (string) | packet identifier (u16, QoS > 0) | property block (5.0) | payload (the rest)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Publish<'a> {
    /// Whether it may have been sent before.
    pub dup: bool,
    /// The QoS.
    pub qos: QoS,
    /// The RETAIN flag.
    pub retain: bool,
    /// The topic name; empty when a topic alias stands for it.
    pub topic: &'a str,
    /// The packet identifier, when the QoS is above 0.
    pub packet_id: Option<PacketId>,
    /// The properties; none before 5.0.
    pub properties: PublishProperties<'a>,
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    #[inline]
    pub(crate) fn decode(
        flags: u8,
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> ReadResult<Self> {
        let qos = QoS::from_u8(flags >> 1 & 3).ok_or(DecodeErrorKind::QoS3)?;
        let mut reader = Reader::new(body);
        let topic = reader.string_with_null()?;
        let packet_id = if qos == QoS::AtMostOnce { None } else { Some(reader.packet_id()?) };
        let properties = if version.is_v5() {
            PublishProperties::read(&mut reader, limits.from)?
        } else {
            PublishProperties::default()
        };
        check_topic(topic, properties.topic_alias.is_some(), version, limits)?;
        Ok(Self {
            // 3.1 lets it be set at QoS 0, where it says nothing.
            dup: flags & 0b1000 != 0 && qos != QoS::AtMostOnce,
            qos,
            retain: flags & 1 != 0,
            topic,
            packet_id,
            properties,
            payload: reader.left(),
        })
    }

    /// Whether the payload is what the Payload Format Indicator says. The decoder leaves that to the receiver, who
    /// may answer 0x99 (§3.3.2.3.2).
    #[must_use]
    pub fn payload_format_is_valid(&self) -> bool {
        self.properties.payload_format_indicator != Some(1)
            || std::str::from_utf8(self.payload).is_ok()
    }
}

#[inline]
fn check_topic(
    topic: &str,
    has_alias: bool,
    version: ProtocolVersion,
    limits: &Limits,
) -> ReadResult<()> {
    match TopicName::new(topic) {
        Ok(_) => {}
        Err(TopicError::Empty) if has_alias => return Ok(()),
        Err(TopicError::Empty) if version.is_v5() => return Err(DecodeErrorKind::TopicMissing),
        Err(TopicError::Null) => return Err(DecodeErrorKind::StringHasNull),
        Err(error) => return Err(DecodeErrorKind::Topic(error)),
    }
    check_length_and_depth(topic, limits)
}

/// Whether a topic name is one that is taken.
#[inline]
pub(crate) fn check_length_and_depth(topic: &str, limits: &Limits) -> ReadResult<()> {
    if topic.len() > usize::from(limits.max_topic_length) {
        return Err(DecodeErrorKind::TopicTooLong { limit: limits.max_topic_length });
    }
    if limits.is_too_deep(topic) {
        return Err(DecodeErrorKind::TopicTooDeep { limit: limits.max_topic_levels });
    }
    Ok(())
}
