//! A machine that is only simulated: a disk that loses, fails and errs as it is told, and a clock that stands until it is moved.
//! It must not know what is in the files.

mod harm;
mod host;
mod inode;
mod names;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::dice::Dice;
use harm::Harm;
use inode::Inode;
use names::Names;

/// 1970 is so long ago when a simulation begins.
pub(crate) const EPOCH_MS: u64 = 1_700_000_000_000;

/// The wall clock is never set further from the truth. It is less than what messages are kept for.
const CLOCK_ERROR_MAX_MS: i64 = 2 * 24 * 3600 * 1000;

/// The simulated machine. A clone is another handle on the same one.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    files: Vec<Inode>,
    names: Names,
    now: Duration,
    /// By how much the wall clock was set.
    set_by_ms: i64,
    salts: Dice,
    /// Counts the lives of the process: files that an earlier one had open are closed.
    life: u64,
    locked: bool,
    /// All files may take so much.
    capacity: Option<u64>,
    /// Everything ends in so many operations.
    operations_left: Option<usize>,
    /// Whether that is by loss of power.
    loses_power: bool,
    is_off: bool,
    /// So many of the next syncs of segments fail.
    failing_syncs: usize,
    /// So many of the next writes to segments fail, in the middle.
    failing_writes: usize,
    /// A write or a sync of a segment has failed, in this life of the process.
    has_failed: bool,
    /// The next sync of a segment writes a sector to somewhere else.
    misdirects: Option<Dice>,
    /// Files, offsets, and what the sync that goes on leaves there.
    stray: Vec<(usize, usize, Vec<u8>)>,
    harms: Vec<Harm>,
    was_harmed: bool,
    /// The segment that records were synced to last.
    newest: Option<usize>,
    /// Whether every operation is told.
    is_traced: bool,
    said: Vec<String>,
}

impl Machine {
    pub(crate) fn new(seed: u64, is_traced: bool) -> Self {
        let inner = Inner {
            files: Vec::new(),
            names: Names::default(),
            now: Duration::ZERO,
            set_by_ms: 0,
            salts: Dice::new(seed),
            life: 0,
            locked: false,
            capacity: None,
            operations_left: None,
            loses_power: true,
            is_off: false,
            failing_syncs: 0,
            failing_writes: 0,
            has_failed: false,
            misdirects: None,
            stray: Vec::new(),
            harms: Vec::new(),
            was_harmed: false,
            newest: None,
            is_traced,
            said: Vec::new(),
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.inner.lock().now.as_millis() as u64
    }

    /// What the wall clock says.
    pub(crate) fn unix_ms(&self) -> u64 {
        let set_by_ms = self.inner.lock().set_by_ms;
        (EPOCH_MS + self.now_ms()).saturating_add_signed(set_by_ms)
    }

    /// Sets the wall clock by so much, unless it would be too far from the truth by then.
    pub(crate) fn set_clock(&self, seconds: i64) {
        let mut inner = self.inner.lock();
        let set_by_ms = inner.set_by_ms + seconds * 1000;
        if set_by_ms.abs() <= CLOCK_ERROR_MAX_MS {
            inner.set_by_ms = set_by_ms;
        }
    }

    /// Sets the wall clock as late as it can have been.
    pub(crate) fn set_clock_latest(&self) {
        self.inner.lock().set_by_ms = CLOCK_ERROR_MAX_MS;
    }

    pub(crate) fn wait(&self, milliseconds: u64) {
        self.inner.lock().now += Duration::from_millis(milliseconds);
    }

    /// The process ends; what it wrote stays.
    pub(crate) fn kill(&self) {
        let mut inner = self.inner.lock();
        inner.life += 1;
        (inner.locked, inner.misdirects) = (false, None);
        (inner.failing_syncs, inner.failing_writes, inner.has_failed) = (0, 0, false);
        (inner.operations_left, inner.is_off) = (None, false);
    }

    /// The power is cut; what was not synced stays, or not.
    pub(crate) fn lose_power(&self, seed: u64) {
        self.kill();
        let mut inner = self.inner.lock();
        let mut dice = Dice::new(seed);
        inner.files.iter_mut().for_each(|file| file.lose_power(&mut dice));
        inner.names.lose_power(&mut dice);
        inner.note_lost();
        inner.spare_tail();
    }

    /// Ends everything in so many operations: the machine loses its power, or the process is killed.
    pub(crate) fn cut_in(&self, operations: usize, power: bool) {
        let mut inner = self.inner.lock();
        (inner.operations_left, inner.loses_power) = (Some(operations), power);
    }

    /// When everything has ended: whether the power is gone, or the process alone.
    pub(crate) fn has_lost_power(&self) -> bool {
        self.inner.lock().loses_power
    }

    pub(crate) fn is_off(&self) -> bool {
        self.inner.lock().is_off
    }

    /// Leaves so much room beyond what is used; `None` is all one could want.
    pub(crate) fn set_room(&self, room: Option<u64>) {
        let mut inner = self.inner.lock();
        inner.capacity = room.map(|room| inner.used() + room);
    }

    pub(crate) fn fail_next_sync(&self) {
        self.inner.lock().failing_syncs = 1;
    }

    pub(crate) fn fail_next_write(&self) {
        self.inner.lock().failing_writes = 1;
    }

    /// Whether a write or a sync of a segment has failed, in this life of the process.
    pub(crate) fn has_failed(&self) -> bool {
        self.inner.lock().has_failed
    }

    pub(crate) fn misdirect_next_sync(&self, seed: u64) {
        self.inner.lock().misdirects = Some(Dice::new(seed));
    }

    /// Flips a bit of what lies on the disk.
    pub(crate) fn flip(&self, seed: u64) {
        let mut inner = self.inner.lock();
        let said = inner.flip(&mut Dice::new(seed));
        inner.said.extend(said);
    }

    /// Whether bytes on the disk are not what was written.
    pub(crate) fn is_harmed(&self) -> bool {
        self.inner.lock().is_harmed()
    }

    /// Whether that is so of a checkpoint alone, and there is another.
    pub(crate) fn is_harmed_lightly(&self) -> bool {
        self.inner.lock().is_harmed_lightly()
    }

    /// Whether they ever were.
    pub(crate) fn was_harmed(&self) -> bool {
        self.inner.lock().was_harmed
    }

    /// Puts right what flips and stray writes have harmed.
    pub(crate) fn heal(&self) {
        self.inner.lock().heal();
    }

    /// What the disk has done that it should not have, since the last time; all that it has done, if that is wanted.
    pub(crate) fn take_said(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.lock().said)
    }
}

impl Inner {
    /// Tells of an operation, if that is wanted.
    fn trace(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.is_traced {
            let what = what(self);
            self.said.push(what);
        }
    }

    /// What a file is called, for whoever reads the trace.
    fn name_of(&self, file: usize) -> String {
        let path = self.names.iter().find(|(_, number)| *number == file).map(|(path, _)| path);
        path.map_or_else(|| format!("file {file}"), |path| path.display().to_string())
    }

    /// Bytes of all files that have a name.
    fn used(&self) -> u64 {
        self.names.iter().map(|(_, file)| self.files[file].cached.len() as u64).sum()
    }

    fn is_segment(&self, file: usize) -> bool {
        let path = |(path, number): (&PathBuf, usize)| (number == file).then(|| path.clone());
        self.names.iter().find_map(path).is_some_and(|path: PathBuf| ends_with(&path, "wlog"))
    }
}

fn ends_with(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|extension| extension == ending)
}
