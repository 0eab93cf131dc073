use std::time::Duration;

use proptest::prelude::*;
use stdx::{Instant, UnixMillis};

use super::*;
use crate::{
    Input, Key, MemberId, NewMessage, Outcome, Start, StoredAt, Stream, StreamConfig, invariants,
};

/// 1300 messages, of which 100 were purged; a client that has settled up to 605 but for 602, a group at the end.
fn stream() -> Stream {
    let config = StreamConfig { max_inflight: 6, ..StreamConfig::default() };
    let mut stream = Stream::new(config);
    let mut actions = Vec::new();
    let mut handle = |input| stream.handle(Instant::from_millis(5), input, &mut actions).unwrap();
    for n in 0..1300 {
        let at = StoredAt(((n / 500) << 32) | ((n % 500) * 400));
        let stored = UnixMillis(1_000_000 + n);
        handle(Input::Append(NewMessage::new(at, 200 + n as u32 % 3, stored)));
    }
    handle(Input::Purge { scope: crate::Scope::Range(Offset(0)..Offset(100)), max: 1000 });
    let (one, other) = (MemberId(1), MemberId(2));
    let reader = ReaderName::client("jürgen");
    handle(Input::Attach { member: one, reader, start: Start::Earliest, window: 6 });
    for offset in (100..605).filter(|offset| *offset != 602).map(Offset) {
        handle(Input::Settle { member: one, offset, outcome: Outcome::Accept });
    }
    handle(Input::Settle { member: one, offset: Offset(605), outcome: Outcome::Reject });
    let reader = ReaderName::group("g");
    handle(Input::Attach { member: other, reader, start: Start::Latest, window: 6 });
    handle(Input::Clock(UnixMillis(1_002_000)));
    handle(Input::Detach { member: other, written: Vec::new() });
    stream
}

fn bytes_of(stream: &Stream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.snapshot(|_| Offset(0)).encode(&mut bytes);
    bytes
}

#[test]
fn a_stream_comes_back_with_its_messages_and_positions() {
    let stream = stream();
    let snapshot = Snapshot::decode(&bytes_of(&stream)).unwrap();
    assert_eq!((snapshot.next_offset(), snapshot.kept()), (Offset(1300), 1200));
    let restored = Stream::restore(stream.config().clone(), snapshot);
    invariants::check(&restored).unwrap();
    assert!(restored.stored().eq(stream.stored()));
    let (before, after) = (stream.ledger(), restored.ledger());
    assert_eq!(after, crate::Ledger { members: 0, ..before });
    let state = restored.reader(&ReaderName::client("jürgen")).unwrap();
    let progress =
        Progress { position: Offset(602), delivered_to: Offset(611), rejected: 1, skipped: 0 };
    // 602, and what it was not given yet or has in flight.
    assert_eq!((state.progress, state.lag, state.members.len()), (progress, 695, 0));
    let state = restored.reader(&ReaderName::group("g")).unwrap();
    assert_eq!((state.progress.position, state.lag), (Offset(1300), 0));
}

#[test]
fn full_chunks_are_shared_and_not_copied() {
    let stream = stream();
    let (one, other) = (stream.snapshot(|_| Offset(0)), stream.snapshot(|_| Offset(0)));
    let shared = one.chunks.iter().zip(&other.chunks);
    let shared = shared.filter(|(one, other)| one.is_shared_with(other));
    assert_eq!((shared.count(), one.chunks.len()), (2, 3));
}

#[test]
fn how_long_a_reader_has_gone_comes_back() {
    let mut stream = stream();
    let keep_positions = Duration::from_secs(10);
    let config =
        StreamConfig { keep_positions, retention: Duration::ZERO, ..StreamConfig::default() };
    stream.replay_reconfigure(config.clone());
    let mut restored = Stream::restore(config, stream.snapshot(|_| Offset(0)));
    let mut actions = Vec::new();
    let mut tell = |shows| {
        actions.clear();
        restored.handle(Instant::ZERO, Input::Clock(UnixMillis(shows)), &mut actions).unwrap();
        actions.clone()
    };
    assert_eq!(tell(1_011_999), []);
    let forgotten = |actions: Vec<crate::Action>| match &actions[..] {
        [crate::Action::Forgotten { name, .. }] => name.clone(),
        _ => panic!("{actions:?}"),
    };
    assert_eq!(forgotten(tell(1_012_000)), ReaderName::group("g"));
    assert_eq!(tell(1_021_998), [], "the client had a member, and has gone with the restart");
    assert_eq!(forgotten(tell(1_021_999)), ReaderName::client("jürgen"));
}

/// Message 0 of two purged; message 1 with a key and a time to live; a client and a group.
fn two() -> Stream {
    let mut stream = Stream::new(StreamConfig { keyed: true, ..StreamConfig::default() });
    for n in 0..2 {
        let message = NewMessage::new(StoredAt((5 << 32) | (n * 300)), 70, UnixMillis(9));
        let expires = (n == 1).then_some(UnixMillis(20));
        stream.replay_append(&NewMessage { key: Key(n * 3), expires, ..message });
    }
    stream.replay_removed(Offset(0), crate::Departure::Purged);
    let progress = |position, delivered_to| Progress {
        position: Offset(position),
        delivered_to: Offset(delivered_to),
        rejected: 7,
        skipped: 8,
    };
    stream.replay_position(&ReaderName::group("ab"), progress(0, 1));
    stream.replay_position(&ReaderName::client("ab"), progress(1, 2));
    stream
}

#[test]
fn the_layout_stays() {
    let number = |number: u64| number.to_le_bytes();
    let mut expected = vec![1];
    expected.extend([2, 0, 0, 0, 1, 0, 2].map(number).concat());
    for (kind, position, delivered_to) in [(1, 1, 2), (2, 0, 1)] {
        expected.extend([kind, 2, 0, 0, 0, b'a', b'b']);
        expected.extend([position, delivered_to, 7, 8, u64::MAX].map(number).concat());
    }
    expected.extend([1, 0].map(number).concat());
    expected.extend([2, 0]);
    expected.extend([2, 0, 0, 0, 0, 0, 0, 0].map(number).concat());
    expected.push(0);
    for (base, width) in [(5, 0), (0, 2), (70, 0), (9, 0), (0, 1), (0, 1), (0, 0)] {
        expected.extend(number(base));
        expected.push(width);
    }
    expected.extend([0, 0, 44, 1, 0, 3, 0, 12]);
    assert_eq!(bytes_of(&two()), expected);
    let first = 1 + 7 * 8;
    let second = first + 7 + 5 * 8;
    // While keys are made anew it says of each reader that it has settled nothing more, and which keys are stale.
    let mut rekeying = two();
    let config = StreamConfig { keyed: true, key_generation: 1, ..rekeying.config().clone() };
    rekeying.replay_reconfigure(config);
    let behind = second + 7 + 5 * 8;
    let readers = [&expected[1..second], &[0; 8], &expected[second..behind], &[0; 8]].concat();
    let stale = [0, 2, 0].map(number).concat();
    let third = [&[3][..], &readers, &stale, &expected[behind..]].concat();
    assert_eq!(bytes_of(&rekeying), third);
    let chunk = second + 7 + 5 * 8 + 8;
    for (at, byte, refused) in [
        (33, 2, "its ledger does not balance"),
        (first, 3, "a reader is neither a client nor a group"),
        (first, 2, "readers are not in order of their names"),
        (first + 5, 0xFF, "the name of a reader is no text"),
        (first + 7, 3, "a reader has read what never came"),
        (first + 15, 3, "a reader has read what never came"),
        (second, 1, "readers are not in order of their names"),
        (chunk + 8, 3, "a chunk holds what never came, or nothing"),
        (chunk + 10, 0, "a chunk holds what never came, or nothing"),
    ] {
        let mut bytes = expected.clone();
        bytes[at] = byte;
        let illegal = Snapshot::decode(&bytes).unwrap_err();
        assert_eq!(illegal, SnapshotError::Illegal(refused), "byte {at} as {byte}");
    }
    let mut kept = expected.clone();
    let has_kept = chunk + 10 + 64;
    kept[has_kept] = 1;
    kept.splice(has_kept + 1..has_kept + 1, [1, 0, 0, 0, 0, 0, 0, 0].map(number).concat());
    let refused = "it keeps what was settled, which streams do not do";
    assert_eq!(Snapshot::decode(&kept), Err(SnapshotError::Illegal(refused)));
}

#[test]
fn what_is_settled_above_a_position_is_version_2() {
    let mut stream = two();
    let id = stream.reader_id(&ReaderName::client("ab")).unwrap();
    let mut settled = Runs::default();
    settled.add(1..2);
    let progress = Progress { delivered_to: Offset(2), ..Progress::default() };
    stream.replay_report(id, &crate::Report { progress, settled, begins: true });
    let bytes = bytes_of(&stream);
    let number = |number: u64| number.to_le_bytes();
    let mut expected = vec![2];
    expected.extend([2, 0, 0, 0, 1, 0, 2].map(number).concat());
    expected.extend([1, 2, 0, 0, 0, b'a', b'b']);
    expected.extend([0, 2, 0, 0, u64::MAX, 1, 1, 2].map(number).concat());
    expected.extend([2, 2, 0, 0, 0, b'a', b'b']);
    expected.extend([0, 1, 7, 8, u64::MAX, 0].map(number).concat());
    assert_eq!(bytes[..expected.len()], expected);
    assert_eq!(Snapshot::decode(&bytes), Ok(stream.snapshot(|_| Offset(0))));
    let run = 1 + 7 * 8 + 7 + 5 * 8 + 8;
    for (at, byte) in [(run, 2), (run, 3), (run + 8, 1), (run + 8, 3)] {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        let refused = SnapshotError::Illegal("what a reader has settled is not in order");
        assert_eq!(Snapshot::decode(&bytes), Err(refused), "byte {at} as {byte}");
    }
}

#[test]
fn what_may_be_delivered_before_it_comes_is_version_4() {
    let stream = two();
    let group = stream.reader_id(&ReaderName::group("ab")).unwrap();
    let said = |reader| if reader == group { Offset(9) } else { Offset(0) };
    let snapshot = stream.snapshot(said);
    let mut bytes = Vec::new();
    snapshot.encode(&mut bytes);
    let number = |number: u64| number.to_le_bytes();
    let mut expected = vec![4];
    expected.extend([2, 0, 0, 0, 1, 0, 2].map(number).concat());
    expected.extend([1, 2, 0, 0, 0, b'a', b'b']);
    expected.extend([1, 2, 7, 8, u64::MAX, 0].map(number).concat());
    expected.extend([2, 2, 0, 0, 0, b'a', b'b']);
    expected.extend([0, 9, 7, 8, u64::MAX, 0].map(number).concat());
    let stale = expected.len();
    // Nothing is stale.
    expected.extend([0, 0, 0].map(number).concat());
    assert_eq!(bytes[..expected.len()], expected);
    assert_eq!(bytes[expected.len()..], bytes_of(&stream)[stale - 16..]);
    assert_eq!(Snapshot::decode(&bytes), Ok(snapshot));
    // What was read or settled came before.
    let second = 1 + 7 * 8 + 7 + 6 * 8 + 7;
    let mut read = bytes.clone();
    read[second] = 3;
    let refused = SnapshotError::Illegal("a reader has read what never came");
    assert_eq!(Snapshot::decode(&read), Err(refused));
    let mut settled = bytes;
    settled[second + 5 * 8] = 1;
    settled.splice(second + 6 * 8..second + 6 * 8, [1, 4].map(number).concat());
    assert_eq!(Snapshot::decode(&settled), Err(refused));
}

#[test]
fn bytes_that_are_cut_or_longer_are_refused() {
    let mut bytes = bytes_of(&stream());
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
    fn damaged_bytes_are_refused_or_make_a_stream_that_is_in_order(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        in_the_head in any::<bool>(),
    ) {
        let mut bytes = bytes_of(&stream());
        let end = if in_the_head { 250 } else { bytes.len() };
        for (at, byte) in damage {
            bytes[at.index(end)] = byte;
        }
        if let Ok(snapshot) = Snapshot::decode(&bytes) {
            let mut restored = Stream::restore(StreamConfig::default(), snapshot);
            prop_assert_eq!(invariants::check(&restored), Ok(()));
            restored.handle(Instant::ZERO, Input::Tick, &mut Vec::new()).unwrap();
            prop_assert_eq!(invariants::check(&restored), Ok(()));
        }
    }
}
