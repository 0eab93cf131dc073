//! CONNACK (§3.2).

use mqtt_codec::{ConnAckProperties, Limits, Packet, Peer, connect_return_code, decode};
use mqtt_types::{PropertyId, QoS, ReasonCode};

use crate::verdict::*;

#[test]
fn flags_and_codes() {
    check(
        V5,
        Server,
        &[
            ("success", 0x20, b"\x00\x00\x00", Ok(())),
            ("session present", 0x20, b"\x01\x00\x00", Ok(())),
            ("[MQTT-3.2.2-1]", 0x20, b"\x02\x00\x00", Err(Kind::ConnAckFlagsReserved)),
            ("[MQTT-3.2.2-6]", 0x20, b"\x01\x80\x00", Err(Kind::SessionPresentInRefusal)),
            ("no block", 0x20, b"\x00\x00", Err(Kind::Truncated)),
            ("trailing", 0x20, b"\x00\x00\x00\x00", Err(Kind::TrailingBytes)),
            (
                "§3.2.2.3.18",
                0x20,
                b"\x00\x00\x04\x16\x00\x01d",
                Err(Kind::AuthenticationDataWithoutMethod),
            ),
        ],
    );
    let legal =
        |code| matches!(code, 0x00 | 0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F);
    for code in 0..=u8::MAX {
        let error = Err(Kind::ReasonCode(ReasonCode(code)));
        let expected = if legal(code) { Ok(()) } else { error };
        check(V5, Server, &[("[MQTT-3.2.2-8]", 0x20, &[0, code, 0], expected)]);
        let expected = if code <= 5 { Ok(()) } else { error };
        check(V3_1_1, Server, &[("§3.2.2.3", 0x20, &[0, code], expected)]);
    }
    check(
        V3_1_1,
        Server,
        &[
            ("session present", 0x20, b"\x01\x00", Ok(())),
            ("[MQTT311-3.2.2-4]", 0x20, b"\x01\x05", Err(Kind::SessionPresentInRefusal)),
            ("§3.2.2.1", 0x20, b"\x80\x00", Err(Kind::ConnAckFlagsReserved)),
            ("§3.2", 0x20, b"\x00\x00\x00", Err(Kind::TrailingBytes)),
        ],
    );
    check(V3_1, Server, &[("the byte is not used", 0x20, b"\xFF\x00", Ok(()))]);
}

#[test]
fn return_codes_are_reason_codes_and_back() {
    for code in 0..=5 {
        let bytes = packet(0x20, &[0, code]);
        let limits = Limits::default().from(Peer::Server);
        let Ok(Some((Packet::ConnAck(connack), _))) = decode(&bytes, V3_1_1, &limits) else {
            panic!("legal")
        };
        assert_eq!(connect_return_code(connack.reason_code), code);
        assert_eq!(connack.reason_code.is_error(), code != 0);
    }
    for (reason, code) in [
        (ReasonCode::BANNED, 5),
        (ReasonCode::SERVER_BUSY, 3),
        (ReasonCode::QUOTA_EXCEEDED, 3),
        (ReasonCode::MALFORMED_PACKET, 3),
    ] {
        assert_eq!(connect_return_code(reason), code, "{reason}");
    }
}

#[test]
fn value_ranges() {
    let value = |id| Err(Kind::PropertyValue(id));
    check(
        V5,
        Server,
        &[
            ("§3.2.2.3.3", 0x20, b"\x00\x00\x03\x21\x00\x00", value(PropertyId::ReceiveMaximum)),
            ("§3.2.2.3.4", 0x20, b"\x00\x00\x02\x24\x02", value(PropertyId::MaximumQoS)),
            ("§3.2.2.3.5", 0x20, b"\x00\x00\x02\x25\x02", value(PropertyId::RetainAvailable)),
            (
                "§3.2.2.3.6",
                0x20,
                b"\x00\x00\x05\x27\x00\x00\x00\x00",
                value(PropertyId::MaximumPacketSize),
            ),
            ("§3.2.2.3.8 zero is legal", 0x20, b"\x00\x00\x03\x22\x00\x00", Ok(())),
        ],
    );
}

#[test]
fn values_come_out() {
    let body = b"\x01\x00\x2D\x11\x00\x00\x00\x0A\x21\x00\x14\x24\x01\x25\x00\x27\x00\x00\x01\x00\
        \x12\x00\x01i\x22\x00\x05\x1F\x00\x01r\x28\x00\x29\x00\x2A\x00\x13\x00\x3C\x1A\x00\x01x\
        \x1C\x00\x01s";
    let bytes = packet(0x20, body);
    let limits = Limits::default().from(Peer::Server);
    let Ok(Some((Packet::ConnAck(connack), _))) = decode(&bytes, V5, &limits) else {
        panic!("legal: {:?}", decode(&bytes, V5, &limits))
    };
    let expected = ConnAckProperties {
        session_expiry_interval: Some(10),
        receive_maximum: 20,
        maximum_qos: QoS::AtLeastOnce,
        retain_available: false,
        maximum_packet_size: Some(256),
        assigned_client_identifier: Some("i"),
        topic_alias_maximum: 5,
        reason_string: Some("r"),
        wildcard_subscription_available: false,
        subscription_identifier_available: false,
        shared_subscription_available: false,
        server_keep_alive: Some(60),
        response_information: Some("x"),
        server_reference: Some("s"),
        authentication_method: None,
        authentication_data: None,
    };
    assert!(connack.session_present);
    assert_eq!(ConnAckProperties::of(connack.properties), expected);
    assert!(ConnAckProperties::default().retain_available);
}
