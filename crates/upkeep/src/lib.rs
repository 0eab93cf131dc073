//! What is done to a data directory from outside a broker: backups are written and restored, damage is shown and repaired.
//! It must not know connections, HTTP, or what a running broker has in memory.
//!
//! ```text
//!  a running log's image ─┐
//!  a log at rest ─────────┴─► backup ──► one tar file, its manifest last ──► check ──► restore ──► a data directory
//!  a log at rest ───────────► repair: survey, report; and if it is wanted, originals aside and a new checkpoint
//! ```

mod backup;
mod error;
mod manifest;
mod read;
mod repair;
mod restore;
mod tar;
mod target;

use std::time::{SystemTime, UNIX_EPOCH};

use stdx::UnixMillis;

pub use backup::{Written, backup_at_rest, is_stopped, write_backup};
pub use error::Error;
pub use manifest::{Manifest, ManifestFile};
pub use read::check;
pub use repair::{FindingReport, LossReport, RepairReport, Repaired, StateReport, repair};
pub use restore::restore;
pub use target::Target;

/// Told how far something is: so many of so many bytes, of which the second may be a guess.
pub type Progress<'a> = dyn FnMut(u64, u64) + 'a;

/// The file of users in a data directory.
const USERS: &str = "users.toml";
/// How much is copied at once.
const CHUNK_BYTES: usize = 256 << 10;

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
