use proptest::prelude::*;

use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn request(line: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("{line}\r\nHost: localhost\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

const GOOD: [(&str, &str); 5] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Protocol", "mqtt"),
    ("Sec-WebSocket-Version", "13"),
];

/// The good headers, with one changed; `None` leaves it out.
fn with<'a>(name: &str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut headers = Vec::new();
    for (known, good) in GOOD {
        match value {
            Some(value) if known == name => headers.push((known, value)),
            None if known == name => {}
            _ => headers.push((known, good)),
        }
    }
    headers
}

#[test]
fn the_example_of_the_specification() {
    // RFC 6455 section 1.3.
    assert_eq!(accept(KEY.as_bytes()), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

/// `[MQTT-6.0.0-4]`, `[MQTT311-6.0.0-4]`
#[test]
fn a_good_request_is_accepted() {
    let lines = ["GET /mqtt HTTP/1.1", "GET /mqtt?token=1 HTTP/1.1"];
    for line in lines {
        let mut bytes = request(line, &GOOD);
        let len = bytes.len();
        bytes.extend_from_slice(b"early frames");
        let Upgrade::Accepted { answer, consumed } = answer(&bytes, "/mqtt") else {
            panic!("{line} is refused")
        };
        assert_eq!(consumed, len);
        let answer = String::from_utf8(answer).expect("text");
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(answer.ends_with("Sec-WebSocket-Protocol: mqtt\r\n\r\n"), "{answer}");
    }
}

#[test]
fn lists_and_letters_of_any_case_are_understood() {
    for (name, value, protocol) in [
        ("Connection", "keep-alive, upgrade", "mqtt"),
        ("Upgrade", "WebSocket", "mqtt"),
        ("Sec-WebSocket-Protocol", "mqttv3.1, mqtt", "mqtt"),
        ("Sec-WebSocket-Protocol", "mqttv3.1", "mqttv3.1"),
    ] {
        let bytes = request("GET /mqtt HTTP/1.1", &with(name, Some(value)));
        let Upgrade::Accepted { answer, .. } = answer(&bytes, "/mqtt") else {
            panic!("{name}: {value} is refused")
        };
        let end = format!("Sec-WebSocket-Protocol: {protocol}\r\n\r\n");
        assert!(String::from_utf8(answer).expect("text").ends_with(&end));
    }
}

/// `[MQTT-6.0.0-3]`, `[MQTT311-6.0.0-3]`
#[test]
fn what_is_wrong_is_answered() {
    let get = "GET /mqtt HTTP/1.1";
    let cases = [
        (request("GET / HTTP/1.1", &GOOD), "404"),
        (request("GET /mqtt/ HTTP/1.1", &GOOD), "404"),
        (request("POST /mqtt HTTP/1.1", &GOOD), "405"),
        (request("GET /mqtt HTTP/1.0", &GOOD), "405"),
        (request(get, &with("Upgrade", None)), "426"),
        (request(get, &with("Connection", Some("close"))), "426"),
        (request(get, &with("Sec-WebSocket-Version", Some("8"))), "426"),
        (request(get, &with("Sec-WebSocket-Key", None)), "400"),
        (request(get, &with("Sec-WebSocket-Key", Some("c2hvcnQ="))), "400"),
        (request(get, &with("Sec-WebSocket-Protocol", None)), "400"),
        (request(get, &with("Sec-WebSocket-Protocol", Some("mqtts, chat"))), "400"),
        (request(get, &[("X", "y"); HEADERS_MAX]), "431"),
        (b"\x10\x0d\x00\x04MQTT\x05\x02\r\n\r\n".to_vec(), "400"),
    ];
    for (bytes, status) in cases {
        match answer(&bytes, "/mqtt") {
            Upgrade::Refused { answer, .. } => {
                let text = String::from_utf8(answer).expect("text");
                assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {text}");
            }
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[test]
fn each_part_of_a_request_waits_for_the_rest() {
    let bytes = request("GET /mqtt HTTP/1.1", &GOOD);
    for len in 0..bytes.len() {
        assert_eq!(answer(&bytes[..len], "/mqtt"), Upgrade::Partial, "{len} bytes");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = answer(&bytes, "/mqtt");
    }
}
