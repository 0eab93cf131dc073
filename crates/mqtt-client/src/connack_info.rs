//! What the server said in CONNACK.

use mqtt_codec::{ConnAck, ConnAckProperties};
use mqtt_types::{QoS, ReasonCode};

/// What the server said in CONNACK, with the specification's defaults where it said nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnAckInfo {
    /// The answer.
    pub reason_code: ReasonCode,
    /// The answer in words.
    pub reason_string: Option<String>,
    /// Whether the server had a session of ours.
    pub session_present: bool,
    /// The client identifier that the server chose.
    pub assigned_client_id: Option<String>,
    /// QoS 1 and 2 messages that the server takes at once.
    pub receive_maximum: u16,
    /// The highest QoS that the server takes.
    pub maximum_qos: QoS,
    /// The largest packet that the server takes.
    pub maximum_packet_size: Option<u32>,
    /// The keep alive that the server chose, in seconds.
    pub server_keep_alive: Option<u16>,
    /// The session expiry that the server chose, in seconds.
    pub session_expiry_interval: Option<u32>,
    /// The highest topic alias that the server takes.
    pub topic_alias_maximum: u16,
    /// Whether the server keeps retained messages.
    pub retain_available: bool,
    /// The user properties.
    pub user_properties: Vec<(String, String)>,
}

impl ConnAckInfo {
    pub(crate) fn of(connack: &ConnAck<'_>) -> Self {
        let properties = ConnAckProperties::of(connack.properties);
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        Self {
            reason_code: connack.reason_code,
            reason_string: properties.reason_string.map(str::to_owned),
            session_present: connack.session_present,
            assigned_client_id: properties.assigned_client_identifier.map(str::to_owned),
            receive_maximum: properties.receive_maximum,
            maximum_qos: properties.maximum_qos,
            maximum_packet_size: properties.maximum_packet_size,
            server_keep_alive: properties.server_keep_alive,
            session_expiry_interval: properties.session_expiry_interval,
            topic_alias_maximum: properties.topic_alias_maximum,
            retain_available: properties.retain_available,
            user_properties: connack.properties.user_properties().map(owned).collect(),
        }
    }
}
