//! Which queues there are, and which streams: names, bindings, owners. Shared by all shards, read often, changed by the
//! control shard.

use std::sync::Arc;

use hashbrown::HashMap;
use mqtt_router::SinkId;
use parking_lot::RwLock;

pub(crate) use journal::queue::owner_of;
pub use journal::queue::{DeadLetter, Definition, Durability, QueueDefinition, QueueProperties};
pub use journal::stream::{StreamDefinition, StreamProperties};

/// All queues, or all streams, by name.
pub(crate) struct Directory<P = QueueProperties>(RwLock<HashMap<Arc<str>, Arc<Definition<P>>>>);

impl<P> Default for Directory<P> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<P> Directory<P> {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Definition<P>>> {
        self.0.read().get(name).cloned()
    }

    pub(crate) fn find(&self, sink: SinkId) -> Option<Arc<Definition<P>>> {
        self.0.read().values().find(|definition| definition.sink == sink).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.read().len()
    }

    pub(crate) fn insert(&self, definition: Arc<Definition<P>>) -> Option<Arc<Definition<P>>> {
        self.0.write().insert(Arc::clone(&definition.name), definition)
    }

    pub(crate) fn remove(&self, name: &str) -> Option<Arc<Definition<P>>> {
        self.0.write().remove(name)
    }

    /// All definitions, by name.
    pub(crate) fn list(&self) -> Vec<Arc<Definition<P>>> {
        let mut list: Vec<_> = self.0.read().values().cloned().collect();
        list.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        list
    }
}
