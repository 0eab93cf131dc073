//! A checkpoint as bytes. It must not know where the file lies.

use std::io::IoSlice;

use log_api::Position;

use crate::references::Counts;

const MAGIC: [u8; 8] = *b"WEIRCKPT";
/// Laid out as version 1. Before the position of one of version 2 there may be records in two, which whoever reads only
/// version 1 would take for something else: the replay, which would refuse them, does not see them.
const VERSION: u32 = 2;
const OLDEST_VERSION: u32 = 1;

/// What is said of a checkpoint that is whole, but in a format not known here.
pub(crate) const NEWER_VERSION: &str = "the format of the checkpoint is of a newer version";

/// What the records before a position made.
///
/// ```text
///   0          8         12       16   24         32           40       44      48
///   | WEIRCKPT | version | zeros  | id | position | next index | counts | parts | count … | part … | crc32c |
///   |          | u32     | u32    | u64| u64      | u64        | u32    | u32   |         |        | of all |
///   count: segment u32 | references i64         part: length u64 | bytes
/// ```
/// Little-endian. `counts` are the references that hold bodies live in the segments before the position, and in its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) id: u64,
    pub(crate) position: Position,
    /// The index of the first record at the position.
    pub(crate) next_index: u64,
    pub(crate) counts: Counts,
    pub(crate) parts: Vec<Vec<u8>>,
}

/// Why a file is no checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} at offset {offset}")]
pub(crate) struct NotWhole {
    pub(crate) offset: u64,
    pub(crate) what: &'static str,
}

impl Checkpoint {
    /// The pieces of the file, in order.
    pub(crate) fn encode(&self) -> Encoded<'_> {
        let mut head = Vec::with_capacity(64 + self.counts.len() * 12);
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&0_u32.to_le_bytes());
        head.extend_from_slice(&self.id.to_le_bytes());
        head.extend_from_slice(&self.position.as_u64().to_le_bytes());
        head.extend_from_slice(&self.next_index.to_le_bytes());
        head.extend_from_slice(&(self.counts.len() as u32).to_le_bytes());
        head.extend_from_slice(&(self.parts.len() as u32).to_le_bytes());
        for (segment, count) in &self.counts {
            head.extend_from_slice(&segment.to_le_bytes());
            head.extend_from_slice(&count.to_le_bytes());
        }
        let mut checksum = crc32c::crc32c(&head);
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let length = (part.len() as u64).to_le_bytes();
            checksum = crc32c::crc32c_append(crc32c::crc32c_append(checksum, &length), part);
            parts.push((length, part.as_slice()));
        }
        Encoded { head, parts, checksum: checksum.to_le_bytes() }
    }

    /// Reads a whole file.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, NotWhole> {
        let not_whole = |offset, what| NotWhole { offset, what };
        let (content, stored) =
            bytes.split_last_chunk().ok_or(not_whole(0, "the file is too short"))?;
        let mut reader = Reader { bytes: content, offset: 0 };
        if reader.take::<8>()? != MAGIC {
            return Err(not_whole(0, "this is not the beginning of a checkpoint"));
        }
        if crc32c::crc32c(content) != u32::from_le_bytes(*stored) {
            return Err(not_whole(content.len() as u64, "the checksum does not match"));
        }
        if !(OLDEST_VERSION..=VERSION).contains(&reader.u32()?) || reader.u32()? != 0 {
            return Err(not_whole(8, NEWER_VERSION));
        }
        let (id, position, next_index) =
            (reader.u64()?, Position::from_u64(reader.u64()?), reader.u64()?);
        let (counts, parts) = (reader.u32()?, reader.u32()?);
        let count =
            |reader: &mut Reader<'_>| Ok((reader.u32()?, i64::from_le_bytes(reader.take()?)));
        let counts = (0..counts).map(|_| count(&mut reader)).collect::<Result<_, NotWhole>>()?;
        let parts = (0..parts).map(|_| reader.part()).collect::<Result<_, _>>()?;
        Ok(Self { id, position, next_index, counts, parts })
    }
}

/// The pieces of a checkpoint's file; the parts are not copied.
pub(crate) struct Encoded<'a> {
    head: Vec<u8>,
    parts: Vec<([u8; 8], &'a [u8])>,
    checksum: [u8; 4],
}

impl Encoded<'_> {
    pub(crate) fn slices(&self) -> Vec<IoSlice<'_>> {
        let parts =
            self.parts.iter().flat_map(|(length, part)| [IoSlice::new(length), IoSlice::new(part)]);
        let slices = std::iter::once(IoSlice::new(&self.head)).chain(parts);
        slices.chain([IoSlice::new(&self.checksum)]).filter(|slice| !slice.is_empty()).collect()
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], NotWhole> {
        let too_short = NotWhole { offset: self.offset as u64, what: "the file is too short" };
        let taken = self.bytes[self.offset..].first_chunk().ok_or(too_short)?;
        self.offset += N;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, NotWhole> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, NotWhole> {
        self.take().map(u64::from_le_bytes)
    }

    fn part(&mut self) -> Result<Vec<u8>, NotWhole> {
        let length = self.u64()?;
        let too_short =
            NotWhole { offset: self.offset as u64, what: "a part is longer than the file" };
        let length = usize::try_from(length).ok();
        let part =
            length.and_then(|length| self.bytes[self.offset..].get(..length)).ok_or(too_short)?;
        self.offset += part.len();
        Ok(part.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(checkpoint: &Checkpoint) -> Vec<u8> {
        checkpoint.encode().slices().iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_written_and_any_change_is_noticed() {
        let whole = Checkpoint {
            id: 12,
            position: Position::new(7, 4096),
            next_index: 1 << 40,
            counts: Counts::from([(3, 9), (7, 1 << 33)]),
            parts: vec![b"one".to_vec(), Vec::new(), vec![7; 300]],
        };
        let bytes = bytes_of(&whole);
        assert_eq!(Checkpoint::decode(&bytes), Ok(whole));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Checkpoint::decode(&flipped).is_err(), "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert!(Checkpoint::decode(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn lengths_beyond_the_file_are_refused() {
        let checkpoint = Checkpoint {
            id: 1,
            position: Position::START,
            next_index: 0,
            counts: Counts::new(),
            parts: vec![vec![1; 8]],
        };
        for (at, number) in [(40, 1_u32), (44, 2), (48, u32::MAX), (52, u32::MAX)] {
            let mut bytes = bytes_of(&checkpoint);
            let end = bytes.len() - 4;
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
            let checksum = crc32c::crc32c(&bytes[..end]);
            bytes[end..].copy_from_slice(&checksum.to_le_bytes());
            assert!(Checkpoint::decode(&bytes).is_err(), "{at}");
        }
    }
}
