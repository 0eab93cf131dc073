//! Reads the data types of MQTT (§1.5) from the body of one whole packet. It must not know packets.

use mqtt_types::PacketId;

use crate::error::DecodeErrorKind;
use crate::varint;

pub(crate) type ReadResult<T> = Result<T, DecodeErrorKind>;

/// What is left of a body. Running out is an error, never "incomplete": the frame is whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is left, without taking it.
    #[inline]
    pub(crate) const fn left(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> ReadResult<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(DecodeErrorKind::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> ReadResult<[u8; N]> {
        let (chunk, rest) = self.bytes.split_first_chunk().ok_or(DecodeErrorKind::Truncated)?;
        self.bytes = rest;
        Ok(*chunk)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> ReadResult<u8> {
        self.chunk::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> ReadResult<u16> {
        self.chunk().map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> ReadResult<u32> {
        self.chunk().map(u32::from_be_bytes)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> ReadResult<u32> {
        let (value, len) = varint::read(self.bytes)?.ok_or(DecodeErrorKind::Truncated)?;
        self.take(len)?;
        Ok(value)
    }

    #[inline]
    pub(crate) fn binary(&mut self) -> ReadResult<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A UTF-8 encoded string; U+0000 is for the caller to find, who may look for more in the same pass.
    #[inline]
    pub(crate) fn string_with_null(&mut self) -> ReadResult<&'a str> {
        std::str::from_utf8(self.binary()?).map_err(|_| DecodeErrorKind::StringNotUtf8)
    }

    /// A UTF-8 encoded string. `[MQTT-1.5.4-1]`, `[MQTT-1.5.4-2]`
    #[inline]
    pub(crate) fn string(&mut self) -> ReadResult<&'a str> {
        let text = self.string_with_null()?;
        match memchr::memchr(0, text.as_bytes()) {
            None => Ok(text),
            Some(_) => Err(DecodeErrorKind::StringHasNull),
        }
    }

    /// A packet identifier. `[MQTT-2.2.1-3]`
    #[inline]
    pub(crate) fn packet_id(&mut self) -> ReadResult<PacketId> {
        PacketId::new(self.u16()?).ok_or(DecodeErrorKind::PacketIdZero)
    }

    /// Ends the packet: nothing may be left.
    #[inline]
    pub(crate) const fn finish(self) -> ReadResult<()> {
        if self.bytes.is_empty() { Ok(()) } else { Err(DecodeErrorKind::TrailingBytes) }
    }
}
