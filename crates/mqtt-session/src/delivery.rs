//! A message on its way out to one client. It must not know packet ids or windows.

use std::sync::Arc;

use mqtt_types::{Message, QoS};
use smallvec::SmallVec;

use crate::inbox::Gone;
use crate::subscriptions::SubscriptionRecord;

/// What a waiting message costs beyond its bytes, for the byte limits: a rough figure, the same as in queues.
const OVERHEAD_BYTES: usize = 64;

/// A message with what the subscriptions that matched it add. Shared by all clients it goes to in the same form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The application message.
    pub message: Message,
    /// The QoS to send it with.
    pub qos: QoS,
    /// The RETAIN flag to send it with.
    pub retain: bool,
    /// The Subscription Identifiers to send along. `[MQTT-3.3.4-3]`, `[MQTT-3.3.4-4]`
    pub subscription_identifiers: SmallVec<[u32; 4]>,
}

impl Delivery {
    /// What it counts against byte limits.
    #[must_use]
    pub fn size(&self) -> usize {
        self.message.bytes().len() + OVERHEAD_BYTES
    }
}

/// Where an outgoing message came from; its acknowledgement goes back there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// The live road: nobody waits for the outcome.
    Live,
    /// The session's inbox, which storage need not keep it in any longer.
    Inbox(Gone),
    /// A shared subscription: it may go to another member while the client has not acknowledged it.
    Shared {
        /// The group; the caller's own mark.
        group: u32,
        /// What the choice of a member may go by; the caller's own mark.
        key: u32,
    },
    /// A shared subscription whose message another session keeps, until it hears of the outcome.
    Lent {
        /// The group; the caller's own mark.
        group: u32,
        /// What the keeper calls it.
        loan: u64,
    },
    /// A queue or stream: the outcome settles the message there.
    Queue {
        /// The consumer that holds the lease.
        consumer: u64,
        /// The message's offset in the queue.
        offset: u64,
        /// Which delivery of it this is.
        attempt: u32,
    },
}

/// A delivery of a shared subscription that is taken from the session, for another member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// [`Origin::Shared`] or [`Origin::Lent`].
    pub origin: Origin,
    /// The message; `None` of one in flight that another session keeps.
    pub delivery: Option<Arc<Delivery>>,
}

/// A delivery that goes back to its queue unsettled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Released {
    /// The consumer that held the lease.
    pub consumer: u64,
    /// The message's offset in the queue.
    pub offset: u64,
    /// Which delivery of it this was.
    pub attempt: u32,
    /// Whether it was written to the socket, so that the attempt counts.
    pub written: bool,
}

/// The flags of an outgoing PUBLISH that depend on the subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutgoingFlags {
    /// The QoS.
    pub qos: QoS,
    /// The RETAIN flag.
    pub retain: bool,
}

impl Origin {
    /// The group, when the message came by a shared subscription and may go to another member.
    #[must_use]
    pub const fn group(self) -> Option<u32> {
        match self {
            Self::Shared { group, .. } | Self::Lent { group, .. } => Some(group),
            Self::Live | Self::Inbox(_) | Self::Queue { .. } => None,
        }
    }

    /// Whether the message is kept with the session until it is acknowledged.
    pub(crate) const fn keeps_message(self) -> bool {
        matches!(self, Self::Live | Self::Shared { .. })
    }
}

impl OutgoingFlags {
    /// For a message that comes by an established subscription: the lower QoS `[MQTT-3.8.4-8]`, RETAIN only when the
    /// subscription wants it as published `[MQTT-3.3.1-12]`, `[MQTT-3.3.1-13]`.
    #[must_use]
    pub fn live(published: QoS, retain: bool, subscription: &SubscriptionRecord) -> Self {
        Self {
            qos: published.min(subscription.qos),
            retain: retain && subscription.retain_as_published,
        }
    }

    /// For a retained message that a new subscription asked for: RETAIN is set. `[MQTT311-3.3.1-8]`
    #[must_use]
    pub fn retained(published: QoS, subscription: &SubscriptionRecord) -> Self {
        Self { qos: published.min(subscription.qos), retain: true }
    }

    /// For a message of a queue or stream: the granted QoS whatever it was published with, never RETAIN.
    #[must_use]
    pub fn queue(subscription: &SubscriptionRecord) -> Self {
        Self { qos: subscription.qos, retain: false }
    }
}
