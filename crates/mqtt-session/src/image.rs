//! A session as plain data, for a store to keep. It must not know how it is stored.

use mqtt_types::PacketId;
use stdx::UnixMillis;

use crate::inbox::InboxImage;
use crate::subscriptions::SubscriptionRecord;
use crate::will::Will;

/// What [`Session::image`](crate::Session::image) gives and [`Session::from_image`](crate::Session::from_image) takes: what
/// a session that outlives its connections is to a store. Deliveries of queues are not in it, their queue has them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionImage {
    /// The client id.
    pub client_id: Box<str>,
    /// The session expiry interval in seconds.
    pub expiry_interval: u32,
    /// Filters and what the client subscribed with.
    pub subscriptions: Vec<(Box<str>, SubscriptionRecord)>,
    /// Messages on their way to the client.
    pub inbox: InboxImage,
    /// Packet ids of stored messages at QoS 2 whose PUBREL has not come.
    pub incoming_qos2: Vec<PacketId>,
    /// The will.
    pub will: Option<Will>,
    /// When the connection ended; `None` while there is one.
    pub disconnected_at: Option<UnixMillis>,
}
