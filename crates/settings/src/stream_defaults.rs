//! What a new stream has where nothing else is said: the stream properties of the contract as typed values.
//! It must not know how a stream acts on them.

use std::time::Duration;

use crate::queue_defaults::Durability;

/// The properties a stream is made with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StreamDefaults {
    /// The age at which a message expires; none: never.
    pub retention: Option<Duration>,
    /// The most messages; none: no limit.
    pub max_messages: Option<u64>,
    /// The most bytes; none: no limit.
    pub max_bytes: Option<u64>,
    /// Whether only the newest message of each key is kept.
    pub last_value: bool,
    /// What the key of a message is; none: messages have none.
    pub key_expression: Option<String>,
    /// What an acknowledgement promises.
    pub durability: Durability,
    /// Unsettled messages for each subscription.
    pub max_inflight: u16,
    /// The first back-off.
    pub retry_delay: Duration,
    /// The longest back-off.
    pub retry_delay_max: Duration,
    /// How long the position of a reader is kept that is away; none: for ever.
    pub keep_positions: Option<Duration>,
    /// Whether the stream stores and does not deliver.
    pub paused: bool,
}
