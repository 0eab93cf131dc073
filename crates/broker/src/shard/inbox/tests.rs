use mqtt_session::KeptPlace;
use mqtt_types::MessageHead;

use super::*;
use crate::record::{MoreTargets, Targets, encode_publish};

#[test]
fn a_body_from_the_disk_keeps_nothing_alive_that_was_read_with_it() {
    let target = |count| SessionTarget {
        number: SessionNumber::new(count, "a"),
        qos: QoS::AtLeastOnce,
        retain: false,
        identifiers: SmallVec::new(),
        shared: None,
        in_place_of: None,
    };
    let more =
        MoreTargets { sessions: (0..10_000).map(target).collect(), ..MoreTargets::default() };
    let mut body = Vec::new();
    let targets = Targets { sinks: &[], more: Some(&more) };
    encode_publish(&mut body, &MessageHead::default(), targets, "t", &[], b"small");
    let body = Bytes::from(body);
    let asked = Asked { sequence: 1, at: 64, copy: None };
    let read = body_of(SessionNumber::new(7, "a"), asked, Ok(body.clone()));
    let read = read.expect("legal").expect("whole");
    assert_eq!(read.message.payload(), b"small");
    assert!(body.is_unique(), "the message has bytes of its own");
}

#[test]
fn a_message_that_was_asked_for_is_damaged_only_if_it_waits_there_still() {
    let kept = |at| Kept {
        at,
        size: 10,
        qos: QoS::AtLeastOnce,
        retain: false,
        has_identifiers: false,
        copy: 0,
        set: None,
        is_shared: false,
        is_held: false,
        identifier: None,
    };
    let mut inbox = Inbox::default();
    let first = inbox.push(kept(64));
    inbox.push(kept(128));
    let asked = Asked { sequence: first, at: 64, copy: None };
    assert_eq!(lies_at(None, asked), None, "the session is over");
    assert_eq!(lies_at(Some(&inbox), asked), Some(64));
    let place = KeptPlace { sequence: first, at: 64, copy: 0, is_shared: false };
    assert!(inbox.relocate(&place, 256));
    assert_eq!(lies_at(Some(&inbox), asked), Some(256));
    assert!(inbox.give_up(first).is_some());
    assert_eq!(lies_at(Some(&inbox), asked), None, "it waits no more");
}
