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

/// What a durable session is called in the log: never given twice, and it says which shard owns the session, however many
/// shards there are.
///
/// ```text
/// count (40) | hash of the client id (16)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SessionNumber(pub(crate) u64);

impl SessionNumber {
    pub(crate) fn new(count: u64, client_id: &str) -> Self {
        Self((count << 16 | u64::from(name_hash(client_id))) & (DURABLE - 1))
    }

    pub(crate) const fn count(self) -> u64 {
        self.0 >> 16
    }

    /// The shard that owns the session.
    pub(crate) fn owner(self, shards: u16) -> ShardId {
        ShardId((self.0 & 0xFFFF) as u16 % shards.max(1))
    }
}

impl From<SubscriberId> for SessionId {
    fn from(subscriber: SubscriberId) -> Self {
        Self(subscriber.0)
    }
}

/// The shard that owns what bears this name: sessions by client id.
pub fn owner_of(name: &str, shards: u16) -> ShardId {
    ShardId(name_hash(name) % shards.max(1))
}

/// Fixed for ever: it is on disk, and the owner of a name must not change with the process.
fn name_hash(name: &str) -> u16 {
    let hash = fnv_1a(name.bytes());
    // FNV alone leaves names that differ in their last digits close together; MurmurHash3's finalizer spreads them.
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    ((hash ^ (hash >> 33)) & 0xFFFF) as u16
}

/// The shard that publishes a delayed message, by its number:
///
/// ```text
/// count (55) | shard that took it (6)
/// ```
pub(crate) const fn delayed_owner(number: u64, shards: u16) -> ShardId {
    let shards = if shards == 0 { 1 } else { shards };
    ShardId((number & 63) as u16 % shards)
}

/// A hash that is the same for ever.
pub(crate) fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
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

    #[test]
    fn a_number_has_the_owner_of_its_client_id() {
        for shards in 1..=64 {
            for client in ["a", "sensor-17", ""] {
                let number = SessionNumber::new(u64::from(shards), client);
                assert_eq!(number.owner(shards), owner_of(client, shards));
            }
        }
        // On disk, so the same for ever.
        assert_eq!(SessionNumber::new(1, "sensor-17"), SessionNumber(102_929));
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
