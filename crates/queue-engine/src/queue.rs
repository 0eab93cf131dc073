//! The queue: every message is in one state, and every input moves messages between states.
//! It must not know a clock, files, packets, or what a body holds.
//!
//! ```text
//!             +-- Busy, TooLarge, Detach, ack_timeout --+
//!             v                                         |
//!  Enqueue -> ready ---------- dispatch ----------> in flight -- Accept ------------> settled
//!             ^                                      |  |  |---- Expired -----------> expired
//!             +-- Tick -- delayed <---- Release -----+  +------- Reject, max_attempts,
//!                                                                nobody can take it -> dead letter (dropped)
//! ```
//! Ready are the messages that nobody has had yet, which are the index from the cursor on and cost nothing besides, and
//! those in the backlog, which go first.

mod dispatching;
mod replay;
mod settling;

use std::collections::BTreeMap;

use stdx::Instant;

use crate::action::Action;
use crate::backlog::Backlog;
use crate::config::QueueConfig;
use crate::consumers::Consumers;
use crate::ids::{Offset, StoredAt};
use crate::index::{Entry, Index};
use crate::input::{Input, InputError};
use crate::leases::Leases;
use crate::ledger::{Counts, Departure, Ledger};
use crate::prng::Prng;

/// One durable queue.
///
/// Time must not run backwards; if it does, it stands still for the queue.
#[derive(Debug)]
pub struct Queue {
    pub(crate) config: QueueConfig,
    now: Instant,
    prng: Prng,
    pub(crate) index: Index,
    /// What is below has been delivered or has left.
    pub(crate) cursor: u64,
    /// Messages from the cursor on that have not left.
    pub(crate) fresh: u64,
    counts: Counts,
    /// Attempts of the messages that have any and have not left.
    pub(crate) attempts: BTreeMap<Offset, u32>,
    pub(crate) leases: Leases,
    pub(crate) consumers: Consumers,
    pub(crate) backlog: Backlog,
}

impl Queue {
    /// An empty queue. The seed decides what is random in it.
    #[must_use]
    pub fn new(config: QueueConfig, seed: u64) -> Self {
        Self {
            consumers: Consumers::new(config.dispatch_strategy, config.max_inflight),
            config,
            now: Instant::ZERO,
            prng: Prng::new(seed),
            index: Index::default(),
            cursor: 0,
            fresh: 0,
            counts: Counts::default(),
            attempts: BTreeMap::new(),
            leases: Leases::default(),
            backlog: Backlog::default(),
        }
    }

    /// Takes an input, appends what is to be done, and gives out as much as there is credit for.
    ///
    /// # Errors
    /// When the input is illegal or comes too late. Nothing has changed then, and nothing was appended.
    pub fn handle(&mut self, now: Instant, input: Input, actions: &mut Vec<Action>) -> Result<(), InputError> {
        let now = self.now.max(now);
        match input {
            Input::Enqueue { at, size, stored } => {
                self.index.push(Entry { at, size, stored });
                self.fresh += 1;
            }
            Input::Attach { consumer, max_inflight } => {
                if self.consumers.slot(consumer).is_some() {
                    return Err(InputError::AlreadyAttached(consumer));
                }
                self.consumers.attach(consumer, max_inflight);
            }
            Input::Detach { consumer, written } => self.detach(consumer, written, actions)?,
            Input::Settle { consumer, offset, outcome } => self.settle(now, consumer, offset, outcome, actions)?,
            Input::TooLarge { consumer, offset } => self.too_large(consumer, offset, actions)?,
            Input::Tick => self.tick(now, actions),
            Input::Reconfigure(config) => self.replay_reconfigure(config),
        }
        self.now = now;
        self.dispatch(now, actions);
        Ok(())
    }

    /// When to come back with [`Input::Tick`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let lease = self.leases.oldest().filter(|_| !self.config.ack_timeout.is_zero());
        let lease = lease.map(|lease| lease.granted + self.config.ack_timeout);
        [lease, self.backlog.next_due(), self.consumers.next_wake()].into_iter().flatten().min()
    }

    /// The offset that the next message gets.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        self.index.next()
    }

    /// Whether messages wait that nobody has had yet.
    #[must_use]
    pub const fn has_fresh(&self) -> bool {
        self.fresh > 0
    }

    /// Appends the next messages beyond `after` that nobody has had yet, at most `max`, for reading ahead.
    ///
    /// After a restart these include the ones that were in flight or delayed.
    pub fn upcoming(&self, after: Option<Offset>, max: usize, out: &mut Vec<(Offset, StoredAt)>) {
        let from = after.map_or(0, |offset| offset.0.saturating_add(1)).max(self.cursor);
        out.extend(self.index.iter(from).take(max).map(|(offset, entry)| (offset, entry.at)));
    }

    /// The properties in force.
    #[must_use]
    pub const fn config(&self) -> &QueueConfig {
        &self.config
    }

    /// The account at this moment, in constant time.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger {
            enqueued: self.index.next().0,
            settled: self.counts.settled,
            ready: self.fresh + self.backlog.ready_len() as u64,
            in_flight: self.leases.len() as u64,
            delayed: self.backlog.delayed_len() as u64,
            expired: self.counts.expired,
            dropped: self.counts.dropped,
            replaced: self.counts.replaced,
            dead_lettered: self.counts.dead_lettered,
            purged: self.counts.purged,
            redelivered: self.counts.redelivered,
            bytes: self.index.bytes(),
            consumers: self.consumers.len(),
            oldest_stored: self.index.oldest_stored(),
        }
    }

    /// All messages that have not left, and where their bodies are.
    pub fn stored(&self) -> impl Iterator<Item = (Offset, StoredAt)> + '_ {
        self.index.iter(self.index.head()).map(|(offset, entry)| (offset, entry.at))
    }

    /// Takes a message out that is in no state any more, and counts how it left.
    fn leave(&mut self, offset: Offset, departure: Departure) -> Option<StoredAt> {
        let entry = self.index.leave(offset)?;
        self.counts.count(departure);
        if !self.attempts.is_empty() {
            self.attempts.remove(&offset);
        }
        self.backlog.forget(offset);
        Some(entry.at)
    }

    /// Attempts of a message that counted so far.
    fn attempts_of(&self, offset: Offset) -> u32 {
        if self.attempts.is_empty() { 0 } else { self.attempts.get(&offset).copied().unwrap_or(0) }
    }
}
