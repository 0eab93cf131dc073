//! What an operator was told of one queue, and what must come of it. It must not know how it is done.

use std::collections::{BTreeMap, BTreeSet};

use super::{Auditor, Wall};
use crate::queues::{DEAD, OPERATED};

/// More than all by which the clock is ever set.
const CLOCK_ERROR_MAX_MS: u64 = 7 * 24 * 3600 * 1000;

/// What an operator was told.
#[derive(Default, Debug)]
pub(super) struct Operated {
    /// So many messages were purged for sure.
    pub(super) purged: u64,
    /// Offsets that were purged and never come.
    pub(super) swept: BTreeSet<u64>,
    /// Dead letters may have been sent back.
    pub(super) redrives: bool,
    /// So many were for sure.
    pub(super) redriven: u64,
    /// Offsets that were set back and have not been accepted since.
    pub(super) awaited: BTreeSet<u64>,
    /// When offsets were accepted last.
    accepted_at: BTreeMap<u64, Wall>,
}

impl Auditor {
    /// Somebody purges: what was set back and waits may be gone.
    pub(crate) fn may_be_purged(&mut self) {
        self.operated.awaited.clear();
    }

    /// Somebody sets the queue back: what was settled from there on may come again. Gives what was settled there for sure:
    /// all that was accepted, when the queue has heard it, recorded or not.
    pub(crate) fn may_be_set_back(&mut self, to: u64, is_heard: bool) -> BTreeSet<u64> {
        let accepted = &mut self.queues[OPERATED].accepted;
        let back = accepted.split_off(&to);
        self.queues[OPERATED].forgotten.extend(back.keys());
        let settled = back.into_iter().filter(|(_, recorded)| *recorded || is_heard);
        settled.map(|(offset, _)| offset).collect()
    }

    /// A message of that queue has been accepted.
    pub(crate) fn is_accepted_at(&mut self, offset: u64, at: Wall) {
        self.operated.accepted_at.insert(offset, at);
    }

    /// Those of what was settled that are kept for sure: it is not so long ago.
    pub(crate) fn still_kept(
        &self,
        settled: BTreeSet<u64>,
        now: Wall,
        keep_ms: u64,
    ) -> BTreeSet<u64> {
        let is_kept = |offset: &u64| {
            if keep_ms > CLOCK_ERROR_MAX_MS {
                return true;
            }
            let at = self.operated.accepted_at.get(offset);
            at.is_some_and(|at| at.was_set == now.was_set && now.unix_ms < at.unix_ms + keep_ms)
        };
        settled.into_iter().filter(is_kept).collect()
    }

    /// So many were purged; all before that offset that had not come, if it says so.
    pub(crate) fn purged(&mut self, count: u64, before: Option<u64>) {
        self.operated.purged += count;
        let known = &self.queues[OPERATED];
        let never = (0..before.unwrap_or(0)).filter(|offset| !known.by_offset.contains_key(offset));
        self.operated.swept.extend(never);
    }

    /// The queue is set back, durably.
    pub(crate) fn set_back(&mut self, to: u64, settled: BTreeSet<u64>, restored: u64) {
        let known = &self.queues[OPERATED];
        assert!(
            restored as usize >= settled.len(),
            "{restored} are set back to {to}, and {} were settled there",
            settled.len()
        );
        // Those that have been accepted anew meanwhile wait no more.
        let open = settled.into_iter().filter(|offset| !known.accepted.contains_key(offset));
        self.operated.awaited.extend(open);
    }

    /// An operator sends dead letters back.
    pub(crate) const fn redrives(&mut self) {
        self.operated.redrives = true;
    }

    /// So many have been sent back, durably.
    pub(crate) const fn redriven(&mut self, count: u64) {
        self.operated.redriven += count;
    }

    /// How many dead letters were sent back for sure, and how many of those that came consumers may have settled: at least,
    /// and at most.
    pub(crate) fn sent_back(&self) -> (u64, std::ops::RangeInclusive<u64>) {
        let dead = &self.queues[DEAD];
        let sure = dead.accepted.len() as u64;
        let unsure = dead.forgotten.iter().filter(|offset| !dead.accepted.contains_key(offset));
        (self.operated.redriven, sure..=sure + unsure.count() as u64)
    }

    /// What must be counted as purged.
    pub(crate) const fn purged_at_least(&self) -> u64 {
        self.operated.purged
    }

    /// All that was set back has come again and was accepted.
    pub(crate) fn check_set_back(&self) {
        let awaited = &self.operated.awaited;
        assert!(awaited.is_empty(), "offsets {awaited:?} were set back, and never came again");
    }
}
