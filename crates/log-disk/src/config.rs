//! What can be set about the log. It must not know the names of settings in files.

use std::path::PathBuf;
use std::time::Duration;

/// When what is written counts as stored.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum SyncMode {
    /// When it is synced to the disk.
    #[default]
    Always,
    /// When it is written; it is synced within that time. A power cut may lose what was committed meanwhile.
    Within(Duration),
}

/// What can be set about a log on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The data directory. Made when it is missing.
    pub directory: PathBuf,
    /// How many shards append; 1 to 64.
    pub shards: u16,
    /// Size of a segment. A larger record gets a segment of its own.
    pub segment_bytes: u32,
    /// The most that is written as one group, but for a single larger batch.
    pub group_bytes_max: u32,
    /// When what is written counts as stored.
    pub sync: SyncMode,
    /// How long records that need not be synced before they are committed may wait for it.
    pub relaxed_sync_interval: Duration,
    /// A checkpoint is made whenever so much has been appended, or so much could be trimmed.
    pub checkpoint_every_bytes: u64,
    /// Room kept for settlements on a full disk; 0 keeps none.
    pub reserve_bytes: u32,
    /// Whether opening checks every frame, not only those after the checkpoint.
    pub verify_all: bool,
}

impl Config {
    /// The defaults.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, shards: u16) -> Self {
        Self {
            directory: directory.into(),
            shards,
            segment_bytes: 64 << 20,
            group_bytes_max: 4 << 20,
            sync: SyncMode::Always,
            relaxed_sync_interval: Duration::from_millis(100),
            checkpoint_every_bytes: 128 << 20,
            reserve_bytes: 4 << 20,
            verify_all: false,
        }
    }
}
