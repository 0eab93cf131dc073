//! The log as its callers see it. It must not know how its threads do their work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use log_api::{
    AppendBatch, CheckpointPart, EventSink, Log, LogState, LogStats, Position, SegmentUse, ShardId,
};
use parking_lot::Mutex;

use crate::checkpoint::{Maker, MakerCommand};
use crate::command::Command;
use crate::config::Config;
use crate::image::{Image, ImageError};
use crate::lock::DirectoryLock;
use crate::preparer::{Preparer, PreparerThread, Workshop};
use crate::reader::{Reader, ReaderCommand, Wanted, refuse_reads};
use crate::recovery::Ready;
use crate::references::References;
use crate::segments::Segments;
use crate::shared::{Shared, Totals};
use crate::steps::{LogSteps, Workers};
use crate::writer::{Checkpoints, Writer, refuse_all};

/// A log in the files of one directory.
pub struct DiskLog {
    shared: Arc<Shared>,
    writer: Sender<Command>,
    /// The same channel's other end, to answer what is sent while the writer ends.
    unanswered: Receiver<Command>,
    reader: Sender<ReaderCommand>,
    unread: Receiver<ReaderCommand>,
    maker: Sender<MakerCommand>,
    running: Mutex<Option<Running>>,
}

/// What ends with the shutdown.
struct Running {
    writer: JoinHandle<()>,
    preparer: JoinHandle<()>,
    reader: JoinHandle<()>,
    maker: JoinHandle<()>,
    _lock: DirectoryLock,
}

impl Ready {
    /// Starts the log's threads. They tell `sink` what happens.
    ///
    /// # Panics
    /// When the system gives no more threads.
    #[must_use]
    pub fn start(self, sink: Arc<dyn EventSink>) -> Arc<DiskLog> {
        let (mut log, workers, lock) = self.assemble_log(sink);
        let Workers { writer, preparer, reader, maker } = workers;
        let running = Running {
            writer: spawn("log", move || writer.run()),
            preparer: spawn("log-prepare", move || preparer.run()),
            reader: spawn("log-read", move || reader.run()),
            maker: spawn("log-checkpoint", move || maker.run()),
            _lock: lock,
        };
        log.running = Mutex::new(Some(running));
        Arc::new(log)
    }

    /// Starts the log without threads: whoever has the steps does the work. For simulators.
    #[must_use]
    pub fn start_stepped(self, sink: Arc<dyn EventSink>) -> (Arc<DiskLog>, LogSteps) {
        let (log, workers, lock) = self.assemble_log(sink);
        (Arc::new(log), LogSteps::new(workers, lock))
    }

    fn assemble_log(self, sink: Arc<dyn EventSink>) -> (DiskLog, Workers, DirectoryLock) {
        let Self { config, host, directories, lock, store, segments, references, standing, .. } =
            self;
        let checkpoint = standing.as_ref().map(|standing| standing.position);
        let shared = share(sink, &config, segments, references, checkpoint);
        let (writer, unanswered) = unbounded();
        let (reader, unread) = unbounded();
        let (maker, maker_commands) = unbounded();
        let (requests, requested) = unbounded();
        let (made, results) = unbounded();
        let checkpoint_every_bytes = config.checkpoint_every_bytes;
        let workshop = Workshop::new(Arc::clone(&host), directories.log);
        let preparing = PreparerThread {
            workshop: workshop.clone(),
            shared: Arc::clone(&shared),
            segment_bytes: config.segment_bytes,
            reserve_bytes: config.reserve_bytes,
            requests: requested,
            results: made,
            writer: writer.clone(),
        };
        let reading = Reader::new(Arc::clone(&shared), Arc::clone(&host), unread.clone());
        let making = Maker {
            shared: Arc::clone(&shared),
            host: Arc::clone(&host),
            store,
            commands: maker_commands,
            writer: writer.clone(),
            reader: reader.clone(),
            worth_bytes: checkpoint_every_bytes,
            standing,
            making: None,
        };
        let (newest, unchecked) = (self.newest_id, self.unchecked_bytes);
        let checkpoints = Checkpoints::new(checkpoint_every_bytes, newest, unchecked);
        let writing = Writer {
            shared: Arc::clone(&shared),
            config,
            host,
            commands: unanswered.clone(),
            maker: maker.clone(),
            workshop,
            preparer: Preparer::new(requests, results, self.prepared),
            current: self.current,
            end: self.end.offset,
            synced_to: self.end.offset,
            next_index: self.end.index,
            waiting: Default::default(),
            unsynced_since: None,
            unaware_shards: 0,
            checkpoints,
            parts: Vec::new(),
        };
        let running = Mutex::new(None);
        let log = DiskLog { shared, writer, unanswered, reader, unread, maker, running };
        let workers =
            Workers { writer: writing, preparer: preparing, reader: reading, maker: making };
        (log, workers, lock)
    }
}

/// What the threads share at the start.
fn share(
    sink: Arc<dyn EventSink>,
    config: &Config,
    segments: Segments,
    references: References,
    checkpoint: Option<Position>,
) -> Arc<Shared> {
    Arc::new(Shared {
        sink,
        shards: config.shards,
        checkpoint_every_bytes: config.checkpoint_every_bytes,
        segments,
        references: Mutex::new(references),
        state: Mutex::default(),
        checkpoint: Mutex::new(checkpoint),
        pins: Arc::default(),
        dead_bytes: AtomicU64::new(0),
        backlog_bytes: AtomicU64::new(0),
        writer_ended: AtomicBool::new(false),
        reader_ended: AtomicBool::new(false),
        totals: Totals::default(),
    })
}

impl DiskLog {
    /// What has been committed by now, for a backup: a checkpoint and the records after it. What it needs is not trimmed
    /// while it is there. The log goes on meanwhile.
    ///
    /// Waits for the thread that makes checkpoints.
    ///
    /// # Errors
    /// When the checkpoint cannot be opened, or the log has been shut down.
    pub fn image(&self) -> Result<Image, ImageError> {
        let (reply, answer) = bounded(1);
        let _ = self.maker.send(MakerCommand::Image(reply));
        answer.recv().unwrap_or(Err(ImageError::ShutDown))
    }

    fn ask(&self, command: ReaderCommand) {
        let _ = self.reader.send(command);
        if self.shared.reader_ended.load(Ordering::SeqCst) {
            refuse_reads(&self.shared, &self.unread);
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.expect("a log needs its threads, and cannot start without them")
}

impl Log for DiskLog {
    fn append(&self, from: ShardId, batch: AppendBatch) {
        if batch.is_empty() {
            return;
        }
        self.shared.backlog_bytes.fetch_add(batch.bytes() as u64, Ordering::Relaxed);
        let _ = self.writer.send(Command::Append { from, batch });
        // The channel does not close as long as this log is there; but its writer may have ended.
        if self.shared.writer_ended.load(Ordering::SeqCst) {
            refuse_all(&self.shared, &self.unanswered);
        }
    }

    fn backlog_bytes(&self) -> u64 {
        self.shared.backlog_bytes.load(Ordering::Relaxed)
    }

    fn read(&self, shard: ShardId, token: u64, positions: Vec<Position>) {
        let wanted = positions.into_iter().map(|at| Wanted { at, head_bytes: None });
        self.ask(ReaderCommand::Read { shard, token, wanted: wanted.collect() });
    }

    fn read_heads(&self, shard: ShardId, token: u64, heads: Vec<(Position, u32)>) {
        let head = |(at, bytes)| Wanted { at, head_bytes: Some(bytes) };
        let wanted = heads.into_iter().map(head).collect();
        self.ask(ReaderCommand::Read { shard, token, wanted });
    }

    fn release(&self, shard: ShardId, released: &[(u32, u32)]) {
        let dead = self.shared.references.lock().release(shard, released);
        if !dead.is_empty() && self.shared.note_dead(&dead) {
            self.request_checkpoint();
        }
    }

    fn hold_bodies(&self, changes: &[(u32, i32)]) {
        let dead = self.shared.references.lock().hold(changes);
        if !dead.is_empty() && self.shared.note_dead(&dead) {
            self.request_checkpoint();
        }
    }

    fn segments(&self) -> Vec<SegmentUse> {
        self.shared.closed_segments()
    }

    fn checkpoint_part(&self, shard: ShardId, id: u64, part: CheckpointPart) {
        if self.shared.references.lock().answered(shard, id) {
            let _ = self.writer.send(Command::Part { shard, id, part });
        }
    }

    fn request_checkpoint(&self) {
        let _ = self.writer.send(Command::RequestCheckpoint);
    }

    fn heard_full(&self, _: ShardId) {
        let _ = self.writer.send(Command::HeardFull);
    }

    fn state(&self) -> LogState {
        self.shared.state.lock().clone()
    }

    fn stats(&self) -> LogStats {
        self.shared.stats()
    }

    fn shutdown(&self) {
        let Some(running) = self.running.lock().take() else { return };
        let _ = self.writer.send(Command::Stop);
        join(running.writer);
        let _ = self.maker.send(MakerCommand::Stop);
        join(running.maker);
        let _ = self.reader.send(ReaderCommand::Stop);
        join(running.reader);
        join(running.preparer);
        tracing::info!("the log has been shut down");
    }
}

impl Drop for DiskLog {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the log has panicked");
    }
}
