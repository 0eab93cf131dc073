//! Harm that a disk does to what was synced: bits that flip at rest, writes that go astray. It can be undone, as if the files
//! had been restored from a copy. It must not know what is in the files.

use std::path::{Path, PathBuf};

use super::inode::SECTOR;
use super::{Inner, Inode};
use crate::dice::Dice;

/// Bytes of a file that are not what was written.
#[derive(Debug)]
pub(super) struct Harm {
    pub(super) path: PathBuf,
    file: usize,
    pub(super) offset: usize,
    /// What should be there.
    right: Vec<u8>,
    /// What is there instead.
    wrong: Vec<u8>,
    /// Whether all of it was written over, in the cache.
    written_over: bool,
}

impl Inner {
    /// Flips a bit of what was synced, but not of what a log may take for a torn tail. Says where.
    pub(super) fn flip(&mut self, dice: &mut Dice) -> Option<String> {
        if dice.one_in(4) {
            return self.flip_checkpoint(dice);
        }
        let segments = self.segments();
        let newest = self.newest_segment(&segments)?.0.clone();
        let (path, file) = segments.get(dice.below(segments.len()))?.clone();
        let inode = &self.files[file];
        let written = inode.durable.iter().rposition(|byte| *byte != 0)? + 1;
        let end = if path == newest { inode.tail_from().min(written) } else { written };
        if path > newest || end == 0 || !inode.dirty().is_empty() {
            return None;
        }
        let offset = dice.below(end);
        self.flip_at(path, file, offset, dice)
    }

    /// Flips a bit of the newest checkpoint: the log is whole without it.
    fn flip_checkpoint(&mut self, dice: &mut Dice) -> Option<String> {
        let checkpoints = self.names.iter().filter(|(path, _)| is_checkpoint(path));
        let checkpoints = checkpoints.map(|(path, file)| (path.clone(), file)).collect::<Vec<_>>();
        let is_harmed =
            |(_, file): &(PathBuf, usize)| self.harms.iter().any(|harm| harm.file == *file);
        if checkpoints.iter().any(is_harmed) {
            return None;
        }
        let (path, file) = checkpoints.last()?.clone();
        let offset = dice.below(self.files[file].durable.len().max(1));
        self.flip_at(path, file, offset, dice)
    }

    fn flip_at(
        &mut self,
        path: PathBuf,
        file: usize,
        offset: usize,
        dice: &mut Dice,
    ) -> Option<String> {
        let is_synced = self.files[file].cached == self.files[file].durable;
        if !is_synced || self.is_harmed_at(file, offset, 1) {
            return None;
        }
        let inode = &mut self.files[file];
        let right = vec![inode.durable[offset]];
        let bit = 1 << dice.below(8);
        inode.durable[offset] ^= bit;
        inode.cached[offset] ^= bit;
        let wrong = vec![inode.durable[offset]];
        let said = format!("bit {bit:#04x} of {} at {offset} flips", path.display());
        self.was_harmed = true;
        self.harms.push(Harm { path, file, offset, right, wrong, written_over: false });
        Some(said)
    }

    /// A sector that is being synced goes somewhere else. Says where.
    pub(super) fn misdirect(
        &mut self,
        file: usize,
        dirty: &[usize],
        dice: &mut Dice,
    ) -> Option<String> {
        let sector = *dirty.get(dice.below(dirty.len().max(1)))?;
        let segments = self.segments();
        let (path, _) = segments.iter().find(|(_, number)| *number == file)?.clone();
        let (other, target) = segments.get(dice.below(segments.len()))?.clone();
        let place = dice.below((self.files[target].durable.len() / SECTOR).max(1));
        if (file, sector) == (target, place)
            || self.files[target].durable.len() < (place + 1) * SECTOR
        {
            return None;
        }
        let start = sector * SECTOR;
        if self.is_harmed_at(file, start, SECTOR)
            || self.is_harmed_at(target, place * SECTOR, SECTOR)
        {
            return None;
        }
        let end = (start + SECTOR).min(self.files[file].cached.len());
        let right = self.files[file].cached[start..end].to_vec();
        let before = self.files[file].durable.get(start..end).map(<[u8]>::to_vec);
        let before = before.unwrap_or_else(|| vec![0; right.len()]);
        let goes = place * SECTOR..place * SECTOR + right.len();
        // What is synced together with it arrives before it.
        let Inode { cached, durable, .. } = &self.files[target];
        let there = if target == file { cached } else { durable }[goes.clone()].to_vec();
        self.was_harmed = true;
        self.stray.push((file, start, before.clone()));
        self.stray.push((target, goes.start, right.clone()));
        let (from, wrong) = (goes.start, right.clone());
        self.harms.push(Harm {
            path: other.clone(),
            file: target,
            offset: from,
            right: there,
            wrong,
            written_over: false,
        });
        let wrong = before;
        self.harms.push(Harm { path, file, offset: start, right, wrong, written_over: false });
        Some(format!("sector {sector} is written to {} at {} instead", other.display(), goes.start))
    }

    /// Bytes are written to the cache of a file.
    pub(super) fn note_written(&mut self, file: usize, place: std::ops::Range<usize>) {
        for harm in self.harms.iter_mut().filter(|harm| harm.file == file) {
            let end = harm.offset + harm.wrong.len();
            harm.written_over |= place.start <= harm.offset && end <= place.end;
        }
    }

    /// A file was synced: what was written over is right, also if it is the same as what had gone astray there.
    pub(super) fn note_synced(&mut self, file: usize) {
        self.harms.retain(|harm| harm.file != file || !harm.written_over);
    }

    /// What was not synced is gone.
    pub(super) fn note_lost(&mut self) {
        self.harms.iter_mut().for_each(|harm| harm.written_over = false);
    }

    /// After the sync: what went astray is where it should not be.
    pub(super) fn settle_stray(&mut self) {
        for (file, offset, bytes) in std::mem::take(&mut self.stray) {
            let durable = &mut self.files[file].durable;
            let end = (offset + bytes.len()).min(durable.len());
            durable[offset..end].copy_from_slice(&bytes[..end - offset]);
        }
    }

    /// Undoes harm to what a log may take for a torn tail, where it cannot be noticed.
    pub(super) fn spare_tail(&mut self) {
        let segments = self.segments();
        let Some((newest, file)) = self.newest_segment(&segments).cloned() else { return };
        let tail = self.files[file].tail_from();
        let harms = std::mem::take(&mut self.harms);
        // What has been written over since is well again.
        let harms = harms.into_iter().filter(|harm| harm.is_there(&self.files));
        let (spared, kept) = harms.partition::<Vec<_>, _>(|harm| {
            harm.path > newest || harm.path == newest && harm.offset + harm.right.len() > tail
        });
        self.harms = kept;
        spared.iter().rev().for_each(|harm| harm.undo(&mut self.files));
    }

    /// Whether that place has been harmed before: once is enough, and twice could not be undone.
    fn is_harmed_at(&self, file: usize, offset: usize, bytes: usize) -> bool {
        self.harms.iter().any(|harm| {
            let end = harm.offset + harm.right.len();
            harm.file == file && harm.offset < offset + bytes && offset < end
        })
    }

    pub(super) fn is_harmed(&self) -> bool {
        self.harms.iter().any(|harm| harm.is_there(&self.files))
    }

    /// Whether what is harmed can be done without.
    pub(super) fn is_harmed_lightly(&self) -> bool {
        let mut there = self.harms.iter().filter(|harm| harm.is_there(&self.files));
        there.all(|harm| is_checkpoint(&harm.path))
    }

    /// Undoes all harm.
    pub(super) fn heal(&mut self) {
        for harm in std::mem::take(&mut self.harms).iter().rev() {
            if harm.is_there(&self.files) {
                harm.undo(&mut self.files);
            }
        }
    }

    /// The segment that records were synced to last.
    fn newest_segment<'a>(&self, segments: &'a [(PathBuf, usize)]) -> Option<&'a (PathBuf, usize)> {
        segments.iter().find(|(_, file)| Some(*file) == self.newest)
    }

    /// Segments in order.
    pub(super) fn segments(&self) -> Vec<(PathBuf, usize)> {
        let is_segment = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "wlog");
        self.names
            .iter()
            .filter(|(path, _)| is_segment(path))
            .map(|(path, file)| (path.clone(), file))
            .collect()
    }
}

fn is_checkpoint(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    path.extension().is_none() && name.is_some_and(|name| name.starts_with("checkpoint-"))
}

impl Harm {
    fn is_there(&self, files: &[Inode]) -> bool {
        let bytes = files[self.file].durable.get(self.offset..self.offset + self.wrong.len());
        self.right != self.wrong && bytes == Some(&*self.wrong)
    }

    fn undo(&self, files: &mut [Inode]) {
        let Inode { durable, cached, .. } = &mut files[self.file];
        for bytes in [durable, cached] {
            let end = (self.offset + self.right.len()).min(bytes.len());
            // A cache may know better, and more.
            if bytes.get(self.offset..end) == Some(&*self.wrong) {
                bytes[self.offset..end].copy_from_slice(&self.right[..end - self.offset]);
            }
        }
    }
}
