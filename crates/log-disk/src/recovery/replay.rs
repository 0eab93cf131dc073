//! Shows a visitor every record from the checkpoint on, and finds the log's end. It must not know what records mean.

use std::path::Path;
use std::sync::Arc;

use log_api::{Position, RecordKind, Visit};

use super::inventory::Found;
use super::ready::End;
use super::{Directories, From, Inventory, Ready, io_error};
use crate::checkpoint::{CheckpointStore, Standing};
use crate::config::Config;
use crate::error::{Damage, OpenError};
use crate::frame::{FLAGS, FrameFault, FrameHeader};
use crate::host::{Access, Host, HostFile, fill_with_zeros};
use crate::lock::DirectoryLock;
use crate::references::{Counts, change};
use crate::scanner::{Scanner, Step};
use crate::segment::SEGMENT_HEADER_BYTES;
use crate::tail::{self, Tail};

/// The records that were appended after the checkpoint.
pub struct Replay {
    pub(crate) config: Config,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) directories: Directories,
    pub(crate) lock: DirectoryLock,
    pub(crate) store: CheckpointStore,
    pub(crate) inventory: Inventory,
    pub(crate) from: From,
    pub(crate) standing: Option<Standing>,
    /// The highest number that a checkpoint has, whole or not.
    pub(crate) newest_id: u64,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay")
            .field("from", &self.from)
            .field("inventory", &self.inventory)
            .finish_non_exhaustive()
    }
}

impl Replay {
    /// Shows every record to `visit`, in order. A torn tail is cut, and said in the log.
    ///
    /// # Errors
    /// When a file is damaged or cannot be read, or the visitor refuses a record.
    pub fn run(self, visit: &mut Visit<'_>) -> Result<Ready, OpenError> {
        if self.inventory.by_number.is_empty() && self.standing.is_none() {
            return Ready::empty(self);
        }
        self.inventory.require_sequence(self.from, &self.directories.log)?;
        self.verify_older()?;
        let mut walk = Walk {
            host: &*self.host,
            from: self.from,
            expected: (!self.config.verify_all).then_some(self.from.index),
            counts: self
                .standing
                .as_ref()
                .map(|standing| standing.counts.clone())
                .unwrap_or_default(),
            previous_end: None,
            unsynced_from: SEGMENT_HEADER_BYTES,
        };
        let first = self.from.position.segment();
        let last = self.last_started(first)?;
        let offset = self.from.position.offset();
        let index = self.from.index;
        let mut end = End { segment: first, offset, index, unsynced_from: offset };
        for found in self.inventory.by_number.range(first..=last).map(|(_, found)| found) {
            let start = if found.number == first && !self.config.verify_all {
                self.from.position.offset()
            } else {
                SEGMENT_HEADER_BYTES
            };
            let offset = walk.segment(found, start, found.number < last, visit)?;
            let index = walk.expected.unwrap_or(self.from.index);
            let unsynced_from = walk.unsynced_from.min(offset);
            end = End { segment: found.number, offset, index, unsynced_from };
        }
        let counts = walk.counts;
        Ready::at(self, end, counts)
    }

    /// The last segment that something was written to. Those before it are complete, and those after it were only prepared.
    /// One before it may be empty, when the first record for it was too large for it.
    fn last_started(&self, first: u32) -> Result<u32, OpenError> {
        for found in self.inventory.by_number.range(first..).rev().map(|(_, found)| found) {
            if is_started(&*self.host, found).map_err(io_error("read", &found.path))? {
                return Ok(found.number);
            }
        }
        Ok(first)
    }

    /// Checks what lies before the beginning of the replay: the length of the files, and the frames if that is wanted.
    fn verify_older(&self) -> Result<(), OpenError> {
        let older = || {
            self.inventory.by_number.range(..self.from.position.segment()).map(|(_, found)| found)
        };
        older().try_for_each(require_length)?;
        if !self.config.verify_all {
            return Ok(());
        }
        let mut walk = Walk {
            host: &*self.host,
            from: self.from,
            expected: None,
            counts: Counts::new(),
            previous_end: None,
            unsynced_from: SEGMENT_HEADER_BYTES,
        };
        let mut last = None;
        for found in older() {
            if last != found.number.checked_sub(1) {
                // Segments between were trimmed.
                (walk.expected, walk.previous_end) = (None, None);
            }
            last = Some(found.number);
            walk.segment(found, SEGMENT_HEADER_BYTES, true, &mut |_, _, _, _| Ok(()))?;
        }
        Ok(())
    }
}

/// Goes through segments one after the other.
struct Walk<'a> {
    host: &'a dyn Host,
    /// What lies before it is checked, and not shown.
    from: From,
    /// The index that the next record must have.
    expected: Option<u64>,
    counts: Counts,
    /// Where the records of the segment before ended.
    previous_end: Option<Damage>,
    /// What lies before it in this segment had been synced when the newest record was written.
    unsynced_from: u32,
}

impl Walk<'_> {
    /// Goes through one segment and says where its records end.
    fn segment(
        &mut self,
        found: &Found,
        start: u32,
        is_complete: bool,
        visit: &mut Visit<'_>,
    ) -> Result<u32, OpenError> {
        let damage =
            |offset, what: &str| Damage { file: found.path.clone(), offset, what: what.to_owned() };
        if is_complete {
            require_length(found)?;
        }
        if u64::from(start) > found.file_bytes {
            return Err(damage(found.file_bytes, "the file ends before the checkpoint").into());
        }
        self.unsynced_from = start;
        let file =
            self.host.open(&found.path, Access::Read).map_err(io_error("open", &found.path))?;
        let mut scanner =
            Scanner::new(&*file, found.number, found.header.salt, found.file_bytes, start);
        let (stop, fault) = loop {
            match scanner.step().map_err(io_error("read", &found.path))? {
                Step::Stop { offset, fault } => break (offset, fault),
                Step::Frame { at, header, body } => {
                    let lost = header.lost(body);
                    self.frame(found, at, &header, lost.unwrap_or(1))?;
                    if lost.is_some() && at < self.from.position {
                        continue;
                    }
                    let kind = kind_and_flags(&found.path, at, &header)?;
                    if at < self.from.position {
                        continue;
                    }
                    visit(kind, at, header.partition, body)
                        .map_err(|source| OpenError::Visit { position: at, source })?;
                }
            }
        };
        self.require_checkpoint(found, stop, fault)?;
        self.settle_tail(found, &*file, stop, fault, is_complete)?;
        self.previous_end = Some(damage(stop, "records are missing after this"));
        Ok(u32::try_from(stop).unwrap_or(u32::MAX))
    }

    fn frame(
        &mut self,
        found: &Found,
        at: Position,
        header: &FrameHeader,
        records: u64,
    ) -> Result<(), OpenError> {
        match self.expected {
            Some(expected) if expected != header.index => {
                let what = format!("record {} where record {expected} was expected", header.index);
                let here =
                    Damage { file: found.path.clone(), offset: u64::from(at.offset()), what };
                let is_first = at.offset() == SEGMENT_HEADER_BYTES && header.index > expected;
                return Err(self.previous_end.take().filter(|_| is_first).unwrap_or(here).into());
            }
            _ => {}
        }
        self.expected = Some(header.index.saturating_add(records));
        self.unsynced_from = header.batch_start;
        if at >= self.from.position {
            change(&mut self.counts, at.segment(), i64::from(header.references));
        }
        Ok(())
    }

    /// Checks that the records reach the checkpoint: what it was made of had been synced before.
    fn require_checkpoint(
        &mut self,
        found: &Found,
        stop: u64,
        fault: FrameFault,
    ) -> Result<(), OpenError> {
        let From { position, index } = self.from;
        if found.number != position.segment() {
            return Ok(());
        }
        if stop < u64::from(position.offset()) {
            return Err(Damage {
                file: found.path.clone(),
                offset: stop,
                what: fault.what().to_owned(),
            }
            .into());
        }
        // The segment may hold nothing but its header.
        self.expected.get_or_insert(index);
        Ok(())
    }

    /// Decides about what lies after the last whole frame, and cuts a torn tail.
    fn settle_tail(
        &self,
        found: &Found,
        file: &dyn HostFile,
        stop: u64,
        fault: FrameFault,
        is_complete: bool,
    ) -> Result<(), OpenError> {
        let Found { number, path, header, file_bytes } = found;
        let tail = tail::examine(file, *number, header.salt, stop, *file_bytes)
            .map_err(io_error("read", path))?;
        let end = match tail {
            Tail::Clean => stop,
            Tail::Torn { end } if !is_complete => end,
            _ => {
                return Err(Damage {
                    file: path.clone(),
                    offset: stop,
                    what: fault.what().to_owned(),
                }
                .into());
            }
        };
        if end == stop && *file_bytes >= header.file_bytes {
            return Ok(());
        }
        tracing::warn!(
            file = %path.display(), offset = stop, bytes = end - stop, missing = header.file_bytes.saturating_sub(*file_bytes),
            "torn tail cut: the process or the machine stopped while it wrote; nothing there had been acknowledged"
        );
        let open = self.host.open(path, Access::Write).map_err(io_error("open", path))?;
        let cut = || {
            fill_with_zeros(&*open, stop, end)?;
            fill_with_zeros(&*open, *file_bytes, header.file_bytes)?;
            open.sync()
        };
        cut().map_err(io_error("cut the torn tail of", path))
    }
}

/// Checks that a segment which is complete is all there.
fn require_length(found: &Found) -> Result<(), OpenError> {
    if found.file_bytes < found.header.file_bytes {
        let what = "the file has been cut short".to_owned();
        return Err(Damage { file: found.path.clone(), offset: found.file_bytes, what }.into());
    }
    Ok(())
}

pub(crate) fn kind_and_flags(
    path: &Path,
    at: Position,
    header: &FrameHeader,
) -> Result<RecordKind, OpenError> {
    let newer = |what| OpenError::NewerVersion {
        file: path.to_owned(),
        offset: u64::from(at.offset()),
        what,
    };
    if header.is_lost() {
        // What comes behind it counts on the records that were there: only a checkpoint behind it makes it whole.
        let what =
            "records were lost here, and the checkpoint that a repair made is not there".to_owned();
        return Err(Damage { file: path.to_owned(), offset: u64::from(at.offset()), what }.into());
    }
    if header.flags & !FLAGS != 0 {
        return Err(newer(format!("a record with flags {:#04x}", header.flags)));
    }
    RecordKind::try_from(header.kind).map_err(|unknown| newer(unknown.to_string()))
}

/// Whether something was written to the segment. Mostly its beginning tells.
fn is_started(host: &dyn Host, found: &Found) -> std::io::Result<bool> {
    let file = host.open(&found.path, Access::Read)?;
    let begin = u64::from(SEGMENT_HEADER_BYTES);
    let middle = found.file_bytes.min(begin + 4096);
    Ok(tail::last_written(&*file, begin, middle)?.is_some()
        || tail::last_written(&*file, middle, found.file_bytes)?.is_some())
}
