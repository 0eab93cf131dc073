//! One property on the wire (§2.2.2): its identifier, its type, its range. It must not know which packet bears it.

use mqtt_types::{Property, PropertyId, TopicError, TopicName};

use crate::error::DecodeErrorKind;
use crate::reader::{ReadResult, Reader};
use crate::writer::{self, WriteResult};

/// Reads the next property. All identifiers fit one byte of the variable byte integer that they are.
#[inline]
pub(crate) fn read<'a>(reader: &mut Reader<'a>) -> ReadResult<Property<'a>> {
    use PropertyId as Id;
    let left = *reader;
    Ok(match reader.u8()? {
        0x01 => Property::PayloadFormatIndicator(bit(reader, Id::PayloadFormatIndicator)?),
        0x02 => Property::MessageExpiryInterval(reader.u32()?),
        0x03 => Property::ContentType(reader.string()?),
        0x08 => Property::ResponseTopic(response_topic(reader)?),
        0x09 => Property::CorrelationData(reader.binary()?),
        0x0B => Property::SubscriptionIdentifier(subscription_identifier(reader)?),
        0x11 => Property::SessionExpiryInterval(reader.u32()?),
        0x12 => Property::AssignedClientIdentifier(reader.string()?),
        0x13 => Property::ServerKeepAlive(reader.u16()?),
        0x15 => Property::AuthenticationMethod(reader.string()?),
        0x16 => Property::AuthenticationData(reader.binary()?),
        0x17 => Property::RequestProblemInformation(bit(reader, Id::RequestProblemInformation)?),
        0x18 => Property::WillDelayInterval(reader.u32()?),
        0x19 => Property::RequestResponseInformation(bit(reader, Id::RequestResponseInformation)?),
        0x1A => Property::ResponseInformation(reader.string()?),
        0x1C => Property::ServerReference(reader.string()?),
        0x1F => Property::ReasonString(reader.string()?),
        0x21 => Property::ReceiveMaximum(above_zero(reader.u16()?, Id::ReceiveMaximum)?),
        0x22 => Property::TopicAliasMaximum(reader.u16()?),
        0x23 => Property::TopicAlias(topic_alias(reader)?),
        0x24 => Property::MaximumQoS(bit(reader, Id::MaximumQoS)?),
        0x25 => Property::RetainAvailable(bit(reader, Id::RetainAvailable)?),
        0x26 => Property::UserProperty(reader.string()?, reader.string()?),
        0x27 => Property::MaximumPacketSize(above_zero(reader.u32()?, Id::MaximumPacketSize)?),
        0x28 => {
            Property::WildcardSubscriptionAvailable(bit(reader, Id::WildcardSubscriptionAvailable)?)
        }
        0x29 => Property::SubscriptionIdentifierAvailable(bit(
            reader,
            Id::SubscriptionIdentifierAvailable,
        )?),
        0x2A => {
            Property::SharedSubscriptionAvailable(bit(reader, Id::SharedSubscriptionAvailable)?)
        }
        _ => return Err(unknown(left)),
    })
}

#[cold]
fn unknown(mut left: Reader<'_>) -> DecodeErrorKind {
    match left.varint() {
        Ok(identifier) => DecodeErrorKind::PropertyUnknown(identifier),
        Err(kind) => kind,
    }
}

/// A byte that is 0 or 1; every other value is a Protocol Error (§2.2.2.2 and the clause of each).
fn bit(reader: &mut Reader<'_>, id: PropertyId) -> ReadResult<u8> {
    match reader.u8()? {
        bit @ (0 | 1) => Ok(bit),
        _ => Err(DecodeErrorKind::PropertyValue(id)),
    }
}

fn above_zero<T: Default + PartialEq>(value: T, id: PropertyId) -> ReadResult<T> {
    if value == T::default() { Err(DecodeErrorKind::PropertyValue(id)) } else { Ok(value) }
}

/// `[MQTT-3.3.2-8]`
fn topic_alias(reader: &mut Reader<'_>) -> ReadResult<u16> {
    above_zero(reader.u16()?, PropertyId::TopicAlias).map_err(|_| DecodeErrorKind::TopicAliasZero)
}

/// 1 to 268,435,455 (§3.8.2.1.2).
fn subscription_identifier(reader: &mut Reader<'_>) -> ReadResult<u32> {
    above_zero(reader.varint()?, PropertyId::SubscriptionIdentifier)
}

/// `[MQTT-3.3.2-13]`, `[MQTT-3.3.2-14]`
fn response_topic<'a>(reader: &mut Reader<'a>) -> ReadResult<&'a str> {
    match TopicName::new(reader.string_with_null()?) {
        Ok(topic) => Ok(topic.as_str()),
        Err(TopicError::Null) => Err(DecodeErrorKind::StringHasNull),
        Err(error) => Err(DecodeErrorKind::ResponseTopic(error)),
    }
}

/// Writes a property with its identifier.
pub(crate) fn write(out: &mut Vec<u8>, property: &Property<'_>) -> WriteResult {
    out.push(property.id() as u8);
    match *property {
        Property::PayloadFormatIndicator(value)
        | Property::RequestProblemInformation(value)
        | Property::RequestResponseInformation(value)
        | Property::MaximumQoS(value)
        | Property::RetainAvailable(value)
        | Property::WildcardSubscriptionAvailable(value)
        | Property::SubscriptionIdentifierAvailable(value)
        | Property::SharedSubscriptionAvailable(value) => out.push(value),
        Property::ServerKeepAlive(value)
        | Property::ReceiveMaximum(value)
        | Property::TopicAliasMaximum(value)
        | Property::TopicAlias(value) => out.extend_from_slice(&value.to_be_bytes()),
        Property::MessageExpiryInterval(value)
        | Property::SessionExpiryInterval(value)
        | Property::WillDelayInterval(value)
        | Property::MaximumPacketSize(value) => out.extend_from_slice(&value.to_be_bytes()),
        Property::SubscriptionIdentifier(value) => {
            writer::varint(out, writer::body_len(value as usize)?);
        }
        Property::ContentType(text)
        | Property::ResponseTopic(text)
        | Property::AssignedClientIdentifier(text)
        | Property::AuthenticationMethod(text)
        | Property::ResponseInformation(text)
        | Property::ServerReference(text)
        | Property::ReasonString(text) => return writer::string(out, text),
        Property::CorrelationData(bytes) | Property::AuthenticationData(bytes) => {
            return writer::binary(out, bytes);
        }
        Property::UserProperty(key, value) => {
            writer::string(out, key)?;
            return writer::string(out, value);
        }
    }
    Ok(())
}
