use proptest::prelude::*;

use super::*;

const MAX: usize = 4096;

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).expect("short").to_be_bytes();
    [V2_BEGIN, &[0x20 | command, family], &len, body].concat()
}

fn tcp4() -> Vec<u8> {
    v2(1, 0x11, &[203, 0, 113, 9, 192, 0, 2, 1, 0xDC, 0x04, 0x07, 0x5B])
}

/// Reads as a socket would, with what follows behind it; gives the outcome and how much was read.
fn read(bytes: &[u8], most: usize) -> (Progress, usize) {
    let mut end = 0;
    loop {
        match parse(&bytes[..end], MAX) {
            Progress::Wants(count) => {
                assert!(count > 0, "it asks for something");
                let there = bytes.len() - end;
                if there == 0 {
                    return (Progress::Wants(count), end);
                }
                end += count.min(most).min(there);
            }
            other => return (other, end),
        }
    }
}

#[test]
fn headers_are_read_and_nothing_behind_them() {
    let ip6 = "2001:db8::9".parse::<Ipv6Addr>().expect("an address");
    let body6 = [&ip6.octets()[..], &[0; 16], &[0xDC, 0x04, 0x07, 0x5B]].concat();
    let extended = [&tcp4()[16..], &[0x04, 0, 3, 1, 2, 3]].concat();
    let cases: [(Vec<u8>, Option<&str>); 10] = [
        (b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 1883\r\n".to_vec(), Some("203.0.113.9:56324")),
        (b"PROXY TCP6 2001:db8::9 ::1 56324 1883\r\n".to_vec(), Some("[2001:db8::9]:56324")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
        (tcp4(), Some("203.0.113.9:56324")),
        (v2(1, 0x11, &extended), Some("203.0.113.9:56324")),
        (v2(1, 0x21, &body6), Some("[2001:db8::9]:56324")),
        (v2(0, 0x11, &[0; 12]), None),
        (v2(0, 0, &[]), None),
        (v2(1, 0x31, &[0; 216]), None),
    ];
    for (header, source) in cases {
        let source = source.map(|text| text.parse().expect("an address"));
        for most in [1, 2, 5, 12, MAX] {
            let all = [&header[..], b"\x10\x0eMQTT"].concat();
            assert_eq!(read(&all, most), (Progress::Whole(source), header.len()), "{header:?}");
        }
    }
}

#[test]
fn what_is_no_header_is_refused() {
    let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200], b"\r\n"].concat();
    let cases: [&[u8]; 16] = [
        b"\x10\x0e\0\x04MQTT\x04\x02\0\0\0\x02id",
        b"GET /mqtt HTTP/1.1\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 56324\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 1883 \r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 +5632 1883\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 99999 1883\r\n",
        b"PROXY TCP4 2001:db8::9 192.0.2.1 56324 1883\r\n",
        b"PROXY TCP6 203.0.113.9 192.0.2.1 56324 1883\r\n",
        b"PROXY TCP4  203.0.113.9 192.0.2.1 56324 1883\r\n",
        b"PROXY UDP4 203.0.113.9 192.0.2.1 56324 1883\r\n",
        b"PROXY TCP4 \xFF\xFE 192.0.2.1 56324 1883\r\n",
        &long,
        &v2(2, 0x11, &[0; 12]),
        &v2(1, 0x12, &[0; 12]),
        &v2(1, 0x11, &[0; 11]),
        &v2(1, 0x21, &[0; 35]),
    ];
    for bytes in cases {
        let (progress, _) = read(bytes, MAX);
        assert!(matches!(progress, Progress::Bad(_)), "{progress:?} {bytes:?}");
    }
    let mut version = tcp4();
    version[12] = 0x31;
    assert!(matches!(read(&version, MAX).0, Progress::Bad(_)));
    let long = v2(1, 0x11, &[0; MAX]);
    // The limit holds before the bytes are there.
    assert!(matches!(parse(&long[..16], MAX), Progress::Bad(_)));
}

#[test]
fn a_beginning_is_known() {
    for (bytes, is_one) in [
        (&b""[..], false),
        (b"P", true),
        (b"PROXY TCP4", true),
        (b"POST", false),
        (b"\r\n\r\n\0\r\nQUIT\n\x21", true),
        (b"\r\n\r\n\0\r\nQUOT", false),
        (b"\x10", false),
        (b"\x16\x03", false),
    ] {
        assert_eq!(looks_like_one(bytes), is_one, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_come_to_an_end(
        begin in prop_oneof![Just(V1_BEGIN), Just(V2_BEGIN), Just(&b""[..])],
        rest in proptest::collection::vec(any::<u8>(), 0..400),
        most in 1_usize..20,
    ) {
        let bytes = [begin, &rest[..]].concat();
        let (_, read) = read(&bytes, most);
        prop_assert!(read <= MAX);
    }
}
