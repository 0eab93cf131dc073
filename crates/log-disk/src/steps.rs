//! A log without threads, whose work is done one step after the other by whoever decides in which order: a simulator.
//! It must not know what the steps do.

use std::sync::Arc;

use crate::checkpoint::Maker;
use crate::lock::DirectoryLock;
use crate::preparer::PreparerThread;
use crate::reader::Reader;
use crate::writer::Writer;

/// Those who do the log's work, each on a thread of its own when there are threads.
pub(crate) struct Workers {
    pub(crate) writer: Writer,
    pub(crate) preparer: PreparerThread,
    pub(crate) reader: Reader,
    pub(crate) maker: Maker,
}

/// One of those who do the log's work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Worker {
    /// Appends, syncs, tells the shards.
    Writer,
    /// Makes the next segment.
    Preparer,
    /// Reads bodies.
    Reader,
    /// Writes checkpoints, and trims.
    Maker,
}

impl Worker {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Writer, Self::Preparer, Self::Reader, Self::Maker];
}

/// The work of a log that has no threads. Dropped in the middle of it, the log ends as if its process had died.
pub struct LogSteps {
    writer: Writer,
    preparer: Arc<PreparerThread>,
    reader: Reader,
    maker: Maker,
    has_begun: bool,
    _lock: DirectoryLock,
}

impl LogSteps {
    pub(crate) fn new(workers: Workers, lock: DirectoryLock) -> Self {
        let Workers { mut writer, preparer, reader, maker } = workers;
        let preparer = Arc::new(preparer);
        writer.preparer.step_by_step(Arc::clone(&preparer));
        Self { writer, preparer, reader, maker, has_begun: false, _lock: lock }
    }

    /// Lets one of them do its next piece of work. Says whether there was one.
    pub fn step(&mut self, worker: Worker) -> bool {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.writer.begin();
            self.maker.begin();
        }
        match worker {
            Worker::Writer => self.writer.step(),
            Worker::Preparer => self.preparer.step(),
            Worker::Reader => self.reader.step(),
            Worker::Maker => self.maker.step(),
        }
    }
}

impl std::fmt::Debug for LogSteps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogSteps").field("has_begun", &self.has_begun).finish_non_exhaustive()
    }
}
