//! The queue as a client gets it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::QueueProperties;

/// A queue with its properties and its numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueueView {
    /// Its name: simple, or equal to its topic filter.
    pub name: String,
    /// What it is bound to; `null` is bound to nothing.
    pub topic_filter: Option<String>,
    /// What it does.
    #[serde(flatten)]
    pub properties: QueueProperties,
    /// Its numbers.
    pub stats: QueueStats,
}

/// A queue's ledger and gauges at one moment:
/// `enqueued = settled + ready + in_flight + delayed + expired + dropped + replaced + dead_lettered + purged`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct QueueStats {
    /// Messages stored since the queue was created.
    pub enqueued: u64,
    /// Messages accepted by a consumer.
    pub settled: u64,
    /// Messages that wait.
    pub ready: u64,
    /// Messages with a consumer, unsettled.
    pub in_flight: u64,
    /// Messages that wait for their time.
    pub delayed: u64,
    /// Messages that grew too old.
    pub expired: u64,
    /// Messages dropped for room or without a dead-letter queue.
    pub dropped: u64,
    /// Messages replaced by a newer one of their key.
    pub replaced: u64,
    /// Messages sent to the dead letters.
    pub dead_lettered: u64,
    /// Messages purged by an operator.
    pub purged: u64,
    /// Deliveries beyond the first.
    pub redelivered: u64,
    /// Bytes of what is ready, in flight and delayed.
    pub bytes: u64,
    /// Age of the oldest unsettled message.
    pub oldest_age_ms: u64,
    /// How long the message that is next could have been delivered and was not.
    pub lag_ms: u64,
    /// How long until the oldest unsettled message expires by retention; `null` when there is none, or it never does.
    #[serde(default)]
    pub time_to_data_loss_ms: Option<u64>,
    /// Messages whose keys are still to be made anew, because other properties ask for it. Nothing is delivered until there
    /// are none.
    #[serde(default)]
    pub rekeying: u64,
    /// Consumers connected.
    pub consumers: u64,
}

impl QueueStats {
    /// Whether the ledger adds up.
    #[must_use]
    pub const fn balances(&self) -> bool {
        let waiting = self.ready + self.in_flight + self.delayed;
        let gone = self.settled
            + self.expired
            + self.dropped
            + self.replaced
            + self.dead_lettered
            + self.purged;
        self.enqueued == waiting + gone
    }
}
