//! How many references hold bodies live, by segment: now, and as a checkpoint in the making will say.
//! It must not know files.

use std::collections::BTreeMap;

use log_api::{ShardId, ShardSet};

/// References by segment. A count may be below zero for a moment of replay, never at rest.
pub(crate) type Counts = BTreeMap<u32, i64>;

/// The counts now, and those of the checkpoint in the making.
///
/// The checkpoint's counts begin as those at its position. A release counts for it as long as the shard has not answered,
/// because what the shard released before is gone from its part; what it releases later, replay will release again.
///
/// Held bodies are counted apart: a checkpoint's parts say themselves which ones they need.
#[derive(Default)]
pub(crate) struct References {
    live: Counts,
    held: Counts,
    taking: Option<Taking>,
    /// The segment that is being written. It is not dead when its count is 0: more will come.
    writing: u32,
}

struct Taking {
    id: u64,
    counts: Counts,
    unanswered: ShardSet,
}

impl References {
    pub(crate) fn new(live: Counts, writing: u32) -> Self {
        Self { live, held: Counts::new(), taking: None, writing }
    }

    /// Another segment is being written from here on. Says whether the one before is dead: each segment is called that
    /// once, here or by [`Self::release`].
    pub(crate) fn write_to(&mut self, segment: u32) -> bool {
        let before = std::mem::replace(&mut self.writing, segment);
        !self.needs(before)
    }

    /// Counts the references of records that were committed to a segment.
    pub(crate) fn add(&mut self, segment: u32, references: u64) {
        if references > 0 {
            change(&mut self.live, segment, i64::try_from(references).unwrap_or(i64::MAX));
        }
    }

    /// Drops references of a shard, and says which segments are dead by that.
    pub(crate) fn release(&mut self, shard: ShardId, released: &[(u32, u32)]) -> Vec<u32> {
        let mut dead = Vec::new();
        for (segment, count) in released {
            change(&mut self.live, *segment, -i64::from(*count));
            if *segment != self.writing && !self.needs(*segment) {
                dead.push(*segment);
            }
            if let Some(taking) =
                self.taking.as_mut().filter(|taking| taking.unanswered.contains(shard))
            {
                change(&mut taking.counts, *segment, -i64::from(*count));
            }
        }
        dead
    }

    /// Holds more bodies, or fewer, and says which segments are dead by that.
    pub(crate) fn hold(&mut self, changes: &[(u32, i32)]) -> Vec<u32> {
        let mut dead = Vec::new();
        for (segment, more) in changes {
            change(&mut self.held, *segment, i64::from(*more));
            if *more < 0 && *segment != self.writing && !self.needs(*segment) {
                dead.push(*segment);
            }
        }
        dead
    }

    /// Whether a body in the segment is live or held.
    pub(crate) fn needs(&self, segment: u32) -> bool {
        self.live.contains_key(&segment) || self.held.contains_key(&segment)
    }

    /// How many references and held bodies there are.
    pub(crate) fn total(&self) -> i64 {
        self.live.values().chain(self.held.values()).sum()
    }

    /// The segment that is being written.
    pub(crate) const fn writing(&self) -> u32 {
        self.writing
    }

    /// A checkpoint begins here.
    pub(crate) fn begin(&mut self, id: u64, shards: u16) {
        let unanswered = ShardSet::first(shards);
        self.taking = Some(Taking { id, counts: self.live.clone(), unanswered });
    }

    /// The shard has answered; what it releases from now on is not in the checkpoint. Says whether the answer counts.
    pub(crate) fn answered(&mut self, shard: ShardId, id: u64) -> bool {
        let taking = self.taking.as_mut().filter(|taking| taking.id == id);
        taking.is_some_and(|taking| taking.unanswered.remove(shard))
    }

    /// The counts for the checkpoint that all shards have answered.
    pub(crate) fn finish(&mut self, id: u64) -> Option<Counts> {
        let is_done = self
            .taking
            .as_ref()
            .is_some_and(|taking| taking.id == id && taking.unanswered.is_empty());
        is_done.then(|| self.taking.take().map(|taking| taking.counts)).flatten()
    }

    pub(crate) fn live(&self) -> &Counts {
        &self.live
    }
}

/// Changes a count and gives the new one. None is kept for 0.
pub(crate) fn change(counts: &mut Counts, segment: u32, by: i64) -> i64 {
    let count = counts.entry(segment).or_default();
    *count = count.saturating_add(by);
    let now = *count;
    if now == 0 {
        counts.remove(&segment);
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_dead_once_and_not_while_it_is_written() {
        let me = ShardId(0);
        let mut references = References::new(Counts::new(), 1);
        for _ in 0..3 {
            references.add(1, 2);
            assert!(references.release(me, &[(1, 2)]).is_empty());
        }
        assert!(references.write_to(2), "nothing is left in 1");
        references.add(2, 2);
        assert!(references.release(me, &[(2, 1)]).is_empty());
        assert!(!references.write_to(3));
        assert_eq!(references.release(me, &[(2, 1)]), [2]);
    }

    #[test]
    fn a_segment_lives_by_what_is_held_alone() {
        let me = ShardId(0);
        let mut references = References::new(Counts::new(), 1);
        references.add(1, 1);
        assert!(references.hold(&[(1, 2)]).is_empty());
        assert!(!references.write_to(2));
        assert!(references.release(me, &[(1, 1)]).is_empty(), "two are held");
        references.begin(7, 1);
        assert!(references.hold(&[(1, -1)]).is_empty());
        assert_eq!(references.hold(&[(1, -1)]), [1]);
        assert!(references.answered(me, 7));
        assert_eq!(references.finish(7), Some(Counts::new()), "parts say what is held");
    }

    #[test]
    fn a_checkpoint_counts_what_a_shard_released_before_it_answered() {
        let (a, b) = (ShardId(0), ShardId(1));
        let mut references = References::default();
        references.add(1, 10);
        references.add(2, 10);
        assert!(references.release(a, &[(1, 1)]).is_empty());
        references.begin(5, 2);
        references.add(3, 7);
        references.release(b, &[(1, 2)]);
        assert!(!references.answered(a, 4), "another checkpoint");
        assert!(references.answered(a, 5));
        assert!(!references.answered(a, 5), "twice");
        assert_eq!(references.release(a, &[(2, 10)]), [2]);
        references.release(b, &[(2, 1)]);
        assert_eq!(references.finish(5), None, "a shard has not answered");
        assert!(references.answered(b, 5));
        references.release(b, &[(1, 4)]);
        assert_eq!(references.finish(5), Some(Counts::from([(1, 7), (2, 9)])));
        assert_eq!(*references.live(), Counts::from([(1, 3), (2, -1), (3, 7)]));
    }
}
