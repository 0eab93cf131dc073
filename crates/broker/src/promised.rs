//! Room of a last-value queue by key: a message that replaces another takes that one's room over. It must not know limits.

use std::collections::VecDeque;

use hashbrown::HashMap;

/// What is known of each key that has, or will have, a message to be replaced.
#[derive(Debug, Default)]
pub(crate) struct Promised {
    keys: HashMap<u64, Newest>,
}

/// The newest message of a key.
#[derive(Debug, Default)]
struct Newest {
    /// The bytes of the one that waits in the queue and is in flight nowhere.
    waiting: Option<u32>,
    /// The bytes of those on their way to the queue. Each replaces the one before.
    coming: VecDeque<u32>,
}

/// By how much what is taken of a room changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Change {
    pub(crate) messages: i64,
    pub(crate) bytes: i64,
}

impl Promised {
    /// A message of that key goes on its way: what more it takes.
    pub(crate) fn promise(&mut self, key: u64, size: u32) -> Change {
        self.change(key, |newest| newest.coming.push_back(size))
    }

    /// Takes the last promise of a key back.
    pub(crate) fn take_back(&mut self, key: u64) -> Change {
        self.change(key, |newest| _ = newest.coming.pop_back())
    }

    /// A message of that key has come, or will not: what changes with it, if it was promised anything.
    pub(crate) fn keep(&mut self, key: u64, size: u32) -> Option<Change> {
        let newest = self.keys.get(&key)?;
        let place = newest.coming.iter().position(|coming| *coming == size)?;
        Some(self.change(key, |newest| _ = newest.coming.remove(place)))
    }

    /// The next message of that key replaces one of so many bytes, or none.
    pub(crate) fn replaces(&mut self, key: u64, waiting: Option<u32>) -> Change {
        self.change(key, |newest| newest.waiting = waiting)
    }

    /// Nothing is known to be replaced.
    pub(crate) fn forget_waiting(&mut self) -> Change {
        let keys: Vec<u64> = self.keys.keys().copied().collect();
        keys.into_iter().fold(Change::default(), |sum, key| sum.and(self.replaces(key, None)))
    }

    fn change(&mut self, key: u64, change: impl FnOnce(&mut Newest)) -> Change {
        let newest = self.keys.entry(key).or_default();
        let before = newest.on_its_way();
        change(newest);
        let after = newest.on_its_way();
        if newest.waiting.is_none() && newest.coming.is_empty() {
            self.keys.remove(&key);
        }
        Change { messages: after.messages - before.messages, bytes: after.bytes - before.bytes }
    }
}

impl Newest {
    /// What the queue will have more when all have come: one message in place of another.
    fn on_its_way(&self) -> Change {
        let Some(newest) = self.coming.back() else { return Change::default() };
        Change {
            messages: 1 - i64::from(self.waiting.is_some()),
            bytes: i64::from(*newest) - self.waiting.map_or(0, i64::from),
        }
    }
}

impl Change {
    pub(crate) const fn and(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn change(messages: i64, bytes: i64) -> Change {
        Change { messages, bytes }
    }

    #[test]
    fn a_message_takes_what_it_has_more_than_the_one_it_replaces() {
        let mut promised = Promised::default();
        assert_eq!(promised.promise(1, 100), change(1, 100));
        assert_eq!(promised.promise(1, 70), change(0, -30), "the first will have come");
        assert_eq!(promised.promise(2, 10), change(1, 10), "another key");
        // The first one comes, and waits: the queue has it, and the second replaces it.
        let came = promised.keep(1, 100).expect("it was promised");
        assert_eq!(came.and(promised.replaces(1, Some(100))), change(-1, -100));
        // A consumer gets it before the second comes.
        assert_eq!(promised.replaces(1, None), change(1, 100));
        assert_eq!(promised.keep(1, 70), Some(change(-1, -70)));
        assert_eq!(promised.keep(1, 70), None, "nothing else was promised");
        assert_eq!(promised.take_back(2), change(-1, -10));
        assert!(promised.keys.is_empty());
    }

    #[test]
    fn what_waits_can_be_forgotten() {
        let mut promised = Promised::default();
        assert_eq!(promised.replaces(1, Some(100)), change(0, 0));
        assert_eq!(promised.replaces(2, Some(100)), change(0, 0));
        assert_eq!(promised.promise(1, 120), change(0, 20));
        assert_eq!(promised.forget_waiting(), change(1, 100));
        assert_eq!(promised.keep(1, 120), Some(change(-1, -120)));
        assert!(promised.keys.is_empty());
    }
}
