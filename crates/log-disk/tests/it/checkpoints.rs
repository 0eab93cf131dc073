//! Checkpoints take the place of what lies before them, and let segments go.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log_api::{CheckpointParts, CommittedRecord, Log, Part, Position, ReadError};

use crate::harness::{
    ME, Running, batch, bodies, config, directory, replay, segments, start, wait_until,
};

/// The files of checkpoints, in order.
fn checkpoints(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("state")).unwrap().map(|entry| entry.unwrap().path());
    let is_checkpoint =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("checkpoint-");
    let mut paths = entries.filter(is_checkpoint).collect::<Vec<_>>();
    paths.sort();
    paths
}

/// Fills segments up to that one.
fn fill_to(log: &mut Running, number: u32) -> Vec<CommittedRecord> {
    let mut records = Vec::new();
    while records.last().is_none_or(|last: &CommittedRecord| last.position.segment() < number) {
        records.extend(log.append(&bodies(3, 400)));
    }
    records
}

/// Releases these records, one by one.
fn release(log: &Running, records: &[CommittedRecord]) {
    for record in records {
        log.log.release(ME, &[(record.position.segment(), 1)]);
    }
}

fn positions(records: &[CommittedRecord]) -> Vec<Position> {
    records.iter().map(|record| record.position).collect()
}

#[test]
fn segments_without_a_live_body_go_when_two_checkpoints_can_spare_them() {
    let directory = directory();
    let mut log = start(config(directory.path()));
    let records = fill_to(&mut log, 4);
    let (kept, gone): (Vec<_>, Vec<_>) = records
        .into_iter()
        .partition(|record| record.position.segment() == 2 && record.position.offset() == 64);
    assert_eq!(kept.len(), 1);
    release(&log, &gone);
    wait_until(|| segments(directory.path()) == [1, 2, 3, 4, 5]);
    log.checkpoint(0, b"first");
    assert_eq!(
        segments(directory.path()),
        [1, 2, 3, 4, 5],
        "the log must still be whole without the first checkpoint"
    );
    log.checkpoint(1, b"second");
    wait_until(|| segments(directory.path()) == [2, 4, 5]);
    wait_until(|| log.log.stats().trimmed_segments_total == 2);
    assert_eq!(log.log.stats().live_references, 1);
    log.log.read(ME, 1, vec![gone[0].position, kept[0].position]);
    let not_found = Err(ReadError::NotFound { position: gone[0].position });
    assert_eq!(log.recorder.read(ME, 1), [not_found, Ok(kept[0].body.clone())]);
    log.shutdown();

    // After a restart the last body is there still; it goes once it is released.
    let log = start(config(directory.path()));
    assert_eq!(log.checkpoint.as_ref().unwrap().parts, [b"second"]);
    assert!(log.replayed.is_empty());
    assert_eq!(log.log.stats().live_references, 1);
    log.log.read(ME, 1, positions(&kept));
    assert_eq!(log.recorder.read(ME, 1), [Ok(kept[0].body.clone())]);
    release(&log, &kept);
    log.checkpoint(0, b"third");
    log.checkpoint(1, b"fourth");
    wait_until(|| segments(directory.path()) == [4, 5]);
    assert_eq!(checkpoints(directory.path()).len(), 2);
    log.shutdown();
}

#[test]
fn what_a_part_holds_keeps_its_segment_without_a_reference() {
    let directory = directory();
    let mut log = start(config(directory.path()));
    let records = fill_to(&mut log, 4);
    let kept = records.iter().find(|record| record.position.segment() == 2).unwrap().clone();
    log.log.hold_bodies(&[(2, 1)]);
    release(&log, &records);
    let closed = log.log.segments();
    let uses = closed.iter().map(|of| (of.segment, of.references)).collect::<Vec<_>>();
    assert_eq!(uses, [(1, 0), (2, 0), (3, 0)]);
    assert_eq!(log.log.stats().live_references, 1);
    log.hold_in_checkpoint(0, &[(2, 1)]);
    log.hold_in_checkpoint(1, &[(2, 1)]);
    wait_until(|| segments(directory.path()) == [2, 4, 5]);
    log.shutdown();

    // The counts have what the part holds; the shard says anew what it holds of that.
    let (mut ready, ..) = replay(config(directory.path())).unwrap();
    ready.release(&[(2, 1)]);
    ready.hold(&[(2, 1)]);
    let recorder = std::sync::Arc::new(log_api::testing::Recorder::new());
    let log = ready.start(std::sync::Arc::clone(&recorder) as _);
    assert_eq!(log.stats().live_references, 1);
    log.read(ME, 1, vec![kept.position]);
    assert_eq!(recorder.read(ME, 1), [Ok(kept.body)]);
    log.hold_bodies(&[(2, -1)]);
    assert_eq!(log.stats().live_references, 0);
    log.shutdown();
}

/// A consumer that keeps up empties the segment that is being written again and again, which lets nothing go.
#[test]
fn a_consumer_that_keeps_up_asks_for_no_checkpoints() {
    let directory = directory();
    let config = log_disk::Config { checkpoint_every_bytes: 40 << 10, ..config(directory.path()) };
    let mut log = start(config);
    for body in bodies(40, 40) {
        let records = log.append(&[body]);
        assert_eq!(records[0].position.segment(), 1, "all in one segment of 4 KiB");
        release(&log, &records);
    }
    log.append(&bodies(1, 40));
    let is_request = |event: &&&log_api::LogEvent| {
        matches!(event, log_api::LogEvent::CheckpointRequested { .. })
    };
    let requests = log.recorder.wait(ME, |events| Some(events.iter().filter(is_request).count()));
    assert_eq!(requests, 0);
    log.shutdown();
}

#[test]
fn replay_begins_at_the_checkpoint_and_counts_references_anew() {
    let directory = directory();
    let mut log = start(config(directory.path()));
    let before = fill_to(&mut log, 2);
    log.log.request_checkpoint();
    let (id, position) = log.recorder.checkpoint_requested(ME, 0);
    // What is released before the answer is gone from the part; what is released later is found by replay.
    release(&log, &before[..4]);
    log.log.checkpoint_part(ME, id, Box::new(|| b"without four".to_vec().into()));
    release(&log, &before[4..6]);
    wait_until(|| log.log.stats().checkpoints_total == 1);
    let after = fill_to(&mut log, 3);
    log.shutdown();

    let (mut ready, checkpoint, replayed) = replay(config(directory.path())).unwrap();
    assert_eq!(
        checkpoint,
        Some(CheckpointParts { position, parts: vec![b"without four".to_vec()] })
    );
    assert_eq!(replayed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), positions(&after));
    ready.release(&[(before[4].position.segment(), 2)]);
    let log = ready.start(std::sync::Arc::new(log_api::testing::Recorder::new()));
    assert_eq!(log.stats().live_references as usize, before.len() + after.len() - 6);
    assert_eq!(log.stats().checkpoint, Some(position));
    log.shutdown();
}

#[test]
fn a_spoiled_checkpoint_gives_way_to_the_one_before() {
    let directory = directory();
    let mut log = start(config(directory.path()));
    let old = fill_to(&mut log, 3);
    let first = log.checkpoint(0, b"first");
    let more = fill_to(&mut log, 4);
    release(&log, &old);
    release(&log, &more);
    let second = log.checkpoint(1, b"second");
    // Released in the second checkpoint, live in the first: still there.
    wait_until(|| segments(directory.path()) == [1, 2, 3, 4, 5]);
    log.shutdown();
    let paths = checkpoints(directory.path());
    let whole = fs::read(&paths[1]).unwrap();

    for spoiled in
        [Vec::new(), whole[..whole.len() / 2].to_vec(), [&whole[..50], b"X", &whole[51..]].concat()]
    {
        fs::write(&paths[1], &spoiled).unwrap();
        let log = start(config(directory.path()));
        assert_eq!(log.checkpoint.as_ref().unwrap().position, first);
        assert_eq!(log.replayed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), positions(&more));
        log.log.read(ME, 1, positions(&old));
        assert!(
            log.recorder
                .read(ME, 1)
                .iter()
                .zip(&old)
                .all(|(read, old)| *read == Ok(old.body.clone()))
        );
        log.shutdown();
    }

    // Both gone: all is replayed, for nothing has been trimmed.
    let first_bytes = fs::read(&paths[0]).unwrap();
    fs::write(&paths[0], b"nothing").unwrap();
    let log = start(config(directory.path()));
    assert_eq!((log.checkpoint.clone(), log.replayed.len()), (None, old.len() + more.len()));
    log.shutdown();
    fs::write(&paths[0], first_bytes).unwrap();
    fs::write(&paths[1], whole).unwrap();
    let (_, checkpoint, replayed) = replay(config(directory.path())).unwrap();
    assert_eq!((checkpoint.unwrap().position, replayed.len()), (second, 0));
}

#[test]
fn an_unfinished_checkpoint_is_forgotten() {
    let directory = directory();
    let mut log = start(config(directory.path()));
    let records = log.append(&bodies(5, 50));
    log.checkpoint(0, b"whole");
    log.shutdown();
    let paths = checkpoints(directory.path());
    // The process ended after the file was written and before it got its name.
    let unfinished = paths[0].with_file_name("checkpoint-0000000000000002.tmp");
    fs::copy(&paths[0], &unfinished).unwrap();
    let log = start(config(directory.path()));
    assert_eq!(log.checkpoint.as_ref().unwrap().parts, [b"whole"]);
    assert!(!unfinished.exists());
    log.log.read(ME, 1, positions(&records));
    assert!(log.recorder.read(ME, 1).iter().all(Result::is_ok));
    let later = log.checkpoint(0, b"next");
    log.shutdown();
    assert_eq!(replay(config(directory.path())).unwrap().1.unwrap().position, later);
}

#[test]
fn a_segment_that_a_checkpoint_needs_is_missed() {
    let directory = directory();
    let mut log = start(config(directory.path()));
    fill_to(&mut log, 3);
    log.checkpoint(0, b"");
    log.shutdown();
    for number in [1, 3] {
        let path = crate::harness::segment(directory.path(), number);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let error = replay(config(directory.path())).map(|_| ()).unwrap_err().to_string();
        assert!(
            error.contains("damaged") && error.contains(&path.display().to_string()),
            "{error}"
        );
        fs::write(&path, whole).unwrap();
    }
    replay(config(directory.path())).unwrap();
}

#[test]
fn checkpoints_come_by_themselves_as_the_log_grows_and_as_it_empties() {
    let directory = directory();
    let config = log_disk::Config { checkpoint_every_bytes: 16 << 10, ..config(directory.path()) };
    let mut log = start(config.clone());
    let records = fill_to(&mut log, 6);
    for nth in 0..2 {
        // The first because of what was appended; when the log is empty, another, which lets the segments go.
        let (id, _) = log.recorder.checkpoint_requested(ME, nth);
        if nth == 0 {
            release(&log, &records);
        }
        log.log.checkpoint_part(ME, id, Box::new(Part::default));
    }
    wait_until(|| !segments(directory.path()).contains(&1));
    log.shutdown();
}

#[test]
fn a_record_larger_than_a_segment_gets_one_of_its_own() {
    let directory = directory();
    let mut log = start(config(directory.path()));
    let small = log.append(&bodies(1, 10));
    let large = log.append(&bodies(1, 300_000));
    let next = log.append(&bodies(1, 10));
    let sequence = [small, large, next].map(|records| records[0].clone());
    assert_eq!(sequence.clone().map(|record| record.position.segment()), [1, 2, 3]);
    log.log.read(ME, 1, positions(&sequence));
    assert!(
        log.recorder
            .read(ME, 1)
            .iter()
            .zip(&sequence)
            .all(|(read, record)| *read == Ok(record.body.clone()))
    );
    log.shutdown();
    let (_, _, replayed) = replay(config(directory.path())).unwrap();
    assert_eq!(replayed, sequence.map(|record| (record.position, record.body.to_vec())));
}

/// If that checkpoint is damaged later, the one before and the log must come to the same.
#[test]
fn a_part_is_taken_when_what_came_before_it_is_stored() {
    let directory = directory();
    let config = log_disk::Config { segment_bytes: 64 << 20, ..config(directory.path()) };
    let log = start(config);
    for nth in 0..20 {
        let before = log.log.stats().checkpoints_total;
        log.log.request_checkpoint();
        let (id, _) = log.recorder.checkpoint_requested(ME, nth);
        let appended = (nth as u64 + 1) * 200;
        log.log.append(ME, batch(&bodies(200, 4_000)));
        let this = Arc::clone(&log.log);
        let (tell, stored) = std::sync::mpsc::channel();
        log.log.checkpoint_part(
            ME,
            id,
            Box::new(move || {
                tell.send(this.stats().appended_records_total).expect("somebody hears it");
                Part::default()
            }),
        );
        assert_eq!(stored.recv().expect("a part is made"), appended, "checkpoint {nth}");
        wait_until(|| log.log.stats().checkpoints_total > before);
    }
    log.shutdown();
}
