//! What is left of sessions that have ended, record by record.

use mqtt_types::QoS;

use super::*;
use crate::ids::GroupMark;
use crate::record::{SessionTarget, SharedTarget, ranges};

/// A session that has begun, and one of which nothing is known.
const KNOWN: SessionNumber = SessionNumber(1 << 16);
const UNKNOWN: SessionNumber = SessionNumber(2 << 16);

/// What happens, in the order of the log.
enum Step {
    /// A message comes for the session by a shared group.
    Message(SessionNumber, QoS),
    /// The session ends; its shard had heard of so many steps.
    Ended(Option<u32>),
    Left(u32),
    /// The body of the message that was there, with that number in the inbox, lies here from now on.
    Moved(u32, u64),
}
use Step::{Ended, Left, Message, Moved};

const ONE: QoS = QoS::AtLeastOnce;
const TWO: QoS = QoS::ExactlyOnce;

fn at(step: u32) -> Position {
    Position::new(1, step)
}

/// The steps whose messages are kept in the end.
fn kept(steps: &[Step]) -> Vec<u32> {
    let (mut sessions, mut released) = (Sessions::default(), Releases::default());
    let connected =
        ConnectedAs { client_id: "a".into(), owner: None, expiry_interval: 60, will: None };
    let event = SessionEvent::Connected(connected);
    sessions.apply(SessionRecord { number: KNOWN, event }, &mut released);
    let mut references = 0;
    for (step, n) in steps.iter().zip(0..) {
        let event = match *step {
            Message(number, qos) => {
                sessions.publish(&message(number, qos), at(n), 10, &mut released);
                references += 1;
                continue;
            }
            Moved(from, sequence) => {
                let place = KeptPlace { sequence, at: at(from).as_u64(), copy: 0, is_shared: true };
                let before = sessions.relocated(KNOWN, &place, at(n));
                released.add(before.unwrap_or(at(n)));
                references += 1;
                continue;
            }
            Ended(heard) => SessionEvent::Ended(heard.map(at)),
            Left(of) => SessionEvent::LeftEnding(vec![(at(of), 0)]),
        };
        sessions.apply(SessionRecord { number: KNOWN, event }, &mut released);
    }
    let (_, left) = sessions.finish(&mut released);
    let mut kept = Vec::new();
    for session in &left {
        let inbox = Inbox::from_image(&session.image.inbox);
        kept.extend(inbox.stored().map(|gone| Position::from_u64(gone.at).offset()));
    }
    let released: u32 = released.0.values().sum();
    assert_eq!(released as usize + kept.len(), references, "each is kept or released");
    kept
}

/// A message for one session, by a shared group.
fn message(number: SessionNumber, qos: QoS) -> MoreTargets {
    let target = SessionTarget {
        number,
        qos,
        retain: false,
        identifiers: [].into_iter().collect(),
        shared: Some(SharedTarget { mark: GroupMark { group: 7, key: 9 }, for_any: false }),
        in_place_of: None,
    };
    MoreTargets { sessions: vec![target], ..MoreTargets::default() }
}

#[test]
fn what_the_shard_had_not_heard_of_stays() {
    let steps = || vec![Message(KNOWN, ONE), Message(KNOWN, ONE), Message(KNOWN, TWO)];
    for (heard, stays) in
        [(Some(0), vec![0, 1, 2]), (Some(2), vec![2]), (Some(3), vec![]), (None, vec![])]
    {
        let mut steps = steps();
        steps.push(Ended(heard));
        assert_eq!(kept(&steps), stays, "{heard:?}");
    }
}

#[test]
fn what_comes_after_the_end_stays_until_others_have_it() {
    let steps = [Ended(Some(0)), Message(KNOWN, ONE), Message(KNOWN, TWO)];
    assert_eq!(kept(&steps), [1, 2]);
    let steps = [Ended(Some(0)), Message(KNOWN, ONE), Message(KNOWN, TWO), Left(1), Left(1)];
    assert_eq!(kept(&steps), [2]);
    let steps = [Ended(Some(0)), Message(KNOWN, ONE), Left(1), Ended(Some(3)), Message(KNOWN, ONE)];
    assert_eq!(kept(&steps), [4]);
}

#[test]
fn what_is_said_of_an_old_place_counts_for_the_new_one() {
    let with = |step| [Message(KNOWN, ONE), Message(KNOWN, ONE), Moved(0, 0), step];
    assert_eq!(kept(&with(Ended(Some(0)))), [2, 1]);
    assert_eq!(kept(&with(Left(0))), [1], "it had left when the shard heard that it was moved");
    assert_eq!(kept(&with(Left(2))), [1]);
    assert_eq!(kept(&with(Moved(0, 0))), [2, 1], "it is not there any more");
    assert_eq!(kept(&with(Moved(2, 0))), [3, 1]);
    assert_eq!(kept(&with(Ended(Some(1)))), [1], "the first was known and has left");
    let twice = [Message(KNOWN, ONE), Moved(0, 0), Moved(1, 0), Left(0)];
    assert!(kept(&twice).is_empty());
    let twice = [Message(KNOWN, ONE), Moved(0, 0), Moved(1, 0), Ended(Some(1))];
    assert!(kept(&twice).is_empty());
}

#[test]
fn one_that_came_anew_is_found_by_its_place() {
    let steps = [
        Message(KNOWN, ONE),
        Ended(Some(1)),
        Message(KNOWN, ONE),
        Message(KNOWN, TWO),
        Moved(3, 7),
    ];
    assert_eq!(kept(&steps), [2, 4]);
    assert_eq!(kept(&[Message(KNOWN, ONE), Left(0), Moved(0, 0)]), [0; 0]);
}

#[test]
fn brokers_that_did_not_say_how_far_they_had_heard_stored_it_anew() {
    assert!(kept(&[Message(KNOWN, ONE), Ended(None), Message(KNOWN, ONE)]).is_empty());
}

#[test]
fn a_session_that_never_began_may_have_been_sent_what_came_at_qos_2() {
    assert_eq!(kept(&[Message(UNKNOWN, ONE), Message(UNKNOWN, TWO)]), [0]);
}

#[test]
fn one_that_the_checkpoint_had_numbered_and_does_not_have_is_over() {
    let (mut sessions, mut released) = (Sessions::default(), Releases::default());
    sessions.restore(2, Vec::new(), &mut released);
    sessions.restore(9, Vec::new(), &mut released);
    let numbers = [(1, 0, true), (2, 0, false), (8, 1, true), (9, 1, false)];
    for (count, shard, _) in numbers {
        let more = message(SessionNumber(count << 16 | shard), TWO);
        sessions.publish(&more, at(1), 10, &mut released);
    }
    let (_, left) = sessions.finish(&mut released);
    let left: Vec<u64> = left.iter().map(|session| session.number.count()).collect();
    let over = numbers.iter().filter(|(_, _, is_over)| *is_over).map(|(count, _, _)| *count);
    assert_eq!(left, over.collect::<Vec<_>>());
}

#[test]
fn what_is_said_of_a_session_is_not_said_of_what_a_checkpoint_keeps_after_its_end() {
    let (mut sessions, mut released) = (Sessions::default(), Releases::default());
    let ended = |heard| SessionRecord { number: KNOWN, event: SessionEvent::Ended(Some(heard)) };
    sessions.apply(ended(at(4)), &mut released);
    sessions.publish(&message(KNOWN, TWO), at(5), 10, &mut released);
    let (_, stored) = sessions.finish(&mut released);
    // The checkpoint is ahead of what is still to be written of the session's end.
    let disconnected = SessionEvent::Disconnected {
        at: UnixMillis(1),
        expiry_interval: 60,
        keeps_will: false,
        sent_to: 1,
        unsure_to: 1,
    };
    let left = SessionEvent::Inbox { left: ranges(vec![0]), received: Vec::new(), sent_to: 1 };
    for event in [disconnected, left] {
        let (mut sessions, mut released) = (Sessions::default(), Releases::default());
        sessions.restore(2, stored.clone(), &mut released);
        sessions.apply(SessionRecord { number: KNOWN, event: event.clone() }, &mut released);
        sessions.apply(ended(at(4)), &mut released);
        let (_, rest) = sessions.finish(&mut released);
        let kept = rest.iter().flat_map(|session| &session.image.inbox.entries);
        assert_eq!(kept.count(), 1, "{event:?}");
    }
}
