//! A repair shows what it would lose, changes nothing unless it is told to, and loses no more than it said.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use journal::recovery::Recovered;
use log_api::{CommittedRecord, Log, Position};
use tempfile::tempdir;
use upkeep::{RepairReport, Target, backup_at_rest, repair};

use crate::harness::{JOBS, Writing, files, filled, recover};

fn flip(directory: &Path, at: Position, byte: usize) {
    let path = directory.join(format!("log/{:08x}.wlog", at.segment()));
    let mut bytes = fs::read(&path).unwrap();
    bytes[at.offset() as usize + byte] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn look(directory: &Path) -> RepairReport {
    let before = files(directory);
    let report = repair(directory, false, &mut |_, _| {}).unwrap();
    assert_eq!(files(directory), before, "looking changes nothing");
    assert_eq!(report.repaired, None);
    report
}

/// Repairs, and gives what a start makes of it.
fn apply(directory: &Path) -> (RepairReport, Recovered) {
    let report = look(directory);
    let applied = repair(directory, true, &mut |_, _| {}).unwrap();
    let repaired = applied.repaired.clone();
    assert_eq!(RepairReport { repaired: None, ..applied }, report, "as it was shown");
    let repaired = repaired.unwrap();
    assert!(Path::new(&repaired.originals).is_dir() && !repaired.files.is_empty());
    let after = look(directory);
    assert!(after.is_whole, "{after:#?}");
    assert_eq!(after.state, report.state);
    let (recovered, ready) = recover(directory).unwrap();
    drop(ready);
    (report, recovered)
}

fn waiting(recovered: &Recovered) -> Vec<Position> {
    let queue = recovered.queues.iter().find(|queue| queue.definition.sink == JOBS).unwrap();
    queue.engine.stored().map(|(_, at)| Position::from_u64(at.0)).collect()
}

fn positions(records: &[CommittedRecord]) -> Vec<Position> {
    records.iter().map(|record| record.position).collect()
}

#[test]
fn nothing_is_done_to_what_is_whole() {
    let data = tempdir().unwrap();
    filled(data.path());
    let before = files(data.path());
    let report = repair(data.path(), true, &mut |_, _| {}).unwrap();
    assert!(report.is_whole && !report.is_start_refused && report.repaired.is_none());
    assert_eq!((report.state.waiting, report.records), (17, 23));
    assert_eq!(files(data.path()), before);
}

#[test]
fn a_lost_message_is_gone_and_those_behind_it_come_again() {
    let data = tempdir().unwrap();
    let records = filled(data.path());
    flip(data.path(), records[2 + 5].position, 50);
    let (report, recovered) = apply(data.path());
    assert!(report.is_start_refused && report.lost.is_state_lost);
    assert_eq!((report.lost.records, report.findings.len()), (1, 1));
    assert_eq!(report.findings[0].offset, u64::from(records[7].position.offset()));
    // Three before it were settled, by a record that speaks of offsets before the hole.
    assert_eq!(report.lost.again_queues, [("jobs".to_owned(), 14)].into());
    let expected = [&positions(&records)[5..7], &positions(&records)[8..22]].concat();
    assert_eq!(waiting(&recovered), expected);
    assert_eq!(recovered.counts().retained, 1);
}

#[test]
fn a_lost_body_before_the_checkpoint_is_told_by_its_queue() {
    let data = tempdir().unwrap();
    let records = filled(data.path());
    // A repair of something small makes a checkpoint behind all of this.
    flip(data.path(), records.last().unwrap().position, 30);
    let mut writing = Writing::start(data.path());
    writing.publish("t", b"behind", None);
    writing.stop();
    flip(data.path(), records[12].position, 40);
    apply(data.path());
    assert!(look(data.path()).is_whole);

    flip(data.path(), records[9].position, 50);
    flip(data.path(), records[1].position, 50);
    let (report, recovered) = apply(data.path());
    assert!(!report.is_start_refused && !report.lost.is_state_lost, "{report:#?}");
    assert_eq!(report.lost.queues, [("jobs".to_owned(), 1)].into());
    assert_eq!(report.lost.retained, ["kept"]);
    assert_eq!(report.lost.again_queues, BTreeMap::new());
    assert!(!waiting(&recovered).contains(&records[9].position));
    let queue = &recovered.queues[0].engine;
    assert_eq!(queue.ledger().dropped, 1);
    assert_eq!(recovered.counts().retained, 0);
}

#[test]
fn a_lost_definition_is_told_by_its_messages() {
    let data = tempdir().unwrap();
    let records = filled(data.path());
    flip(data.path(), records[0].position, 30);
    let report = look(data.path());
    assert_eq!((report.state.queues, report.lost.orphans), (0, 20));
}

#[test]
fn a_torn_tail_is_shown_as_what_a_start_cuts() {
    let data = tempdir().unwrap();
    let records = filled(data.path());
    flip(data.path(), records.last().unwrap().position, 30);
    let report = look(data.path());
    assert!(report.is_whole && !report.is_start_refused);
    assert!(report.torn_tail.is_some());
    assert_eq!(report.state.waiting, 20, "what it settled is not settled");
}

#[test]
fn the_log_goes_on_after_a_repair_and_can_be_backed_up() {
    let data = tempdir().unwrap();
    let records = filled(data.path());
    flip(data.path(), records[2 + 5].position, 50);
    let (report, _) = apply(data.path());
    let mut writing = Writing::start(data.path());
    writing.publish("t", b"new", None);
    writing.settle(0..10);
    let live = writing.log.stats().live_references;
    assert!(live > 0);
    writing.stop();
    let (recovered, ready) = recover(data.path()).unwrap();
    drop(ready);
    let before = report.state.waiting;
    assert_eq!(recovered.counts().waiting, before + 1 - 7, "3 of the 10 had been settled before");
    let target = Target::create(&data.path().join("b.tar")).unwrap();
    backup_at_rest(data.path(), "1", target, &mut |_, _| {}).unwrap();
}
