//! Merging ordered runs of subscriptions into one, without allocation once warm.

use crate::Subscription;

/// Beyond that many runs, sorting all at once is faster than merging them in turns.
const RUNS_TO_MERGE_MAX: usize = 8;

/// Ordered runs, one after the other, and the room to merge them.
#[derive(Clone, Debug, Default)]
pub struct Merge {
    all: Vec<Subscription>,
    /// Where each run ends.
    ends: Vec<usize>,
    spare: Vec<Subscription>,
    spare_ends: Vec<usize>,
}

impl Merge {
    /// Forgets all runs.
    pub fn clear(&mut self) {
        self.all.clear();
        self.ends.clear();
    }

    /// Adds to the current run.
    #[inline]
    pub fn add(&mut self, one: Subscription) {
        self.all.push(one);
    }

    /// Ends the current run.
    pub fn end_run(&mut self) {
        if self.ends.last().copied().unwrap_or(0) < self.all.len() {
            self.ends.push(self.all.len());
        }
    }

    /// All subscriptions in the order of subscribers. The runs must have been ended.
    pub fn finish(&mut self) -> &[Subscription] {
        if self.ends.len() > RUNS_TO_MERGE_MAX {
            self.all.sort_unstable_by_key(|one| one.subscriber);
        } else {
            while self.ends.len() > 1 {
                self.merge_pairs();
            }
        }
        &self.all
    }

    /// Merges the first run with the second, the third with the fourth, …: half as many are left.
    fn merge_pairs(&mut self) {
        self.spare.clear();
        self.spare_ends.clear();
        let mut rest = self.all.as_slice();
        let mut start = 0;
        for pair in self.ends.chunks(2) {
            let (middle, end) = match *pair {
                [middle, end] => (middle, end),
                [end] => (end, end),
                _ => continue,
            };
            let (two, after) = rest.split_at(end - start);
            let (left, right) = two.split_at(middle - start);
            merge_two(left, right, &mut self.spare);
            self.spare_ends.push(end);
            (rest, start) = (after, end);
        }
        std::mem::swap(&mut self.all, &mut self.spare);
        std::mem::swap(&mut self.ends, &mut self.spare_ends);
    }
}

fn merge_two(mut left: &[Subscription], mut right: &[Subscription], out: &mut Vec<Subscription>) {
    while let ([first_left, more_left @ ..], [first_right, more_right @ ..]) = (left, right) {
        if first_left.subscriber <= first_right.subscriber {
            out.push(*first_left);
            left = more_left;
        } else {
            out.push(*first_right);
            right = more_right;
        }
    }
    out.extend_from_slice(left);
    out.extend_from_slice(right);
}
