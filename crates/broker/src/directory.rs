//! Which queues there are: names, bindings, owners. Shared by all shards, read often, changed by the control shard.

use std::sync::Arc;

use hashbrown::HashMap;
use key_expression::KeySeed;
use log_api::ShardId;
use mqtt_router::SinkId;
use parking_lot::RwLock;

use crate::record::QueueProperties;

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
    pub properties: QueueProperties,
    /// What the hashes of its keys are made with.
    pub key_seed: KeySeed,
}

/// All queues by name.
#[derive(Default)]
pub(crate) struct Directory {
    queues: RwLock<HashMap<Arc<str>, Arc<QueueDefinition>>>,
}

impl Directory {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<QueueDefinition>> {
        self.queues.read().get(name).cloned()
    }

    pub(crate) fn find(&self, sink: SinkId) -> Option<Arc<QueueDefinition>> {
        self.queues.read().values().find(|definition| definition.sink == sink).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.queues.read().len()
    }

    pub(crate) fn insert(&self, definition: Arc<QueueDefinition>) -> Option<Arc<QueueDefinition>> {
        self.queues.write().insert(Arc::clone(&definition.name), definition)
    }

    pub(crate) fn remove(&self, name: &str) -> Option<Arc<QueueDefinition>> {
        self.queues.write().remove(name)
    }

    /// All definitions, by name.
    pub(crate) fn list(&self) -> Vec<Arc<QueueDefinition>> {
        let mut list: Vec<_> = self.queues.read().values().cloned().collect();
        list.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        list
    }
}

/// The shard that owns a queue.
pub(crate) fn owner_of(sink: SinkId, shards: u16) -> ShardId {
    ShardId((sink.0 % u32::from(shards.max(1))) as u16)
}
