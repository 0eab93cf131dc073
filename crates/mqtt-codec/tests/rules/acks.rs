//! PUBACK, PUBREC, PUBREL, PUBCOMP (§3.4 to §3.7), SUBACK (§3.9) and UNSUBACK (§3.11).

use mqtt_codec::{Limits, Packet, decode};
use mqtt_types::{PropertyId, ReasonCode};

use crate::verdict::*;

const ACKS: [u8; 4] = [0x40, 0x50, 0x62, 0x70];

#[test]
fn every_ack_has_a_short_a_middle_and_a_long_form() {
    for first in ACKS {
        check(
            V5,
            Client,
            &[
                ("short", first, b"\x00\x01", Ok(())),
                ("with code", first, b"\x00\x01\x00", Ok(())),
                ("with no properties", first, b"\x00\x01\x00\x00", Ok(())),
                ("Reason String", first, b"\x00\x01\x00\x04\x1F\x00\x01r", Ok(())),
                ("user property", first, b"\x00\x01\x00\x07\x26\x00\x01k\x00\x01v", Ok(())),
                ("[MQTT-2.2.1-3]", first, b"\x00\x00", Err(Kind::PacketIdZero)),
                ("empty", first, b"", Err(Kind::Truncated)),
                ("half an id", first, b"\x01", Err(Kind::Truncated)),
                ("trailing", first, b"\x00\x01\x00\x00\x00", Err(Kind::TrailingBytes)),
                ("block beyond", first, b"\x00\x01\x00\x01", Err(Kind::Truncated)),
                ("unknown code", first, b"\x00\x01\x01", Err(Kind::ReasonCode(ReasonCode(0x01)))),
                (
                    "property of others",
                    first,
                    b"\x00\x01\x00\x05\x02\x00\x00\x00\x01",
                    Err(Kind::PropertyNotAllowed(PropertyId::MessageExpiryInterval)),
                ),
                (
                    "two Reason Strings",
                    first,
                    b"\x00\x01\x00\x06\x1F\x00\x00\x1F\x00\x00",
                    Err(Kind::PropertyTwice(PropertyId::ReasonString)),
                ),
            ],
        );
        for version in [V3_1, V3_1_1] {
            check(
                version,
                Client,
                &[
                    ("plain", first, b"\xFF\xFF", Ok(())),
                    ("[MQTT311-2.3.1-1]", first, b"\x00\x00", Err(Kind::PacketIdZero)),
                    ("no codes before 5.0", first, b"\x00\x01\x00", Err(Kind::TrailingBytes)),
                ],
            );
        }
    }
}

/// Tries all 256 codes: the legal ones are those of the list and no other.
fn only(first: u8, head: &[u8], legal: &[u8]) {
    for code in 0..=u8::MAX {
        let body = [head, &[code]].concat();
        let expected =
            if legal.contains(&code) { Ok(()) } else { Err(Kind::ReasonCode(ReasonCode(code))) };
        check(V5, Server, &[("§2.4", first, &body, expected)]);
    }
}

#[test]
fn reason_codes_are_those_of_the_packet() {
    let publish = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    let subscribe = [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2];
    only(0x40, b"\x00\x01", &publish); // [MQTT-3.4.2-1]
    only(0x50, b"\x00\x01", &publish); // [MQTT-3.5.2-1]
    only(0x62, b"\x00\x01", &[0x00, 0x92]); // [MQTT-3.6.2-1]
    only(0x70, b"\x00\x01", &[0x00, 0x92]); // [MQTT-3.7.2-1]
    only(0x90, b"\x00\x01\x00", &subscribe); // [MQTT-3.9.3-2]
    only(0xB0, b"\x00\x01\x00", &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]); // [MQTT-3.11.3-2]
}

#[test]
fn suback_and_unsuback_answer_something() {
    check(
        V5,
        Server,
        &[
            ("SUBACK", 0x90, b"\x00\x01\x00", Err(Kind::NoReasonCode)),
            ("SUBACK", 0x90, b"\x00\x00\x00\x00", Err(Kind::PacketIdZero)),
            (
                "SUBACK last is bad",
                0x90,
                b"\x00\x01\x00\x00\x01\x03",
                Err(Kind::ReasonCode(ReasonCode(3))),
            ),
            ("UNSUBACK", 0xB0, b"\x00\x01\x00", Err(Kind::NoReasonCode)),
            ("UNSUBACK without block", 0xB0, b"\x00\x01", Err(Kind::Truncated)),
        ],
    );
    for version in [V3_1, V3_1_1] {
        check(
            version,
            Server,
            &[
                ("SUBACK", 0x90, b"\x00\x01\x00\x01\x02\x80", Ok(())),
                ("[MQTT311-3.9.3-2]", 0x90, b"\x00\x01\x03", Err(Kind::ReasonCode(ReasonCode(3)))),
                (
                    "[MQTT311-3.9.3-2]",
                    0x90,
                    b"\x00\x01\x87",
                    Err(Kind::ReasonCode(ReasonCode(0x87))),
                ),
                ("SUBACK", 0x90, b"\x00\x01", Err(Kind::NoReasonCode)),
                ("UNSUBACK", 0xB0, b"\x00\x01", Ok(())),
                ("UNSUBACK §3.11", 0xB0, b"\x00\x01\x00", Err(Kind::TrailingBytes)),
            ],
        );
    }
}

#[test]
fn values_come_out() {
    let bytes = packet(0x40, b"\x01\x02\x97\x05\x1F\x00\x02no");
    let Ok(Some((Packet::PubAck(ack), _))) = decode(&bytes, V5, &Limits::default()) else {
        panic!("legal")
    };
    assert_eq!(ack.packet_id.get(), 0x0102);
    assert_eq!(ack.reason_code, ReasonCode::QUOTA_EXCEEDED);
    assert_eq!(ack.properties.reason_string(), Some("no"));
}
