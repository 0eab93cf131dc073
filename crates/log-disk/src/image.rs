//! What a backup copies: a checkpoint and the records after it, up to what had been committed when it was asked for. It must
//! not know where a copy goes.
//!
//! ```text
//!  asked for ── pinned ── next_file: opened, checked, not pinned any more ── read ── dropped
//!               trimming passes it by            the open file keeps its bytes
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log_api::Position;
use parking_lot::Mutex;

use crate::error::{Damage, OpenError};
use crate::frame::FrameFault;
use crate::host::{Access, Host, HostFile};
use crate::lock::DirectoryLock;
use crate::scanner::{Scanner, Step};
use crate::segment::SEGMENT_HEADER_BYTES;
use crate::segments::Segment;
use crate::tail::last_written;

/// How much of a checkpoint is checked at once.
const WINDOW_BYTES: usize = 1 << 20;

/// How many backups have each segment still to read.
#[derive(Default, Debug)]
pub(crate) struct Pins(Mutex<BTreeMap<u32, u32>>);

impl Pins {
    /// Whether the segment must stay.
    pub(crate) fn has(&self, segment: u32) -> bool {
        self.0.lock().contains_key(&segment)
    }

    fn pin(&self, segment: u32) {
        *self.0.lock().entry(segment).or_default() += 1;
    }

    fn unpin(&self, segment: u32) {
        let mut pins = self.0.lock();
        if let Some(count) = pins.get_mut(&segment) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&segment);
            }
        }
    }
}

/// Why there is no image of a running log.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The log has been shut down.
    #[error("the log has been shut down")]
    ShutDown,
    /// The system refused.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Where an image's files come from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) host: &'a Arc<dyn Host>,
    pub(crate) checkpoint: Option<&'a Path>,
}

/// A log as it was at one moment: what a start finds in a copy of these files is what had been committed then.
#[derive(Debug)]
pub struct Image {
    host: Arc<dyn Host>,
    /// Open from the beginning: it is replaced by later ones.
    checkpoint: Option<(PathBuf, Box<dyn HostFile>)>,
    segments: VecDeque<PinnedSegment>,
    pins: Arc<Pins>,
    end: Position,
    bytes: u64,
    /// Of a log that nobody runs.
    lock: Option<DirectoryLock>,
}

#[derive(Debug)]
struct PinnedSegment {
    number: u32,
    path: PathBuf,
    salt: u32,
    file_bytes: u64,
    /// Nothing after it belongs to the image.
    end: u64,
}

/// A file of an image, open, whole to its last byte.
#[derive(Debug)]
pub struct ImageFile {
    /// Its path in the data directory.
    pub name: String,
    /// How many bytes are to be copied.
    pub bytes: u64,
    /// How long the file is where a log runs; zeros fill the rest.
    pub file_bytes: u64,
    path: PathBuf,
    file: Box<dyn HostFile>,
}

impl Image {
    pub(crate) fn new(
        sources: Sources<'_>,
        segments: Vec<Arc<Segment>>,
        pins: &Arc<Pins>,
    ) -> Result<Self, ImageError> {
        let Sources { host, checkpoint } = sources;
        let open = |path: &Path| open(host, path).map(|file| (path.to_owned(), file));
        let checkpoint = checkpoint.map(open).transpose()?;
        let pinned = |segment: &Arc<Segment>| {
            pins.pin(segment.number);
            let end = u64::from(segment.end());
            let (path, file_bytes) = (segment.path.clone(), segment.file_bytes);
            PinnedSegment { number: segment.number, path, salt: segment.salt, file_bytes, end }
        };
        let segments: VecDeque<PinnedSegment> = segments.iter().map(pinned).collect();
        let bytes = segments.iter().map(|segment| segment.end).sum();
        let last = segments.back();
        let end = last.map_or(Position::START, |last| {
            Position::new(last.number, u32::try_from(last.end).unwrap_or(u32::MAX))
        });
        let (host, pins) = (Arc::clone(host), Arc::clone(pins));
        Ok(Self { host, checkpoint, segments, pins, end, bytes, lock: None })
    }

    /// Keeps others out of the directory for as long as the image is there.
    pub(crate) fn with_lock(mut self, lock: DirectoryLock) -> Self {
        self.lock = Some(lock);
        self
    }

    /// Where the records of the image end.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.end
    }

    /// About how many bytes are left to copy.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Opens the next file and checks all of it: what is damaged is not copied.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read.
    pub fn next_file(&mut self) -> Option<Result<ImageFile, OpenError>> {
        if let Some((path, file)) = self.checkpoint.take() {
            return Some(checkpoint_file(path, file));
        }
        let segment = self.segments.pop_front()?;
        let opened = open(&self.host, &segment.path);
        self.pins.unpin(segment.number);
        Some(opened.and_then(|file| segment_file(&segment, file)))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        self.segments.iter().for_each(|segment| self.pins.unpin(segment.number));
    }
}

impl ImageFile {
    /// Reads that many bytes from `offset` on, or what there is of the image.
    ///
    /// # Errors
    /// When the system refuses, or the file is shorter than it was.
    pub fn read(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, OpenError> {
        let wanted = (bytes as u64).min(self.bytes.saturating_sub(offset)) as usize;
        let mut buffer = vec![0; wanted];
        self.file.read_exact_at(&mut buffer, offset).map_err(|e| cannot("read", &self.path, e))?;
        Ok(buffer)
    }
}

fn open(host: &Arc<dyn Host>, path: &Path) -> Result<Box<dyn HostFile>, OpenError> {
    host.open(path, Access::Read).map_err(|error| cannot("open", path, error))
}

fn cannot(action: &'static str, path: &Path, source: std::io::Error) -> OpenError {
    OpenError::Io { action, path: path.to_owned(), source }
}

fn name_of(folder: &str, path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{folder}/{name}")
}

/// Checks that a checkpoint is what was written, by its checksum.
fn checkpoint_file(path: PathBuf, file: Box<dyn HostFile>) -> Result<ImageFile, OpenError> {
    let read = |error| cannot("read", &path, error);
    let bytes = file.len().map_err(read)?;
    let content = bytes.saturating_sub(4);
    let (mut at, mut checksum) = (0, 0);
    let mut window = vec![0; WINDOW_BYTES];
    while at < content {
        let some = window.len().min(usize::try_from(content - at).unwrap_or(usize::MAX));
        file.read_exact_at(&mut window[..some], at).map_err(read)?;
        checksum = crc32c::crc32c_append(checksum, &window[..some]);
        at += some as u64;
    }
    let stored = file.read_at(content, 4).map_err(read)?;
    if stored != checksum.to_le_bytes() {
        let what = "the checksum of the checkpoint does not match".to_owned();
        return Err(Damage { file: path, offset: content, what }.into());
    }
    Ok(ImageFile { name: name_of("state", &path), bytes, file_bytes: bytes, path, file })
}

/// Checks each record of a segment, and that nothing lies behind them.
fn segment_file(segment: &PinnedSegment, file: Box<dyn HostFile>) -> Result<ImageFile, OpenError> {
    let PinnedSegment { number, path, salt, file_bytes, end } = segment;
    let read = |error| cannot("read", path, error);
    let damage = |offset, what: &str| Damage { file: path.clone(), offset, what: what.to_owned() };
    if file.len().map_err(read)? < *end {
        return Err(damage(file.len().map_err(read)?, "the file has been cut short").into());
    }
    let mut scanner = Scanner::new(&*file, *number, *salt, *end, SEGMENT_HEADER_BYTES);
    let (stop, fault) = loop {
        match scanner.step().map_err(read)? {
            Step::Frame { .. } => {}
            Step::Stop { offset, fault } => break (offset, fault),
        }
    };
    let is_clean = fault == FrameFault::Nothing || stop == *end;
    if !is_clean || last_written(&*file, stop, *end).map_err(read)?.is_some() {
        return Err(damage(stop, fault.what()).into());
    }
    let (path, file_bytes) = (path.clone(), *file_bytes);
    Ok(ImageFile { name: name_of("log", &path), bytes: stop, file_bytes, path, file })
}
