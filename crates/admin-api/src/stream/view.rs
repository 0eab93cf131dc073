//! The stream as a client gets it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::StreamProperties;

/// A stream with its properties and its numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StreamView {
    /// Its name: simple, or equal to its topic filter.
    pub name: String,
    /// What it is bound to; `null` is bound to nothing.
    pub topic_filter: Option<String>,
    /// What it does.
    #[serde(flatten)]
    pub properties: StreamProperties,
    /// Its numbers.
    pub stats: StreamStats,
}

/// A stream's ledger and gauges at one moment: `appended = kept + expired + dropped + replaced + purged`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct StreamStats {
    /// Messages stored since the stream was created.
    pub appended: u64,
    /// Messages that are here.
    pub kept: u64,
    /// Messages that grew too old.
    pub expired: u64,
    /// Messages dropped for room.
    pub dropped: u64,
    /// Messages replaced by a newer one of their key.
    pub replaced: u64,
    /// Messages purged by an operator.
    pub purged: u64,
    /// Deliveries beyond the first, of all readers.
    pub redelivered: u64,
    /// Bytes of what is kept.
    pub bytes: u64,
    /// The offset of the oldest message that is here; `null` without one.
    pub oldest_offset: Option<u64>,
    /// The offset that the next message gets.
    pub next_offset: u64,
    /// Age of the oldest message that is here.
    pub oldest_age_ms: u64,
    /// Messages whose keys are still to be made anew, because other properties ask for it. Groups get nothing until there
    /// are none.
    #[serde(default)]
    pub rekeying: u64,
    /// Readers whose positions are kept, there or away.
    pub readers: u64,
    /// Subscriptions that read now.
    pub members: u64,
    /// Readers, there or away, that have not settled all that is here.
    #[serde(default)]
    pub readers_behind: u64,
    /// The most messages that are here and that a reader, there or away, has not settled.
    pub lag: u64,
    /// The most bytes of such messages that a reader has.
    #[serde(default)]
    pub lag_bytes: u64,
    /// The age of the oldest message that is here and that a reader has not settled.
    #[serde(default)]
    pub lag_ms: u64,
    /// How long until that one is lost to who has not settled it: the least of what the limits say; `null` when none takes it.
    #[serde(default)]
    pub time_to_data_loss_ms: Option<u64>,
    /// What each limit says.
    #[serde(default)]
    pub data_loss_by: DataLossBy,
}

/// How long until the oldest message that a reader has not settled is lost to it, by each limit; `null` where that limit does
/// not take it. Limits by count and by size are taken to be reached at the pace of the last ten minutes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct DataLossBy {
    /// By `retention`.
    pub retention_ms: Option<u64>,
    /// By `max_messages`.
    pub max_messages_ms: Option<u64>,
    /// By `max_bytes`.
    pub max_bytes_ms: Option<u64>,
}

impl StreamStats {
    /// Whether the ledger adds up.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.appended == self.kept + self.expired + self.dropped + self.replaced + self.purged
    }
}
