//! The machine: applies inputs to its parts and says what is to be done. It must not know how the parts keep things.

mod checks;
mod dispatching;
mod recovery;
mod settling;

use std::collections::BTreeSet;

use stdx::{Instant, UnixMillis};

use crate::attempts::Attempts;
use crate::barred::Barred;
use crate::consumers::{ConsumerSlot, Consumers};
use crate::dispatch::Dispatcher;
use crate::index::{Entry, Index};
use crate::leases::Leases;
use crate::ledger::Counts;
use crate::prng::Prng;
use crate::retry::Delayed;
use crate::{
    Action, ConsumerId, Departure, Input, InputError, Ledger, Offset, QueueConfig, StoredAt,
};

/// One durable queue.
///
/// A message that is still here is in one of these places:
///
/// | place | state | comes next |
/// |---|---|---|
/// | in the index, at or after `fresh` | ready | in order, after those released |
/// | `released` | ready | in order, before fresh ones |
/// | `barred`, ready | ready | to the first consumer that may have it |
/// | `leases` | in flight | |
/// | `delayed` | delayed | |
#[derive(Debug)]
pub struct Queue {
    config: QueueConfig,
    prng: Prng,
    /// The latest time it was told. Time never goes back.
    now: Instant,
    index: Index,
    /// What was never dispatched since the start begins here.
    fresh: Offset,
    released: BTreeSet<Offset>,
    barred: Barred,
    leases: Leases,
    delayed: Delayed,
    attempts: Attempts,
    counts: Counts,
    consumers: Consumers,
    dispatcher: Dispatcher,
    /// Consumers that may be chosen since this input.
    entered: Vec<ConsumerSlot>,
    /// Messages with bars that are ready since this input.
    unplaced: Vec<Offset>,
}

/// Where a message that is still here stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MessageState {
    /// It waits for a consumer.
    Ready,
    /// A consumer has it.
    InFlight,
    /// It waits before it is tried again.
    Delayed,
}

impl Queue {
    /// An empty queue. What is random in it follows from the seed.
    #[must_use]
    pub fn new(config: QueueConfig, seed: u64) -> Self {
        Self {
            dispatcher: Dispatcher::new(config.dispatch_strategy),
            config,
            prng: Prng::new(seed),
            now: Instant::ZERO,
            index: Index::default(),
            fresh: Offset(0),
            released: BTreeSet::new(),
            barred: Barred::default(),
            leases: Leases::default(),
            delayed: Delayed::default(),
            attempts: Attempts::default(),
            counts: Counts::default(),
            consumers: Consumers::default(),
            entered: Vec::new(),
            unplaced: Vec::new(),
        }
    }

    /// Takes an input and appends what is to be done.
    ///
    /// # Errors
    /// The input does not fit the state. Then nothing has changed and nothing was appended.
    pub fn handle(
        &mut self,
        now: Instant,
        input: Input,
        actions: &mut Vec<Action>,
    ) -> Result<(), InputError> {
        self.now = self.now.max(now);
        match input {
            Input::Enqueue { at, size, stored } => {
                self.index.push(Entry { at, size, stored });
            }
            Input::Attach { consumer, max_inflight } => self.attach(consumer, max_inflight)?,
            Input::Detach { consumer, written } => self.detach(consumer, &written, actions)?,
            Input::Settle { consumer, offset, outcome } => {
                self.settle(consumer, offset, outcome, actions)?;
            }
            Input::TooLarge { consumer, offset } => self.too_large(consumer, offset, actions)?,
            Input::DeadLetterDropped { offset } => self.dead_letter_dropped(offset)?,
            Input::Tick => self.tick(actions),
            Input::Pause => self.config.paused = true,
            Input::Resume => self.set_paused(false),
            Input::Reconfigure(config) => self.reconfigure(config),
        }
        self.dispatch(actions);
        Ok(())
    }

    /// When it wants a tick, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let lease = self.leases.oldest().filter(|_| !self.config.ack_timeout.is_zero());
        let lease = lease.map(|lease| lease.granted + self.config.ack_timeout);
        [lease, self.delayed.first_due(), self.consumers.first_rest()].into_iter().flatten().min()
    }

    fn attach(&mut self, id: ConsumerId, max_inflight: u32) -> Result<(), InputError> {
        if self.consumers.slot(id).is_some() {
            return Err(InputError::AlreadyAttached(id));
        }
        if max_inflight == 0 {
            return Err(InputError::NoCredit(id));
        }
        let slot = self.consumers.add(id, max_inflight);
        self.refresh(slot);
        Ok(())
    }

    fn dead_letter_dropped(&mut self, offset: Offset) -> Result<(), InputError> {
        let is_known = offset < self.index.next() && !self.index.contains(offset);
        if !is_known || self.counts.get(Departure::DeadLettered) == 0 {
            return Err(InputError::NoDeadLetter(offset));
        }
        self.counts.recount(Departure::DeadLettered, Departure::Dropped);
        Ok(())
    }

    fn set_paused(&mut self, paused: bool) {
        self.config.paused = paused;
        // While it was paused nobody looked for somebody to take these.
        self.unplaced.extend(self.barred.ready());
    }

    fn reconfigure(&mut self, config: QueueConfig) {
        let slots: Vec<ConsumerSlot> = self.consumers.slots().collect();
        if config.dispatch_strategy != self.config.dispatch_strategy {
            self.dispatcher = Dispatcher::new(config.dispatch_strategy);
            slots.iter().for_each(|slot| self.consumers.get_mut(*slot).is_available = false);
        }
        let paused = config.paused;
        self.config = config;
        self.set_paused(paused);
        slots.into_iter().for_each(|slot| self.refresh(slot));
    }

    /// Its properties.
    #[must_use]
    pub const fn config(&self) -> &QueueConfig {
        &self.config
    }

    /// The account at this moment.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let in_flight = self.leases.len() as u64;
        let delayed = self.delayed.len() as u64;
        let oldest = self.index.iter_from(Offset(0)).next();
        Ledger {
            enqueued: self.index.next().0,
            settled: self.counts.get(Departure::Settled),
            ready: self.index.len() - in_flight - delayed,
            in_flight,
            delayed,
            expired: self.counts.get(Departure::Expired),
            dropped: self.counts.get(Departure::Dropped),
            replaced: self.counts.get(Departure::Replaced),
            dead_lettered: self.counts.get(Departure::DeadLettered),
            purged: self.counts.get(Departure::Purged),
            redelivered: self.counts.redelivered,
            bytes: self.index.bytes(),
            consumers: self.consumers.len() as u64,
            oldest_offset: oldest.map(|(offset, _)| offset),
            oldest_stored: oldest.map(|(_, entry)| entry.stored),
        }
    }

    /// The offset that the next message gets.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        self.index.next()
    }

    /// Whether a message waits that was never dispatched since the start.
    #[must_use]
    pub fn has_fresh(&self) -> bool {
        self.index.first_from(self.fresh).is_some()
    }

    /// Appends the next messages that were never dispatched, in order, at most `max` of those after `after`.
    pub fn upcoming(&self, after: Option<Offset>, max: usize, out: &mut Vec<(Offset, StoredAt)>) {
        let from = after.map_or(self.fresh, |after| self.fresh.max(after.next()));
        out.extend(self.index.iter_from(from).take(max).map(|(offset, entry)| (offset, entry.at)));
    }

    /// Bytes of memory that the index of waiting messages takes.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.index.heap_bytes()
    }

    /// All messages that are still here, in order.
    pub fn stored(&self) -> impl Iterator<Item = (Offset, StoredAt)> {
        self.index.iter_from(Offset(0)).map(|(offset, entry)| (offset, entry.at))
    }

    /// Where a message stands; none when it has left or never came.
    #[must_use]
    pub fn state(&self, offset: Offset) -> Option<MessageState> {
        if !self.index.contains(offset) {
            return None;
        }
        let is_ready = offset >= self.fresh
            || self.released.contains(&offset)
            || self.barred.ready().contains(&offset);
        Some(match self.leases.get(offset) {
            Some(_) => MessageState::InFlight,
            None if is_ready => MessageState::Ready,
            None => MessageState::Delayed,
        })
    }

    /// Deliveries of a message that counted, the one under way not among them.
    #[must_use]
    pub fn attempts(&self, offset: Offset) -> u32 {
        self.leases.get(offset).map_or_else(|| self.attempts.get(offset), |lease| lease.attempts)
    }

    /// Where the body of a message is that is still here, its size, and when it was stored.
    #[must_use]
    pub fn message(&self, offset: Offset) -> Option<(StoredAt, u32, UnixMillis)> {
        self.index.get(offset).map(|entry| (entry.at, entry.size, entry.stored))
    }
}
