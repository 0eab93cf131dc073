//! Walks the frames of one segment, from one to the next. It must not know which faults are damage.

use std::io;

use log_api::{FRAME_HEADER_BYTES, Position};

use crate::frame::{FrameFault, FrameHeader};
use crate::host::HostFile;

/// How much is read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// Walks the frames of one segment.
pub(crate) struct Scanner<'a> {
    file: &'a dyn HostFile,
    segment: u32,
    salt: u32,
    file_bytes: u64,
    next: u64,
    window: Vec<u8>,
    window_start: u64,
}

/// What the scanner found.
pub(crate) enum Step<'a> {
    /// A whole frame.
    Frame { at: Position, header: FrameHeader, body: &'a [u8] },
    /// No whole frame at that offset, and so none can be found after it.
    Stop { offset: u64, fault: FrameFault },
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(
        file: &'a dyn HostFile,
        segment: u32,
        salt: u32,
        file_bytes: u64,
        from: u32,
    ) -> Self {
        let next = u64::from(from);
        Self { file, segment, salt, file_bytes, next, window: Vec::new(), window_start: next }
    }

    /// The next frame.
    pub(crate) fn step(&mut self) -> io::Result<Step<'_>> {
        let offset = self.next;
        let stop = |fault| Ok(Step::Stop { offset, fault });
        let left = self.file_bytes.saturating_sub(offset);
        if left < FRAME_HEADER_BYTES as u64 {
            return stop(FrameFault::Nothing);
        }
        self.cover(FRAME_HEADER_BYTES)?;
        let header =
            self.ahead().first_chunk().map_or(Err(FrameFault::TooLong), FrameHeader::parse);
        let frame_bytes = match header {
            Ok(header) if header.frame_bytes() <= left => header.frame_bytes() as usize,
            Ok(_) => return stop(FrameFault::TooLong),
            Err(fault) => return stop(fault),
        };
        self.cover(frame_bytes)?;
        let at = Position::new(self.segment, u32::try_from(offset).unwrap_or(u32::MAX));
        match FrameHeader::check(self.salt, at, self.ahead()) {
            Err(fault) => stop(fault),
            Ok(header) => {
                self.next += frame_bytes as u64;
                let start = (offset - self.window_start) as usize;
                let body = header.body();
                let body = &self.window[start + body.start..start + body.end];
                Ok(Step::Frame { at, header, body })
            }
        }
    }

    fn ahead(&self) -> &[u8] {
        &self.window[(self.next - self.window_start) as usize..]
    }

    /// Makes the window hold that many bytes from the next frame on, or all there are.
    fn cover(&mut self, bytes: usize) -> io::Result<()> {
        if self.ahead().len() >= bytes {
            return Ok(());
        }
        let wanted = (bytes.max(WINDOW_BYTES) as u64).min(self.file_bytes - self.next) as usize;
        let kept = (self.next - self.window_start) as usize;
        self.window.drain(..kept);
        self.window_start = self.next;
        let have = self.window.len();
        self.window.resize(wanted.max(have), 0);
        self.file.read_exact_at(&mut self.window[have..], self.next + have as u64)
    }
}
