//! Which segments there are. It must not know what is in them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::RwLock;

use crate::host::OpenFile;

/// A segment on disk.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) path: PathBuf,
    pub(crate) file_bytes: u64,
    pub(crate) salt: u32,
    /// Committed frames end here.
    end: AtomicU32,
}

impl Segment {
    pub(crate) fn new(number: u32, path: PathBuf, file_bytes: u64, salt: u32, end: u32) -> Self {
        Self { number, path, file_bytes, salt, end: AtomicU32::new(end) }
    }

    /// Where the committed frames end.
    pub(crate) fn end(&self) -> u32 {
        self.end.load(Ordering::Acquire)
    }

    /// More frames have been committed.
    pub(crate) fn set_end(&self, end: u32) {
        self.end.store(end, Ordering::Release);
    }
}

/// A segment that can be appended to.
#[derive(Debug)]
pub(crate) struct Writable {
    pub(crate) segment: Arc<Segment>,
    pub(crate) open: OpenFile,
}

/// All segments, by number.
#[derive(Default)]
pub(crate) struct Segments {
    by_number: RwLock<BTreeMap<u32, Arc<Segment>>>,
}

impl Segments {
    pub(crate) fn insert(&self, segment: Arc<Segment>) {
        self.by_number.write().insert(segment.number, segment);
    }

    pub(crate) fn remove(&self, number: u32) -> Option<Arc<Segment>> {
        self.by_number.write().remove(&number)
    }

    pub(crate) fn get(&self, number: u32) -> Option<Arc<Segment>> {
        self.by_number.read().get(&number).cloned()
    }

    /// The segments before that one.
    pub(crate) fn before(&self, number: u32) -> Vec<Arc<Segment>> {
        self.by_number.read().range(..number).map(|(_, segment)| Arc::clone(segment)).collect()
    }

    /// How many there are, and the bytes they take.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let by_number = self.by_number.read();
        (by_number.len() as u64, by_number.values().map(|segment| segment.file_bytes).sum())
    }
}
