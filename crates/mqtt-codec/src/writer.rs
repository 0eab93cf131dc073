//! Writes the data types of MQTT (§1.5) and the fixed header around a body. It must not know packets.

use crate::error::EncodeError;
use crate::varint;

pub(crate) type WriteResult = Result<(), EncodeError>;

pub(crate) fn binary(out: &mut Vec<u8>, bytes: &[u8]) -> WriteResult {
    let len = field_len(bytes)?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

pub(crate) fn string(out: &mut Vec<u8>, text: &str) -> WriteResult {
    binary(out, text.as_bytes())
}

#[inline]
pub(crate) fn field_len(bytes: &[u8]) -> Result<u16, EncodeError> {
    u16::try_from(bytes.len()).map_err(|_| EncodeError::FieldTooLong { len: bytes.len() })
}

#[inline]
pub(crate) fn varint(out: &mut Vec<u8>, value: usize) {
    let (bytes, len) = varint::bytes(value);
    out.extend_from_slice(bytes.get(..len).unwrap_or(&bytes));
}

/// A property block with its length before it.
pub(crate) fn property_block(out: &mut Vec<u8>, raw: &[u8]) -> WriteResult {
    body_len(raw.len())?;
    varint(out, raw.len());
    out.extend_from_slice(raw);
    Ok(())
}

#[inline]
pub(crate) const fn body_len(len: usize) -> Result<usize, EncodeError> {
    if len <= varint::MAX { Ok(len) } else { Err(EncodeError::PacketTooLong { len }) }
}

/// Writes the body first and puts its fixed header before it; when the body fails, `out` is as it was. Control
/// packets are short, so that moving the body by the header's length costs less than to compute its length twice.
pub(crate) fn packet(
    out: &mut Vec<u8>,
    first_byte: u8,
    body: impl FnOnce(&mut Vec<u8>) -> WriteResult,
) -> WriteResult {
    let start = out.len();
    let written = body(out).and_then(|()| body_len(out.len() - start));
    match written {
        Ok(len) => {
            let (bytes, count) = varint::bytes(len);
            let header = std::iter::once(first_byte).chain(bytes.into_iter().take(count));
            out.splice(start..start, header);
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}
