//! The names of things in a queue: consumers, message ids. They must not know what they stand for.

use std::fmt;

/// A consumer, named by the caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConsumerId(pub u64);

/// The message id that a publisher gave, as a hash of 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId {
    upper: u64,
    lower: u64,
}

impl MessageId {
    /// The id of a hash.
    #[must_use]
    pub const fn new(hash: u128) -> Self {
        // In halves, because the alignment of the whole would make each message larger that has none.
        Self { upper: (hash >> 64) as u64, lower: hash as u64 }
    }

    /// The hash.
    #[must_use]
    pub const fn hash(self) -> u128 {
        (self.upper as u128) << 64 | self.lower as u128
    }
}

impl fmt::Display for ConsumerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
