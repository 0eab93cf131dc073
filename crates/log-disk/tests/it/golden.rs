//! Files of each version of the format that was ever written are read, and the log goes on behind them.
//!
//! `tests/golden/v<n>` holds the files of a data directory as version n wrote them. They are never written again: a new format
//! gets a directory of its own. `WEIR_WRITE_GOLDEN=1` writes the one of the present version, when there is none.

use std::fs;
use std::path::{Path, PathBuf};

use log_api::{AppendBatch, Log, Position, ReadError, RecordKind, ShardSet};
use log_disk::Config;
use log_disk::at_rest::{AtRest, NewCheckpoint};

use crate::harness::{ME, config, directory, replay, segment, segments, start};

/// The version of the format that is written now.
const PRESENT: u32 = 2;

fn golden(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}"))
}

fn config_of_golden(directory: &Path) -> Config {
    Config { reserve_bytes: 0, ..config(directory) }
}

/// The body of a record of that kind.
fn body(kind: RecordKind, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| kind.number() ^ at as u8).collect()
}

/// A record with a head, which version 2 brought.
const HEAD: [u8; 5] = *b"head ";
const REST: [u8; 8] = *b"and rest";

/// One record of each kind, of different lengths, with as many references as its number says, and one in two.
fn one_of_each() -> AppendBatch {
    let mut batch = AppendBatch::new();
    for (n, kind) in RecordKind::ALL.into_iter().enumerate().filter(|(_, kind)| kind.number() <= 7)
    {
        let notify = ShardSet::single(ME);
        let partition = n as u16 * 100;
        batch.push(kind, partition, n as u32, notify, 0, |out| {
            out.extend(body(kind, n * 211));
        });
    }
    let write_head = |out: &mut Vec<u8>| out.extend(HEAD);
    let write_rest = |out: &mut Vec<u8>| out.extend(REST);
    batch.push_in_two(RecordKind::Publish, 700, 7, ShardSet::single(ME), 0, write_head, write_rest);
    batch
}

/// Writes a data directory: records, a checkpoint, the same records again, over two segments.
fn write(directory: &Path) {
    let log = start(config_of_golden(directory));
    log.log.append(ME, one_of_each());
    log.recorder.committed(ME, 8);
    log.checkpoint(0, b"what the first records made");
    log.log.append(ME, one_of_each());
    log.recorder.committed(ME, 16);
    log.shutdown();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &copied);
        } else if entry.file_name() != "lock" {
            fs::copy(&path, &copied).unwrap();
        }
    }
}

#[test]
fn files_of_every_version_are_read_and_the_log_goes_on_behind_them() {
    if std::env::var_os("WEIR_WRITE_GOLDEN").is_some() && !golden(PRESENT).exists() {
        let made = directory();
        write(made.path());
        copy(made.path(), &golden(PRESENT));
    }
    for version in 1..=PRESENT {
        let here = directory();
        copy(&golden(version), here.path());
        let mut seen = Vec::new();
        let opened = log_disk::open(config_of_golden(here.path())).unwrap();
        let checkpoint = opened.checkpoint.clone().unwrap();
        let ready = opened.replay.run(&mut |kind, position, partition, body| {
            seen.push((kind, position, partition, body.to_vec()));
            Ok(())
        });
        assert_eq!(checkpoint.parts, [b"what the first records made"]);
        assert!(seen.iter().all(|(_, position, ..)| *position >= checkpoint.position));
        let kinds = RecordKind::ALL.into_iter().filter(|kind| kind.number() <= 7);
        let expected =
            kinds.enumerate().map(|(n, kind)| (kind, n as u16 * 100, body(kind, n * 211)));
        let in_two = (RecordKind::Publish, 700, [&HEAD[..], &REST].concat());
        let expected = expected.chain((version > 1).then_some(in_two));
        let in_two_at = seen.iter().find(|(_, _, partition, _)| *partition == 700);
        let in_two_at = in_two_at.map(|(_, position, ..)| *position);
        let told = seen.into_iter().map(|(kind, _, partition, body)| (kind, partition, body));
        assert_eq!(told.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "version {version}");
        drop(ready);

        let mut log = start(config_of_golden(here.path()));
        // References 0 to 6, and 7 of the one in two, before the checkpoint and after it.
        let references = if version > 1 { 28 } else { 21 };
        assert_eq!(log.log.stats().live_references, 2 * references);
        if let Some(at) = in_two_at {
            log.log.read_heads(ME, 1, vec![(at, 0)]);
            assert_eq!(log.recorder.read(ME, 1), [Ok(HEAD.to_vec().into())]);
        }
        let more = log.append(&[b"and more".to_vec()]);
        log.shutdown();
        let (_, _, replayed) = replay(config_of_golden(here.path())).unwrap();
        assert_eq!(replayed.last(), Some(&(more[0].position, b"and more".to_vec())));
    }
}

/// Where the record lay that the repaired log has lost.
const LOST_AT: Position = Position::new(1, 128);

/// Writes a data directory that has been repaired.
fn write_repaired(directory: &Path) {
    write(directory);
    let damaged = segment(directory, 1);
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[LOST_AT.offset() as usize + 30] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let log = AtRest::open(directory).unwrap();
    let survey = log.survey(&mut |_| Ok(())).unwrap();
    assert!(!survey.has(LOST_AT));
    let parts = vec![b"what is whole".to_vec()];
    let mended = log.mend(&survey, NewCheckpoint { parts, counts: [(1, 20)].into() }).unwrap();
    fs::remove_dir_all(mended.aside).unwrap();
    // The newest segment is zeros behind its header.
    let newest = *segments(directory).last().unwrap();
    let file = fs::File::options().write(true).open(segment(directory, newest)).unwrap();
    file.set_len(64).unwrap();
}

#[test]
fn files_that_were_repaired_are_read_and_the_log_goes_on_behind_them() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v2-repaired");
    if std::env::var_os("WEIR_WRITE_GOLDEN").is_some() && !golden.exists() {
        let made = directory();
        write_repaired(made.path());
        copy(made.path(), &golden);
    }
    let here = directory();
    copy(&golden, here.path());
    let careful = Config { verify_all: true, ..config_of_golden(here.path()) };
    let mut log = start(careful);
    assert_eq!(log.checkpoint.as_ref().unwrap().parts, [b"what is whole"]);
    assert!(log.replayed.is_empty());
    log.log.read(ME, 1, vec![LOST_AT]);
    assert!(matches!(log.recorder.read(ME, 1)[..], [Err(ReadError::Damaged { .. })]));
    let more = log.append(&[b"and more".to_vec()]);
    log.shutdown();
    let (_, _, replayed) = replay(config_of_golden(here.path())).unwrap();
    assert_eq!(replayed, [(more[0].position, b"and more".to_vec())]);
    let log = AtRest::open(here.path()).unwrap();
    assert_eq!(log.survey(&mut |_| Ok(())).unwrap().findings, []);
}
