//! An inbox, step by step.

use super::*;

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

const fn gone(sequence: u64, at: u64) -> Gone {
    Gone { sequence, at, copy: 0, is_held: false }
}

fn kept(at: u64, qos: QoS) -> Kept {
    Kept {
        at,
        size: 10,
        qos,
        retain: false,
        has_identifiers: false,
        copy: 0,
        set: None,
        is_shared: false,
        is_held: false,
        identifier: None,
    }
}

/// Sends all that may go, and gives the packet ids.
fn send_all(inbox: &mut Inbox, window: usize) -> Vec<u16> {
    let next: Vec<_> =
        inbox.upcoming(0, window).map(|next| (next.sequence, next.packet_id.get())).collect();
    next.iter().for_each(|(sequence, _)| inbox.sent(*sequence));
    assert!(inbox.is_sound());
    next.into_iter().map(|(_, id)| id).collect()
}

#[test]
fn messages_go_out_in_order_and_leave_in_any() {
    let mut inbox = Inbox::default();
    for at in 1..=4 {
        assert_eq!(inbox.push(kept(at, QoS::AtLeastOnce)), at - 1);
    }
    assert_eq!(send_all(&mut inbox, 3), [1, 2, 3]);
    assert_eq!(inbox.outstanding(), 3);
    assert_eq!(inbox.puback(id(2)), Ok(gone(1, 2)));
    assert_eq!(inbox.puback(id(2)), Err(ReasonCode::PACKET_IDENTIFIER_NOT_FOUND));
    assert_eq!(inbox.puback(id(4)), Err(ReasonCode::PACKET_IDENTIFIER_NOT_FOUND), "not sent yet");
    assert_eq!(inbox.pubrec(id(1), ReasonCode::SUCCESS), Err(ReasonCode::PROTOCOL_ERROR));
    assert_eq!((inbox.messages(), inbox.bytes(), inbox.outstanding()), (3, 30, 2));
    inbox.disconnect();
    let again: Vec<_> = inbox.upcoming(0, 9).map(|next| (next.packet_id.get(), next.dup)).collect();
    assert_eq!(again, [(1, true), (3, true), (4, false)]);
    assert_eq!(send_all(&mut inbox, 9), [1, 3, 4]);
    for (number, at) in [(3, 3), (1, 1), (4, 4)] {
        assert_eq!(inbox.puback(id(number)).map(|gone| gone.at), Ok(at));
    }
    assert!(inbox.is_empty() && inbox.is_sound());
    assert_eq!(inbox.push(kept(5, QoS::AtLeastOnce)), 4);
    assert_eq!(send_all(&mut inbox, 9), [5]);
}

#[test]
fn at_qos_2_pubrel_waits_for_the_store() {
    let mut inbox = Inbox::default();
    inbox.push(kept(7, QoS::ExactlyOnce));
    assert_eq!(send_all(&mut inbox, 9), [1]);
    assert_eq!(inbox.puback(id(1)), Err(ReasonCode::PROTOCOL_ERROR));
    assert_eq!(inbox.pubcomp(id(1)), Err(ReasonCode::PROTOCOL_ERROR));
    let received = gone(0, 7);
    assert_eq!(inbox.pubrec(id(1), ReasonCode::SUCCESS), Ok(KeptPubRec::Received(received)));
    assert_eq!(inbox.pubrec(id(1), ReasonCode::SUCCESS), Ok(KeptPubRec::BeingStored));
    assert_eq!(inbox.pubcomp(id(1)), Err(ReasonCode::PROTOCOL_ERROR));
    assert_eq!(inbox.pubrels().count(), 0, "not before it is stored");
    assert_eq!(inbox.outstanding(), 1, "PUBCOMP gives the place back");
    assert_eq!((inbox.messages(), inbox.stored().count()), (0, 0));
    assert_eq!(inbox.received_stored(0), Some(id(1)));
    assert_eq!(inbox.pubrec(id(1), ReasonCode::SUCCESS), Ok(KeptPubRec::Stored));
    inbox.disconnect();
    assert_eq!(inbox.pubrels().collect::<Vec<_>>(), [id(1)]);
    assert_eq!(inbox.upcoming(0, 9).count(), 0);
    assert_eq!(inbox.pubcomp(id(1)), Ok(0));
    assert!(inbox.is_empty() && inbox.is_sound());

    inbox.push(kept(8, QoS::ExactlyOnce));
    assert_eq!(send_all(&mut inbox, 9), [2]);
    let refused = gone(1, 8);
    let verdict = inbox.pubrec(id(2), ReasonCode::UNSPECIFIED_ERROR);
    assert_eq!(verdict, Ok(KeptPubRec::Refused(refused)));
    assert!(inbox.is_empty() && inbox.is_sound());
}

#[test]
fn what_is_too_much_goes_from_the_oldest_that_waits() {
    let mut inbox = Inbox::default();
    (1..=5).for_each(|at| _ = inbox.push(kept(at, QoS::AtLeastOnce)));
    assert_eq!(send_all(&mut inbox, 2), [1, 2]);
    assert_eq!(inbox.overflow(5, 50), None);
    for (messages, bytes, sequence) in [(4, 50, 2), (9, 30, 3), (0, 0, 4)] {
        let over = inbox.overflow(messages, bytes).expect("too much");
        assert_eq!((over.sequence, over.may_be_held), (sequence, false));
        assert_eq!(inbox.give_up(sequence), Some(gone(sequence, sequence + 1)));
    }
    assert_eq!(inbox.overflow(0, 0), None, "what is on the wire stays");
    assert!(inbox.is_sound());
}

#[test]
fn packet_ids_come_round_and_wait_for_one_that_is_not_answered() {
    let mut inbox = Inbox::default();
    (0..70_000).for_each(|at| _ = inbox.push(kept(at, QoS::AtLeastOnce)));
    inbox.sent(0);
    let mut sent = 1;
    let next = |inbox: &Inbox| inbox.upcoming(0, 1).next();
    while let Some(next) = next(&inbox) {
        inbox.sent(next.sequence);
        assert_eq!(inbox.puback(next.packet_id).map(|gone| gone.at), Ok(sent));
        sent += 1;
    }
    assert_eq!(sent, u64::from(INBOX_IDS), "the next would bear the packet id of the first");
    assert_eq!(inbox.puback(id(1)).map(|gone| gone.at), Ok(0));
    assert_eq!(send_all(&mut inbox, 1), [1]);
    assert_eq!(inbox.puback(id(1)).map(|gone| gone.at), Ok(u64::from(INBOX_IDS)));
}

#[test]
fn what_is_gone_takes_no_room_behind_a_message_that_stays() {
    const MANY: u64 = 1_000_000;
    let mut inbox = Inbox::default();
    inbox.push(kept(1, QoS::ExactlyOnce));
    assert_eq!(send_all(&mut inbox, 1), [1]);
    inbox.disconnect();
    for at in 2..=MANY {
        inbox.push(kept(at, QoS::AtLeastOnce));
        if let Some(over) = inbox.overflow(3, u64::MAX) {
            assert_eq!(inbox.give_up(over.sequence), Some(gone(at - 3, at - 2)));
        }
        assert!(inbox.line.places() < 3000, "{} places for 3 messages", inbox.line.places());
    }
    assert!(inbox.is_sound());
    // Its packet id is the client's, so nothing overtakes it by more than there are packet ids.
    let image = inbox.image();
    assert!(image.entries.len() < 10);
    for mut inbox in [inbox, Inbox::from_image(&image)] {
        assert!(inbox.is_sound() && inbox.line.places() < 3000);
        assert_eq!(inbox.image(), image);
        assert_eq!((inbox.end(), inbox.messages()), (MANY, 3));
        assert_eq!(inbox.stored().map(|one| one.at).collect::<Vec<_>>(), [1, MANY - 1, MANY]);
        assert_eq!(send_all(&mut inbox, 9), [1]);
        assert!(matches!(inbox.pubrec(id(1), ReasonCode::SUCCESS), Ok(KeptPubRec::Received(_))));
        assert_eq!(inbox.received_stored(0), Some(id(1)));
        inbox.disconnect();
        assert_eq!(inbox.pubrels().collect::<Vec<_>>(), [id(1)]);
        assert_eq!(inbox.pubcomp(id(1)), Ok(0));
        let ids = [packet_id(MANY - 2).get(), packet_id(MANY - 1).get()];
        assert_eq!(send_all(&mut inbox, 9), ids);
        for of in ids {
            assert!(inbox.puback(id(of)).is_ok());
        }
        assert!(inbox.is_empty() && inbox.is_sound());
        assert_eq!((inbox.oldest(), inbox.end()), (MANY, MANY));
    }
}

#[test]
fn answers_in_any_order_leave_no_room_taken() {
    let mut inbox = Inbox::default();
    for at in 0..20_000 {
        inbox.push(kept(at, QoS::AtLeastOnce));
    }
    let ids = send_all(&mut inbox, 20_000);
    // Every seventh is answered last.
    let (last, soon): (Vec<u16>, Vec<u16>) = ids.into_iter().partition(|id| id % 7 == 0);
    for (n, of) in soon.into_iter().chain(last).enumerate() {
        assert_eq!(inbox.puback(id(of)), Ok(gone(u64::from(of) - 1, u64::from(of) - 1)));
        assert!(inbox.line.places() <= 2 * inbox.messages() + 1024);
        if n % 500 == 0 {
            assert!(inbox.is_sound());
        }
    }
    assert!(inbox.is_empty() && inbox.is_sound());
}

fn shared(at: u64) -> Kept {
    Kept { is_shared: true, ..kept(at, QoS::AtLeastOnce) }
}

#[test]
fn what_is_lent_waits_for_the_other_session() {
    let mut inbox = Inbox::default();
    inbox.push(kept(1, QoS::AtLeastOnce));
    for at in 2..=5 {
        inbox.push(shared(at));
    }
    inbox.push(Kept { is_shared: true, ..kept(6, QoS::ExactlyOnce) });
    let lendable = |inbox: &Inbox, sent_too| -> Vec<u64> {
        inbox.lendable(0, sent_too).map(|(sequence, _)| sequence).collect()
    };
    assert_eq!(send_all(&mut inbox, 3), [1, 2, 3]);
    assert_eq!((lendable(&inbox, false), lendable(&inbox, true)), (vec![3, 4], vec![1, 2, 3, 4]));
    assert!(!inbox.lend(0), "it came by a subscription of its own");
    assert!((1..5).all(|sequence| inbox.lend(sequence)) && !inbox.lend(4));
    assert!(inbox.is_sound());
    assert_eq!((inbox.lent(), inbox.outstanding(), inbox.messages()), (2, 3, 6));
    assert_eq!(inbox.upcoming(0, 9).count(), 1, "what is lent does not go out here");
    // The client answers after all: then that counts.
    assert_eq!(inbox.puback(id(2)), Ok(gone(1, 2)));
    assert_eq!(inbox.settle_lent(1), None);
    // The other one delivered what this client has on the wire: its late answer frees the place and says nothing.
    assert_eq!(inbox.settle_lent(2), Some(gone(2, 3)));
    assert_eq!((inbox.outstanding(), inbox.messages()), (2, 4));
    assert_eq!(inbox.puback(id(3)), Err(ReasonCode::PACKET_IDENTIFIER_NOT_FOUND));
    assert_eq!(inbox.outstanding(), 1);
    // The other one could not deliver: it goes out here, or to a third.
    inbox.take_back(3);
    assert!(inbox.is_sound());
    assert_eq!(inbox.upcoming(0, 1).map(|next| next.sequence).collect::<Vec<_>>(), [3]);
    assert_eq!(inbox.settle_lent(4), Some(gone(4, 5)));
    assert!(inbox.is_sound() && inbox.has_shared());
    assert_eq!(send_all(&mut inbox, 9), [4, 6]);
}

#[test]
fn a_loan_outlives_the_connection_and_not_the_process() {
    let mut inbox = Inbox::default();
    for at in 1..=3 {
        inbox.push(shared(at));
    }
    send_all(&mut inbox, 2);
    (0..3).for_each(|sequence| assert!(inbox.lend(sequence)));
    inbox.settle_lent(0);
    let restored = Inbox::from_image(&inbox.image());
    assert_eq!(
        restored.upcoming(0, 9).map(|next| next.kept).collect::<Vec<_>>(),
        [shared(2), shared(3)]
    );
    inbox.disconnect();
    assert!(inbox.is_sound());
    assert_eq!((inbox.outstanding(), inbox.lent(), inbox.upcoming(0, 9).count()), (0, 2, 0));
    assert_eq!(inbox.puback(id(2)), Err(ReasonCode::PACKET_IDENTIFIER_NOT_FOUND));
    inbox.take_back(1);
    assert_eq!(send_all(&mut inbox, 9), [2]);
}

#[test]
fn what_is_held_says_so_and_keeps_its_identifier_over_a_restart() {
    let identifier = NonZeroU32::new(268_435_455);
    let held = |at| Kept { is_held: true, identifier, ..kept(at, QoS::ExactlyOnce) };
    let mut inbox = Inbox::default();
    inbox.push(kept(5, QoS::AtLeastOnce));
    inbox.push(held(6));
    inbox.push(held(7));
    inbox.push(held(8));
    assert!(inbox.give_up(1).is_some_and(|gone| gone.is_held));
    assert_eq!(send_all(&mut inbox, 9), [1, 3, 4]);
    let received = Gone { sequence: 2, at: 7, copy: 0, is_held: true };
    assert_eq!(inbox.pubrec(id(3), ReasonCode::SUCCESS), Ok(KeptPubRec::Received(received)));
    assert!(inbox.is_sound());
    let mut inbox = Inbox::from_image(&inbox.image());
    assert!(inbox.is_sound());
    let next: Vec<_> = inbox.upcoming(0, 9).map(|next| next.kept).collect();
    assert_eq!(next, [kept(5, QoS::AtLeastOnce), held(8)]);
    let stored: Vec<_> = inbox.stored().collect();
    assert_eq!(stored, [gone(0, 5), Gone { sequence: 3, at: 8, copy: 0, is_held: true }]);
    assert_eq!(inbox.replay_left(3), Some(Gone { sequence: 3, at: 8, copy: 0, is_held: true }));
    assert!(inbox.is_sound());
}

#[test]
fn after_a_restart_any_message_may_have_been_sent() {
    let mut before = Inbox::default();
    before.push(kept(1, QoS::ExactlyOnce));
    before.push(kept(2, QoS::ExactlyOnce));
    before.push(kept(3, QoS::AtLeastOnce));
    assert_eq!(send_all(&mut before, 1), [1]);
    let mut inbox = Inbox::from_image(&before.image());
    inbox.sent_is_unsure();
    inbox.push(kept(4, QoS::ExactlyOnce));
    let next: Vec<_> = inbox.upcoming(0, 9).map(|next| (next.dup, next.may_be_held)).collect();
    assert_eq!(next, [(true, true), (false, true), (false, false), (false, false)]);
    // The first is known to be sent, and stays.
    let over = inbox.overflow(3, u64::MAX).expect("too much");
    assert_eq!((over.sequence, over.may_be_held), (1, true));
    assert_eq!(inbox.forget(1), Some(gone(1, 2)));
    assert_eq!(inbox.forget(1), None);
    assert_eq!((inbox.messages(), inbox.entries(), inbox.outstanding()), (3, 4, 0));
    assert_eq!(inbox.pubcomp(id(2)), Err(ReasonCode::PROTOCOL_ERROR), "PUBREL waits for the store");
    assert_eq!(inbox.received_stored(1), Some(id(2)));
    let over = inbox.overflow(2, u64::MAX).expect("too much");
    assert_eq!((over.sequence, over.may_be_held), (2, false));
    assert_eq!(inbox.pubcomp(id(2)), Ok(1));
    assert_eq!(send_all(&mut inbox, 9), [1, 3, 4]);
    assert!(inbox.is_sound());
}

#[test]
fn what_is_over_keeps_what_others_could_have() {
    let mut inbox = Inbox::default();
    let shared = |at, copy, qos| Kept { is_shared: true, copy, ..kept(at, qos) };
    inbox.push(kept(1, QoS::AtLeastOnce));
    inbox.push(shared(2, 0, QoS::ExactlyOnce));
    inbox.push(shared(3, 0, QoS::AtLeastOnce));
    assert_eq!(send_all(&mut inbox, 3), [1, 2, 3]);
    inbox.push(shared(4, 0, QoS::AtLeastOnce));
    inbox.push(shared(5, 0, QoS::ExactlyOnce));
    inbox.push(shared(5, 1, QoS::AtLeastOnce));
    inbox.disconnect();
    let numbers = |inbox: &Inbox| inbox.passable(0).map(|(number, _)| number).collect::<Vec<_>>();
    // What was sent at QoS 2 is nobody else's. [MQTT-4.8.2-5]
    assert_eq!(numbers(&inbox), [2, 3, 4, 5]);
    assert_eq!(inbox.keep_passable(0), [gone(0, 1), gone(1, 2)]);
    assert_eq!(inbox.keep_passable(4), [gone(2, 3)]);
    assert!(inbox.is_sound());
    assert_eq!(numbers(&inbox), [3, 4, 5]);
    assert_eq!((inbox.find(5, 0), inbox.find(5, 1), inbox.find(1, 0)), (Some(4), Some(5), None));
    let places = [(5, 1), (1, 0), (6, 0)].into();
    let second = Gone { copy: 1, ..gone(5, 5) };
    assert_eq!(inbox.replay_left_from(&places), [second]);
    assert_eq!(inbox.replay_left_from(&places), []);
    assert_eq!(numbers(&inbox), [3, 4]);
    inbox.sent_is_unsure();
    assert_eq!(numbers(&inbox), [3]);
    assert!(inbox.lend(3) && inbox.is_sound());
    assert_eq!(inbox.keep_passable(0), [gone(4, 5)]);
    assert_eq!((inbox.messages(), inbox.lent()), (1, 1));
}

/// Clients dispatch by identifiers: a session may have a thousand, and each message comes with one of them or some.
#[test]
fn identifiers_are_known_by_the_inbox_over_a_restart() {
    let mut inbox = Inbox::default();
    let of = |n: u32| if n.is_multiple_of(3) { vec![n % 1000, 1_000_000] } else { vec![n % 1000] };
    for n in 1..=2000_u32 {
        let message = Kept { copy: 3, ..kept(u64::from(n), QoS::AtLeastOnce) };
        inbox.push_with(message, &of(n));
    }
    inbox.push_with(shared(2001), &[5]);
    inbox.push_with(kept(2002, QoS::AtLeastOnce), &[]);
    let restarted = Inbox::from_image(&inbox.image());
    for inbox in [&inbox, &restarted] {
        assert!(inbox.is_sound());
        let all: Vec<_> = inbox.upcoming(0, 3000).map(|next| next.kept).collect();
        assert_eq!(all.len(), 2002);
        for (kept, n) in all.iter().zip(1..=2000) {
            let set = kept.set.expect("known");
            assert_eq!((kept.at, kept.has_identifiers), (u64::from(n), true));
            assert_eq!(inbox.identifiers(set), of(n), "message {n}");
        }
        // One that another session may deliver goes by its copy; storage has its identifiers.
        assert_eq!(all[2000], Kept { has_identifiers: true, ..shared(2001) });
        assert_eq!(all[2001], kept(2002, QoS::AtLeastOnce));
    }
    assert!(inbox.identifier_bytes() > 1000 * size_of::<u32>());
    (0..2002).for_each(|sequence| assert!(inbox.replay_left(sequence).is_some()));
    assert_eq!(inbox.identifier_bytes(), 0, "nothing needs them any more");
    assert!(inbox.is_sound());
}

#[test]
fn a_few_identifiers_are_kept_for_messages_to_come() {
    let mut inbox = Inbox::default();
    inbox.push_with(kept(1, QoS::AtLeastOnce), &[7]);
    let bytes = inbox.identifier_bytes();
    assert!(inbox.replay_left(0).is_some());
    assert_eq!(inbox.identifier_bytes(), bytes);
    inbox.push_with(kept(2, QoS::ExactlyOnce), &[7]);
    assert_eq!(inbox.identifier_bytes(), bytes);
    assert!(inbox.replay_received(1).is_some());
    inbox.shrink();
    assert_eq!(inbox.identifier_bytes(), 0);
}

/// An image whose combinations are not there: storage says which they are.
#[test]
fn identifiers_that_an_image_lacks_are_not_known() {
    let mut inbox = Inbox::default();
    inbox.push_with(kept(1, QoS::AtLeastOnce), &[7]);
    let image = InboxImage { identifiers: Vec::new(), ..inbox.image() };
    let next = Inbox::from_image(&image).upcoming(0, 1).next().expect("it waits");
    assert_eq!((next.kept.has_identifiers, next.kept.set), (true, None));
}

#[test]
fn a_body_lies_elsewhere_and_the_message_is_the_same() {
    let mut inbox = Inbox::default();
    let shared =
        Kept { copy: 2, is_shared: true, has_identifiers: true, ..kept(3, QoS::AtLeastOnce) };
    inbox.push(kept(1, QoS::AtLeastOnce));
    inbox.push_with(kept(2, QoS::ExactlyOnce), &[7]);
    inbox.push(shared);
    inbox.push(Kept { is_held: true, ..kept(4, QoS::AtLeastOnce) });
    inbox.push(kept(5, QoS::AtLeastOnce));
    assert_eq!(send_all(&mut inbox, 2), [1, 2]);
    assert!(inbox.lend(2));
    // The shared one is at 3, and wherever that goes.
    let place = |sequence, at, copy| KeptPlace { sequence, at, copy, is_shared: at % 100 == 3 };
    let (first, next) = inbox.bodies(0, 2);
    assert_eq!(first, [(place(0, 1, 0), 10), (place(1, 2, 0), 10)]);
    assert_eq!(next, Some(2));
    assert_eq!(inbox.bodies(2, 9), (vec![(place(2, 3, 2), 10), (place(4, 5, 0), 10)], None));
    let before = inbox.image();
    for (sequence, at, copy) in [(0, 1, 0), (1, 2, 0), (2, 3, 2)] {
        assert!(inbox.at_place(&place(sequence, at, copy)).is_some_and(|kept| kept.at == at));
        assert!(!inbox.relocate(&place(sequence, at, copy + 1), at + 100), "another copy");
        assert!(inbox.relocate(&place(sequence, at, copy), at + 100));
        assert!(!inbox.relocate(&place(sequence, at, copy), at + 200), "not there any more");
    }
    assert!(inbox.is_sound());
    let mut expected = before;
    for (entry, at) in expected.entries.iter_mut().zip([101, 102, 103]) {
        let InboxEntryImage::Kept { kept, .. } = entry else { panic!("all are kept") };
        (kept.at, kept.copy) = (at, 0);
    }
    assert_eq!(inbox.image(), expected);
    assert!(!inbox.relocate(&place(3, 4, 0), 104), "it is held for something else");
    assert_eq!(inbox.puback(id(1)), Ok(gone(0, 101)));
    assert!(!inbox.relocate(&place(0, 101, 0), 201), "it has left");
    assert!(inbox.relocate(&place(9, 103, 0), 203), "one of a shared group is found by its place");
    assert!(!inbox.relocate(&place(9, 5, 0), 205), "another is not");
    assert_eq!(inbox.find(203, 0), Some(2));
    assert!(inbox.is_sound());
}

#[test]
fn a_message_of_a_shared_group_is_not_moved_for_one_of_the_sessions_own() {
    let mut inbox = Inbox::default();
    // A record that has the shared copy before the session's own, of which the inbox knows the identifiers.
    inbox.push(Kept { is_shared: true, ..kept(1, QoS::AtLeastOnce) });
    inbox.push_with(Kept { copy: 1, ..kept(1, QoS::AtLeastOnce) }, &[7]);
    assert_eq!(send_all(&mut inbox, 2), [1, 2]);
    let (places, _) = inbox.bodies(0, 9);
    let [(shared, _), (own, _)] = places[..] else { panic!("two messages: {places:?}") };
    assert_eq!((shared.at, shared.copy), (own.at, own.copy));
    inbox.puback(id(2)).expect("it is sent");
    assert!(!inbox.relocate(&own, 101), "it has left");
    assert_eq!(inbox.at_place(&shared).map(|kept| kept.at), Some(1));
    assert!(inbox.relocate(&shared, 102));
}
