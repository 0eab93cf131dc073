//! Retained messages, shared by all shards. The log has them too; who changes them here tells the log.

use std::sync::atomic::{AtomicU64, Ordering};

use mqtt_router::RetainedIndex;
use mqtt_types::{Message, TopicName};
use parking_lot::RwLock;

/// Whether a topic is one by which the broker tells its status: nobody else's, and not worth keeping.
pub(crate) fn is_status(topic: &str) -> bool {
    topic.starts_with("$SYS/")
}

/// The retained message of each topic.
pub(crate) struct RetainedStore {
    max_messages: usize,
    max_bytes: u64,
    bytes: AtomicU64,
    /// Counts changes. It is raised while the index is locked, so it tells which of two came later.
    version: AtomicU64,
    index: RwLock<RetainedIndex<Message>>,
}

impl RetainedStore {
    pub(crate) fn new(max_messages: usize, max_bytes: u64) -> Self {
        Self {
            max_messages,
            max_bytes,
            bytes: AtomicU64::new(0),
            version: AtomicU64::new(0),
            index: RwLock::new(RetainedIndex::new()),
        }
    }

    /// Takes in what was recovered.
    pub(crate) fn restore(&self, messages: Vec<Message>, version: u64) {
        let mut index = self.index.write();
        for message in messages {
            let text = message.topic().to_owned();
            let Ok(topic) = TopicName::new(&text) else { continue };
            self.bytes.fetch_add(message.bytes().len() as u64, Ordering::Relaxed);
            index.insert(topic, message);
        }
        self.version.store(version, Ordering::Relaxed);
    }

    /// Changes up to this version are in the index.
    pub(crate) fn version(&self) -> u64 {
        let _no_change_under_way = self.index.read();
        self.version.load(Ordering::Relaxed)
    }

    /// Keeps the message, or with an empty payload removes what its topic has, and gives the version of that change.
    /// `None` when there is no room for another message. `[MQTT-3.3.1-6]`
    pub(crate) fn store(&self, message: Message) -> Option<u64> {
        let mut index = self.index.write();
        let size = message.bytes().len() as u64;
        let text = message.topic().to_owned();
        let topic = TopicName::new(&text).ok()?;
        let old = if message.payload().is_empty() {
            index.remove(topic)
        } else {
            let old_size = index.get(topic).map(|old| old.bytes().len() as u64);
            let bytes = self.bytes.load(Ordering::Relaxed) - old_size.unwrap_or(0) + size;
            if bytes > self.max_bytes || (old_size.is_none() && index.len() >= self.max_messages) {
                return None;
            }
            self.bytes.fetch_add(size, Ordering::Relaxed);
            index.insert(topic, message)
        };
        if let Some(old) = old {
            self.bytes.fetch_sub(old.bytes().len() as u64, Ordering::Relaxed);
        }
        Some(self.version.fetch_add(1, Ordering::Relaxed) + 1)
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
