//! What the log asks of the machine: files, the time, a number that nobody guesses. A simulator gives it another machine.
//! It must not know what is in the files.
//!
//! ```text
//! create ── write_at ── sync ──► the bytes survive a power cut, under whatever name the file has by then
//!    └── rename ── sync_directory ──► the name survives it
//! ```
//! Between an operation and its sync a crash may leave any part of it, and nothing is known after a sync that failed.

mod system;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use system::SystemHost;

/// How much is written at once when a file is filled with zeros.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// How a new file gets its room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    /// None: it grows.
    Growing,
    /// Reserved. Takes no time, but each sync after a first write must note in the file system that the blocks are in use.
    Reserved(u64),
    /// Filled with zeros, so that a sync need write nothing but data.
    Zeroed(u64),
}

/// What an existing file is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// To be read only.
    Read,
    /// To be read and written.
    Write,
}

/// Keeps others out of a directory while it is there.
pub trait Guard: Debug + Send + Sync {}

/// The machine that a log runs on.
pub trait Host: Debug + Send + Sync + 'static {
    /// Makes a directory, and those above it, unless they are there.
    fn make_directory(&self, path: &Path) -> io::Result<()>;
    /// Takes a lock file, which is made if need be. `WouldBlock` says that another process has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Guard>>;
    /// The paths of all files in a directory, in no order.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes a new file; one of that name is replaced.
    fn create(&self, path: &Path, room: Room) -> io::Result<Box<dyn HostFile>>;
    /// Opens a file that is there.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn HostFile>>;
    /// Gives a file another name; one of that name is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes sure that names in the directory are on the disk.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// The time since some moment before the start.
    fn now(&self) -> Duration;
    /// Milliseconds since 1970.
    fn unix_ms(&self) -> u64;
    /// A number that those who send the bodies cannot guess.
    fn salt(&self) -> u32;
}

/// An open file.
#[allow(clippy::len_without_is_empty, reason = "nobody asks whether a file is empty")]
pub trait HostFile: Debug + Send + Sync {
    /// Its length.
    fn len(&self) -> io::Result<u64>;
    /// Reads that many bytes from `offset` on, or what there is of them.
    fn read_at(&self, offset: u64, bytes: usize) -> io::Result<Vec<u8>>;
    /// Fills the buffer from `offset` on; an error when the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all buffers, one after the other, from `offset` on.
    fn write_at(&self, offset: u64, buffers: &mut [IoSlice<'_>]) -> io::Result<()>;
    /// Makes sure that what was written is on the disk. After an error nobody knows whether it is.
    fn sync(&self) -> io::Result<()>;
}

/// An open file and where it lies.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: Box<dyn HostFile>,
    pub(crate) path: PathBuf,
}

impl OpenFile {
    pub(crate) fn create(host: &dyn Host, path: &Path, room: Room) -> io::Result<Self> {
        Ok(Self { file: host.create(path, room)?, path: path.to_owned() })
    }

    /// Opens a file that will be written to.
    pub(crate) fn open(host: &dyn Host, path: PathBuf) -> io::Result<Self> {
        Ok(Self { file: host.open(&path, Access::Write)?, path })
    }

    pub(crate) fn write_at(&self, offset: u64, buffers: &mut [IoSlice<'_>]) -> io::Result<()> {
        self.file.write_at(offset, buffers)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

/// Overwrites that range with zeros.
pub(crate) fn fill_with_zeros(file: &dyn HostFile, from: u64, to: u64) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let bytes = ZEROS.len().min(usize::try_from(to - at).unwrap_or(usize::MAX));
        file.write_at(at, &mut [IoSlice::new(&ZEROS[..bytes])])?;
        at += bytes as u64;
    }
    Ok(())
}

/// Whether the error says that there is no room.
pub(crate) fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
