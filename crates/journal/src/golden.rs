//! Bytes of records and of a checkpoint's part as each version wrote them, which are read for ever.
//!
//! `tests/golden/<what>-v<version>.bin` is never written again. A new version gets a file of its own, and the old one goes
//! on to be read. `WEIR_WRITE_GOLDEN=1` writes those that are missing.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use key_expression::{KeyExpression, KeySeed};
use log_api::Position;
use mqtt_router::SinkId;
use mqtt_session::{
    InboxEntryImage, InboxImage, Kept, KeptPlace, SessionImage, SubscriptionRecord, Will,
    WillRequest,
};
use mqtt_types::{Message, MessageHead, PacketId, QoS, TopicName};
use queue_engine::{
    DeadReason, Departure, DispatchStrategy, Input, NewMessage, Offset, Overflow, Queue,
    QueueConfig, Scope, StoredAt,
};
use smallvec::SmallVec;
use stdx::{Instant, UnixMillis};
use stream_engine::{MemberId, Progress, ReaderName, Report, Start, Stream, StreamConfig};

use crate::checkpoint::{QueuePart, ShardPart, StoredPart, StreamPart};
use crate::ids::{GroupMark, SessionNumber};
use crate::queue::{DeadLetter, Durability, QueueProperties};
use crate::record::{
    ConnectedAs, DefinitionRecord, Delayed, KeptCopy, KeptLease, KeptReplay, Leaving, Left, Lying,
    MoreTargets, Moved, PublishRecord, Relocated, RetainedPage, SessionEvent, SessionRecord,
    SessionTarget, SettleRecord, SharedTarget, SinkKey, StoredSession, StoredSubscription,
    StreamRecord, Targets, Tried, Why, decode_delayed_done, decode_deleted, encode_delayed_done,
    encode_deleted, encode_publish,
};
use crate::retained::{Change, Holds, RetainedLimits, RetainedPart, RetainedStore};
use crate::stream::StreamProperties;

/// The bytes that a version wrote. Those of the present one must be what is written today.
fn golden(what: &str, version: u8, written: &[u8]) -> Vec<u8> {
    let name = format!("tests/golden/{what}-v{version}.bin");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
    assert_eq!(
        written[0], version,
        "{what} has a new version: add a file of it, go on to read {name}"
    );
    if std::env::var_os("WEIR_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, written).expect("the directory can be written");
    }
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(bytes, written, "{name} is not what is written today: {what} needs a new version");
    bytes
}

/// The bytes that an older version wrote.
fn old(what: &str, version: u8) -> Vec<u8> {
    let name = format!("tests/golden/{what}-v{version}.bin");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A record of that version is what is written today, and comes out as it went in.
fn check<T: PartialEq + Debug, E: Debug>(
    (what, version): (&str, u8),
    value: &T,
    encode: impl Fn(&T, &mut Vec<u8>),
    decode: impl Fn(&[u8]) -> Result<T, E>,
) {
    let mut written = Vec::new();
    encode(value, &mut written);
    let bytes = golden(what, version, &written);
    assert_eq!(&decode(&bytes).expect("it was legal and stays so"), value, "{what}");
}

fn keys(generation: u8) -> SmallVec<[SinkKey; 1]> {
    let key = |sink, key| SinkKey { sink: SinkId(sink), key, generation };
    [key(3, 77), key(9, u64::MAX)].into_iter().collect()
}

fn more() -> MoreTargets {
    let session = |number, qos| SessionTarget {
        number: SessionNumber(number),
        qos,
        retain: qos == QoS::ExactlyOnce,
        identifiers: [1, 268_435_455].into_iter().collect(),
        shared: (qos == QoS::ExactlyOnce)
            .then_some(SharedTarget { mark: GroupMark { group: 7, key: 9 }, for_any: true }),
        in_place_of: None,
    };
    MoreTargets {
        retained: Some(99),
        publisher: Some((SessionNumber(1 << 40), PacketId::MIN)),
        delayed: Some(Delayed { number: 1 << 50, due_ms: 1_800_000_000_000 }),
        delayed_by: Some("meter-7".into()),
        keys: keys(0),
        not_before_ms: Some(1_800_000_000_001),
        message_id: Some(0x0102_0304_0506_0708_090A_0B0C_0D0E_0F10),
        moved: Some(Moved { from: SinkId(4), offset: Offset(300), how: Departure::DeadLettered }),
        relocated: None,
        sessions: vec![session(3, QoS::AtLeastOnce), session(0x1_0003, QoS::ExactlyOnce)],
    }
}

#[test]
fn publishes() {
    let head = MessageHead {
        qos: QoS::ExactlyOnce,
        retain: true,
        received_at_ms: 1_800_000_000_000,
        expiry_interval: Some(9),
    };
    let (sinks, more) = ([SinkId(3), SinkId(9)], more());
    let mut passed_on = more.clone();
    let place = KeptCopy { number: SessionNumber(5), at: Position::new(3, 64), copy: 2 };
    passed_on.sessions.iter_mut().for_each(|target| target.in_place_of = Some(place));
    let place =
        KeptPlace { sequence: 300, at: Position::new(3, 64).as_u64(), copy: 2, is_shared: false };
    let number = SessionNumber(1 << 40);
    let kept = MoreTargets { relocated: Some(Relocated::Kept(number, place)), ..passed_on.clone() };
    let kept = MoreTargets { moved: None, ..kept };
    let relocated = kept.delayed.map(Relocated::Delayed);
    let delayed = MoreTargets { relocated, ..kept.clone() };
    let rekeyed = MoreTargets { keys: keys(7), ..passed_on.clone() };
    let hosted = Relocated::Hosted { sink: SinkId(4), offset: Offset(300) };
    let hosted = MoreTargets { moved: None, relocated: Some(hosted), ..more.clone() };
    for (what, version, more) in [
        ("publish", 1, None),
        ("publish", 2, Some(&more)),
        ("publish-hosted", 2, Some(&hosted)),
        ("publish", 4, Some(&passed_on)),
        ("publish", 5, Some(&kept)),
        ("publish-delayed", 5, Some(&delayed)),
        ("publish", 6, Some(&rekeyed)),
    ] {
        let mut written = Vec::new();
        let targets = Targets { sinks: &sinks, more };
        encode_publish(&mut written, &head, targets, "a/b", &[1, 1], b"payload");
        let bytes = golden(what, version, &written);
        let record = PublishRecord::decode(Bytes::from(bytes)).expect("legal");
        assert!(record.sinks().eq(sinks));
        assert_eq!(record.more().expect("legal").as_ref(), more);
        let message = record.message().expect("legal");
        assert_eq!((message.topic(), message.properties()), ("a/b", &[1, 1][..]));
        assert_eq!((message.payload(), message.head()), (&b"payload"[..], &head));
    }
}

#[test]
fn settlements() {
    let tried = |offset, attempts| Tried { offset: Offset(offset), attempts, until: None };
    let every = Left::ALL.into_iter().zip(0..);
    let record = SettleRecord {
        sink: SinkId(7),
        rewound: None,
        left: every.map(|(left, n)| (left, vec![n * 10..n * 10 + 3, 5000..6000 + n])).collect(),
        dispatched_to: Offset(9001),
        attempts: vec![tried(4, 2), tried(1 << 40, u32::MAX)],
    };
    check(("settle", 1), &record, SettleRecord::encode, SettleRecord::decode);
    let rewound = SettleRecord { rewound: Some(Offset(300)), ..record };
    check(("settle", 2), &rewound, SettleRecord::encode, SettleRecord::decode);
    let waiting = Tried { until: Some(UnixMillis(1_700_000_000_123)), ..tried(5, 3) };
    let waits = SettleRecord { attempts: vec![tried(4, 2), waiting], ..rewound };
    check(("settle", 3), &waits, SettleRecord::encode, SettleRecord::decode);
}

fn definition() -> DefinitionRecord {
    DefinitionRecord {
        sink: SinkId(5),
        name: "billing".to_owned(),
        topic_filter: Some("orders/#".to_owned()),
        created_at_ms: 1_800_000_000_000,
        properties: QueueProperties {
            config: QueueConfig {
                dispatch_strategy: DispatchStrategy::KeyOrdered,
                max_inflight: 3,
                ack_timeout: Duration::from_secs(30),
                max_attempts: 5,
                retry_delay: Duration::from_millis(200),
                retry_delay_max: Duration::from_secs(9),
                paused: true,
                key_inflight: 9,
                last_value: true,
                retention: Duration::from_secs(86_400),
                max_messages: Some(10),
                max_bytes: Some(1 << 40),
                overflow: Overflow::DropOldest,
                dead_letter_expired: true,
                dead_letter_dropped: true,
                dedup_window: Duration::from_secs(60),
                keep_settled: Duration::from_secs(3600),
                ..QueueConfig::default()
            },
            key_expression: KeyExpression::parse("level(2)").expect("legal"),
            durability: Durability::Memory,
            dead_letter: DeadLetter::Queue("morgue".into()),
        },
        key_seed: KeySeed([7; 16]),
    }
}

#[test]
fn definitions() {
    let mut definition = definition();
    check(("queue-defined", 2), &definition, DefinitionRecord::encode, DefinitionRecord::decode);
    definition.properties.config.key_generation = 7;
    check(("queue-defined", 3), &definition, DefinitionRecord::encode, DefinitionRecord::decode);
    check(
        ("queue-deleted", 1),
        &SinkId(77),
        |sink, out| encode_deleted(out, *sink),
        decode_deleted,
    );
}

fn stream_definition() -> DefinitionRecord<StreamProperties> {
    DefinitionRecord {
        sink: SinkId(6),
        name: "fleet".to_owned(),
        topic_filter: Some("fleet/#".to_owned()),
        created_at_ms: 1_800_000_000_000,
        properties: StreamProperties {
            config: StreamConfig {
                max_inflight: 3,
                retry_delay: Duration::from_millis(200),
                retry_delay_max: Duration::from_secs(9),
                paused: true,
                keyed: true,
                last_value: true,
                retention: Duration::from_secs(86_400),
                max_messages: Some(10),
                max_bytes: Some(1 << 40),
                look_ahead: 77,
                readers_max: 1 << 33,
                keep_positions: Duration::from_secs(3600),
                key_generation: 0,
            },
            key_expression: KeyExpression::parse("level(2)").expect("legal"),
            durability: Durability::Os,
        },
        key_seed: KeySeed([7; 16]),
    }
}

#[test]
fn streams() {
    let mut definition = stream_definition();
    check(("stream-defined", 1), &definition, DefinitionRecord::encode, DefinitionRecord::decode);
    definition.properties.config.key_generation = 7;
    check(("stream-defined", 2), &definition, DefinitionRecord::encode, DefinitionRecord::decode);
    let every = stream_engine::Departure::ALL.into_iter().zip(0..);
    let progress = Progress {
        position: Offset(300),
        delivered_to: Offset(1 << 40),
        rejected: 1,
        skipped: u64::MAX,
    };
    let record = StreamRecord {
        left: every.map(|(left, n)| (left, vec![n * 10..n * 10 + 3, 5000..6000 + n])).collect(),
        forgotten: vec![ReaderName::client("meter"), ReaderName::group("workers")],
        positions: vec![
            (ReaderName::client("meter"), progress),
            (ReaderName::group("workers"), Progress::default()),
        ],
        ..StreamRecord::new(SinkId(6))
    };
    check(("stream-changed", 1), &record, StreamRecord::encode, StreamRecord::decode);
    let (settled, begins) = ([302..303, 400..500].into_iter().collect(), true);
    let by_number = StreamRecord {
        positions: Vec::new(),
        named: vec![(7, ReaderName::client("meter")), (300, ReaderName::group("workers"))],
        reports: vec![
            (7..8, Report { progress, settled, begins }),
            (9..1 << 20, Report::default()),
        ],
        ..record
    };
    check(("stream-changed", 2), &by_number, StreamRecord::encode, StreamRecord::decode);
}

#[test]
fn delayed_messages_that_were_published() {
    let encode = |number: &u64, out: &mut Vec<u8>| encode_delayed_done(out, *number);
    check(("delayed", 1), &(1 << 50), encode, decode_delayed_done);
}

fn will() -> Will {
    let request = WillRequest {
        topic: "gone/a",
        payload: b"offline",
        qos: QoS::ExactlyOnce,
        retain: true,
        delay_interval: 9,
        message_expiry_interval: Some(77),
        properties: &[1, 1],
    };
    Will::new(&request).expect("legal")
}

#[test]
fn sessions() {
    let lease = KeptLease { packet_id: PacketId::MIN, sink: SinkId(7), offset: Offset(1 << 40) };
    let subscription = StoredSubscription {
        address: "$queue/billing".into(),
        record: SubscriptionRecord::plain(QoS::AtLeastOnce),
        wants_metadata: true,
        replay: None,
    };
    let connected = ConnectedAs {
        client_id: "sensor".into(),
        owner: Some("fleet".into()),
        expiry_interval: u32::MAX,
        will: Some(Box::new(will())),
    };
    let replaying = |since| {
        let replay = Some(KeptReplay { since, through: "a/b".into() });
        StoredSubscription { replay, ..subscription.clone() }
    };
    let (now, before) = (vec![replaying(300)], vec![replaying(u64::MAX)]);
    let page = RetainedPage {
        address: "a/#".into(),
        through: "a/b".into(),
        is_last: true,
        entries: vec![held()],
    };
    let events = [
        SessionEvent::Connected(connected.clone()),
        SessionEvent::Disconnected {
            at: UnixMillis(1_800_000_000_000),
            expiry_interval: 60,
            keeps_will: true,
            sent_to: 300,
            unsure_to: 7,
        },
        SessionEvent::Ended(Some(Position::new(3, 64))),
        SessionEvent::Subscribed(vec![subscription.clone()]),
        SessionEvent::Unsubscribed(vec!["a/#".into(), "$q/b".into()]),
        SessionEvent::Inbox { left: vec![3..5, 9..10], received: vec![6..7, 8..9], sent_to: 12 },
        SessionEvent::Released(PacketId::MIN),
        SessionEvent::Leased(lease),
        SessionEvent::LeaseReceived(lease, None),
        SessionEvent::LeasesOver(vec![PacketId::MIN, PacketId::MIN.next()]),
        SessionEvent::ConnectedAndSubscribed(connected.clone(), now),
        SessionEvent::Retained(page),
        SessionEvent::ReadsFor { address: "$stream/a".into(), group: Some("workers".into()) },
        SessionEvent::LeftEnding(vec![(Position::new(1, 64), 0), (Position::new(2, 128), 255)]),
    ];
    for (event, number) in events.into_iter().zip(1..) {
        let mut record = SessionRecord { number: SessionNumber(0x7_0001), event };
        let what = format!("session-{number}");
        check((&what, 4), &record, SessionRecord::encode, SessionRecord::decode);
        if let SessionEvent::ConnectedAndSubscribed(_, subscriptions) = &mut record.event {
            subscriptions.clone_from(&before);
        }
        let third = SessionRecord::decode(&old(&what, 3));
        assert_eq!(third.as_ref(), Ok(&record), "{what} of version 3");
        let then = SessionRecord { event: before_version_3(record.event), ..record };
        for (version, numbers) in [(1, 1..=10), (2, 1..=13)] {
            if numbers.contains(&number) {
                let read = SessionRecord::decode(&old(&what, version));
                assert_eq!(read.as_ref(), Ok(&then), "{what} of version {version}");
            }
        }
    }
}

#[test]
fn a_record_of_what_a_reader_has() {
    let lease = KeptLease { packet_id: PacketId::MIN, sink: SinkId(7), offset: Offset(300) };
    for (what, reader) in [
        ("session-9-client", ReaderName::client("sensor")),
        ("session-9-group", ReaderName::group("workers")),
    ] {
        let event = SessionEvent::LeaseReceived(lease, Some(reader));
        let record = SessionRecord { number: SessionNumber(0x7_0001), event };
        check((what, 5), &record, SessionRecord::encode, SessionRecord::decode);
    }
}

/// What older versions could say of that.
fn before_version_3(event: SessionEvent) -> SessionEvent {
    match event {
        SessionEvent::Ended(_) => SessionEvent::Ended(None),
        SessionEvent::Disconnected { at, expiry_interval, keeps_will, .. } => {
            let (sent_to, unsure_to) = (0, u64::MAX);
            SessionEvent::Disconnected { at, expiry_interval, keeps_will, sent_to, unsure_to }
        }
        same => same,
    }
}

/// A retained message that a session has in flight.
fn held() -> Kept {
    Kept {
        at: 1 << 41,
        size: 200,
        qos: QoS::AtLeastOnce,
        retain: true,
        has_identifiers: false,
        copy: 0,
        set: None,
        is_shared: false,
        is_held: true,
        identifier: std::num::NonZeroU32::new(9),
    }
}

/// As the present version says it, or as older ones did.
fn session(is_present: bool) -> StoredSession {
    let kept = Kept {
        at: 1 << 40,
        size: 300,
        qos: QoS::ExactlyOnce,
        retain: true,
        has_identifiers: true,
        copy: 2,
        set: None,
        is_shared: true,
        is_held: false,
        identifier: None,
    };
    let mut entries = vec![
        InboxEntryImage::Kept { kept, was_sent: true },
        InboxEntryImage::Gone(1),
        InboxEntryImage::Received(7),
        InboxEntryImage::Gone(1 << 40),
    ];
    let (mut identifiers, mut replays) = (Vec::new(), Vec::new());
    if is_present {
        let known = Kept { set: Some(1), copy: 0, is_shared: false, ..kept };
        entries.push(InboxEntryImage::Kept { kept: known, was_sent: false });
        identifiers = vec![[7].into(), [1, 268_435_455].into()];
        let replay = KeptReplay { since: 300, through: "a/b".into() };
        replays.push(("$q/a".into(), replay));
    }
    StoredSession {
        number: SessionNumber(1 << 55),
        image: SessionImage {
            client_id: "sensor-17".into(),
            expiry_interval: 3600,
            subscriptions: vec![("$q/a".into(), SubscriptionRecord::plain(QoS::AtMostOnce))],
            inbox: InboxImage { first: 12, entries, identifiers, unsure_to: 0 },
            incoming_qos2: vec![PacketId::MIN],
            will: Some(will()),
            disconnected_at: Some(UnixMillis(5)),
        },
        owner: Some("fleet".into()),
        with_metadata: vec!["$q/a".into()],
        replays,
        leases: vec![KeptLease { packet_id: PacketId::MIN, sink: SinkId(3), offset: Offset(9) }],
        groups: vec![("$stream/a".into(), "workers".into())],
        as_of: UnixMillis(5),
    }
}

/// Three messages, of which the first was purged.
fn queue() -> Queue {
    let mut queue = Queue::new(QueueConfig::default(), 1);
    let mut handle = |input| queue.handle(Instant::ZERO, input, &mut Vec::new()).expect("legal");
    for n in 0..3 {
        let message = NewMessage::new(StoredAt(n * 300), 70, UnixMillis(1_800_000_000_000 + n));
        handle(Input::Enqueue(message));
    }
    handle(Input::Purge { scope: Scope::Range(Offset(0)..Offset(1)), max: 1 });
    queue
}

/// Three messages, of which the first was purged, and a group that has settled one.
fn stream() -> Stream {
    let mut stream = Stream::new(StreamConfig::default());
    let mut handle = |input| stream.handle(Instant::ZERO, input, &mut Vec::new()).expect("legal");
    for n in 0..3 {
        let stored = UnixMillis(1_800_000_000_000 + n);
        let message = stream_engine::NewMessage::new(StoredAt(n * 300), 70, stored);
        handle(stream_engine::Input::Append(message));
    }
    let scope = stream_engine::Scope::Range(Offset(0)..Offset(1));
    handle(stream_engine::Input::Purge { scope, max: 1 });
    let (member, reader) = (MemberId(1), ReaderName::group("workers"));
    handle(stream_engine::Input::Attach { member, reader, start: Start::Earliest, window: 1 });
    let outcome = stream_engine::Outcome::Accept;
    handle(stream_engine::Input::Settle { member, offset: Offset(1), outcome });
    stream
}

#[test]
fn parts_of_a_checkpoint() {
    let leaving = BTreeMap::from([
        (Offset(4), Leaving { at: StoredAt(9), why: Why::Redriven { to: SinkId(2) } }),
        (
            Offset(5),
            Leaving {
                at: StoredAt(10),
                why: Why::Dead { reason: DeadReason::Rejected, attempts: 3 },
            },
        ),
    ]);
    let delayed = (
        Delayed { number: 64, due_ms: 1_800_000_000_000 },
        Lying { at: Position::new(1, 64), size: 70 },
    );
    let part = ShardPart {
        next_sink: 6,
        next_session: 1 << 39,
        queues: vec![QueuePart {
            definition: definition().into_definition(2),
            snapshot: queue().snapshot(Offset(0)),
            leaving: leaving.clone(),
        }],
        streams: vec![StreamPart {
            definition: stream_definition().into_definition(2),
            snapshot: stream().snapshot(|_| Offset(0)),
        }],
        sessions: vec![session(true)],
        delayed: vec![delayed],
        holding: vec![Position::new(2, 128)],
    };
    let limits = RetainedLimits { messages: 10, bytes: 1 << 20, memory: 1 << 20, bodies: 0 };
    let store = RetainedStore::new(limits);
    let topic = TopicName::new("a/b").expect("legal");
    let message = Message::new(MessageHead::default(), topic, &[], b"payload").expect("small");
    let version = store.publish(&message, Change::Logged).expect("room").expect("kept");
    let kept = crate::record::Kept { at: Some(Position::new(3, 64)), size: 10, due_ms: 77 };
    store.stored(topic, version, kept, &mut Holds::new());
    let mut written = part.encode();
    RetainedPart::put(&mut written, &store);

    let written = golden("part", 10, &written);
    for bytes in [written, old("part", 9), old("part", 8), old("part", 7), old("part", 6)] {
        let read = StoredPart::decode(&bytes).expect("legal");
        check_streams(&read, bytes[0] > 7);
        let session = session(bytes[0] > 8);
        let groups = if bytes[0] > 7 { session.groups.clone() } else { Vec::new() };
        assert_eq!(read.sessions, [StoredSession { groups, ..session }]);
        check_part(&read, (&leaving, delayed), (topic, version, kept));
    }
}

fn check_streams(read: &StoredPart, are_there: bool) {
    if !are_there {
        return assert!(read.streams.is_empty());
    }
    let [stream_read] = &read.streams[..] else { panic!("one stream") };
    assert_eq!(stream_read.definition, stream_definition());
    assert_eq!(stream_read.snapshot, stream().snapshot(|_| Offset(0)));
}

fn check_part(
    read: &StoredPart,
    (leaving, delayed): (&BTreeMap<Offset, Leaving>, (Delayed, Lying)),
    (topic, version, kept): (TopicName<'_>, u64, crate::record::Kept),
) {
    assert_eq!((read.next_sink, read.next_session), (6, 1 << 39));
    assert_eq!(read.delayed, [delayed]);
    let [queue_read] = &read.queues[..] else { panic!("one queue") };
    assert_eq!(queue_read.definition, definition());
    assert_eq!(queue_read.snapshot, queue().snapshot(Offset(0)));
    assert_eq!(&queue_read.leaving, leaving);
    let entry = read.retained.index.get(topic).expect("it is retained");
    assert_eq!((entry.version(), entry.at()), (version, kept.at));
}
