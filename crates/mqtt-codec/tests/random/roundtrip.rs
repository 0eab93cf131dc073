//! What is written is read again, whole or in pieces.

use mqtt_codec::{FrameStatus, Limits, Packet, PropertyBlock, decode, encode, frame};
use mqtt_types::PropertyId;
use proptest::prelude::*;

use crate::packets::any_packet;

proptest! {
    #![proptest_config(crate::packets::cases(3_000))]

    #[test]
    fn a_packet_is_read_as_it_was_written((version, from, packet) in any_packet()) {
        let limits = Limits::default().from(from);
        let mut bytes = Vec::new();
        encode(&packet, version, &mut bytes).expect("legal");
        prop_assert_eq!(decode(&bytes, version, &limits), Ok(Some((packet, bytes.len()))));
        prop_assert_eq!(frame(&bytes, &limits), Ok(FrameStatus::Complete { len: bytes.len() }));
        for end in 0..bytes.len() {
            prop_assert_eq!(decode(&bytes[..end], version, &limits), Ok(None));
        }
    }

    #[test]
    fn a_stream_of_packets_falls_into_its_packets(
        packets in proptest::collection::vec(crate::packets::packet(mqtt_types::ProtocolVersion::V5, mqtt_codec::Peer::Client), 1..12),
    ) {
        let limits = Limits::default();
        let mut stream = Vec::new();
        for packet in &packets {
            encode(packet, mqtt_types::ProtocolVersion::V5, &mut stream).expect("legal");
        }
        let mut rest = &stream[..];
        for packet in &packets {
            let decoded = decode(rest, mqtt_types::ProtocolVersion::V5, &limits);
            let Ok(Some((decoded, len))) = decoded else { panic!("{decoded:?}") };
            prop_assert_eq!(decoded, *packet);
            rest = &rest[len..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn what_is_forwarded_is_the_block_without_the_hop((_, _, packet) in any_packet()) {
        let Packet::Publish(publish) = packet else { return Ok(()) };
        let mut twin = PropertyBlock::new();
        for property in publish.properties.properties() {
            let of_the_hop = [
                PropertyId::TopicAlias,
                PropertyId::SubscriptionIdentifier,
                PropertyId::MessageExpiryInterval,
            ];
            if !of_the_hop.contains(&property.id()) {
                twin.push(&property).expect("it fitted before");
            }
        }
        let mut forwarded = Vec::new();
        publish.properties.forwardable().write_to(&mut forwarded);
        prop_assert_eq!(forwarded, twin.properties().raw());
    }
}
