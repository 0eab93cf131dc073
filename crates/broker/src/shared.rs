//! What all shards of a node share: read-mostly tables, the log, the mailboxes.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use key_expression::KeySeed;
use log_api::{Log, ShardId};
use mqtt_session::Room;
use parking_lot::Mutex;

use crate::alarms::Alarms;
use crate::budget::Budget;
use crate::config::Config;
use crate::directory::{Directory, StreamProperties};
use crate::needed::Told;
use crate::post::Post;
use crate::retained::RetainedStore;
use crate::routes::Routes;
use crate::stats::PublishedCounts;

/// What an entry of a session's waiting messages is reckoned to take beside the message.
const PENDING_BYTES: usize = 256;

/// Bounds on sums over all clients.
pub(crate) struct Budgets {
    /// Of what waits for clients, or of clients.
    pub(crate) memory: Budget,
    pub(crate) wills: Budget,
    pub(crate) subscriptions: Budget,
}

impl Budgets {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            memory: Budget::new(config.max_buffered_bytes),
            wills: Budget::new(config.max_wills_bytes),
            subscriptions: Budget::new(config.max_subscription_bytes),
        }
    }
}

/// The shared part of a node.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) budgets: Budgets,
    pub(crate) routes: Routes,
    pub(crate) directory: Directory,
    pub(crate) streams: Directory<StreamProperties>,
    pub(crate) retained: RetainedStore,
    pub(crate) alarms: Alarms,
    /// What the hashes of the keys of queues to come are made with.
    pub(crate) key_seed: KeySeed,
    pub(crate) post: Post,
    pub(crate) log: Arc<dyn Log>,
    /// How often a member of a shared group has come, or come back.
    pub(crate) members_come: AtomicU64,
    /// One for each shard.
    pub(crate) counts: Vec<PublishedCounts>,
    /// What each shard needs of the log.
    pub(crate) needed: Vec<Mutex<Told>>,
}

impl Shared {
    /// Whether an output buffer with so many bytes takes another message. An empty one always does: its client keeps up,
    /// or there is nothing to hold against it.
    #[inline]
    pub(crate) fn takes_more(&self, buffered: usize) -> bool {
        buffered == 0
            || buffered < self.config.max_output_buffer_bytes
                && buffered < self.budgets.memory.share()
    }

    /// What may wait in one session now.
    pub(crate) fn room(&self) -> Room {
        let Room { messages, bytes } = self.config.limits.room();
        let share = self.budgets.memory.share();
        Room { messages: messages.min(share / PENDING_BYTES).max(1), bytes: bytes.min(share) }
    }

    /// What may wait in one session of what queues lease: credit bounds it and nothing else.
    pub(crate) const LEASES: Room = Room { messages: usize::MAX, bytes: usize::MAX };

    /// Sessions of all shards but one, as of their last turns.
    pub(crate) fn sessions_elsewhere(&self, here: ShardId) -> usize {
        let others = self.counts.iter().enumerate().filter(|(n, _)| *n != usize::from(here.0));
        others.map(|(_, counts)| counts.read().sessions as usize).sum()
    }
}
