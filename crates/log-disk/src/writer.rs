//! The thread that appends: takes what has come from all shards, writes it as one group, syncs once, tells each shard once.
//! It must not know what bodies mean.
//!
//! ```text
//!              a next segment, or room again and all shards know
//!            ┌───────────────────────────────┐
//!            ▼                               │
//!   ┌─► Writable ── no room for a segment ─► Full      small records without references go on, into the reserve
//!   │        │                               │
//! start      └── a write or a sync fails ────┴─► Failed      for good: nobody knows what is on the disk
//! ```

mod checkpoints;
mod group;
mod rolling;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use log_api::{AppendBatch, AppendError, FailedRecord, LogEvent, LogState, ShardId};

use crate::checkpoint::MakerCommand;
use crate::command::Command;
use crate::config::{Config, SyncMode};
use crate::host::Host;
use crate::preparer::{Preparer, Workshop};
use crate::segments::Writable;
use crate::shared::Shared;

pub(crate) use checkpoints::Checkpoints;

/// How often a full log looks whether there is room again.
const ROOM_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// The thread that appends.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) config: Config,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) maker: Sender<MakerCommand>,
    pub(crate) workshop: Workshop,
    pub(crate) preparer: Preparer,
    pub(crate) current: Writable,
    /// Where the next frame goes.
    pub(crate) end: u32,
    /// All before it, in the current segment, is synced.
    pub(crate) synced_to: u32,
    pub(crate) next_index: u64,
    pub(crate) waiting: VecDeque<Waiting>,
    /// When the oldest write that is not synced was made.
    pub(crate) unsynced_since: Option<Duration>,
    /// So many shards do not know yet that the log is full.
    pub(crate) unaware_shards: u16,
    pub(crate) checkpoints: Checkpoints,
    /// Parts of a checkpoint that have come in this turn.
    pub(crate) parts: Vec<MakerCommand>,
}

/// A batch that has been taken from the channel.
pub(crate) struct Waiting {
    from: ShardId,
    batch: AppendBatch,
    /// What it counts in the backlog, which may be more than is left of it.
    backlog_bytes: u64,
}

impl Writer {
    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        self.begin();
        loop {
            let first = match self.patience() {
                None => self.commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(patience) => self.commands.recv_timeout(patience),
            };
            let stop = match first {
                Ok(command) => self.turn(Some(command)),
                Err(RecvTimeoutError::Timeout) => self.turn(None),
                Err(RecvTimeoutError::Disconnected) => self.turn(Some(Command::Stop)),
            };
            if stop {
                return;
            }
        }
    }

    /// What is done before the first turn.
    pub(crate) fn begin(&mut self) {
        self.preparer.ask(self.current.segment.number + 1, self.host.now());
    }

    /// Takes one turn without waiting, if there is something to do. Says whether there was.
    pub(crate) fn step(&mut self) -> bool {
        let first = self.commands.try_recv().ok();
        let is_due = first.is_some()
            || self.patience().is_some_and(|patience| patience.is_zero())
            || self.is_full() && self.host.now() >= self.preparer.asked_at() + ROOM_CHECK_INTERVAL;
        if is_due {
            self.turn(first);
        }
        is_due
    }

    /// One turn: takes what has come, stores it as one group, tells the shards. Says whether it was the last.
    fn turn(&mut self, first: Option<Command>) -> bool {
        let stop = self.gather(first);
        self.look_for_room();
        self.commit_waiting();
        self.hand_on_parts();
        self.sync_when_due(stop);
        self.checkpoint_when_due();
        stop
    }

    /// Takes all commands that are there, up to a group's worth. Says whether it is the end.
    fn gather(&mut self, mut next: Option<Command>) -> bool {
        let mut bytes = 0;
        while let Some(command) = next {
            match command {
                Command::Append { from, batch } => {
                    bytes += batch.bytes();
                    let backlog_bytes = batch.bytes() as u64;
                    self.waiting.push_back(Waiting { from, batch, backlog_bytes });
                }
                Command::RequestCheckpoint => self.checkpoints.request(),
                Command::Part { shard, id, part } => {
                    self.parts.push(MakerCommand::Part { shard, id, part });
                }
                Command::CheckpointDone { another } => self.checkpoints.done(another),
                Command::HeardFull => {
                    // What came before it was appended by one who did not know.
                    if self.is_full() {
                        self.keep_small();
                    }
                    self.unaware_shards = self.unaware_shards.saturating_sub(1);
                }
                Command::Prepared => {}
                Command::Stop => return true,
            }
            next = if bytes < self.config.group_bytes_max as usize {
                self.commands.try_recv().ok()
            } else {
                None
            };
        }
        false
    }

    /// How long there is nothing to do but to wait for commands.
    fn patience(&self) -> Option<Duration> {
        let left = |since: Duration| (since + self.sync_interval()).saturating_sub(self.host.now());
        let sync = self.unsynced_since.map(left);
        let room = self.is_full().then_some(ROOM_CHECK_INTERVAL);
        sync.into_iter().chain(room).min()
    }

    fn commit_waiting(&mut self) {
        while !self.waiting.is_empty() {
            match self.make_room() {
                Ok(()) => self.write_group(),
                Err(error) => self.refuse_first(error),
            }
        }
    }

    /// How long what was committed when it was written may wait to be synced.
    const fn sync_interval(&self) -> Duration {
        match self.config.sync {
            SyncMode::Always => self.config.relaxed_sync_interval,
            SyncMode::Within(interval) => interval,
        }
    }

    /// Parts of checkpoints go to their maker when what they tell of is in the log: should the checkpoint be damaged later, the
    /// one before and the log come to the same.
    fn hand_on_parts(&mut self) {
        if self.parts.is_empty() {
            return;
        }
        if let Err(error) = self.sync() {
            self.fail("sync", &error);
        }
        for part in self.parts.drain(..) {
            let _ = self.maker.send(part);
        }
    }

    /// Syncs what was written, when its time has come.
    fn sync_when_due(&mut self, stop: bool) {
        let is_due = self
            .unsynced_since
            .is_some_and(|since| stop || self.host.now() >= since + self.sync_interval());
        if is_due && let Err(error) = self.sync() {
            self.fail("sync", &error);
        }
    }

    /// Syncs the current segment.
    fn sync(&mut self) -> io::Result<()> {
        if self.unsynced_since.is_some() && !self.is_failed() {
            let synced = self.current.open.sync();
            // What is counted is over, so that who sees the count may rely on it.
            self.shared.totals.syncs.add(1);
            synced?;
            self.unsynced_since = None;
            self.synced_to = self.end;
        }
        Ok(())
    }

    /// Takes nothing more: after a failed write or sync nobody knows what is on the disk, and asking again would not tell.
    fn fail(&mut self, action: &str, error: &io::Error) -> AppendError {
        let reason = format!("cannot {action} {}: {error}", self.current.open.path.display());
        tracing::error!(
            reason,
            "the log has failed: nothing is stored until the process is started anew"
        );
        self.unsynced_since = None;
        self.shared.set_state(LogState::Failed { reason: reason.clone() });
        AppendError::Failed { reason }
    }

    fn is_full(&self) -> bool {
        *self.shared.state.lock() == LogState::Full
    }

    fn is_failed(&self) -> bool {
        matches!(*self.shared.state.lock(), LogState::Failed { .. })
    }

    /// Tells the appender of the first batch that waits that it is not stored.
    fn refuse_first(&mut self, error: AppendError) {
        let Some(Waiting { from, batch, backlog_bytes }) = self.waiting.pop_front() else { return };
        self.shared.backlog_bytes.fetch_sub(backlog_bytes, Ordering::Relaxed);
        refuse(&self.shared, from, batch.into_failed(), error);
    }
}

impl Drop for Writer {
    /// Nothing is taken any more; who appended while the end came is told so.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fail("append to", &io::Error::other("the writing thread has panicked"));
        }
        self.shared.writer_ended.store(true, Ordering::SeqCst);
        while !self.waiting.is_empty() {
            self.refuse_first(AppendError::ShutDown);
        }
        refuse_all(&self.shared, &self.commands);
    }
}

/// Tells an appender that records are not stored.
pub(crate) fn refuse(
    shared: &Shared,
    from: ShardId,
    records: Vec<FailedRecord>,
    error: AppendError,
) {
    if !records.is_empty() {
        shared.totals.failed_records.add(records.len() as u64);
        shared.deliver(from, LogEvent::Failed { records, error });
    }
}

/// Refuses what has been sent to a writer that has ended. Whoever takes a command from the channel answers it, so it is
/// answered once.
pub(crate) fn refuse_all(shared: &Shared, commands: &Receiver<Command>) {
    while let Ok(command) = commands.try_recv() {
        if let Command::Append { from, batch } = command {
            shared.backlog_bytes.fetch_sub(batch.bytes() as u64, Ordering::Relaxed);
            refuse(shared, from, batch.into_failed(), AppendError::ShutDown);
        }
    }
}
