//! Bodies of messages by where storage has them, and that they lie elsewhere from now on. It must not know why.

use super::entry::Entry;
use super::{Inbox, Kept};

/// A message whose body storage has for an inbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeptPlace {
    /// Its number in the inbox.
    pub sequence: u64,
    /// Where storage has it, see [`Kept::at`].
    pub at: u64,
    /// Which of the session's copies it is, see [`Kept::copy`].
    pub copy: u8,
    /// Whether it came by a shared subscription, see [`Kept::is_shared`].
    pub is_shared: bool,
}

impl KeptPlace {
    fn is_of(&self, entry: &Entry) -> bool {
        let here = (entry.at, entry.copy(), entry.is_shared());
        is_own(entry) && here == (self.at, self.copy, self.is_shared)
    }
}

impl Inbox {
    /// Messages from that number on, as many as `count`, with their sizes; and the first one behind them. Those are left out that
    /// storage has for something else.
    #[must_use]
    pub fn bodies(&self, from: u64, count: usize) -> (Vec<(KeptPlace, u32)>, Option<u64>) {
        let of = |(sequence, entry): (u64, &Entry)| {
            let (at, copy, is_shared) = (entry.at, entry.copy(), entry.is_shared());
            (KeptPlace { sequence, at, copy, is_shared }, entry.size)
        };
        let mut own = self.line.iter_from(from).filter(|(_, entry)| is_own(entry)).map(of);
        let found = own.by_ref().take(count).collect();
        (found, own.next().map(|(place, _)| place.sequence))
    }

    /// The message of that place, if it is there and its body is still needed.
    #[must_use]
    pub fn at_place(&self, place: &KeptPlace) -> Option<Kept> {
        let sequence = self.number_at(place)?;
        self.line.get(sequence).map(|entry| self.kept(sequence, entry))
    }

    /// Whether the message of that number is of that place, and its body is still needed.
    #[must_use]
    pub fn is_at(&self, place: &KeptPlace) -> bool {
        self.line.get(place.sequence).is_some_and(|entry| place.is_of(entry))
    }

    /// The body of a message lies there from now on, as the first copy. False when the message has left.
    pub fn relocate(&mut self, place: &KeptPlace, to: u64) -> bool {
        let entry = self.number_at(place).and_then(|sequence| self.entry_mut(sequence));
        entry.map(|entry| entry.lies_at(to)).is_some()
    }

    fn number_at(&self, place: &KeptPlace) -> Option<u64> {
        if self.is_at(place) {
            return Some(place.sequence);
        }
        if !place.is_shared {
            return None;
        }
        // One whose session is over may count otherwise than storage does; it has messages of shared subscriptions only.
        let mut shared = self.line.iter().filter(|(_, entry)| entry.is_shared());
        shared.find(|(_, entry)| place.is_of(entry)).map(|(sequence, _)| sequence)
    }
}

fn is_own(entry: &Entry) -> bool {
    entry.has_body() && !entry.is_held()
}
