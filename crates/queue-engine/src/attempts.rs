//! Deliveries that counted, of messages that are not in flight. It must not know what they lead to.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::Offset;

/// How often messages were tried.
///
/// After a crash it is not known which of those last in flight were handed over, and all of them are taken to have been:
/// an offset below `floor` without a count of its own counts one.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    counts: HashMap<Offset, u32, FixedState>,
    floor: Offset,
}

impl Attempts {
    /// Takes the deliveries of what was dispatched before a restart as counted.
    pub(crate) fn raise_floor(&mut self, floor: Offset) {
        self.floor = self.floor.max(floor);
    }

    /// Takes the deliveries of what is below as counted, and of nothing else that has no count of its own.
    pub(crate) fn set_floor(&mut self, floor: Offset) {
        self.floor = floor;
    }

    pub(crate) const fn floor(&self) -> Offset {
        self.floor
    }

    fn implied(&self, offset: Offset) -> u32 {
        u32::from(offset < self.floor)
    }

    pub(crate) fn get(&self, offset: Offset) -> u32 {
        if self.counts.is_empty() {
            return self.implied(offset);
        }
        self.counts.get(&offset).copied().unwrap_or_else(|| self.implied(offset))
    }

    pub(crate) fn set(&mut self, offset: Offset, attempts: u32) {
        // One that is implied is kept all the same: it holds whatever becomes of the floor.
        if attempts == 0 && self.implied(offset) == 0 {
            self.counts.remove(&offset);
        } else {
            self.counts.insert(offset, attempts);
        }
    }

    /// Gives the count up, because the message leaves or its lease has it now.
    pub(crate) fn take(&mut self, offset: Offset) -> u32 {
        let taken = if self.counts.is_empty() { None } else { self.counts.remove(&offset) };
        taken.unwrap_or_else(|| self.implied(offset))
    }

    /// Those with a count of their own, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Offset, u32)> {
        self.counts.iter().map(|(offset, attempts)| (*offset, *attempts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dispatched_before_a_restart_counts_one() {
        let mut attempts = Attempts::default();
        attempts.set(Offset(1), 2);
        attempts.set(Offset(2), 0);
        assert_eq!(attempts.iter().count(), 1);
        attempts.raise_floor(Offset(3));
        attempts.raise_floor(Offset(1));
        attempts.set(Offset(0), 0);
        let counts: Vec<u32> = (0..5).map(|offset| attempts.get(Offset(offset))).collect();
        assert_eq!(counts, [0, 2, 1, 0, 0]);
        let taken: Vec<u32> = (0..5).map(|offset| attempts.take(Offset(offset))).collect();
        assert_eq!(taken, counts);
        assert_eq!(attempts.iter().count(), 0);
    }
}
