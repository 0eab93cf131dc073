//! What lies after the last whole frame of a segment: nothing, a torn tail, or damage.
//!
//! A group of batches is synced before the next one is written, and each frame says where its group began. So when a frame is
//! not whole, and a whole frame of a *later* group lies behind it, the first one had been synced and was spoiled later: that is
//! damage. When only frames of the same group lie behind it, or none, the write was interrupted, nobody was told that it
//! succeeded, and it is cut.

use std::io;

use log_api::{FRAME_ALIGNMENT, FRAME_HEADER_BYTES, Position, RecordKind};

use crate::frame::FrameHeader;
use crate::host::HostFile;

/// How much is read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// What lies after the last whole frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tail {
    /// Zeros.
    Clean,
    /// An interrupted write, which ends before that offset.
    Torn { end: u64 },
    /// Something that was synced, and then spoiled.
    Damaged,
}

/// Looks at what lies from `from` to the end of the file.
pub(crate) fn examine(
    file: &dyn HostFile,
    segment: u32,
    salt: u32,
    from: u64,
    file_bytes: u64,
) -> io::Result<Tail> {
    let Some(end) = last_written(file, from, file_bytes)? else { return Ok(Tail::Clean) };
    let mut rest = vec![0; (end - from) as usize];
    file.read_exact_at(&mut rest, from)?;
    // A frame's last bytes may be zeros.
    rest.resize(rest.len() + FRAME_HEADER_BYTES + FRAME_ALIGNMENT, 0);
    let later = |skip: &usize| is_of_later_group(segment, salt, from, *skip, &rest[*skip..]);
    let is_damaged =
        (FRAME_ALIGNMENT..(end - from) as usize).step_by(FRAME_ALIGNMENT).any(|skip| later(&skip));
    Ok(if is_damaged { Tail::Damaged } else { Tail::Torn { end } })
}

/// Whether there is a whole frame at `from + skip` whose group began after `from`.
fn is_of_later_group(segment: u32, salt: u32, from: u64, skip: usize, bytes: &[u8]) -> bool {
    let Some(Ok(header)) = bytes.first_chunk().map(FrameHeader::parse) else { return false };
    let offset = from + skip as u64;
    let start = u64::from(header.batch_start);
    let may_be = RecordKind::try_from(header.kind).is_ok() && start > from && start <= offset;
    let Ok(offset) = u32::try_from(offset) else { return false };
    may_be && FrameHeader::check(salt, Position::new(segment, offset), bytes).is_ok()
}

/// Where the bytes other than zero end, if there are any from `from` on.
pub(crate) fn last_written(file: &dyn HostFile, from: u64, end: u64) -> io::Result<Option<u64>> {
    let mut window = vec![0; WINDOW_BYTES];
    let (mut at, mut last) = (from, None);
    while at < end {
        let bytes = WINDOW_BYTES.min(usize::try_from(end - at).unwrap_or(WINDOW_BYTES));
        file.read_exact_at(&mut window[..bytes], at)?;
        if !is_zero(&window[..bytes]) {
            last = window[..bytes]
                .iter()
                .rposition(|byte| *byte != 0)
                .map(|last| at + last as u64 + 1);
        }
        at += bytes as u64;
    }
    Ok(last)
}

/// Whether all bytes are zero; in strides, so that it is done many at a time.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(4096).all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}
