//! The fixed header (§2.1): type, flags, remaining length.

use mqtt_codec::{DecodeError, FrameStatus, Limits, decode, frame};
use mqtt_types::ReasonCode;

use crate::verdict::*;

/// The flags are looked at before the version is: `[MQTT311-2.2.2-1]`, `[MQTT311-2.2.2-2]` too.
#[test]
fn flags_are_those_of_the_type() {
    let body = b"\x00\x01\x00\x00\x01a\x00";
    check(
        V5,
        Client,
        &[
            ("§2.1.2 type 0", 0x00, b"", Err(Kind::PacketTypeReserved)),
            ("[MQTT-2.1.3-1] CONNECT", 0x11, b"", Err(Kind::FlagsReserved)),
            ("[MQTT-2.1.3-1] PUBACK", 0x48, b"\x00\x01", Err(Kind::FlagsReserved)),
            ("[MQTT-2.1.3-1] PUBREC", 0x52, b"\x00\x01", Err(Kind::FlagsReserved)),
            ("[MQTT-3.6.1-1] PUBREL", 0x60, b"\x00\x01", Err(Kind::FlagsReserved)),
            ("[MQTT-3.6.1-1] PUBREL DUP", 0x6A, b"\x00\x01", Err(Kind::FlagsReserved)),
            ("[MQTT-3.6.1-1] PUBREL retain", 0x63, b"\x00\x01", Err(Kind::FlagsReserved)),
            ("PUBREL", 0x62, b"\x00\x01", Ok(())),
            ("[MQTT-2.1.3-1] PUBCOMP", 0x71, b"\x00\x01", Err(Kind::FlagsReserved)),
            ("[MQTT-3.8.1-1] SUBSCRIBE", 0x80, body, Err(Kind::FlagsReserved)),
            ("[MQTT-3.8.1-1] SUBSCRIBE DUP", 0x8A, body, Err(Kind::FlagsReserved)),
            ("SUBSCRIBE", 0x82, body, Ok(())),
            ("[MQTT-3.10.1-1] UNSUBSCRIBE", 0xA0, body, Err(Kind::FlagsReserved)),
            ("[MQTT-2.1.3-1] PINGREQ", 0xC1, b"", Err(Kind::FlagsReserved)),
            ("[MQTT-2.1.3-1] PINGRESP", 0xD4, b"", Err(Kind::FlagsReserved)),
            ("[MQTT-3.14.1-1] DISCONNECT", 0xE2, b"", Err(Kind::FlagsReserved)),
            ("[MQTT-3.15.1-1] AUTH", 0xF8, b"", Err(Kind::FlagsReserved)),
        ],
    );
}

#[test]
fn mqtt_3_1_knows_dup_on_requests() {
    let subscribe = b"\x00\x01\x00\x01a\x00";
    check(
        V3_1,
        Client,
        &[
            ("[MQTT31-6] PUBREL", 0x6A, b"\x00\x01", Ok(())),
            ("[MQTT31-6] SUBSCRIBE", 0x8A, subscribe, Ok(())),
            ("[MQTT31-6] UNSUBSCRIBE", 0xAA, b"\x00\x01\x00\x01a", Ok(())),
        ],
    );
    check(
        V3_1_1,
        Client,
        &[
            ("[MQTT311-3.6.1-1]", 0x6A, b"\x00\x01", Err(Kind::FlagsReserved)),
            ("[MQTT311-3.8.1-1]", 0x8A, subscribe, Err(Kind::FlagsReserved)),
            ("[MQTT311-3.10.1-1]", 0xAA, b"\x00\x01\x00\x01a", Err(Kind::FlagsReserved)),
        ],
    );
}

#[test]
fn packets_without_fields_are_empty() {
    for version in [V3_1, V3_1_1, V5] {
        check(
            version,
            Client,
            &[
                ("PINGREQ", 0xC0, b"", Ok(())),
                ("PINGREQ §3.12", 0xC0, b"\x00", Err(Kind::TrailingBytes)),
                ("PINGRESP", 0xD0, b"", Ok(())),
                ("PINGRESP §3.13", 0xD0, b"\x00", Err(Kind::TrailingBytes)),
            ],
        );
    }
    for version in [V3_1, V3_1_1] {
        check(version, Client, &[("AUTH before 5.0", 0xF0, b"", Err(Kind::PacketTypeReserved))]);
    }
}

#[test]
fn each_type_has_its_senders() {
    use mqtt_codec::PacketType;
    for first in 0x10..=0xF0_u8 {
        let Some(packet) = PacketType::from_first_byte(first) else { panic!("{first:02X}") };
        let (client, server) = match first >> 4 {
            1 | 8 | 10 | 12 => (true, false),
            2 | 9 | 11 | 13 => (false, true),
            _ => (true, true),
        };
        assert_eq!(packet.is_sent_by(Client, V5), client, "{packet}");
        assert_eq!(packet.is_sent_by(Server, V5), server, "{packet}");
        let (client, server) = match first >> 4 {
            14 => (true, false),
            15 => (false, false),
            _ => (client, server),
        };
        assert_eq!(packet.is_sent_by(Client, V3_1_1), client, "{packet}");
        assert_eq!(packet.is_sent_by(Server, V3_1_1), server, "{packet}");
    }
}

/// `[MQTT-1.5.5-1]`
#[test]
fn remaining_length_is_short_and_minimal() {
    let limits = Limits::default();
    for (bytes, expected) in [
        (&b"\xC0\x80\x00"[..], Kind::VarintNotMinimal),
        (b"\xC0\x80\x80\x80\x00", Kind::VarintNotMinimal),
        (b"\x30\xFF\xFF\xFF\xFF", Kind::VarintTooLong),
        (b"\x30\xFF\xFF\xFF\xFF\x01", Kind::VarintTooLong),
    ] {
        assert_eq!(frame(bytes, &limits).map_err(|error| error.kind), Err(expected));
        assert_eq!(decode(bytes, V5, &limits).map_err(|error| error.kind), Err(expected));
    }
}

#[test]
fn a_wrong_first_byte_is_told_at_once() {
    let limits = Limits::default();
    for first in [0x00, 0x0F, 0x36, 0x3E, 0x11, 0x60, 0x80, 0xA0, 0xC8] {
        assert!(frame(&[first], &limits).is_err(), "{first:02X}");
    }
    assert_eq!(decode(&[0x38, 9], V5, &limits).map_err(|error| error.kind), Err(Kind::DupAtQoS0));
    assert_eq!(frame(&[], &limits), Ok(FrameStatus::Incomplete { needed: 2 }));
    assert_eq!(frame(&[0x30], &limits), Ok(FrameStatus::Incomplete { needed: 1 }));
    assert_eq!(frame(&[0x30, 0x80], &limits), Ok(FrameStatus::Incomplete { needed: 1 }));
    assert_eq!(frame(&[0x30, 0x05], &limits), Ok(FrameStatus::Incomplete { needed: 5 }));
}

#[test]
fn a_packet_too_large_is_told_by_its_header() {
    let limits = Limits { max_packet_size: 130, ..Limits::default() };
    let fits = b"\x30\x7F";
    assert_eq!(frame(fits, &limits), Ok(FrameStatus::Incomplete { needed: 127 }));
    let larger = b"\x30\x80\x01";
    let error = DecodeError {
        kind: Kind::PacketTooLarge { len: 131, limit: 130 },
        packet: Some(mqtt_codec::PacketType::Publish),
    };
    assert_eq!(frame(larger, &limits), Err(error));
    assert_eq!(decode(larger, V5, &limits), Err(error));
    assert_eq!(error.reason_code(), ReasonCode::PACKET_TOO_LARGE);
    let largest = Limits { max_packet_size: Limits::MAX_PACKET_SIZE, ..limits };
    assert_eq!(
        frame(b"\x30\xFF\xFF\xFF\x7F", &largest),
        Ok(FrameStatus::Incomplete { needed: 268_435_455 })
    );
}

#[test]
fn reason_codes_tell_malformed_from_protocol_error() {
    use mqtt_types::{FilterError, TopicError};
    for (kind, expected) in [
        (Kind::Truncated, ReasonCode::MALFORMED_PACKET),
        (Kind::FlagsReserved, ReasonCode::MALFORMED_PACKET),
        (Kind::QoS3, ReasonCode::MALFORMED_PACKET),
        (Kind::StringNotUtf8, ReasonCode::MALFORMED_PACKET),
        (Kind::PropertyUnknown(4), ReasonCode::MALFORMED_PACKET),
        (Kind::NoFilter, ReasonCode::PROTOCOL_ERROR),
        (Kind::NoLocalShared, ReasonCode::PROTOCOL_ERROR),
        (Kind::SubscriptionIdentifierFromClient, ReasonCode::PROTOCOL_ERROR),
        (Kind::ProtocolVersion(6), ReasonCode::UNSUPPORTED_PROTOCOL_VERSION),
        (Kind::TopicAliasZero, ReasonCode::TOPIC_ALIAS_INVALID),
        (Kind::Topic(TopicError::Wildcard), ReasonCode::TOPIC_NAME_INVALID),
        (Kind::Filter(FilterError::MultiLevel), ReasonCode::TOPIC_FILTER_INVALID),
    ] {
        assert_eq!(DecodeError { kind, packet: None }.reason_code(), expected, "{kind}");
    }
}
