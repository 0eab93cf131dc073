//! A message as it came in.

use mqtt_codec::{Peer, Properties, PropertyOwner, Publish};
use mqtt_types::{PacketId, QoS};

/// A message from the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The topic name, also when a topic alias stood for it.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// The QoS.
    pub qos: QoS,
    /// The RETAIN flag.
    pub retain: bool,
    /// Whether it may have come before.
    pub dup: bool,
    /// What it is settled by, at QoS 1 and 2.
    pub packet_id: Option<PacketId>,
    properties: Vec<u8>,
}

impl Delivery {
    pub(crate) fn of(publish: &Publish<'_>, topic: String) -> Self {
        Self {
            topic,
            payload: publish.payload.to_vec(),
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            packet_id: publish.packet_id,
            properties: publish.properties.raw.to_vec(),
        }
    }

    /// Its properties; none before 5.0.
    #[must_use]
    pub fn properties(&self) -> Properties<'_> {
        Properties::parse(&self.properties, PropertyOwner::Publish, Peer::Server)
            .expect("the block was checked when the packet was decoded")
    }
}
