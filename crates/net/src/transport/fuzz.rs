//! What comes before MQTT, under bytes that are nearly right: WebSocket frames and requests, PROXY headers. However the
//! bytes are cut, they come to the same.

use std::path::Path;

use stdx::testing::{Dice, corpus, runs};

use super::frame::{Decoder, Opcode, Stop};
use super::proxy_header::{Progress, parse};
use super::upgrade::{Upgrade, answer};

const FRAME_BYTES_MAX: u64 = 100_000;
const HEADER_BYTES_MAX: usize = 600;

/// What is kept under that name, as single inputs.
fn kept(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    corpus(&folder).into_iter().map(|(_, pieces)| pieces.concat()).collect()
}

/// One of the inputs that are kept, now and then, with something done to it; else a new one.
fn input(kept: &[Vec<u8>], dice: &mut Dice, make: impl FnOnce(&mut Dice) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = if dice.one_in(8) { dice.one_of(kept).clone() } else { make(dice) };
    if dice.one_in(2) {
        dice.mutate(&mut bytes);
    }
    bytes
}

fn frame(opcode: Opcode, is_final: bool, payload: &[u8], dice: &mut Dice) -> Vec<u8> {
    let code = match opcode {
        Opcode::Continuation => 0,
        Opcode::Binary => 2,
        Opcode::Close => 8,
        Opcode::Ping => 9,
        Opcode::Pong => 10,
    };
    let mut bytes = vec![if is_final { 0x80 | code } else { code }];
    match payload.len() {
        // A longer form of a length than needed is borne.
        len if len > 0xFFFF || dice.one_in(20) => {
            bytes.push(0xFF);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
        len if len > 125 || dice.one_in(20) => {
            bytes.push(0xFE);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => bytes.push(0x80 | len as u8),
    }
    let mask: Vec<u8> = (0..4).map(|_| dice.below(256) as u8).collect();
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Legal frames, and the payload of their messages.
fn frames(dice: &mut Dice) -> (Vec<u8>, Vec<u8>) {
    let (mut bytes, mut payload) = (Vec::new(), Vec::new());
    let mut in_message = false;
    for _ in 0..=dice.below(8) {
        if dice.one_in(3) {
            let opcode = *dice.one_of(&[Opcode::Ping, Opcode::Pong]);
            let control = dice.bytes(125);
            bytes.extend(frame(opcode, true, &control, dice));
            continue;
        }
        let len = *dice.one_of(&[0, 1, 20, 125, 126, 1_000, 70_000]);
        let data = dice.bytes(len);
        let opcode = if in_message { Opcode::Continuation } else { Opcode::Binary };
        in_message = dice.one_in(3);
        bytes.extend(frame(opcode, !in_message, &data, dice));
        payload.extend(data);
    }
    if dice.one_in(4) {
        let code = (*dice.one_of(&[1000_u16, 1001, 1005, 4000])).to_be_bytes();
        bytes.extend(frame(Opcode::Close, true, &code, dice));
    }
    (bytes, payload)
}

/// What the decoder makes of pieces: the payload, and the stop if there is one.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<Stop>) {
    let mut decoder = Decoder::new(FRAME_BYTES_MAX);
    let mut payload = Vec::new();
    for piece in pieces {
        let mut data = piece.to_vec();
        let (kept, outcome) = decoder.decode(&mut data);
        assert!(kept <= piece.len(), "no more comes out than goes in");
        payload.extend_from_slice(&data[..kept]);
        if let Some(ping) = decoder.take_ping() {
            assert!(ping.len() <= 125, "a control frame is short");
        }
        if let Err(stop) = outcome {
            return (payload, Some(stop));
        }
    }
    (payload, None)
}

/// [MQTT-6.0.0-2]
#[test]
fn frames_come_to_the_same_however_they_are_cut() {
    let kept = kept("frames");
    runs(300, |_, dice| {
        let (legal, payload) = frames(dice);
        let (found, _) = decode([&legal[..]]);
        assert!(found == payload, "what was sent comes out");
        let bytes = input(&kept, dice, |_| legal);
        let whole = decode([&bytes[..]]);
        for _ in 0..3 {
            assert!(decode(dice.cut(&bytes)) == whole, "{bytes:02x?}");
        }
    });
}

fn request(dice: &mut Dice) -> Vec<u8> {
    let mut headers = vec![
        ("Upgrade", "websocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", *dice.one_of(&["mqtt", "mqttv3.1", "x, mqtt", "amqp"])),
        ("Sec-WebSocket-Version", *dice.one_of(&["13", "13", "13", "8"])),
        ("Host", "localhost"),
        ("Origin", "null"),
    ];
    for _ in 0..dice.below(4) {
        let (from, to) = (dice.below(headers.len()), dice.below(headers.len()));
        headers.swap(from, to);
    }
    if dice.one_in(5) {
        headers.remove(dice.below(headers.len()));
    }
    if dice.one_in(30) {
        headers = headers.into_iter().cycle().take(100).collect();
    }
    let line = *dice.one_of(&["GET /mqtt HTTP/1.1", "GET /mqtt?a=b HTTP/1.1", "PUT / HTTP/1.0"]);
    let end = *dice.one_of(&["\r\n", "\r\n", "\r\n", "\n"]);
    let headers = headers.iter().map(|(name, value)| format!("{name}: {value}{end}"));
    let mut bytes = format!("{line}{end}{}{end}", headers.collect::<String>()).into_bytes();
    if dice.one_in(3) {
        bytes.extend(dice.bytes(20));
    }
    bytes
}

/// The first answer that comes while the request grows by those pieces, and after how many bytes.
fn first_answer(bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> Option<Upgrade> {
    let answers = ends.into_iter().map(|end| answer(&bytes[..end], "/mqtt"));
    answers.into_iter().find(|answer| *answer != Upgrade::Partial)
}

#[test]
fn requests_come_to_the_same_however_they_are_cut() {
    let kept = kept("requests");
    runs(300, |_, dice| {
        let bytes = input(&kept, dice, request);
        let whole = first_answer(&bytes, [bytes.len()]);
        let mut end = 0;
        let ends: Vec<usize> = dice
            .cut(&bytes)
            .iter()
            .map(|piece| {
                end += piece.len();
                end
            })
            .collect();
        assert!(first_answer(&bytes, ends) == whole, "{}", String::from_utf8_lossy(&bytes));
        match whole {
            Some(Upgrade::Accepted { consumed, .. }) => assert!(consumed <= bytes.len()),
            Some(Upgrade::Refused { answer, .. }) => assert!(answer.starts_with(b"HTTP/1.1 4")),
            Some(Upgrade::Partial) | None => {}
        }
    });
}

fn header_v1(dice: &mut Dice) -> Vec<u8> {
    let addresses = ["203.0.113.9", "2001:db8::9", "0.0.0.0", "::ffff:1.2.3.4", "1.2.3", ""];
    let ports = ["1", "65535", "65536", "0", "+1", "01883"];
    let mut words = vec![
        *dice.one_of(&["TCP4", "TCP6", "TCP4", "UNKNOWN", "UDP4"]),
        *dice.one_of(&addresses),
        *dice.one_of(&addresses),
        *dice.one_of(&ports),
        *dice.one_of(&ports),
    ];
    if dice.one_in(6) {
        words.truncate(dice.below(5));
    }
    format!("PROXY {}\r\n", words.join(" ")).into_bytes()
}

fn header_v2(dice: &mut Dice) -> Vec<u8> {
    let family = *dice.one_of(&[0x11_u8, 0x21, 0x11, 0x31, 0x12, 0x00]);
    let len = *dice.one_of(&[12, 36, 11, 35, 0, 216, 40, 700]);
    let body: Vec<u8> = (0..len).map(|_| dice.below(256) as u8).collect();
    let command = *dice.one_of(&[0x21, 0x21, 0x20, 0x22, 0x11]);
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family]);
    bytes.extend_from_slice(&(len as u16).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// Reads as a socket does that has at most so many bytes at a time: the outcome, and how much was read.
fn read_header(bytes: &[u8], mut most: impl FnMut() -> usize) -> (Progress, usize) {
    let mut end = 0;
    loop {
        match parse(&bytes[..end], HEADER_BYTES_MAX) {
            Progress::Wants(count) => {
                assert!(count > 0 && end + count <= HEADER_BYTES_MAX, "it stays within the limit");
                if end == bytes.len() {
                    return (Progress::Wants(0), end);
                }
                end += count.min(most()).min(bytes.len() - end);
            }
            over => return (over, end),
        }
    }
}

#[test]
fn proxy_headers_come_to_the_same_however_they_are_cut() {
    let kept = kept("proxy");
    runs(2_000, |_, dice| {
        let make = |dice: &mut Dice| if dice.one_in(2) { header_v1(dice) } else { header_v2(dice) };
        let header = input(&kept, dice, make);
        let bytes = [&header[..], b"\x10\x0c\0\x04MQTT"].concat();
        let whole = read_header(&bytes, || usize::MAX);
        let mut cutter = dice.clone();
        let cut = read_header(&bytes, || 1 + cutter.below(7));
        match whole.0 {
            // What is no header may be known sooner from less.
            Progress::Bad(_) => assert!(matches!(cut.0, Progress::Bad(_)), "{bytes:02x?}"),
            _ => assert_eq!(cut, whole, "{bytes:02x?}"),
        }
    });
}
