//! A session as plain data, for a store to keep. It must not know how it is stored.

use std::sync::Arc;

use mqtt_types::PacketId;
use stdx::UnixMillis;

use crate::delivery::Delivery;
use crate::subscriptions::SubscriptionRecord;
use crate::will::Will;

/// What [`Session::image`](crate::Session::image) gives and [`Session::from_image`](crate::Session::from_image) takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionImage {
    /// The client id.
    pub client_id: Box<str>,
    /// The session expiry interval in seconds.
    pub expiry_interval: u32,
    /// Filters and what the client subscribed with.
    pub subscriptions: Vec<(Box<str>, SubscriptionRecord)>,
    /// The packet id that the next message gets.
    pub next_packet_id: PacketId,
    /// Messages in flight to the client, in the order they were sent.
    pub in_flight: Vec<InFlightImage>,
    /// Messages that wait, in order.
    pub pending: Vec<Arc<Delivery>>,
    /// Packet ids of stored messages at QoS 2 whose PUBREL has not come.
    pub incoming_qos2: Vec<PacketId>,
    /// The will.
    pub will: Option<Will>,
    /// When the connection ended; `None` while there is one.
    pub disconnected_at: Option<UnixMillis>,
}

/// A message in flight to the client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InFlightImage {
    /// To be sent again.
    Publish {
        /// Its packet id.
        packet_id: PacketId,
        /// The message.
        delivery: Arc<Delivery>,
    },
    /// The client has it; PUBREL is to be sent again.
    PubRel {
        /// Its packet id.
        packet_id: PacketId,
    },
}

impl InFlightImage {
    /// Its packet id.
    #[must_use]
    pub const fn packet_id(&self) -> PacketId {
        match self {
            Self::Publish { packet_id, .. } | Self::PubRel { packet_id } => *packet_id,
        }
    }
}

/// Why an image is no session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImageError {
    /// Two messages in flight bear the same packet id.
    #[error("packet id {0} is in flight twice")]
    PacketIdTwice(PacketId),
    /// A message in flight has nothing to wait for.
    #[error("packet id {0} is in flight at QoS 0")]
    InFlightAtQos0(PacketId),
}
