//! The machine: applies inputs to its parts and says what is to be done. It must not know how the parts keep things.

mod arriving;
mod checks;
mod dispatching;
mod expiring;
mod explaining;
mod inspecting;
mod keeping;
mod keyed;
mod leaving;
mod limits;
mod operating;
mod peeking;
mod permitting;
mod places;
mod reconfiguring;
mod recovery;
mod rekeying;
mod settling;
mod single;
mod stalling;

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use message_index::{Deadlines, Index, Stale};
use stdx::{Instant, UnixMillis, WallClock};

use crate::attempts::Attempts;
use crate::barred::Barred;
use crate::consumers::{ConsumerSlot, Consumers};
use crate::dedup::Dedup;
use crate::dispatch::Dispatcher;
use crate::keys::{Keys, Turn};
use crate::leases::Leases;
use crate::ledger::Counts;
use crate::newest::Newest;
use crate::permits::Permits;
use crate::prng::Prng;
use crate::retry::{Delayed, longest_back_off};
use crate::{Action, ConsumerId, Departure, Input, InputError, Ledger, Offset, QueueConfig};

pub use explaining::{Blocker, Standing, Waits};
pub use inspecting::ConsumerState;
pub use limits::Full;
pub use peeking::{MessageState, Peeked};
pub use stalling::Stall;

/// Messages that leave, or fall due, at most with one input, beside those that it names itself: millions must not hold up
/// everything else. The rest goes with the next tick, which is due at once; until then nothing is delivered.
const STEP_MAX: usize = 16_384;

/// One durable queue.
///
/// A message that is still here is in one of these places:
///
/// | place | state | comes next |
/// |---|---|---|
/// | in the index, at or after `fresh`, not placed | ready | in order, after those in the next two |
/// | `returned`, unless the queue goes by keys | ready | in order of turns |
/// | waiting in `keys`, if it does | ready | in order of turns, when its key is free |
/// | `barred`, ready | ready | to the first consumer that may have it |
/// | `leases` | in flight | |
/// | `delayed` | delayed | when its back-off is over |
/// | `held_back` | delayed | when its own time has come |
/// | `permits.announced` | delayed | its time has come: when the log knows that it may be delivered |
#[derive(Debug)]
pub struct Queue {
    config: QueueConfig,
    prng: Prng,
    /// The latest time it was told. Time never goes back.
    now: Instant,
    clock: WallClock,
    index: Index,
    /// What was never dispatched since the start begins here.
    fresh: Offset,
    returned: BTreeSet<Turn>,
    keys: Keys,
    barred: Barred,
    leases: Leases,
    delayed: Delayed,
    held_back: BTreeSet<(UnixMillis, Offset)>,
    permits: Permits,
    attempts: Attempts,
    counts: Counts,
    consumers: Consumers,
    dispatcher: Dispatcher,
    /// The retention in the unit of deadlines, because each message needs it.
    retention_millis: u64,
    /// When messages expire.
    expiry: Deadlines,
    /// When kept messages may be forgotten, if nothing of their chunk was settled since.
    kept_until: Deadlines,
    /// When a message of a chunk with kept ones was last settled, as far as it is known.
    kept_since: HashMap<u64, UnixMillis, FixedState>,
    dedup: Dedup,
    /// The newest messages of keys, of a last-value queue.
    newest: Newest,
    /// Messages whose keys are to be made anew.
    stale: Stale,
    /// Whether there are such messages, or were in this input: nothing goes by keys, and nothing is delivered.
    is_rekeying: bool,
    /// Messages without a key that a replay has let in.
    unkeyed: Vec<Offset>,
    /// Until when messages wait, as far as a replay has come.
    waits: BTreeMap<Offset, UnixMillis>,
    /// Whether rules have changed, or were not kept in a replay.
    rules_are_stale: bool,
    /// With so many actions nothing more leaves by itself with this input.
    enough_at: usize,
    /// Whether the last input left something that is to leave, or that is due.
    has_more: bool,
    /// Where to look for the oldest message that is not in flight: there is none before.
    oldest_idle: Offset,
    /// Consumers that may be chosen since this input.
    entered: Vec<ConsumerSlot>,
    /// Messages with bars that are ready since this input.
    unplaced: Vec<Offset>,
}

impl Queue {
    /// An empty queue. What is random in it follows from the seed.
    #[must_use]
    pub fn new(config: QueueConfig, seed: u64) -> Self {
        Self {
            dispatcher: Dispatcher::new(config.dispatch_strategy),
            keys: Keys::new(config.key_inflight),
            retention_millis: expiring::millis_or_never(config.retention),
            config,
            prng: Prng::new(seed),
            now: Instant::ZERO,
            clock: WallClock::default(),
            index: Index::default(),
            fresh: Offset(0),
            returned: BTreeSet::new(),
            barred: Barred::default(),
            leases: Leases::default(),
            delayed: Delayed::default(),
            held_back: BTreeSet::new(),
            permits: Permits::default(),
            attempts: Attempts::default(),
            counts: Counts::default(),
            consumers: Consumers::default(),
            expiry: Deadlines::default(),
            kept_until: Deadlines::default(),
            kept_since: HashMap::default(),
            dedup: Dedup::default(),
            newest: Newest::default(),
            stale: Stale::default(),
            is_rekeying: false,
            unkeyed: Vec::new(),
            waits: BTreeMap::new(),
            rules_are_stale: false,
            enough_at: 0,
            has_more: false,
            oldest_idle: Offset(0),
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
            Input::Enqueue(message) => self.enqueue(&message, actions),
            Input::Attach { consumer, max_inflight } => self.attach(consumer, max_inflight)?,
            Input::Detach { consumer, written } => self.detach(consumer, &written, actions)?,
            Input::Settle { consumer, offset, attempt, outcome } => {
                self.settle((consumer, offset, attempt), outcome, actions)?;
            }
            Input::TooLarge { consumer, offset, attempt } => {
                self.too_large((consumer, offset, attempt), actions)?;
            }
            Input::DeadLetterDropped { offset } => self.dead_letter_dropped(offset)?,
            Input::Tick => self.tick(actions),
            Input::Clock(shows) => self.tell_clock(shows),
            Input::Purge { scope, max } => self.purge(scope, max, actions),
            Input::Rewind(to) => self.rewind(to, actions),
            Input::Redriven(offset) => self.redriven(offset, actions)?,
            Input::Permit { to, tried } => self.permit(to, &tried, actions),
            Input::Withhold => self.withhold()?,
            Input::Pause => self.config.paused = true,
            Input::Resume => self.set_paused(false),
            Input::Reconfigure(config) => self.reconfigure(*config),
            Input::Rekey { round, made } => self.rekey(round, &made, actions),
        }
        self.enough_at = actions.len() + STEP_MAX;
        self.has_more = false;
        self.time_passes(actions);
        self.end_rekeying(actions);
        if self.rules_are_stale {
            self.apply_rules(actions);
        }
        self.drop_oldest(actions);
        self.has_more |= self.is_rekeying && !self.stale.is_in(&self.index);
        // What should have left must not be delivered.
        if !self.has_more {
            self.dispatch(actions);
        }
        Ok(())
    }

    /// When it wants a tick, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.has_more || self.rules_are_stale {
            return Some(self.now);
        }
        let lease = self.leases.oldest().filter(|_| !self.config.ack_timeout.is_zero());
        let lease = lease.map(|lease| lease.granted + self.config.ack_timeout);
        let wall = [
            self.expiry.first(),
            self.kept_until.first(),
            self.held_back.first().map(|(due, _)| *due),
        ];
        let wall = wall.into_iter().flatten().min().and_then(|due| self.clock.when(due));
        let monotonic = [lease, self.delayed.first_due(), self.consumers.first_rest(), wall];
        monotonic.into_iter().flatten().min()
    }

    /// Whether so much has left with this input that the rest has to wait for the next one.
    const fn is_enough(&mut self, actions: &[Action]) -> bool {
        self.has_more |= actions.len() >= self.enough_at;
        self.has_more
    }

    fn tell_clock(&mut self, shows: UnixMillis) {
        self.clock.tell(self.now, shows);
        self.delayed.tell(self.clock, self.now, longest_back_off(&self.config));
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

    /// Its properties.
    #[must_use]
    pub const fn config(&self) -> &QueueConfig {
        &self.config
    }

    /// The account at this moment.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let in_flight = self.leases.len() as u64;
        let delayed =
            (self.delayed.len() + self.held_back.len() + self.permits.announced.len()) as u64;
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

    /// Whether anybody is attached.
    #[must_use]
    pub fn has_consumers(&self) -> bool {
        self.consumers.len() > 0
    }

    /// How many messages are ready, in flight and delayed, and their bytes.
    #[must_use]
    pub const fn waiting(&self) -> (u64, u64) {
        (self.index.len(), self.index.bytes())
    }

    /// The offset that the next message gets.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        self.index.next()
    }

    /// What it knows of message ids.
    #[must_use]
    pub const fn dedup(&self) -> &Dedup {
        &self.dedup
    }

    /// Message ids that are remembered.
    #[must_use]
    pub fn ids_remembered(&self) -> usize {
        self.dedup.len()
    }

    /// Bytes of memory that the index of waiting messages takes.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.index.heap_bytes()
    }
}
