//! Which properties each packet may bear (§2.2.2.2, table 2-4). It must not know their values.

use mqtt_types::PropertyId;
use mqtt_types::PropertyId as Id;

/// What bears a property block: a packet, or the will within a CONNECT.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum PropertyOwner {
    Connect,
    Will,
    ConnAck,
    Publish,
    /// PUBACK, PUBREC, PUBREL and PUBCOMP.
    Ack,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    Disconnect,
    Auth,
}

/// A set of properties: bit n for identifier n, all of which are below 64.
pub(crate) type PropertySet = u64;

pub(crate) const fn bit(id: PropertyId) -> PropertySet {
    1 << id as u8
}

const fn set(ids: &[PropertyId]) -> PropertySet {
    let mut set = 0;
    let mut rest = ids;
    while let Some((id, others)) = rest.split_first() {
        set |= bit(*id);
        rest = others;
    }
    set
}

const CONNECT: PropertySet = set(&[
    Id::SessionExpiryInterval,
    Id::ReceiveMaximum,
    Id::MaximumPacketSize,
    Id::TopicAliasMaximum,
    Id::RequestResponseInformation,
    Id::RequestProblemInformation,
    Id::UserProperty,
    Id::AuthenticationMethod,
    Id::AuthenticationData,
]);

const WILL: PropertySet = set(&[
    Id::WillDelayInterval,
    Id::PayloadFormatIndicator,
    Id::MessageExpiryInterval,
    Id::ContentType,
    Id::ResponseTopic,
    Id::CorrelationData,
    Id::UserProperty,
]);

const CONNACK: PropertySet = set(&[
    Id::SessionExpiryInterval,
    Id::ReceiveMaximum,
    Id::MaximumQoS,
    Id::RetainAvailable,
    Id::MaximumPacketSize,
    Id::AssignedClientIdentifier,
    Id::TopicAliasMaximum,
    Id::ReasonString,
    Id::UserProperty,
    Id::WildcardSubscriptionAvailable,
    Id::SubscriptionIdentifierAvailable,
    Id::SharedSubscriptionAvailable,
    Id::ServerKeepAlive,
    Id::ResponseInformation,
    Id::ServerReference,
    Id::AuthenticationMethod,
    Id::AuthenticationData,
]);

const PUBLISH: PropertySet = set(&[
    Id::PayloadFormatIndicator,
    Id::MessageExpiryInterval,
    Id::TopicAlias,
    Id::ResponseTopic,
    Id::CorrelationData,
    Id::UserProperty,
    Id::SubscriptionIdentifier,
    Id::ContentType,
]);

const DISCONNECT: PropertySet =
    set(&[Id::SessionExpiryInterval, Id::ReasonString, Id::UserProperty, Id::ServerReference]);

const AUTH: PropertySet =
    set(&[Id::AuthenticationMethod, Id::AuthenticationData, Id::ReasonString, Id::UserProperty]);

impl PropertyOwner {
    pub(crate) const fn allowed(self) -> PropertySet {
        match self {
            Self::Connect => CONNECT,
            Self::Will => WILL,
            Self::ConnAck => CONNACK,
            Self::Publish => PUBLISH,
            Self::Ack | Self::SubAck | Self::UnsubAck => set(&[Id::ReasonString, Id::UserProperty]),
            Self::Subscribe => set(&[Id::SubscriptionIdentifier, Id::UserProperty]),
            Self::Unsubscribe => set(&[Id::UserProperty]),
            Self::Disconnect => DISCONNECT,
            Self::Auth => AUTH,
        }
    }

    /// The properties that may occur more than once. `[MQTT-3.3.4-4]`
    pub(crate) const fn repeatable(self) -> PropertySet {
        match self {
            Self::Publish => set(&[Id::UserProperty, Id::SubscriptionIdentifier]),
            _ => set(&[Id::UserProperty]),
        }
    }
}
