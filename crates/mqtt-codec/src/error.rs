//! Why bytes are no packet, and why a packet cannot become bytes. It must not know how either is found out.

use std::fmt;

use mqtt_types::{FilterError, PropertyId, ReasonCode, TopicError};

use crate::packet_type::PacketType;

/// Why bytes are no packet: the rule they break, and in which packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeError {
    /// The rule.
    pub kind: DecodeErrorKind,
    /// The packet, when the first byte names one.
    pub packet: Option<PacketType>,
}

/// The rule that bytes break.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeErrorKind {
    /// Packet type 0, or AUTH before MQTT 5.0.
    #[error("packet type is reserved (§2.1.2)")]
    PacketTypeReserved,
    /// Flags of the first byte differ from what is fixed for the type.
    #[error("reserved flags of the fixed header are wrong [MQTT-2.1.3-1]")]
    FlagsReserved,
    /// A fifth length byte.
    #[error("variable byte integer is longer than four bytes (§1.5.5)")]
    VarintTooLong,
    /// A length that fits fewer bytes.
    #[error("variable byte integer is not in its shortest form [MQTT-1.5.5-1]")]
    VarintNotMinimal,
    /// The packet is longer than the receiver takes.
    #[error("packet of {len} bytes is larger than the maximum packet size {limit} [MQTT-3.1.2-24]")]
    PacketTooLarge {
        /// Its length with the fixed header.
        len: u32,
        /// The limit.
        limit: u32,
    },
    /// A length inside of the packet points beyond its end, or a field is missing.
    #[error("a field reaches beyond the end of the packet (§2.1.4)")]
    Truncated,
    /// More bytes than fields.
    #[error("bytes are left after the last field (§2.1.4)")]
    TrailingBytes,
    /// A string that is not UTF-8; surrogates are not.
    #[error("string is not UTF-8 [MQTT-1.5.4-1]")]
    StringNotUtf8,
    /// A string with U+0000.
    #[error("string has a null character [MQTT-1.5.4-2]")]
    StringHasNull,
    /// Packet identifier 0.
    #[error("packet identifier is 0 [MQTT-2.2.1-3]")]
    PacketIdZero,
    /// Both QoS bits set.
    #[error("QoS is 3 [MQTT-3.3.1-4]")]
    QoS3,
    /// DUP where nothing can be a duplicate.
    #[error("DUP is set at QoS 0 [MQTT-3.3.1-2]")]
    DupAtQoS0,
    /// The topic name is no topic name.
    #[error("{0} [MQTT-3.3.2-2]")]
    Topic(TopicError),
    /// The will topic is no topic name.
    #[error("will {0} [MQTT-3.1.3-11]")]
    WillTopic(TopicError),
    /// The response topic is no topic name.
    #[error("response {0} [MQTT-3.3.2-14]")]
    ResponseTopic(TopicError),
    /// Neither a topic name nor an alias for one.
    #[error("topic name is empty and there is no topic alias (§3.3.2.1)")]
    TopicMissing,
    /// A topic name deeper than the receiver takes.
    #[error("topic name has more than {limit} levels")]
    TopicTooDeep {
        /// The limit.
        limit: u16,
    },
    /// A topic name longer than the receiver takes.
    #[error("topic name has more than {limit} bytes")]
    TopicTooLong {
        /// The limit.
        limit: u16,
    },
    /// A topic filter deeper than the receiver takes.
    #[error("topic filter has more than {limit} levels")]
    FilterTooDeep {
        /// The limit.
        limit: u16,
    },
    /// Topic alias 0.
    #[error("topic alias is 0 [MQTT-3.3.2-8]")]
    TopicAliasZero,
    /// An identifier that is no property's.
    #[error("property 0x{0:02X} is unknown (§2.2.2.2)")]
    PropertyUnknown(u32),
    /// A property of other packets.
    #[error("property {0:?} is not one of this packet (§2.2.2.2)")]
    PropertyNotAllowed(PropertyId),
    /// A property twice that may occur once.
    #[error("property {0:?} occurs twice (§2.2.2.2)")]
    PropertyTwice(PropertyId),
    /// A value outside the range of the property.
    #[error("property {0:?} has a value outside its range (§2.2.2.2)")]
    PropertyValue(PropertyId),
    /// Only a server says which subscriptions a message is for.
    #[error("a client sent a subscription identifier in PUBLISH [MQTT-3.3.4-6]")]
    SubscriptionIdentifierFromClient,
    /// Only a client sets the expiry of its session on the way out.
    #[error("a server sent a session expiry interval in DISCONNECT [MQTT-3.14.2-2]")]
    SessionExpiryFromServer,
    /// Authentication data for no method.
    #[error("authentication data comes without an authentication method (§3.1.2.11.10)")]
    AuthenticationDataWithoutMethod,
    /// AUTH for no method.
    #[error("authentication method is missing (§3.15.2.2.2)")]
    AuthenticationMethodMissing,
    /// Neither `MQTT` nor `MQIsdp`.
    #[error("protocol name is neither MQTT nor MQIsdp [MQTT-3.1.2-1]")]
    ProtocolName,
    /// A level that the protocol name does not have.
    #[error("protocol version {0} is not supported [MQTT-3.1.2-2]")]
    ProtocolVersion(u8),
    /// Bit 0 of the connect flags.
    #[error("reserved connect flag is set [MQTT-3.1.2-3]")]
    ConnectFlagReserved,
    /// Will QoS or Will Retain without a will.
    #[error("will QoS or will retain is set without a will [MQTT-3.1.2-11] [MQTT-3.1.2-13]")]
    WillFlagsWithoutWill,
    /// Both Will QoS bits set.
    #[error("will QoS is 3 [MQTT-3.1.2-12]")]
    WillQoS3,
    /// A password for nobody, before MQTT 5.0.
    #[error("password comes without a user name [MQTT311-3.1.2-22]")]
    PasswordWithoutUserName,
    /// Bits 7 to 1 of the acknowledge flags.
    #[error("reserved connect acknowledge flags are set [MQTT-3.2.2-1]")]
    ConnAckFlagsReserved,
    /// A session that a refused connection cannot have.
    #[error("session present is set in a refusal [MQTT-3.2.2-6]")]
    SessionPresentInRefusal,
    /// A code that this packet cannot bear, or that this side cannot send.
    #[error("reason code {0} is not one of this packet (§2.4)")]
    ReasonCode(ReasonCode),
    /// SUBACK or UNSUBACK without a code.
    #[error("payload has no reason code (§3.9.3)")]
    NoReasonCode,
    /// SUBSCRIBE or UNSUBSCRIBE without a filter.
    #[error("payload has no topic filter [MQTT-3.8.3-2] [MQTT-3.10.3-2]")]
    NoFilter,
    /// The filter is no topic filter.
    #[error("{0} [MQTT-4.7.1-1] [MQTT-4.7.1-2]")]
    Filter(FilterError),
    /// A shared subscription without a name or a filter, or with a wildcard in the name.
    #[error("shared subscription is not $share/<name>/<filter> [MQTT-4.8.2-1] [MQTT-4.8.2-2]")]
    ShareName,
    /// No Local for a shared subscription.
    #[error("no local is set on a shared subscription [MQTT-3.8.3-4]")]
    NoLocalShared,
    /// Bits 7 and 6 of the subscription options (7 to 2 in 3.1.1).
    #[error("reserved bits of the subscription options are set [MQTT-3.8.3-5]")]
    SubscriptionOptionsReserved,
    /// A maximum QoS of 3.
    #[error("maximum QoS of a subscription is 3 (§3.8.3.1)")]
    SubscriptionQoS3,
    /// Retain handling 3.
    #[error("retain handling is 3 (§3.8.3.1)")]
    RetainHandling3,
}

impl DecodeErrorKind {
    pub(crate) const fn within(self, packet: PacketType) -> DecodeError {
        DecodeError { kind: self, packet: Some(packet) }
    }
}

impl DecodeError {
    /// What to tell the sender, in a CONNACK before the connection stands and in a DISCONNECT after. `[MQTT-4.13.1-1]`
    #[must_use]
    pub const fn reason_code(&self) -> ReasonCode {
        use DecodeErrorKind as Kind;
        match self.kind {
            Kind::PacketTooLarge { .. } => ReasonCode::PACKET_TOO_LARGE,
            Kind::ProtocolName | Kind::ProtocolVersion(_) => {
                ReasonCode::UNSUPPORTED_PROTOCOL_VERSION
            }
            Kind::TopicAliasZero => ReasonCode::TOPIC_ALIAS_INVALID,
            Kind::Topic(TopicError::Wildcard)
            | Kind::WillTopic(TopicError::Wildcard)
            | Kind::ResponseTopic(TopicError::Wildcard)
            | Kind::TopicTooDeep { .. }
            | Kind::TopicTooLong { .. } => ReasonCode::TOPIC_NAME_INVALID,
            Kind::Filter(_) | Kind::ShareName | Kind::FilterTooDeep { .. } => {
                ReasonCode::TOPIC_FILTER_INVALID
            }
            Kind::PacketIdZero
            | Kind::TopicMissing
            | Kind::PropertyTwice(_)
            | Kind::PropertyValue(_)
            | Kind::SubscriptionIdentifierFromClient
            | Kind::SessionExpiryFromServer
            | Kind::AuthenticationDataWithoutMethod
            | Kind::AuthenticationMethodMissing
            | Kind::SessionPresentInRefusal
            | Kind::ReasonCode(_)
            | Kind::NoReasonCode
            | Kind::NoFilter
            | Kind::NoLocalShared
            | Kind::SubscriptionQoS3
            | Kind::RetainHandling3 => ReasonCode::PROTOCOL_ERROR,
            _ => ReasonCode::MALFORMED_PACKET,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.packet {
            Some(packet) => write!(f, "{packet}: {}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

impl std::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.kind)
    }
}

/// Why a packet cannot become bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
    /// A string or binary longer than its two-byte length can say.
    #[error("string or binary of {len} bytes is longer than 65535 (§1.5.4)")]
    FieldTooLong {
        /// Its length.
        len: usize,
    },
    /// A packet longer than its length can say.
    #[error("packet body of {len} bytes is longer than 268435455 (§2.1.4)")]
    PacketTooLong {
        /// The length of its body.
        len: usize,
    },
    /// A packet identifier at QoS 0, or none above.
    #[error(
        "a PUBLISH has a packet identifier when its QoS is above 0, and only then [MQTT-2.2.1-2]"
    )]
    PacketId,
    /// AUTH before MQTT 5.0.
    #[error("{0} does not exist in this protocol version")]
    NotInVersion(PacketType),
}
