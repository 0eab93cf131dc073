//! The segments that lie in the directory. It must not know frames.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{From, io_error, missing};
use crate::checkpoint::Standing;
use crate::error::OpenError;
use crate::host::{Access, Host};
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, segment_of};
use crate::tail;

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
    pub(crate) fn take(host: &dyn Host, directory: &Path) -> Result<Self, OpenError> {
        let mut paths = BTreeMap::new();
        for path in host.list(directory).map_err(io_error("list", directory))? {
            if path.extension().is_some_and(|ending| ending == UNFINISHED) {
                host.remove(&path).map_err(io_error("remove", &path))?;
            } else if let Some(number) =
                path.file_name().and_then(|name| name.to_str()).and_then(segment_of)
            {
                paths.insert(number, path);
            }
        }
        let newest = paths.keys().next_back().copied();
        let mut by_number = BTreeMap::new();
        for (number, path) in paths {
            match look_at(host, number, &path) {
                Ok(found) => {
                    by_number.insert(number, found);
                }
                Err(OpenError::Damaged(damage))
                    if Some(number) == newest && was_never_used(host, &path)? =>
                {
                    tracing::info!(file = %path.display(), %damage, "a segment that was never used is made anew");
                    host.remove(&path).map_err(io_error("remove", &path))?;
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

fn look_at(host: &dyn Host, number: u32, path: &Path) -> Result<Found, OpenError> {
    let file = host.open(path, Access::Read).map_err(io_error("open", path))?;
    let mut header = [0; SEGMENT_HEADER_BYTES as usize];
    let bytes = file.read_at(0, header.len()).map_err(io_error("read", path))?;
    // What is missing stays zero, which is no header.
    header[..bytes.len()].copy_from_slice(&bytes);
    let header = SegmentHeader::decode(&header, number, path)?;
    let file_bytes = file.len().map_err(io_error("look at", path))?;
    Ok(Found { number, path: path.to_owned(), header, file_bytes })
}

/// Whether nothing lies behind the header: the process ended while it made the segment.
fn was_never_used(host: &dyn Host, path: &Path) -> Result<bool, OpenError> {
    let file = host.open(path, Access::Read).map_err(io_error("open", path))?;
    let end = file.len().map_err(io_error("look at", path))?;
    let last = tail::last_written(&*file, u64::from(SEGMENT_HEADER_BYTES), end)
        .map_err(io_error("read", path))?;
    Ok(last.is_none())
}
