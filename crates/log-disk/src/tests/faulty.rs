//! Files that fail when they are told to, and lose at a power cut what was not synced.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::host::{Access, Guard, Host, HostFile, Room, SystemHost};

/// Bytes that a disk writes all or none of.
const SECTOR: u64 = 512;

/// Files that fail when they are told to.
#[derive(Clone, Default, Debug)]
pub(super) struct FaultyFiles {
    system: Arc<SystemHost>,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Default, Debug)]
struct Faults {
    /// The files that have been opened, by where they lie.
    names: HashMap<PathBuf, Arc<Mutex<PathBuf>>>,
    /// New files may take so much.
    room: Option<u64>,
    write_fails: bool,
    sync_fails: bool,
    /// Syncs of segments in use that were asked for after one has failed.
    syncs_after_failure: usize,
    has_failed: bool,
    /// The power is cut at the end of so many operations more.
    operations_left: Option<usize>,
    is_off: bool,
    /// Ranges written since the last sync, by file.
    unsynced: HashMap<PathBuf, Vec<(u64, u64)>>,
}

impl FaultyFiles {
    pub(super) fn set_room(&self, room: Option<u64>) {
        self.faults.lock().room = room;
    }

    pub(super) fn fail_writes(&self) {
        self.faults.lock().write_fails = true;
    }

    pub(super) fn fail_syncs(&self, fail: bool) {
        self.faults.lock().sync_fails = fail;
    }

    pub(super) fn syncs_after_failure(&self) -> usize {
        self.faults.lock().syncs_after_failure
    }

    /// Cuts the power after so many operations.
    pub(super) fn cut_power_after(&self, operations: usize) {
        self.faults.lock().operations_left = Some(operations);
    }

    /// Loses the sectors that were written and not synced, but for those that `stays` lets be.
    pub(super) fn lose_unsynced(&self, mut stays: impl FnMut() -> bool) {
        for (path, ranges) in std::mem::take(&mut self.faults.lock().unsynced) {
            // A file that was being made may be gone by now.
            let Ok(file) = File::options().write(true).open(&path) else { continue };
            for (from, to) in ranges {
                let mut at = from;
                while at < to {
                    let end = (at / SECTOR + 1) * SECTOR;
                    let end = end.min(to);
                    if !stays() {
                        file.write_all_at(&vec![0; (end - at) as usize], at).unwrap();
                    }
                    at = end;
                }
            }
        }
    }
}

impl Faults {
    /// Counts an operation; says whether the power is on to its end.
    fn operate(&mut self) -> io::Result<()> {
        match &mut self.operations_left {
            Some(0) => {
                self.is_off = true;
                Err(rustix::io::Errno::IO.into())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl FaultyFiles {
    fn wrap(&self, inner: Box<dyn HostFile>, path: &Path) -> Box<dyn HostFile> {
        let mut faults = self.faults.lock();
        let name = faults.names.entry(path.to_owned()).or_default();
        *name.lock() = path.to_owned();
        let path = Arc::clone(name);
        Box::new(FaultyFile { inner, path, faults: Arc::clone(&self.faults) })
    }
}

impl Host for FaultyFiles {
    fn make_directory(&self, path: &Path) -> io::Result<()> {
        self.system.make_directory(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Guard>> {
        self.system.lock(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.system.list(directory)
    }

    fn create(&self, path: &Path, room: Room) -> io::Result<Box<dyn HostFile>> {
        {
            let mut faults = self.faults.lock();
            faults.operate()?;
            if let Room::Reserved(bytes) | Room::Zeroed(bytes) = room {
                match &mut faults.room {
                    Some(left) if *left < bytes => return Err(rustix::io::Errno::NOSPC.into()),
                    Some(left) => *left -= bytes,
                    None => {}
                }
            }
            faults.names.remove(path);
        }
        Ok(self.wrap(self.system.create(path, room)?, path))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn HostFile>> {
        Ok(self.wrap(self.system.open(path, access)?, path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut faults = self.faults.lock();
        faults.operate()?;
        self.system.rename(from, to)?;
        if let Some(name) = faults.names.remove(from) {
            *name.lock() = to.to_owned();
            faults.names.insert(to.to_owned(), name);
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.faults.lock().operate()?;
        self.system.remove(path)
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        self.faults.lock().operate()
    }

    fn now(&self) -> Duration {
        self.system.now()
    }

    fn unix_ms(&self) -> u64 {
        self.system.unix_ms()
    }

    fn salt(&self) -> u32 {
        self.system.salt()
    }
}

/// A file whose writes and syncs fail when they are told to.
#[derive(Debug)]
struct FaultyFile {
    inner: Box<dyn HostFile>,
    /// Where it lies now.
    path: Arc<Mutex<PathBuf>>,
    faults: Arc<Mutex<Faults>>,
}

impl HostFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        self.inner.read_at(offset, bytes)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_exact_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, buffers: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut faults = self.faults.lock();
        let bytes = buffers.iter().map(|buffer| buffer.len() as u64).sum::<u64>();
        let was_off = faults.is_off;
        let power = faults.operate();
        if faults.write_fails {
            return Err(rustix::io::Errno::IO.into());
        }
        if !was_off {
            // The write during which the power is cut may reach the disk, in part.
            let path = self.path.lock().clone();
            faults.unsynced.entry(path).or_default().push((offset, offset + bytes));
            self.inner.write_at(offset, buffers)?;
        }
        power
    }

    fn sync(&self) -> io::Result<()> {
        let mut faults = self.faults.lock();
        faults.operate()?;
        let path = self.path.lock();
        // What is being made has no such name yet.
        if path.extension().is_none_or(|ending| ending != "wlog") {
            faults.unsynced.remove(&*path);
            return Ok(());
        }
        if faults.sync_fails {
            faults.syncs_after_failure += usize::from(faults.has_failed);
            faults.has_failed = true;
            return Err(rustix::io::Errno::IO.into());
        }
        faults.syncs_after_failure += usize::from(faults.has_failed);
        faults.unsynced.remove(&*path);
        Ok(())
    }
}
