//! The client and subscription resources.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DurationText, Timestamp};

/// A client: a session with or without a connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClientView {
    /// Its client id.
    pub client_id: String,
    /// Whether it has a connection.
    pub connected: bool,
    /// The version of MQTT that it speaks, while it is connected.
    pub protocol: Option<String>,
    /// Whose session it is; `null` of an anonymous client's.
    pub username: Option<String>,
    /// Whether the session outlives the connection.
    pub durable: bool,
    /// How long the session outlives the connection; `null` is for ever.
    pub session_expiry: Option<DurationText>,
    /// Subscriptions.
    pub subscriptions: u64,
    /// Messages that wait for it, those on their way included.
    pub waiting_messages: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Messages on their way to it that it has not acknowledged.
    pub in_flight: u64,
    /// Since when it has no connection.
    pub disconnected_at: Option<Timestamp>,
}

/// A subscription.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionView {
    /// Whose it is.
    pub client_id: String,
    /// What was subscribed to, as the client wrote it.
    pub topic_filter: String,
    /// The granted QoS.
    pub qos: u8,
    /// Whether its own messages stay away.
    pub no_local: bool,
    /// Whether RETAIN comes as it was published.
    pub retain_as_published: bool,
    /// When retained messages are sent: 0 always, 1 when it is new, 2 never.
    pub retain_handling: u8,
    /// The Subscription Identifier.
    pub subscription_identifier: Option<u32>,
}

/// Which subscriptions are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SubscriptionsWanted {
    /// Those of that client.
    pub client_id: Option<String>,
    /// Those to exactly that, or whose filter matches it.
    pub topic: Option<String>,
}
