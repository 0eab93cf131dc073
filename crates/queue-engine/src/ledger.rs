//! The account of a queue's messages: what came, what left and how, what is here. It must not know why.

use stdx::UnixMillis;

/// How a message leaves its queue. The numbers are persisted and never reused.
///
/// 5 is kept for messages that were replaced, 6 for those that were purged.
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
    /// Deliveries that were not the message's first.
    pub redelivered: u64,
    /// Bytes of what is ready, in flight and delayed.
    pub bytes: u64,
    /// Consumers attached.
    pub consumers: usize,
    /// When the oldest message that is still here was stored.
    pub oldest_stored: Option<UnixMillis>,
}

impl Ledger {
    /// Messages that are still here: ready, in flight or delayed.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.ready + self.in_flight + self.delayed
    }

    /// Whether every message that came is accounted for.
    #[must_use]
    pub const fn balances(&self) -> bool {
        let left = self.settled + self.expired + self.dropped + self.replaced + self.dead_lettered + self.purged;
        self.enqueued == self.waiting() + left
    }
}

/// Messages that have left, by how, and redeliveries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) settled: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) dropped: u64,
    pub(crate) expired: u64,
    pub(crate) replaced: u64,
    pub(crate) purged: u64,
    pub(crate) redelivered: u64,
}

impl Counts {
    pub(crate) const fn count(&mut self, departure: Departure) {
        match departure {
            Departure::Settled => self.settled += 1,
            Departure::DeadLettered => self.dead_lettered += 1,
            Departure::Dropped => self.dropped += 1,
            Departure::Expired => self.expired += 1,
        }
    }

    /// Messages that have left. `None` when they are more than can have come, as damaged bytes may say.
    pub(crate) fn left(&self) -> Option<u64> {
        let ways = [self.settled, self.dead_lettered, self.dropped, self.expired, self.replaced, self.purged];
        ways.into_iter().try_fold(0_u64, u64::checked_add)
    }
}
