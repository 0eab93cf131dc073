//! The newest message of each key, and older ones that a newer one has come after while they were in flight.
//! It must not know where messages are.

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::{Key, Offset};

/// What a last-value queue knows of its messages: each is the newest of its key, or replaced.
#[derive(Debug, Default)]
pub(crate) struct Newest {
    of_key: HashMap<Key, Offset, FixedState>,
    /// Stays known when the newer one has left: the older one must not come back after it.
    replaced: BTreeSet<Offset>,
    /// Keys of which that may have changed, if somebody wants to hear of it.
    changed: Option<Vec<Key>>,
}

impl Newest {
    /// A message is here. Gives the message of its key that is replaced now: the other one, or itself.
    pub(crate) fn add(&mut self, key: Key, offset: Offset) -> Option<Offset> {
        if key == Key::NONE {
            return None;
        }
        self.note(key);
        let newest = self.of_key.entry(key).or_insert(offset);
        if *newest == offset {
            return None;
        }
        let older = offset.min(*newest);
        *newest = offset.max(*newest);
        self.replaced.insert(older);
        Some(older)
    }

    /// A message is not here any more.
    pub(crate) fn remove(&mut self, key: Key, offset: Offset) {
        if self.of_key.get(&key) == Some(&offset) {
            self.of_key.remove(&key);
            self.note(key);
        }
        self.replaced.remove(&offset);
    }

    pub(crate) fn is_replaced(&self, offset: Offset) -> bool {
        self.replaced.contains(&offset)
    }

    /// A message is known to be replaced, whether or not the newer one is here.
    pub(crate) fn mark_replaced(&mut self, key: Key, offset: Offset) {
        if self.of_key.get(&key) == Some(&offset) {
            self.of_key.remove(&key);
        }
        self.replaced.insert(offset);
    }

    /// The newest of a key.
    pub(crate) fn get(&self, key: Key) -> Option<Offset> {
        self.of_key.get(&key).copied()
    }

    /// All that are here and replaced, in order.
    pub(crate) fn replaced(&self) -> impl Iterator<Item = Offset> {
        self.replaced.iter().copied()
    }

    pub(crate) fn clear(&mut self) {
        self.of_key.clear();
        self.replaced.clear();
    }

    /// Begins, or ends, to note of which keys the newest has changed.
    pub(crate) fn watch(&mut self, is_watched: bool) {
        self.changed = is_watched.then(Vec::new);
    }

    /// The newest of a key has come, left, or been handed to or by a consumer.
    pub(crate) fn note(&mut self, key: Key) {
        if let Some(changed) = &mut self.changed {
            changed.push(key);
        }
    }

    /// What was noted since it was asked last.
    pub(crate) fn take_changed(&mut self) -> Vec<Key> {
        self.changed.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// All keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> {
        self.of_key.keys().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.of_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_one_is_replaced_and_stays_so() {
        let mut newest = Newest::default();
        assert_eq!(newest.add(Key::NONE, Offset(0)), None);
        assert_eq!(newest.add(Key(1), Offset(1)), None);
        assert_eq!(newest.add(Key(1), Offset(1)), None);
        assert_eq!(newest.add(Key(1), Offset(5)), Some(Offset(1)));
        assert_eq!(newest.add(Key(1), Offset(3)), Some(Offset(3)), "one that comes back");
        assert_eq!(newest.get(Key(1)), Some(Offset(5)));
        newest.remove(Key(1), Offset(5));
        assert_eq!(newest.replaced().collect::<Vec<_>>(), [1, 3].map(Offset));
        newest.remove(Key(1), Offset(3));
        assert!(newest.is_replaced(Offset(1)) && !newest.is_replaced(Offset(3)));
        assert_eq!(newest.add(Key(1), Offset(9)), None);
        newest.mark_replaced(Key(1), Offset(9));
        assert_eq!((newest.get(Key(1)), newest.len()), (None, 0));
        newest.clear();
        assert_eq!(newest.replaced().count(), 0);
    }
}
