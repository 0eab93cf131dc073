//! Goes through all segments from end to end, damage or not, and says what is there and what is not. It must not know what
//! records mean, and changes nothing.

mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use log_api::{Position, RecordKind};

use super::AtRest;
use super::salt::salt_of;
use crate::error::{Damage, OpenError};
use crate::host::{Access, HostFile};
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, segment_of, segment_path};
use crate::tail::last_written;
use walk::Walk;

/// Something that is not as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Where, and what is wrong.
    pub damage: Damage,
    /// How many bytes it is about.
    pub bytes: u64,
    /// How many records are lost by it; `None` when that cannot be told.
    pub records: Option<u64>,
    /// Whether a start is refused because of it.
    pub stops_start: bool,
}

/// What the survey meets on its way.
#[derive(Debug)]
pub enum Met<'a> {
    /// A record behind the checkpoint.
    Record {
        /// What it is.
        kind: RecordKind,
        /// Where it lies.
        at: Position,
        /// What it says.
        body: &'a [u8],
    },
    /// One or more records behind the checkpoint are lost between the one before and the one that comes.
    Lost,
    /// So many of so many bytes have been looked at.
    Progress(u64, u64),
}

/// What is there and what is not.
#[derive(Debug)]
pub struct Survey {
    /// What is damaged or missing, in the order of the log.
    pub findings: Vec<Finding>,
    /// An interrupted write at the end, which a start cuts: nobody was told that it succeeded.
    pub torn_tail: Option<Finding>,
    /// How many records there are.
    pub records: u64,
    pub(super) segments: BTreeMap<u32, Looked>,
    /// Files that cannot be read as segments.
    pub(super) unusable: Vec<PathBuf>,
    /// The index of the record after the last one.
    pub(super) next_index: u64,
    /// The highest number that a segment has, readable or not.
    pub(super) highest: u32,
}

/// A segment that can be read.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) path: PathBuf,
    pub(super) header: SegmentHeader,
    /// The header on the disk is not this one.
    pub(super) header_is_lost: bool,
    pub(super) actual_bytes: u64,
    /// Where the last whole frame ends.
    pub(super) end: u64,
    pub(super) holes: Vec<Hole>,
    /// Where frames begin that an earlier repair put in the place of lost records.
    pub(super) filled: Vec<u64>,
    /// Behind the last whole frame there is something up to here.
    pub(super) spoiled_to: Option<u64>,
}

/// A place without whole frames, between such.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hole {
    pub(super) start: u64,
    pub(super) end: u64,
    /// The index of the first record that was here, and how many they were.
    pub(super) index: u64,
    pub(super) records: u64,
}

impl Survey {
    /// Whether the log is as it was written, but for a torn tail.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether a whole record begins there.
    #[must_use]
    pub fn has(&self, at: Position) -> bool {
        let offset = u64::from(at.offset());
        self.segments.get(&at.segment()).is_some_and(|looked| {
            let is_lost = |hole: &Hole| (hole.start..hole.end).contains(&offset);
            let is_there = offset < looked.end && !looked.filled.contains(&offset);
            is_there && !looked.holes.iter().any(is_lost)
        })
    }
}

/// A segment's file and what its header says, or should say.
struct Opened {
    file: Box<dyn HostFile>,
    looked: Looked,
}

impl AtRest {
    /// Goes through the whole log.
    ///
    /// # Errors
    /// When a file cannot be read, a newer version wrote it, or `visit` refuses a record.
    pub fn survey(
        &self,
        visit: &mut dyn FnMut(Met<'_>) -> Result<(), log_api::VisitError>,
    ) -> Result<Survey, OpenError> {
        let mut survey = Survey {
            findings: Vec::new(),
            torn_tail: None,
            records: 0,
            segments: BTreeMap::new(),
            unusable: Vec::new(),
            next_index: 0,
            highest: 0,
        };
        for damage in &self.spoiled {
            let bytes = self.length(&damage.file)?;
            let damage = damage.clone();
            survey.findings.push(Finding { damage, bytes, records: None, stops_start: false });
        }
        let paths = self.segment_paths()?;
        survey.highest = paths.keys().next_back().copied().unwrap_or_default();
        let last_started = self.last_started(&paths)?;
        let total = paths.values().map(|path| self.length(path)).sum::<Result<u64, OpenError>>()?;
        let mut walk = Walk::new(self.from(), survey, visit);
        self.report_missing(&paths, &mut walk.survey.findings);
        let mut done = 0;
        for (number, path) in &paths {
            match self.open_segment(*number, path, *number > last_started, &mut walk.survey)? {
                Some(opened) => walk.segment(*number, opened, last_started)?,
                None => walk.gap(),
            }
            done += self.length(path)?;
            walk.progress(done, total)?;
        }
        Ok(walk.finish())
    }

    fn length(&self, path: &Path) -> Result<u64, OpenError> {
        let file = self.host.open(path, Access::Read).map_err(io_error("open", path))?;
        file.len().map_err(io_error("look at", path))
    }

    fn segment_paths(&self) -> Result<BTreeMap<u32, PathBuf>, OpenError> {
        let directory = &self.directories.log;
        let files = self.host.list(directory).map_err(io_error("list", directory))?;
        let number = |path: &PathBuf| segment_of(path.file_name()?.to_str()?);
        Ok(files.into_iter().filter_map(|path| Some((number(&path)?, path))).collect())
    }

    /// The last segment that something was written to.
    fn last_started(&self, paths: &BTreeMap<u32, PathBuf>) -> Result<u32, OpenError> {
        for (number, path) in paths.iter().rev() {
            let file = self.host.open(path, Access::Read).map_err(io_error("open", path))?;
            let bytes = file.len().map_err(io_error("look at", path))?;
            let begin = u64::from(SEGMENT_HEADER_BYTES);
            if last_written(&*file, begin, bytes).map_err(io_error("read", path))?.is_some() {
                return Ok(*number);
            }
        }
        Ok(0)
    }

    /// Says which segments are missing: those that a start replays, and those that have live bodies.
    fn report_missing(&self, paths: &BTreeMap<u32, PathBuf>, findings: &mut Vec<Finding>) {
        let mut missing = |number: u32, what: String| {
            let file = segment_path(&self.directories.log, number);
            let damage = Damage { file, offset: 0, what };
            findings.push(Finding { damage, bytes: 0, records: None, stops_start: true });
        };
        let counts = self.base.iter().flat_map(|base| &base.checkpoint.counts);
        let first = self.from().0.segment();
        let live = counts.filter(|(number, count)| **number < first && **count > 0);
        for (number, count) in live.filter(|(number, _)| !paths.contains_key(number)) {
            missing(
                *number,
                format!("the segment is missing, and {count} messages in it are waiting"),
            );
        }
        let mut next = first;
        for number in paths.range(first..).map(|(number, _)| *number) {
            if number > next {
                missing(
                    next,
                    match number - next {
                        1 => "the segment is missing, and replay needs it".to_owned(),
                        more => format!(
                            "{more} segments from here on are missing, and replay needs them"
                        ),
                    },
                );
            }
            next = number.saturating_add(1);
        }
        let is_new = paths.is_empty() && self.base.is_none();
        if next == first && !is_new {
            missing(first, "the segment is missing, and replay begins there".to_owned());
        }
    }

    /// Opens a segment. One whose header is damaged may be readable all the same.
    fn open_segment(
        &self,
        number: u32,
        path: &Path,
        is_unused: bool,
        survey: &mut Survey,
    ) -> Result<Option<Opened>, OpenError> {
        let file = self.host.open(path, Access::Read).map_err(io_error("open", path))?;
        let read = |error| io_error("read", path)(error);
        let actual_bytes = file.len().map_err(read)?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
        let there = file.read_at(0, bytes.len()).map_err(read)?;
        bytes[..there.len()].copy_from_slice(&there);
        let (header, header_is_lost) = match SegmentHeader::decode(&bytes, number, path) {
            Ok(header) => (header, false),
            Err(OpenError::Damaged(damage)) => {
                let salt = salt_of(&*file, number, actual_bytes).map_err(read)?;
                let stops_start = !(is_unused && number == survey.highest);
                if stops_start {
                    let records = salt.map(|_| 0);
                    survey.findings.push(Finding { damage, bytes: 64, records, stops_start });
                }
                let Some(salt) = salt else {
                    survey.unusable.push(path.to_owned());
                    return Ok(None);
                };
                let header = SegmentHeader {
                    segment: number,
                    created_ms: 0,
                    file_bytes: actual_bytes,
                    salt,
                };
                (header, true)
            }
            Err(error) => return Err(error),
        };
        let looked = Looked {
            path: path.to_owned(),
            header,
            header_is_lost,
            actual_bytes,
            end: u64::from(SEGMENT_HEADER_BYTES),
            holes: Vec::new(),
            filled: Vec::new(),
            spoiled_to: None,
        };
        Ok(Some(Opened { file, looked }))
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { action, path, source }
}
