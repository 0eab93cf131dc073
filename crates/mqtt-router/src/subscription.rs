//! Who subscribes, and how: opaque handles and the options of a subscription.

use std::num::NonZeroU32;

use mqtt_types::QoS;

/// Opaque handle of a session.
///
/// Its owner chooses the number; matches come in its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SubscriberId(pub u64);

/// Opaque handle of a queue or another durable sink.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SinkId(pub u32);

/// What a SUBSCRIBE says about one of its filters, as far as routing passes it on (MQTT 5.0 §3.8.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SubscriptionOptions {
    /// Maximum QoS of the subscription.
    pub qos: QoS,
    /// Whether the subscriber's own messages are kept from it. `[MQTT-3.8.3-3]`
    pub no_local: bool,
    /// Whether RETAIN stays as it was published.
    pub retain_as_published: bool,
    /// Subscription Identifier, if any.
    pub identifier: Option<NonZeroU32>,
}

/// One subscriber with its options.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Subscription {
    /// Who.
    pub subscriber: SubscriberId,
    /// How.
    pub options: SubscriptionOptions,
}
