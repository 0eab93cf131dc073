//! Retained messages, shared by all shards. In memory in this version.

use std::sync::atomic::{AtomicU64, Ordering};

use mqtt_router::RetainedIndex;
use mqtt_types::{Message, TopicName};
use parking_lot::RwLock;

/// What became of a message to retain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Retained {
    /// It is kept, or with an empty payload the one before is gone.
    Stored,
    /// There is no room for another one.
    Full,
}

/// The retained message of each topic.
pub(crate) struct RetainedStore {
    max_messages: usize,
    max_bytes: u64,
    bytes: AtomicU64,
    index: RwLock<RetainedIndex<Message>>,
}

impl RetainedStore {
    pub(crate) fn new(max_messages: usize, max_bytes: u64) -> Self {
        Self {
            max_messages,
            max_bytes,
            bytes: AtomicU64::new(0),
            index: RwLock::new(RetainedIndex::new()),
        }
    }

    /// Keeps the message, or with an empty payload removes what its topic has. `[MQTT-3.3.1-6]`
    pub(crate) fn store(&self, message: Message) -> Retained {
        let mut index = self.index.write();
        let size = message.bytes().len() as u64;
        let text = message.topic().to_owned();
        let Ok(topic) = TopicName::new(&text) else { return Retained::Stored };
        let old = if message.payload().is_empty() {
            index.remove(topic)
        } else {
            let old_size = index.get(topic).map(|old| old.bytes().len() as u64);
            let bytes = self.bytes.load(Ordering::Relaxed) - old_size.unwrap_or(0) + size;
            if bytes > self.max_bytes || (old_size.is_none() && index.len() >= self.max_messages) {
                return Retained::Full;
            }
            self.bytes.fetch_add(size, Ordering::Relaxed);
            index.insert(topic, message)
        };
        if let Some(old) = old {
            self.bytes.fetch_sub(old.bytes().len() as u64, Ordering::Relaxed);
        }
        Retained::Stored
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&RetainedIndex<Message>) -> T) -> T {
        read(&self.index.read())
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn len(&self) -> usize {
        self.index.read().len()
    }
}
