use proptest::prelude::*;

use super::*;

/// A client's frame, with its mask.
fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Gives `input` in pieces of `size`; returns the payload, the pings and the stop.
fn decode(input: &[u8], size: usize) -> (Vec<u8>, Vec<Vec<u8>>, Result<(), Stop>) {
    let mut decoder = Decoder::new(1 << 20);
    let (mut payload, mut pings) = (Vec::new(), Vec::new());
    for piece in input.chunks(size) {
        let mut piece = piece.to_vec();
        let (kept, outcome) = decoder.decode(&mut piece);
        payload.extend_from_slice(&piece[..kept]);
        pings.extend(decoder.take_ping());
        if outcome.is_err() {
            return (payload, pings, outcome);
        }
    }
    (payload, pings, Ok(()))
}

/// `[MQTT-6.0.0-2]`
#[test]
fn payloads_come_out_whatever_the_pieces() {
    let short: Vec<u8> = (0..100).collect();
    let middle: Vec<u8> = (0..5_000_u32).map(|n| n as u8).collect();
    let long: Vec<u8> = (0..70_000_u32).map(|n| (n >> 3) as u8).collect();
    let mut input = Vec::new();
    input.extend(client(0x82, &short));
    input.extend(client(0x82, &[]));
    // A message in three fragments with a Ping and a Pong between them.
    input.extend(client(0x02, &middle));
    input.extend(client(0x89, b"are you there"));
    input.extend(client(0x00, &long));
    input.extend(client(0x8A, b"unasked"));
    input.extend(client(0x80, &short));
    let expected = [&short[..], &middle, &long, &short].concat();
    for size in [1, 2, 3, 7, 13, 14, 1024, 65_536, input.len()] {
        let (payload, pings, outcome) = decode(&input, size);
        assert_eq!(outcome, Ok(()), "pieces of {size}");
        assert!(payload == expected, "pieces of {size}");
        assert_eq!(pings, [b"are you there".to_vec()], "pieces of {size}");
    }
}

#[test]
fn only_the_last_ping_of_a_piece_is_answered() {
    let input = [client(0x89, b"one"), client(0x89, b"two")].concat();
    assert_eq!(decode(&input, input.len()).1, [b"two".to_vec()]);
}

#[test]
fn what_came_before_a_close_is_kept() {
    let input = [client(0x82, &[0xE0, 0]), client(0x88, &[0x03, 0xE8])].concat();
    let (payload, _, outcome) = decode(&input, input.len());
    assert_eq!((payload, outcome), (vec![0xE0, 0], Err(Stop::Closed(CloseCode::NORMAL))));
}

/// `[MQTT-6.0.0-1]`
#[test]
fn broken_rules_have_their_code() {
    use CloseCode as Code;
    let unmasked = vec![0x82, 0x01, 0x00];
    let too_big = vec![0x82, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 1, 1, 2, 3, 4];
    let two_messages = [client(0x02, b"a"), client(0x82, b"b")].concat();
    let cases = [
        ("unmasked", unmasked, Code::PROTOCOL_ERROR),
        ("text", client(0x81, b"hello"), Code::UNSUPPORTED_DATA),
        ("reserved bit", client(0xC2, b""), Code::PROTOCOL_ERROR),
        ("reserved opcode", client(0x83, b""), Code::PROTOCOL_ERROR),
        ("reserved control opcode", client(0x8B, b""), Code::PROTOCOL_ERROR),
        ("continuation of nothing", client(0x80, b""), Code::PROTOCOL_ERROR),
        ("message within a message", two_messages, Code::PROTOCOL_ERROR),
        ("ping in fragments", client(0x09, b""), Code::PROTOCOL_ERROR),
        ("long ping", client(0x89, &[0; 126]), Code::PROTOCOL_ERROR),
        ("beyond the limit", too_big, Code::TOO_BIG),
        ("close code of a byte", client(0x88, &[3]), Code::PROTOCOL_ERROR),
        ("close code 1005", client(0x88, &[0x03, 0xED]), Code::PROTOCOL_ERROR),
        ("close reason", client(0x88, &[0x03, 0xE8, 0xFF]), Code::INVALID_TEXT),
    ];
    for (name, input, code) in cases {
        for size in [1, input.len()] {
            match decode(&input, size).2 {
                Err(Stop::Violation(found, _)) => assert_eq!(found, code, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

#[test]
fn closes_are_told_with_their_code() {
    for (payload, code) in [(&[][..], 1000), (&[0x03, 0xE9], 1001), (b"\x0F\xA0bye", 4000)] {
        let input = client(0x88, payload);
        assert_eq!(decode(&input, 1).2, Err(Stop::Closed(CloseCode(code))));
    }
}

#[test]
fn frames_to_send_have_the_shortest_length() {
    for (len, header) in [
        (0, vec![0x82, 0]),
        (125, vec![0x82, 125]),
        (126, vec![0x82, 126, 0, 126]),
        (65_535, vec![0x82, 126, 0xFF, 0xFF]),
        (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let payload = vec![7; len];
        let mut out = Vec::new();
        encode(Opcode::Binary, &payload, &mut out);
        assert_eq!(&out[..header.len()], header);
        assert_eq!(out[header.len()..], payload);
    }
    let mut out = Vec::new();
    encode_close(CloseCode::TOO_BIG, &mut out);
    assert_eq!(out, [0x88, 2, 0x03, 0xF1]);
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_come_to_the_same(
        input in proptest::collection::vec(any::<u8>(), 0..400),
        first in prop_oneof![Just(0x82_u8), Just(0x02), Just(0x89), Just(0x88), any::<u8>()],
        size in 1_usize..50,
    ) {
        let mut bytes = client(first, &input[..input.len() / 2]);
        bytes.extend_from_slice(&input);
        let (whole, _, outcome) = decode(&bytes, bytes.len());
        let (pieces, _, again) = decode(&bytes, size);
        prop_assert_eq!(whole, pieces);
        prop_assert_eq!(outcome, again);
    }
}
