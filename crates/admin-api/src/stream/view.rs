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
    /// Messages that are here from the position on of the reader that is behind the most, of those that are there now.
    pub lag: u64,
    /// Their bytes, if they are as large as what is kept is on average.
    #[serde(default)]
    pub lag_bytes: u64,
    /// The age of the oldest of them.
    #[serde(default)]
    pub lag_ms: u64,
    /// How long until that one expires by `retention`; `null` when that reader has settled all, or it never does.
    #[serde(default)]
    pub time_to_data_loss_ms: Option<u64>,
}

impl StreamStats {
    /// Whether the ledger adds up.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.appended == self.kept + self.expired + self.dropped + self.replaced + self.purged
    }
}
