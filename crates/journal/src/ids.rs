//! What the log calls sessions, shared groups and delayed messages, and which shard owns what bears a name or a number.
//! All of it is on disk, so it is the same for ever.

use log_api::ShardId;

/// A session's number takes so many bits; subscribers' numbers need the others.
const NUMBER_BITS: u64 = (1 << 56) - 1;

/// What a durable session is called in the log: never given twice, and it says which shard owns the session, however many
/// shards there are.
///
/// ```text
/// count (40) | hash of the client id (16)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionNumber(
    /// Its 56 bits, as records have them.
    pub u64,
);

impl SessionNumber {
    /// The number of the session that is the `count`-th to be numbered.
    pub fn new(count: u64, client_id: &str) -> Self {
        Self((count << 16 | u64::from(name_hash(client_id))) & NUMBER_BITS)
    }

    /// Which in turn the session was numbered; a later one has a higher count.
    pub const fn count(self) -> u64 {
        self.0 >> 16
    }

    /// The shard that owns the session.
    pub fn owner(self, shards: u16) -> ShardId {
        ShardId((self.0 & 0xFFFF) as u16 % shards.max(1))
    }
}

/// What a delivery remembers of the group it came by, so that another member can be chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupMark {
    /// The group, see [`mark_of`].
    pub group: u32,
    /// What a sticky strategy goes by.
    pub key: u32,
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
pub const fn delayed_owner(number: u64, shards: u16) -> ShardId {
    let shards = if shards == 0 { 1 } else { shards };
    ShardId((number & 63) as u16 % shards)
}

/// A hash that is the same for ever.
fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The mark of a group. It is on disk, and looked up among the groups that a topic reaches, so that two groups with the same
/// mark do no harm but that one's messages may go to the other, which takes the topic too.
pub fn mark_of(name: &str, filter: &str) -> u32 {
    fold(fnv_1a(name.bytes().chain(*b"/").chain(filter.bytes())))
}

/// What stands for a topic or a client id.
pub fn key_of(text: &str) -> u32 {
    fold(fnv_1a(text.bytes()))
}

const fn fold(hash: u64) -> u32 {
    (hash ^ hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Never changes: stored messages name their group by it.
    const MARK: u32 = 152_458_854;

    #[test]
    fn the_marks_are_on_disk_and_stay() {
        assert_eq!(mark_of("billing", "orders/#"), MARK);
        assert_eq!(key_of("a/b"), key_of("a/b"));
        assert_ne!((key_of("a/b"), mark_of("g", "a/b")), (key_of("a/c"), mark_of("h", "a/b")));
    }
}
