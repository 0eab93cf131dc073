//! The names of things in an index: offsets, keys, places of bodies. They must not know what they stand for.

use std::fmt;

/// A message's place in its queue or stream: dense, from 0, in the order of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Offset(pub u64);

/// Where the body of a message is stored. Opaque here, and never compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StoredAt(pub u64);

/// The key of a message, as a hash of 64 bits.
///
/// Two keys of one hash are one key to a queue: `key_ordered` then keeps an order nobody asked for, and a last-value
/// queue takes one for the other, which among a million keys has a chance of 1 in 30 million. So it is with streams.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Key(pub u64);

impl Key {
    /// No key. None of these replaces another; a `key_ordered` queue keeps them in order among each other.
    pub const NONE: Self = Self(0);
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
