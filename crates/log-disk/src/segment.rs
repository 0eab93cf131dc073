//! A segment's file: its name and its header. It must not know frames.

use std::path::{Path, PathBuf};

use crate::error::{Damage, OpenError};

/// Bytes of the header; the first frame begins there.
pub(crate) const SEGMENT_HEADER_BYTES: u32 = 64;

const MAGIC: [u8; 8] = *b"WEIRWLOG";
const VERSION: u32 = 1;

/// The header of a segment.
///
/// ```text
///   0          8         12        16           24           32     36            60       64
///   | WEIRWLOG | version | segment | created at | file bytes | salt | zeros       | crc32c | frames …
///   |          | u32     | u32     | unix ms    | u64        | u32  |             | 0..60  |
/// ```
/// Little-endian. The salt enters every frame's checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentHeader {
    pub(crate) segment: u32,
    pub(crate) created_ms: u64,
    pub(crate) file_bytes: u64,
    pub(crate) salt: u32,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES as usize] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.segment.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.created_ms.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.file_bytes.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.salt.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of the file at `path`, which should be that of `segment`.
    pub(crate) fn decode(
        bytes: &[u8; SEGMENT_HEADER_BYTES as usize],
        segment: u32,
        path: &Path,
    ) -> Result<Self, OpenError> {
        let damage =
            |offset, what: &str| Damage { file: path.to_owned(), offset, what: what.to_owned() };
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if bytes[..8] != MAGIC {
            return Err(damage(0, "this is not the beginning of a segment").into());
        }
        if crc32c::crc32c(&bytes[..60]) != word(60) {
            return Err(damage(0, "the checksum of the segment's header does not match").into());
        }
        if word(8) != VERSION {
            let what = format!("version {} of the segment format", word(8));
            return Err(OpenError::NewerVersion { file: path.to_owned(), offset: 8, what });
        }
        if word(12) != segment {
            let what = format!("this is segment {}, under the name of segment {segment}", word(12));
            return Err(damage(12, &what).into());
        }
        Ok(Self { segment, created_ms: long(16), file_bytes: long(24), salt: word(32) })
    }
}

/// The path of a segment in the directory of segments.
pub(crate) fn segment_path(directory: &Path, segment: u32) -> PathBuf {
    directory.join(format!("{segment:08x}.wlog"))
}

/// The number of the segment with that file name.
pub(crate) fn segment_of(file_name: &str) -> Option<u32> {
    let digits = file_name.strip_suffix(".wlog")?;
    let is_ours =
        digits.len() == 8 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_ours.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written_and_any_flip_is_noticed() {
        let header = SegmentHeader {
            segment: 9,
            created_ms: 1_800_000_000_123,
            file_bytes: 5 << 32,
            salt: 77,
        };
        let bytes = header.encode();
        let path = Path::new("00000009.wlog");
        assert_eq!(SegmentHeader::decode(&bytes, 9, path).unwrap(), header);
        assert!(matches!(
            SegmentHeader::decode(&bytes, 8, path),
            Err(OpenError::Damaged(Damage { offset: 12, .. }))
        ));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(SegmentHeader::decode(&flipped, 9, path), Err(OpenError::Damaged(_))),
                "bit {bit}"
            );
        }
        let mut newer = bytes;
        newer[8] = 2;
        let checksum = crc32c::crc32c(&newer[..60]);
        newer[60..].copy_from_slice(&checksum.to_le_bytes());
        assert!(matches!(
            SegmentHeader::decode(&newer, 9, path),
            Err(OpenError::NewerVersion { .. })
        ));
    }

    #[test]
    fn names_are_numbers() {
        for segment in [1, 0xABC, u32::MAX] {
            let path = segment_path(Path::new("log"), segment);
            assert_eq!(segment_of(path.file_name().unwrap().to_str().unwrap()), Some(segment));
        }
        for name in [
            "reserve",
            "1.wlog",
            "0000000G.wlog",
            "+0000001.wlog",
            "00000001.wlog.tmp",
            "0000000A.wlog",
        ] {
            assert_eq!(segment_of(name), None, "{name}");
        }
    }
}
