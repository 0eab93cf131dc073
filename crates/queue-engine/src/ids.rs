//! The names of things in a queue: offsets, consumers, keys, places of bodies. They must not know what they stand for.

use std::fmt;

/// A message's place in its queue: dense, from 0, in the order of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Offset(pub u64);

/// A consumer, named by the caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConsumerId(pub u64);

/// Where the body of a message is stored. Opaque here, and never compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StoredAt(pub u64);

/// The key of a message, as a hash of 64 bits.
///
/// Two keys of one hash are one key to a queue: `key_ordered` then keeps an order nobody asked for, and a last-value
/// queue takes one for the other, which among a million keys has a chance of 1 in 30 million.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Key(pub u64);

impl Key {
    /// No key. All messages without one are in order among each other, and none of them replaces another.
    pub const NONE: Self = Self(0);
}

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

impl Offset {
    /// The offset after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ConsumerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
