//! The files of the last two checkpoints. It must not know when one is made.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{Checkpoint, NEWER_VERSION, NotWhole};
use crate::error::OpenError;
use crate::files::{Files, Room, is_no_room};

/// The directory of checkpoints.
pub(crate) struct CheckpointStore {
    files: Arc<dyn Files>,
    directory: PathBuf,
    reserve_bytes: u32,
}

impl CheckpointStore {
    pub(crate) fn new(files: Arc<dyn Files>, directory: PathBuf, reserve_bytes: u32) -> Self {
        Self { files, directory, reserve_bytes }
    }

    /// The newest whole checkpoint, and the highest number that any has. Says in the log which ones are not whole.
    pub(crate) fn load_newest(&self) -> Result<(Option<Checkpoint>, u64), OpenError> {
        let ids = self.list()?;
        let newest_id = ids.last().copied().unwrap_or_default();
        for id in ids.into_iter().rev() {
            let path = self.path(id);
            let bytes = std::fs::read(&path).map_err(|source| OpenError::Io {
                action: "read",
                path: path.clone(),
                source,
            })?;
            match Checkpoint::decode(&bytes) {
                Ok(checkpoint) => return Ok((Some(checkpoint), newest_id)),
                Err(NotWhole { offset, what: NEWER_VERSION }) => {
                    return Err(OpenError::NewerVersion {
                        file: path,
                        offset,
                        what: NEWER_VERSION.to_owned(),
                    });
                }
                Err(error) => {
                    tracing::error!(
                        file = %path.display(), offset = error.offset, what = error.what,
                        "damaged checkpoint: the one before it is used, and more is replayed"
                    );
                }
            }
        }
        Ok((None, newest_id))
    }

    /// The numbers of all checkpoints, in order. What was left unfinished is removed.
    fn list(&self) -> Result<Vec<u64>, OpenError> {
        let failed = |action| {
            move |path: &Path, source| OpenError::Io { action, path: path.to_owned(), source }
        };
        let entries = std::fs::read_dir(&self.directory)
            .map_err(|source| failed("list")(&self.directory, source))?;
        let mut ids = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| failed("list")(&self.directory, source))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let Some(name) = name.strip_prefix("checkpoint-") else { continue };
            if name.ends_with(".tmp") {
                std::fs::remove_file(&path).map_err(|source| failed("remove")(&path, source))?;
            } else if let Ok(id) = u64::from_str_radix(name, 16) {
                ids.push(id);
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Writes a checkpoint; when this returns it is found after a crash.
    pub(crate) fn write(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let path = self.path(checkpoint.id);
        let unfinished = path.with_extension("tmp");
        let mut written = self.write_to(checkpoint, &unfinished, &path);
        if written.as_ref().is_err_and(is_no_room) && self.files.remove(&self.reserve()).is_ok() {
            tracing::warn!("the disk is full: a checkpoint is written into the room kept for it");
            written = self.write_to(checkpoint, &unfinished, &path);
        }
        if written.is_err() {
            // It may not be there; and when it stays, the next start removes it.
            let _ = self.files.remove(&unfinished);
        }
        written
    }

    fn write_to(&self, checkpoint: &Checkpoint, unfinished: &Path, path: &Path) -> io::Result<()> {
        let open = self.files.create(unfinished, Room::Growing)?;
        self.files.write_at(&open, 0, &mut checkpoint.encode().slices())?;
        self.files.sync(&open)?;
        self.files.rename(unfinished, path)?;
        self.files.sync_directory(&self.directory)
    }

    /// Keeps room for a checkpoint on a full disk, without which no segment could be trimmed there.
    pub(crate) fn keep_reserve(&self) {
        let path = self.reserve();
        if self.reserve_bytes == 0 || path.exists() {
            return;
        }
        if let Err(error) = self.files.create(&path, Room::Reserved(u64::from(self.reserve_bytes)))
        {
            tracing::warn!(file = %path.display(), %error, "no room is kept for a checkpoint on a full disk");
            // What there is of it is too small to help.
            let _ = self.files.remove(&path);
        }
    }

    fn reserve(&self) -> PathBuf {
        self.directory.join("reserve")
    }

    /// Removes all checkpoints but these.
    pub(crate) fn keep_only(&self, kept: &[u64]) {
        let Ok(ids) = self.list() else { return };
        for id in ids.into_iter().filter(|id| !kept.contains(id)) {
            let path = self.path(id);
            if let Err(error) = self.files.remove(&path) {
                tracing::warn!(file = %path.display(), %error, "an old checkpoint stays");
            }
        }
    }

    fn path(&self, id: u64) -> PathBuf {
        self.directory.join(format!("checkpoint-{id:016x}"))
    }
}
