//! Sets of offsets, as runs. They must not know what the offsets have in common.

use std::collections::BTreeMap;
use std::ops::Range;

use message_index::Offset;

/// A set of offsets that mostly stand side by side.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Runs {
    /// Ends by starts. Runs are not empty and do not touch.
    runs: BTreeMap<u64, u64>,
}

impl Runs {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Takes in all offsets of a run.
    pub fn add(&mut self, run: Range<u64>) {
        if run.is_empty() {
            return;
        }
        let (mut start, mut end) = (run.start, run.end);
        while let Some((first, last)) = self.last_from(end)
            && last >= start
        {
            self.runs.remove(&first);
            (start, end) = (start.min(first), end.max(last));
        }
        self.runs.insert(start, end);
    }

    /// Whether an offset is among them.
    #[must_use]
    pub fn contains(&self, offset: Offset) -> bool {
        self.last_from(offset.0).is_some_and(|(_, end)| offset.0 < end)
    }

    /// The last run that starts there or before.
    fn last_from(&self, start: u64) -> Option<(u64, u64)> {
        self.runs.range(..=start).next_back().map(|(start, end)| (*start, *end))
    }

    /// Lets all go that are before an offset.
    pub fn forget_before(&mut self, offset: Offset) {
        while let Some(first) = self.runs.first_entry().filter(|first| *first.key() < offset.0) {
            let end = first.remove();
            if end > offset.0 {
                self.runs.insert(offset.0, end);
            }
        }
    }

    /// All runs, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.runs.iter().map(|(start, end)| *start..*end)
    }

    /// Behind the last one.
    #[must_use]
    pub fn end(&self) -> Option<Offset> {
        self.runs.last_key_value().map(|(_, end)| Offset(*end))
    }
}

impl FromIterator<Range<u64>> for Runs {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut runs = Self::default();
        ranges.into_iter().for_each(|run| runs.add(run));
        runs
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_do_what_a_set_does(
            commands in prop::collection::vec((any::<bool>(), 0_u64..40, 0_u64..6), 0..60),
        ) {
            let (mut runs, mut set) = (Runs::default(), BTreeSet::new());
            for (adds, at, length) in commands {
                if adds {
                    runs.add(at..at + length);
                    set.extend(at..at + length);
                } else if length == 0 {
                    runs.forget_before(Offset(at));
                    set.retain(|offset| *offset >= at);
                }
                prop_assert!(runs.iter().flatten().eq(set.iter().copied()));
                prop_assert!((0..50).all(|n| runs.contains(Offset(n)) == set.contains(&n)));
                let ranges: Vec<Range<u64>> = runs.iter().collect();
                prop_assert!(ranges.windows(2).all(|two| two[0].end < two[1].start));
                prop_assert_eq!(runs.end(), set.last().map(|last| Offset(last + 1)));
                prop_assert_eq!(runs.is_empty(), set.is_empty());
            }
        }
    }
}
