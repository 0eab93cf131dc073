//! From the files of a data directory to a log that can start. It must not know what visitors do with records.

mod inventory;
mod ready;
mod replay;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log_api::{CheckpointParts, Position, SHARDS_MAX};

use crate::checkpoint::{Checkpoint, CheckpointStore, Standing};
use crate::config::Config;
use crate::error::{Damage, OpenError};
use crate::host::{Access, Host, SystemHost};
use crate::lock::DirectoryLock;
use crate::segment::{SEGMENT_HEADER_BYTES, segment_path};

pub use ready::Ready;
pub use replay::Replay;
pub(crate) use replay::kind_and_flags;

pub(crate) use inventory::Inventory;

/// The smallest segment: room for a header and some records.
const SEGMENT_BYTES_MIN: u32 = 4096;

/// A file of this name lies in a data directory for as long as a restore puts files there.
pub const RESTORING: &str = "restoring";

/// Where the log's files lie.
#[derive(Clone, Debug)]
pub(crate) struct Directories {
    pub(crate) log: PathBuf,
    pub(crate) state: PathBuf,
}

/// A log whose files have been found, before replay.
#[derive(Debug)]
pub struct Opened {
    /// The newest whole checkpoint.
    pub checkpoint: Option<CheckpointParts>,
    /// What was appended after it.
    pub replay: Replay,
}

/// Opens the log of a data directory, and keeps other processes out of it.
///
/// # Errors
/// When the directory cannot be used, is in use, or holds damaged files.
pub fn open(config: Config) -> Result<Opened, OpenError> {
    open_on(config, Arc::new(SystemHost::default()))
}

/// Opens the log of a data directory on another machine than this one.
///
/// # Errors
/// As [`open`].
pub fn open_on(config: Config, host: Arc<dyn Host>) -> Result<Opened, OpenError> {
    check(&config)?;
    let directories =
        Directories { log: config.directory.join("log"), state: config.directory.join("state") };
    for path in [&config.directory, &directories.log, &directories.state] {
        let unusable = |source| OpenError::Directory { path: path.clone(), source };
        host.make_directory(path).map_err(unusable)?;
    }
    let lock = DirectoryLock::acquire(&*host, &config.directory)?;
    let restoring = config.directory.join(RESTORING);
    if host.open(&restoring, Access::Read).is_ok() {
        return Err(OpenError::Unfinished { path: restoring });
    }
    let store =
        CheckpointStore::new(Arc::clone(&host), directories.state.clone(), config.reserve_bytes);
    let (checkpoint, newest_id) = store.load_newest()?;
    let (parts, from, standing) = match checkpoint {
        None => (None, From::BEGINNING, None),
        Some(Checkpoint { id, position, next_index, counts, parts }) => {
            let from = From { position, index: next_index };
            let standing = Standing { id, position, counts };
            (Some(CheckpointParts { position, parts }), from, Some(standing))
        }
    };
    let inventory = Inventory::take(&*host, &directories.log)?;
    if let Some(standing) = &standing {
        inventory.require_live(standing, &directories.log)?;
    }
    sync_names(&*host, &config.directory, &directories)?;
    let replay =
        Replay { config, host, directories, lock, store, inventory, from, standing, newest_id };
    Ok(Opened { checkpoint: parts, replay })
}

/// Makes sure that what has been found will be found again: the process before may have been killed after it had made or named
/// a file, and before it could sync the name.
fn sync_names(
    host: &dyn Host,
    directory: &Path,
    directories: &Directories,
) -> Result<(), OpenError> {
    for path in [&directories.log, &directories.state, directory] {
        host.sync_directory(path).map_err(io_error("sync", path))?;
    }
    let above = directory.parent().map(|path| match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    });
    // It need not be ours to open; then whoever made the directory answers for its name.
    if let Some(Err(error)) = above.map(|above| host.sync_directory(above)) {
        tracing::debug!(%error, "the name of the data directory is not synced");
    }
    Ok(())
}

fn check(config: &Config) -> Result<(), OpenError> {
    let outside = |what: &str| Err(OpenError::Config { what: what.to_owned() });
    match config {
        Config { shards: 0, .. } => outside("at least one shard is needed"),
        Config { shards, .. } if *shards > SHARDS_MAX => outside("at most 64 shards are possible"),
        Config { segment_bytes, .. } if *segment_bytes < SEGMENT_BYTES_MIN => {
            outside("a segment must have at least 4 KiB")
        }
        Config { reserve_bytes: 1..SEGMENT_BYTES_MIN, .. } => {
            outside("a reserve must have at least 4 KiB, or none")
        }
        _ => Ok(()),
    }
}

/// Where replay begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From {
    pub(crate) position: Position,
    /// The index of the first record there.
    pub(crate) index: u64,
}

impl From {
    pub(crate) const BEGINNING: Self =
        Self { position: Position::new(1, SEGMENT_HEADER_BYTES), index: 0 };
}

fn missing(directory: &Path, segment: u32, why: &str) -> OpenError {
    let file = segment_path(directory, segment);
    Damage { file, offset: 0, what: format!("the segment is missing, {why}") }.into()
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { action, path, source }
}
