//! PUBLISH as a sender writes it: the message's own property block passes through, the hop's properties are added.

use mqtt_types::{PacketId, PropertyId, ProtocolVersion, QoS};

use crate::error::EncodeError;
use crate::packet_type::PacketType;
use crate::varint;
use crate::writer::{self, WriteResult};

/// A PUBLISH to be sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutgoingPublish<'a> {
    /// Whether it may have been sent before; never written at QoS 0. `[MQTT-3.3.1-2]`
    pub dup: bool,
    /// The QoS.
    pub qos: QoS,
    /// The RETAIN flag.
    pub retain: bool,
    /// The topic name; may be empty when the topic alias stands for it already.
    pub topic: &'a str,
    /// The packet identifier, when the QoS is above 0, and only then.
    pub packet_id: Option<PacketId>,
    /// The Topic Alias of this connection.
    pub topic_alias: Option<u16>,
    /// What is left of the Message Expiry Interval, in seconds.
    pub message_expiry_interval: Option<u32>,
    /// The identifiers of the subscriptions that the message is for.
    pub subscription_identifiers: &'a [u32],
    /// The message's own properties, as [`crate::Forwardable`] gives them; copied as they are.
    pub properties: &'a [u8],
    /// User properties that the broker adds behind the message's own.
    pub user_properties: &'a [(&'a str, &'a str)],
    /// The payload.
    pub payload: &'a [u8],
}

/// What [`encode_publish`] has appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncodedPublish {
    /// The length of the packet in bytes.
    pub len: usize,
    /// Where its packet identifier lies, counted from the packet's first byte.
    pub packet_id_at: Option<usize>,
}

/// The lengths that stand in the packet.
struct Lengths {
    topic: u16,
    /// `None` before 5.0, which has no block.
    properties: Option<usize>,
    body: usize,
}

impl OutgoingPublish<'_> {
    fn first_byte(&self) -> u8 {
        PacketType::Publish.first_byte()
            | u8::from(self.dup && self.qos != QoS::AtMostOnce) << 3
            | self.qos.as_u8() << 1
            | u8::from(self.retain)
    }

    #[inline]
    fn lengths(&self, version: ProtocolVersion) -> Result<Lengths, EncodeError> {
        let topic = writer::field_len(self.topic.as_bytes())?;
        let packet_id = if self.qos == QoS::AtMostOnce { 0 } else { 2 };
        let mut body = 2 + self.topic.len() + packet_id + self.payload.len();
        let properties = if version.is_v5() {
            let properties = self.properties_len();
            body += varint::len(properties) + properties;
            Some(properties)
        } else {
            None
        };
        Ok(Lengths { topic, properties, body: writer::body_len(body)? })
    }

    #[inline]
    fn properties_len(&self) -> usize {
        let alias = if self.topic_alias.is_some() { 3 } else { 0 };
        let expiry = if self.message_expiry_interval.is_some() { 5 } else { 0 };
        let identifiers: usize =
            self.subscription_identifiers.iter().map(|id| 1 + varint::len(*id as usize)).sum();
        let added: usize =
            self.user_properties.iter().map(|(key, value)| 5 + key.len() + value.len()).sum();
        alias + expiry + identifiers + self.properties.len() + added
    }

    #[inline]
    fn write_properties(&self, len: usize, out: &mut Vec<u8>) -> WriteResult {
        writer::varint(out, len);
        if let Some(alias) = self.topic_alias {
            let [high, low] = alias.to_be_bytes();
            out.extend_from_slice(&[PropertyId::TopicAlias as u8, high, low]);
        }
        if let Some(seconds) = self.message_expiry_interval {
            let [a, b, c, d] = seconds.to_be_bytes();
            out.extend_from_slice(&[PropertyId::MessageExpiryInterval as u8, a, b, c, d]);
        }
        for identifier in self.subscription_identifiers {
            out.push(PropertyId::SubscriptionIdentifier as u8);
            writer::varint(out, *identifier as usize);
        }
        out.extend_from_slice(self.properties);
        for (key, value) in self.user_properties {
            out.push(PropertyId::UserProperty as u8);
            writer::string(out, key)?;
            writer::string(out, value)?;
        }
        Ok(())
    }
}

/// The length that [`encode_publish`] would append, to hold against a Maximum Packet Size. `[MQTT-3.1.2-24]`
///
/// # Errors
/// The topic or the packet is longer than its length can say.
#[inline]
pub fn encoded_publish_len(
    version: ProtocolVersion,
    publish: &OutgoingPublish<'_>,
) -> Result<usize, EncodeError> {
    let body = publish.lengths(version)?.body;
    Ok(1 + varint::len(body) + body)
}

/// Appends a PUBLISH. Before 5.0 all properties are left out. On an error `out` is as it was.
///
/// # Errors
/// A field or the packet is longer than its length can say, or packet identifier and QoS do not fit. `[MQTT-2.2.1-2]`
#[inline]
pub fn encode_publish(
    out: &mut Vec<u8>,
    version: ProtocolVersion,
    publish: &OutgoingPublish<'_>,
) -> Result<EncodedPublish, EncodeError> {
    if (publish.qos == QoS::AtMostOnce) != publish.packet_id.is_none() {
        return Err(EncodeError::PacketId);
    }
    let lengths = publish.lengths(version)?;
    let (bytes, count) = varint::bytes(lengths.body);
    let start = out.len();
    let len = 1 + count + lengths.body;
    out.reserve(len);
    let [a, b, c, d] = bytes;
    let [high, low] = lengths.topic.to_be_bytes();
    // One store of a fixed size, cut to what counts, is cheaper than a push for each byte.
    let first = publish.first_byte();
    match count {
        1 => out.extend_from_slice(&[first, a, high, low]),
        2 => out.extend_from_slice(&[first, a, b, high, low]),
        3 => out.extend_from_slice(&[first, a, b, c, high, low]),
        _ => out.extend_from_slice(&[first, a, b, c, d, high, low]),
    }
    out.extend_from_slice(publish.topic.as_bytes());
    let packet_id_at = publish.packet_id.map(|packet_id| {
        let at = out.len() - start;
        out.extend_from_slice(&packet_id.get().to_be_bytes());
        at
    });
    if let Some(properties) = lengths.properties {
        publish.write_properties(properties, out).inspect_err(|_| out.truncate(start))?;
    }
    out.extend_from_slice(publish.payload);
    Ok(EncodedPublish { len, packet_id_at })
}
