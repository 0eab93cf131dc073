//! What the properties of a CONNECT and of its will say, with the specification's defaults.

use mqtt_types::Property;

use crate::forwardable::Forwardable;
use crate::properties::Properties;

/// The properties of a CONNECT by name (§3.1.2.11). User properties stay in the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectProperties<'a> {
    /// Seconds that the session outlives the connection; 0 when absent, `u32::MAX` for ever.
    pub session_expiry_interval: u32,
    /// How many QoS 1 and 2 messages the client takes at once; 65,535 when absent.
    pub receive_maximum: u16,
    /// The largest packet that the client takes, in bytes; `None` for no limit.
    pub maximum_packet_size: Option<u32>,
    /// The highest topic alias that the client takes; 0 when absent.
    pub topic_alias_maximum: u16,
    /// Whether the client asks for Response Information; not when absent.
    pub request_response_information: bool,
    /// Whether the client takes Reason String and user properties in any packet; so when absent.
    pub request_problem_information: bool,
    /// The Authentication Method.
    pub authentication_method: Option<&'a str>,
    /// The Authentication Data, never without a method.
    pub authentication_data: Option<&'a [u8]>,
}

impl<'a> ConnectProperties<'a> {
    /// Reads the block of a CONNECT.
    #[must_use]
    pub fn of(properties: Properties<'a>) -> Self {
        let mut this = Self::default();
        for property in properties {
            match property {
                Property::SessionExpiryInterval(seconds) => this.session_expiry_interval = seconds,
                Property::ReceiveMaximum(maximum) => this.receive_maximum = maximum,
                Property::MaximumPacketSize(size) => this.maximum_packet_size = Some(size),
                Property::TopicAliasMaximum(maximum) => this.topic_alias_maximum = maximum,
                Property::RequestResponseInformation(bit) => {
                    this.request_response_information = bit == 1;
                }
                Property::RequestProblemInformation(bit) => {
                    this.request_problem_information = bit == 1;
                }
                Property::AuthenticationMethod(method) => this.authentication_method = Some(method),
                Property::AuthenticationData(data) => this.authentication_data = Some(data),
                _ => {}
            }
        }
        this
    }
}

impl Default for ConnectProperties<'_> {
    fn default() -> Self {
        Self {
            session_expiry_interval: 0,
            receive_maximum: u16::MAX,
            maximum_packet_size: None,
            topic_alias_maximum: 0,
            request_response_information: false,
            request_problem_information: true,
            authentication_method: None,
            authentication_data: None,
        }
    }
}

/// The properties of a will (§3.1.3.2): what concerns the server, and what the published message bears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WillProperties<'a> {
    /// Seconds between the end of the connection and the publication; 0 when absent.
    pub will_delay_interval: u32,
    /// The Message Expiry Interval of the published message, in seconds.
    pub message_expiry_interval: Option<u32>,
    /// What the published message bears of the block.
    pub forwardable: Forwardable<'a>,
}

impl<'a> WillProperties<'a> {
    /// Reads the block of a will.
    #[must_use]
    pub fn of(properties: Properties<'a>) -> Self {
        let mut this = Self {
            will_delay_interval: 0,
            message_expiry_interval: None,
            forwardable: Forwardable::of(properties.raw()),
        };
        for property in properties {
            match property {
                Property::WillDelayInterval(seconds) => this.will_delay_interval = seconds,
                Property::MessageExpiryInterval(seconds) => {
                    this.message_expiry_interval = Some(seconds);
                }
                _ => {}
            }
        }
        this
    }
}
