//! What the properties of a CONNACK say, with the specification's defaults.

use mqtt_types::{Property, QoS};

use crate::properties::Properties;

/// The properties of a CONNACK by name (§3.2.2.3). User properties stay in the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnAckProperties<'a> {
    /// Seconds that the session outlives the connection, when the server chose otherwise than the client.
    pub session_expiry_interval: Option<u32>,
    /// How many QoS 1 and 2 messages the server takes at once; 65,535 when absent.
    pub receive_maximum: u16,
    /// The highest QoS that the server takes; 2 when absent.
    pub maximum_qos: QoS,
    /// Whether the server keeps retained messages; so when absent.
    pub retain_available: bool,
    /// The largest packet that the server takes, in bytes; `None` for no limit.
    pub maximum_packet_size: Option<u32>,
    /// The client identifier that the server chose.
    pub assigned_client_identifier: Option<&'a str>,
    /// The highest topic alias that the server takes; 0 when absent.
    pub topic_alias_maximum: u16,
    /// The Reason String.
    pub reason_string: Option<&'a str>,
    /// Whether filters may have wildcards; so when absent.
    pub wildcard_subscription_available: bool,
    /// Whether SUBSCRIBE may have a subscription identifier; so when absent.
    pub subscription_identifier_available: bool,
    /// Whether there are shared subscriptions; so when absent.
    pub shared_subscription_available: bool,
    /// The Keep Alive in seconds that the server chose.
    pub server_keep_alive: Option<u16>,
    /// The Response Information.
    pub response_information: Option<&'a str>,
    /// The Server Reference.
    pub server_reference: Option<&'a str>,
    /// The Authentication Method.
    pub authentication_method: Option<&'a str>,
    /// The Authentication Data, never without a method.
    pub authentication_data: Option<&'a [u8]>,
}

impl<'a> ConnAckProperties<'a> {
    /// Reads the block of a CONNACK.
    #[must_use]
    pub fn of(properties: Properties<'a>) -> Self {
        let mut this = Self::default();
        for property in properties {
            this.set(property);
        }
        this
    }

    fn set(&mut self, property: Property<'a>) {
        match property {
            Property::SessionExpiryInterval(seconds) => {
                self.session_expiry_interval = Some(seconds);
            }
            Property::ReceiveMaximum(maximum) => self.receive_maximum = maximum,
            Property::MaximumQoS(qos) => {
                self.maximum_qos = QoS::from_u8(qos).unwrap_or(QoS::ExactlyOnce);
            }
            Property::RetainAvailable(bit) => self.retain_available = bit == 1,
            Property::MaximumPacketSize(size) => self.maximum_packet_size = Some(size),
            Property::AssignedClientIdentifier(id) => self.assigned_client_identifier = Some(id),
            Property::TopicAliasMaximum(maximum) => self.topic_alias_maximum = maximum,
            Property::ReasonString(text) => self.reason_string = Some(text),
            Property::WildcardSubscriptionAvailable(bit) => {
                self.wildcard_subscription_available = bit == 1;
            }
            Property::SubscriptionIdentifierAvailable(bit) => {
                self.subscription_identifier_available = bit == 1;
            }
            Property::SharedSubscriptionAvailable(bit) => {
                self.shared_subscription_available = bit == 1;
            }
            Property::ServerKeepAlive(seconds) => self.server_keep_alive = Some(seconds),
            Property::ResponseInformation(text) => self.response_information = Some(text),
            Property::ServerReference(text) => self.server_reference = Some(text),
            Property::AuthenticationMethod(method) => self.authentication_method = Some(method),
            Property::AuthenticationData(data) => self.authentication_data = Some(data),
            _ => {}
        }
    }
}

impl Default for ConnAckProperties<'_> {
    fn default() -> Self {
        Self {
            session_expiry_interval: None,
            receive_maximum: u16::MAX,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            maximum_packet_size: None,
            assigned_client_identifier: None,
            topic_alias_maximum: 0,
            reason_string: None,
            wildcard_subscription_available: true,
            subscription_identifier_available: true,
            shared_subscription_available: true,
            server_keep_alive: None,
            response_information: None,
            server_reference: None,
            authentication_method: None,
            authentication_data: None,
        }
    }
}
