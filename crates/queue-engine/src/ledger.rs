//! The account of a queue's messages: what came, what left and how, what is here. It must not know why.

use stdx::UnixMillis;

use crate::Offset;

/// How a message leaves its queue. The numbers are persisted and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Departure {
    /// A consumer accepted it.
    Settled = 1,
    /// It went to the dead letters.
    DeadLettered = 2,
    /// It was given up.
    Dropped = 3,
    /// Its time ran out.
    Expired = 4,
    /// A newer message of its key took its place.
    Replaced = 5,
    /// An operator removed or skipped it.
    Purged = 6,
}

impl Departure {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Settled,
        Self::DeadLettered,
        Self::Dropped,
        Self::Expired,
        Self::Replaced,
        Self::Purged,
    ];

    /// The number to persist.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The departure of a persisted number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|departure| departure.number() == number)
    }
}

/// A queue's account at one moment.
///
/// `enqueued = settled + ready + in_flight + delayed + expired + dropped + replaced + dead_lettered + purged`, always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ledger {
    /// Messages that ever came.
    pub enqueued: u64,
    /// Messages that consumers accepted.
    pub settled: u64,
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Messages that are leased to a consumer.
    pub in_flight: u64,
    /// Messages that wait before they are tried again.
    pub delayed: u64,
    /// Messages whose time ran out.
    pub expired: u64,
    /// Messages that were given up.
    pub dropped: u64,
    /// Messages that a newer one of their key replaced.
    pub replaced: u64,
    /// Messages that went to the dead letters.
    pub dead_lettered: u64,
    /// Messages that an operator removed or skipped.
    pub purged: u64,
    /// Deliveries with an attempt above 1.
    pub redelivered: u64,
    /// Bytes of what is ready, in flight and delayed.
    pub bytes: u64,
    /// Consumers attached.
    pub consumers: u64,
    /// The oldest message that is still here.
    pub oldest_offset: Option<Offset>,
    /// When that one was stored.
    pub oldest_stored: Option<UnixMillis>,
}

impl Ledger {
    /// Messages that are still here: ready, in flight or delayed.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.ready + self.in_flight + self.delayed
    }

    /// Messages that have left.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.settled
            + self.expired
            + self.dropped
            + self.replaced
            + self.dead_lettered
            + self.purged
    }

    /// Whether every message that came is accounted for.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.enqueued == self.waiting() + self.left()
    }
}

/// Messages that have left, by how, and redeliveries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    departures: [u64; Departure::ALL.len()],
    pub(crate) redelivered: u64,
}

impl Counts {
    pub(crate) const fn of(departures: [u64; Departure::ALL.len()], redelivered: u64) -> Self {
        Self { departures, redelivered }
    }

    pub(crate) const fn departures(&self) -> [u64; Departure::ALL.len()] {
        self.departures
    }

    pub(crate) const fn get(&self, departure: Departure) -> u64 {
        self.departures[departure as usize - 1]
    }

    pub(crate) const fn count(&mut self, departure: Departure) {
        self.departures[departure as usize - 1] += 1;
    }

    /// Takes back departures of messages that are here again.
    pub(crate) const fn uncount(&mut self, departure: Departure, count: u64) {
        self.departures[departure as usize - 1] -= count;
    }

    /// Moves one from one departure to another, if there is one.
    pub(crate) const fn recount(&mut self, from: Departure, to: Departure) {
        if self.departures[from as usize - 1] > 0 {
            self.departures[from as usize - 1] -= 1;
            self.departures[to as usize - 1] += 1;
        }
    }

    pub(crate) fn sum(&self) -> u64 {
        self.departures.iter().sum()
    }
}
