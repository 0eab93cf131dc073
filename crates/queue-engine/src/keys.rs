//! Which keys are busy, at whom, and which messages wait for them. It must not know consumers' credit, or the index.
//!
//! Only keys with something in flight, held or waiting take memory here. All others are free.

use std::collections::{BTreeSet, VecDeque};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::consumers::ConsumerSlot;
use crate::{Key, Offset};

/// A message's place among those that wait, before those with a higher one: see [`RETURNED`] and [`PASSED_OVER`].
pub(crate) type Turn = (u64, Offset);

/// The first half of the turn of a message that was delivered and came back. In between are those that were held back:
/// theirs is the time they fell due.
pub(crate) const RETURNED: u64 = 0;
/// The first half of the turn of a message that was passed over.
pub(crate) const PASSED_OVER: u64 = u64::MAX;

/// One key that is busy.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Busy {
    /// Who has all that is in flight; none: nobody, or several, who had it before the queue went by keys.
    owner: Option<ConsumerSlot>,
    in_flight: u32,
    /// Messages that wait for their back-off, or for a consumer that may have them: they count as in flight.
    held: u32,
    /// In order.
    waiting: VecDeque<Turn>,
}

/// Who may have the next message of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Takes {
    Anybody,
    Only(ConsumerSlot),
    Nobody,
}

impl Busy {
    fn takes(&self, inflight_max: u32) -> Takes {
        match self.owner {
            _ if self.in_flight + self.held >= inflight_max => Takes::Nobody,
            _ if self.in_flight == 0 => Takes::Anybody,
            Some(owner) => Takes::Only(owner),
            None => Takes::Nobody,
        }
    }
}

/// All keys that are busy.
#[derive(Debug)]
pub(crate) struct Keys {
    inflight_max: u32,
    busy: HashMap<Key, Busy, FixedState>,
    /// The first waiting messages of keys that anybody may have.
    free: BTreeSet<(Turn, Key)>,
    /// The first waiting messages of keys that only their owner may have.
    owned: BTreeSet<(ConsumerSlot, Turn, Key)>,
    /// Owners that got such a key since they were asked for.
    owners: Vec<ConsumerSlot>,
    waiting: usize,
}

impl Keys {
    pub(crate) fn new(inflight_max: u32) -> Self {
        Self {
            inflight_max: inflight_max.max(1),
            busy: HashMap::default(),
            free: BTreeSet::new(),
            owned: BTreeSet::new(),
            owners: Vec::new(),
            waiting: 0,
        }
    }

    /// Who may have a new message of this key now, behind all that wait.
    pub(crate) fn takes_new(&self, key: Key) -> Takes {
        match self.busy.get(&key) {
            None => Takes::Anybody,
            Some(busy) if busy.waiting.is_empty() => busy.takes(self.inflight_max),
            Some(_) => Takes::Nobody,
        }
    }

    /// Whether a consumer may have a held message of this key.
    pub(crate) fn may_have_held(&self, key: Key, slot: ConsumerSlot) -> bool {
        let may = |busy: &Busy| busy.in_flight < self.inflight_max && busy.owner == Some(slot);
        self.busy.get(&key).is_none_or(|busy| busy.in_flight == 0 || may(busy))
    }

    /// A message of the key was handed to a consumer.
    pub(crate) fn delivered(&mut self, key: Key, slot: ConsumerSlot) {
        self.change(key, |busy| {
            busy.owner = (busy.in_flight == 0 || busy.owner == Some(slot)).then_some(slot);
            busy.in_flight += 1;
        });
    }

    /// A lease on a message of the key has ended. True when something is held, which may go now.
    pub(crate) fn ended(&mut self, key: Key) -> bool {
        self.change(key, |busy| {
            busy.in_flight -= 1;
            if busy.in_flight == 0 {
                busy.owner = None;
            }
        });
        self.busy.get(&key).is_some_and(|busy| busy.held > 0)
    }

    /// A message of the key waits in a place of its own, and nothing goes before it, or does so no longer.
    pub(crate) fn hold(&mut self, key: Key, is_held: bool) {
        self.change(key, |busy| {
            busy.held = if is_held { busy.held + 1 } else { busy.held - 1 };
        });
    }

    /// A message waits for the key.
    pub(crate) fn wait(&mut self, key: Key, turn: Turn) {
        self.waiting += 1;
        self.change(key, |busy| {
            let at = busy.waiting.partition_point(|other| *other < turn);
            busy.waiting.insert(at, turn);
        });
    }

    /// A message does not wait for the key any more. False when it did not.
    pub(crate) fn unwait(&mut self, key: Key, turn: Turn) -> bool {
        let Some(at) = self.place(key, turn) else { return false };
        self.waiting -= 1;
        self.change(key, |busy| {
            busy.waiting.remove(at);
        });
        true
    }

    pub(crate) fn waits(&self, key: Key, turn: Turn) -> bool {
        self.place(key, turn).is_some()
    }

    /// Whether a message of the key waits that goes before a turn.
    pub(crate) fn is_before(&self, key: Key, turn: Turn) -> bool {
        let first = self.busy.get(&key).and_then(|busy| busy.waiting.front());
        first.is_some_and(|first| *first < turn)
    }

    fn place(&self, key: Key, turn: Turn) -> Option<usize> {
        self.busy.get(&key)?.waiting.binary_search(&turn).ok()
    }

    /// The message of the key that is next, if any waits, and who may have it.
    pub(crate) fn first_of(&self, key: Key) -> Option<(Turn, Takes)> {
        let busy = self.busy.get(&key)?;
        Some((*busy.waiting.front()?, busy.takes(self.inflight_max)))
    }

    /// Messages that wait for a key.
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// The next message that anybody may have.
    pub(crate) fn first_free(&self) -> Option<(Turn, Key)> {
        self.free.first().copied()
    }

    /// The next message that only this consumer may have.
    pub(crate) fn first_owned(&self, slot: ConsumerSlot) -> Option<(Turn, Key)> {
        let from = (slot, (0, Offset(0)), Key(0));
        let (owner, turn, key) = *self.owned.range(from..).next()?;
        (owner == slot).then_some((turn, key))
    }

    /// Owners that may have got something to do since the last time.
    pub(crate) fn take_owners(&mut self) -> Vec<ConsumerSlot> {
        std::mem::take(&mut self.owners)
    }

    /// Lets all owners with something to do be among the next ones asked for.
    pub(crate) fn recall_owners(&mut self) {
        self.owners = self.owned.iter().map(|(owner, ..)| *owner).collect();
        self.owners.dedup();
    }

    /// The oldest of the messages that are next in their keys.
    pub(crate) fn oldest(&self) -> Option<Offset> {
        self.busy.values().filter_map(|busy| busy.waiting.front()).map(|(_, offset)| *offset).min()
    }

    /// All that wait.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Turn> {
        self.busy.values().flat_map(|busy| busy.waiting.iter().copied())
    }

    /// Changes a key and keeps the lists of first messages right.
    fn change(&mut self, key: Key, change: impl FnOnce(&mut Busy)) {
        let busy = self.busy.entry(key).or_default();
        let before = (busy.takes(self.inflight_max), busy.waiting.front().copied());
        change(busy);
        let after = (busy.takes(self.inflight_max), busy.waiting.front().copied());
        if busy.in_flight == 0 && busy.held == 0 && busy.waiting.is_empty() {
            self.busy.remove(&key);
        }
        if before == after {
            return;
        }
        match before {
            (Takes::Anybody, Some(turn)) => drop(self.free.remove(&(turn, key))),
            (Takes::Only(owner), Some(turn)) => drop(self.owned.remove(&(owner, turn, key))),
            _ => {}
        }
        match after {
            (Takes::Anybody, Some(turn)) => drop(self.free.insert((turn, key))),
            (Takes::Only(owner), Some(turn)) => {
                self.owned.insert((owner, turn, key));
                self.owners.push(owner);
            }
            _ => {}
        }
    }

    /// What of a key is in flight, held and waiting.
    pub(crate) fn counts(&self, key: Key) -> (u32, u32, usize) {
        let busy = self.busy.get(&key);
        busy.map_or((0, 0, 0), |busy| (busy.in_flight, busy.held, busy.waiting.len()))
    }

    /// Whether the lists agree with the keys.
    pub(crate) fn is_sound(&self) -> bool {
        let listed = self.busy.iter().filter(|(key, busy)| match busy.waiting.front() {
            None => false,
            Some(turn) => match busy.takes(self.inflight_max) {
                Takes::Anybody => self.free.contains(&(*turn, **key)),
                Takes::Only(owner) => self.owned.contains(&(owner, *turn, **key)),
                Takes::Nobody => false,
            },
        });
        let in_order = self.busy.values().all(|busy| busy.waiting.iter().is_sorted());
        listed.count() == self.free.len() + self.owned.len()
            && in_order
            && self.iter().count() == self.waiting
    }

    /// Keys that are busy.
    pub(crate) fn len(&self) -> usize {
        self.busy.len()
    }
}

#[cfg(test)]
mod tests;
