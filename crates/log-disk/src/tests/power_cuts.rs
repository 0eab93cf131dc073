//! Random lives of a log, each ended by a power cut, against a list of what was appended.

use std::sync::Arc;

use log_api::testing::Recorder;
use log_api::{AppendBatch, Log, LogEvent, LogState, RecordKind, ShardId, ShardSet};
use proptest::prelude::*;
use tempfile::TempDir;

use super::faulty::FaultyFiles;
use crate::Config;
use crate::recovery::open_on;

const ME: ShardId = ShardId(0);

/// What is done in one life.
#[derive(Clone, Debug)]
enum Step {
    /// Append a batch of bodies of these lengths.
    Append(Vec<usize>),
    /// Wait until all is committed or failed.
    Wait,
    /// Make a checkpoint.
    Checkpoint,
}

/// One life, how many operations of the disk it lasts, and what the power cut leaves of what was not synced.
#[derive(Clone, Debug)]
struct Life {
    steps: Vec<Step>,
    operations: usize,
    leaves: Vec<bool>,
}

fn life() -> impl Strategy<Value = Life> {
    let length = prop_oneof![6 => 0..300_usize, 3 => 300..1500_usize, 1 => 1500..9000_usize];
    let step = prop_oneof![
        5 => prop::collection::vec(length, 1..6).prop_map(Step::Append),
        3 => Just(Step::Wait),
        1 => Just(Step::Checkpoint),
    ];
    let leaves = prop::collection::vec(any::<bool>(), 1..20);
    (prop::collection::vec(step, 1..30), 0..60_usize, leaves)
        .prop_map(|(steps, operations, leaves)| Life { steps, operations, leaves })
}

/// A body that no other record has.
fn body(number: usize, bytes: usize) -> Vec<u8> {
    let pattern = (0..bytes).map(|at| (number.wrapping_mul(31) + at) as u8);
    (number as u64).to_le_bytes().into_iter().chain(pattern).collect()
}

/// What a log has been told so far.
struct Told {
    committed: usize,
    failed: usize,
    checkpoints: Vec<u64>,
    is_failed: bool,
}

fn told(recorder: &Recorder, until: impl Fn(&Told) -> bool) -> Told {
    recorder.wait(ME, |events| {
        let mut told = Told { committed: 0, failed: 0, checkpoints: Vec::new(), is_failed: false };
        for event in events {
            match event {
                LogEvent::Committed(records) => told.committed += records.len(),
                LogEvent::Failed { records, .. } => told.failed += records.len(),
                LogEvent::CheckpointRequested { id, .. } => told.checkpoints.push(*id),
                LogEvent::State(LogState::Failed { .. }) => told.is_failed = true,
                LogEvent::State(_) | LogEvent::Read { .. } => {}
            }
        }
        until(&told).then_some(told)
    })
}

/// The world outside the log.
struct World {
    directory: TempDir,
    /// Bodies in the order of appending; those that a power cut took are taken out.
    appended: Vec<Vec<u8>>,
    /// So many of them were acknowledged.
    acknowledged: usize,
}

impl World {
    /// Opens the log, checks what it found, lives one life, and cuts the power.
    fn live(&mut self, life: &Life) {
        let files = FaultyFiles::default();
        let config = Config {
            segment_bytes: 4 << 10,
            reserve_bytes: 4 << 10,
            group_bytes_max: 2 << 10,
            checkpoint_every_bytes: 1 << 40,
            ..Config::new(self.directory.path(), 1)
        };
        let opened = open_on(config, Arc::new(files.clone())).expect("the log opens");
        let part = opened.checkpoint.map_or(0, |checkpoint| {
            let part = checkpoint.parts[0].as_slice().try_into().expect("a part is a number");
            u64::from_le_bytes(part) as usize
        });
        let mut found = Vec::new();
        let ready = opened.replay.run(&mut |_, _, _, body| {
            found.push(body.to_vec());
            Ok(())
        });
        let end = part + found.len();
        assert!(
            end >= self.acknowledged,
            "{end} of {} acknowledged records found",
            self.acknowledged
        );
        assert!(end <= self.appended.len(), "more found than was appended");
        assert_eq!(found, self.appended[part..end]);
        self.appended.truncate(end);

        let recorder = Arc::new(Recorder::new());
        let log = ready.expect("the log replays").start(Arc::clone(&recorder) as _);
        files.cut_power_after(life.operations);
        let mut checkpoints = 0;
        for step in &life.steps {
            let sent = self.appended.len() - end;
            match step {
                Step::Append(lengths) => log.append(ME, self.batch(lengths)),
                Step::Wait => drop(told(&recorder, |told| told.committed + told.failed == sent)),
                Step::Checkpoint => {
                    log.request_checkpoint();
                    // Requests that come while one is in the making become one.
                    let told = told(&recorder, |told| {
                        told.checkpoints.len() > checkpoints || told.is_failed
                    });
                    if let Some(id) = told.checkpoints.get(checkpoints) {
                        // Nothing is appended between the request and the answer, so what is told by now lies before.
                        let before = self.committed_before(&recorder, *id) + end;
                        let part = (before as u64).to_le_bytes().to_vec();
                        log.checkpoint_part(ME, *id, Box::new(|| part.into()));
                        checkpoints += 1;
                    } else {
                        break;
                    }
                }
            }
        }
        files.cut_power_after(0);
        log.shutdown();
        self.acknowledged = end + told(&recorder, |_| true).committed;
        drop(log);
        let mut leaves = life.leaves.iter().cycle();
        files.lose_unsynced(|| *leaves.next().expect("a cycle goes on"));
    }

    fn batch(&mut self, lengths: &[usize]) -> AppendBatch {
        let mut batch = AppendBatch::new();
        for length in lengths {
            let body = body(self.appended.len(), *length);
            let notify = ShardSet::single(ME);
            batch.push(RecordKind::Publish, 0, 1, notify, 0, |out| out.extend_from_slice(&body));
            self.appended.push(body);
        }
        batch
    }

    /// How many records the shard was told of before that checkpoint was asked for.
    fn committed_before(&self, recorder: &Recorder, id: u64) -> usize {
        recorder.wait(ME, |events| {
            let mut committed = 0;
            for event in events {
                match event {
                    LogEvent::Committed(records) => committed += records.len(),
                    LogEvent::CheckpointRequested { id: requested, .. } if *requested == id => {
                        return Some(committed);
                    }
                    _ => {}
                }
            }
            None
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_acknowledged_is_found_in_order_after_power_cuts(lives in prop::collection::vec(life(), 1..5)) {
        let mut world = World { directory: TempDir::new().unwrap(), appended: Vec::new(), acknowledged: 0 };
        for life in &lives {
            world.live(life);
        }
        world.live(&Life { steps: Vec::new(), operations: 1000, leaves: vec![true] });
    }
}
