//! DISCONNECT (§3.14) and AUTH (§3.15).

use mqtt_types::{PropertyId, ReasonCode};

use crate::verdict::*;

#[test]
fn disconnect_forms() {
    for from in [Client, Server] {
        check(
            V5,
            from,
            &[
                ("short", 0xE0, b"", Ok(())),
                ("code", 0xE0, b"\x81", Ok(())),
                ("no properties", 0xE0, b"\x00\x00", Ok(())),
                ("Reason String", 0xE0, b"\x00\x04\x1F\x00\x01r", Ok(())),
                ("Server Reference", 0xE0, b"\x00\x04\x1C\x00\x01s", Ok(())),
                ("trailing", 0xE0, b"\x00\x00\x00", Err(Kind::TrailingBytes)),
                ("block beyond", 0xE0, b"\x00\x05\x1F", Err(Kind::Truncated)),
                (
                    "§3.14.2.2",
                    0xE0,
                    b"\x00\x03\x21\x00\x01",
                    Err(Kind::PropertyNotAllowed(PropertyId::ReceiveMaximum)),
                ),
            ],
        );
    }
    let expiry = b"\x00\x05\x11\x00\x00\x00\x01";
    check(V5, Client, &[("expiry", 0xE0, expiry, Ok(()))]);
    let error = Err(Kind::SessionExpiryFromServer);
    check(V5, Server, &[("[MQTT-3.14.2-2]", 0xE0, expiry, error)]);
    for version in [V3_1, V3_1_1] {
        check(
            version,
            Client,
            &[
                ("plain", 0xE0, b"", Ok(())),
                ("§3.14 of 3.1.1", 0xE0, b"\x00", Err(Kind::TrailingBytes)),
            ],
        );
    }
}

#[test]
fn disconnect_codes_are_those_of_the_side() {
    let both = |code| matches!(code, 0x00 | 0x80..=0x83 | 0x8C | 0x90 | 0x93..=0x99);
    let server = |code| matches!(code, 0x87 | 0x89 | 0x8B | 0x8D..=0x8F | 0x9A..=0xA2);
    for code in 0..=u8::MAX {
        let error = Err(Kind::ReasonCode(ReasonCode(code)));
        let expected = if both(code) || code == 0x04 { Ok(()) } else { error };
        check(V5, Client, &[("[MQTT-3.14.2-1]", 0xE0, &[code], expected)]);
        let expected = if both(code) || server(code) { Ok(()) } else { error };
        check(V5, Server, &[("[MQTT-3.14.2-1]", 0xE0, &[code], expected)]);
    }
}

#[test]
fn auth_is_for_a_method() {
    let method = b"\x18\x04\x15\x00\x01m";
    for from in [Client, Server] {
        check(
            V5,
            from,
            &[
                ("continue", 0xF0, method, Ok(())),
                ("with data", 0xF0, b"\x18\x08\x15\x00\x01m\x16\x00\x01d", Ok(())),
                ("§3.15.2.2.2", 0xF0, b"\x18\x00", Err(Kind::AuthenticationMethodMissing)),
                ("§3.15.2.2.2", 0xF0, b"\x18", Err(Kind::AuthenticationMethodMissing)),
                (
                    "data alone",
                    0xF0,
                    b"\x18\x04\x16\x00\x01d",
                    Err(Kind::AuthenticationMethodMissing),
                ),
                ("trailing", 0xF0, b"\x18\x04\x15\x00\x01m\x00", Err(Kind::TrailingBytes)),
            ],
        );
    }
    let refused = |code| Err(Kind::ReasonCode(ReasonCode(code)));
    check(
        V5,
        Client,
        &[
            ("[MQTT-3.15.2-1] re-authenticate", 0xF0, b"\x19\x04\x15\x00\x01m", Ok(())),
            ("[MQTT-3.15.2-1] success is the server's", 0xF0, b"\x00\x04\x15\x00\x01m", refused(0)),
            ("[MQTT-3.15.2-1]", 0xF0, b"", refused(0)),
            ("[MQTT-3.15.2-1]", 0xF0, b"\x80\x04\x15\x00\x01m", refused(0x80)),
        ],
    );
    check(
        V5,
        Server,
        &[
            ("success", 0xF0, b"\x00\x04\x15\x00\x01m", Ok(())),
            ("§3.15.2.1 short success", 0xF0, b"", Ok(())),
            ("[MQTT-3.15.2-1]", 0xF0, b"\x19\x04\x15\x00\x01m", refused(0x19)),
        ],
    );
}
