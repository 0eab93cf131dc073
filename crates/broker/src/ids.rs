//! Handles by which shards name connections, sessions and consumers to each other.

use log_api::ShardId;
use mqtt_router::SubscriberId;

pub use journal::ids::owner_of;
pub(crate) use journal::ids::{SessionNumber, delayed_owner};

/// A network connection: its slot at the shard that owns it, and which of that slot's tenants it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConnId {
    /// The slot, shared with the owner of the sockets.
    pub slot: u32,
    /// Counts the slot's tenants, so that a late answer does not reach the next one.
    pub generation: u32,
}

/// A session, from anywhere in the broker.
///
/// ```text
/// shard (7) | 0 | 0 (8) | generation (16) | slot (32)     of a session that ends with its connection
/// shard (7) | 1 | number (56)                             of a durable one
/// ```
/// The shard comes first, so that subscribers in order are subscribers by shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(u64);

const DURABLE: u64 = 1 << 56;
const SHARD_SHIFT: u32 = 57;

impl SessionId {
    pub(crate) const fn transient(shard: ShardId, generation: u16, slot: u32) -> Self {
        Self((shard.0 as u64) << SHARD_SHIFT | (generation as u64) << 32 | slot as u64)
    }

    pub(crate) const fn durable(shard: ShardId, number: SessionNumber) -> Self {
        Self((shard.0 as u64) << SHARD_SHIFT | DURABLE | number.0)
    }

    pub(crate) const fn shard(self) -> ShardId {
        ShardId((self.0 >> SHARD_SHIFT) as u16)
    }

    /// The number of a durable session.
    #[inline]
    pub(crate) const fn number(self) -> Option<SessionNumber> {
        if self.is_durable() { Some(SessionNumber(self.0 & (DURABLE - 1))) } else { None }
    }

    /// Whether the session outlives its connections, and the process.
    #[inline]
    pub(crate) const fn is_durable(self) -> bool {
        self.0 & DURABLE != 0
    }

    /// The slot of a session that ends with its connection.
    pub(crate) const fn slot(self) -> usize {
        (self.0 & 0xFFFF_FFFF) as usize
    }

    pub(crate) const fn subscriber(self) -> SubscriberId {
        SubscriberId(self.0)
    }
}

impl From<SubscriberId> for SessionId {
    fn from(subscriber: SubscriberId) -> Self {
        Self(subscriber.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_keeps_its_parts_and_sorts_by_shard() {
        let id = SessionId::transient(ShardId(3), 7, 0xFFFF_FFFF);
        assert_eq!((id.shard(), id.slot(), id.number()), (ShardId(3), 0xFFFF_FFFF, None));
        assert_eq!(SessionId::from(id.subscriber()), id);
        let number = SessionNumber::new((1 << 40) - 1, "a client");
        let durable = SessionId::durable(ShardId(63), number);
        assert_eq!((durable.shard(), durable.number()), (ShardId(63), Some(number)));
        assert_eq!(number.count(), (1 << 40) - 1);
        assert!(SessionId::durable(ShardId(1), number) < SessionId::transient(ShardId(2), 0, 0));
    }
}
