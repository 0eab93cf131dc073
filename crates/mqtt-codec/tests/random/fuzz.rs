//! Bytes that are no packets, or nearly: every answer is a value, and what is taken can be written and read again.

use mqtt_codec::{
    ConnAckProperties, Connect, ConnectProperties, Limits, Packet, Peer, WillProperties, decode,
    encode, frame,
};
use mqtt_types::ProtocolVersion;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::packets::any_packet;

/// Decodes for every version and side; walks all that a packet lends.
fn survive(bytes: &[u8]) {
    let small = Limits { max_packet_size: 64, max_topic_levels: 2, ..Limits::default() };
    let _ = frame(bytes, &small);
    let _ = Connect::peek_version(bytes);
    for version in [ProtocolVersion::V3_1, ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let _ = decode(bytes, version, &small);
        for from in [Peer::Client, Peer::Server] {
            for check_filters in [true, false] {
                let limits = Limits { check_filters, ..Limits::default().from(from) };
                if let Ok(Some((packet, len))) = decode(bytes, version, &limits) {
                    assert!(len <= bytes.len());
                    walk(&packet);
                    write_and_read_again(&packet, version, &limits);
                }
            }
        }
    }
}

fn walk(packet: &Packet<'_>) {
    match packet {
        Packet::Connect(connect) => {
            assert_ne!(ConnectProperties::of(connect.properties).receive_maximum, 0);
            if let Some(will) = &connect.will {
                let forwardable = WillProperties::of(will.properties).forwardable;
                assert!(forwardable.len() <= will.properties.raw().len());
            }
        }
        Packet::ConnAck(connack) => {
            assert_ne!(ConnAckProperties::of(connack.properties).receive_maximum, 0);
        }
        Packet::Publish(publish) => {
            let block = publish.properties.properties();
            assert_eq!(
                block.user_properties().count(),
                publish.properties.user_properties().count()
            );
            assert!(publish.properties.forwardable().len() <= block.raw().len());
        }
        Packet::Subscribe(subscribe) => assert!(subscribe.filters.iter().next().is_some()),
        Packet::Unsubscribe(unsubscribe) => assert!(unsubscribe.filters.iter().next().is_some()),
        _ => {}
    }
}

fn write_and_read_again(packet: &Packet<'_>, version: ProtocolVersion, limits: &Limits) {
    let version = if let Packet::Connect(connect) = packet { connect.version } else { version };
    let mut bytes = Vec::new();
    encode(packet, version, &mut bytes).expect("what was read can be written");
    let again = decode(&bytes, version, limits);
    assert_eq!(again, Ok(Some((*packet, bytes.len()))));
}

/// One change: set a byte, flip a bit, cut out, put in, cut off.
fn mutate(bytes: &mut Vec<u8>, (kind, at, value): (u8, usize, u8)) {
    if bytes.is_empty() {
        return;
    }
    let near_the_head = at % bytes.len().min(12);
    let at = at % bytes.len();
    match kind {
        0 => bytes[at] = value,
        1 => bytes[at] ^= 1 << (value % 8),
        2 => bytes.insert(at, value),
        3 => drop(bytes.remove(at)),
        4 => bytes.truncate(at),
        // The lengths are all near the head: a change there tests most.
        _ => bytes[near_the_head] = value,
    }
}

proptest! {
    #![proptest_config(crate::packets::cases(4_000))]

    #[test]
    fn random_bytes_are_survived(first in any::<u8>(), body in vec(any::<u8>(), 0..120)) {
        let mut bytes = vec![first, body.len() as u8];
        bytes.extend(body);
        survive(&bytes);
    }

    #[test]
    fn changed_packets_are_survived(
        (version, _, packet) in any_packet(),
        changes in vec((0..7_u8, any::<usize>(), any::<u8>()), 1..24),
    ) {
        let mut bytes = Vec::new();
        encode(&packet, version, &mut bytes).expect("legal");
        for change in changes {
            mutate(&mut bytes, change);
            survive(&bytes);
            // The same with a length that is right, so that the change gets past the frame.
            if let [first, _, body @ ..] = &bytes[..] && body.len() < 128 {
                let mut whole = vec![*first, body.len() as u8];
                whole.extend_from_slice(body);
                survive(&whole);
            }
        }
    }
}

#[test]
fn every_first_two_bytes_are_survived() {
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            survive(&[first, second]);
            survive(&[first, second, 0, 4, b'M', b'Q', b'T', b'T', 5, 0, 0, 0, 0, 0, 0]);
        }
    }
}
