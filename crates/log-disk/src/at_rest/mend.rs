//! Makes a damaged log one that can start. It must not know how the state was found that the new checkpoint bears.
//!
//! ```text
//!  originals copied aside ── a segment behind all others ── a checkpoint that begins there ── damaged places filled
//!                                                               │
//!      a start is as good or bad as before up to here           └── and goes by it from here on: nothing before it is replayed
//! ```
//! What is not damaged stays where it is, so bodies are read where they were written.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log_api::Position;

use super::survey::{Hole, Looked};
use super::{AtRest, Survey};
use crate::checkpoint::{Checkpoint, CheckpointStore};
use crate::error::OpenError;
use crate::frame::FrameHeader;
use crate::host::{Access, HostFile, Room, fill_with_zeros};
use crate::lock::DirectoryLock;
use crate::preparer::Workshop;
use crate::segment::SEGMENT_HEADER_BYTES;

/// The first segment behind a repair: small, for the disk may be nearly full. The next ones are as large as is configured.
const SEGMENT_BYTES: u64 = 1 << 20;
/// How much is copied at once.
const WINDOW_BYTES: usize = 1 << 20;
/// A frame in the place of records that are followed by nothing.
const FRAME_BYTES_MIN: u64 = 32;

/// What the records before the end of the log come to, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewCheckpoint {
    /// The parts of the checkpoint.
    pub parts: Vec<Vec<u8>>,
    /// How many of the bodies in each segment are needed.
    pub counts: BTreeMap<u32, i64>,
}

/// What a repair did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mended {
    /// Where the original files are.
    pub aside: PathBuf,
    /// Those that were changed or removed.
    pub files: Vec<PathBuf>,
}

impl Looked {
    /// Whether the file is to be changed.
    fn wants_mending(&self) -> bool {
        let is_short = self.actual_bytes < self.header.file_bytes;
        self.header_is_lost || is_short || !self.holes.is_empty() || self.spoiled_to.is_some()
    }
}

impl AtRest {
    /// Sets the files aside that are damaged, and makes the log one that starts with that checkpoint.
    ///
    /// # Errors
    /// When the system refuses. As long as the originals are not all set aside, nothing has been changed.
    pub fn mend(self, survey: &Survey, checkpoint: NewCheckpoint) -> Result<Mended, OpenError> {
        let _lock = match &self.lock {
            Some(_) => None,
            None => Some(DirectoryLock::acquire(&*self.host, &self.directory)?),
        };
        let too_many =
            || OpenError::Config { what: "there are no more numbers for segments".to_owned() };
        let number = survey.highest.checked_add(1).ok_or_else(too_many)?;
        let aside = self.directory.join(format!("repaired-{}", self.host.unix_ms()));
        let mended = survey.segments.values().filter(|looked| looked.wants_mending());
        let mended: Vec<&Looked> = mended.collect();
        let changed = mended.iter().map(|looked| &looked.path);
        let files: Vec<PathBuf> =
            self.checkpoints.iter().chain(changed).chain(&survey.unusable).cloned().collect();
        self.set_aside(&aside, &files)?;

        let workshop = Workshop::new(Arc::clone(&self.host), self.directories.log.clone());
        workshop
            .make_reserved(number, SEGMENT_BYTES)
            .map_err(io_error("make a segment in", &self.directories.log))?;
        let checkpoint = Checkpoint {
            id: self.newest_id + 1,
            position: Position::new(number, SEGMENT_HEADER_BYTES),
            next_index: survey.next_index,
            counts: checkpoint.counts,
            parts: checkpoint.parts,
        };
        let store = CheckpointStore::new(Arc::clone(&self.host), self.directories.state.clone(), 0);
        store
            .write(&checkpoint)
            .map_err(io_error("write a checkpoint in", &self.directories.state))?;

        for looked in mended {
            self.fill(looked)?;
        }
        for path in self.checkpoints.iter().chain(&survey.unusable) {
            self.host.remove(path).map_err(io_error("remove", path))?;
        }
        for path in [&self.directories.log, &self.directories.state, &self.directory] {
            self.host.sync_directory(path).map_err(io_error("sync", path))?;
        }
        Ok(Mended { aside, files })
    }

    /// Copies files into a directory beside them.
    fn set_aside(&self, aside: &Path, files: &[PathBuf]) -> Result<(), OpenError> {
        for folder in ["log", "state"] {
            let path = aside.join(folder);
            self.host.make_directory(&path).map_err(io_error("make", &path))?;
        }
        for from in files {
            let to = from.strip_prefix(&self.directory).unwrap_or(from);
            self.copy(from, &aside.join(to))?;
        }
        for path in [&aside.join("log"), &aside.join("state"), aside, &self.directory] {
            self.host.sync_directory(path).map_err(io_error("sync", path))?;
        }
        Ok(())
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<(), OpenError> {
        let source = self.host.open(from, Access::Read).map_err(io_error("open", from))?;
        let bytes = source.len().map_err(io_error("look at", from))?;
        let target = self.host.create(to, Room::Growing).map_err(io_error("make", to))?;
        let mut at = 0;
        while at < bytes {
            let window = source.read_at(at, WINDOW_BYTES).map_err(io_error("read", from))?;
            if window.is_empty() {
                break;
            }
            target.write_at(at, &mut [IoSlice::new(&window)]).map_err(io_error("write", to))?;
            at += window.len() as u64;
        }
        target.sync().map_err(io_error("sync", to))
    }

    /// Puts something in the places of lost records, and zeros behind the last.
    fn fill(&self, looked: &Looked) -> Result<(), OpenError> {
        let path = &looked.path;
        let file = self.host.open(path, Access::Write).map_err(io_error("open", path))?;
        let fill = || {
            let length = looked.header.file_bytes;
            if looked.actual_bytes < length {
                fill_with_zeros(&*file, looked.actual_bytes, length)?;
            }
            if let Some(end) = looked.spoiled_to {
                fill_with_zeros(&*file, looked.end, end)?;
            }
            looked.holes.iter().try_for_each(|hole| fill_hole(&*file, looked, *hole))?;
            if looked.header_is_lost {
                file.write_at(0, &mut [IoSlice::new(&looked.header.encode())])?;
            }
            file.sync()
        };
        fill().map_err(io_error("mend", path))
    }
}

fn fill_hole(file: &dyn HostFile, looked: &Looked, hole: Hole) -> std::io::Result<()> {
    let bytes = if hole.start >= looked.end { FRAME_BYTES_MIN } else { hole.end - hole.start };
    let offset = |at| u32::try_from(at).unwrap_or(u32::MAX);
    let records = u32::try_from(hole.records).unwrap_or(u32::MAX);
    let start = offset(hole.start);
    let (header, mut frame) = FrameHeader::of_lost(hole.index, records, start, offset(bytes));
    header.seal(looked.header.salt, Position::new(looked.header.segment, start), &mut frame);
    file.write_at(hole.start, &mut [IoSlice::new(&frame)])
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { action, path, source }
}
