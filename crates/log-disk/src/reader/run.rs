//! Positions that lie near each other, read at once. It must not know who asks.

use std::io;

use bytes::Bytes;
use log_api::{Position, ReadError};

use super::Wanted;
use crate::frame::FrameHeader;
use crate::host::HostFile;
use crate::segments::Segment;

/// Frames whose beginnings lie no further apart are read at once.
const GAP_BYTES_MAX: u32 = 16 << 10;

/// The most that is read at once, but for a single longer frame.
const RUN_BYTES_MAX: u32 = 512 << 10;

/// Heads that lie no further apart than the first one's length and this are read at once, with what follows the first.
const HEADS_GAP_BYTES_MAX: u32 = 4 << 10;

/// How much is read from the last frame's beginning on, at first.
const LAST_FRAME_BYTES: u32 = 4 << 10;

/// How much more than it is said to have is read of a head at first: the frame's header, and what is not counted.
const LAST_HEAD_MORE_BYTES: u32 = 128;

/// How many of the positions form the first run: ascending, in one segment, near each other.
pub(super) fn length(wanted: &[Wanted]) -> usize {
    let Some(first) = wanted.first().map(|first| first.at) else { return 0 };
    let is_near = |pair: &&[Wanted]| {
        let (before, after) = (pair[0], pair[1].at);
        let gap_bytes_max = match before.head_bytes {
            None => GAP_BYTES_MAX,
            Some(bytes) => bytes.saturating_add(HEADS_GAP_BYTES_MAX),
        };
        after.segment() == first.segment()
            && after.offset() > before.at.offset()
            && after.offset() - before.at.offset() <= gap_bytes_max
            && after.offset() - first.offset() <= RUN_BYTES_MAX
    };
    1 + wanted.windows(2).take_while(is_near).count()
}

/// Reads a run of positions in that segment.
pub(super) fn read(
    file: &dyn HostFile,
    segment: &Segment,
    run: &[Wanted],
    records: &mut Vec<Result<Bytes, ReadError>>,
) {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
    let (start, end) = (first.at.offset(), segment.end());
    let ahead_bytes = match last.head_bytes {
        None => LAST_FRAME_BYTES,
        Some(bytes) => bytes.min(RUN_BYTES_MAX) + LAST_HEAD_MORE_BYTES,
    };
    let last_frame = last.at.offset().saturating_add(ahead_bytes).min(end);
    let bytes = match file.read_at(u64::from(start), last_frame.saturating_sub(start) as usize) {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) => return refuse(segment, run, &error, records),
    };
    let from = records.len();
    let mut used = 0;
    for one in run {
        // The file may have been cut short.
        let ahead = bytes.slice(bytes.len().min((one.at.offset() - start) as usize)..);
        let record = record(file, segment, *one, end, &ahead);
        used += record.as_ref().map_or(0, Bytes::len);
        records.push(record);
    }
    if used * 2 < bytes.len() {
        // The bodies would hold much more memory than they need.
        for body in records[from..].iter_mut().flatten() {
            *body = Bytes::copy_from_slice(body);
        }
    }
}

/// The body of the frame that `ahead` begins with, and may not reach the end of.
fn record(
    file: &dyn HostFile,
    segment: &Segment,
    Wanted { at, head_bytes }: Wanted,
    end: u32,
    ahead: &Bytes,
) -> Result<Bytes, ReadError> {
    if at.offset() >= end {
        return Err(ReadError::NotFound { position: at });
    }
    let damaged = |what: &str| ReadError::Damaged {
        file: segment.path.display().to_string(),
        offset: u64::from(at.offset()),
        what: what.to_owned(),
    };
    let header =
        ahead.first_chunk().ok_or_else(|| damaged("the segment ends in a record's header"))?;
    let header = FrameHeader::parse(header).map_err(|fault| damaged(fault.what()))?;
    if header.is_lost() {
        return Err(damaged("the record was damaged, and a repair has taken it out"));
    }
    if header.frame_bytes() > u64::from(end - at.offset()) {
        return Err(damaged("a record longer than what was written"));
    }
    let is_head = head_bytes.is_some() && header.is_in_two();
    let bytes = if is_head {
        header.head(ahead).map_err(|fault| damaged(fault.what()))?.end as u64
    } else {
        header.frame_bytes()
    };
    let frame = if bytes > ahead.len() as u64 {
        // At most what is left of the segment, as has been checked.
        let bytes = file.read_at(u64::from(at.offset()), bytes as usize);
        Bytes::from(bytes.map_err(|error| io_error(segment, at, &error))?)
    } else {
        ahead.clone()
    };
    let body = if is_head {
        FrameHeader::check_head(segment.salt, at, &frame)
    } else {
        FrameHeader::check(segment.salt, at, &frame).map(|header| header.body())
    };
    Ok(frame.slice(body.map_err(|fault| damaged(fault.what()))?))
}

/// Answers a run that cannot be read.
pub(super) fn refuse(
    segment: &Segment,
    run: &[Wanted],
    error: &io::Error,
    records: &mut Vec<Result<Bytes, ReadError>>,
) {
    records.extend(run.iter().map(|one| Err(io_error(segment, one.at, error))));
}

fn io_error(segment: &Segment, at: Position, error: &io::Error) -> ReadError {
    if error.kind() == io::ErrorKind::NotFound {
        // Trimmed between the look into the table and the look at the disk.
        return ReadError::NotFound { position: at };
    }
    let file = segment.path.display().to_string();
    ReadError::Io { file, offset: u64::from(at.offset()), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_at_gaps_segments_and_turns() {
        let at = Position::new;
        let far = 64 + GAP_BYTES_MAX;
        let cases: [(&[Position], usize); 7] = [
            (&[], 0),
            (&[at(1, 64)], 1),
            (&[at(1, 64), at(1, 128), at(1, 4096)], 3),
            (&[at(1, 64), at(2, 128)], 1),
            (&[at(1, 64), at(1, far), at(1, far - 8)], 2),
            (&[at(1, 64), at(1, far + 8)], 1),
            (&[at(1, 64), at(1, 64)], 1),
        ];
        let whole = |positions: &[Position]| {
            let wanted = positions.iter().map(|at| Wanted { at: *at, head_bytes: None });
            length(&wanted.collect::<Vec<_>>())
        };
        for (positions, expected) in cases {
            assert_eq!(whole(positions), expected, "{positions:?}");
        }
        let dense = (0..10_000).map(|n| at(1, 64 + n * 288)).collect::<Vec<_>>();
        assert_eq!(whole(&dense), (RUN_BYTES_MAX / 288 + 1) as usize);
    }

    #[test]
    fn heads_are_near_when_there_is_little_but_they() {
        let head = |offset, bytes| Wanted { at: Position::new(1, offset), head_bytes: Some(bytes) };
        let gap = 1000 + HEADS_GAP_BYTES_MAX;
        assert_eq!(length(&[head(64, 1000), head(64 + gap, 0), head(128 + gap, 0)]), 3);
        assert_eq!(length(&[head(64, 1000), head(72 + gap, 0)]), 1);
        assert_eq!(length(&[head(64, u32::MAX), head(64 + RUN_BYTES_MAX, 0)]), 2);
        assert_eq!(length(&[head(64, u32::MAX), head(72 + RUN_BYTES_MAX, 0)]), 1);
    }
}
