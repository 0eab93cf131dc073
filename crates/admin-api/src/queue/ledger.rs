//! `GET …/ledger`: the account of a queue's messages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::QueueStats;

/// A queue's account at one moment:
/// `enqueued = settled + ready + in_flight + delayed + expired + dropped + replaced + dead_lettered + purged`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LedgerView {
    /// The queue's name.
    pub queue: String,
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
    /// Messages purged or skipped by an operator.
    pub purged: u64,
    /// Whether both sides are equal. If not, the broker has a fault, and an alarm `ledger_imbalance` says so.
    pub balances: bool,
}

impl LedgerView {
    /// The account in a queue's numbers.
    #[must_use]
    pub fn new(queue: String, stats: &QueueStats) -> Self {
        Self {
            queue,
            enqueued: stats.enqueued,
            settled: stats.settled,
            ready: stats.ready,
            in_flight: stats.in_flight,
            delayed: stats.delayed,
            expired: stats.expired,
            dropped: stats.dropped,
            replaced: stats.replaced,
            dead_lettered: stats.dead_lettered,
            purged: stats.purged,
            balances: stats.balances(),
        }
    }

    /// All terms but the first, by their names: what became of the messages that came.
    #[must_use]
    pub const fn terms(&self) -> [(&'static str, u64); 9] {
        [
            ("settled", self.settled),
            ("ready", self.ready),
            ("in_flight", self.in_flight),
            ("delayed", self.delayed),
            ("expired", self.expired),
            ("dropped", self.dropped),
            ("replaced", self.replaced),
            ("dead_lettered", self.dead_lettered),
            ("purged", self.purged),
        ]
    }
}
