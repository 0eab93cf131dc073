//! Messages that must not go to every consumer. It must not know who is free to take them.

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use crate::Offset;
use crate::consumers::ConsumerSlot;

/// Why a message must not go to a consumer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bar {
    /// It is larger than the consumer takes; holds as long as the consumer is connected.
    TooLarge,
    /// The consumer let its lease run out; holds as long as there is anybody else.
    RanOut,
}

/// The consumers that a message must not go to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bars {
    bars: SmallVec<[(ConsumerSlot, Bar); 2]>,
}

impl Bars {
    pub(crate) fn has(&self, slot: ConsumerSlot) -> bool {
        self.bars.iter().any(|(barred, _)| *barred == slot)
    }

    /// Bars a consumer; one that is too small stays so.
    fn add(&mut self, slot: ConsumerSlot, bar: Bar) {
        match self.bars.iter_mut().find(|(barred, _)| *barred == slot) {
            Some(known) if bar == Bar::TooLarge => known.1 = bar,
            Some(_) => {}
            None => self.bars.push((slot, bar)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bars.len()
    }

    /// For how many it is too large, and at how many its lease ran out.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let too_large = self.bars.iter().filter(|(_, bar)| *bar == Bar::TooLarge).count();
        (too_large as u64, (self.bars.len() - too_large) as u64)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = ConsumerSlot> {
        self.bars.iter().map(|(slot, _)| *slot)
    }
}

/// The bars of messages that are still here, and those messages among them that are ready.
///
/// Bars stay while a message is in flight or delayed: they hold again when it comes back.
#[derive(Debug, Default)]
pub(crate) struct Barred {
    bars: BTreeMap<Offset, Bars>,
    ready: BTreeSet<Offset>,
}

impl Barred {
    /// Whether no message has bars.
    pub(crate) fn is_empty(&self) -> bool {
        self.bars.is_empty()
    }

    pub(crate) fn bars(&self, offset: Offset) -> Option<&Bars> {
        self.bars.get(&offset)
    }

    /// Bars a consumer from a message that is not ready.
    pub(crate) fn bar(&mut self, offset: Offset, slot: ConsumerSlot, bar: Bar) {
        self.bars.entry(offset).or_default().add(slot, bar);
    }

    /// Lifts a message's bars for consumers that let its lease run out. It must not be ready.
    pub(crate) fn lift_ran_out(&mut self, offset: Offset) {
        if let Some(bars) = self.bars.get_mut(&offset) {
            bars.bars.retain(|(_, bar)| *bar == Bar::TooLarge);
            if bars.bars.is_empty() {
                self.bars.remove(&offset);
            }
        }
    }

    /// Lifts all bars for a consumer that has gone. No message may be ready.
    pub(crate) fn lift_for(&mut self, slot: ConsumerSlot) {
        self.bars.retain(|_, bars| {
            bars.bars.retain(|(barred, _)| *barred != slot);
            !bars.bars.is_empty()
        });
    }

    /// Forgets a message, which must not be ready.
    pub(crate) fn forget(&mut self, offset: Offset) {
        if !self.bars.is_empty() {
            self.bars.remove(&offset);
        }
    }

    /// Ready messages with bars, in order.
    pub(crate) const fn ready(&self) -> &BTreeSet<Offset> {
        &self.ready
    }

    pub(crate) fn set_ready(&mut self, offset: Offset, is_ready: bool) {
        if is_ready {
            self.ready.insert(offset);
        } else {
            self.ready.remove(&offset);
        }
    }

    /// All messages with bars.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Offset, &Bars)> {
        self.bars.iter().map(|(offset, bars)| (*offset, bars))
    }
}
