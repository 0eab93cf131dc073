//! The simulated machine as the log has it. It must not know when it will fail.

use std::io::{self, ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use log_disk::host::{Access, Guard, Host, HostFile, Room};
use parking_lot::Mutex;

use super::{Inner, Inode, Machine};

/// The error of a disk that does not answer.
fn no_answer() -> io::Error {
    io::Error::other("the simulated disk fails")
}

impl Inner {
    /// Counts an operation that changes something; an error when the power goes during it. Then it may have been done.
    fn operate(&mut self) -> io::Result<()> {
        match &mut self.operations_left {
            Some(0) => {
                self.is_off = true;
                Err(no_answer())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn require_power(&self) -> io::Result<()> {
        if self.is_off { Err(no_answer()) } else { Ok(()) }
    }

    fn require_room(&self, more: u64) -> io::Result<()> {
        match self.capacity {
            Some(capacity) if self.used() + more > capacity => Err(ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

/// The lock of the data directory, which ends with the life of its process.
#[derive(Debug)]
struct Lock;

impl Guard for Lock {}

impl Host for Machine {
    fn make_directory(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner.lock();
        inner.require_power()?;
        inner.names.make_directory(path);
        Ok(())
    }

    fn lock(&self, _: &Path) -> io::Result<Box<dyn Guard>> {
        if std::mem::replace(&mut self.inner.lock().locked, true) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Lock))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let inner = self.inner.lock();
        let is_there = |path: &&PathBuf| path.parent() == Some(directory);
        Ok(inner.names.iter().map(|(path, _)| path).filter(is_there).cloned().collect())
    }

    fn create(&self, path: &Path, room: Room) -> io::Result<Box<dyn HostFile>> {
        let mut inner = self.inner.lock();
        inner.require_power()?;
        let power = inner.operate();
        let bytes = match room {
            Room::Growing => 0,
            Room::Reserved(bytes) | Room::Zeroed(bytes) => bytes,
        };
        let room = inner.require_room(bytes);
        inner.trace(|_| format!("create {} with {bytes} bytes: {room:?}", path.display()));
        room?;
        let file = inner.files.len();
        inner.files.push(Inode::of_zeros(bytes as usize));
        inner.names.link(path, file);
        power?;
        Ok(Box::new(self.file(file, &inner)))
    }

    fn open(&self, path: &Path, _: Access) -> io::Result<Box<dyn HostFile>> {
        let inner = self.inner.lock();
        inner.require_power()?;
        let file = inner.find(path)?;
        Ok(Box::new(self.file(file, &inner)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.inner.lock();
        inner.require_power()?;
        inner.find(from)?;
        let power = inner.operate();
        inner.names.rename(from, to);
        inner.trace(|_| format!("rename {} to {}: {power:?}", from.display(), to.display()));
        power
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner.lock();
        inner.require_power()?;
        inner.find(path)?;
        let power = inner.operate();
        inner.names.unlink(path);
        inner.trace(|_| format!("remove {}: {power:?}", path.display()));
        power
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner.lock();
        inner.require_power()?;
        let power = inner.operate();
        inner.trace(|_| format!("sync the names in {}: {power:?}", path.display()));
        power?;
        inner.names.sync(path);
        Ok(())
    }

    fn now(&self) -> Duration {
        self.inner.lock().now
    }

    fn unix_ms(&self) -> u64 {
        Self::unix_ms(self)
    }

    fn salt(&self) -> u32 {
        self.inner.lock().salts.next() as u32
    }
}

impl Machine {
    fn file(&self, file: usize, inner: &Inner) -> SimulatedFile {
        SimulatedFile { inner: Arc::clone(&self.inner), file, life: inner.life }
    }
}

/// An open file.
#[derive(Debug)]
struct SimulatedFile {
    inner: Arc<Mutex<Inner>>,
    file: usize,
    /// Of which life of the process.
    life: u64,
}

impl SimulatedFile {
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.inner.lock();
        inner.require_power()?;
        if inner.life != self.life {
            return Err(io::Error::other("its process has ended"));
        }
        act(&mut inner)
    }
}

impl HostFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        self.with(|inner| Ok(inner.files[self.file].cached.len() as u64))
    }

    fn read_at(&self, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        self.with(|inner| {
            let all = &inner.files[self.file].cached;
            let start = (offset as usize).min(all.len());
            Ok(all[start..(start + bytes).min(all.len())].to_vec())
        })
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.read_at(offset, buffer.len())?;
        if bytes.len() < buffer.len() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        buffer.copy_from_slice(&bytes);
        Ok(())
    }

    fn write_at(&self, offset: u64, buffers: &mut [IoSlice<'_>]) -> io::Result<()> {
        let bytes = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect::<Vec<u8>>();
        self.with(|inner| {
            let power = inner.operate();
            let end = offset + bytes.len() as u64;
            let grows = end.saturating_sub(inner.files[self.file].cached.len() as u64);
            let room = if grows > 0 { inner.require_room(grows) } else { Ok(()) };
            inner.trace(|inner| {
                let name = inner.name_of(self.file);
                format!("write {offset}..{end} of {name}: {room:?}, {power:?}")
            });
            room?;
            if inner.is_segment(self.file) && inner.failing_writes > 0 {
                (inner.failing_writes, inner.has_failed) = (inner.failing_writes - 1, true);
                inner.files[self.file].write(offset as usize, &bytes[..bytes.len() / 2]);
                inner.said.push("the write fails".to_owned());
                return Err(no_answer());
            }
            inner.files[self.file].write(offset as usize, &bytes);
            let start = offset as usize;
            inner.note_written(self.file, start..start + bytes.len());
            power
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|inner| {
            let power = inner.operate();
            inner.trace(|inner| format!("sync {}: {power:?}", inner.name_of(self.file)));
            power?;
            let is_segment = inner.is_segment(self.file);
            if is_segment && inner.failing_syncs > 0 {
                (inner.failing_syncs, inner.has_failed) = (inner.failing_syncs - 1, true);
                inner.files[self.file].fail_sync();
                inner.said.push("the sync fails".to_owned());
                return Err(no_answer());
            }
            if is_segment && let Some(mut dice) = inner.misdirects.take() {
                let dirty = inner.files[self.file].dirty();
                let said = inner.misdirect(self.file, &dirty, &mut dice);
                inner.said.extend(said);
            }
            if is_segment && inner.files[self.file].has_unsynced_records() {
                inner.newest = Some(self.file);
            }
            inner.files[self.file].sync();
            inner.note_synced(self.file);
            inner.settle_stray();
            Ok(())
        })
    }
}
