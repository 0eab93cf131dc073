//! Opens logs, fills them, and looks at their files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use log_api::testing::Recorder;
use log_api::{
    AppendBatch, CheckpointParts, CommittedRecord, Log, Part, Position, RecordKind, ShardId,
    ShardSet,
};
use log_disk::{Config, DiskLog, OpenError, Ready};
use tempfile::TempDir;

pub const ME: ShardId = ShardId(0);

/// A log of one shard in small segments.
pub fn config(directory: &Path) -> Config {
    Config { segment_bytes: 4 << 10, reserve_bytes: 8 << 10, ..Config::new(directory, 1) }
}

pub fn directory() -> TempDir {
    TempDir::new().expect("a directory can be made")
}

/// What replay showed.
pub type Replayed = Vec<(Position, Vec<u8>)>;

/// Opens and replays without starting.
pub fn replay(config: Config) -> Result<(Ready, Option<CheckpointParts>, Replayed), OpenError> {
    let opened = log_disk::open(config)?;
    let mut replayed = Vec::new();
    let ready = opened.replay.run(&mut |_, position, _, body| {
        replayed.push((position, body.to_vec()));
        Ok(())
    })?;
    Ok((ready, opened.checkpoint, replayed))
}

pub struct Running {
    pub log: Arc<DiskLog>,
    pub recorder: Arc<Recorder>,
    pub checkpoint: Option<CheckpointParts>,
    pub replayed: Replayed,
    committed: usize,
}

pub fn start(config: Config) -> Running {
    let (ready, checkpoint, replayed) = replay(config).expect("the log opens");
    let recorder = Arc::new(Recorder::new());
    let log = ready.start(Arc::clone(&recorder) as _);
    Running { log, recorder, checkpoint, replayed, committed: 0 }
}

impl Running {
    /// Appends bodies with a reference each as one batch, and waits until they are committed.
    pub fn append(&mut self, bodies: &[Vec<u8>]) -> Vec<CommittedRecord> {
        self.log.append(ME, batch(bodies));
        self.committed += bodies.len();
        let mut records = self.recorder.committed(ME, self.committed);
        assert_eq!(records.len(), self.committed);
        records.split_off(self.committed - bodies.len())
    }

    /// Makes a checkpoint with that part.
    pub fn checkpoint(&self, nth: usize, part: &[u8]) -> Position {
        let before = self.log.stats().checkpoints_total;
        self.log.request_checkpoint();
        let (id, position) = self.recorder.checkpoint_requested(ME, nth);
        let part = part.to_vec();
        self.log.checkpoint_part(ME, id, Box::new(|| part.into()));
        wait_until(|| self.log.stats().checkpoints_total > before);
        position
    }

    /// Makes a checkpoint whose part is empty and holds these bodies.
    pub fn hold_in_checkpoint(&self, nth: usize, held: &[(u32, u32)]) {
        let before = self.log.stats().checkpoints_total;
        self.log.request_checkpoint();
        let (id, _) = self.recorder.checkpoint_requested(ME, nth);
        let part = Part { bytes: Vec::new(), held: held.to_vec() };
        self.log.checkpoint_part(ME, id, Box::new(|| part));
        wait_until(|| self.log.stats().checkpoints_total > before);
    }

    pub fn shutdown(self) {
        self.log.shutdown();
    }
}

/// Waits for what another thread does, which tells nobody.
pub fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so() {
        assert!(begin.elapsed().as_secs() < 30, "waited in vain");
        std::thread::yield_now();
    }
}

pub fn batch(bodies: &[Vec<u8>]) -> AppendBatch {
    let mut batch = AppendBatch::new();
    for body in bodies {
        let notify = ShardSet::single(ME);
        batch.push(RecordKind::Publish, 0, 1, notify, 0, |out| out.extend_from_slice(body));
    }
    batch
}

/// So many bodies of that length, no two alike, without a zero byte.
pub fn bodies(count: usize, bytes: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| (0..bytes).map(|at| ((n * 31 + at * 7) % 255 + 1) as u8).collect()).collect()
}

pub fn segment(directory: &Path, number: u32) -> PathBuf {
    directory.join("log").join(format!("{number:08x}.wlog"))
}

/// The numbers of the segments on disk.
pub fn segments(directory: &Path) -> Vec<u32> {
    let names =
        std::fs::read_dir(directory.join("log")).expect("the directory of segments can be read");
    let number = |name: &str| u32::from_str_radix(name.strip_suffix(".wlog")?, 16).ok();
    let mut numbers = names
        .filter_map(|entry| number(entry.expect("an entry can be read").file_name().to_str()?))
        .collect::<Vec<_>>();
    numbers.sort_unstable();
    numbers
}
