//! The account of a stream's messages: what came, what left and how, what is here. It must not know why.

use message_index::Offset;
use stdx::UnixMillis;

/// How a message leaves its stream. The numbers are those of a queue's departures; they are persisted and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Departure {
    /// It was the oldest of too many.
    Dropped = 3,
    /// Its time ran out.
    Expired = 4,
    /// A newer message of its key took its place.
    Replaced = 5,
    /// An operator removed it.
    Purged = 6,
}

impl Departure {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Dropped, Self::Expired, Self::Replaced, Self::Purged];

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

/// A stream's account at one moment.
///
/// `appended = kept + expired + dropped + replaced + purged`, always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ledger {
    /// Messages that ever came.
    pub appended: u64,
    /// Messages that are still here.
    pub kept: u64,
    /// Messages whose time ran out.
    pub expired: u64,
    /// Messages that were one too many.
    pub dropped: u64,
    /// Messages that a newer one of their key replaced.
    pub replaced: u64,
    /// Messages that an operator removed.
    pub purged: u64,
    /// Deliveries with an attempt above 1, of all readers.
    pub redelivered: u64,
    /// Bytes of what is kept.
    pub bytes: u64,
    /// Readers whose positions are kept.
    pub readers: u64,
    /// Members attached, of all readers.
    pub members: u64,
    /// The oldest message that is still here.
    pub oldest_offset: Option<Offset>,
    /// When that one was stored.
    pub oldest_stored: Option<UnixMillis>,
}

impl Ledger {
    /// Whether every message that came is accounted for.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.appended == self.kept + self.expired + self.dropped + self.replaced + self.purged
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
        self.departures[departure as usize - Departure::Dropped as usize]
    }

    pub(crate) const fn count(&mut self, departure: Departure) {
        self.departures[departure as usize - Departure::Dropped as usize] += 1;
    }

    pub(crate) fn sum(&self) -> u64 {
        self.departures.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_departures_stay() {
        assert_eq!(Departure::ALL.map(Departure::number), [3, 4, 5, 6]);
        for number in 0..=u8::MAX {
            let known = Departure::from_number(number).map(Departure::number);
            assert_eq!(known, (3..=6).contains(&number).then_some(number));
        }
    }
}
