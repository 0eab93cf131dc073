//! When a checkpoint begins, and where. It must not know how one is made.

use log_api::{LogEvent, Position};

use super::Writer;
use crate::checkpoint::MakerCommand;

/// When the next checkpoint is due.
pub(crate) struct Checkpoints {
    every_bytes: u64,
    newest_id: u64,
    is_in_making: bool,
    is_requested: bool,
    /// Appended since the last one began.
    appended_bytes: u64,
}

impl Checkpoints {
    pub(crate) fn new(every_bytes: u64, newest_id: u64, appended_bytes: u64) -> Self {
        Self { every_bytes, newest_id, is_in_making: false, is_requested: false, appended_bytes }
    }

    pub(super) fn request(&mut self) {
        self.is_requested = true;
    }

    pub(super) fn done(&mut self, another: bool) {
        self.is_in_making = false;
        self.is_requested |= another;
    }

    pub(super) fn note_appended(&mut self, bytes: u64) {
        self.appended_bytes += bytes;
    }

    fn is_due(&self) -> bool {
        !self.is_in_making && (self.is_requested || self.appended_bytes >= self.every_bytes)
    }
}

impl Writer {
    /// Begins a checkpoint when it is due: what has been committed lies before it, what comes lies after it.
    pub(super) fn checkpoint_when_due(&mut self) {
        if !self.checkpoints.is_due() || self.is_failed() {
            return;
        }
        // What the parts are made of must be on the disk before them.
        if let Err(error) = self.sync() {
            self.fail("sync", &error);
            return;
        }
        let checkpoints = &mut self.checkpoints;
        checkpoints.newest_id += 1;
        (checkpoints.is_in_making, checkpoints.is_requested, checkpoints.appended_bytes) =
            (true, false, 0);
        let id = checkpoints.newest_id;
        let position = Position::new(self.current.segment.number, self.end);
        self.shared.references.lock().begin(id, self.shared.shards);
        // The maker must know of it before the first shard answers. When it has ended, nobody waits for it.
        let _ = self.maker.send(MakerCommand::Begin { id, position, next_index: self.next_index });
        self.shared.deliver_to_all(|| LogEvent::CheckpointRequested { id, position });
    }
}
