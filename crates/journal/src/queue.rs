//! What is known of a queue apart from its messages, and what of that streams have too. It must not know records.

mod properties;

use std::sync::Arc;

use key_expression::KeySeed;
use log_api::ShardId;
use mqtt_router::SinkId;

pub use properties::{DeadLetter, Durability, QueueProperties};

/// A queue's definition as everyone may see it.
pub type QueueDefinition = Definition<QueueProperties>;

/// A queue's or a stream's definition. It is replaced, never altered.
#[derive(Clone, PartialEq, Debug)]
pub struct Definition<P> {
    /// Its number in routes and records, never used again after a deletion. Queues and streams count together.
    pub sink: SinkId,
    /// Its name: simple, or equal to its topic filter.
    pub name: Arc<str>,
    /// What it is bound to; `None` is bound to nothing.
    pub topic_filter: Option<Arc<str>>,
    /// The shard whose engine it is.
    pub owner: ShardId,
    /// When it was created, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// Its properties.
    pub properties: P,
    /// What the hashes of its keys are made with.
    pub key_seed: KeySeed,
}

/// The shard that owns a queue or a stream.
pub fn owner_of(sink: SinkId, shards: u16) -> ShardId {
    ShardId((sink.0 % u32::from(shards.max(1))) as u16)
}
