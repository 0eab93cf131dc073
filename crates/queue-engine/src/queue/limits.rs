//! How many messages a queue takes, and what happens to one too many.

use super::Queue;
use crate::{Action, Key, Offset, Overflow};

/// Why a message must not be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Full {
    /// There would be too many.
    #[error("the queue has its {max} messages")]
    Messages {
        /// The most that it takes.
        max: u64,
    },
    /// They would be too large together.
    #[error("the queue has its {max} bytes")]
    Bytes {
        /// The most that it takes.
        max: u64,
    },
}

impl Queue {
    /// Whether a message may be stored, on top of others that are on their way already: so many, with so many bytes.
    ///
    /// A message that alone is larger than all may be is refused by either overflow. One that replaces another needs only
    /// its own room.
    ///
    /// # Errors
    /// It would be one too many.
    pub fn would_fit(
        &self,
        size: u32,
        key: Key,
        messages_coming: u64,
        bytes_coming: u64,
    ) -> Result<(), Full> {
        let size = u64::from(size);
        let max_bytes = self.config.max_bytes.unwrap_or(u64::MAX);
        if self.config.max_messages == Some(0) {
            return Err(Full::Messages { max: 0 });
        }
        if size > max_bytes {
            return Err(Full::Bytes { max: max_bytes });
        }
        if self.config.overflow == Overflow::DropOldest {
            return Ok(());
        }
        let (freed, bytes_freed) = self.room_by_replacing(key);
        let messages = self.index.len() - freed + messages_coming + 1;
        if let Some(max) = self.config.max_messages.filter(|max| messages > *max) {
            return Err(Full::Messages { max });
        }
        let bytes = (self.index.bytes() - bytes_freed).saturating_add(bytes_coming);
        if bytes.saturating_add(size) > max_bytes {
            return Err(Full::Bytes { max: max_bytes });
        }
        Ok(())
    }

    fn room_by_replacing(&self, key: Key) -> (u64, u64) {
        self.replaceable(key).map_or((0, 0), |size| (1, u64::from(size)))
    }

    /// The size of the message that the next one of its key replaces at once: the newest, when no consumer has it.
    #[must_use]
    pub fn replaceable(&self, key: Key) -> Option<u32> {
        let older = self.newest.get(key).filter(|older| self.leases.get(*older).is_none())?;
        self.index.get(older).map(|entry| entry.size)
    }

    /// Begins, or ends, to note of which keys [`Queue::replaceable`] may say something else, and gives all keys it has.
    pub fn watch_replaceable(&mut self, is_watched: bool) -> Vec<Key> {
        self.newest.watch(is_watched);
        self.newest.keys().collect()
    }

    /// The keys that were noted since it was asked last.
    pub fn take_changed(&mut self) -> Vec<Key> {
        self.newest.take_changed()
    }

    pub(super) fn is_over_limit(&self) -> bool {
        self.config.max_messages.is_some_and(|max| self.index.len() > max)
            || self.config.max_bytes.is_some_and(|max| self.index.bytes() > max)
    }

    /// Drops the oldest as long as there are too many.
    pub(super) fn drop_oldest(&mut self, actions: &mut Vec<Action>) {
        if self.config.overflow != Overflow::DropOldest {
            return;
        }
        while self.is_over_limit() && !self.is_enough(actions) {
            let newest = Offset(self.index.next().0.saturating_sub(1));
            let idle = self.first_idle().filter(|idle| *idle < newest);
            let Some(oldest) = idle.or_else(|| self.index.first_from(Offset(0))) else { return };
            let attempts = self.take_out(oldest);
            self.dropped(oldest, attempts, actions);
        }
    }

    /// The oldest message that is not in flight. None looks at those before `oldest_idle` again.
    fn first_idle(&mut self) -> Option<Offset> {
        let mut from = self.oldest_idle;
        while let Some(offset) = self.index.first_from(from) {
            if self.leases.get(offset).is_none() {
                self.oldest_idle = offset;
                return Some(offset);
            }
            from = offset.next();
        }
        self.oldest_idle = from;
        None
    }
}
