//! `GET …/ledger`: the account of a stream's messages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::StreamStats;

/// A stream's account at one moment: `appended = kept + expired + dropped + replaced + purged`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StreamLedgerView {
    /// The stream's name.
    pub stream: String,
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
    /// Whether both sides are equal. If not, the broker has a fault, and an alarm `ledger_imbalance` says so.
    pub balances: bool,
}

impl StreamLedgerView {
    /// The account in a stream's numbers.
    #[must_use]
    pub fn new(stream: String, stats: &StreamStats) -> Self {
        let StreamStats { appended, kept, expired, dropped, replaced, purged, .. } = *stats;
        let balances = stats.balances();
        Self { stream, appended, kept, expired, dropped, replaced, purged, balances }
    }

    /// All terms but the first, by their names: what became of the messages that came.
    #[must_use]
    pub const fn terms(&self) -> [(&'static str, u64); 5] {
        let Self { kept, expired, dropped, replaced, purged, .. } = self;
        [
            ("kept", *kept),
            ("expired", *expired),
            ("dropped", *dropped),
            ("replaced", *replaced),
            ("purged", *purged),
        ]
    }
}
