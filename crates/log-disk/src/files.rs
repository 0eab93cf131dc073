//! What the log asks of the file system, so that tests can make it fail. It must not know what is in the files.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

/// How much is written at once when a file is filled with zeros.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// The most buffers that one call of the system takes.
const BUFFERS_MAX: usize = 1024;

/// An open file and where it lies.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
}

impl OpenFile {
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok(Self { file, path })
    }
}

/// How a new file gets its room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room {
    /// None: it grows.
    Growing,
    /// Reserved. Takes no time, but each sync after a first write must note in the file system that the blocks are in use.
    Reserved(u64),
    /// Filled with zeros, so that a sync need write nothing but data.
    Zeroed(u64),
}

/// The file system.
pub(crate) trait Files: Send + Sync + 'static {
    /// Makes a new file; one of that name is replaced.
    fn create(&self, path: &Path, room: Room) -> io::Result<OpenFile>;
    /// Writes all buffers, one after the other, from `offset` on.
    fn write_at(&self, file: &OpenFile, offset: u64, buffers: &mut [IoSlice<'_>])
    -> io::Result<()>;
    /// Makes sure that what was written is on the disk. After an error nobody knows whether it is.
    fn sync(&self, file: &OpenFile) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes sure that names in the directory are on the disk.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// The file system of the machine.
pub(crate) struct SystemFiles;

impl Files for SystemFiles {
    fn create(&self, path: &Path, room: Room) -> io::Result<OpenFile> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        let file = OpenFile { file, path: path.to_owned() };
        match room {
            Room::Growing => {}
            Room::Reserved(bytes) => reserve(&file, bytes)?,
            Room::Zeroed(bytes) => {
                reserve(&file, bytes)?;
                fill_with_zeros(&file.file, 0, bytes)?;
            }
        }
        Ok(file)
    }

    fn write_at(
        &self,
        file: &OpenFile,
        mut offset: u64,
        mut buffers: &mut [IoSlice<'_>],
    ) -> io::Result<()> {
        while !buffers.is_empty() {
            let some = &buffers[..buffers.len().min(BUFFERS_MAX)];
            match rustix::io::pwritev(&file.file, some, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut buffers, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn sync(&self, file: &OpenFile) -> io::Result<()> {
        file.file.sync_data()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// Reserves blocks, or fails without having filled the disk to the brim first.
fn reserve(file: &OpenFile, bytes: u64) -> io::Result<()> {
    let disk = rustix::fs::fstatvfs(&file.file)?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < bytes {
        return Err(rustix::io::Errno::NOSPC.into());
    }
    match rustix::fs::fallocate(&file.file, FallocateFlags::empty(), 0, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP) => fill_with_zeros(&file.file, 0, bytes),
        result => Ok(result?),
    }
}

/// Overwrites that range with zeros.
pub(crate) fn fill_with_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let bytes = ZEROS.len().min(usize::try_from(to - at).unwrap_or(usize::MAX));
        file.write_all_at(&ZEROS[..bytes], at)?;
        at += bytes as u64;
    }
    Ok(())
}

/// Whether the error says that there is no room.
pub(crate) fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
