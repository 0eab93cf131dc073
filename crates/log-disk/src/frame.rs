//! A record as it lies in a segment. It must not know files.

use std::ops::Range;

use log_api::{FRAME_HEADER_BYTES, HEAD_MARK_BYTES, Position, RecordKind, frame_bytes};

/// The flag of a frame whose body is in two.
const IN_TWO: u8 = 0b1;

/// The flag of a frame that stands where records were lost.
const LOST: u8 = 0b10;

/// All flags that are known.
pub(crate) const FLAGS: u8 = IN_TWO | LOST;

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
///
/// A body in two (flag 0) can be read without its rest, which may be long, and is checked all the same:
/// ```text
///   28        32       36
///   | head    | crc32c | head … | rest … | zeros |
///   | bytes   | of it  |        |        | to 8  |
/// ```
/// `body bytes` counts these 8 bytes too. The head's checksum begins like the frame's, and covers the header's fields from
/// `kind` on, `head bytes` and the head.
///
/// A frame that stands where records were lost (flag 1) was written by a repair in their place. Its body begins with how many
/// they were, u32, and is zero otherwise; its index is that of the first, and its kind says nothing. It is nobody's to read.
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

/// Where a body in two begins.
const BODY_IN_TWO: usize = FRAME_HEADER_BYTES + HEAD_MARK_BYTES;

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
    /// The header of a frame whose body has so many bytes, the mark of its head not counted. `head_bytes` is 0 for a body
    /// in one piece.
    pub(crate) const fn set_body(self, body_bytes: u32, head_bytes: u32) -> Self {
        match head_bytes {
            0 => Self { body_bytes, flags: 0, ..self },
            _ => Self { body_bytes: body_bytes + HEAD_MARK_BYTES as u32, flags: IN_TWO, ..self },
        }
    }

    /// Fills in the mark of the head of a frame that lies whole in `frame`. Sealing comes after it.
    pub(crate) fn mark_head(&self, salt: u32, at: Position, head_bytes: u32, frame: &mut [u8]) {
        let head = &frame[BODY_IN_TWO..BODY_IN_TWO + head_bytes as usize];
        let checksum = self.head_checksum(salt, at, head);
        frame[28..32].copy_from_slice(&head_bytes.to_le_bytes());
        frame[32..36].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Fills in the header of a frame that lies whole in `frame`, its body and zeros in place.
    pub(crate) fn seal(&self, salt: u32, at: Position, frame: &mut [u8]) {
        frame[0..4].copy_from_slice(&self.body_bytes.to_le_bytes());
        frame[8..28].copy_from_slice(&self.fields());
        let checksum = checksum(salt, at, self.body_bytes, &frame[8..]);
        frame[4..8].copy_from_slice(&checksum.to_le_bytes());
    }

    /// The fields from `kind` on.
    fn fields(&self) -> [u8; 20] {
        let mut fields = [0; 20];
        fields[0] = self.kind;
        fields[1] = self.flags;
        fields[2..4].copy_from_slice(&self.partition.to_le_bytes());
        fields[4..8].copy_from_slice(&self.references.to_le_bytes());
        fields[8..12].copy_from_slice(&self.batch_start.to_le_bytes());
        fields[12..20].copy_from_slice(&self.index.to_le_bytes());
        fields
    }

    fn head_checksum(&self, salt: u32, at: Position, head: &[u8]) -> u32 {
        let start = checksum(salt, at, self.body_bytes, &self.fields());
        let start = crc32c::crc32c_append(start, &(head.len() as u32).to_le_bytes());
        crc32c::crc32c_append(start, head)
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

    /// What stands in the place of so many lost records, from that index on, as a frame of that length.
    pub(crate) fn of_lost(
        index: u64,
        records: u32,
        batch_start: u32,
        frame_bytes: u32,
    ) -> (Self, Vec<u8>) {
        let header = Self {
            body_bytes: frame_bytes - FRAME_HEADER_BYTES as u32,
            kind: RecordKind::Attempt.number(),
            flags: LOST,
            partition: 0,
            references: 0,
            batch_start,
            index,
        };
        let mut frame = vec![0; frame_bytes as usize];
        frame[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + 4].copy_from_slice(&records.to_le_bytes());
        (header, frame)
    }

    /// How many lost records it stands for, if it does; `body` is the frame's.
    pub(crate) fn lost(&self, body: &[u8]) -> Option<u64> {
        let records = body.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        self.is_lost().then_some(u64::from(records))
    }

    /// Whether it stands in the place of lost records.
    pub(crate) const fn is_lost(&self) -> bool {
        self.flags & LOST != 0
    }

    /// Whether the body's head can be read without its rest.
    pub(crate) const fn is_in_two(&self) -> bool {
        self.flags & IN_TWO != 0
    }

    /// Where the body lies in the frame.
    pub(crate) const fn body(&self) -> Range<usize> {
        let start = if self.is_in_two() { BODY_IN_TWO } else { FRAME_HEADER_BYTES };
        start..FRAME_HEADER_BYTES + self.body_bytes as usize
    }

    /// Where the body's head lies in a frame that begins like `bytes`, unchecked.
    pub(crate) fn head(&self, bytes: &[u8]) -> Result<Range<usize>, FrameFault> {
        let head_bytes = bytes.get(28..32).and_then(|bytes| bytes.first_chunk());
        let head_bytes = u32::from_le_bytes(*head_bytes.ok_or(FrameFault::TooLong)?);
        let head = BODY_IN_TWO..BODY_IN_TWO.saturating_add(head_bytes as usize);
        if head.end > self.body().end { Err(FrameFault::Checksum) } else { Ok(head) }
    }

    /// The checksum that the frame would have with that salt, there.
    pub(crate) fn checksum_of(salt: u32, at: Position, frame: &[u8]) -> Option<u32> {
        let fields = Self::parse(frame.first_chunk()?).ok()?;
        Some(checksum(salt, at, fields.body_bytes, frame.get(8..)?))
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
        if fields.is_in_two() {
            fields.head(bytes)?;
        }
        Ok(fields)
    }

    /// Checks the head of the frame at the beginning of `bytes`, which must hold it whole, and says where it lies.
    pub(crate) fn check_head(
        salt: u32,
        at: Position,
        bytes: &[u8],
    ) -> Result<Range<usize>, FrameFault> {
        let fields = Self::parse(bytes.first_chunk().ok_or(FrameFault::TooLong)?)?;
        let place = fields.head(bytes)?;
        let head = bytes.get(place.clone()).ok_or(FrameFault::TooLong)?;
        let stored = bytes.get(32..36).and_then(|bytes| bytes.first_chunk());
        let stored = u32::from_le_bytes(*stored.ok_or(FrameFault::TooLong)?);
        if fields.head_checksum(salt, at, head) != stored {
            return Err(FrameFault::Checksum);
        }
        Ok(place)
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

    fn frame_in_two(head: &[u8], rest: &[u8]) -> (FrameHeader, Vec<u8>) {
        let (header, _) = frame(b"");
        let header = header.set_body((head.len() + rest.len()) as u32, head.len() as u32);
        let mut bytes = vec![0; header.frame_bytes() as usize];
        bytes[header.body()].copy_from_slice(&[head, rest].concat());
        header.mark_head(99, AT, head.len() as u32, &mut bytes);
        header.seal(99, AT, &mut bytes);
        (header, bytes)
    }

    #[test]
    fn a_head_is_read_with_the_rest_and_without() {
        for (head, rest) in [(&b"head"[..], &[9; 300][..]), (b"h", b""), (&[0; 1000], b"rest")] {
            let (header, mut bytes) = frame_in_two(head, rest);
            bytes.extend_from_slice(b"what follows");
            assert_eq!(FrameHeader::check(99, AT, &bytes), Ok(header));
            assert_eq!(bytes[header.body()], [head, rest].concat());
            let end = 36 + head.len();
            assert_eq!(header.head(&bytes), Ok(36..end));
            assert_eq!(FrameHeader::check_head(99, AT, &bytes[..end]), Ok(36..end));
            for cut in 0..end {
                assert!(FrameHeader::check_head(99, AT, &bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn any_flipped_bit_of_a_head_or_its_header_and_any_other_place_is_noticed() {
        let (header, bytes) = frame_in_two(b"a head", b"and its rest");
        let head = header.head(&bytes).unwrap();
        for bit in 0..head.end * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // The frame's own checksum is not looked at.
            let is_noticed = !(32..64).contains(&bit);
            let checked = FrameHeader::check_head(99, AT, &flipped[..head.end]);
            assert_eq!(checked.is_err(), is_noticed, "bit {bit}");
            assert!(FrameHeader::check(99, AT, &flipped).is_err(), "bit {bit}");
        }
        for (salt, at) in [(98, AT), (99, Position::new(8, 4096)), (99, Position::new(7, 4104))] {
            let checked = FrameHeader::check_head(salt, at, &bytes);
            assert_eq!(checked, Err(FrameFault::Checksum));
        }
    }

    #[test]
    fn what_stands_for_lost_records_says_how_many_and_fits_any_place() {
        for frame_bytes in [32, 40, 4096] {
            let (header, mut frame) = FrameHeader::of_lost(17, 3, 64, frame_bytes);
            header.seal(99, AT, &mut frame);
            assert_eq!(FrameHeader::check(99, AT, &frame), Ok(header));
            assert_eq!(header.frame_bytes(), u64::from(frame_bytes));
            assert_eq!(header.lost(&frame[header.body()]), Some(3));
        }
        let (header, bytes) = frame(b"abc");
        assert_eq!(header.lost(&bytes[header.body()]), None);
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let (header, mut frame) = FrameHeader::of_lost(17, 3, 64, 32);
        header.seal(99, AT, &mut frame);
        assert_eq!(hex(&frame[8..]), "050200000000000040000000110000000000000003000000");
    }

    #[test]
    fn a_head_longer_than_its_body_is_refused() {
        let (header, mut bytes) = frame_in_two(b"a head", b"and its rest");
        bytes[28..32].copy_from_slice(&19_u32.to_le_bytes());
        header.seal(99, AT, &mut bytes);
        assert_eq!(FrameHeader::check(99, AT, &bytes), Err(FrameFault::Checksum));
        assert_eq!(FrameHeader::check_head(99, AT, &bytes), Err(FrameFault::Checksum));
    }

    #[test]
    fn the_layout_of_a_body_in_two_is_fixed() {
        let (_, bytes) = frame_in_two(b"abc", b"d");
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let header = "0c0000005cf1044902010102030000004000000008070605".to_owned();
        let expected = header + "0403020103000000e9be832161626364";
        assert_eq!(hex(&bytes), expected);
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
