//! A record as it lies in a segment. It must not know files.

use log_api::{FRAME_HEADER_BYTES, Position, frame_bytes};

/// The fields of a frame's header.
///
/// ```text
///   0        4        8      9       10           12            16             20        28
///   | body   | crc32c | kind | flags | partition  | references  | batch start  | index   | body … | zeros |
///   | bytes  |        | u8   | u8    | u16        | u32         | u32          | u64     |        | to 8  |
///                     └───────────────────── covered by the checksum ──────────────────────────────────┘
/// ```
/// Version 1. Little-endian. The checksum begins with what is not stored here: the segment's salt, its number, the frame's
/// offset, and the body's length; so a frame that lies where it was not written, or is left from another file, is not whole.
/// `batch start` is where the first write began that was not synced yet when this frame was written: a whole frame proves that
/// all before its batch start had been synced. `index` counts all records of the log, so that none can vanish unseen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameHeader {
    pub(crate) body_bytes: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) partition: u16,
    pub(crate) references: u32,
    pub(crate) batch_start: u32,
    pub(crate) index: u64,
}

/// Why there is no whole frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FrameFault {
    /// All zeros: nothing was written here.
    Nothing,
    /// The length reaches beyond the end.
    TooLong,
    /// The checksum differs.
    Checksum,
}

impl FrameFault {
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Nothing => "zeros where a record was expected",
            Self::TooLong => "a record longer than the file",
            Self::Checksum => "the checksum of a record does not match",
        }
    }
}

impl FrameHeader {
    /// Fills in the header of a frame that lies whole in `frame`, its body and zeros in place.
    pub(crate) fn seal(&self, salt: u32, at: Position, frame: &mut [u8]) {
        frame[0..4].copy_from_slice(&self.body_bytes.to_le_bytes());
        frame[8] = self.kind;
        frame[9] = self.flags;
        frame[10..12].copy_from_slice(&self.partition.to_le_bytes());
        frame[12..16].copy_from_slice(&self.references.to_le_bytes());
        frame[16..20].copy_from_slice(&self.batch_start.to_le_bytes());
        frame[20..28].copy_from_slice(&self.index.to_le_bytes());
        let checksum = checksum(salt, at, self.body_bytes, &frame[8..]);
        frame[4..8].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads the fields without checking them.
    pub(crate) fn parse(header: &[u8; FRAME_HEADER_BYTES]) -> Result<Self, FrameFault> {
        if *header == [0; FRAME_HEADER_BYTES] {
            return Err(FrameFault::Nothing);
        }
        let [
            b0,
            b1,
            b2,
            b3,
            _,
            _,
            _,
            _,
            kind,
            flags,
            p0,
            p1,
            r0,
            r1,
            r2,
            r3,
            s0,
            s1,
            s2,
            s3,
            index @ ..,
        ] = *header;
        Ok(Self {
            body_bytes: u32::from_le_bytes([b0, b1, b2, b3]),
            kind,
            flags,
            partition: u16::from_le_bytes([p0, p1]),
            references: u32::from_le_bytes([r0, r1, r2, r3]),
            batch_start: u32::from_le_bytes([s0, s1, s2, s3]),
            index: u64::from_le_bytes(index),
        })
    }

    /// Bytes of the whole frame.
    pub(crate) const fn frame_bytes(&self) -> u64 {
        frame_bytes(self.body_bytes as usize) as u64
    }

    /// Checks the frame at the beginning of `bytes`, which must hold all that can belong to it.
    pub(crate) fn check(salt: u32, at: Position, bytes: &[u8]) -> Result<Self, FrameFault> {
        let header = bytes.first_chunk().ok_or(FrameFault::TooLong)?;
        let fields = Self::parse(header)?;
        let rest = bytes.get(8..fields.frame_bytes() as usize).ok_or(FrameFault::TooLong)?;
        let stored = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        if checksum(salt, at, fields.body_bytes, rest) != stored {
            return Err(FrameFault::Checksum);
        }
        Ok(fields)
    }
}

fn checksum(salt: u32, at: Position, body_bytes: u32, rest: &[u8]) -> u32 {
    let mut place = [0; 16];
    place[0..4].copy_from_slice(&salt.to_le_bytes());
    place[4..8].copy_from_slice(&at.segment().to_le_bytes());
    place[8..12].copy_from_slice(&at.offset().to_le_bytes());
    place[12..16].copy_from_slice(&body_bytes.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&place), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Position = Position::new(7, 4096);

    fn frame(body: &[u8]) -> (FrameHeader, Vec<u8>) {
        let header = FrameHeader {
            body_bytes: body.len() as u32,
            kind: 2,
            flags: 0,
            partition: 513,
            references: 3,
            batch_start: 64,
            index: 0x0102_0304_0506_0708,
        };
        let mut bytes = vec![0; header.frame_bytes() as usize];
        bytes[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + body.len()].copy_from_slice(body);
        header.seal(99, AT, &mut bytes);
        (header, bytes)
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        for body in [&b""[..], b"x", b"0123", b"01234", &[0; 1000]] {
            let (header, mut bytes) = frame(body);
            bytes.extend_from_slice(b"what follows");
            assert_eq!(FrameHeader::check(99, AT, &bytes), Ok(header));
        }
    }

    #[test]
    fn the_layout_is_fixed() {
        let (_, bytes) = frame(b"abc");
        let expected = "03000000:checksum:02:00:0102:03000000:40000000:0807060504030201:616263:00";
        let hex = |range: std::ops::Range<usize>| {
            bytes[range].iter().map(|b| format!("{b:02x}")).collect::<String>()
        };
        let fields = [
            hex(0..4),
            "checksum".to_owned(),
            hex(8..9),
            hex(9..10),
            hex(10..12),
            hex(12..16),
            hex(16..20),
        ];
        let written = [&fields[..], &[hex(20..28), hex(28..31), hex(31..32)]].concat().join(":");
        assert_eq!(written, expected);
        assert_eq!(bytes[4..8], 0x5269_6808_u32.to_le_bytes());
    }

    #[test]
    fn any_flipped_bit_and_any_other_place_is_noticed() {
        let (_, bytes) = frame(b"a body of some length");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(FrameHeader::check(99, AT, &flipped).is_err(), "bit {bit}");
        }
        for (salt, at) in [(98, AT), (99, Position::new(8, 4096)), (99, Position::new(7, 4104))] {
            assert_eq!(FrameHeader::check(salt, at, &bytes), Err(FrameFault::Checksum));
        }
        for end in 0..bytes.len() {
            assert!(FrameHeader::check(99, AT, &bytes[..end]).is_err());
        }
        assert_eq!(FrameHeader::check(99, AT, &[0; 64]), Err(FrameFault::Nothing));
    }
}
