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
