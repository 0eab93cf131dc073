//! A consumer of a queue as a client gets it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// A consumer of a queue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConsumerView {
    /// The client that it is.
    pub client_id: String,
    /// The address that it subscribed to.
    pub address: String,
    /// The QoS that it gets messages with.
    pub qos: u8,
    /// Its unsettled messages.
    pub in_flight: u32,
    /// How many more it takes now.
    pub credit: u32,
    /// Whether it was too busy a moment ago (0x97) and is left alone for `retry_delay`.
    pub resting: bool,
    /// Since when it consumes.
    pub since: Timestamp,
}
