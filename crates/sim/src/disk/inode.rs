//! One file's bytes: as programs see them, and as they would be found after a power cut. It must not know names.

use std::collections::BTreeSet;

use crate::dice::Dice;

/// Bytes that a disk writes all or none of.
pub(super) const SECTOR: usize = 512;

/// A file without a name.
#[derive(Default, Debug)]
pub(super) struct Inode {
    /// What is read.
    pub(super) cached: Vec<u8>,
    /// What is on the disk.
    pub(super) durable: Vec<u8>,
    /// Sectors that were written and not synced.
    dirty: BTreeSet<usize>,
    /// Where the last write before the last sync began.
    synced_from: usize,
    unsynced_from: Option<usize>,
}

impl Inode {
    /// A file of zeros, none of them synced.
    pub(super) fn of_zeros(bytes: usize) -> Self {
        Self { cached: vec![0; bytes], ..Self::default() }
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.cached.len() < end {
            self.cached.resize(end, 0);
        }
        self.cached[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
        // Zeros take something away: what lies before them is the end as before.
        if bytes.iter().any(|byte| *byte != 0) {
            self.unsynced_from = Some(self.unsynced_from.map_or(offset, |from| from.min(offset)));
        }
    }

    /// Sectors that wait for a sync.
    pub(super) fn dirty(&self) -> Vec<usize> {
        self.dirty.iter().copied().collect()
    }

    /// What was written since the last sync but one begins there: what a log may still take for a torn tail.
    pub(super) const fn tail_from(&self) -> usize {
        self.synced_from
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.cached.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            self.settle(sector);
        }
        if let Some(from) = self.unsynced_from.take() {
            self.synced_from = from;
        }
    }

    /// As Linux does it: the pages count as clean, and are not on the disk.
    pub(super) fn fail_sync(&mut self) {
        self.dirty.clear();
    }

    /// Whether records wait for a sync, which lie behind a segment's header.
    pub(super) fn has_unsynced_records(&self) -> bool {
        self.unsynced_from.is_some_and(|from| from >= 64)
    }

    /// One sector reaches the disk.
    fn settle(&mut self, sector: usize) {
        let start = sector * SECTOR;
        let end = (start + SECTOR).min(self.cached.len());
        if self.durable.len() < end {
            self.durable.resize(end, 0);
        }
        self.durable[start..end].copy_from_slice(&self.cached[start..end]);
    }

    /// The power is cut: of what was not synced, each sector has reached the disk or not.
    pub(super) fn lose_power(&mut self, dice: &mut Dice) {
        // All, none, or about so many of eight.
        let of_eight = dice.one_of(&[0, 1, 4, 7, 8]);
        for sector in std::mem::take(&mut self.dirty) {
            if dice.below(8) < of_eight {
                self.settle(sector);
            }
        }
        if self.durable.len() < self.cached.len() && dice.one_in(2) {
            self.durable.resize(self.cached.len(), 0);
        }
        self.cached.clone_from(&self.durable);
        self.unsynced_from = None;
    }
}
