//! PUBLISH (§3.3).

use mqtt_codec::{Limits, Packet, Peer, decode};
use mqtt_types::{ProtocolVersion, TopicError};

use crate::verdict::*;

#[test]
fn flags() {
    check(
        V5,
        Client,
        &[
            ("QoS 0", 0x30, b"\x00\x01a\x00", Ok(())),
            ("QoS 1", 0x32, b"\x00\x01a\x00\x01\x00", Ok(())),
            ("QoS 2 DUP retain", 0x3D, b"\x00\x01a\xFF\xFF\x00", Ok(())),
            ("[MQTT-3.3.1-2] DUP at QoS 0", 0x38, b"\x00\x01a\x00", Err(Kind::DupAtQoS0)),
            ("[MQTT-3.3.1-4] QoS 3", 0x36, b"\x00\x01a\x00\x01\x00", Err(Kind::QoS3)),
        ],
    );
    check(
        V3_1_1,
        Client,
        &[
            ("[MQTT311-3.3.1-2] DUP at QoS 0", 0x38, b"\x00\x01a", Err(Kind::DupAtQoS0)),
            ("[MQTT311-3.3.1-4] QoS 3", 0x36, b"\x00\x01a\x00\x01", Err(Kind::QoS3)),
        ],
    );
    check(
        V3_1,
        Client,
        &[("[MQTT31-7] DUP at QoS 0 is not forbidden", 0x38, b"\x00\x01a", Ok(()))],
    );
}

#[test]
fn packet_id_is_there_above_qos_0_and_never_0() {
    for version in [V3_1, V3_1_1, V5] {
        check(
            version,
            Client,
            &[
                ("[MQTT-2.2.1-3] QoS 1", 0x32, b"\x00\x01a\x00\x00\x00", Err(Kind::PacketIdZero)),
                ("[MQTT-2.2.1-3] QoS 2", 0x34, b"\x00\x01a\x00\x00\x00", Err(Kind::PacketIdZero)),
                ("missing", 0x32, b"\x00\x01a", Err(Kind::Truncated)),
                ("cut", 0x32, b"\x00\x01a\x01", Err(Kind::Truncated)),
            ],
        );
    }
}

/// `[MQTT311-3.3.2-1]`, `[MQTT311-3.3.2-2]`, `[MQTT311-4.7.1-1]`, `[MQTT311-1.5.3-1]`, `[MQTT311-1.5.3-2]`,
/// `[MQTT311-1.5.3-3]`, `[MQTT311-4.7.3-2]`: as in 5.0.
#[test]
fn topic_name_in_every_version() {
    let wildcard = Err(Kind::Topic(TopicError::Wildcard));
    for (version, none) in [(V3_1, &b""[..]), (V3_1_1, b""), (V5, b"\x00")] {
        for (clause, topic, expected) in [
            ("[MQTT-3.3.2-2] #", &b"\x00\x03a/#"[..], wildcard),
            ("[MQTT-3.3.2-2] +", b"\x00\x03a/+", wildcard),
            ("[MQTT-3.3.2-2] + inside", b"\x00\x03a+b", wildcard),
            ("[MQTT-1.5.4-2] null", b"\x00\x02a\x00", Err(Kind::StringHasNull)),
            ("[MQTT-1.5.4-1] surrogate D800", b"\x00\x03\xED\xA0\x80", Err(Kind::StringNotUtf8)),
            ("[MQTT-1.5.4-1] overlong", b"\x00\x02\xC0\x80", Err(Kind::StringNotUtf8)),
            ("[MQTT-1.5.4-1] lone byte", b"\x00\x01\xFF", Err(Kind::StringNotUtf8)),
            ("[MQTT-1.5.4-1] above 10FFFF", b"\x00\x04\xF4\x90\x80\x80", Err(Kind::StringNotUtf8)),
            ("[MQTT-1.5.4-3] BOM is kept", b"\x00\x04\xEF\xBB\xBFa", Ok(())),
            ("four bytes of UTF-8", b"\x00\x04\xF0\x9F\x8C\x8A", Ok(())),
            ("a space", b"\x00\x01 ", Ok(())),
            ("empty levels", b"\x00\x02//", Ok(())),
            ("$SYS is a name", b"\x00\x06$SYS/x", Ok(())),
        ] {
            let body = [topic, none].concat();
            check(version, Client, &[(clause, 0x30, &body, expected)]);
        }
    }
}

#[test]
fn empty_topic_needs_an_alias() {
    check(
        V5,
        Client,
        &[
            ("§3.3.2.1", 0x30, b"\x00\x00\x00", Err(Kind::TopicMissing)),
            ("§3.3.2.1 alias", 0x30, b"\x00\x00\x03\x23\x00\x01", Ok(())),
            (
                "[MQTT-3.3.2-8] alias 0",
                0x30,
                b"\x00\x01a\x03\x23\x00\x00",
                Err(Kind::TopicAliasZero),
            ),
            ("alias and topic", 0x30, b"\x00\x01a\x03\x23\xFF\xFF", Ok(())),
        ],
    );
    for version in [V3_1, V3_1_1] {
        let empty = Err(Kind::Topic(TopicError::Empty));
        check(version, Client, &[("[MQTT311-4.7.3-1]", 0x30, b"\x00\x00", empty)]);
    }
}

#[test]
fn an_inner_length_beyond_the_frame_is_an_error_and_no_wait() {
    check(
        V5,
        Client,
        &[
            ("no topic", 0x30, b"", Err(Kind::Truncated)),
            ("half a length", 0x30, b"\x00", Err(Kind::Truncated)),
            ("topic", 0x30, b"\x00\x05a", Err(Kind::Truncated)),
            ("no property length", 0x30, b"\x00\x01a", Err(Kind::Truncated)),
            ("half a property length", 0x30, b"\x00\x01a\x80", Err(Kind::Truncated)),
            ("property block", 0x30, b"\x00\x01a\x05\x02\x00", Err(Kind::Truncated)),
            (
                "property in its block",
                0x30,
                b"\x00\x01a\x02\x02\x00\x00\x00\x00",
                Err(Kind::Truncated),
            ),
            ("text in its block", 0x30, b"\x00\x01a\x04\x03\x00\x05abcde", Err(Kind::Truncated)),
            ("long property length", 0x30, b"\x00\x01a\x80\x00", Err(Kind::VarintNotMinimal)),
        ],
    );
}

#[test]
fn properties() {
    use mqtt_types::PropertyId as Id;
    check(
        V5,
        Client,
        &[
            ("expiry 0 is legal §3.3.2.3.3", 0x30, b"\x00\x01a\x05\x02\x00\x00\x00\x00", Ok(())),
            ("format 0", 0x30, b"\x00\x01a\x02\x01\x00", Ok(())),
            ("format 1 is not checked here", 0x30, b"\x00\x01a\x02\x01\x01\xFF", Ok(())),
            (
                "format 2",
                0x30,
                b"\x00\x01a\x02\x01\x02",
                Err(Kind::PropertyValue(Id::PayloadFormatIndicator)),
            ),
            (
                "twice",
                0x30,
                b"\x00\x01a\x04\x01\x00\x01\x00",
                Err(Kind::PropertyTwice(Id::PayloadFormatIndicator)),
            ),
            (
                "user property twice [MQTT-3.3.2-18]",
                0x30,
                b"\x00\x01a\x0E\x26\x00\x01k\x00\x01v\x26\x00\x01k\x00\x01v",
                Ok(()),
            ),
            (
                "[MQTT-3.3.2-14] response topic",
                0x30,
                b"\x00\x01a\x04\x08\x00\x01#",
                Err(Kind::ResponseTopic(TopicError::Wildcard)),
            ),
            (
                "[MQTT-4.7.3-1] response topic",
                0x30,
                b"\x00\x01a\x03\x08\x00\x00",
                Err(Kind::ResponseTopic(TopicError::Empty)),
            ),
            (
                "[MQTT-3.3.4-6]",
                0x30,
                b"\x00\x01a\x02\x0B\x05",
                Err(Kind::SubscriptionIdentifierFromClient),
            ),
        ],
    );
    let zero = Err(Kind::PropertyValue(Id::SubscriptionIdentifier));
    check(
        V5,
        Server,
        &[
            ("[MQTT-3.3.4-4] one", 0x30, b"\x00\x01a\x02\x0B\x05", Ok(())),
            ("[MQTT-3.3.4-4] two", 0x30, b"\x00\x01a\x04\x0B\x05\x0B\x06", Ok(())),
            ("[MQTT-3.3.4-4] the same twice", 0x30, b"\x00\x01a\x04\x0B\x05\x0B\x05", Ok(())),
            ("§3.3.2.3.8 zero", 0x30, b"\x00\x01a\x02\x0B\x00", zero),
            ("§1.5.5", 0x30, b"\x00\x01a\x03\x0B\x85\x00", Err(Kind::VarintNotMinimal)),
        ],
    );
}

#[test]
fn all_that_a_broker_needs_is_read_out() {
    let body =
        b"\x00\x00\x00\x07\x19\x01\x01\x23\x00\x09\x02\x00\x00\x00\x3C\x26\x00\x01k\x00\x01v\
        \x0B\x05\x0B\x06\x08\x00\x01rhello";
    let bytes = packet(0x3B, body);
    let limits = Limits::default().from(Peer::Server);
    let Ok(Some((Packet::Publish(publish), _))) = decode(&bytes, V5, &limits) else {
        panic!("legal: {:?}", decode(&bytes, V5, &limits))
    };
    assert!(publish.dup && publish.retain);
    assert_eq!(publish.qos.as_u8(), 1);
    assert_eq!(publish.topic, "");
    assert_eq!(publish.packet_id.map(|id| id.get()), Some(7));
    assert_eq!(publish.payload, b"hello");
    let properties = publish.properties;
    assert_eq!(properties.topic_alias, Some(9));
    assert_eq!(properties.message_expiry_interval, Some(60));
    assert_eq!(properties.payload_format_indicator, Some(1));
    assert_eq!(properties.response_topic, Some("r"));
    assert_eq!(properties.subscription_identifiers().collect::<Vec<_>>(), [5, 6]);
    assert_eq!(properties.user_properties().collect::<Vec<_>>(), [("k", "v")]);
    assert_eq!(properties.raw.len(), 0x19);
    assert!(publish.payload_format_is_valid());
}

#[test]
fn payload_format_is_told_and_not_enforced() {
    for (body, expected) in [
        (&b"\x00\x01a\x02\x01\x01ok"[..], true),
        (b"\x00\x01a\x02\x01\x01\xFF", false),
        (b"\x00\x01a\x02\x01\x00\xFF", true),
        (b"\x00\x01a\x00\xFF", true),
    ] {
        let bytes = packet(0x30, body);
        let Ok(Some((Packet::Publish(publish), _))) = decode(&bytes, V5, &Limits::default()) else {
            panic!("legal")
        };
        assert_eq!(publish.payload_format_is_valid(), expected);
    }
}

#[test]
fn levels_are_counted_only_where_they_can_be_too_many() {
    let limits = Limits { max_topic_levels: 3, max_topic_length: 20, ..Limits::default() };
    for (topic, expected) in [
        ("a/b/c", Ok(())),
        ("long/but/shallow", Ok(())),
        ("//", Ok(())),
        ("a/b/c/d", Err(Kind::TopicTooDeep { limit: 3 })),
        ("///", Err(Kind::TopicTooDeep { limit: 3 })),
        ("twenty bytes of name", Ok(())),
        ("twenty one bytes of it", Err(Kind::TopicTooLong { limit: 20 })),
    ] {
        let body = [&[0, topic.len() as u8], topic.as_bytes()].concat();
        let bytes = packet(0x30, &body);
        let verdict = decode(&bytes, ProtocolVersion::V3_1_1, &limits);
        assert_eq!(verdict.map(|_| ()).map_err(|error| error.kind), expected, "{topic}");
    }
}
