//! Reading and writing of the plain values that record bodies are made of: little-endian numbers, counted texts.

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
pub(super) struct Reader<'a> {
    pub(super) record: &'static str,
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn error(&self, what: &'static str) -> RecordError {
        RecordError { record: self.record, what }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
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

    pub(super) fn u8(&mut self) -> Result<u8, RecordError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, RecordError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, RecordError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A LEB128 number.
    pub(super) fn varint(&mut self) -> Result<u64, RecordError> {
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

    pub(super) fn text(&mut self) -> Result<&'a str, RecordError> {
        let len = self.u16()?;
        let bytes = self.bytes(usize::from(len))?;
        std::str::from_utf8(bytes).map_err(|_| self.error("a text is not UTF-8"))
    }

    pub(super) fn version(&mut self, newest: u8) -> Result<u8, RecordError> {
        match self.u8()? {
            version if (1..=newest).contains(&version) => Ok(version),
            _ => Err(self.error("it was written by a newer version")),
        }
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a text with its length. Names and filters are never longer than 65,535 bytes.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).expect("names and filters fit 65,535 bytes");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
