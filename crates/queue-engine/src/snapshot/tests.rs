use proptest::prelude::*;
use stdx::{Instant, UnixMillis};

use super::*;
use crate::{
    ConsumerId, Input, Key, NewMessage, Outcome, Queue, QueueConfig, StoredAt, invariants,
};

/// 1300 messages; 0 to 599 settled but for 7, which was tried once; 600 to 605 in flight; 3 of them again after a release.
fn queue() -> Queue {
    let mut queue = Queue::new(QueueConfig { max_inflight: 6, ..QueueConfig::default() }, 3);
    let mut actions = Vec::new();
    let mut handle = |input| queue.handle(Instant::from_millis(5), input, &mut actions).unwrap();
    let consumer = ConsumerId(1);
    handle(Input::Attach { consumer, max_inflight: 6 });
    for n in 0..1300 {
        let at = StoredAt(((n / 500) << 32) | ((n % 500) * 400));
        let stored = UnixMillis(1_000_000 + n);
        handle(Input::Enqueue(NewMessage::new(at, 200 + n as u32 % 3, stored)));
    }
    for offset in (0..600).map(Offset) {
        let outcome = if offset.0 == 7 { Outcome::Release } else { Outcome::Accept };
        handle(Input::Settle { consumer, offset, attempt: 1, outcome });
    }
    queue
}

fn bytes_of(queue: &Queue) -> Vec<u8> {
    let mut bytes = Vec::new();
    queue.snapshot(Offset(0)).encode(&mut bytes);
    bytes
}

#[test]
fn a_queue_comes_back_with_all_that_was_in_flight_or_delayed() {
    let queue = queue();
    let restored = Snapshot::decode(&bytes_of(&queue)).unwrap();
    assert_eq!((restored.next_offset(), restored.waiting()), (Offset(1300), 701));
    let restored = Queue::restore(queue.config().clone(), 3, restored);
    invariants::check(&restored).unwrap();
    let (before, after) = (queue.ledger(), restored.ledger());
    assert_eq!((before.ready, before.in_flight, before.delayed), (694, 6, 1));
    assert_eq!((after.ready, after.in_flight, after.delayed), (701, 0, 0));
    assert_eq!((after.settled, after.enqueued, after.bytes), (599, 1300, before.bytes));
    assert_eq!(
        (after.oldest_offset, after.oldest_stored),
        (Some(Offset(7)), Some(UnixMillis(1_000_007)))
    );
    let attempts: Vec<u32> =
        [7, 600, 605, 606].map(|offset| restored.attempts(Offset(offset))).into();
    assert_eq!(attempts, [1, 1, 1, 0], "what was in flight may have been handed over");
    assert!(restored.stored().eq(queue.stored()));
}

#[test]
fn full_chunks_are_shared_and_not_copied() {
    let queue = queue();
    let (one, other) = (queue.snapshot(Offset(0)), queue.snapshot(Offset(0)));
    let shared = one.chunks.iter().zip(&other.chunks);
    let shared = shared.filter(|(one, other)| one.is_shared_with(other));
    assert_eq!((shared.count(), one.chunks.len()), (2, 3));
}

/// Message 0 of two purged; message 1 tried four times, with a key, a time to live and a delay if it is `full`.
fn two(full: bool) -> Queue {
    let config = QueueConfig {
        last_value: true,
        dedup_window: std::time::Duration::from_secs(1),
        ..QueueConfig::default()
    };
    let mut queue = Queue::new(config, 0);
    let mut actions = Vec::new();
    for n in 0..2 {
        let at = StoredAt((5 << 32) | (n * 300));
        let mut message = NewMessage::new(at, 70, UnixMillis(9));
        if full {
            message.key = Key(n * 3);
            message.expires = (n == 1).then_some(UnixMillis(20));
            message.not_before = (n == 1).then_some(UnixMillis(12));
            message.message_id = (n == 1).then_some(crate::MessageId::new(77));
        }
        queue.handle(Instant::ZERO, Input::Enqueue(message), &mut actions).unwrap();
    }
    queue.replay_left(Offset(0), crate::Departure::Purged);
    queue.replay_attempts(Offset(1), 4);
    queue
}

/// The bytes up to the widths of columns, and those after, in each version.
fn layout(version: u8) -> Vec<u8> {
    let number = |number: u64| number.to_le_bytes();
    let mut expected = vec![version];
    let head = [2, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1];
    head.into_iter().for_each(|word| expected.extend(number(word)));
    expected.extend([4, 0, 0, 0]);
    if version >= 2 {
        expected.extend([0, 1, 77, 0, 9].map(number).concat());
    }
    if version == 4 {
        expected.extend([0, 2, 0].map(number).concat());
    }
    expected.extend([1, 0].map(number).concat());
    expected.extend([2, 0]);
    expected.extend([2, 0, 0, 0, 0, 0, 0, 0].map(number).concat());
    if version >= 2 {
        expected.push(0);
    }
    let columns = [(5, 0), (0, 2), (70, 0), (9, 0), (0, 1), (0, 1), (0, 1)];
    for (base, width) in columns.into_iter().take(if version >= 2 { 7 } else { 4 }) {
        expected.extend(number(base));
        expected.push(width);
    }
    expected.extend([0, 0, 44, 1]);
    if version >= 2 {
        expected.extend([0, 3, 0, 12, 0, 3]);
    }
    expected
}

#[test]
fn the_layout_stays() {
    let expected = layout(3);
    assert_eq!(bytes_of(&two(true)), expected);
    let mut rekeying = two(true);
    let config = QueueConfig { key_generation: 1, ..rekeying.config().clone() };
    rekeying.replay_reconfigure(config);
    assert_eq!(bytes_of(&rekeying), layout(4));
    let present = 1 + 11 * 8 + 4 + 5 * 8 + 2 * 8 + 2;
    for (at, byte, refused) in [
        (present, 0b100, "a chunk holds what never came, or nothing"),
        (present, 0b000, "a chunk holds what never came, or nothing"),
        (present, 0b011, "its ledger does not balance"),
        (present - 2, 3, "a chunk holds what never came, or nothing"),
        (present - 10, 1, "a chunk holds what never came, or nothing"),
        (present + 65 + 8, 9, "a chunk does not fit together"),
    ] {
        let mut bytes = expected.clone();
        bytes[at] = byte;
        bytes.resize(bytes.len() + if byte == 9 { 18 } else { 0 }, 0);
        let illegal = Snapshot::decode(&bytes).unwrap_err();
        assert_eq!(illegal, SnapshotError::Illegal(refused), "byte {at} as {byte}");
    }
}

#[test]
fn the_second_version_is_read() {
    let mut second = layout(2);
    assert_eq!(Snapshot::decode(&second), Snapshot::decode(&layout(3)));
    second[9] = 3;
    let refused = SnapshotError::Illegal("more was dispatched than came");
    assert_eq!(Snapshot::decode(&second), Err(refused));
    assert!(Snapshot::decode(&[&[3], &second[1..]].concat()).is_ok(), "it was said before");
}

#[test]
fn the_first_version_is_read() {
    let snapshot = Snapshot::decode(&layout(1)).unwrap();
    let restored = Queue::restore(two(false).config().clone(), 0, snapshot);
    invariants::check(&restored).unwrap();
    let peeked: Vec<crate::Peeked> = restored.peek(Offset(0)).collect();
    assert_eq!(peeked, two(false).peek(Offset(0)).collect::<Vec<_>>());
    assert_eq!((peeked.len(), peeked[0].attempts, peeked[0].expires), (1, 4, None));
    assert_eq!(restored.ledger(), two(false).ledger());
}

#[test]
fn what_is_kept_or_replaced_comes_back_and_must_be_sound() {
    let keep_settled = std::time::Duration::from_secs(60);
    let config = QueueConfig { last_value: true, keep_settled, ..QueueConfig::default() };
    let mut queue = Queue::new(config, 0);
    let mut actions = Vec::new();
    let mut handle = |input| queue.handle(Instant::ZERO, input, &mut actions).unwrap();
    let consumer = ConsumerId(1);
    handle(Input::Attach { consumer, max_inflight: 9 });
    for n in 0..3 {
        let message = NewMessage::new(StoredAt(n), 70, UnixMillis(9));
        handle(Input::Enqueue(NewMessage { key: Key(1), ..message }));
    }
    handle(Input::Settle { consumer, offset: Offset(2), attempt: 1, outcome: Outcome::Accept });
    let bytes = bytes_of(&queue);
    let snapshot = Snapshot::decode(&bytes).unwrap();
    assert_eq!(snapshot, queue.snapshot(Offset(0)));
    assert_eq!(snapshot.replaced, [Offset(0), Offset(1)], "by one that has left since");
    let mut restored = Queue::restore(queue.config().clone(), 0, snapshot);
    assert_eq!(restored.kept().collect::<Vec<_>>(), [(Offset(2), StoredAt(2))]);
    actions.clear();
    restored.handle(Instant::ZERO, Input::Tick, &mut actions).unwrap();
    assert_eq!((restored.ledger().replaced, actions.len()), (2, 2));

    let ids = 1 + 13 * 8;
    assert_eq!(bytes[ids - 8..ids], 1_u64.to_le_bytes(), "the last that was replaced");
    let chunk = ids + 2 * 8;
    let (settled, kept) = (1 + 2 * 8, chunk + 8 + 2 + 64 + 1);
    assert_eq!((bytes[settled], bytes[kept]), (1, 0b100));
    for (at, byte, refused) in [
        (ids - 8, 5, "what is not here was replaced"),
        (ids - 8, 0, "what is not here was replaced"),
        (kept, 0b1000, "a chunk holds what never came, or nothing"),
        (kept, 0b110, "a chunk holds what never came, or nothing"),
    ] {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        let illegal = Snapshot::decode(&bytes).unwrap_err();
        assert_eq!(illegal, SnapshotError::Illegal(refused), "byte {at} as {byte}");
    }
}

#[test]
fn bytes_that_are_cut_or_longer_are_refused() {
    let mut bytes = bytes_of(&queue());
    for cut in 0..bytes.len() {
        assert_eq!(Snapshot::decode(&bytes[..cut]), Err(SnapshotError::EndsEarly), "cut at {cut}");
    }
    bytes.push(0);
    assert_eq!(Snapshot::decode(&bytes), Err(SnapshotError::Illegal("bytes follow")));
    for version in [0, 5] {
        bytes[0] = version;
        assert_eq!(Snapshot::decode(&bytes), Err(SnapshotError::UnknownVersion(version)));
    }
}

proptest! {
    /// Whatever is decoded can be restored: it is in order, or it was refused.
    #[test]
    fn damaged_bytes_are_refused_or_make_a_queue_that_is_in_order(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        in_the_head in any::<bool>(),
    ) {
        let mut bytes = bytes_of(&queue());
        let end = if in_the_head { 300 } else { bytes.len() };
        for (at, byte) in damage {
            bytes[at.index(end)] = byte;
        }
        if let Ok(snapshot) = Snapshot::decode(&bytes) {
            let restored = Queue::restore(QueueConfig::default(), 0, snapshot);
            prop_assert_eq!(invariants::check(&restored), Ok(()));
        }
    }
}
