//! Keys of which a group has something unsettled, and the messages that wait behind it. It must not know members.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use message_index::{Key, Offset};

/// What a group knows of a busy key.
#[derive(Debug, Default)]
struct Busy {
    /// Messages that are in flight, delayed or ready to go again.
    unsettled: u32,
    /// Messages that were passed over, in order.
    waiting: VecDeque<Offset>,
}

/// The busy keys of a group. An idle key is not known, and [`Key::NONE`] is never busy.
#[derive(Debug, Default)]
pub(crate) struct BusyKeys {
    keys: HashMap<Key, Busy, FixedState>,
}

impl BusyKeys {
    pub(crate) fn is_busy(&self, key: Key) -> bool {
        !self.keys.is_empty() && self.keys.contains_key(&key)
    }

    /// A message of the key is unsettled.
    pub(crate) fn begin(&mut self, key: Key) {
        if key != Key::NONE {
            self.keys.entry(key).or_default().unsettled += 1;
        }
    }

    /// A message of a busy key is passed over.
    pub(crate) fn wait(&mut self, key: Key, offset: Offset) {
        if let Some(busy) = self.keys.get_mut(&key) {
            busy.waiting.push_back(offset);
        }
    }

    /// A message of the key is unsettled no more. Gives the one that is unsettled now in its place: it may go.
    pub(crate) fn end(&mut self, key: Key) -> Option<Offset> {
        let busy = self.keys.get_mut(&key)?;
        busy.unsettled -= 1;
        if busy.unsettled > 0 {
            return None;
        }
        let next = busy.waiting.pop_front();
        if next.is_some() {
            busy.unsettled = 1;
        } else {
            self.keys.remove(&key);
        }
        next
    }

    /// How many of a key are unsettled, and how many wait.
    pub(crate) fn counts(&self, key: Key) -> (u32, usize) {
        self.keys.get(&key).map_or((0, 0), |busy| (busy.unsettled, busy.waiting.len()))
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn clear(&mut self) {
        self.keys.clear();
    }
}
