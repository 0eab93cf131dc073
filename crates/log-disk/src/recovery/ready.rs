//! A log that has been replayed and can start. It must not know how its threads work.

use std::io::{self, IoSlice};
use std::sync::Arc;

use log_api::ShardId;

use super::replay::Replay;
use super::{Directories, From, Inventory, io_error};
use crate::checkpoint::{CheckpointStore, Standing};
use crate::config::Config;
use crate::error::OpenError;
use crate::host::{Host, OpenFile};
use crate::lock::DirectoryLock;
use crate::preparer::Workshop;
use crate::references::{Counts, References};
use crate::segment::SEGMENT_HEADER_BYTES;
use crate::segments::{Segment, Segments, Writable};

/// How much is written again at once.
const WRITE_AGAIN_BYTES: usize = 1 << 20;

/// Where the log goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct End {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    /// The index of the next record.
    pub(crate) index: u64,
    /// Records from there on may never have been synced.
    pub(crate) unsynced_from: u32,
}

/// A log that has been replayed and can start.
pub struct Ready {
    pub(crate) config: Config,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) directories: Directories,
    pub(crate) lock: DirectoryLock,
    pub(crate) store: CheckpointStore,
    pub(crate) segments: Segments,
    pub(crate) references: References,
    pub(crate) standing: Option<Standing>,
    pub(crate) newest_id: u64,
    pub(crate) end: End,
    pub(crate) current: Writable,
    pub(crate) prepared: Option<Writable>,
    /// Bytes of records from the checkpoint on.
    pub(crate) unchecked_bytes: u64,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready")
            .field("end", &self.end)
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

impl Ready {
    /// A log without a record.
    pub(crate) fn empty(replay: Replay) -> Result<Self, OpenError> {
        let From { position, index } = From::BEGINNING;
        let workshop = Workshop::new(Arc::clone(&replay.host), replay.directories.log.clone());
        let made =
            workshop.make_reserved(position.segment(), u64::from(replay.config.segment_bytes));
        let current =
            made.map_err(io_error("make the first segment in", &replay.directories.log))?;
        let segments = Segments::default();
        segments.insert(Arc::clone(&current.segment));
        let offset = position.offset();
        let end = End { segment: position.segment(), offset, index, unsynced_from: offset };
        Ok(Self::assemble(replay, end, Counts::new(), segments, current, None))
    }

    /// The log that ends there.
    pub(crate) fn at(mut replay: Replay, end: End, counts: Counts) -> Result<Self, OpenError> {
        let inventory =
            std::mem::replace(&mut replay.inventory, Inventory { by_number: Default::default() });
        let segments = Segments::default();
        let (mut current, mut prepared) = (None, None);
        for found in inventory.by_number.into_values() {
            let path = found.path;
            let open =
                || OpenFile::open(&*replay.host, path.clone()).map_err(io_error("open", &path));
            if found.number > end.segment {
                // It may seem unused because of zeros that a start before this one wrote over an interrupted write, and did not
                // live to sync. With something in it again, what comes before it would have to be whole.
                open()?.sync().map_err(io_error("sync", &path))?;
            }
            let is_spare = prepared.is_some() || found.file_bytes < found.header.file_bytes;
            if found.number > end.segment && is_spare {
                replay.host.remove(&path).map_err(io_error("remove", &path))?;
                continue;
            }
            let file_end = match found.number {
                number if number < end.segment => {
                    u32::try_from(found.file_bytes).unwrap_or(u32::MAX)
                }
                number if number == end.segment => end.offset,
                _ => SEGMENT_HEADER_BYTES,
            };
            let header = found.header;
            let segment =
                Segment::new(found.number, path.clone(), header.file_bytes, header.salt, file_end);
            let segment = Arc::new(segment);
            segments.insert(Arc::clone(&segment));
            if found.number >= end.segment {
                let open = open()?;
                let slot = if found.number == end.segment { &mut current } else { &mut prepared };
                *slot = Some(Writable { segment, open });
            }
        }
        let current = current.expect("replay ended in a segment that is there");
        // What a process wrote and did not live to sync has been shown to the visitor: from here on it must not vanish.
        let kept = || {
            write_again(&current.open, end)?;
            current.open.sync()
        };
        kept().map_err(io_error("sync", &current.open.path))?;
        Ok(Self::assemble(replay, end, counts, segments, current, prepared))
    }

    fn assemble(
        replay: Replay,
        end: End,
        counts: Counts,
        segments: Segments,
        current: Writable,
        prepared: Option<Writable>,
    ) -> Self {
        let Replay { config, host, directories, lock, store, from, standing, newest_id, .. } =
            replay;
        let whole =
            u64::from(end.segment - from.position.segment()) * u64::from(config.segment_bytes);
        let unchecked_bytes =
            (whole + u64::from(end.offset)).saturating_sub(u64::from(from.position.offset()));
        let references = References::new(counts, current.segment.number);
        Self {
            config,
            host,
            directories,
            lock,
            store,
            segments,
            references,
            standing,
            newest_id,
            end,
            current,
            prepared,
            unchecked_bytes,
        }
    }

    /// Drops references that replay found to be settled: pairs of a segment and how many of the bodies in it. Those of
    /// bodies that the checkpoint's parts hold are among them; what is held still, [`Self::hold`] says.
    pub fn release(&mut self, released: &[(u32, u32)]) {
        self.references.release(ShardId(0), released);
    }

    /// Holds bodies that replay found to be needed without a reference: pairs of a segment and how many of the bodies in it.
    pub fn hold(&mut self, held: &[(u32, i32)]) {
        self.references.hold(held);
    }
}

/// Writes what may never have been synced once more. After a sync that failed the system counts as clean what is not on the disk,
/// and the next one would leave it out.
fn write_again(open: &OpenFile, end: End) -> io::Result<()> {
    let (mut at, end) = (u64::from(end.unsynced_from), u64::from(end.offset));
    while at < end {
        let bytes = open.file.read_at(at, WRITE_AGAIN_BYTES.min((end - at) as usize))?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        open.write_at(at, &mut [IoSlice::new(&bytes)])?;
        at += bytes.len() as u64;
    }
    Ok(())
}
