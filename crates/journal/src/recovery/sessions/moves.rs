//! Where messages of an inbox lay before they were moved. A shard may have let one go, or have ended its session, when it had not
//! heard yet that the message was moved: then it speaks of the old place. It must not know why they were moved.

use std::collections::{BTreeMap, BTreeSet};

/// A place in the log, and which of the session's copies lies there.
type Place = (u64, u8);

/// Moves since the checkpoint.
#[derive(Default)]
pub(super) struct Moves {
    /// Where what was there is now, or was next.
    next: BTreeMap<Place, u64>,
    /// By where a message lies, its first place.
    first: BTreeMap<u64, u64>,
}

impl Moves {
    pub(super) fn add(&mut self, from: Place, to: u64) {
        let (before, _) = from;
        let first = self.first.remove(&before).unwrap_or(before);
        self.first.insert(to, first);
        self.next.insert(from, to);
    }

    /// Where a message is of which that place is said.
    pub(super) fn now(&self, said: Place) -> Place {
        let next = |place: &Place| self.next.get(place).map(|to| (*to, 0));
        std::iter::successors(Some(said), next).last().unwrap_or(said)
    }

    /// Places at or behind that one of messages that lay before it first.
    pub(super) fn came_from_before(&self, place: u64) -> BTreeSet<Place> {
        let moved = self.first.range(place..).filter(|(_, first)| **first < place);
        moved.map(|(to, _)| (*to, 0)).collect()
    }
}
