//! Who is attached, with what credit, and who rests. It must not know messages.

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use stdx::Instant;

use crate::config::DispatchStrategy;
use crate::dispatch::{Dispatch, Slot};
use crate::ids::ConsumerId;
use crate::prng::Prng;

/// One consumer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consumer {
    pub(crate) id: ConsumerId,
    /// What it asked for.
    wanted: u32,
    /// Unsettled messages that it may have: what it asked for, or the queue's limit when that is less.
    pub(crate) credit: u32,
    pub(crate) in_flight: u32,
    pub(crate) rests_until: Option<Instant>,
}

impl Consumer {
    pub(crate) const fn can_take(&self) -> bool {
        self.rests_until.is_none() && self.in_flight < self.credit
    }
}

/// All consumers. Each keeps its slot while it is attached; a new one gets the lowest that is free.
#[derive(Debug)]
pub(crate) struct Consumers {
    by_id: HashMap<ConsumerId, Slot, FixedState>,
    slots: Vec<Option<Consumer>>,
    free: BTreeSet<Slot>,
    rests: BTreeSet<(Instant, Slot)>,
    dispatch: Dispatch,
    limit: u32,
}

impl Consumers {
    pub(crate) fn new(strategy: DispatchStrategy, limit: u32) -> Self {
        Self {
            by_id: HashMap::with_hasher(FixedState::default()),
            slots: Vec::new(),
            free: BTreeSet::new(),
            rests: BTreeSet::new(),
            dispatch: Dispatch::new(strategy),
            limit,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn slot(&self, id: ConsumerId) -> Option<Slot> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Consumer> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &Consumer)> {
        self.slots.iter().zip(0..).filter_map(|(consumer, slot)| Some((slot, consumer.as_ref()?)))
    }

    /// Adds a consumer that is not attached.
    pub(crate) fn attach(&mut self, id: ConsumerId, wanted: u32) {
        let credit = credit(wanted, self.limit);
        let consumer = Some(Consumer { id, wanted, credit, in_flight: 0, rests_until: None });
        let slot = match self.free.pop_first() {
            Some(slot) => {
                self.slots[slot as usize] = consumer;
                slot
            }
            None => {
                self.slots.push(consumer);
                (self.slots.len() - 1) as Slot
            }
        };
        self.by_id.insert(id, slot);
        self.dispatch.enter(slot, 0);
    }

    /// Takes a consumer out.
    pub(crate) fn detach(&mut self, slot: Slot) {
        let Some(consumer) = self.slots.get_mut(slot as usize).and_then(Option::take) else { return };
        if consumer.can_take() {
            self.dispatch.leave(slot, consumer.in_flight);
        }
        if let Some(until) = consumer.rests_until {
            self.rests.remove(&(until, slot));
        }
        self.by_id.remove(&consumer.id);
        self.free.insert(slot);
    }

    /// A message was leased to it.
    pub(crate) fn granted(&mut self, slot: Slot) {
        self.change(slot, |consumer| consumer.in_flight += 1);
    }

    /// A lease of it has ended.
    pub(crate) fn ended(&mut self, slot: Slot) {
        self.change(slot, |consumer| consumer.in_flight -= 1);
    }

    /// It gets nothing until then.
    pub(crate) fn rest(&mut self, slot: Slot, until: Instant) {
        let Some(before) = self.get(slot).map(|consumer| consumer.rests_until) else { return };
        if before.is_some_and(|before| before >= until) {
            return;
        }
        if let Some(before) = before {
            self.rests.remove(&(before, slot));
        }
        self.rests.insert((until, slot));
        self.change(slot, |consumer| consumer.rests_until = Some(until));
    }

    /// When the next rest ends.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.rests.first().map(|&(until, _)| until)
    }

    /// Ends the rests that are over.
    pub(crate) fn wake(&mut self, now: Instant) {
        while let Some(&(until, slot)) = self.rests.first()
            && until <= now
        {
            self.rests.pop_first();
            self.change(slot, |consumer| consumer.rests_until = None);
        }
    }

    /// Another strategy, which starts its turns anew, or another limit on everybody's credit.
    pub(crate) fn reconfigure(&mut self, strategy: Option<DispatchStrategy>, limit: u32) {
        self.limit = limit;
        for slot in 0..self.slots.len() as Slot {
            self.change(slot, |consumer| consumer.credit = credit(consumer.wanted, limit));
        }
        let Some(strategy) = strategy else { return };
        let mut dispatch = Dispatch::new(strategy);
        for (slot, consumer) in self.iter().filter(|(_, consumer)| consumer.can_take()) {
            dispatch.enter(slot, consumer.in_flight);
        }
        self.dispatch = dispatch;
    }

    /// Changes a consumer and tells the strategy what that means to it.
    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Consumer)) {
        let Some(consumer) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let before = *consumer;
        change(consumer);
        let after = *consumer;
        match (before.can_take(), after.can_take()) {
            (true, true) if before.in_flight != after.in_flight => {
                self.dispatch.change(slot, before.in_flight, after.in_flight);
            }
            (true, false) => self.dispatch.leave(slot, before.in_flight),
            (false, true) => self.dispatch.enter(slot, after.in_flight),
            (true, true) | (false, false) => {}
        }
    }

    /// Whether nobody can take a message.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.dispatch.is_empty()
    }

    /// Whether the strategy counts this consumer among those that can take a message.
    pub(crate) fn is_offered(&self, slot: Slot) -> bool {
        self.get(slot).is_some_and(|consumer| self.dispatch.contains(slot, consumer.in_flight))
    }

    /// Whether one of the allowed can take a message.
    pub(crate) fn any(&self, allowed: impl Fn(ConsumerId) -> bool) -> bool {
        self.dispatch.any(|slot| self.get(slot).is_some_and(|consumer| allowed(consumer.id)))
    }

    /// Who gets the next message.
    pub(crate) fn pick(&mut self, prng: &mut Prng) -> Option<Slot> {
        self.dispatch.pick(prng)
    }

    /// Who of the allowed gets the next message.
    pub(crate) fn pick_among(&mut self, prng: &mut Prng, allowed: impl Fn(ConsumerId) -> bool) -> Option<Slot> {
        let Self { dispatch, slots, .. } = self;
        let allowed = |slot: Slot| {
            slots.get(slot as usize).and_then(Option::as_ref).is_some_and(|consumer| allowed(consumer.id))
        };
        dispatch.pick_among(prng, allowed)
    }
}

fn credit(wanted: u32, limit: u32) -> u32 {
    wanted.min(limit).max(1)
}
