//! The message ids of a while. It must not know the messages.
//!
//! What is remembered follows from the messages stored, and the times they were stored at, alone: a replay of the log
//! comes to the same verdicts.

use std::collections::VecDeque;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use stdx::UnixMillis;

use crate::{MessageId, QueueConfig};

/// Ids that were stored, and when.
#[derive(Clone, Debug, Default)]
pub struct Dedup {
    stored: HashMap<MessageId, UnixMillis, FixedState>,
    /// In the order they came.
    order: VecDeque<MessageId>,
}

impl Dedup {
    /// Whether a message with this id was stored in the window before `at`.
    #[must_use]
    pub fn is_known(&self, id: MessageId, at: UnixMillis, window: Duration) -> bool {
        self.stored.get(&id).is_some_and(|stored| at.0 < (*stored + window).0)
    }

    /// Remembers an id, and forgets what is over, or too many.
    pub fn remember(&mut self, id: MessageId, at: UnixMillis, config: &QueueConfig) {
        self.tidy(at, config);
        if config.dedup_window.is_zero() || config.dedup_ids_max == 0 {
            return;
        }
        if self.stored.insert(id, at).is_some() {
            // It is over, and comes again before it was forgotten: times of messages are not always in order.
            self.order.retain(|known| *known != id);
        }
        self.order.push_back(id);
        if self.order.len() > config.dedup_ids_max {
            self.forget_first();
        }
    }

    /// Forgets what was stored a window before, and the oldest of too many.
    pub(crate) fn tidy(&mut self, at: UnixMillis, config: &QueueConfig) {
        while let Some(first) = self.order.front() {
            let is_over = !self.is_known(*first, at, config.dedup_window);
            if !is_over && self.order.len() <= config.dedup_ids_max {
                return;
            }
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(id) = self.order.pop_front() {
            self.stored.remove(&id);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// What is remembered, in the order it came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (MessageId, UnixMillis)> {
        self.order.iter().map(|id| (*id, self.stored.get(id).copied().unwrap_or_default()))
    }

    /// Puts back what [`Dedup::iter`] gave.
    pub(crate) fn restore(&mut self, ids: impl Iterator<Item = (MessageId, UnixMillis)>) {
        for (id, stored) in ids {
            if self.stored.insert(id, stored).is_none() {
                self.order.push_back(id);
            }
        }
    }

    /// Whether both halves know the same.
    pub(crate) fn is_sound(&self) -> bool {
        self.stored.len() == self.order.len()
            && self.order.iter().all(|id| self.stored.contains_key(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_for_the_window_and_only_so_many_are() {
        let config = QueueConfig {
            dedup_window: Duration::from_millis(100),
            dedup_ids_max: 3,
            ..QueueConfig::default()
        };
        let mut dedup = Dedup::default();
        let known = |dedup: &Dedup, at| {
            let id = |id: &u128| {
                dedup.is_known(MessageId::new(*id), UnixMillis(at), config.dedup_window)
            };
            (1..6_u128).filter(id).collect::<Vec<_>>()
        };
        for (id, at) in [(1, 1000), (2, 1050), (3, 1060)] {
            dedup.remember(MessageId::new(id), UnixMillis(at), &config);
        }
        assert_eq!(known(&dedup, 1099), [1, 2, 3]);
        assert_eq!(known(&dedup, 1100), [2, 3]);
        dedup.remember(MessageId::new(4), UnixMillis(1090), &config);
        assert_eq!(known(&dedup, 1090), [2, 3, 4], "three are the most");
        dedup.remember(MessageId::new(2), UnixMillis(1155), &config);
        assert_eq!((known(&dedup, 1155), dedup.len()), (vec![2, 3, 4], 3));
        assert!(dedup.is_sound());
        let mut restored = Dedup::default();
        restored.restore(dedup.iter());
        assert_eq!(restored.iter().collect::<Vec<_>>(), dedup.iter().collect::<Vec<_>>());
        dedup.tidy(UnixMillis(5000), &config);
        assert_eq!(dedup.len(), 0);
    }
}
