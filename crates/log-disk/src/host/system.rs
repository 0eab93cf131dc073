//! The machine as it is. It must not know what is in the files.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::buffer::spare_capacity;
use rustix::fs::{FallocateFlags, FlockOperation};

use super::{Access, Guard, Host, HostFile, Room, fill_with_zeros};

/// The most buffers that one call of the system takes.
const BUFFERS_MAX: usize = 1024;

/// How much of a large file is filled with zeros at once, and how long others have the processor and the disk then.
const FILL_STEP: u64 = 256 * 1024;
const FILL_PAUSE: Duration = Duration::from_micros(300);
/// How much of it is on the disk's way at once, before syncs that somebody waits for.
const FILL_SYNC: u64 = 4 * 1024 * 1024;

/// The machine as it is.
#[derive(Debug)]
pub struct SystemHost {
    began: Instant,
}

impl Default for SystemHost {
    fn default() -> Self {
        Self { began: Instant::now() }
    }
}

/// Held for as long as the log uses the directory. The system drops it with the process, however that ends.
#[derive(Debug)]
struct LockedFile {
    _file: File,
}

impl Guard for LockedFile {}

impl Host for SystemHost {
    fn make_directory(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Guard>> {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(LockedFile { _file: file }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn create(&self, path: &Path, room: Room) -> io::Result<Box<dyn HostFile>> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        match room {
            Room::Growing => {}
            Room::Reserved(bytes) => reserve(&file, bytes)?,
            Room::Zeroed(bytes) => {
                reserve(&file, bytes)?;
                fill_at_leisure(&file, bytes)?;
            }
        }
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn HostFile>> {
        let write = access == Access::Write;
        Ok(Box::new(OpenOptions::new().read(true).write(write).open(path)?))
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

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn unix_ms(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    fn salt(&self) -> u32 {
        RandomState::new().hash_one(self.now()) as u32
    }
}

impl HostFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut buffer = Vec::with_capacity(bytes);
        while buffer.len() < bytes {
            let at = offset + buffer.len() as u64;
            match rustix::io::pread(self, spare_capacity(&mut buffer), at) {
                Ok(0) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(buffer)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }

    fn write_at(&self, mut offset: u64, mut buffers: &mut [IoSlice<'_>]) -> io::Result<()> {
        while !buffers.is_empty() {
            let some = &buffers[..buffers.len().min(BUFFERS_MAX)];
            match rustix::io::pwritev(self, some, offset) {
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

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Fills a file with zeros in steps. Nobody waits for it: done at once, on a machine that is busy, it takes a processor for
/// 35 ms from those who serve clients, and its sync the disk for 10 ms from the log's.
fn fill_at_leisure(file: &File, bytes: u64) -> io::Result<()> {
    let mut at = 0;
    while at < bytes {
        let step = FILL_STEP.min(bytes - at);
        fill_with_zeros(file, at, at + step)?;
        at += step;
        if at.is_multiple_of(FILL_SYNC) {
            file.sync_data()?;
        }
        if at < bytes {
            std::thread::sleep(FILL_PAUSE);
        }
    }
    Ok(())
}

/// Reserves blocks, or fails without having filled the disk to the brim first.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    let disk = rustix::fs::fstatvfs(file)?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < bytes {
        return Err(rustix::io::Errno::NOSPC.into());
    }
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP) => fill_with_zeros(file, 0, bytes),
        result => Ok(result?),
    }
}
