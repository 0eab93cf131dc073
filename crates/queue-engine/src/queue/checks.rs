//! What must hold between the parts of a queue.

use std::collections::BTreeMap;

use super::{MessageState, Queue, Standing, Waits};
use crate::consumers::ConsumerSlot;
use crate::{Key, Offset, Overflow};
use message_index::{NEVER, chunk_of};

impl Queue {
    /// The first thing that does not hold.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.index.check()?;
        self.check_ledger()?;
        self.check_places()?;
        self.check_consumers()?;
        self.check_barred()?;
        self.check_keys()?;
        self.stale.check(&self.index)?;
        ensure(self.is_rekeying || self.stale.is_empty(), || "stale keys are not made".to_owned())?;
        self.check_rules()?;
        self.check_standings()?;
        self.check_dispatched()
    }

    fn check_ledger(&self) -> Result<(), String> {
        let ledger = self.ledger();
        ensure(ledger.balances(), || format!("the ledger does not balance: {ledger:?}"))?;
        ensure(self.counts.sum() + self.index.len() == self.index.next().0, || {
            "a departure is not counted".to_owned()
        })
    }

    /// A message that is not fresh is in exactly one place; one that is fresh in none.
    fn check_places(&self) -> Result<(), String> {
        let mut places: BTreeMap<Offset, u32> = BTreeMap::new();
        let leased = self.leases.iter().map(|lease| lease.offset);
        for offset in self.set_aside().chain(leased) {
            *places.entry(offset).or_default() += 1;
        }
        for (offset, count) in &places {
            ensure(*count == 1, || format!("offset {offset} is in {count} places"))?;
            ensure(!self.is_fresh(*offset), || {
                format!("offset {offset} is fresh, and in a place")
            })?;
            ensure(self.index.contains(*offset), || {
                format!("offset {offset} has left, and is in a place")
            })?;
        }
        let here = self.index.iter_from(Offset(0)).filter(|(offset, _)| !self.is_fresh(*offset));
        let here = here.count();
        ensure(here == places.len(), || {
            format!("{} of {here} messages that are not fresh are in a place", places.len())
        })?;
        ensure(self.fresh <= self.index.next(), || "what never came was dispatched".to_owned())?;
        for (offset, _) in self.attempts.iter() {
            let is_in_flight = self.leases.get(offset).is_some();
            ensure(self.index.contains(offset) && !is_in_flight, || {
                format!("attempts of offset {offset} are kept")
            })?;
        }
        let idle = self.index.iter_from(Offset(0)).map(|(offset, _)| offset);
        let idle = idle.filter(|offset| self.leases.get(*offset).is_none()).min();
        ensure(idle.is_none_or(|idle| idle >= self.oldest_idle), || {
            format!("{idle:?} is not in flight, and looked for from {}", self.oldest_idle)
        })
    }

    /// Each message that is here stands where its state says, and for each that is ready there is a reason.
    fn check_standings(&self) -> Result<(), String> {
        for (offset, _) in self.index.iter_from(Offset(0)) {
            let standing = self.standing(offset);
            let state = match &standing {
                Standing::Ready(_) => MessageState::Ready,
                Standing::InFlight { .. } => MessageState::InFlight,
                Standing::BackingOff { .. } | Standing::HeldBack { .. } | Standing::Announced => {
                    MessageState::Delayed
                }
                Standing::NotYet | Standing::Left | Standing::Settled => MessageState::Settled,
            };
            ensure(self.state(offset) == Some(state), || {
                format!("offset {offset} is said to stand elsewhere: {standing}")
            })?;
            ensure(standing != Standing::Ready(Waits::Nothing), || {
                format!("offset {offset} is ready, and nobody knows why")
            })?;
        }
        Ok(())
    }

    /// Each busy key knows what of it is in flight, held and waiting.
    fn check_keys(&self) -> Result<(), String> {
        ensure(self.keys.is_sound(), || "keys are not listed as they are".to_owned())?;
        let mut counts: BTreeMap<Key, (u32, u32, usize)> = BTreeMap::new();
        if self.is_keyed() {
            let in_flight = self.leases.iter().map(|lease| lease.offset);
            in_flight.for_each(|offset| counts.entry(self.key(offset)).or_default().0 += 1);
            let held = self.delayed.iter().chain(self.barred.ready().iter().copied());
            held.for_each(|offset| counts.entry(self.key(offset)).or_default().1 += 1);
            let waiting = self.keys.iter();
            waiting.for_each(|(_, offset)| counts.entry(self.key(offset)).or_default().2 += 1);
        }
        ensure(counts.len() == self.keys.len(), || "idle keys are kept".to_owned())?;
        for (key, counts) in counts {
            let counted = self.keys.counts(key);
            ensure(counts == counted, || format!("{key:?} has {counts:?}, not {counted:?}"))?;
        }
        Ok(())
    }

    /// What the wall clock and other properties ask for has been done, or is about to be.
    fn check_rules(&self) -> Result<(), String> {
        let is_through = !self.rules_are_stale && !self.has_more;
        let now = self.clock.at(self.now).filter(|_| is_through);
        for (offset, entry) in self.index.iter_from(Offset(0)) {
            if self.leases.get(offset).is_some() {
                continue;
            }
            let deadline = self.deadline(&entry);
            let noted = self.expiry.of(chunk_of(offset)).unwrap_or(NEVER);
            ensure(noted <= deadline, || format!("offset {offset} is not looked at in time"))?;
            ensure(now.is_none_or(|now| deadline > now), || format!("offset {offset} is overdue"))?;
            let newest = self.newest.get(entry.key);
            let is_newest = entry.key == Key::NONE || newest == Some(offset);
            ensure(!self.is_last_value() || !is_through || is_newest, || {
                format!("offset {offset} is here beside {newest:?} of its key")
            })?;
        }
        let replaced = self.newest.replaced().filter(|offset| !self.index.contains(*offset));
        let keyed = self.newest.len() as u64 <= self.index.len();
        ensure(replaced.count() == 0 && keyed, || "what has left was replaced".to_owned())?;
        for (due, offset) in &self.held_back {
            ensure(now.is_none_or(|now| *due > now), || {
                format!("offset {offset} is held too long")
            })?;
        }
        // The newest chunk stays when it is empty.
        let chunks = self.index.chunks().count() + self.index.kept_len() as usize + 1;
        ensure(self.expiry.len() <= chunks, || "deadlines of nothing are kept".to_owned())?;
        for (offset, _) in self.kept() {
            let until = self.kept_until.of(chunk_of(offset));
            ensure(until.is_some(), || format!("offset {offset} is kept for ever"))?;
        }
        ensure(self.dedup.is_sound(), || "message ids are not remembered as they are".to_owned())?;
        let drops = self.config.overflow == Overflow::DropOldest && is_through;
        ensure(!drops || !self.is_over_limit(), || "there are too many messages".to_owned())
    }

    fn check_consumers(&self) -> Result<(), String> {
        let mut held = 0;
        for slot in self.consumers.slots() {
            let consumer = self.consumers.get(slot);
            let leases = self.leases.iter_of(consumer.held);
            let count = leases.filter(|lease| lease.consumer == slot).count();
            held += count;
            let credit = consumer.max_inflight.min(self.config.max_inflight.max(1));
            let is_available = consumer.rests.is_none() && consumer.in_flight < credit;
            for (holds, what) in [
                (count == consumer.in_flight as usize, "counts its leases wrongly"),
                (is_available == consumer.is_available, "is available in the wrong way"),
            ] {
                ensure(holds, || format!("consumer {} {what}", consumer.id))?;
            }
        }
        ensure(held == self.leases.len(), || "a lease is at no consumer".to_owned())?;
        let ages: Vec<_> = self.leases.iter().map(|lease| lease.granted).collect();
        ensure(ages.is_sorted() && ages.len() == held, || {
            "leases are not in order of age".to_owned()
        })
    }

    fn check_barred(&self) -> Result<(), String> {
        let mut barred: BTreeMap<ConsumerSlot, u32> = BTreeMap::new();
        let consumers: Vec<ConsumerSlot> = self.consumers.slots().collect();
        for (offset, bars) in self.barred.iter() {
            let is_known = bars.len() > 0 && bars.slots().all(|slot| consumers.contains(&slot));
            ensure(self.index.contains(offset) && is_known, || {
                format!("offset {offset} has bars of nobody")
            })?;
            if self.barred.ready().contains(&offset) {
                ensure(bars.len() < consumers.len(), || {
                    format!("offset {offset} waits for nobody")
                })?;
                bars.slots().for_each(|slot| *barred.entry(slot).or_default() += 1);
            }
        }
        for offset in self.barred.ready() {
            ensure(self.barred.bars(*offset).is_some(), || {
                format!("offset {offset} waits without bars")
            })?;
        }
        for slot in consumers {
            let count = barred.get(&slot).copied().unwrap_or(0);
            let counted = self.consumers.get(slot).barred;
            ensure(count == counted, || {
                format!("{count} messages are barred from slot {}, not {counted}", slot.0)
            })?;
        }
        Ok(())
    }

    /// Nobody waits for a message that waits for somebody.
    fn check_dispatched(&self) -> Result<(), String> {
        let idle = |slot: &ConsumerSlot| self.consumers.get(*slot).is_available;
        let idle: Vec<ConsumerSlot> = self.consumers.slots().filter(idle).collect();
        if self.config.paused
            || self.is_rekeying
            || self.permits.is_withheld()
            || idle.is_empty()
            || self.rules_are_stale
            || self.has_more
        {
            return Ok(());
        }
        let fresh = || {
            let fresh = self.index.first_unplaced(self.fresh);
            fresh.filter(|offset| self.permits.is_permitted(*offset))
        };
        let ready = |offset: Offset| self.state(offset) == Some(MessageState::Ready);
        if self.is_single() {
            let waits = self.next_and_active().filter(|(offset, slot)| {
                let in_flight = self.consumers.get(*slot).in_flight as usize;
                let is_alone = in_flight == self.leases.len();
                let is_permitted = !self.is_fresh(*offset) || self.permits.is_permitted(*offset);
                idle.contains(slot) && is_alone && is_permitted && self.awaited_retry().is_none()
            });
            return ensure(waits.is_none(), || format!("{waits:?} waits for whose turn it is"));
        }
        for offset in self.barred.ready() {
            let none = idle.iter().all(|slot| !self.may_have(*offset, *slot));
            ensure(none && ready(*offset), || {
                format!("offset {offset} waits while a consumer has credit that may have it")
            })?;
        }
        if !self.is_keyed() {
            let waits = self.returned.first().map(|(_, offset)| *offset);
            let waits = waits.or_else(fresh);
            return ensure(waits.is_none(), || format!("{waits:?} waits while one has credit"));
        }
        let free = self.keys.first_free();
        ensure(free.is_none(), || format!("{free:?} waits while a consumer has credit"))?;
        for slot in idle {
            let owned = self.keys.first_owned(slot);
            ensure(owned.is_none(), || format!("{owned:?} waits while its owner has credit"))?;
        }
        let fresh = fresh();
        let is_far = self.keys.waiting() >= self.config.key_look_ahead.max(1) as usize;
        ensure(is_far || fresh.is_none(), || format!("{fresh:?} was not looked at"))
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
