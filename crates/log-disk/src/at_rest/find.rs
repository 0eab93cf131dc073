//! Finds records behind damage, by their checksums. It must not know what was lost between.

use std::io;

use log_api::{FRAME_ALIGNMENT, FRAME_HEADER_BYTES, Position, RecordKind};

use crate::frame::{FLAGS, FrameHeader};
use crate::host::HostFile;

/// How much is read at once.
const WINDOW_BYTES: u64 = 1 << 20;
/// No frame is shorter.
const FRAME_BYTES_MIN: u64 = 32;

/// The segment that is searched.
pub(super) struct Place<'a> {
    pub(super) file: &'a dyn HostFile,
    pub(super) number: u32,
    pub(super) salt: u32,
    pub(super) file_bytes: u64,
}

/// Where the next whole frame begins behind what is damaged at `stop`, and its index. `expected` is the index of what is
/// damaged, if that is known: no more can be lost than there was room for.
pub(super) fn next_frame(
    place: &Place<'_>,
    stop: u64,
    expected: Option<u64>,
) -> io::Result<Option<(u64, u64)>> {
    let mut from = stop + FRAME_ALIGNMENT as u64;
    while from < place.file_bytes {
        let bytes = (WINDOW_BYTES + FRAME_HEADER_BYTES as u64).min(place.file_bytes - from);
        let window = place.file.read_at(from, bytes as usize)?;
        for skip in (0..WINDOW_BYTES.min(bytes) as usize).step_by(FRAME_ALIGNMENT) {
            let Some(header) = window.get(skip..).and_then(|rest| rest.first_chunk()) else {
                break;
            };
            let Ok(header) = FrameHeader::parse(header) else { continue };
            let offset = from + skip as u64;
            if may_be(&header, stop, offset, place.file_bytes, expected)
                && is_whole(place, offset, &header)?
            {
                return Ok(Some((offset, header.index)));
            }
        }
        from += WINDOW_BYTES;
    }
    Ok(None)
}

/// Whether a frame with such a header could lie there. A checksum alone is right by chance now and then.
fn may_be(
    header: &FrameHeader,
    stop: u64,
    offset: u64,
    file_bytes: u64,
    expected: Option<u64>,
) -> bool {
    let room = (offset - stop) / FRAME_BYTES_MIN;
    let is_in_turn =
        expected.is_none_or(|expected| header.index > expected && header.index - expected <= room);
    is_in_turn
        && RecordKind::try_from(header.kind).is_ok()
        && header.flags & !FLAGS == 0
        && u64::from(header.batch_start) <= offset
        && header.frame_bytes() <= file_bytes - offset
}

fn is_whole(place: &Place<'_>, offset: u64, header: &FrameHeader) -> io::Result<bool> {
    let frame = place.file.read_at(offset, header.frame_bytes() as usize)?;
    let Ok(at) = u32::try_from(offset) else { return Ok(false) };
    Ok(FrameHeader::check(place.salt, Position::new(place.number, at), &frame).is_ok())
}
