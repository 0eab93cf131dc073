//! Which queues there are: names, bindings, owners. Shared by all shards, read often, changed by the control shard.

use std::sync::Arc;

use hashbrown::HashMap;
use mqtt_router::SinkId;
use parking_lot::RwLock;

pub(crate) use journal::queue::owner_of;
pub use journal::queue::{DeadLetter, Durability, QueueDefinition, QueueProperties};

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
