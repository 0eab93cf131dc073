//! The suite that every log passes: the promises of [`Log`](crate::Log), one check each.
//! It must not know which log it tests.

use std::sync::Arc;

use super::Recorder;
use crate::{
    AppendBatch, AppendError, CheckpointParts, EventSink, Log, Position, ReadError, RecordKind,
    ShardId, ShardSet,
};

const SHARDS: u16 = 3;

/// A log under test, and what it is kept in.
pub trait Subject {
    /// Opens the log: empty the first time, then with what was stored. The one opened before has been shut down.
    fn open(&mut self, shards: u16, sink: Arc<dyn EventSink>) -> Opened;
}

/// A log that has just been opened, and what it found.
pub struct Opened {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The newest checkpoint.
    pub checkpoint: Option<CheckpointParts>,
    /// What was replayed after it.
    pub replayed: Vec<Replayed>,
}

/// A record that was replayed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// What it is.
    pub kind: RecordKind,
    /// Where it lies.
    pub position: Position,
    /// The slice of the durable data that it belongs to.
    pub partition: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// Runs the whole suite, each check on a subject of its own.
///
/// # Panics
/// When the log breaks a promise.
pub fn run<S: Subject>(mut subject: impl FnMut() -> S) {
    commits_reach_those_named_in_order(&mut subject());
    shards_share_one_sequence(&mut subject());
    bodies_are_read_in_the_order_of_asking(&mut subject());
    heads_are_read_without_what_follows_them(&mut subject());
    everything_committed_is_replayed(&mut subject());
    a_checkpoint_takes_the_place_of_what_lies_before(&mut subject());
    a_log_that_is_shut_down_takes_nothing(&mut subject());
}

fn open(subject: &mut impl Subject) -> (Opened, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::new());
    (subject.open(SHARDS, Arc::clone(&recorder) as Arc<dyn EventSink>), recorder)
}

fn body(token: u64) -> Vec<u8> {
    (0..token % 300).map(|n| (n ^ token) as u8).collect()
}

/// Some bodies are in two.
fn head_bytes(token: u64) -> usize {
    if token.is_multiple_of(3) { body(token).len() / 3 } else { 0 }
}

fn batch(tokens: impl IntoIterator<Item = u64>, notify: ShardSet) -> AppendBatch {
    let mut batch = AppendBatch::new();
    for token in tokens {
        let kind = RecordKind::ALL[token as usize % RecordKind::ALL.len()];
        let body = body(token);
        match head_bytes(token) {
            0 => batch.push(kind, token as u16, 1, notify, token, |out| out.extend(body)),
            head => {
                let (head, rest) = body.split_at(head);
                let write_head = |out: &mut Vec<u8>| out.extend(head);
                let write_rest = |out: &mut Vec<u8>| out.extend(rest);
                batch.push_in_two(kind, token as u16, 1, notify, token, write_head, write_rest);
            }
        }
    }
    batch
}

fn commits_reach_those_named_in_order(subject: &mut impl Subject) {
    let (Opened { log, .. }, recorder) = open(subject);
    let [me, other, silent] = [ShardId(0), ShardId(1), ShardId(2)];
    log.append(me, AppendBatch::new());
    for turn in 0..20 {
        log.append(me, batch(turn * 10..turn * 10 + 7, ShardSet::single(me).with(other)));
        log.append(me, batch(turn * 10 + 7..turn * 10 + 9, ShardSet::single(other)));
        log.append(me, batch([turn * 10 + 9], ShardSet::EMPTY));
    }
    let here = recorder.committed(me, 140);
    let there = recorder.committed(other, 180);
    assert_eq!(
        here.iter().map(|r| r.token).collect::<Vec<_>>(),
        (0..200).filter(|n| n % 10 < 7).collect::<Vec<_>>()
    );
    assert_eq!(
        there.iter().map(|r| r.token).collect::<Vec<_>>(),
        (0..200).filter(|n| n % 10 < 9).collect::<Vec<_>>()
    );
    for record in here.iter().chain(&there) {
        assert_eq!(record.from, me);
        assert_eq!(record.body, body(record.token), "{}", record.position);
        assert_eq!(record.kind, RecordKind::ALL[record.token as usize % RecordKind::ALL.len()]);
    }
    assert!(there.is_sorted_by(|a, b| a.position < b.position));
    log.shutdown();
    assert_eq!(log.backlog_bytes(), 0);
    assert_eq!(log.stats().appended_records_total, 200);
    let told_nothing = recorder.take().iter().all(|(shard, _)| *shard != silent);
    assert!(told_nothing, "a shard was told of what it was not to be told of");
}

fn shards_share_one_sequence(subject: &mut impl Subject) {
    let (Opened { log, .. }, recorder) = open(subject);
    let all = ShardSet::first(SHARDS);
    std::thread::scope(|scope| {
        for shard in all.iter() {
            let log = &log;
            scope.spawn(move || {
                for turn in 0..100 {
                    log.append(shard, batch((0..5).map(|n| turn * 5 + n), all));
                }
            });
        }
    });
    let seen = all.iter().map(|shard| recorder.committed(shard, 1500)).collect::<Vec<_>>();
    assert!(seen.iter().all(|records| *records == seen[0]), "shards saw different sequences");
    assert!(seen[0].is_sorted_by(|a, b| a.position < b.position));
    for shard in all.iter() {
        let own = seen[0].iter().filter(|record| record.from == shard).map(|record| record.token);
        assert!(own.eq(0..500), "the order of shard {} was not kept", shard.0);
    }
    log.shutdown();
}

fn bodies_are_read_in_the_order_of_asking(subject: &mut impl Subject) {
    let (Opened { log, .. }, recorder) = open(subject);
    let me = ShardId(1);
    log.append(me, batch(0..500, ShardSet::single(me)));
    let records = recorder.committed(me, 500);
    let orders: [Vec<usize>; 5] = [
        (0..500).collect(),
        (0..500).rev().collect(),
        (0..500).step_by(17).collect(),
        vec![3, 3, 499, 0, 3],
        vec![],
    ];
    for (token, order) in (70..).zip(&orders) {
        log.read(me, token, order.iter().map(|n| records[*n].position).collect());
        let read = recorder.read(me, token);
        let expected = order.iter().map(|n| Ok(records[*n].body.clone())).collect::<Vec<_>>();
        assert_eq!(read, expected);
    }
    let nowhere =
        [Position::new(9999, 64), Position::new(records[0].position.segment(), u32::MAX - 7)];
    log.read(me, 99, vec![nowhere[0], records[5].position, nowhere[1]]);
    let not_found = |position| Err(ReadError::NotFound { position });
    let expected = [not_found(nowhere[0]), Ok(records[5].body.clone()), not_found(nowhere[1])];
    assert_eq!(recorder.read(me, 99), expected);
    log.shutdown();
}

fn heads_are_read_without_what_follows_them(subject: &mut impl Subject) {
    let (Opened { log, .. }, recorder) = open(subject);
    let me = ShardId(1);
    let mut appended = batch(0..500, ShardSet::single(me));
    let head = vec![7; 10_000];
    let rest = vec![8; 100_000];
    for token in 500..510 {
        let write_head = |out: &mut Vec<u8>| out.extend_from_slice(&head);
        let write_rest = |out: &mut Vec<u8>| out.extend_from_slice(&rest);
        let (kind, notify) = (RecordKind::Publish, ShardSet::single(me));
        appended.push_in_two(kind, 0, 1, notify, token, write_head, write_rest);
    }
    log.append(me, appended);
    let records = recorder.committed(me, 510);
    let expected = records.iter().map(|record| match head_bytes(record.token) {
        _ if record.token >= 500 => record.body.slice(..head.len()),
        0 => record.body.clone(),
        bytes => record.body.slice(..bytes),
    });
    let expected = expected.map(Ok).collect::<Vec<_>>();
    let positions = records.iter().map(|record| record.position).collect::<Vec<_>>();
    // Whatever is guessed of their lengths.
    for (token, guess) in [(1, 0), (2, 1), (4, 100), (5, 10_000), (6, u32::MAX)] {
        let heads = positions.iter().map(|position| (*position, guess));
        log.read_heads(me, token, heads.collect());
        assert_eq!(recorder.read(me, token), expected);
    }
    log.read_heads(me, 7, positions.iter().rev().map(|position| (*position, 100)).collect());
    assert!(recorder.read(me, 7).iter().eq(expected.iter().rev()));
    log.read(me, 3, positions);
    let whole = records.iter().map(|record| Ok(record.body.clone())).collect::<Vec<_>>();
    assert_eq!(recorder.read(me, 3), whole);
    log.shutdown();
}

fn everything_committed_is_replayed(subject: &mut impl Subject) {
    let mut expected = Vec::new();
    for round in 0..4 {
        let (Opened { log, checkpoint, replayed }, recorder) = open(subject);
        assert_eq!(checkpoint, None);
        assert_eq!(replayed, expected, "in round {round}");
        for shard in ShardSet::first(SHARDS).iter() {
            log.append(shard, batch(round * 100..round * 100 + 30, ShardSet::single(ShardId(0))));
        }
        log.shutdown();
        for record in recorder.committed(ShardId(0), 90) {
            let partition = record.token as u16;
            let body = record.body.to_vec();
            expected.push(Replayed {
                kind: record.kind,
                position: record.position,
                partition,
                body,
            });
        }
    }
}

fn a_checkpoint_takes_the_place_of_what_lies_before(subject: &mut impl Subject) {
    let (Opened { log, .. }, recorder) = open(subject);
    let (me, all) = (ShardId(0), ShardSet::first(SHARDS));
    log.append(me, batch(0..50, ShardSet::single(me)));
    let before = recorder.committed(me, 50);
    log.request_checkpoint();
    let (id, position) = recorder.checkpoint_requested(me, 0);
    log.append(me, batch(50..80, ShardSet::single(me)));
    let after = recorder.committed(me, 80).split_off(50);
    assert!(before.iter().all(|record| record.position < position));
    assert!(after.iter().all(|record| record.position >= position));
    for shard in all.iter() {
        assert_eq!(recorder.checkpoint_requested(shard, 0), (id, position));
        log.checkpoint_part(shard, id + 7, Box::new(|| b"of another checkpoint".to_vec().into()));
        let part = vec![shard.0 as u8; 100_000 * usize::from(shard.0)];
        log.checkpoint_part(shard, id, Box::new(|| part.into()));
    }
    log.shutdown();
    assert_eq!(log.stats().checkpoints_total, 1);

    let (Opened { log, checkpoint, replayed }, recorder) = open(subject);
    let parts =
        all.iter().map(|shard| vec![shard.0 as u8; 100_000 * usize::from(shard.0)]).collect();
    assert_eq!(checkpoint, Some(CheckpointParts { position, parts }));
    let tokens = replayed.iter().map(|record| u64::from(record.partition)).collect::<Vec<_>>();
    assert_eq!(tokens, (50..80).collect::<Vec<_>>());
    // What lies before the checkpoint and is still referenced can be read.
    log.read(me, 1, before.iter().map(|record| record.position).collect());
    let expected = before.iter().map(|record| Ok(record.body.clone())).collect::<Vec<_>>();
    assert_eq!(recorder.read(me, 1), expected);
    log.shutdown();
}

fn a_log_that_is_shut_down_takes_nothing(subject: &mut impl Subject) {
    let (Opened { log, .. }, recorder) = open(subject);
    let me = ShardId(2);
    log.append(me, batch([1], ShardSet::single(me)));
    log.shutdown();
    log.shutdown();
    assert_eq!(recorder.committed(me, 1).len(), 1);
    log.append(me, batch([2, 3], ShardSet::single(me)));
    log.read(me, 5, vec![Position::new(1, 64)]);
    log.request_checkpoint();
    assert_eq!(recorder.failed(me, 2), [(2, AppendError::ShutDown), (3, AppendError::ShutDown)]);
    assert_eq!(recorder.read(me, 5), [Err(ReadError::ShutDown)]);
    let (Opened { log, replayed, .. }, _) = open(subject);
    assert_eq!(replayed.len(), 1);
    log.shutdown();
}
