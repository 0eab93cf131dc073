//! What all shards of a node share: read-mostly tables, the log, the mailboxes.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use log_api::Log;
use mqtt_session::ServerLimits;

use crate::alarms::Alarms;
use crate::config::Config;
use crate::directory::Directory;
use crate::post::Post;
use crate::retained::RetainedStore;
use crate::routes::Routes;
use crate::stats::PublishedCounts;

/// The shared part of a node.
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// Limits for what queues lease, which credit bounds and nothing else.
    pub(crate) lease_limits: ServerLimits,
    pub(crate) routes: Routes,
    pub(crate) directory: Directory,
    pub(crate) retained: RetainedStore,
    pub(crate) alarms: Alarms,
    pub(crate) post: Post,
    pub(crate) log: Arc<dyn Log>,
    /// How often a member of a shared group has come, or come back.
    pub(crate) members_come: AtomicU64,
    /// One for each shard.
    pub(crate) counts: Vec<PublishedCounts>,
}
