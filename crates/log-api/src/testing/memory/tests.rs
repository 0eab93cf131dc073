use std::sync::Arc;

use super::*;
use crate::testing::Recorder;
use crate::testing::conformance::{self, Opened, Replayed, Subject};

impl Subject for MemoryStore {
    fn open(&mut self, shards: u16, sink: Arc<dyn EventSink>) -> Opened {
        let mut replayed = Vec::new();
        self.replay(&mut |kind, position, partition, body| {
            replayed.push(Replayed { kind, position, partition, body: body.to_vec() });
            Ok(())
        })
        .expect("memory replays");
        Opened {
            checkpoint: self.checkpoint(),
            replayed,
            log: MemoryStore::open(self, shards, sink),
        }
    }
}

#[test]
fn it_keeps_the_promises_of_a_log() {
    conformance::run(MemoryStore::new);
}

fn one(token: u64, references: u32) -> AppendBatch {
    let mut batch = AppendBatch::new();
    let notify = ShardSet::single(ShardId(0));
    batch.push(RecordKind::Publish, 0, references, notify, token, |out| out.push(token as u8));
    batch
}

#[test]
fn it_holds_commits_until_told() {
    let recorder = Arc::new(Recorder::new());
    let log = MemoryStore::new().open(1, Arc::clone(&recorder) as Arc<dyn EventSink>);
    log.hold();
    log.append(ShardId(0), one(1, 1));
    assert_eq!(log.backlog_bytes(), 32);
    assert!(recorder.take().is_empty());
    log.commit();
    assert_eq!(recorder.committed(ShardId(0), 1)[0].token, 1);
    assert_eq!(log.backlog_bytes(), 0);
}

#[test]
fn it_is_full_or_failed_when_told() {
    let recorder = Arc::new(Recorder::new());
    let log = MemoryStore::new().open(1, Arc::clone(&recorder) as Arc<dyn EventSink>);
    log.set_state(LogState::Full);
    let mut batch = one(1, 1);
    batch.push(RecordKind::Settle, 0, 0, ShardSet::single(ShardId(0)), 2, |_| {});
    log.append(ShardId(0), batch);
    assert_eq!(recorder.failed(ShardId(0), 1), [(1, AppendError::Full)]);
    assert_eq!(recorder.committed(ShardId(0), 1)[0].token, 2);
    let reason = "no such luck".to_owned();
    log.set_state(LogState::Failed { reason: reason.clone() });
    log.append(ShardId(0), one(3, 0));
    assert_eq!(recorder.failed(ShardId(0), 2)[1], (3, AppendError::Failed { reason }));
    log.set_state(LogState::Writable);
    log.append(ShardId(0), one(4, 1));
    assert_eq!(recorder.committed(ShardId(0), 2)[1].token, 4);
}

#[test]
fn a_damaged_body_is_not_handed_out() {
    let (store, recorder) = (MemoryStore::new(), Arc::new(Recorder::new()));
    let log = store.open(1, Arc::clone(&recorder) as Arc<dyn EventSink>);
    log.append(ShardId(0), one(1, 1));
    let position = recorder.committed(ShardId(0), 1)[0].position;
    store.damage(position);
    log.read(ShardId(0), 0, vec![position]);
    assert!(matches!(recorder.read(ShardId(0), 0)[..], [Err(ReadError::Damaged { .. })]));
}

#[test]
fn segments_that_two_checkpoints_can_spare_go() {
    let (store, recorder) = (MemoryStore::new(), Arc::new(Recorder::new()));
    store.roll_after(2);
    let log = store.open(1, Arc::clone(&recorder) as Arc<dyn EventSink>);
    for token in 0..7 {
        log.append(ShardId(0), one(token, u32::from(token == 0)));
    }
    log.hold_bodies(&[(2, 1)]);
    assert_eq!((log.references(), log.held()), (1, 1));
    let uses: Vec<_> = log.segments().iter().map(|of| (of.segment, of.references)).collect();
    assert_eq!(uses, [(1, 1), (2, 0), (3, 0)]);
    for nth in 0..2 {
        assert_eq!(store.segments(), [1, 2, 3, 4]);
        log.request_checkpoint();
        let (id, _) = recorder.checkpoint_requested(ShardId(0), nth);
        let part = Part { bytes: Vec::new(), held: vec![(2, 1)] };
        log.checkpoint_part(ShardId(0), id, Box::new(|| part));
    }
    assert_eq!(store.segments(), [1, 2, 4], "a body of 1 is live, one of 2 is held");
}
