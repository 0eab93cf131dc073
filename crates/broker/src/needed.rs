//! What shards need of the log, as they have told each other. It must not know what for.

use std::collections::BTreeMap;
use std::iter::Sum;

use parking_lot::Mutex;

/// What a shard needs of a segment: messages, and their bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Needed {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Sum for Needed {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            messages: sum.messages + one.messages,
            bytes: sum.bytes + one.bytes,
        })
    }
}

/// What a shard needs of each segment, as far as it has looked.
pub(crate) type Tally = BTreeMap<u32, Needed>;

/// What a shard has told the others of what it needs.
#[derive(Default, Debug)]
pub(crate) struct Told {
    /// All that waits.
    pub(crate) all: Needed,
    pub(crate) tally: Tally,
}

/// A place for what each shard tells.
pub(crate) fn nothing_told(shards: u16) -> Vec<Mutex<Told>> {
    (0..shards).map(|_| Mutex::default()).collect()
}
