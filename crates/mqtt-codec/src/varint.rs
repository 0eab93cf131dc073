//! Variable byte integers (§1.5.5): seven bits a byte, low bits first, four bytes at most.

use crate::error::DecodeErrorKind;

/// The largest value of four bytes.
pub(crate) const MAX: usize = 268_435_455;

/// Reads one from the head of `bytes`: value and length, or `None` when more bytes must come.
#[inline]
pub(crate) fn read(bytes: &[u8]) -> Result<Option<(u32, usize)>, DecodeErrorKind> {
    match bytes.first() {
        None => Ok(None),
        Some(&byte) if byte < 0x80 => Ok(Some((u32::from(byte), 1))),
        Some(_) => read_long(bytes),
    }
}

fn read_long(bytes: &[u8]) -> Result<Option<(u32, usize)>, DecodeErrorKind> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * at);
        if byte < 0x80 {
            // A last byte of 0 adds nothing: the value fits fewer bytes. [MQTT-1.5.5-1]
            let minimal = byte != 0 || at == 0;
            let read = minimal.then_some(Some((value, at + 1)));
            return read.ok_or(DecodeErrorKind::VarintNotMinimal);
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(DecodeErrorKind::VarintTooLong) }
}

/// How many bytes a value takes.
#[inline]
pub(crate) const fn len(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

/// The bytes of a value up to [`MAX`], and how many of them count.
#[inline]
pub(crate) const fn bytes(value: usize) -> ([u8; 4], usize) {
    const fn low(value: usize) -> u8 {
        (value & 0x7F) as u8
    }
    match len(value) {
        1 => ([low(value), 0, 0, 0], 1),
        2 => ([low(value) | 0x80, low(value >> 7), 0, 0], 2),
        3 => ([low(value) | 0x80, low(value >> 7) | 0x80, low(value >> 14), 0], 3),
        _ => (
            [low(value) | 0x80, low(value >> 7) | 0x80, low(value >> 14) | 0x80, low(value >> 21)],
            4,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_written_as_it_is_read() {
        for (value, expected) in [
            (0, &[0x00][..]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xFF, 0xFF, 0x7F]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (MAX, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            let (bytes, count) = bytes(value);
            assert_eq!(&bytes[..count], expected);
            assert_eq!(len(value), count);
            assert_eq!(read(expected), Ok(Some((value as u32, count))));
            assert_eq!(read(&expected[..count - 1]), Ok(None), "a prefix waits for more");
        }
    }

    #[test]
    fn long_forms_and_five_bytes_are_refused() {
        for bytes in
            [&[0x80, 0x00][..], &[0xFF, 0x00], &[0x80, 0x80, 0x00], &[0x80, 0x80, 0x80, 0x00]]
        {
            assert_eq!(read(bytes), Err(DecodeErrorKind::VarintNotMinimal), "{bytes:?}");
        }
        assert_eq!(read(&[0xFF, 0xFF, 0xFF, 0xFF]), Err(DecodeErrorKind::VarintTooLong));
        assert_eq!(read(&[0x80, 0x80, 0x80, 0x80, 0x01]), Err(DecodeErrorKind::VarintTooLong));
    }
}
