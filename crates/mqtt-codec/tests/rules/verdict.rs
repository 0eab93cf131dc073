//! Gives a packet to the decoder and returns what it says.

pub use mqtt_codec::DecodeErrorKind as Kind;
pub use mqtt_codec::Peer::{Client, Server};
use mqtt_codec::{FrameStatus, Limits, Peer, decode, frame};
use mqtt_types::ProtocolVersion;
pub use mqtt_types::ProtocolVersion::{V3_1, V3_1_1, V5};

/// A row: the clause, the first byte, the body and the verdict.
pub type Row<'a> = (&'a str, u8, &'a [u8], Result<(), Kind>);

/// A packet of that first byte and body, of less than 16 KiB.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match body.len() {
        len @ 0..128 => bytes.push(len as u8),
        len => bytes.extend([len as u8 | 0x80, (len >> 7) as u8]),
    }
    bytes.extend_from_slice(body);
    bytes
}

/// Every row must get its verdict, and what is legal must come out whole, however it arrives.
pub fn check(version: ProtocolVersion, from: Peer, rows: &[Row<'_>]) {
    let limits = Limits::default().from(from);
    for &(clause, first, body, expected) in rows {
        let bytes = packet(first, body);
        let verdict = decode(&bytes, version, &limits);
        match verdict {
            Ok(Some((_, len))) => {
                assert_eq!(Ok(()), expected, "{clause}: {bytes:02X?} was taken");
                assert_eq!(len, bytes.len(), "{clause}");
                arrives_in_pieces(&bytes, version, &limits);
            }
            Ok(None) => panic!("{clause}: {bytes:02X?} is whole, yet it is to go on"),
            Err(error) => {
                assert_eq!(Err(error.kind), expected, "{clause}: {bytes:02X?}");
                assert!(error.reason_code().is_error(), "{clause}");
                assert!(!error.to_string().is_empty(), "{clause}");
            }
        }
    }
}

fn arrives_in_pieces(bytes: &[u8], version: ProtocolVersion, limits: &Limits) {
    for end in 0..bytes.len() {
        let prefix = &bytes[..end];
        assert_eq!(decode(prefix, version, limits), Ok(None), "{prefix:02X?}");
        let Ok(FrameStatus::Incomplete { needed }) = frame(prefix, limits) else {
            panic!("{prefix:02X?} is no whole frame")
        };
        assert!(needed > 0 && end + needed <= bytes.len(), "{prefix:02X?} needs {needed}");
    }
    let mut more = bytes.to_vec();
    more.extend_from_slice(&[0xFF; 9]);
    let consumed = decode(&more, version, limits).map(|decoded| decoded.map(|(_, len)| len));
    assert_eq!(consumed, Ok(Some(bytes.len())), "what follows is not looked at");
    assert_eq!(frame(&more, limits), Ok(FrameStatus::Complete { len: bytes.len() }));
}
