//! Failed writes, failed syncs, no room.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use log_api::testing::Recorder;
use log_api::{
    AppendBatch, AppendError, FRAME_HEADER_BYTES, Log, LogState, Position, RecordKind,
    SMALL_BODY_BYTES_MAX, ShardId, ShardSet,
};
use tempfile::TempDir;

use super::faulty::FaultyFiles;
use crate::frame::FrameHeader;
use crate::recovery::open_on;
use crate::segment::{SegmentHeader, segment_path};
use crate::{Config, DiskLog, OpenError, SyncMode};

const ME: ShardId = ShardId(0);

fn config(directory: &Path) -> Config {
    Config { segment_bytes: 4 << 10, reserve_bytes: 8 << 10, ..Config::new(directory, 1) }
}

/// Opens a log; gives what was replayed.
fn start(config: Config, files: &FaultyFiles) -> (Arc<DiskLog>, Arc<Recorder>, Vec<Vec<u8>>) {
    let opened = open_on(config, Arc::new(files.clone())).unwrap();
    let mut replayed = Vec::new();
    let ready = opened.replay.run(&mut |_, _, _, body| {
        replayed.push(body.to_vec());
        Ok(())
    });
    let recorder = Arc::new(Recorder::new());
    (ready.unwrap().start(Arc::clone(&recorder) as _), recorder, replayed)
}

fn record(token: u64, references: u32, bytes: usize) -> AppendBatch {
    let mut batch = AppendBatch::new();
    let notify = ShardSet::single(ME);
    batch.push(RecordKind::Publish, 0, references, notify, token, |out| {
        out.resize(out.len() + bytes, token as u8)
    });
    batch
}

#[test]
fn after_a_failed_write_or_sync_nothing_is_acknowledged_and_no_sync_is_tried_again() {
    for (sync, fail_writes) in [(SyncMode::Always, true), (SyncMode::Always, false)] {
        let (directory, files) = (TempDir::new().unwrap(), FaultyFiles::default());
        let config = Config { sync, ..config(directory.path()) };
        let (log, recorder, _) = start(config.clone(), &files);
        log.append(ME, record(1, 1, 100));
        let stored = recorder.committed(ME, 1);
        if fail_writes {
            files.fail_writes()
        } else {
            files.fail_syncs(true)
        }
        log.append(ME, record(2, 1, 100));
        recorder.failed(ME, 1);
        files.fail_syncs(false);
        log.append(ME, record(3, 1, 100));
        log.append(ME, record(4, 0, 10));
        log.request_checkpoint();
        let failed = recorder.failed(ME, 3);
        assert_eq!(failed.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [2, 3, 4]);
        let LogState::Failed { reason } = log.state() else { panic!("{}", log.state()) };
        assert!(
            failed
                .iter()
                .all(|(_, error)| *error == AppendError::Failed { reason: reason.clone() })
        );
        assert!(reason.contains("00000001.wlog") && reason.contains("os error 5"), "{reason}");
        recorder.state(ME, |state| matches!(state, LogState::Failed { .. }));
        // What was stored can be read still.
        log.read(ME, 9, vec![stored[0].position]);
        assert_eq!(recorder.read(ME, 9), [Ok(stored[0].body.clone())]);
        log.shutdown();
        assert_eq!(files.syncs_after_failure(), 0);
        assert_eq!(log.backlog_bytes(), 0);
        assert_eq!(log.stats().failed_records_total, 3);
        // What was refused does not come back.
        let (log, _, replayed) = start(config, &FaultyFiles::default());
        assert_eq!(replayed, [vec![1; 100]]);
        log.shutdown();
    }
}

#[test]
fn what_is_synced_within_an_interval_fails_as_loudly() {
    let (directory, files) = (TempDir::new().unwrap(), FaultyFiles::default());
    let sync = SyncMode::Within(Duration::from_millis(1));
    let (log, recorder, _) = start(Config { sync, ..config(directory.path()) }, &files);
    log.append(ME, record(1, 1, 100));
    recorder.committed(ME, 1);
    files.fail_syncs(true);
    log.append(ME, record(2, 1, 100));
    recorder.state(ME, |state| matches!(state, LogState::Failed { .. }));
    log.append(ME, record(3, 1, 100));
    assert_eq!(recorder.failed(ME, 1)[0].0, 3);
    log.shutdown();
    assert_eq!(files.syncs_after_failure(), 0);
}

#[test]
fn what_is_synced_within_an_interval_is_synced_at_the_end_and_before_the_next_segment() {
    let (directory, files) = (TempDir::new().unwrap(), FaultyFiles::default());
    let sync = SyncMode::Within(Duration::from_secs(3600));
    let config = Config { sync, ..config(directory.path()) };
    let (log, recorder, _) = start(config.clone(), &files);
    for n in 1..=20 {
        log.append(ME, record(n, 1, 400));
        recorder.committed(ME, n as usize);
    }
    // The power is cut: the last segment may lose all, those before nothing.
    files.cut_power_after(0);
    log.shutdown();
    files.lose_unsynced(|| false);
    let in_whole_segments =
        recorder.committed(ME, 20).iter().filter(|record| record.position.segment() < 3).count();
    let (log, recorder, replayed) = start(config.clone(), &FaultyFiles::default());
    assert_eq!(replayed.len(), in_whole_segments);
    log.append(ME, record(1, 1, 400));
    recorder.committed(ME, 1);
    log.shutdown();
    let (log, _, replayed) = start(config, &FaultyFiles::default());
    assert_eq!(replayed.len(), in_whole_segments + 1);
    log.shutdown();
}

#[test]
fn relaxed_records_are_committed_unsynced_and_synced_with_others_or_in_time() {
    let (directory, files) = (TempDir::new().unwrap(), FaultyFiles::default());
    let relaxed = |n| {
        let mut batch = record(n, 1, 100);
        batch.relax_last();
        batch
    };
    let hour = Duration::from_secs(3600);
    let late = Config { relaxed_sync_interval: hour, ..config(directory.path()) };
    let (log, recorder, _) = start(late, &files);
    log.append(ME, relaxed(1));
    recorder.committed(ME, 1);
    assert_eq!(log.stats().syncs_total, 0, "it is committed when it is written");
    let mut mixed = relaxed(2);
    mixed.push(RecordKind::Publish, 0, 1, ShardSet::single(ME), 3, |out| out.push(3));
    log.append(ME, mixed);
    recorder.committed(ME, 3);
    assert_eq!(log.stats().syncs_total, 1, "one of them must be synced");
    log.append(ME, relaxed(4));
    recorder.committed(ME, 4);
    // The power is cut: what was not synced is gone, and nothing else.
    files.cut_power_after(0);
    log.shutdown();
    files.lose_unsynced(|| false);
    let soon =
        Config { relaxed_sync_interval: Duration::from_millis(1), ..config(directory.path()) };
    let files = FaultyFiles::default();
    let (log, recorder, replayed) = start(soon, &files);
    assert_eq!(replayed.len(), 3);
    log.append(ME, relaxed(5));
    recorder.committed(ME, 1);
    while log.stats().syncs_total == 0 {
        std::thread::yield_now();
    }
    files.cut_power_after(0);
    log.shutdown();
    files.lose_unsynced(|| false);
    let (log, _, replayed) = start(config(directory.path()), &FaultyFiles::default());
    assert_eq!(replayed.len(), 4);
    log.shutdown();
}

#[test]
fn without_room_messages_are_refused_settlements_stored_and_it_recovers_by_itself() {
    let (directory, files) = (TempDir::new().unwrap(), FaultyFiles::default());
    let config = config(directory.path());
    // The first segment, the reserves of both directories, and the second segment.
    files.set_room(Some(2 * (4 << 10) + 2 * (8 << 10)));
    let (log, recorder, _) = start(config.clone(), &files);
    while !directory.path().join("state/reserve").exists() {
        std::thread::yield_now();
    }
    let mut stored = 0;
    while recorder.wait(ME, |events| {
        let of =
            |event: &&log_api::LogEvent| matches!(event, log_api::LogEvent::State(LogState::Full));
        Some(!events.iter().any(of))
    }) {
        log.append(ME, record(stored, 1, 500));
        let resolved =
            |stats: log_api::LogStats| stats.appended_records_total + stats.failed_records_total;
        while resolved(log.stats()) <= stored {
            std::thread::yield_now();
        }
        stored += 1;
    }
    stored -= 1;
    assert_eq!(stored, 2 * 7, "two segments of seven");
    assert_eq!(recorder.failed(ME, 1), [(stored, AppendError::Full)]);

    // Mixed batches lose their messages and keep their settlements, which go on in the reserve.
    let mut batch = record(100, 1, 10);
    for (token, references, bytes) in
        [(101, 0, 3000), (102, 0, SMALL_BODY_BYTES_MAX + 1), (103, 0, 3000)]
    {
        let notify = ShardSet::single(ME);
        batch.push(RecordKind::Settle, 0, references, notify, token, |out| {
            out.resize(out.len() + bytes, 9)
        });
    }
    log.append(ME, batch);
    let committed = recorder.committed(ME, stored as usize + 2).split_off(stored as usize);
    assert_eq!(committed.iter().map(|record| record.token).collect::<Vec<_>>(), [101, 103]);
    assert!(committed.iter().all(|record| record.position.segment() == 3));
    assert_eq!(recorder.failed(ME, 3)[1..], [(100, AppendError::Full), (102, AppendError::Full)]);
    assert_eq!(log.state(), LogState::Full);

    // What was appended by one who does not know yet is behind what was refused.
    files.set_room(None);
    while !segment_path(&directory.path().join("log"), 4).exists() {
        std::thread::yield_now();
    }
    log.append(ME, record(150, 1, 10));
    assert_eq!(recorder.failed(ME, 4)[3], (150, AppendError::Full));
    log.append(ME, record(151, 1, 10));
    log.heard_full(ME);
    assert_eq!(recorder.failed(ME, 5)[4], (151, AppendError::Full));
    recorder.state(ME, |state| *state == LogState::Writable);
    log.append(ME, record(200, 1, 3500));
    let last = recorder.committed(ME, stored as usize + 3).pop().unwrap();
    assert_eq!((last.token, last.position.segment()), (200, 4));
    assert_eq!(log.backlog_bytes(), 0);
    log.shutdown();
    let (log, _, replayed) = start(config, &FaultyFiles::default());
    assert_eq!(replayed.len(), stored as usize + 3);
    assert!(directory.path().join("log/reserve").exists(), "the reserve is made anew");
    log.shutdown();
}

#[test]
fn a_large_record_for_which_there_is_no_room_is_refused_alone() {
    let (directory, files) = (TempDir::new().unwrap(), FaultyFiles::default());
    files.set_room(Some(100 << 10));
    let (log, recorder, _) = start(config(directory.path()), &files);
    // What came with it is stored.
    let mut batch = record(1, 1, 200 << 10);
    batch.push(RecordKind::Session, 0, 0, ShardSet::single(ME), 3, |out| out.extend([3; 100]));
    log.append(ME, batch);
    log.append(ME, record(2, 1, 1000));
    let committed = recorder.committed(ME, 2);
    assert_eq!(committed.iter().map(|record| record.token).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(committed[0].body, [3; 100][..]);
    assert_eq!(recorder.failed(ME, 1), [(1, AppendError::Full)]);
    assert_eq!(log.state(), LogState::Writable);
    assert_eq!(log.backlog_bytes(), 0);
    log.shutdown();
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_one_before() {
    let (directory, files) = (TempDir::new().unwrap(), FaultyFiles::default());
    let (log, recorder, _) = start(config(directory.path()), &files);
    let answer = |nth, part: &[u8]| {
        log.request_checkpoint();
        let (id, _) = recorder.checkpoint_requested(ME, nth);
        let part = part.to_vec();
        log.checkpoint_part(ME, id, Box::new(|| part.into()));
    };
    answer(0, b"whole");
    // A second request is served only when the first is done with.
    log.request_checkpoint();
    let (id, _) = recorder.checkpoint_requested(ME, 1);
    files.cut_power_after(1);
    log.checkpoint_part(ME, id, Box::new(|| vec![7; 5000].into()));
    log.shutdown();
    files.lose_unsynced(|| true);
    assert_eq!(log.stats().checkpoints_total, 1);
    let opened = open_on(config(directory.path()), Arc::new(FaultyFiles::default())).unwrap();
    assert_eq!(opened.checkpoint.unwrap().parts, [b"whole"]);
}

#[test]
fn records_of_a_newer_version_are_refused_and_not_called_damaged() {
    for (kind, flags, what) in [(99, 0, "unknown kind of record 99"), (1, 4, "flags 0x04")] {
        let directory = TempDir::new().unwrap();
        let (log, recorder, _) = start(config(directory.path()), &FaultyFiles::default());
        log.append(ME, record(1, 1, 4));
        let position = recorder.committed(ME, 1)[0].position;
        log.shutdown();
        let path = segment_path(&directory.path().join("log"), 1);
        let mut bytes = fs::read(&path).unwrap();
        let salt = SegmentHeader::decode(bytes.first_chunk().unwrap(), 1, &path).unwrap().salt;
        let frame = &mut bytes[position.offset() as usize..][..32];
        let header =
            FrameHeader::parse(frame.first_chunk::<FRAME_HEADER_BYTES>().unwrap()).unwrap();
        FrameHeader { kind, flags, ..header }.seal(salt, position, frame);
        fs::write(&path, bytes).unwrap();
        let opened = open_on(config(directory.path()), Arc::new(FaultyFiles::default())).unwrap();
        let error = opened.replay.run(&mut |_, _, _, _| Ok(())).map(|_| ()).unwrap_err();
        assert!(matches!(&error, OpenError::NewerVersion { offset: 64, .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn a_visitor_that_refuses_a_record_ends_the_replay() {
    let directory = TempDir::new().unwrap();
    let (log, recorder, _) = start(config(directory.path()), &FaultyFiles::default());
    log.append(ME, record(1, 1, 4));
    recorder.committed(ME, 1);
    log.shutdown();
    let opened = open_on(config(directory.path()), Arc::new(FaultyFiles::default())).unwrap();
    let error =
        opened.replay.run(&mut |_, _, _, _| Err("not mine".into())).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, OpenError::Visit { position, .. } if *position == Position::new(1, 64)),
        "{error}"
    );
}
