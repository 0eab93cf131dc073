//! Records with holes between them, and bodies that are gone.

use std::collections::BTreeMap;

use key_expression::KeySeed;
use log_api::{CheckpointParts, Position, RecordKind};
use mqtt_router::SinkId;
use mqtt_session::{Inbox, InboxEntryImage, KeptPlace};
use mqtt_types::{MessageHead, PacketId, QoS};
use queue_engine::{Departure, Ledger, Offset};
use stdx::UnixMillis;
use stream_engine::{Progress, ReaderName, Report};

use crate::ids::SessionNumber;
use crate::queue::QueueProperties;
use crate::record::{
    ConnectedAs, DefinitionRecord, Delayed, KeptLease, Left, MoreTargets, Moved, Relocated,
    SessionEvent, SessionRecord, SessionTarget, SettleRecord, StreamRecord, Targets, Tried,
    encode_publish,
};
use crate::recovery::{Doubts, Recovered, Recovery};
use crate::stream::StreamProperties;

const QUEUE: SinkId = SinkId(1);
const OTHER: SinkId = SinkId(2);
const SESSION: SessionNumber = SessionNumber(3);

/// A log that is told record by record.
#[derive(Default)]
struct Story {
    recovery: Recovery,
    next: u32,
}

impl Story {
    fn record(&mut self, kind: RecordKind, body: impl FnOnce(&mut Vec<u8>)) -> Position {
        let at = Position::new(1 + self.next / 8, 64 + self.next % 8 * 64);
        self.next += 1;
        let mut bytes = Vec::new();
        body(&mut bytes);
        self.recovery.visit(kind, at, &bytes).expect("legal");
        at
    }

    fn define(&mut self, sink: SinkId, name: &str) {
        let definition = DefinitionRecord {
            sink,
            name: name.to_owned(),
            topic_filter: None,
            created_at_ms: 1,
            properties: QueueProperties::default(),
            key_seed: KeySeed::default(),
        };
        self.record(RecordKind::QueueDefined, |out| definition.encode(out));
    }

    fn publish(&mut self, topic: &str, sinks: &[SinkId], more: &MoreTargets) -> Position {
        let head = MessageHead { received_at_ms: 9, ..MessageHead::default() };
        let targets = Targets { sinks, more: Some(more) };
        self.record(RecordKind::Publish, |out| {
            encode_publish(out, &head, targets, topic, &[], b"payload");
        })
    }

    fn define_stream(&mut self, sink: SinkId) {
        let definition = DefinitionRecord {
            sink,
            name: "trips".to_owned(),
            topic_filter: None,
            created_at_ms: 1,
            properties: StreamProperties::default(),
            key_seed: KeySeed::default(),
        };
        self.record(RecordKind::StreamDefined, |out| definition.encode(out));
    }

    /// Offsets left the stream, and its reader has come there.
    fn change_stream(&mut self, sink: SinkId, left: std::ops::Range<u64>, position: u64) {
        let (position, delivered_to) = (Offset(position), Offset(position));
        let progress = Progress { position, delivered_to, ..Progress::default() };
        let record = StreamRecord {
            left: vec![(stream_engine::Departure::Expired, vec![left])],
            named: vec![(0, ReaderName::client("reader"))],
            reports: vec![(0..1, Report { progress, ..Report::default() })],
            ..StreamRecord::new(sink)
        };
        self.record(RecordKind::StreamChanged, |out| record.encode(out));
    }

    fn enqueue(&mut self, sinks: &[SinkId]) -> Position {
        self.publish("t", sinks, &MoreTargets::default())
    }

    /// Settles offsets of the queue.
    fn settle(&mut self, range: std::ops::Range<u64>) {
        let record = SettleRecord {
            sink: QUEUE,
            rewound: None,
            dispatched_to: Offset(range.end),
            attempts: vec![Tried { offset: Offset(range.end), attempts: 5, until: None }],
            left: vec![(Left::Settled, vec![range])],
        };
        self.record(RecordKind::Settle, |out| record.encode(out));
    }

    fn session(&mut self, event: SessionEvent) {
        let record = SessionRecord { number: SESSION, event };
        self.record(RecordKind::Session, |out| record.encode(out));
    }

    fn connect(&mut self) {
        self.session(SessionEvent::Connected(ConnectedAs {
            client_id: "meter".into(),
            owner: None,
            expiry_interval: 60,
            will: None,
        }));
    }

    fn for_session(&mut self) -> Position {
        let target = SessionTarget {
            number: SESSION,
            qos: QoS::ExactlyOnce,
            retain: false,
            identifiers: Default::default(),
            in_place_of: None,
            shared: None,
        };
        self.publish("t", &[], &MoreTargets { sessions: vec![target], ..MoreTargets::default() })
    }
}

fn ledger(recovered: &Recovered, sink: SinkId) -> Ledger {
    let queue = recovered.queues.iter().find(|queue| queue.definition.sink == sink);
    queue.expect("it is there").engine.ledger()
}

fn stored(recovered: &Recovered, sink: SinkId) -> Vec<Position> {
    let queue = recovered.queues.iter().find(|queue| queue.definition.sink == sink);
    let stored = queue.expect("it is there").engine.stored();
    stored.map(|(_, at)| Position::from_u64(at.0)).collect()
}

/// Writes the checkpoint and reads it back.
fn again(recovered: Recovered) -> (Recovered, BTreeMap<u32, i64>) {
    let salvaged = recovered.into_checkpoint().expect("a format of today");
    let parts = CheckpointParts { position: Position::new(9, 64), parts: vec![salvaged.part] };
    (Recovery::new(Some(&parts)).expect("legal").finish(), salvaged.counts)
}

#[test]
fn what_is_said_of_messages_behind_a_hole_is_not_believed() {
    let mut story = Story::default();
    story.define(QUEUE, "jobs");
    let before: Vec<Position> = (0..4).map(|_| story.enqueue(&[QUEUE])).collect();
    // One or more messages were here.
    story.recovery.lost();
    let behind: Vec<Position> = (0..3).map(|_| story.enqueue(&[QUEUE])).collect();
    // Of the seven or more that there were, all but one of those that are known are settled.
    story.settle(0..3);
    story.settle(4..8);
    assert_eq!(story.recovery.doubts().queues, [("jobs".to_owned(), 3)].into());
    let recovered = story.recovery.finish();
    assert_eq!(stored(&recovered, QUEUE), [&before[3..], &behind].concat());
    let ledger = ledger(&recovered, QUEUE);
    assert_eq!((ledger.enqueued, ledger.settled, ledger.ready), (7, 3, 4));
    let queue = &recovered.queues[0].engine;
    assert_eq!((queue.attempts(Offset(3)), queue.attempts(Offset(4))), (5, 0));
}

fn kept_in_stream(recovered: &Recovered) -> Vec<u64> {
    recovered.streams[0].engine.stored().map(|(offset, _)| offset.0).collect()
}

fn position(recovered: &Recovered) -> u64 {
    let reader = recovered.streams[0].engine.reader(&ReaderName::client("reader"));
    reader.expect("it is known").progress.position.0
}

#[test]
fn a_stream_keeps_what_came_behind_a_hole_and_reads_it_again() {
    let story = |has_hole: bool| {
        let mut story = Story::default();
        story.define_stream(QUEUE);
        (0..3).for_each(|_| drop(story.enqueue(&[QUEUE]).to_string()));
        if has_hole {
            story.recovery.lost();
        }
        (0..3).for_each(|_| drop(story.enqueue(&[QUEUE]).to_string()));
        story.change_stream(QUEUE, 1..5, 5);
        story.recovery.finish()
    };
    let recovered = story(true);
    assert_eq!((kept_in_stream(&recovered), position(&recovered)), (vec![0, 3, 4, 5], 3));
    let recovered = story(false);
    assert_eq!((kept_in_stream(&recovered), position(&recovered)), (vec![0, 5], 5));
}

#[test]
fn a_reader_that_may_have_gone_back_in_a_hole_reads_again() {
    for (has_hole, expected) in [(true, 1), (false, 3)] {
        let mut story = Story::default();
        story.define_stream(QUEUE);
        (0..4).for_each(|_| drop(story.enqueue(&[QUEUE]).to_string()));
        story.change_stream(QUEUE, 0..0, 3);
        if has_hole {
            story.recovery.lost();
        }
        story.change_stream(QUEUE, 0..0, 1);
        assert_eq!(position(&story.recovery.finish()), expected);
    }
}

#[test]
fn a_stream_gives_up_what_has_no_body_and_counts_the_rest() {
    let mut story = Story::default();
    story.define_stream(QUEUE);
    let all: Vec<Position> = (0..12).map(|_| story.enqueue(&[QUEUE])).collect();
    story.change_stream(QUEUE, 0..1, 4);
    let mut recovered = story.recovery.finish();
    let losses = recovered.drop_lost(|at| at != all[5]);
    assert_eq!(losses.streams, [("trips".to_owned(), 1)].into());
    let (recovered, counts) = again(recovered);
    assert_eq!(kept_in_stream(&recovered), [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]);
    assert_eq!(position(&recovered), 4);
    let ledger = recovered.streams[0].engine.ledger();
    assert_eq!((ledger.kept, ledger.dropped, ledger.expired), (10, 1, 1));
    let mut expected = BTreeMap::new();
    for at in all.iter().enumerate().filter(|(n, _)| ![0, 5].contains(n)).map(|(_, at)| at) {
        *expected.entry(at.segment()).or_default() += 1;
    }
    assert_eq!(counts, expected);
}

#[test]
fn a_body_that_lies_elsewhere_is_believed_only_of_a_sure_offset() {
    for (offset, has_hole, moves) in [(0, true, true), (1, true, false), (1, false, true)] {
        let mut story = Story::default();
        story.define(QUEUE, "jobs");
        let first = story.enqueue(&[QUEUE]);
        if has_hole {
            story.recovery.lost();
        }
        let second = story.enqueue(&[QUEUE]);
        let more = MoreTargets {
            relocated: Some(Relocated::Hosted { sink: QUEUE, offset: Offset(offset) }),
            ..MoreTargets::default()
        };
        let anew = story.publish("t", &[], &more);
        let mut expected = [first, second];
        if moves {
            expected[offset as usize] = anew;
        }
        assert_eq!(stored(&story.recovery.finish(), QUEUE), expected, "{offset} {has_hole}");
    }
}

#[test]
fn a_body_of_a_session_or_a_delay_lies_elsewhere_if_it_lay_where_the_record_says() {
    let mut story = Story::default();
    story.connect();
    let first = story.for_session();
    let delayed = Delayed { number: 64, due_ms: 99 };
    let more = MoreTargets { delayed: Some(delayed), ..MoreTargets::default() };
    story.publish("t", &[], &more);
    story.recovery.lost();
    let second = story.for_session();
    let mut moves = |sequence, from: Position| {
        let place = KeptPlace { sequence, at: from.as_u64(), copy: 0, is_shared: false };
        let relocated = Some(Relocated::Kept(SESSION, place));
        story.publish("t", &[], &MoreTargets { relocated, ..MoreTargets::default() })
    };
    let anew = moves(1, second);
    // Behind a hole numbers are those of other messages.
    moves(0, second);
    moves(7, first);
    let relocated = Some(Relocated::Delayed(delayed));
    let later = story.publish("t", &[], &MoreTargets { relocated, ..more.clone() });
    let unknown = Delayed { number: 128, due_ms: 99 };
    let relocated = Some(Relocated::Delayed(unknown));
    let more = MoreTargets { relocated, delayed: Some(unknown), ..MoreTargets::default() };
    story.publish("t", &[], &more);
    let recovered = story.recovery.finish();
    let inbox = Inbox::from_image(&recovered.sessions[0].image.inbox);
    let at: Vec<u64> = inbox.stored().map(|gone| gone.at).collect();
    assert_eq!(at, [first.as_u64(), anew.as_u64()]);
    let lies: Vec<Position> = recovered.delayed.iter().map(|(_, lying)| lying.at).collect();
    assert_eq!(lies, [later]);
    let released: u32 = recovered.released.iter().map(|(_, count)| count).sum();
    assert_eq!(released, 5, "two old places, and three records that nobody needs");
    let counts = recovered.into_checkpoint().expect("no old format").counts;
    assert_eq!(counts.values().sum::<i64>(), 3);
}

#[test]
fn a_session_that_left_behind_a_hole_may_have_been_sent_anything() {
    let mut story = Story::default();
    story.connect();
    story.for_session();
    story.recovery.lost();
    story.for_session();
    story.session(SessionEvent::Disconnected {
        at: UnixMillis(9),
        expiry_interval: 60,
        keeps_will: false,
        sent_to: 0,
        unsure_to: 0,
    });
    let recovered = story.recovery.finish();
    let inbox = Inbox::from_image(&recovered.sessions[0].image.inbox);
    assert_eq!(inbox.unsure_to(), inbox.end());
}

#[test]
fn without_a_hole_all_is_believed() {
    let mut story = Story::default();
    story.define(QUEUE, "jobs");
    (0..4).for_each(|_| drop(story.enqueue(&[QUEUE]).to_string()));
    story.settle(0..4);
    assert_eq!(story.recovery.doubts(), Doubts::default());
    assert_eq!(ledger(&story.recovery.finish(), QUEUE).settled, 4);
}

#[test]
fn what_a_move_or_a_lease_says_behind_a_hole_is_not_believed() {
    let mut story = Story::default();
    story.define(QUEUE, "jobs");
    story.define(OTHER, "dead:jobs");
    story.connect();
    story.enqueue(&[QUEUE]);
    story.recovery.lost();
    story.enqueue(&[QUEUE]);
    let moved =
        |offset| Moved { from: QUEUE, offset: Offset(offset), how: Departure::DeadLettered };
    for offset in [0, 1] {
        let more = MoreTargets { moved: Some(moved(offset)), ..MoreTargets::default() };
        story.publish("t", &[OTHER], &more);
    }
    let packet_id = PacketId::MIN;
    story.session(SessionEvent::Leased(KeptLease { packet_id, sink: QUEUE, offset: Offset(1) }));
    let lease = KeptLease { packet_id, sink: QUEUE, offset: Offset(1) };
    story.session(SessionEvent::LeaseReceived(lease, None));
    let recovered = story.recovery.finish();
    let ledger = ledger(&recovered, QUEUE);
    assert_eq!((ledger.dead_lettered, ledger.ready, ledger.settled), (1, 1, 0));
    assert_eq!(stored(&recovered, OTHER).len(), 2, "twice rather than never");
    assert_eq!(recovered.sessions[0].leases, []);
}

#[test]
fn a_queue_that_may_have_begun_in_a_hole_keeps_all() {
    let mut story = Story::default();
    story.recovery.lost();
    story.define(QUEUE, "jobs");
    story.enqueue(&[QUEUE, OTHER]);
    story.settle(0..1);
    let doubts = story.recovery.doubts();
    assert_eq!((doubts.queues, doubts.orphans), ([("jobs".to_owned(), 1)].into(), 1));
    assert_eq!(ledger(&story.recovery.finish(), QUEUE).ready, 1);
}

#[test]
fn an_inbox_keeps_what_came_behind_a_hole() {
    let mut story = Story::default();
    story.connect();
    let publisher =
        MoreTargets { publisher: Some((SESSION, PacketId::MIN)), ..MoreTargets::default() };
    story.publish("t", &[], &publisher);
    let before = story.for_session();
    story.for_session();
    story.recovery.lost();
    let behind = story.for_session();
    story.session(SessionEvent::Inbox {
        left: std::iter::once(1..3).collect(),
        received: std::iter::once(2..3).collect(),
        sent_to: 3,
    });
    assert_eq!(story.recovery.doubts().sessions, [("meter".to_owned(), 1)].into());
    let recovered = story.recovery.finish();
    let image = &recovered.sessions[0].image;
    let kept = image.inbox.entries.iter().filter_map(|entry| match entry {
        InboxEntryImage::Kept { kept, was_sent } => Some((Position::from_u64(kept.at), *was_sent)),
        _ => None,
    });
    assert_eq!(kept.collect::<Vec<_>>(), [(before, true), (behind, false)]);
    // The publisher may use its packet id for another message by now.
    assert_eq!(image.incoming_qos2, []);
}

#[test]
fn what_has_no_body_any_more_is_given_up_and_counted() {
    let mut story = Story::default();
    story.define(QUEUE, "jobs");
    story.connect();
    let queued: Vec<Position> = (0..3).map(|_| story.enqueue(&[QUEUE])).collect();
    let inbox: Vec<Position> = (0..2).map(|_| story.for_session()).collect();
    let retained = |version| MoreTargets { retained: Some(version), ..MoreTargets::default() };
    let kept = story.publish("kept", &[], &retained(1));
    let gone = story.publish("gone", &[], &retained(2));
    let delayed = MoreTargets {
        delayed: Some(Delayed { number: 64, due_ms: 900 }),
        ..MoreTargets::default()
    };
    let delayed = story.publish("later", &[], &delayed);
    let lost = [queued[1], inbox[0], gone, delayed];
    let mut recovered = story.recovery.finish();
    let losses = recovered.drop_lost(|at| !lost.contains(&at));
    assert_eq!(losses.queues, [("jobs".to_owned(), 1)].into());
    assert_eq!(losses.sessions, [("meter".to_owned(), 1)].into());
    assert_eq!((losses.retained.as_slice(), losses.delayed), (&["gone".to_owned()][..], 1));

    let (recovered, counts) = again(recovered);
    assert_eq!(stored(&recovered, QUEUE), [queued[0], queued[2]]);
    let ledger = ledger(&recovered, QUEUE);
    assert_eq!((ledger.enqueued, ledger.ready, ledger.dropped), (3, 2, 1));
    let inbox_left = Inbox::from_image(&recovered.sessions[0].image.inbox);
    let positions: Vec<u64> = inbox_left.stored().map(|gone| gone.at).collect();
    assert_eq!(positions, [inbox[1].as_u64()]);
    assert_eq!((recovered.retained.len(), recovered.retained_version), (1, 2));
    assert_eq!(recovered.delayed, []);
    let mut expected = BTreeMap::new();
    for at in [queued[0], queued[2], inbox[1], kept] {
        *expected.entry(at.segment()).or_default() += 1;
    }
    assert_eq!(counts, expected);
    assert_eq!(recovered.newest, UnixMillis(9));
}

#[test]
fn what_is_kept_for_a_replay_is_counted_and_forgotten_with_its_body() {
    let mut story = Story::default();
    story.define(QUEUE, "jobs");
    let at = story.enqueue(&[QUEUE]);
    let kept = SettleRecord {
        sink: QUEUE,
        rewound: None,
        left: vec![(Left::Kept, std::iter::once(0..1).collect())],
        dispatched_to: Offset(1),
        attempts: Vec::new(),
    };
    story.record(RecordKind::Settle, |out| kept.encode(out));
    let recovered = story.recovery.finish();
    let (mut recovered, counts) = again(recovered);
    assert_eq!(counts, [(at.segment(), 1)].into());
    assert_eq!(recovered.drop_lost(|_| false).queues, [("jobs".to_owned(), 1)].into());
    let (recovered, counts) = again(recovered);
    assert!(counts.is_empty());
    assert_eq!(ledger(&recovered, QUEUE).settled, 1);
}
