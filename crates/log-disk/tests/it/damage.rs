//! A torn tail is cut; anything else that is not as it was written is refused, with the file and the offset.

use std::fs;
use std::path::Path;

use log_api::{FRAME_HEADER_BYTES, Log, Position, ReadError};
use log_disk::{Config, OpenError};

use crate::harness::{ME, bodies, config, directory, replay, segment, segments, start, wait_until};

/// Checks that opening is refused because of damage there.
fn assert_refused(config: Config, file: &Path, offset: u64, context: &str) {
    let error = replay(config).map(|(_, _, replayed)| replayed.len()).expect_err(context);
    let OpenError::Damaged(damage) = &error else { panic!("{context}: {error}") };
    assert_eq!((damage.file.as_path(), damage.offset), (file, offset), "{context}: {error}");
    let text = error.to_string();
    for word in ["damaged", &file.display().to_string(), &offset.to_string()] {
        assert!(text.contains(word), "{context}: {text}");
    }
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_the_log_goes_on() {
    let directory = directory();
    let config = config(directory.path());
    let mut log = start(config.clone());
    let kept = log.append(&bodies(3, 33));
    let torn = log.append(&bodies(2, 21));
    log.shutdown();
    let path = segment(directory.path(), 1);
    let whole = fs::read(&path).unwrap();
    let begin = torn[0].position.offset() as usize;
    let ends =
        torn.iter().map(|record| record.position.offset() as usize + 28 + 21).collect::<Vec<_>>();
    let end = ends[1].next_multiple_of(8);
    for cut in begin..end {
        let with_zeros = [&whole[..cut], &vec![0; whole.len() - cut]].concat();
        let garbage = [&whole[..cut], &vec![0xA5; end - cut], &whole[end..]].concat();
        let only_the_end = [&whole[..begin], &vec![0; cut + 1 - begin], &whole[cut + 1..]].concat();
        let shapes = [
            ("short", whole[..cut].to_vec()),
            ("zeros", with_zeros),
            ("garbage", garbage),
            ("end", only_the_end),
        ];
        for (shape, bytes) in shapes {
            let is_whole = |record: &&log_api::CommittedRecord| {
                let range = record.position.offset() as usize..;
                let range = range.start
                    ..(range.start + FRAME_HEADER_BYTES + record.body.len()).next_multiple_of(8);
                bytes.get(range.clone()) == Some(&whole[range])
            };
            let expected = kept.iter().chain(torn.iter().take_while(is_whole));
            let expected =
                expected.map(|record| (record.position, record.body.to_vec())).collect::<Vec<_>>();
            fs::write(&path, &bytes).unwrap();
            let (ready, _, replayed) =
                replay(config.clone()).unwrap_or_else(|error| panic!("{shape} {cut}: {error}"));
            assert_eq!(replayed, expected, "{shape} {cut}");
            drop(ready);
            // What was cut is gone for good, and the file is as long as before.
            let cut_to = expected.last().unwrap().0.offset() as usize
                + 28
                + expected.last().unwrap().1.len();
            let after = fs::read(&path).unwrap();
            assert_eq!(after.len(), whole.len());
            assert!(
                after[cut_to.next_multiple_of(8)..].iter().all(|byte| *byte == 0),
                "{shape} {cut}"
            );
            if cut % 16 == 0 {
                let mut log = start(config.clone());
                let more = log.append(&bodies(1, 40));
                log.shutdown();
                let (_, _, replayed) = replay(config.clone()).unwrap();
                assert_eq!(replayed[..expected.len()], expected);
                assert_eq!(replayed[expected.len()..], [(more[0].position, more[0].body.to_vec())]);
            }
        }
    }
}

#[test]
fn a_segment_that_stays_empty_does_not_hide_those_after_it() {
    let directory = directory();
    let config = config(directory.path());
    let mut log = start(config.clone());
    let first = log.append(&bodies(1, 3000));
    let torn = log.append(&bodies(1, 3000));
    assert_eq!((torn[0].position.segment(), torn[0].position.offset()), (2, 64));
    log.shutdown();
    let path = segment(directory.path(), 2);
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    // The tail is all there was in the segment; and what comes next does not fit into it.
    let mut log = start(config.clone());
    let large = log.append(&bodies(1, 10_000));
    let last = log.append(&bodies(1, 100));
    assert_eq!((large[0].position.segment(), last[0].position.segment()), (3, 4));
    log.shutdown();
    let expected =
        [first, large, last].map(|records| (records[0].position, records[0].body.to_vec()));
    let (_, _, replayed) = replay(config).unwrap();
    assert_eq!(replayed, expected);
}

/// A log of three segments and a prepared one, each batch in the first two of two records, and three batches in the third.
fn three_segments(directory: &Path) -> Vec<Position> {
    let mut log = start(config(directory));
    let mut positions = Vec::new();
    while positions.last().is_none_or(|last: &Position| last.segment() < 3) {
        positions.extend(log.append(&bodies(2, 500)).iter().map(|record| record.position));
    }
    for _ in 0..2 {
        positions.extend(log.append(&bodies(2, 60)).iter().map(|record| record.position));
    }
    log.shutdown();
    positions
}

/// Where the frame begins that the byte lies in, or where the frames end.
fn frame_at(positions: &[Position], number: u32, byte: usize) -> u64 {
    if byte < 64 {
        return 0;
    }
    let starts = positions
        .iter()
        .filter(|position| position.segment() == number)
        .map(|position| position.offset());
    u64::from(starts.filter(|start| *start as usize <= byte).max().unwrap_or(64))
}

#[test]
fn a_bit_flipped_anywhere_but_in_the_last_batch_is_refused() {
    let directory = directory();
    let positions = three_segments(directory.path());
    let last_batch = positions[positions.len() - 2];
    let config = || config(directory.path());
    for number in [1, 3] {
        let path = segment(directory.path(), number);
        let whole = fs::read(&path).unwrap();
        let last = positions.iter().rfind(|position| position.segment() == number).unwrap();
        let frames_end = (last.offset() as usize + 28 + 500).next_multiple_of(8);
        let end = if number == 1 { whole.len() } else { last_batch.offset() as usize };
        for byte in 0..end {
            // Every byte of the headers and of the first of each body; every eighth of the long rest of the bodies.
            if number == 1 && byte >= 64 && (byte - 64) % 528 >= 64 && byte % 8 != 0 {
                continue;
            }
            let mut flipped = whole.clone();
            flipped[byte] ^= 1 << (byte / 8 % 8);
            fs::write(&path, &flipped).unwrap();
            let is_tail = number == 1 && byte >= frames_end;
            let offset =
                if is_tail { frames_end as u64 } else { frame_at(&positions, number, byte) };
            assert_refused(config(), &path, offset, &format!("segment {number}, byte {byte}"));
        }
        fs::write(&path, &whole).unwrap();
    }
    let (_, _, replayed) = replay(config()).unwrap();
    assert_eq!(replayed.len(), positions.len());
}

#[test]
fn records_that_vanished_without_a_trace_are_missed() {
    let directory = directory();
    let positions = three_segments(directory.path());
    let config = || config(directory.path());
    let [first, second, third] = [1, 2, 3].map(|number| segment(directory.path(), number));
    let (whole, other) = (fs::read(&first).unwrap(), fs::read(&second).unwrap());

    // The last frame of an older segment reads as zeros, as if it had never been written.
    let last = positions.iter().rfind(|position| position.segment() == 1).unwrap().offset();
    let mut vanished = whole.clone();
    vanished[last as usize..].fill(0);
    fs::write(&first, &vanished).unwrap();
    assert_refused(config(), &first, u64::from(last), "the last frame vanished");

    fs::write(&first, &whole[..whole.len() - 100]).unwrap();
    assert_refused(config(), &first, whole.len() as u64 - 100, "cut short");

    fs::write(&first, &other).unwrap();
    assert_refused(config(), &first, 12, "another segment under its name");

    fs::write(&first, &whole).unwrap();
    fs::remove_file(&second).unwrap();
    assert_refused(config(), &second, 0, "a segment is missing");

    fs::write(&second, &other).unwrap();
    fs::remove_file(&first).unwrap();
    assert_refused(config(), &first, 0, "the first segment is missing");

    fs::write(&first, &whole).unwrap();
    let newest = fs::read(&third).unwrap();
    let second_batch =
        positions.iter().filter(|position| position.segment() == 3).nth(2).unwrap().offset()
            as usize;
    let mut moved = newest.clone();
    moved.copy_within(second_batch + 88..second_batch + 176, second_batch);
    fs::write(&third, &moved).unwrap();
    assert_refused(config(), &third, second_batch as u64, "a frame lies where it was not written");
}

#[test]
fn a_segment_that_was_never_used_is_made_anew() {
    let directory = directory();
    let positions = three_segments(directory.path());
    assert_eq!(segments(directory.path()), [1, 2, 3, 4]);
    let path = segment(directory.path(), 4);
    let whole = fs::read(&path).unwrap();
    let shapes = [
        Vec::new(),
        whole[..20].to_vec(),
        whole[..64].to_vec(),
        vec![0; whole.len()],
        whole[..100].to_vec(),
    ];
    for (n, shape) in shapes.into_iter().enumerate() {
        fs::write(&path, &shape).unwrap();
        fs::write(path.with_extension("tmp"), b"unfinished").unwrap();
        let mut log = start(config(directory.path()));
        assert_eq!(log.replayed.len(), positions.len() + n, "shape {n}");
        log.append(&bodies(1, 8));
        log.shutdown();
        assert_eq!(segments(directory.path()), [1, 2, 3, 4]);
        assert!(!path.with_extension("tmp").exists());
    }
    // One that was used is not forgotten when its header is spoiled.
    let third = segment(directory.path(), 3);
    fs::remove_file(&path).unwrap();
    let mut spoiled = fs::read(&third).unwrap();
    spoiled[..64].fill(0);
    fs::write(&third, &spoiled).unwrap();
    assert_refused(config(directory.path()), &third, 0, "a used segment without a header");
}

#[test]
fn damage_met_in_reading_is_told_and_nothing_altered_is_handed_out() {
    let directory = directory();
    let mut log = start(config(directory.path()));
    let records = log.append(&bodies(20, 100));
    log.checkpoint(0, b"all of it");
    log.shutdown();
    let path = segment(directory.path(), 1);
    let whole = fs::read(&path).unwrap();
    let victim = records[7].position.offset() as usize;
    let positions = records.iter().map(|record| record.position).collect::<Vec<_>>();
    for byte in victim..victim + 128 {
        let mut flipped = whole.clone();
        flipped[byte] ^= 0x10;
        fs::write(&path, &flipped).unwrap();
        if byte == victim + 50 {
            let careful = Config { verify_all: true, ..config(directory.path()) };
            assert_refused(careful, &path, victim as u64, "all is verified");
        }
        if byte % 8 != 0 {
            continue;
        }
        let log = start(config(directory.path()));
        log.log.read(ME, 1, positions.clone());
        for (n, (read, written)) in log.recorder.read(ME, 1).into_iter().zip(&records).enumerate() {
            match read {
                Err(ReadError::Damaged { file, offset, .. }) if n == 7 => {
                    assert_eq!((file, offset), (path.display().to_string(), victim as u64));
                }
                read => assert_eq!(read.as_ref(), Ok(&written.body), "byte {byte}, record {n}"),
            }
        }
        wait_until(|| log.log.stats().damaged_reads_total == 1);
        log.shutdown();
    }
}
