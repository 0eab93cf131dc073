//! The limits a server sets for connections and sessions, each with its default. It must not know who connects.

use mqtt_types::QoS;

/// The most bytes an MQTT packet can have: a fixed header of 5 and the largest Remaining Length.
pub(crate) const PACKET_SIZE_END: u32 = 268_435_460;

/// How much may wait in a session for its window or its client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Messages.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// What the server allows a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerLimits {
    /// PUBLISH packets at QoS 1 and 2 that a client may have unacknowledged.
    pub receive_maximum: u16,
    /// Topic aliases that a client may set.
    pub topic_alias_maximum: u16,
    /// Topic aliases that the server sets towards a client that allows as many.
    pub outgoing_topic_aliases_max: u16,
    /// The largest packet a client may send, in bytes.
    pub maximum_packet_size: u32,
    /// The highest QoS a client may publish with.
    pub maximum_qos: QoS,
    /// Whether clients may publish retained messages.
    pub retain_available: bool,
    /// The longest keep alive in seconds; a 5.0 client that asks for more, or none, is told this one.
    pub keep_alive_max: Option<u16>,
    /// The shortest keep alive in seconds; a 5.0 client that asks for less is told this one.
    pub keep_alive_min: u16,
    /// The longest session expiry interval in seconds; `u32::MAX` is for ever.
    pub session_expiry_max: u32,
    /// The longest client id in bytes.
    pub client_id_bytes_max: usize,
    /// Messages at QoS 1 and 2 in flight to a client, however many it allows.
    pub max_outgoing_inflight: u16,
    /// Messages that wait in a session for its window or its client.
    pub max_pending_messages: usize,
    /// Bytes that wait in a session for its window or its client.
    pub max_pending_bytes: usize,
    /// Whether messages at QoS 0 wait for a client that is away.
    pub queue_qos0_offline: bool,
    /// Whether CONNECT may name an authentication method.
    pub enhanced_authentication: bool,
    /// What a client that requests response information is told, with its client id for `${client_id}`.
    pub response_information: Option<Box<str>>,
}

impl ServerLimits {
    /// What may wait in a session.
    #[must_use]
    pub const fn room(&self) -> Room {
        Room { messages: self.max_pending_messages, bytes: self.max_pending_bytes }
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            receive_maximum: 1024,
            topic_alias_maximum: 32,
            outgoing_topic_aliases_max: 32,
            maximum_packet_size: 16 * 1024 * 1024,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            keep_alive_max: None,
            keep_alive_min: 0,
            session_expiry_max: u32::MAX,
            client_id_bytes_max: 65_535,
            max_outgoing_inflight: 1024,
            max_pending_messages: 10_000,
            max_pending_bytes: 16 * 1024 * 1024,
            queue_qos0_offline: false,
            enhanced_authentication: false,
            response_information: None,
        }
    }
}
