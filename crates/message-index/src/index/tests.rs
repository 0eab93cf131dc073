use stdx::UnixMillis;

use super::*;
use crate::StoredAt;

fn entry(n: u64) -> Entry {
    let at = StoredAt(((n / 1000) << 32) | ((n % 1000) * 264));
    Entry::plain(at, 100 + (n % 5) as u32, UnixMillis(1_800_000_000_000 + n))
}

fn index_of(count: u64) -> Index {
    let mut index = Index::default();
    for n in 0..count {
        assert_eq!(index.push(entry(n)), Offset(n));
    }
    index
}

fn all(index: &Index) -> Vec<(Offset, Entry)> {
    index.check().unwrap();
    index.iter_from(Offset(0)).collect()
}

#[test]
fn what_was_pushed_is_found_until_it_is_removed() {
    for count in [0, 1, 511, 512, 513, 2000] {
        let mut index = index_of(count);
        assert_eq!(all(&index), (0..count).map(|n| (Offset(n), entry(n))).collect::<Vec<_>>());
        for n in (0..count).filter(|n| n % 3 != 0) {
            assert_eq!(index.remove(Offset(n)).map(|removed| removed.entry), Some(entry(n)));
            assert_eq!(index.remove(Offset(n)), None);
        }
        let kept = (0..count).filter(|n| n % 3 == 0).map(|n| (Offset(n), entry(n)));
        assert_eq!(all(&index), kept.collect::<Vec<_>>());
        assert_eq!(index.get(Offset(count)), None);
        assert_eq!(index.get(Offset(u64::MAX)), None);
        for n in (0..count).filter(|n| n % 3 == 0).rev() {
            index.remove(Offset(n));
        }
        assert_eq!((index.len(), index.bytes(), index.next()), (0, 0, Offset(count)));
        assert!(index.slots.len() <= 1, "empty chunks are freed");
        assert_eq!(index.push(entry(count)), Offset(count));
        assert_eq!(all(&index), [(Offset(count), entry(count))]);
    }
}

#[test]
fn the_first_is_found_from_anywhere() {
    let mut index = index_of(3000);
    for n in (0..3000).filter(|n| ![700, 701, 2999].contains(n)) {
        index.remove(Offset(n));
    }
    for (from, found) in [
        (0, Some(700)),
        (700, Some(700)),
        (701, Some(701)),
        (702, Some(2999)),
        (2999, Some(2999)),
        (3000, None),
        (u64::MAX, None),
    ] {
        assert_eq!(index.first_from(Offset(from)), found.map(Offset), "from {from}");
    }
}

#[test]
fn a_shared_index_is_restored_as_it_was() {
    for count in [0, 1, 512, 513, 1700] {
        for step in [1, 2, 600, 5000] {
            let mut index = index_of(count);
            for n in (0..count).filter(|n| n % step != 0) {
                index.remove(Offset(n));
            }
            let mut restored = Index::restore(index.next(), &index.share());
            assert_eq!(all(&restored), all(&index), "{count} by {step}");
            assert_eq!((restored.len(), restored.bytes()), (index.len(), index.bytes()));
            for n in count..count + 600 {
                assert_eq!(restored.push(entry(n)), index.push(entry(n)));
            }
            assert_eq!(all(&restored), all(&index), "{count} by {step}, and more");
        }
    }
}

#[test]
fn a_waiting_message_costs_less_than_ten_bytes() {
    let index = index_of(200_000);
    let bytes = index.heap_bytes();
    assert!(bytes < 10 * 200_000, "{bytes} bytes for 200000 messages");
}

#[test]
fn one_message_that_stays_does_not_keep_those_after_it() {
    let mut index = index_of(1);
    for n in 1..100_000 {
        index.push(entry(n));
        index.remove(Offset(n));
    }
    assert_eq!(index.slots.iter().flatten().count(), 2);
    assert_eq!(all(&index), [(Offset(0), entry(0))]);
}

/// At each end of the messages that ever came: in the middle of a chunk, and where one begins.
#[test]
fn an_index_with_a_gap_at_its_end_goes_on_after_a_restart() {
    for count in [1023, 1024, 1025, 1536] {
        let mut index = index_of(count);
        for n in 1..count {
            index.remove(Offset(n));
        }
        let mut restored = Index::restore(index.next(), &index.share());
        assert_eq!(restored.push(entry(7)), Offset(count));
        assert_eq!(all(&restored), [(Offset(0), entry(0)), (Offset(count), entry(7))]);
        restored.check().unwrap();
    }
}

#[test]
fn what_is_placed_is_passed_over_until_it_leaves() {
    let mut index = index_of(1500);
    for n in [0, 1, 2, 511, 512, 1400] {
        index.place(Offset(n));
        index.place(Offset(n));
    }
    let from = |index: &Index, n| index.first_unplaced(Offset(n)).map(|offset| offset.0);
    assert_eq!([0, 510, 511, 1400].map(|n| from(&index, n)), [3, 510, 513, 1401].map(Some));
    assert!(index.is_placed(Offset(511)) && !index.is_placed(Offset(510)));
    for _ in 0..2 {
        index.unplace(Offset(1));
        index.unplace(Offset(600));
        assert_eq!(from(&index, 0), Some(1), "it is in no place any more");
        index.check().unwrap();
    }
    index.remove(Offset(511));
    assert!(!index.is_placed(Offset(511)));
    index.place(Offset(511));
    assert!(!index.is_placed(Offset(511)), "what has left is in no place");
    index.check().unwrap();
}

#[test]
fn what_is_kept_comes_back_or_is_forgotten() {
    let mut index = index_of(1200);
    for n in 0..600 {
        assert_eq!(index.keep(Offset(n)), Some(entry(n)));
        assert_eq!(index.keep(Offset(n)), None);
    }
    index.check().unwrap();
    assert_eq!((index.len(), index.kept_len(), index.slots.len()), (600, 600, 3));
    assert!(index.is_kept(Offset(599)) && !index.contains(Offset(599)));
    let mut restored = Index::restore(index.next(), &index.share());
    for index in [&mut index, &mut restored] {
        assert_eq!(index.kept_from(Offset(500)).count(), 100);
        assert_eq!(index.take_back(Offset(550)), Some(entry(550)));
        assert_eq!(index.take_back(Offset(550)), None);
        for n in 0..512 {
            let freed = index.forget(Offset(n)).expect("it is kept").freed;
            assert_eq!(freed, (n == 511).then_some(0), "the last one frees its chunk");
        }
        assert_eq!(index.forget(Offset(0)), None);
        assert_eq!((index.len(), index.kept_len(), index.first), (601, 87, 1));
        index.check().unwrap();
    }
}

#[test]
fn messages_from_an_offset_on_are_counted_and_so_are_their_bytes() {
    let mut index = index_of(3000);
    let counted = |index: &Index| {
        index.check().unwrap();
        // Some twice, some in one chunk, some behind all.
        let cuts = [0, 1, 1, 511, 512, 700, 701, 1023, 1024, 2999, 3000, 9000, u64::MAX];
        let cuts = cuts.map(Offset);
        let expected = cuts.map(|from| {
            let sizes = index.iter_from(from).map(|(_, entry)| u64::from(entry.size));
            let (messages, bytes) = sizes.fold((0, 0), |(n, sum), size| (n + 1, sum + size));
            Tally { messages, bytes }
        });
        assert_eq!(index.tallies_from(&cuts), expected);
        for (from, expected) in cuts.into_iter().zip(expected) {
            assert_eq!(index.tally_from(from), expected, "from {from}");
        }
    };
    counted(&Index::default());
    counted(&index);
    let mut remove = |offsets: &mut dyn Iterator<Item = u64>| {
        for n in offsets {
            index.remove(Offset(n));
        }
        counted(&index);
        counted(&Index::restore(index.next(), &index.share()));
    };
    remove(&mut (0..700));
    remove(&mut (900..3000).filter(|n| n % 3 == 0));
    remove(&mut (0..3000));
    for n in 3000..4000 {
        index.push(entry(n));
        index.keep(Offset(n - 1));
    }
    counted(&index);
    index.take_back(Offset(3500));
    index.forget(Offset(3600));
    counted(&index);
}

#[test]
fn the_first_message_since_a_time_is_found_over_gaps() {
    let stored = |n: u64| entry(n).stored;
    let mut index = index_of(5000);
    for n in (0..5000).filter(|n| (100..3000).contains(n) || n % 7 == 0) {
        index.remove(Offset(n));
    }
    for time in [0, 1, 99, 100, 101, 2999, 3000, 3500, 4999, 5000, 9000] {
        let expected = index.iter_from(Offset(0)).find(|(_, entry)| entry.stored >= stored(time));
        let found = index.first_since(stored(time));
        assert_eq!(found, expected.map(|(offset, _)| offset), "since {time}");
    }
    assert_eq!(Index::default().first_since(stored(0)), None);
}

#[test]
fn bodies_that_lie_elsewhere_are_found_there() {
    let mut index = index_of(1300);
    for n in (0..1300).filter(|n| n % 100 != 7 && n % 100 != 50) {
        index.remove(Offset(n));
    }
    for n in (50..1300).step_by(100) {
        index.keep(Offset(n));
    }
    let before = index.share();
    let elsewhere = |n: u64| StoredAt((900 << 32) | (n * 8));
    for n in (7..1300).step_by(200).chain((50..1300).step_by(100)) {
        assert_eq!(index.relocate(Offset(n), elsewhere(n)), Some(entry(n).at), "{n}");
        assert_eq!(index.relocate(Offset(n + 1), elsewhere(n)), None, "{n}");
    }
    let (mut bodies, mut from) = (Vec::new(), Some(Offset(0)));
    while let Some(start) = from {
        let (found, next) = index.bodies_from(start);
        assert!(found.iter().all(|(offset, ..)| chunk_of(*offset) == chunk_of(found[0].0)));
        bodies.extend(found);
        from = next;
    }
    bodies.sort_unstable();
    let expected = (7..1300)
        .step_by(100)
        .map(|n| (Offset(n), if n % 200 == 7 { elsewhere(n) } else { entry(n).at }, entry(n).size));
    let kept = (50..1300).step_by(100).map(|n| (Offset(n), elsewhere(n), entry(n).size));
    let mut expected: Vec<_> = expected.chain(kept).collect();
    expected.sort_unstable();
    assert_eq!(bodies, expected);
    assert!(all(&index).iter().all(|(offset, found)| found.stored == entry(offset.0).stored));
    let restored = Index::restore(index.next(), &index.share());
    assert_eq!(all(&restored), all(&index));
    let old = Index::restore(index.next(), &before);
    assert_eq!(old.get(Offset(7)), Some(entry(7)), "a snapshot stays as it was");
}
