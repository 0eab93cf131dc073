//! Reading and writing of the plain values that record bodies are made of: little-endian numbers, counted texts.

use std::ops::Range;

use log_api::Position;
use mqtt_types::PacketId;

/// A record body that does not have the form its kind demands.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{record} record is not legal: {what}")]
pub struct RecordError {
    /// The kind of record.
    pub record: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Takes values off the front of a body.
pub(crate) struct Reader<'a> {
    pub(crate) record: &'static str,
    pub(crate) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn error(&self, what: &'static str) -> RecordError {
        RecordError { record: self.record, what }
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        match self.rest.split_at_checked(count) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.error("it ends early")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let bytes = self.bytes(N)?;
        bytes.try_into().map_err(|_| self.error("it ends early"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, RecordError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, RecordError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, RecordError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A LEB128 number.
    pub(crate) fn varint(&mut self) -> Result<u64, RecordError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.error("a number is too long"))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, RecordError> {
        let len = self.u16()?;
        let bytes = self.bytes(usize::from(len))?;
        std::str::from_utf8(bytes).map_err(|_| self.error("a text is not UTF-8"))
    }

    /// Ascending ranges, as [`put_ranges`] writes them.
    pub(crate) fn ranges(&mut self) -> Result<Vec<Range<u64>>, RecordError> {
        let runs = self.varint()?;
        let mut ranges = Vec::new();
        let mut end = 0_u64;
        for _ in 0..runs {
            let start = self.sum(end)?;
            end = self.sum(start)?;
            ranges.push(start..end);
        }
        Ok(ranges)
    }

    /// What [`put_positions`] writes.
    pub(crate) fn positions(&mut self) -> Result<Vec<Position>, RecordError> {
        let count = self.u32()?;
        (0..count).map(|_| self.u64().map(Position::from_u64)).collect()
    }

    pub(crate) fn packet_id(&mut self) -> Result<PacketId, RecordError> {
        let number = self.u16()?;
        PacketId::new(number).ok_or_else(|| self.error("a packet id is 0"))
    }

    /// A number and what a varint adds to it.
    pub(crate) fn sum(&mut self, number: u64) -> Result<u64, RecordError> {
        let more = self.varint()?;
        number.checked_add(more).ok_or_else(|| self.error("a number is too large"))
    }

    pub(crate) fn version(&mut self, newest: u8) -> Result<u8, RecordError> {
        match self.u8()? {
            version if (1..=newest).contains(&version) => Ok(version),
            _ => Err(self.error("it was written by a newer version")),
        }
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends ascending ranges: their count, and for each the gap from the end of the one before and its length.
pub(crate) fn put_ranges(out: &mut Vec<u8>, ranges: &[Range<u64>]) {
    put_varint(out, ranges.len() as u64);
    let mut end = 0;
    for range in ranges {
        put_varint(out, range.start - end);
        put_varint(out, range.end - range.start);
        end = range.end;
    }
}

/// Appends positions: `count u32 | position u64 ...`.
pub(crate) fn put_positions(out: &mut Vec<u8>, positions: &[Position]) {
    out.extend_from_slice(&(positions.len() as u32).to_le_bytes());
    positions.iter().for_each(|at| out.extend_from_slice(&at.as_u64().to_le_bytes()));
}

/// Appends a text with its length. Names and filters are never longer than 65,535 bytes.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).expect("names and filters fit 65,535 bytes");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
