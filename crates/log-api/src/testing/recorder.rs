//! A sink that keeps what it is told, for tests to wait on. It must not know which log tells it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use crate::{
    AppendError, CommittedRecord, EventSink, LogEvent, LogState, Position, ReadError, ShardId,
};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A sink that keeps every event of every shard.
#[derive(Default)]
pub struct Recorder {
    told: Mutex<Vec<(ShardId, LogEvent)>>,
    came: Condvar,
}

impl EventSink for Recorder {
    fn deliver(&self, shard: ShardId, event: LogEvent) {
        self.told.lock().push((shard, event));
        self.came.notify_all();
    }
}

impl Recorder {
    /// A sink that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until `found` finds something in what the shard has been told.
    ///
    /// # Panics
    /// When it does not within half a minute.
    pub fn wait<T>(&self, shard: ShardId, mut found: impl FnMut(&[&LogEvent]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut told = self.told.lock();
        loop {
            let events = told
                .iter()
                .filter(|(to, _)| *to == shard)
                .map(|(_, event)| event)
                .collect::<Vec<_>>();
            if let Some(result) = found(&events) {
                return result;
            }
            let timed_out = self.came.wait_until(&mut told, deadline).timed_out();
            assert!(!timed_out, "shard {} waits in vain; it was told {:?}", shard.0, told);
        }
    }

    /// The first so many records that the shard was told of, in order.
    pub fn committed(&self, shard: ShardId, at_least: usize) -> Vec<CommittedRecord> {
        self.wait(shard, |events| {
            let committed = |event: &&LogEvent| match event {
                LogEvent::Committed(records) => Some(records.clone()),
                _ => None,
            };
            let records = events.iter().filter_map(committed).flatten().collect::<Vec<_>>();
            (records.len() >= at_least).then_some(records)
        })
    }

    /// The tokens of at least so many failed records, each with its error.
    pub fn failed(&self, shard: ShardId, at_least: usize) -> Vec<(u64, AppendError)> {
        self.wait(shard, |events| {
            let failed = events.iter().filter_map(|event| match event {
                LogEvent::Failed { records, error } => {
                    Some(records.iter().map(|record| (record.token, error.clone())))
                }
                _ => None,
            });
            let failed = failed.flatten().collect::<Vec<_>>();
            (failed.len() >= at_least).then_some(failed)
        })
    }

    /// The answer to the read with that token.
    pub fn read(&self, shard: ShardId, token: u64) -> Vec<Result<Bytes, ReadError>> {
        self.wait(shard, |events| {
            events.iter().find_map(|event| match event {
                LogEvent::Read { token: answered, records } if *answered == token => {
                    Some(records.clone())
                }
                _ => None,
            })
        })
    }

    /// The `nth` checkpoint that the shard was asked for, counted from 0.
    pub fn checkpoint_requested(&self, shard: ShardId, nth: usize) -> (u64, Position) {
        self.wait(shard, |events| {
            let requested = |event: &&LogEvent| match event {
                LogEvent::CheckpointRequested { id, position } => Some((*id, *position)),
                _ => None,
            };
            events.iter().filter_map(requested).nth(nth)
        })
    }

    /// Waits until the shard has been told of a state that `is` accepts.
    pub fn state(&self, shard: ShardId, is: impl Fn(&LogState) -> bool) {
        self.wait(shard, |events| {
            events
                .iter()
                .any(|event| matches!(event, LogEvent::State(state) if is(state)))
                .then_some(())
        });
    }

    /// Forgets what came so far and gives it back.
    pub fn take(&self) -> Vec<(ShardId, LogEvent)> {
        std::mem::take(&mut self.told.lock())
    }
}
