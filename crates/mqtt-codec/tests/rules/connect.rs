//! CONNECT (§3.1).

use mqtt_codec::{Connect, ConnectProperties, Limits, Packet, WillProperties, decode};
use mqtt_types::{PropertyId, ProtocolVersion, TopicError};

use crate::verdict::*;

const HEAD_5: &[u8] = b"\x00\x04MQTT\x05";
const HEAD_4: &[u8] = b"\x00\x04MQTT\x04";
const HEAD_3: &[u8] = b"\x00\x06MQIsdp\x03";

/// Checks bodies that begin with the same head.
fn check_under(head: &[u8], rows: &[(&str, &[u8], Result<(), Kind>)]) {
    for (clause, rest, expected) in rows {
        // The version argument does not count: the packet brings its own.
        for version in [V3_1, V3_1_1, V5] {
            check(version, Client, &[(clause, 0x10, &[head, rest].concat(), *expected)]);
        }
    }
}

#[test]
fn protocol_name_and_version() {
    let rest = b"\x02\x00\x00\x00\x01c";
    for (clause, head, expected) in [
        ("[MQTT31-1]", &b"\x00\x06MQIsdp\x03"[..], Ok(())),
        ("3.1.1", b"\x00\x04MQTT\x04", Ok(())),
        ("[MQTT-3.1.2-1]", b"\x00\x04MQTt\x04", Err(Kind::ProtocolName)),
        ("[MQTT-3.1.2-1]", b"\x00\x04HTTP\x04", Err(Kind::ProtocolName)),
        ("[MQTT-3.1.2-1]", b"\x00\x00\x04", Err(Kind::ProtocolName)),
        ("[MQTT-3.1.2-1] not UTF-8", b"\x00\x01\xFF\x04", Err(Kind::ProtocolName)),
        ("[MQTT-3.1.2-2]", b"\x00\x04MQTT\x03", Err(Kind::ProtocolVersion(3))),
        ("[MQTT-3.1.2-2]", b"\x00\x04MQTT\x06", Err(Kind::ProtocolVersion(6))),
        ("[MQTT-3.1.2-2]", b"\x00\x04MQTT\x00", Err(Kind::ProtocolVersion(0))),
        ("[MQTT-3.1.2-2]", b"\x00\x04MQTT\x84", Err(Kind::ProtocolVersion(0x84))),
        ("[MQTT-3.1.2-2]", b"\x00\x06MQIsdp\x04", Err(Kind::ProtocolVersion(4))),
        ("name beyond", b"\x00\x40MQTT\x04", Err(Kind::Truncated)),
    ] {
        check_under(head, &[(clause, rest, expected)]);
    }
}

#[test]
fn flags_of_5_0() {
    check_under(
        HEAD_5,
        &[
            ("plain", b"\x00\x00\x3C\x00\x00\x00", Ok(())),
            ("[MQTT-3.1.2-3]", b"\x01\x00\x00\x00\x00\x00", Err(Kind::ConnectFlagReserved)),
            ("[MQTT-3.1.2-11]", b"\x08\x00\x00\x00\x00\x00", Err(Kind::WillFlagsWithoutWill)),
            ("[MQTT-3.1.2-11]", b"\x10\x00\x00\x00\x00\x00", Err(Kind::WillFlagsWithoutWill)),
            ("[MQTT-3.1.2-13]", b"\x20\x00\x00\x00\x00\x00", Err(Kind::WillFlagsWithoutWill)),
            (
                "[MQTT-3.1.2-12]",
                b"\x1C\x00\x00\x00\x00\x00\x00\x00\x01w\x00\x00",
                Err(Kind::WillQoS3),
            ),
            ("password alone is legal §3.1.2.9", b"\x40\x00\x00\x00\x00\x00\x00\x01p", Ok(())),
            ("user name alone", b"\x80\x00\x00\x00\x00\x00\x00\x01u", Ok(())),
            ("both", b"\xC0\x00\x00\x00\x00\x00\x00\x01u\x00\x01p", Ok(())),
            ("user name missing", b"\x80\x00\x00\x00\x00\x00", Err(Kind::Truncated)),
            ("password missing", b"\xC0\x00\x00\x00\x00\x00\x00\x01u", Err(Kind::Truncated)),
            ("trailing", b"\x00\x00\x00\x00\x00\x00\x00", Err(Kind::TrailingBytes)),
            ("no client id", b"\x00\x00\x00\x00", Err(Kind::Truncated)),
            ("client id beyond", b"\x00\x00\x00\x00\x00\x05c", Err(Kind::Truncated)),
            ("[MQTT-1.5.4-2] client id", b"\x00\x00\x00\x00\x00\x01\x00", Err(Kind::StringHasNull)),
            (
                "[MQTT-1.5.4-1] user name",
                b"\x80\x00\x00\x00\x00\x00\x00\x01\xFF",
                Err(Kind::StringNotUtf8),
            ),
            ("password is binary", b"\xC0\x00\x00\x00\x00\x00\x00\x01u\x00\x02\x00\xFF", Ok(())),
        ],
    );
}

#[test]
fn flags_of_3_x() {
    check_under(
        HEAD_4,
        &[
            ("plain", b"\x02\x00\x00\x00\x01c", Ok(())),
            ("[MQTT311-3.1.3-8] is a refusal, not malformed", b"\x00\x00\x00\x00\x00", Ok(())),
            ("[MQTT311-3.1.2-3]", b"\x03\x00\x00\x00\x01c", Err(Kind::ConnectFlagReserved)),
            ("[MQTT311-3.1.2-13]", b"\x0A\x00\x00\x00\x01c", Err(Kind::WillFlagsWithoutWill)),
            ("[MQTT311-3.1.2-15]", b"\x22\x00\x00\x00\x01c", Err(Kind::WillFlagsWithoutWill)),
            ("[MQTT311-3.1.2-14]", b"\x1E\x00\x00\x00\x01c\x00\x01w\x00\x00", Err(Kind::WillQoS3)),
            (
                "[MQTT311-3.1.2-22]",
                b"\x42\x00\x00\x00\x01c\x00\x01p",
                Err(Kind::PasswordWithoutUserName),
            ),
            ("user name missing", b"\x82\x00\x00\x00\x01c", Err(Kind::Truncated)),
            ("trailing", b"\x02\x00\x00\x00\x01c\x00", Err(Kind::TrailingBytes)),
        ],
    );
    check_under(
        HEAD_3,
        &[
            ("[MQTT31-10] unused bit", b"\x03\x00\x00\x00\x01c", Ok(())),
            ("[MQTT31-10] unused will bits", b"\x3A\x00\x00\x00\x01c", Ok(())),
            ("will QoS 3", b"\x1E\x00\x00\x00\x01c\x00\x01w\x00\x00", Err(Kind::WillQoS3)),
            (
                "password alone",
                b"\x42\x00\x00\x00\x01c\x00\x01p",
                Err(Kind::PasswordWithoutUserName),
            ),
            ("[MQTT31-5] the length decides", b"\x82\x00\x00\x00\x01c", Ok(())),
            ("[MQTT31-5] the length decides", b"\xC2\x00\x00\x00\x01c\x00\x01u", Ok(())),
        ],
    );
}

#[test]
fn wills() {
    let wildcard = Err(Kind::WillTopic(TopicError::Wildcard));
    check_under(
        HEAD_5,
        &[
            ("plain", b"\x04\x00\x00\x00\x00\x00\x00\x00\x01w\x00\x02\xFF\x00", Ok(())),
            ("QoS 2 retain", b"\x34\x00\x00\x00\x00\x00\x00\x00\x01w\x00\x00", Ok(())),
            ("[MQTT-3.3.2-2]", b"\x04\x00\x00\x00\x00\x00\x00\x00\x01#\x00\x00", wildcard),
            (
                "[MQTT-4.7.3-1]",
                b"\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                Err(Kind::WillTopic(TopicError::Empty)),
            ),
            (
                "[MQTT-3.1.3-11]",
                b"\x04\x00\x00\x00\x00\x00\x00\x00\x01\xC0\x00\x00",
                Err(Kind::StringNotUtf8),
            ),
            (
                "[MQTT-1.5.4-2]",
                b"\x04\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00",
                Err(Kind::StringHasNull),
            ),
            ("payload missing", b"\x04\x00\x00\x00\x00\x00\x00\x00\x01w", Err(Kind::Truncated)),
            ("delay", b"\x04\x00\x00\x00\x00\x00\x05\x18\x00\x00\x00\x05\x00\x01w\x00\x00", Ok(())),
            (
                "alias",
                b"\x04\x00\x00\x00\x00\x00\x03\x23\x00\x05\x00\x01w\x00\x00",
                Err(Kind::PropertyNotAllowed(PropertyId::TopicAlias)),
            ),
        ],
    );
    check_under(
        HEAD_4,
        &[
            ("plain", b"\x06\x00\x00\x00\x01c\x00\x01w\x00\x01x", Ok(())),
            ("[MQTT311-4.7.1-1]", b"\x06\x00\x00\x00\x01c\x00\x01+\x00\x01x", wildcard),
        ],
    );
}

#[test]
fn authentication_data_needs_a_method() {
    check_under(
        HEAD_5,
        &[
            ("method", b"\x00\x00\x00\x04\x15\x00\x01m\x00\x00", Ok(())),
            ("method and data", b"\x00\x00\x00\x08\x15\x00\x01m\x16\x00\x01d\x00\x00", Ok(())),
            ("data before method", b"\x00\x00\x00\x08\x16\x00\x01d\x15\x00\x01m\x00\x00", Ok(())),
            (
                "§3.1.2.11.10",
                b"\x00\x00\x00\x04\x16\x00\x01d\x00\x00",
                Err(Kind::AuthenticationDataWithoutMethod),
            ),
        ],
    );
}

fn connect(bytes: &[u8]) -> Connect<'_> {
    match decode(bytes, V3_1_1, &Limits::default()) {
        Ok(Some((Packet::Connect(connect), _))) => connect,
        other => panic!("no CONNECT: {other:?}"),
    }
}

#[test]
fn values_come_out() {
    let body = b"\x00\x04MQTT\x05\xEE\x00\x3C\
        \x18\x11\x00\x00\x00\x0A\x21\x00\x14\x27\x00\x00\x01\x00\x22\x00\x05\x19\x01\x17\x00\x15\x00\x01m\
        \x00\x02id\
        \x0E\x18\x00\x00\x00\x07\x03\x00\x01t\x02\x00\x00\x00\x09\
        \x00\x01w\x00\x03bye\x00\x01u\x00\x02pw";
    let bytes = packet(0x10, body);
    let connect = connect(&bytes);
    assert_eq!(connect.version, ProtocolVersion::V5);
    assert!(connect.clean_start);
    assert_eq!((connect.keep_alive, connect.client_id), (60, "id"));
    assert_eq!((connect.username, connect.password), (Some("u"), Some(&b"pw"[..])));
    let expected = ConnectProperties {
        session_expiry_interval: 10,
        receive_maximum: 20,
        maximum_packet_size: Some(256),
        topic_alias_maximum: 5,
        request_response_information: true,
        request_problem_information: false,
        authentication_method: Some("m"),
        authentication_data: None,
    };
    assert_eq!(ConnectProperties::of(connect.properties), expected);
    let will = connect.will.expect("flag is set");
    assert_eq!(
        (will.qos.as_u8(), will.retain, will.topic, will.payload),
        (1, true, "w", &b"bye"[..])
    );
    let will = WillProperties::of(will.properties);
    assert_eq!((will.will_delay_interval, will.message_expiry_interval), (7, Some(9)));
    assert_eq!(will.forwardable.parts(), [b"\x03\x00\x01t"]);
}

#[test]
fn what_is_absent_has_the_default_of_the_specification() {
    let bytes = packet(0x10, b"\x00\x04MQTT\x05\x00\x00\x00\x00\x00\x00");
    let properties = ConnectProperties::of(connect(&bytes).properties);
    assert_eq!(properties, ConnectProperties::default());
    assert_eq!((properties.session_expiry_interval, properties.receive_maximum), (0, 65_535));
    assert!(properties.request_problem_information && !properties.request_response_information);
}

#[test]
fn an_empty_client_id_is_refused_where_the_version_says_so() {
    for (body, expected) in [
        (&b"\x00\x04MQTT\x04\x00\x00\x00\x00\x00"[..], true),
        (b"\x00\x04MQTT\x04\x02\x00\x00\x00\x00", false),
        (b"\x00\x04MQTT\x04\x00\x00\x00\x00\x01c", false),
        (b"\x00\x06MQIsdp\x03\x02\x00\x00\x00\x00", true),
        (b"\x00\x04MQTT\x05\x00\x00\x00\x00\x00\x00", false),
    ] {
        let bytes = packet(0x10, body);
        assert_eq!(connect(&bytes).must_reject_client_id(), expected, "{body:02X?}");
    }
}

#[test]
fn the_version_of_a_malformed_connect_is_known() {
    for (bytes, expected) in [
        (&b"\x10\x09\x00\x04MQTT\x05\x01\x00"[..], Some(V5)),
        (b"\x10\x80\x01\x00\x04MQTT\x04", Some(V3_1_1)),
        (b"\x10\x0C\x00\x06MQIsdp\x03", Some(V3_1)),
        (b"\x10\x0C\x00\x04MQTT\x06", None),
        (b"\x10\x0C\x00\x04MQ", None),
        (b"\x30\x09\x00\x04MQTT\x05\x01\x00", None),
        (b"", None),
    ] {
        assert_eq!(Connect::peek_version(bytes), expected, "{bytes:02X?}");
    }
}
