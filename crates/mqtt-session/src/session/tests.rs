use mqtt_types::{Message, MessageHead, ProtocolVersion, TopicName};

use super::*;
use crate::inbox::Kept;
use crate::invariants;
use crate::limits::ServerLimits;
use crate::negotiate::{ConnectRequest, Negotiated, WillRequest, negotiate};

const OK: ReasonCode = ReasonCode::SUCCESS;

/// Packet ids of a session that outlives its connections begin above those of its inbox; here they count from 1.
fn id(number: u16) -> PacketId {
    PacketId::new(INBOX_IDS + number).expect("not 0")
}

fn inbox_id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

fn negotiated(window: u16, expiry: u32) -> Negotiated {
    let mut request = ConnectRequest::new(ProtocolVersion::V5, "c", false);
    request.receive_maximum = window;
    request.session_expiry_interval = expiry;
    negotiate(&request, &ServerLimits::default(), None).expect("acceptable")
}

fn connected(window: u16, expiry: u32) -> Session {
    let negotiated = negotiated(window, expiry);
    let mut session = Session::new(&negotiated);
    assert_eq!(session.attach(&negotiated, None, UnixMillis(0)), None);
    session
}

fn delivery(qos: QoS, payload: &[u8]) -> Arc<Delivery> {
    let topic = TopicName::new("t").expect("legal");
    let message = Message::new(MessageHead::default(), topic, &[], payload).expect("small");
    Arc::new(Delivery { message, qos, retain: false, subscription_identifiers: Default::default() })
}

fn send(session: &mut Session, qos: QoS, origin: Origin, mark: u64) -> Option<PacketId> {
    let Admission::Send(id) = session.admit(qos, true) else { panic!("not admitted") };
    session.sent(id, qos, origin, Some(delivery(qos, &mark.to_be_bytes())), mark);
    invariants::check(session).expect("sound");
    id
}

fn resume(session: &mut Session) -> Vec<(&'static str, u16)> {
    let mut out = Vec::new();
    session.resume(&mut out);
    invariants::check(session).expect("sound");
    let short = |resend: Resend| match resend {
        Resend::Publish { packet_id, .. } => ("PUBLISH", packet_id.get() - INBOX_IDS),
        Resend::PubRel { packet_id } => ("PUBREL", packet_id.get() - INBOX_IDS),
    };
    out.into_iter().map(short).collect()
}

fn lose(session: &mut Session, written: u64) -> Vec<(u64, u64, bool)> {
    let mut released = Vec::new();
    session.disconnect(Closing::WithWill, UnixMillis(0), written, &mut released);
    invariants::check(session).expect("sound");
    released.into_iter().map(|one| (one.consumer, one.offset, one.written)).collect()
}

fn queue(consumer: u64, offset: u64) -> Origin {
    Origin::Queue { consumer, offset, attempt: 1 }
}

#[test]
fn admission_by_qos_window_output_and_presence() {
    let (q0, q1) = (QoS::AtMostOnce, QoS::AtLeastOnce);
    let mut session = connected(2, 60);
    assert_eq!(session.admit(q0, true), Admission::Send(None));
    assert_eq!(session.admit(q0, false), Admission::Drop(DropReason::SlowConsumer));
    assert_eq!(session.admit(q1, false), Admission::Queue);
    send(&mut session, q1, Origin::Live, 1);
    assert_eq!(session.window_free(), 1);
    send(&mut session, q1, Origin::Live, 2);
    assert_eq!(session.admit(q1, true), Admission::Queue, "[MQTT-3.3.4-9]");
    assert_eq!(session.admit(q0, true), Admission::Send(None), "QoS 0 needs no place");
    assert!(
        session.queue(delivery(q1, b"3"), Origin::Live, ServerLimits::default().room()).is_empty()
    );
    assert_eq!(session.next_pending(), None, "the window is closed");
    assert_eq!(session.on_puback(id(1), OK), Ok(Completed { origin: Origin::Live, reason: OK }));
    assert_eq!(session.admit(q1, true), Admission::Queue, "what waits goes first");
    let next = session.next_pending().expect("the window is open");
    assert_eq!((next.packet_id, next.delivery.message.payload()), (Some(id(3)), &b"3"[..]));
    lose(&mut session, 0);
    assert_eq!(session.admit(q0, true), Admission::Drop(DropReason::Offline));
    assert_eq!(session.admit(q1, true), Admission::Queue);
}

#[test]
fn qos_0_waits_offline_only_where_configured() {
    let request = ConnectRequest::new(ProtocolVersion::V3_1_1, "c", false);
    let limits = ServerLimits { queue_qos0_offline: true, ..ServerLimits::default() };
    let negotiated = negotiate(&request, &limits, None).expect("acceptable");
    let mut session = Session::new(&negotiated);
    assert_eq!(session.admit(QoS::AtMostOnce, true), Admission::Queue);
    assert!(session.queue(delivery(QoS::AtMostOnce, b"x"), Origin::Live, limits.room()).is_empty());
    assert_eq!(session.next_pending(), None);
    session.attach(&negotiated, None, UnixMillis(0));
    assert_eq!(session.next_pending().map(|next| next.packet_id), Some(None));
}

#[test]
fn waiting_messages_are_bounded_and_the_oldest_goes() {
    let mut session = connected(1, 60);
    let size = delivery(QoS::AtLeastOnce, b"1").size();
    for (max_messages, max_bytes) in [(2, usize::MAX), (usize::MAX, 2 * size + 1)] {
        let limits = ServerLimits {
            max_pending_messages: max_messages,
            max_pending_bytes: max_bytes,
            ..ServerLimits::default()
        };
        for (payload, dropped) in
            [(b"1", None), (b"2", None), (b"3", Some(&b"1"[..])), (b"4", Some(b"2"))]
        {
            let overflow =
                session.queue(delivery(QoS::AtLeastOnce, payload), Origin::Live, limits.room());
            assert_eq!(overflow.first().map(|one| one.delivery.message.payload()), dropped);
            invariants::check(&session).expect("sound");
        }
        assert_eq!((session.pending_len(), session.pending_bytes()), (2, 2 * size));
        let huge = session.queue(
            delivery(QoS::AtLeastOnce, &[0; 500]),
            queue(1, 2),
            Room { bytes: 100, ..limits.room() },
        );
        assert_eq!(huge.len(), 3, "too large for the limit itself");
        assert_eq!(huge.last().map(|one| one.origin), Some(queue(1, 2)));
    }
}

#[test]
fn what_was_unacknowledged_is_sent_again_in_order() {
    // [MQTT-4.4.0-1], [MQTT-4.6.0-1]; [MQTT-4.3.3-6]: no PUBLISH once PUBREL was sent.
    let (q1, q2) = (QoS::AtLeastOnce, QoS::ExactlyOnce);
    let mut session = connected(10, 60);
    for (qos, mark) in [(q2, 1), (q2, 2), (q1, 3), (q2, 4), (q1, 5)] {
        send(&mut session, qos, Origin::Live, mark);
    }
    assert_eq!(session.on_puback(id(3), OK).map(|done| done.origin), Ok(Origin::Live));
    let settled = Some(Completed { origin: Origin::Live, reason: OK });
    assert_eq!(session.on_pubrec(id(2), OK), Ok(PubRecVerdict::SendPubRel { settled }));
    assert_eq!(lose(&mut session, 0), []);
    session.attach(&negotiated(10, 60), None, UnixMillis(0));
    assert!(session.is_resuming());
    assert_eq!(session.admit(q1, true), Admission::Queue, "nothing new before what is old");
    let again = [("PUBREL", 2), ("PUBLISH", 1), ("PUBLISH", 4), ("PUBLISH", 5)];
    assert_eq!(resume(&mut session), again);
    assert_eq!(resume(&mut session), [], "once per connection");
    assert!(!session.is_resuming());
    assert_eq!(session.admit(q1, true), Admission::Send(Some(id(6))));
    // And again on the next connection, but for what was answered here.
    assert_eq!(session.on_pubcomp(id(2)), Ok(None));
    assert!(session.on_pubrec(id(1), ReasonCode::QUOTA_EXCEEDED).is_ok());
    lose(&mut session, 0);
    session.attach(&negotiated(10, 60), None, UnixMillis(0));
    assert_eq!(resume(&mut session), [("PUBLISH", 4), ("PUBLISH", 5)]);
}

#[test]
fn a_lower_receive_maximum_on_resume_is_kept() {
    // [MQTT-3.3.4-9], and [MQTT-4.9.0-3]: PUBREL does not wait.
    let mut session = connected(5, 60);
    for mark in 1..=5 {
        send(&mut session, QoS::ExactlyOnce, Origin::Live, mark);
    }
    for number in [1, 4] {
        assert!(session.on_pubrec(id(number), OK).is_ok());
    }
    lose(&mut session, 0);
    session.attach(&negotiated(1, 60), None, UnixMillis(0));
    assert_eq!(resume(&mut session), [("PUBREL", 1), ("PUBREL", 4)]);
    assert_eq!((session.is_resuming(), session.window_free()), (true, 0));
    assert_eq!(session.on_pubcomp(id(1)), Ok(None));
    assert_eq!(resume(&mut session), []);
    assert_eq!(session.on_pubcomp(id(4)), Ok(None));
    for number in [2, 3, 5] {
        assert_eq!(resume(&mut session), [("PUBLISH", number)]);
        assert!(session.on_pubrec(id(number), OK).is_ok());
        assert_eq!(resume(&mut session), []);
        assert_eq!(session.on_pubcomp(id(number)), Ok(None));
    }
    assert_eq!((session.is_resuming(), session.window_free()), (false, 1));
}

#[test]
fn deliveries_of_queues_go_back_when_the_connection_goes() {
    for survives in [true, false] {
        let mut session = connected(10, if survives { 60 } else { 0 });
        let id = if survives { id } else { inbox_id };
        let (q0, q1, q2) = (QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce);
        for (qos, offset) in [(q1, 10), (q2, 20), (q2, 30), (q1, 40), (q2, 50), (q0, 60), (q0, 70)]
        {
            send(&mut session, qos, queue(7, offset), offset);
        }
        let _ = session.queue(delivery(q1, b"80"), queue(7, 80), ServerLimits::default().room());
        let _ = session.queue(delivery(q1, b"live"), Origin::Live, ServerLimits::default().room());
        // Settled: 10 by PUBACK, 20 by PUBREC (its PUBCOMP is owed), 60 by being written.
        assert_eq!(session.on_puback(id(1), OK).map(|done| done.origin), Ok(queue(7, 10)));
        let settled = Some(Completed { origin: queue(7, 20), reason: OK });
        assert_eq!(session.on_pubrec(id(2), OK), Ok(PubRecVerdict::SendPubRel { settled }));
        let mut written = Vec::new();
        session.on_written(60, &mut written);
        assert_eq!(written, [Released { consumer: 7, offset: 60, attempt: 1, written: true }]);
        assert!(session.has_unwritten());
        let back = [(7, 30, true), (7, 40, true), (7, 50, false), (7, 70, false), (7, 80, false)];
        assert_eq!(lose(&mut session, 45), back);
        assert_eq!(session.pending_len(), 1, "the live one waits on");
        session.attach(&negotiated(10, 60), None, UnixMillis(0));
        // 30 was written at QoS 2: its packet id must be forgotten by the client too.
        let again: &[_] = if survives { &[("PUBREL", 2), ("PUBREL", 3)] } else { &[] };
        assert_eq!(resume(&mut session), again);
    }
}

#[test]
fn an_ended_consumer_gets_its_deliveries_back_and_late_answers_settle_nothing() {
    let mut session = connected(10, 60);
    send(&mut session, QoS::AtLeastOnce, queue(1, 10), 10);
    send(&mut session, QoS::AtLeastOnce, queue(2, 20), 20);
    send(&mut session, QoS::ExactlyOnce, queue(1, 30), 30);
    send(&mut session, QoS::AtMostOnce, queue(1, 40), 40);
    let _ = session.queue(
        delivery(QoS::AtLeastOnce, b""),
        queue(1, 50),
        ServerLimits::default().room(),
    );
    let mut released = Vec::new();
    session.release_consumer(1, 30, &mut released);
    let back: Vec<_> = released.iter().map(|one| (one.offset, one.written)).collect();
    assert_eq!(back, [(10, true), (30, true), (40, false), (50, false)]);
    assert_eq!(session.on_puback(id(1), OK), Ok(Completed { origin: Origin::Live, reason: OK }));
    assert_eq!(session.on_puback(id(2), OK), Ok(Completed { origin: queue(2, 20), reason: OK }));
    assert_eq!(lose(&mut session, 99), []);
}

#[test]
fn session_expiry_and_will_delay() {
    // [MQTT-3.1.2-8], [MQTT-3.1.2-10], [MQTT-3.1.3-9]; (closing, expiry, delay) → (will, session ends, expires at)
    const NEVER: u32 = u32::MAX;
    let at = |millis| Some(Some(UnixMillis(millis)));
    for (closing, expiry, delay, due, ends, expires_at) in [
        (Closing::WithWill, 0, 0, Some(None), true, Some(1000)),
        (Closing::WithWill, 0, 9, Some(None), true, Some(1000)), // the session's end comes first
        (Closing::WithWill, 60, 0, Some(None), false, Some(61_000)),
        (Closing::WithWill, 60, 9, at(10_000), false, Some(61_000)),
        (Closing::WithWill, 5, 9, at(6000), false, Some(6000)),
        (Closing::WithWill, NEVER, 9, at(10_000), false, None),
        (Closing::Normal, 60, 9, None, false, Some(61_000)),
        (Closing::Normal, 0, 0, None, true, Some(1000)),
    ] {
        let will = will(delay);
        let negotiated = negotiated(1, expiry);
        let mut session = Session::new(&negotiated);
        session.attach(&negotiated, Some(will.clone()), UnixMillis(0));
        assert_eq!(
            (session.expires_at(), session.will_due_at()),
            (None, None),
            "not while connected"
        );
        let after = session.disconnect(closing, UnixMillis(1000), 0, &mut Vec::new());
        let verdict = match due {
            None => WillVerdict::None,
            Some(None) => WillVerdict::Publish(will.clone()),
            Some(Some(at)) => WillVerdict::At(at),
        };
        assert_eq!(
            after,
            AfterDisconnect { will: verdict, session_ends: ends },
            "{closing:?} {expiry} {delay}"
        );
        assert_eq!(session.expires_at(), expires_at.map(UnixMillis));
        if let Some(Some(UnixMillis(at))) = due {
            assert_eq!(session.take_due_will(UnixMillis(at - 1)), None);
            assert_eq!(session.take_due_will(UnixMillis(at)), Some(will));
            assert_eq!(session.take_due_will(UnixMillis(at)), None, "once");
        }
    }
}

fn will_request(delay_interval: u32) -> WillRequest<'static> {
    WillRequest {
        topic: "gone",
        payload: b"bye",
        qos: QoS::AtLeastOnce,
        retain: true,
        delay_interval,
        message_expiry_interval: Some(5),
        properties: &[1, 1],
    }
}

fn will(delay_interval: u32) -> Box<Will> {
    Box::new(Will::new(&will_request(delay_interval)).expect("legal"))
}

#[test]
fn a_new_connection_forgets_a_waiting_will_but_not_an_overdue_one() {
    // [MQTT-3.1.3-9]
    for (reconnect_at, overdue) in [(9_999, false), (10_000, true)] {
        let negotiated = negotiated(1, 60);
        let mut session = Session::new(&negotiated);
        session.attach(&negotiated, Some(will(10)), UnixMillis(0));
        session.disconnect(Closing::WithWill, UnixMillis(0), 0, &mut Vec::new());
        assert_eq!(session.attach(&negotiated, None, UnixMillis(reconnect_at)).is_some(), overdue);
        assert_eq!(session.take_will(), None);
    }
}

#[test]
fn a_will_is_published_as_of_then() {
    let message = will(3).into_message(UnixMillis(7000));
    let head = MessageHead {
        qos: QoS::AtLeastOnce,
        retain: true,
        received_at_ms: 7000,
        expiry_interval: Some(5),
    };
    assert_eq!(*message.head(), head);
    assert_eq!(
        (message.topic(), message.properties(), message.payload()),
        ("gone", &[1, 1][..], &b"bye"[..])
    );
    assert_eq!(Will::new(&WillRequest { topic: "a/#", ..will_request(0) }), None);
}

#[test]
fn disconnect_may_change_the_expiry_but_not_prolong_a_session_without_one() {
    // §3.14.2.2.2
    for (before, asked, expected, after) in [
        (0, 0, Ok(()), 0),
        (0, 5, Err(ReasonCode::PROTOCOL_ERROR), 0),
        (60, 0, Ok(()), 0),
        (60, 500, Ok(()), 100),
    ] {
        let mut session = connected(1, before);
        assert_eq!(session.change_expiry(asked, 100), expected);
        assert_eq!(session.expiry_interval(), after);
    }
}

#[test]
fn a_session_survives_as_an_image() {
    let (q1, q2) = (QoS::AtLeastOnce, QoS::ExactlyOnce);
    let mut session = connected(10, 60);
    session.subscribe("b/#", SubscriptionRecord::plain(q1));
    session.subscribe("a/+", SubscriptionRecord { consumer: 7, ..SubscriptionRecord::plain(q2) });
    for number in [9, 5, 7] {
        assert_eq!(session.receive_qos2(id(number)), Incoming2::New);
    }
    session.kept_qos2(id(5));
    session.kept_qos2(id(7));
    session.stored_qos2(id(9));
    session.stored_qos2(id(5));
    let inbox = session.inbox_mut().expect("it outlives its connection");
    for (at, qos) in [(10, q1), (20, q2), (30, q2), (40, q1)] {
        inbox.push(Kept {
            at,
            size: 1,
            qos,
            retain: false,
            has_identifiers: false,
            copy: 0,
            set: None,
            is_shared: false,
            is_held: false,
            identifier: None,
        });
        inbox.sent(at / 10 - 1);
    }
    assert!(matches!(session.on_pubrec(inbox_id(2), OK), Ok(PubRecVerdict::Store(_))));
    assert!(session.on_puback(inbox_id(4), OK).is_ok());

    let mut restored = Session::from_image(&session.image(), UnixMillis(500));
    invariants::check(&restored).expect("sound");
    let again = restored.image();
    assert_eq!(
        again.disconnected_at,
        Some(UnixMillis(500)),
        "the connection went with the process"
    );
    assert_eq!(Session::from_image(&again, UnixMillis(900)).image(), again, "an image of an image");
    let consumers: Vec<_> =
        restored.subscriptions().map(|(filter, record)| (filter, record.consumer)).collect();
    assert_eq!(consumers, [("a/+", 0), ("b/#", 0)], "a consumer is a thing of one connection");
    assert_eq!(restored.receive_qos2(id(5)), Incoming2::Duplicate);
    assert_eq!(restored.receive_qos2(id(7)), Incoming2::New, "was not stored");
    assert_eq!(restored.receive_qos2(id(9)), Incoming2::New, "storage never had it");
    restored.attach(&negotiated(10, 60), None, UnixMillis(600));
    let inbox = restored.inbox().expect("it outlives its connection");
    assert_eq!(inbox.pubrels().collect::<Vec<_>>(), [inbox_id(2)]);
    let upcoming: Vec<_> =
        inbox.upcoming(0, 9).map(|next| (next.packet_id.get(), next.kept.at, next.dup)).collect();
    assert_eq!(upcoming, [(1, 10, true), (3, 30, true)]);
}

#[test]
fn packet_ids_of_the_inbox_are_no_others() {
    let mut session = connected(10, 60);
    for _ in 0..70_000 {
        send(&mut session, QoS::AtLeastOnce, Origin::Live, 1);
        let one = session.in_flight_ids().next().expect("it is in flight");
        assert!(one.get() > 32_767);
        assert!(session.on_puback(one, OK).is_ok());
    }
    assert_eq!(session.on_puback(inbox_id(5), OK), Err(ReasonCode::PACKET_IDENTIFIER_NOT_FOUND));
}

#[test]
fn messages_of_shared_subscriptions_are_taken_for_another_member() {
    let mut session = connected(3, 0);
    let (q1, q2) = (QoS::AtLeastOnce, QoS::ExactlyOnce);
    let shared = |group| Origin::Shared { group, key: 9 };
    send(&mut session, q1, shared(1), 1);
    send(&mut session, q2, shared(1), 2);
    send(&mut session, q1, Origin::Lent { group: 2, loan: 5 }, 3);
    for (qos, origin) in [(q1, Origin::Live), (q2, shared(1)), (q1, shared(2))] {
        let room = ServerLimits::default().room();
        assert!(session.queue(delivery(qos, b"waits"), origin, room).is_empty());
    }
    assert_eq!((session.oldest_shared(), session.load()), (Some(1), 6));
    let mut taken = Vec::new();
    session.take_shared(false, |group| group == 1, &mut taken);
    assert_eq!(taken.iter().map(|one| one.origin).collect::<Vec<_>>(), [shared(1)]);
    taken.clear();
    session.take_shared(true, |_| true, &mut taken);
    invariants::check(&session).expect("sound");
    let origins: Vec<_> = taken.iter().map(|one| (one.origin, one.delivery.is_some())).collect();
    // What is in flight at QoS 2 stays. `[MQTT-4.8.2-5]`
    let lent = Origin::Lent { group: 2, loan: 5 };
    assert_eq!(origins, [(shared(1), true), (lent, false), (shared(2), true)]);
    // The places in the window stay taken until the client answers, which nobody hears of.
    assert_eq!((session.pending_len(), session.window_free()), (1, 0));
    let first = PacketId::MIN;
    let done = session.on_puback(first, ReasonCode::QUOTA_EXCEEDED).map(|done| done.origin);
    assert_eq!((done, session.oldest_shared()), (Ok(Origin::Live), Some(2)));
}
