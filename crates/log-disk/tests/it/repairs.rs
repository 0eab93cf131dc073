//! A damaged log is surveyed without being changed, and mended so that it starts with all that is whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use log_api::{Log, Position, ReadError};
use log_disk::OpenError;
use log_disk::at_rest::{AtRest, Met, NewCheckpoint, Survey};
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::harness::{ME, bodies, config, directory, replay, segment, segments, start};

/// What a survey showed: positions of records behind the checkpoint, and where some are lost between them.
#[derive(Debug, PartialEq, Eq, Clone)]
enum Seen {
    At(Position),
    Lost,
}

fn survey(directory: &Path) -> (AtRest, Survey, Vec<Seen>) {
    let log = AtRest::open(directory).unwrap();
    let mut seen = Vec::new();
    let survey = log.survey(&mut |met| {
        match met {
            Met::Record { at, .. } => seen.push(Seen::At(at)),
            Met::Lost => seen.push(Seen::Lost),
            Met::Progress(..) => {}
        }
        Ok(())
    });
    let survey = survey.unwrap();
    (log, survey, seen)
}

/// All files with what is in them.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for folder in ["log", "state"] {
        for entry in fs::read_dir(directory.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            all.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    all
}

fn put_back(directory: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    for folder in ["log", "state"] {
        fs::remove_dir_all(directory.join(folder)).unwrap();
        fs::create_dir(directory.join(folder)).unwrap();
    }
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
    }
}

/// Four records in each of three segments and two more batches; a checkpoint after those in the first one.
fn filled(directory: &Path) -> Vec<(Position, Vec<u8>)> {
    let mut log = start(config(directory));
    let mut records = Vec::new();
    while records.last().is_none_or(|(last, _): &(Position, _)| last.segment() < 2) {
        records.extend(
            log.append(&bodies(2, 500)).iter().map(|one| (one.position, one.body.to_vec())),
        );
    }
    log.checkpoint(0, b"a checkpoint");
    while records.last().is_none_or(|(last, _)| last.segment() < 4) {
        records.extend(
            log.append(&bodies(2, 500)).iter().map(|one| (one.position, one.body.to_vec())),
        );
    }
    records.extend(log.append(&bodies(1, 60)).iter().map(|one| (one.position, one.body.to_vec())));
    log.shutdown();
    records
}

/// Mends with a part that says what was seen, and checks that all records that the survey has are still read, those that
/// it has not are refused, and that the log goes on.
fn mend_and_start(directory: &Path, records: &[(Position, Vec<u8>)], context: &str) {
    let (log, survey, seen) = survey(directory);
    let before = files(directory);
    let counts = records.iter().filter(|(at, _)| survey.has(*at)).fold(
        BTreeMap::<u32, i64>::new(),
        |mut counts, (at, _)| {
            *counts.entry(at.segment()).or_default() += 1;
            counts
        },
    );
    let part = format!("{seen:?}").into_bytes();
    let whole: Vec<bool> = records.iter().map(|(at, _)| survey.has(*at)).collect();
    let mended = log.mend(&survey, NewCheckpoint { parts: vec![part.clone()], counts }).unwrap();
    for path in &mended.files {
        let aside = mended.aside.join(path.strip_prefix(directory).unwrap());
        assert_eq!(
            fs::read(aside).ok().as_ref(),
            before.get(path),
            "{context}: {}",
            path.display()
        );
    }
    let mut log = start(config(directory));
    assert_eq!(log.checkpoint.as_ref().unwrap().parts, [part], "{context}");
    assert!(log.replayed.is_empty(), "{context}");
    log.log.read(ME, 1, records.iter().map(|(at, _)| *at).collect());
    for ((read, (at, body)), whole) in log.recorder.read(ME, 1).iter().zip(records).zip(whole) {
        match read {
            Ok(read) => assert!(whole && read == body, "{context}: {at}"),
            Err(ReadError::Damaged { .. } | ReadError::NotFound { .. }) => {
                assert!(!whole, "{context}: {at} is whole");
            }
            Err(other) => panic!("{context}: {at}: {other}"),
        }
    }
    let more = log.append(&bodies(3, 700));
    log.shutdown();
    let (_, _, replayed) = replay(config(directory)).unwrap();
    assert_eq!(replayed.len(), 3, "{context}");
    assert_eq!(replayed[0].0, more[0].position);
    // Nothing is left to be found.
    let (log, survey, _) = self::survey(directory);
    assert_eq!(survey.findings, [], "{context}");
    let mut image = log.image(&survey).unwrap();
    while let Some(file) = image.next_file() {
        file.unwrap();
    }
    fs::remove_dir_all(mended.aside).unwrap();
}

#[test]
fn a_whole_log_has_no_findings_and_is_left_alone() {
    let directory = directory();
    let records = filled(directory.path());
    let before = files(directory.path());
    let (_, survey, seen) = survey(directory.path());
    assert_eq!((survey.findings.as_slice(), survey.torn_tail.as_ref()), (&[][..], None));
    assert_eq!(survey.records, records.len() as u64);
    let from = replay(config(directory.path())).unwrap().1.unwrap().position;
    let behind = records.iter().filter(|(at, _)| *at >= from).map(|(at, _)| Seen::At(*at));
    assert_eq!(seen, behind.collect::<Vec<_>>());
    assert!(records.iter().all(|(at, _)| survey.has(*at)));
    assert!(!survey.has(Position::new(9, 64)) && !survey.has(Position::new(4, 4000)));
    assert_eq!(files(directory.path()), before);
}

/// Each kind of place, one flipped bit at a time: what is whole stays, what is not is named.
#[test]
fn a_flipped_bit_costs_the_record_it_is_in_and_no_other() {
    let directory = directory();
    let records = filled(directory.path());
    let whole = files(directory.path());
    let from = replay(config(directory.path())).unwrap().1.unwrap().position;
    for (n, (at, body)) in records.iter().enumerate() {
        let is_last = n + 1 == records.len();
        let path = segment(directory.path(), at.segment());
        for byte in [0, 4, 8, 9, 12, 16, 20, 27, 28, 28 + body.len() - 1] {
            let context = format!("record {n} at {at}, byte {byte}");
            let mut bytes = whole[&path].clone();
            bytes[at.offset() as usize + byte] ^= 0x08;
            fs::write(&path, &bytes).unwrap();
            let (log, survey, seen) = survey(directory.path());
            if is_last {
                assert!(survey.findings.is_empty() && survey.torn_tail.is_some(), "{context}");
                drop(log);
            } else {
                let [finding] = survey.findings.as_slice() else {
                    panic!("{context}: {:?}", survey.findings)
                };
                assert_eq!(finding.damage.file, path, "{context}");
                assert_eq!(finding.damage.offset, u64::from(at.offset()), "{context}");
                assert_eq!(finding.records, Some(1), "{context}");
                let stops_start = finding.stops_start;
                drop(log);
                let refused = replay(config(directory.path())).is_err();
                assert_eq!(stops_start, refused, "{context}");
                put_back(directory.path(), &whole);
                fs::write(&path, &bytes).unwrap();
            }
            let expected = records.iter().filter(|(other, _)| *other >= from);
            let expected = expected.map(|(other, _)| match other == at {
                true => Seen::Lost,
                false => Seen::At(*other),
            });
            let mut expected: Vec<Seen> = expected.collect();
            if is_last {
                expected.pop();
            }
            assert_eq!(seen, expected, "{context}");
            for (other, _) in &records {
                assert_eq!(survey.has(*other), other != at, "{context}: {other}");
            }
            if byte % 12 == 4 {
                mend_and_start(directory.path(), &records, &context);
            }
            put_back(directory.path(), &whole);
        }
    }
}

/// A way to spoil the files, and how many findings and lost records that comes to.
type Spoil = (&'static str, fn(&Path, &[(Position, Vec<u8>)]), usize, usize);

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn in_segment(records: &[(Position, Vec<u8>)], number: u32) -> Vec<usize> {
    let here = records.iter().filter(|(at, _)| at.segment() == number);
    here.map(|(at, _)| at.offset() as usize).collect()
}

fn checkpoints(directory: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(directory.join("state")).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> =
        all.filter(|path| path.to_str().unwrap().contains("checkpoint-")).collect();
    all.sort();
    all
}

const SPOILS: &[Spoil] = &[
    (
        "two records in a row",
        |d, r| {
            let at = in_segment(r, 3);
            change(&segment(d, 3), |bytes| bytes[at[1] + 10..at[2] + 10].fill(0xFF));
        },
        1,
        2,
    ),
    (
        "two holes in a segment",
        |d, r| {
            let at = in_segment(r, 3);
            change(&segment(d, 3), |bytes| {
                bytes[at[0] + 30] ^= 1;
                bytes[at[3] + 30] ^= 1;
            });
        },
        2,
        2,
    ),
    (
        "the last records of a segment read as zeros",
        |d, r| {
            let at = in_segment(r, 3);
            change(&segment(d, 3), |bytes| bytes[at[at.len() - 2]..].fill(0));
        },
        1,
        2,
    ),
    (
        "the last record of a segment is garbage",
        |d, r| {
            let at = in_segment(r, 3);
            change(&segment(d, 3), |bytes| bytes[at[at.len() - 1]..].fill(0xA5));
        },
        1,
        1,
    ),
    (
        "something lies behind the last record",
        |d, _| {
            change(&segment(d, 3), |bytes| {
                let end = bytes.len();
                bytes[end - 20] = 1;
            });
        },
        1,
        0,
    ),
    (
        "a file is cut short behind its records",
        |d, _| {
            change(&segment(d, 1), |bytes| bytes.truncate(bytes.len() - 8));
        },
        1,
        0,
    ),
    (
        "a file is cut short in its records",
        |d, r| {
            let at = in_segment(r, 3);
            change(&segment(d, 3), |bytes| bytes.truncate(at[at.len() - 2] + 50));
        },
        2,
        2,
    ),
    (
        "a file is cut short before and behind the checkpoint",
        |d, _| change(&segment(d, 2), |bytes| bytes.truncate(98)),
        2,
        6,
    ),
    (
        "a segment before the checkpoint is missing",
        |d, _| {
            fs::remove_file(segment(d, 1)).unwrap();
        },
        1,
        6,
    ),
    (
        "a segment behind the checkpoint is missing",
        |d, _| {
            fs::remove_file(segment(d, 3)).unwrap();
        },
        1,
        6,
    ),
    (
        "the header of a segment is damaged, its salt is not",
        |d, _| {
            change(&segment(d, 3), |bytes| bytes[3] ^= 1);
        },
        1,
        0,
    ),
    (
        "the header of a segment is all zeros",
        |d, _| {
            change(&segment(d, 3), |bytes| bytes[..64].fill(0));
        },
        1,
        0,
    ),
    (
        "the header and the first record",
        |d, _| {
            change(&segment(d, 3), |bytes| bytes[..200].fill(0xA5));
        },
        1,
        6,
    ),
    (
        "the newest checkpoint, and it is the only one",
        |d, _| {
            change(&checkpoints(d)[0], |bytes| bytes[20] ^= 1);
        },
        1,
        0,
    ),
    (
        "the only checkpoint, and the first segment is missing",
        |d, _| {
            change(&checkpoints(d)[0], |bytes| bytes[20] ^= 1);
            fs::remove_file(segment(d, 1)).unwrap();
        },
        2,
        6,
    ),
];

#[test]
fn each_kind_of_damage_is_found_and_mended() {
    let directory = directory();
    let records = filled(directory.path());
    let whole = files(directory.path());
    assert_eq!(in_segment(&records, 3).len(), 6);
    for (name, spoil, findings, lost) in SPOILS {
        spoil(directory.path(), &records);
        let spoiled = files(directory.path());
        let (log, survey, _) = survey(directory.path());
        assert_eq!(survey.findings.len(), *findings, "{name}: {:#?}", survey.findings);
        let missed = records.iter().filter(|(at, _)| !survey.has(*at)).count();
        assert_eq!(missed, *lost, "{name}: {:#?}", survey.findings);
        assert_eq!(files(directory.path()), spoiled, "{name}: a survey changes nothing");
        drop(log);
        let refused = replay(config(directory.path())).is_err();
        let stops = survey.findings.iter().any(|finding| finding.stops_start);
        assert_eq!(stops, refused, "{name}: {:#?}", survey.findings);
        put_back(directory.path(), &spoiled);
        mend_and_start(directory.path(), &records, name);
        put_back(directory.path(), &whole);
    }
}

#[test]
fn a_torn_tail_is_no_damage_and_a_copy_leaves_it_out() {
    let directory = directory();
    let records = filled(directory.path());
    let (last, _) = records.last().unwrap();
    change(&segment(directory.path(), last.segment()), |bytes| {
        bytes[last.offset() as usize + 40..].fill(0);
    });
    let (log, survey, seen) = survey(directory.path());
    assert!(survey.is_whole());
    let torn = survey.torn_tail.as_ref().unwrap();
    assert_eq!(torn.damage.offset, u64::from(last.offset()));
    assert!(!seen.contains(&Seen::Lost));
    assert_eq!(log.image(&survey).unwrap().end(), *last);
}

#[test]
fn a_log_in_use_is_left_alone_and_what_is_none_is_named() {
    let directory = directory();
    let log = start(config(directory.path()));
    assert!(matches!(AtRest::open(directory.path()), Err(OpenError::Locked { .. })));
    log.shutdown();
    assert!(AtRest::open(directory.path()).is_ok());
    let nowhere = directory.path().join("nowhere");
    let error = AtRest::open(&nowhere).unwrap_err().to_string();
    assert!(error.contains("nowhere is no data directory"), "{error}");
}

/// Before the checkpoint is there nothing is filled: a crash leaves what a start refuses, or takes as it was.
#[test]
fn places_of_lost_records_without_their_checkpoint_refuse_the_start() {
    let directory = directory();
    let records = filled(directory.path());
    let (victim, _) = records.iter().find(|(at, _)| at.segment() == 3).unwrap();
    let before = files(directory.path());
    change(&segment(directory.path(), 3), |bytes| bytes[victim.offset() as usize + 40] ^= 1);
    let (log, survey, _) = survey(directory.path());
    let old = checkpoints(directory.path());
    log.mend(&survey, NewCheckpoint::default()).unwrap();
    let new = checkpoints(directory.path());
    assert_ne!(old, new);
    fs::remove_file(&new[0]).unwrap();
    fs::write(&old[0], &before[&old[0]]).unwrap();
    let Err(OpenError::Damaged(damage)) = replay(config(directory.path())) else {
        panic!("it starts")
    };
    assert_eq!(damage.offset, u64::from(victim.offset()));
    assert!(damage.what.contains("repair"), "{damage}");
    let (_, survey, seen) = self::survey(directory.path());
    assert!(seen.contains(&Seen::Lost));
    assert!(survey.findings.iter().any(|finding| finding.damage == damage));
    assert!(segments(directory.path()).len() >= 5);
}

/// Damage of any kind and any number, in any place: whatever a survey says, it ends, nothing altered is handed out, and a
/// repair makes a log that starts.
#[test]
fn any_damage_ends_in_a_log_that_starts() {
    let directory = directory();
    let records = filled(directory.path());
    let whole = files(directory.path());
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut below = |bound: usize| random.next_u32() as usize % bound;
    for round in 0..60 {
        let paths: Vec<&PathBuf> = whole.keys().collect();
        let mut story = Vec::new();
        for _ in 0..1 + below(3) {
            let path = paths[below(paths.len())];
            let mut bytes = fs::read(path).unwrap_or_default();
            let at = below(bytes.len().max(1));
            let to = (at + 1 + below(600)).min(bytes.len());
            let how = below(6);
            match how {
                0 if at < bytes.len() => bytes[at] ^= 1 << (round % 8),
                1 => bytes[at.min(to)..to].fill(0),
                2 => bytes[at.min(to)..to].fill(0xA5),
                3 => bytes.truncate(at),
                4 if to < bytes.len() => bytes.copy_within(at..to, 0),
                _ => {}
            }
            story.push((path.file_name().unwrap(), how, at, to));
            if how == 5 {
                let _ = fs::remove_file(path);
            } else {
                fs::write(path, bytes).unwrap();
            }
        }
        let context = format!("round {round}: {story:?}");
        let log = AtRest::open(directory.path()).unwrap();
        let found =
            log.survey(&mut |_| Ok(())).unwrap_or_else(|error| panic!("{context}: {error}"));
        drop(log);
        if found.is_whole() {
            // A torn tail at most: a start deals with it.
            start(config(directory.path())).shutdown();
        } else {
            mend_and_start(directory.path(), &records, &context);
        }
        put_back(directory.path(), &whole);
    }
}
