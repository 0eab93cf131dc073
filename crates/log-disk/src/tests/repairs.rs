//! A repair that ends in the middle: the next one finds all that the first one had, and makes of it what that would have.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log_api::testing::Recorder;
use log_api::{AppendBatch, Log, Position, RecordKind, ShardId, ShardSet};

use super::faulty::FaultyFiles;
use crate::at_rest::{AtRest, NewCheckpoint, Survey};
use crate::{Config, open};

const ME: ShardId = ShardId(0);

fn config(directory: &Path) -> Config {
    Config { segment_bytes: 4 << 10, reserve_bytes: 0, ..Config::new(directory, 1) }
}

/// Writes a log of four segments, and gives where its records lie.
fn fill(directory: &Path) -> Vec<Position> {
    let ready = open(config(directory)).unwrap().replay.run(&mut |_, _, _, _| Ok(())).unwrap();
    let recorder = Arc::new(Recorder::new());
    let log = ready.start(Arc::clone(&recorder) as _);
    for n in 0..24_u8 {
        let mut batch = AppendBatch::new();
        let notify = ShardSet::single(ME);
        batch
            .push(RecordKind::Publish, 0, 1, notify, 0, |out| out.extend_from_slice(&[n + 1; 500]));
        log.append(ME, batch);
        recorder.committed(ME, usize::from(n) + 1);
    }
    log.shutdown();
    recorder.committed(ME, 24).iter().map(|record| record.position).collect()
}

fn survey(log: &AtRest) -> Survey {
    log.survey(&mut |_| Ok(())).unwrap()
}

/// A checkpoint that needs all that there is.
fn checkpoint(survey: &Survey, records: &[Position]) -> NewCheckpoint {
    let mut counts = BTreeMap::new();
    for at in records.iter().filter(|at| survey.has(**at)) {
        *counts.entry(at.segment()).or_default() += 1;
    }
    NewCheckpoint { parts: vec![b"all of it".to_vec()], counts }
}

#[test]
fn a_repair_that_ends_in_the_middle_is_made_whole_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let records = fill(directory);
    let segments: BTreeMap<PathBuf, Vec<u8>> = (1..=4)
        .map(|number| {
            let path = directory.join(format!("log/{number:08x}.wlog"));
            let mut bytes = fs::read(&path).unwrap();
            match number {
                1 => bytes[..64].fill(0),
                2 => bytes[700] ^= 1,
                3 => bytes.truncate(3000),
                _ => {}
            }
            (path, bytes)
        })
        .collect();
    let mut operations = 0;
    loop {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory.join("log")).unwrap();
        fs::create_dir_all(directory.join("state")).unwrap();
        segments.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        let files = FaultyFiles::default();
        let log = AtRest::open_on(directory, Arc::new(files.clone())).unwrap();
        let first = survey(&log);
        let whole: Vec<bool> = records.iter().map(|at| first.has(*at)).collect();
        assert_eq!(whole.iter().filter(|whole| !**whole).count(), 3);
        files.cut_power_after(operations);
        let result = log.mend(&first, checkpoint(&first, &records));
        let mut turn = 0;
        files.lose_unsynced(|| {
            turn += 1;
            (turn + operations) % 3 == 0
        });

        let log = AtRest::open(directory).unwrap();
        let second = survey(&log);
        let still: Vec<bool> = records.iter().map(|at| second.has(*at)).collect();
        assert_eq!(still, whole, "after {operations} operations");
        if !second.is_whole() {
            log.mend(&second, checkpoint(&second, &records)).unwrap();
        } else {
            drop(log);
        }
        let opened = open(config(directory)).unwrap();
        assert_eq!(
            opened.checkpoint.unwrap().parts,
            [b"all of it"],
            "after {operations} operations"
        );
        opened.replay.run(&mut |_, _, _, _| panic!("nothing lies behind it")).unwrap();
        if result.is_ok() {
            break;
        }
        operations += 1;
    }
    assert!(operations > 20, "{operations} operations");
}
