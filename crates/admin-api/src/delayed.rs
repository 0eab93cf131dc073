//! The delayed message resource.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// A message that is to be published later.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DelayedView {
    /// What it is called.
    pub id: String,
    /// When it is published.
    pub due: Timestamp,
    /// Where to; `null` when its body cannot be read.
    pub topic: Option<String>,
    /// The client that published it; `null` for an operator, and where that is not known.
    pub client_id: Option<String>,
    /// The QoS it was published with.
    pub qos: u8,
    /// Whether it will be its topic's retained message.
    pub retain: bool,
    /// Bytes of topic, properties and payload.
    pub bytes: u64,
}
