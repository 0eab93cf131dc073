//! From one segment to the next, and what is done when there is none. It must not know frames.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use log_api::{AppendError, LogState};

use super::{ROOM_CHECK_INTERVAL, Waiting, Writer, refuse};
use crate::host::is_no_room;
use crate::segment::SEGMENT_HEADER_BYTES;
use crate::segments::Writable;

/// The most that a segment can hold: its offsets are 32 bits.
const SEGMENT_CONTENT_BYTES_MAX: usize = (u32::MAX - SEGMENT_HEADER_BYTES) as usize;

impl Writer {
    /// Sees to it that the first batch that waits fits into the current segment, or says why it cannot be stored.
    pub(super) fn make_room(&mut self) -> Result<(), AppendError> {
        let failed = match &*self.shared.state.lock() {
            LogState::Failed { reason } => Some(AppendError::Failed { reason: reason.clone() }),
            _ => None,
        };
        if let Some(error) = failed {
            return Err(error);
        }
        if self.is_full() {
            self.keep_small();
        }
        self.split_first();
        let bytes = self.waiting.front().map_or(0, |waiting| waiting.batch.bytes());
        if bytes > SEGMENT_CONTENT_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes });
        }
        if self.fits(bytes) {
            return Ok(());
        }
        if self.is_full() {
            return self.make_room_for_small(bytes);
        }
        if bytes as u64 + u64::from(SEGMENT_HEADER_BYTES) > u64::from(self.config.segment_bytes) {
            return self.roll_to_larger(bytes);
        }
        match self.next_segment() {
            Ok(next) => self.switch_to(next),
            Err(error) => {
                self.become_full(&error);
                self.make_room()
            }
        }
    }

    /// Splits the first batch that waits if it is larger than a segment: it is one large record that gets a segment of its
    /// own, or is refused, not what came with it.
    fn split_first(&mut self) {
        let Some(mut first) = self.waiting.pop_front() else { return };
        let content = (self.config.segment_bytes - SEGMENT_HEADER_BYTES) as usize;
        if first.batch.bytes() > content
            && let Some(rest) = first.batch.split_off(content)
        {
            let backlog_bytes = rest.bytes() as u64;
            first.backlog_bytes = first.backlog_bytes.saturating_sub(backlog_bytes);
            self.waiting.push_front(Waiting { from: first.from, batch: rest, backlog_bytes });
        }
        self.waiting.push_front(first);
    }

    fn fits(&self, bytes: usize) -> bool {
        u64::from(self.end) + bytes as u64 <= self.current.segment.file_bytes
    }

    /// The prepared segment; waits for it when it is not ready.
    fn next_segment(&mut self) -> io::Result<Writable> {
        self.preparer.ask(self.current.segment.number + 1, self.host.now());
        self.preparer.settle()?;
        self.preparer.take().ok_or_else(|| io::Error::other("no segment was prepared"))
    }

    /// A full log takes small records still, into what is left and then into the reserve.
    fn make_room_for_small(&mut self, bytes: usize) -> Result<(), AppendError> {
        // The number of the next segment is free only when none is being made.
        let prepared = self.preparer.settle().ok().and_then(|()| self.preparer.take());
        let next = match prepared {
            Some(next) => next,
            None => {
                let number = self.current.segment.number + 1;
                let reserve =
                    self.workshop.make_of_reserve(number).map_err(|_| AppendError::Full)?;
                tracing::warn!(
                    segment = number,
                    "the disk is full: settlements go into the room kept for them"
                );
                self.shared.segments.insert(Arc::clone(&reserve.segment));
                reserve
            }
        };
        self.switch_to(next)?;
        if self.fits(bytes) { Ok(()) } else { Err(AppendError::Full) }
    }

    /// Makes a segment for a batch that is larger than the others are.
    fn roll_to_larger(&mut self, bytes: usize) -> Result<(), AppendError> {
        // It takes the number, and so the place, of the one that is prepared; which must not be in the making then. That one is
        // only given up when the larger one is there.
        let _ = self.preparer.settle();
        let number = self.current.segment.number + 1;
        let file_bytes = bytes as u64 + u64::from(SEGMENT_HEADER_BYTES);
        let larger = self.workshop.make_reserved(number, file_bytes).map_err(|error| {
            tracing::error!(%error, bytes, "no segment can be made for a large record");
            AppendError::Full
        })?;
        self.preparer.take();
        self.shared.segments.insert(Arc::clone(&larger.segment));
        self.switch_to(larger)
    }

    fn switch_to(&mut self, next: Writable) -> Result<(), AppendError> {
        // Recovery takes it for granted that a segment is whole when there is something in the next one.
        if let Err(error) = self.sync() {
            return Err(self.fail("sync", &error));
        }
        self.preparer.ask(next.segment.number + 1, self.host.now());
        let before = self.current.segment.number;
        let is_dead = self.shared.references.lock().write_to(next.segment.number);
        if is_dead && self.shared.note_dead(&[before]) {
            self.checkpoints.request();
        }
        self.current = next;
        self.end = SEGMENT_HEADER_BYTES;
        self.synced_to = SEGMENT_HEADER_BYTES;
        Ok(())
    }

    fn become_full(&mut self, error: &io::Error) {
        let what = if is_no_room(error) { "the disk is full" } else { "no segment can be made" };
        tracing::error!(%error, "{what}: messages are refused until there is room for a segment");
        self.unaware_shards = self.shared.shards;
        self.shared.set_state(LogState::Full);
        self.checkpoints.request();
    }

    /// When the log is full: looks whether a segment could be made meanwhile, and asks for one from time to time.
    pub(super) fn look_for_room(&mut self) {
        if !self.is_full() {
            return;
        }
        let is_known = self.unaware_shards == 0;
        if let Some(Ok(())) = self.preparer.poll()
            && is_known
        {
            tracing::info!("there is room again: messages are stored");
            self.shared.set_state(LogState::Writable);
        } else if self.host.now() >= self.preparer.asked_at() + ROOM_CHECK_INTERVAL {
            self.preparer.ask(self.current.segment.number + 1, self.host.now());
            if self.has_dead_segments() {
                self.checkpoints.request();
            }
        }
    }

    /// Whether there are segments that a checkpoint would let go.
    fn has_dead_segments(&self) -> bool {
        let references = self.shared.references.lock();
        let before = self.shared.segments.before(self.current.segment.number);
        let is_dead = |number| !references.needs(number) && !self.shared.pins.has(number);
        before.iter().any(|segment| is_dead(segment.number))
    }

    /// Refuses all that waits but small records without references.
    pub(super) fn keep_small(&mut self) {
        let shared = &self.shared;
        self.waiting.retain_mut(|Waiting { from, batch, backlog_bytes }| {
            let refused = batch.keep_small();
            refuse(shared, *from, refused, AppendError::Full);
            if batch.is_empty() {
                shared.backlog_bytes.fetch_sub(*backlog_bytes, Ordering::Relaxed);
            }
            !batch.is_empty()
        });
    }
}
