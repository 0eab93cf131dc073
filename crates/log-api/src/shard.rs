//! The threads that append and are told of commits. It must not know what a shard does.

use std::fmt;
use std::ops::BitOr;

/// The most shards there can be.
pub const SHARDS_MAX: u16 = 64;

/// One of the threads that share the log, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct ShardId(pub u16);

/// A set of shards.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ShardSet(u64);

impl ShardSet {
    /// No shard.
    pub const EMPTY: Self = Self(0);

    /// That shard alone.
    ///
    /// # Panics
    /// When the shard's number is not below [`SHARDS_MAX`].
    #[must_use]
    pub const fn single(shard: ShardId) -> Self {
        assert!(shard.0 < SHARDS_MAX, "shards are numbered below 64");
        Self(1 << shard.0)
    }

    /// The first so many shards.
    #[must_use]
    pub const fn first(shards: u16) -> Self {
        if shards >= SHARDS_MAX { Self(u64::MAX) } else { Self((1 << shards) - 1) }
    }

    /// The same set and that shard.
    #[must_use]
    pub const fn with(self, shard: ShardId) -> Self {
        Self(self.0 | Self::single(shard).0)
    }

    /// Adds a shard.
    pub const fn insert(&mut self, shard: ShardId) {
        *self = self.with(shard);
    }

    /// Takes a shard out, and says whether it was there.
    pub const fn remove(&mut self, shard: ShardId) -> bool {
        let was_there = self.contains(shard);
        if was_there {
            self.0 &= !(1 << shard.0);
        }
        was_there
    }

    /// Whether the shard is in the set.
    #[must_use]
    pub const fn contains(self, shard: ShardId) -> bool {
        shard.0 < SHARDS_MAX && self.0 & (1 << shard.0) != 0
    }

    /// Whether there is no shard in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of shards in the set.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The shards in order.
    pub fn iter(self) -> impl Iterator<Item = ShardId> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let next = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest - 1;
            Some(ShardId(next as u16))
        })
    }
}

impl BitOr for ShardSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl From<ShardId> for ShardSet {
    fn from(shard: ShardId) -> Self {
        Self::single(shard)
    }
}

impl FromIterator<ShardId> for ShardSet {
    fn from_iter<I: IntoIterator<Item = ShardId>>(shards: I) -> Self {
        shards.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for ShardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|shard| shard.0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let members = [ShardId(0), ShardId(1), ShardId(31), ShardId(63)];
        let mut set: ShardSet = members.into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), members);
        assert_eq!(set.len(), 4);
        for n in 0..=u16::MAX {
            assert_eq!(set.contains(ShardId(n)), members.contains(&ShardId(n)), "{n}");
        }
        assert!(set.remove(ShardId(31)) && !set.remove(ShardId(31)) && !set.remove(ShardId(95)));
        assert_eq!(set | ShardSet::single(ShardId(2)), ShardSet::first(3).with(ShardId(63)));
        assert!(ShardSet::first(0).is_empty());
        assert_eq!(ShardSet::first(64).len(), 64);
    }
}
