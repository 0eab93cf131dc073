//! What is known of a queue apart from its messages. It must not know records.

use std::sync::Arc;

use log_api::ShardId;
use mqtt_router::SinkId;
use queue_engine::QueueConfig;

/// A queue's definition as everyone may see it. It is replaced, never altered.
#[derive(Clone, PartialEq, Debug)]
pub struct QueueDefinition {
    /// The queue's number in routes and records, never used again after a deletion.
    pub sink: SinkId,
    /// Its name: simple, or equal to its topic filter.
    pub name: Arc<str>,
    /// What it is bound to; `None` is bound to nothing.
    pub topic_filter: Option<Arc<str>>,
    /// The shard whose engine dispatches it.
    pub owner: ShardId,
    /// When it was created, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// Its properties.
    pub config: QueueConfig,
    /// Whether a message that is given up is dropped and counted; else it is never given up.
    pub drops_dead_letters: bool,
}

impl QueueDefinition {
    /// What the queue's engine goes by.
    pub fn engine_config(&self) -> QueueConfig {
        engine_config(&self.config, self.drops_dead_letters)
    }
}

/// Dead-letter queues are not in this version. Unless a queue is told to drop, nothing is given up: there is no last
/// attempt.
pub(crate) fn engine_config(config: &QueueConfig, drops_dead_letters: bool) -> QueueConfig {
    let max_attempts = if drops_dead_letters { config.max_attempts } else { 0 };
    QueueConfig { max_attempts, ..config.clone() }
}

/// The shard that owns a queue.
pub fn owner_of(sink: SinkId, shards: u16) -> ShardId {
    ShardId((sink.0 % u32::from(shards.max(1))) as u16)
}
