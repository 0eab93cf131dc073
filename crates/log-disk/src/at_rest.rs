//! The log of a data directory that no broker uses: looked at as it is, damage and all, copied, and mended. It must not know
//! what the bodies of records mean.
//!
//! ```text
//!  open ── locked, the newest whole checkpoint ── survey ── every segment from end to end ──► what is wrong, what is lost
//!                                                    │                                  └───► image
//!                                                    └── mend ── originals set aside, a checkpoint behind all records
//! ```

mod find;
mod image;
mod mend;
mod salt;
mod survey;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use log_api::{CheckpointParts, Position};

use crate::checkpoint::{Checkpoint, CheckpointStore, Lying, NEWER_VERSION};
use crate::error::{Damage, OpenError};
use crate::host::{Access, Host, SystemHost};
use crate::lock::DirectoryLock;
use crate::recovery::{Directories, RESTORING};

pub use mend::{Mended, NewCheckpoint};
pub use survey::{Finding, Met, Survey};

/// The log of a data directory that no broker uses. Nobody else uses it while this is there.
#[derive(Debug)]
pub struct AtRest {
    host: Arc<dyn Host>,
    directory: PathBuf,
    directories: Directories,
    lock: Option<DirectoryLock>,
    /// Those that are damaged.
    spoiled: Vec<Damage>,
    /// All that are there, whole or not.
    checkpoints: Vec<PathBuf>,
    /// The one that a start would go by.
    base: Option<Base>,
    /// The highest number that a checkpoint has, whole or not.
    newest_id: u64,
}

/// The checkpoint that a start would go by.
#[derive(Debug)]
struct Base {
    path: PathBuf,
    checkpoint: Checkpoint,
}

impl AtRest {
    /// Takes hold of the log in that directory. Changes nothing.
    ///
    /// # Errors
    /// When there is none, a broker uses it, it cannot be read, or a newer version wrote it.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_on(directory, Arc::new(SystemHost::default()))
    }

    /// The same on another machine than this one.
    pub(crate) fn open_on(directory: &Path, host: Arc<dyn Host>) -> Result<Self, OpenError> {
        let directories =
            Directories { log: directory.join("log"), state: directory.join("state") };
        for path in [&directories.log, &directories.state] {
            let none = |source| OpenError::NoLog { path: directory.to_owned(), source };
            host.list(path).map_err(none)?;
        }
        let restoring = directory.join(RESTORING);
        if host.open(&restoring, Access::Read).is_ok() {
            return Err(OpenError::Unfinished { path: restoring });
        }
        let lock = DirectoryLock::acquire_if_there(&*host, directory)?;
        let store = CheckpointStore::new(Arc::clone(&host), directories.state.clone(), 0);
        let (mut spoiled, mut checkpoints, mut base, mut newest_id) =
            (Vec::new(), Vec::new(), None, 0);
        for Lying { path, id, content } in store.look()? {
            newest_id = newest_id.max(id);
            checkpoints.push(path.clone());
            match content {
                Ok(checkpoint) => base = Some(Base { path, checkpoint }),
                Err(error) if error.what == NEWER_VERSION => {
                    let (offset, what) = (error.offset, error.what.to_owned());
                    return Err(OpenError::NewerVersion { file: path, offset, what });
                }
                Err(error) => {
                    let (offset, what) = (error.offset, error.what.to_owned());
                    spoiled.push(Damage { file: path, offset, what });
                }
            }
        }
        let directory = directory.to_owned();
        Ok(Self { host, directory, directories, lock, spoiled, checkpoints, base, newest_id })
    }

    /// The newest whole checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Option<CheckpointParts> {
        let Checkpoint { position, parts, .. } = &self.base.as_ref()?.checkpoint;
        Some(CheckpointParts { position: *position, parts: parts.clone() })
    }

    /// Where replay begins, and the index of the first record there.
    fn from(&self) -> (Position, u64) {
        let beginning = crate::recovery::From::BEGINNING;
        self.base.as_ref().map_or((beginning.position, beginning.index), |base| {
            (base.checkpoint.position, base.checkpoint.next_index)
        })
    }
}
