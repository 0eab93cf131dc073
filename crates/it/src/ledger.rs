//! The counts of a queue, and the sum that must always come out.

use serde_json::Value;

/// The counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "each field is the count of that name in the contract")]
pub struct Ledger {
    pub enqueued: u64,
    pub settled: u64,
    pub ready: u64,
    pub in_flight: u64,
    pub delayed: u64,
    pub expired: u64,
    pub dropped: u64,
    pub replaced: u64,
    pub dead_lettered: u64,
    pub purged: u64,
}

impl Ledger {
    /// Reads the `stats` of a queue.
    ///
    /// # Panics
    /// A count is missing, or the sum does not come out.
    #[must_use]
    pub fn read(stats: &Value) -> Self {
        let count =
            |name: &str| stats[name].as_u64().unwrap_or_else(|| panic!("no {name} in {stats}"));
        let ledger = Self {
            enqueued: count("enqueued"),
            settled: count("settled"),
            ready: count("ready"),
            in_flight: count("in_flight"),
            delayed: count("delayed"),
            expired: count("expired"),
            dropped: count("dropped"),
            replaced: count("replaced"),
            dead_lettered: count("dead_lettered"),
            purged: count("purged"),
        };
        assert_eq!(
            ledger.enqueued,
            ledger.settled + ledger.waiting() + ledger.gone(),
            "{ledger:?}"
        );
        ledger
    }

    /// Messages that are still in the queue.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.ready + self.in_flight + self.delayed
    }

    /// Messages that left it unsettled.
    #[must_use]
    pub const fn gone(&self) -> u64 {
        self.expired + self.dropped + self.replaced + self.dead_lettered + self.purged
    }
}
