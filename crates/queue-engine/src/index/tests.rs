use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn entry(number: u64) -> Entry {
    Entry {
        at: StoredAt((number / 700) << 32 | (number % 700) * 330),
        size: 300 + (number % 50) as u32,
        stored: UnixMillis(1_700_000_000_000 + number * 3),
    }
}

#[test]
fn a_waiting_message_costs_at_most_twelve_bytes() {
    let mut index = Index::default();
    for number in 0..1_000_000 {
        index.push(entry(number));
    }
    let each = index.memory() as f64 / 1_000_000.0;
    assert!(each <= 12.0, "{each} bytes a message");
}

#[test]
fn chunks_that_all_have_left_are_freed() {
    let mut index = Index::default();
    for number in 0..10 * CHUNK as u64 {
        index.push(entry(number));
    }
    for number in CHUNK as u64..9 * CHUNK as u64 {
        index.leave(Offset(number));
    }
    assert_eq!(index.chunks.iter().flatten().count(), 2, "the middle is freed");
    assert_eq!(index.chunks.len(), 10, "its places stay while something waits before it");
    for number in 0..CHUNK as u64 {
        index.leave(Offset(number));
    }
    assert_eq!((index.first, index.chunks.len()), (9, 1));
    assert_eq!(index.head(), 9 * CHUNK as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn agrees_with_a_map(steps in prop::collection::vec((0_u32..400, any::<prop::sample::Index>(), any::<bool>()), 1..60)) {
        let mut index = Index::default();
        let mut twin = BTreeMap::new();
        for (pushes, which, sweep) in steps {
            for _ in 0..pushes {
                let offset = index.push(entry(index.next));
                twin.insert(offset, entry(offset.0));
            }
            let leaving: Vec<Offset> = if sweep {
                twin.keys().copied().take(which.index(700)).collect()
            } else {
                twin.keys().nth(which.index(twin.len().max(1))).copied().into_iter().collect()
            };
            for offset in leaving {
                prop_assert_eq!(index.leave(offset), twin.remove(&offset));
                prop_assert_eq!(index.leave(offset), None);
            }
            prop_assert_eq!(index.waiting(), twin.len() as u64);
            prop_assert_eq!(index.bytes(), twin.values().map(|entry| u64::from(entry.size)).sum::<u64>());
            prop_assert_eq!(index.head(), twin.keys().next().map_or(index.next, |offset| offset.0));
            prop_assert_eq!(index.oldest_stored(), twin.values().next().map(|entry| entry.stored));
        }
        prop_assert!(index.iter(0).eq(twin.iter().map(|(offset, entry)| (*offset, *entry))));
        let mut bytes = Vec::new();
        index.encode(&mut bytes);
        let mut reader = Reader::new(&bytes);
        let read = Index::decode(&mut reader).expect("what was written can be read");
        prop_assert!(reader.is_empty());
        prop_assert!(read.iter(0).eq(index.iter(0)));
        prop_assert_eq!((read.next, read.head, read.waiting, read.bytes), (index.next, index.head, index.waiting, index.bytes));
    }
}
