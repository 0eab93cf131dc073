//! What must hold between the parts of a queue.

use std::collections::BTreeMap;

use super::Queue;
use crate::Offset;
use crate::consumers::ConsumerSlot;

impl Queue {
    /// The first thing that does not hold.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.index.check()?;
        self.check_ledger()?;
        self.check_places()?;
        self.check_consumers()?;
        self.check_barred()?;
        self.check_dispatched()
    }

    fn check_ledger(&self) -> Result<(), String> {
        let ledger = self.ledger();
        ensure(ledger.balances(), || format!("the ledger does not balance: {ledger:?}"))?;
        ensure(self.counts.sum() + self.index.len() == self.index.next().0, || {
            "a departure is not counted".to_owned()
        })
    }

    /// A message below `fresh` is in exactly one place; at or after it there is none in any.
    fn check_places(&self) -> Result<(), String> {
        let mut places: BTreeMap<Offset, u32> = BTreeMap::new();
        let released = self.released.iter().chain(self.barred.ready()).copied();
        let leased = self.leases.iter().map(|lease| lease.offset);
        for offset in released.chain(leased).chain(self.delayed.iter()) {
            *places.entry(offset).or_default() += 1;
        }
        for (offset, count) in &places {
            ensure(*count == 1, || format!("offset {offset} is in {count} places"))?;
            ensure(*offset < self.fresh, || format!("offset {offset} is fresh, and in a place"))?;
            ensure(self.index.contains(*offset), || {
                format!("offset {offset} has left, and is in a place")
            })?;
        }
        let here =
            self.index.iter_from(Offset(0)).take_while(|(offset, _)| *offset < self.fresh).count();
        ensure(here == places.len(), || {
            format!("{} of {here} dispatched messages are in a place", places.len())
        })?;
        ensure(self.fresh <= self.index.next(), || "what never came was dispatched".to_owned())?;
        for (offset, _) in self.attempts.iter() {
            let is_in_flight = self.leases.get(offset).is_some();
            ensure(self.index.contains(offset) && !is_in_flight, || {
                format!("attempts of offset {offset} are kept")
            })?;
        }
        Ok(())
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
        if self.config.paused || idle.is_empty() {
            return Ok(());
        }
        let waits = self.released.first().copied().or_else(|| self.index.first_from(self.fresh));
        ensure(waits.is_none(), || format!("{waits:?} waits while a consumer has credit"))?;
        for offset in self.barred.ready() {
            let bars = self.barred.bars(*offset);
            let all = idle.iter().all(|slot| bars.is_some_and(|bars| bars.has(*slot)));
            ensure(all, || {
                format!("offset {offset} waits while a consumer has credit that may have it")
            })?;
        }
        Ok(())
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
