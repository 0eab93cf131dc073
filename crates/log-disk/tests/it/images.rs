//! What a backup copies: all that had been committed when it began, whatever the log does meanwhile.

use std::fs;
use std::path::Path;

use log_api::{CommittedRecord, Log, Position};
use log_disk::{Image, OpenError};

use crate::harness::{
    ME, Replayed, bodies, config, directory, replay, segment, segments, start, wait_until,
};

/// Copies an image as a restore lays it down: each file filled up with zeros.
fn copy(mut image: Image, to: &Path) -> Result<usize, OpenError> {
    for folder in ["log", "state"] {
        fs::create_dir_all(to.join(folder)).unwrap();
    }
    let mut files = 0;
    while let Some(file) = image.next_file() {
        let file = file?;
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < file.bytes {
            bytes.extend(file.read(bytes.len() as u64, 1000)?);
        }
        bytes.resize(file.file_bytes as usize, 0);
        fs::write(to.join(&file.name), bytes).unwrap();
        files += 1;
    }
    Ok(files)
}

fn as_replayed(records: &[CommittedRecord]) -> Replayed {
    records.iter().map(|record| (record.position, record.body.to_vec())).collect()
}

#[test]
fn an_image_has_all_that_was_committed_before_it_and_nothing_that_came_later() {
    let (directory, copied) = (directory(), directory());
    let mut log = start(config(directory.path()));
    let mut before = Vec::new();
    for _ in 0..20 {
        before.extend(log.append(&bodies(3, 300)));
    }
    let image = log.log.image().unwrap();
    let last = before.last().unwrap().position;
    assert_eq!(image.end(), Position::new(last.segment(), last.offset() + 328));
    assert!(image.bytes() > 20 * 3 * 300);
    // What comes later lies in the same segment and in others.
    for _ in 0..20 {
        log.append(&bodies(3, 300));
    }
    copy(image, copied.path()).unwrap();
    log.shutdown();
    let (_, checkpoint, replayed) = replay(config(copied.path())).unwrap();
    assert_eq!(checkpoint, None);
    assert_eq!(replayed, as_replayed(&before));
    // The copy is a log like any other.
    let mut log = start(config(copied.path()));
    let more = log.append(&bodies(1, 40));
    assert_eq!(more[0].position, Position::new(last.segment(), last.offset() + 328));
    log.shutdown();
}

#[test]
fn an_image_keeps_what_is_trimmed_while_it_is_copied() {
    let (directory, copied) = (directory(), directory());
    let mut log = start(config(directory.path()));
    let mut records = log.append(&bodies(1, 100));
    while records.last().unwrap().position.segment() < 4 {
        records.extend(log.append(&bodies(2, 500)));
    }
    log.checkpoint(0, b"the first");
    let after = log.append(&bodies(2, 100));
    let mut image = log.log.image().unwrap();
    let checkpoint = image.next_file().unwrap().unwrap();
    assert!(checkpoint.name.starts_with("state/checkpoint-"), "{}", checkpoint.name);
    drop(image);

    let image = log.log.image().unwrap();
    // All bodies are released, and checkpoints let go of what they can.
    let held = records.iter().chain(&after).map(|record| (record.position.segment(), 1));
    log.log.release(ME, &held.collect::<Vec<_>>());
    for nth in 1..4 {
        log.append(&bodies(2, 1800));
        log.checkpoint(nth, b"a later one");
    }
    assert_eq!(segments(directory.path())[..4], [1, 2, 3, 4], "they are pinned");
    copy(image, copied.path()).unwrap();
    log.append(&bodies(2, 1800));
    log.checkpoint(4, b"the last");
    wait_until(|| !segment(directory.path(), 4).exists());
    log.shutdown();
    let (_, checkpoint, replayed) = replay(config(copied.path())).unwrap();
    assert_eq!(checkpoint.unwrap().parts, [b"the first"]);
    assert_eq!(replayed, as_replayed(&after));
    assert_eq!(segments(copied.path()), [1, 2, 3, 4]);
}

#[test]
fn what_nobody_needs_is_not_copied() {
    let (directory, copied) = (directory(), directory());
    let mut log = start(config(directory.path()));
    let mut records = Vec::new();
    while records.last().is_none_or(|last: &CommittedRecord| last.position.segment() < 4) {
        records.extend(log.append(&bodies(2, 500)));
    }
    let held = |segment| {
        records.iter().filter(move |record| record.position.segment() == segment).count() as u32
    };
    log.log.release(ME, &[(1, held(1)), (3, held(3))]);
    log.checkpoint(0, b"two and four are live");
    copy(log.log.image().unwrap(), copied.path()).unwrap();
    log.shutdown();
    assert_eq!(segments(copied.path()), [2, 4]);
    let log = start(config(copied.path()));
    let second = records.iter().filter(|record| record.position.segment() == 2);
    let second: Vec<_> = second.collect();
    log.log.read(ME, 1, second.iter().map(|record| record.position).collect());
    for (read, written) in log.recorder.read(ME, 1).into_iter().zip(second) {
        assert_eq!(read.as_ref(), Ok(&written.body));
    }
    log.shutdown();
}

#[test]
fn what_is_damaged_is_not_copied() {
    let directory = directory();
    let mut log = start(config(directory.path()));
    let mut records = Vec::new();
    while records.last().is_none_or(|last: &CommittedRecord| last.position.segment() < 2) {
        records.extend(log.append(&bodies(2, 500)));
    }
    log.checkpoint(0, b"all");
    let path = segment(directory.path(), 1);
    let whole = fs::read(&path).unwrap();
    let state = fs::read_dir(directory.path().join("state")).unwrap();
    let checkpoint = state
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("checkpoint-"));
    let refuse = |file: &Path, offset: u64| {
        let copied = crate::harness::directory();
        let error = copy(log.log.image().unwrap(), copied.path()).unwrap_err();
        let OpenError::Damaged(damage) = &error else { panic!("{error}") };
        assert_eq!((damage.file.as_path(), damage.offset), (file, offset), "{error}");
    };
    let victim = records[1].position.offset() as usize;
    for (byte, offset) in [(victim + 40, victim), (victim, victim), (whole.len() - 8, 4032)] {
        let mut flipped = whole.clone();
        flipped[byte] ^= 1;
        fs::write(&path, &flipped).unwrap();
        let last = records.iter().rfind(|record| record.position.segment() == 1).unwrap();
        let end = u64::from(last.position.offset()) + 528;
        if offset == 4032 {
            // Of a segment that this process wrote it is known where it ends: what lies there is not copied.
            assert!(end < 4088);
            let copied = crate::harness::directory();
            copy(log.log.image().unwrap(), copied.path()).unwrap();
        } else {
            refuse(&path, offset as u64);
        }
    }
    fs::write(&path, &whole).unwrap();
    let checkpoint = checkpoint.unwrap();
    let mut bytes = fs::read(&checkpoint).unwrap();
    bytes[20] ^= 4;
    fs::write(&checkpoint, &bytes).unwrap();
    refuse(&checkpoint, bytes.len() as u64 - 4);
    log.shutdown();
}

#[test]
fn a_log_that_is_shut_down_has_no_image() {
    let directory = directory();
    let log = start(config(directory.path()));
    log.log.shutdown();
    let error = log.log.image().unwrap_err();
    assert_eq!(error.to_string(), "the log has been shut down");
}
