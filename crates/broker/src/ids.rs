//! Handles by which shards name connections, sessions and consumers to each other.

use log_api::ShardId;
use mqtt_router::SubscriberId;

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
/// shard (16) | generation (16) | slot (32)
/// ```
/// The shard comes first, so that subscribers in order are subscribers by shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(u64);

impl SessionId {
    pub(crate) const fn new(shard: ShardId, generation: u16, slot: u32) -> Self {
        Self((shard.0 as u64) << 48 | (generation as u64) << 32 | slot as u64)
    }

    pub(crate) const fn shard(self) -> ShardId {
        ShardId((self.0 >> 48) as u16)
    }

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

/// The shard that owns what bears this name: sessions by client id, queues by name.
pub fn owner_of(name: &str, shards: u16) -> ShardId {
    // FNV-1a, fixed for ever: the owner of a name must not change with the process.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // FNV alone leaves names that differ in their last digits close together; MurmurHash3's finalizer spreads them.
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    ShardId(((hash ^ (hash >> 33)) % u64::from(shards.max(1))) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_keeps_its_parts_and_sorts_by_shard() {
        let id = SessionId::new(ShardId(3), 7, 0xFFFF_FFFF);
        assert_eq!((id.shard(), id.slot()), (ShardId(3), 0xFFFF_FFFF));
        assert!(SessionId::new(ShardId(1), 0xFFFF, 5) < SessionId::new(ShardId(2), 0, 0));
        assert_eq!(SessionId::from(id.subscriber()), id);
    }

    #[test]
    fn names_spread_over_all_shards() {
        let mut hits = [0_u32; 4];
        for n in 0..4000 {
            hits[owner_of(&format!("sensor-{n}"), 4).0 as usize] += 1;
        }
        assert!(hits.iter().all(|hits| (800..1200).contains(hits)), "{hits:?}");
    }
}
