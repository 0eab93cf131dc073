//! The consumers of a queue: their credit, whether they rest, what they hold. It must not know who gets what next.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use stdx::Instant;

use crate::ConsumerId;
use crate::links::List;

/// A consumer's place in the slab, taken anew by another once it has gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ConsumerSlot(pub(crate) u32);

/// One consumer.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) id: ConsumerId,
    /// What it asked for.
    pub(crate) max_inflight: u32,
    pub(crate) in_flight: u32,
    /// Its leases.
    pub(crate) held: List,
    /// Until when it rests.
    pub(crate) rests: Option<Instant>,
    /// Whether the dispatcher may choose it.
    pub(crate) is_available: bool,
    /// Messages that must not go to it.
    pub(crate) barred: u32,
    /// Its place in line.
    line: u64,
}

/// All consumers.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    slots: HashMap<ConsumerId, ConsumerSlot, FixedState>,
    slab: Vec<Option<Consumer>>,
    free: Vec<ConsumerSlot>,
    resting: BTreeSet<(Instant, ConsumerSlot)>,
    /// In the order they attached.
    line: BTreeMap<u64, ConsumerSlot>,
    /// The place in line of the next one.
    next_in_line: u64,
}

impl Consumers {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn slot(&self, id: ConsumerId) -> Option<ConsumerSlot> {
        self.slots.get(&id).copied()
    }

    pub(crate) fn get(&self, slot: ConsumerSlot) -> &Consumer {
        self.slab[slot.0 as usize].as_ref().expect("slots are given out while the consumer is here")
    }

    pub(crate) fn get_mut(&mut self, slot: ConsumerSlot) -> &mut Consumer {
        self.slab[slot.0 as usize].as_mut().expect("slots are given out while the consumer is here")
    }

    /// Adds a consumer that is not here.
    pub(crate) fn add(&mut self, id: ConsumerId, max_inflight: u32) -> ConsumerSlot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slab.push(None);
            ConsumerSlot((self.slab.len() - 1) as u32)
        });
        self.slab[slot.0 as usize] = Some(Consumer {
            id,
            max_inflight,
            in_flight: 0,
            held: List::default(),
            rests: None,
            is_available: false,
            barred: 0,
            line: self.next_in_line,
        });
        self.line.insert(self.next_in_line, slot);
        self.next_in_line += 1;
        self.slots.insert(id, slot);
        slot
    }

    /// Removes a consumer that holds nothing.
    pub(crate) fn remove(&mut self, slot: ConsumerSlot) {
        self.wake(slot);
        if let Some(consumer) = self.slab[slot.0 as usize].take() {
            self.slots.remove(&consumer.id);
            self.line.remove(&consumer.line);
            self.free.push(slot);
        }
    }

    /// Lets a consumer rest, no less than it does already.
    pub(crate) fn rest(&mut self, slot: ConsumerSlot, until: Instant) {
        let until = self.get(slot).rests.map_or(until, |rests| rests.max(until));
        self.wake(slot);
        self.get_mut(slot).rests = Some(until);
        self.resting.insert((until, slot));
    }

    fn wake(&mut self, slot: ConsumerSlot) {
        if let Some(until) = self.get_mut(slot).rests.take() {
            self.resting.remove(&(until, slot));
        }
    }

    /// When the first rest ends.
    pub(crate) fn first_rest(&self) -> Option<Instant> {
        self.resting.first().map(|(until, _)| *until)
    }

    /// Ends the first rest, if it is over by `now`.
    pub(crate) fn wake_next(&mut self, now: Instant) -> Option<ConsumerSlot> {
        let (_, slot) = *self.resting.first().filter(|(until, _)| *until <= now)?;
        self.wake(slot);
        Some(slot)
    }

    /// Who attached first, and those that attached after, but for who had to stand back.
    pub(crate) fn in_line(&self) -> impl Iterator<Item = ConsumerSlot> {
        self.line.values().copied()
    }

    /// Sends a consumer to the end of the line.
    pub(crate) fn stand_back(&mut self, slot: ConsumerSlot) {
        let place = self.next_in_line;
        self.next_in_line += 1;
        let before = std::mem::replace(&mut self.get_mut(slot).line, place);
        self.line.remove(&before);
        self.line.insert(place, slot);
    }

    /// All slots in use, in order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = ConsumerSlot> {
        let used = self.slab.iter().enumerate().filter(|(_, consumer)| consumer.is_some());
        used.map(|(at, _)| ConsumerSlot(at as u32))
    }
}
