//! Which subscriptions, shared groups and queues a topic reaches, and which retained topics a filter reaches.
//! It must not know who is connected, nor any clock, thread or socket.

mod entries;
mod exact;
pub mod invariants;
mod keyed_hash;
mod matches;
mod retained;
mod router;
mod shared_group;
mod subscription;
mod trie;

pub use matches::{Match, Matches};
pub use retained::{Cursor, RetainedIndex};
pub use router::{Counts, Router};
pub use shared_group::{Member, MemberState, SharedGroup};
pub use subscription::{SinkId, SubscriberId, Subscription, SubscriptionOptions};

/// The levels a topic filter should have at most, unless configured otherwise.
///
/// A filter takes a trie node per level, so a SUBSCRIBE of 65,535 bytes could take 32,768 of them. The router
/// itself takes any legal filter, without recursion; who takes subscriptions from clients enforces this.
pub const LEVELS_MAX: usize = 128;
