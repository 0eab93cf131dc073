//! The segments that lie in the directory. It must not know frames.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{From, io_error, missing, tail};
use crate::checkpoint::Standing;
use crate::error::OpenError;
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, segment_of};

/// Files that were being made when the process ended have this ending.
const UNFINISHED: &str = "tmp";

/// A segment found on disk.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) number: u32,
    pub(crate) path: PathBuf,
    pub(crate) header: SegmentHeader,
    /// Length of the file, which may be shorter than its header says.
    pub(crate) file_bytes: u64,
}

/// All segments found, in order.
#[derive(Debug)]
pub(crate) struct Inventory {
    pub(crate) by_number: BTreeMap<u32, Found>,
}

impl Inventory {
    /// Lists the segments, and removes what was left unfinished.
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
        let mut paths = BTreeMap::new();
        for entry in std::fs::read_dir(directory).map_err(io_error("list", directory))? {
            let path = entry.map_err(io_error("list", directory))?.path();
            if path.extension().is_some_and(|ending| ending == UNFINISHED) {
                std::fs::remove_file(&path).map_err(io_error("remove", &path))?;
            } else if let Some(number) =
                path.file_name().and_then(|name| name.to_str()).and_then(segment_of)
            {
                paths.insert(number, path);
            }
        }
        let newest = paths.keys().next_back().copied();
        let mut by_number = BTreeMap::new();
        for (number, path) in paths {
            match look_at(number, &path) {
                Ok(found) => {
                    by_number.insert(number, found);
                }
                Err(OpenError::Damaged(damage))
                    if Some(number) == newest && was_never_used(&path)? =>
                {
                    tracing::info!(file = %path.display(), %damage, "a segment that was never used is made anew");
                    std::fs::remove_file(&path).map_err(io_error("remove", &path))?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self { by_number })
    }

    /// Checks that every segment is there in which a checkpoint counts live bodies.
    pub(crate) fn require_live(
        &self,
        standing: &Standing,
        directory: &Path,
    ) -> Result<(), OpenError> {
        let live =
            standing.counts.iter().filter(|(_, count)| **count > 0).map(|(number, _)| *number);
        let before = live.filter(|number| *number < standing.position.segment());
        match before.into_iter().find(|number| !self.by_number.contains_key(number)) {
            Some(number) => Err(missing(directory, number, "and messages in it are waiting")),
            None => Ok(()),
        }
    }

    /// Checks that no segment is missing from the beginning of the replay on.
    pub(crate) fn require_sequence(&self, from: From, directory: &Path) -> Result<(), OpenError> {
        let first = from.position.segment();
        let Some(last) = self.by_number.keys().next_back() else {
            return Err(missing(directory, first, "and replay begins there"));
        };
        match (first..=(*last).max(first)).find(|number| !self.by_number.contains_key(number)) {
            Some(number) => Err(missing(directory, number, "and replay needs it")),
            None => Ok(()),
        }
    }
}

fn look_at(number: u32, path: &Path) -> Result<Found, OpenError> {
    let mut file = File::open(path).map_err(io_error("open", path))?;
    let mut header = [0; SEGMENT_HEADER_BYTES as usize];
    match file.read_exact(&mut header) {
        // What is missing stays zero, which is no header.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        result => result.map_err(io_error("read", path))?,
    }
    let header = SegmentHeader::decode(&header, number, path)?;
    let file_bytes = file.metadata().map_err(io_error("look at", path))?.len();
    Ok(Found { number, path: path.to_owned(), header, file_bytes })
}

/// Whether nothing lies behind the header: the process ended while it made the segment.
fn was_never_used(path: &Path) -> Result<bool, OpenError> {
    let file = File::open(path).map_err(io_error("open", path))?;
    let end = file.metadata().map_err(io_error("look at", path))?.len();
    let last = tail::last_written(&file, u64::from(SEGMENT_HEADER_BYTES), end)
        .map_err(io_error("read", path))?;
    Ok(last.is_none())
}
