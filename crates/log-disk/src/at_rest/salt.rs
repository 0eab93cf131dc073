//! The salt of a segment whose header is damaged. The checksum of every frame begins with it, and a CRC is linear: one whole
//! frame gives the salt, and a second one proves it. It must not know what is in the frames.

use std::io;

use log_api::{FRAME_HEADER_BYTES, Position};

use crate::frame::FrameHeader;
use crate::host::HostFile;
use crate::scanner::{Scanner, Step};
use crate::segment::SEGMENT_HEADER_BYTES;

/// So many frames must be whole by a salt that was worked out: one always is.
const PROOF_FRAMES: usize = 2;

/// The salt that makes the segment's first frames whole, if there is one.
pub(super) fn salt_of(
    file: &dyn HostFile,
    number: u32,
    file_bytes: u64,
) -> io::Result<Option<u32>> {
    let stored = file.read_at(32, 4)?;
    let stored = stored.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    for salt in stored.into_iter().chain(worked_out(file, number, file_bytes)?) {
        let mut scanner = Scanner::new(file, number, salt, file_bytes, SEGMENT_HEADER_BYTES);
        let mut whole = 0;
        while whole < PROOF_FRAMES && matches!(scanner.step()?, Step::Frame { .. }) {
            whole += 1;
        }
        if whole == PROOF_FRAMES || whole > 0 && Some(salt) == stored {
            return Ok(Some(salt));
        }
    }
    Ok(None)
}

/// The one salt by which the first frame is whole.
fn worked_out(file: &dyn HostFile, number: u32, file_bytes: u64) -> io::Result<Option<u32>> {
    let start = u64::from(SEGMENT_HEADER_BYTES);
    let header = file.read_at(start, FRAME_HEADER_BYTES)?;
    let Some(Ok(header)) = header.first_chunk().map(FrameHeader::parse) else { return Ok(None) };
    if header.frame_bytes() > file_bytes.saturating_sub(start) {
        return Ok(None);
    }
    let frame = file.read_at(start, header.frame_bytes() as usize)?;
    let at = Position::new(number, SEGMENT_HEADER_BYTES);
    let checksum = |salt| FrameHeader::checksum_of(salt, at, &frame);
    let Some(none) = checksum(0) else { return Ok(None) };
    let Some(stored) = frame.get(4..8).and_then(|bytes| bytes.first_chunk()) else {
        return Ok(None);
    };
    let columns: Vec<u32> = (0..32).map(|bit| checksum(1 << bit).unwrap_or(none) ^ none).collect();
    Ok(solve(&columns, u32::from_le_bytes(*stored) ^ none))
}

/// Which of the columns sum up to `target`, as a number with a bit for each.
fn solve(columns: &[u32], target: u32) -> Option<u32> {
    // For each leading bit a sum of columns, with those that are in it.
    let mut basis: [Option<(u32, u32)>; 32] = [None; 32];
    let reduce = |basis: &[Option<(u32, u32)>; 32], mut sum: u32, mut parts: u32| {
        for bit in (0..32).rev() {
            if sum >> bit & 1 == 1
                && let Some((other, theirs)) = basis[bit]
            {
                (sum, parts) = (sum ^ other, parts ^ theirs);
            }
        }
        (sum, parts)
    };
    for (n, column) in columns.iter().enumerate() {
        let (sum, parts) = reduce(&basis, *column, 1 << n);
        if sum != 0 {
            basis[31 - sum.leading_zeros() as usize] = Some((sum, parts));
        }
    }
    let (rest, parts) = reduce(&basis, target, 0);
    (rest == 0).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_salt_follows_from_one_frame() {
        let at = Position::new(7, 64);
        for salt in [0, 1, 77, 0xDEAD_BEEF, u32::MAX] {
            let (header, mut frame) = FrameHeader::of_lost(3, 9, 64, 512);
            header.seal(salt, at, &mut frame);
            let none = FrameHeader::checksum_of(0, at, &frame).unwrap();
            let one = |bit| FrameHeader::checksum_of(1_u32 << bit, at, &frame).unwrap() ^ none;
            let columns: Vec<u32> = (0..32).map(one).collect();
            let stored = u32::from_le_bytes(*frame[4..8].first_chunk().unwrap());
            assert_eq!(solve(&columns, stored ^ none), Some(salt));
        }
    }
}
