//! The files of the last two checkpoints. It must not know when one is made.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{Checkpoint, NEWER_VERSION, NotWhole};
use crate::error::OpenError;
use crate::host::{Access, Host, OpenFile, Room, is_no_room};

/// The directory of checkpoints.
pub(crate) struct CheckpointStore {
    host: Arc<dyn Host>,
    directory: PathBuf,
    reserve_bytes: u32,
}

/// A checkpoint's file as it lies there.
pub(crate) struct Lying {
    pub(crate) path: PathBuf,
    pub(crate) id: u64,
    /// What is in it, or why it is none.
    pub(crate) content: Result<Checkpoint, NotWhole>,
}

impl CheckpointStore {
    pub(crate) fn new(host: Arc<dyn Host>, directory: PathBuf, reserve_bytes: u32) -> Self {
        Self { host, directory, reserve_bytes }
    }

    /// The newest whole checkpoint, and the highest number that any has. Says in the log which ones are not whole.
    pub(crate) fn load_newest(&self) -> Result<(Option<Checkpoint>, u64), OpenError> {
        let ids = self.list()?;
        let newest_id = ids.last().copied().unwrap_or_default();
        for id in ids.into_iter().rev() {
            let path = self.path(id);
            let bytes = self.read(&path).map_err(|source| OpenError::Io {
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

    /// What each checkpoint is, or why it is none, oldest first. Changes nothing.
    pub(crate) fn look(&self) -> Result<Vec<Lying>, OpenError> {
        let mut found = Vec::new();
        for (id, path) in self.find(|_| Ok(()))? {
            let bytes = self.read(&path).map_err(|source| OpenError::Io {
                action: "read",
                path: path.clone(),
                source,
            })?;
            found.push(Lying { path, id, content: Checkpoint::decode(&bytes) });
        }
        Ok(found)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.host.open(path, Access::Read)?;
        let bytes = usize::try_from(file.len()?).map_err(io::Error::other)?;
        file.read_at(0, bytes)
    }

    /// The numbers of all checkpoints, in order. What was left unfinished is removed.
    fn list(&self) -> Result<Vec<u64>, OpenError> {
        let found = self.find(|unfinished| self.host.remove(unfinished))?;
        Ok(found.into_iter().map(|(id, _)| id).collect())
    }

    /// All checkpoints, in order; what was left unfinished goes elsewhere.
    fn find(
        &self,
        unfinished: impl Fn(&Path) -> io::Result<()>,
    ) -> Result<Vec<(u64, PathBuf)>, OpenError> {
        let failed = |action| {
            move |path: &Path, source| OpenError::Io { action, path: path.to_owned(), source }
        };
        let paths = self
            .host
            .list(&self.directory)
            .map_err(|source| failed("list")(&self.directory, source))?;
        let mut found = Vec::new();
        for path in paths {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let Some(name) = name.strip_prefix("checkpoint-") else { continue };
            if name.ends_with(".tmp") {
                unfinished(&path).map_err(|source| failed("remove")(&path, source))?;
            } else if let Ok(id) = u64::from_str_radix(name, 16) {
                found.push((id, path));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Writes a checkpoint; when this returns it is found after a crash.
    pub(crate) fn write(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let path = self.path(checkpoint.id);
        let unfinished = path.with_extension("tmp");
        let mut written = self.write_to(checkpoint, &unfinished, &path);
        if written.as_ref().is_err_and(is_no_room) && self.host.remove(&self.reserve()).is_ok() {
            tracing::warn!("the disk is full: a checkpoint is written into the room kept for it");
            written = self.write_to(checkpoint, &unfinished, &path);
        }
        if written.is_err() {
            // It may not be there; and when it stays, the next start removes it.
            let _ = self.host.remove(&unfinished);
        }
        written
    }

    fn write_to(&self, checkpoint: &Checkpoint, unfinished: &Path, path: &Path) -> io::Result<()> {
        let open = OpenFile::create(&*self.host, unfinished, Room::Growing)?;
        open.write_at(0, &mut checkpoint.encode().slices())?;
        open.sync()?;
        self.host.rename(unfinished, path)?;
        self.host.sync_directory(&self.directory)
    }

    /// Keeps room for a checkpoint on a full disk, without which no segment could be trimmed there.
    pub(crate) fn keep_reserve(&self) {
        let path = self.reserve();
        if self.reserve_bytes == 0 || self.host.open(&path, Access::Read).is_ok() {
            return;
        }
        if let Err(error) = self.host.create(&path, Room::Reserved(u64::from(self.reserve_bytes))) {
            tracing::warn!(file = %path.display(), %error, "no room is kept for a checkpoint on a full disk");
            // What there is of it is too small to help.
            let _ = self.host.remove(&path);
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
            if let Err(error) = self.host.remove(&path) {
                tracing::warn!(file = %path.display(), %error, "an old checkpoint stays");
            }
        }
    }

    /// Where that checkpoint lies.
    pub(crate) fn path(&self, id: u64) -> PathBuf {
        self.directory.join(format!("checkpoint-{id:016x}"))
    }
}
