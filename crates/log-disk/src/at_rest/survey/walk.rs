//! From frame to frame, and over the holes between them. It must not know which files there are.
//!
//! The index of a whole frame says how many records are missing before it: none can vanish unseen, but behind the last one.

use log_api::{Position, VisitError};

use super::{Finding, Hole, Looked, Met, Opened, Survey, io_error};
use crate::at_rest::find::{Place, next_frame};
use crate::error::{Damage, OpenError};
use crate::frame::{FrameFault, FrameHeader};
use crate::recovery::kind_and_flags;
use crate::scanner::{Scanner, Step};
use crate::segment::SEGMENT_HEADER_BYTES;
use crate::tail::{Tail, examine, last_written};

/// No frame needs less.
const FRAME_BYTES_MIN: u64 = 32;

/// Goes through segments one after the other.
pub(super) struct Walk<'a> {
    from: Position,
    from_index: u64,
    pub(super) survey: Survey,
    visit: &'a mut dyn FnMut(Met<'_>) -> Result<(), VisitError>,
    /// The index that the next record must have, if that is known.
    expected: Option<u64>,
    /// Whether a frame behind the checkpoint has been met.
    is_behind: bool,
    /// The segment before, and the finding about what lies at its end.
    before: Option<(u32, Option<usize>)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        (from, from_index): (Position, u64),
        survey: Survey,
        visit: &'a mut dyn FnMut(Met<'_>) -> Result<(), VisitError>,
    ) -> Self {
        Self { from, from_index, survey, visit, expected: None, is_behind: false, before: None }
    }

    pub(super) fn progress(&mut self, done: u64, total: u64) -> Result<(), OpenError> {
        self.tell(self.from, Met::Progress(done, total))
    }

    fn tell(&mut self, position: Position, met: Met<'_>) -> Result<(), OpenError> {
        (self.visit)(met).map_err(|source| OpenError::Visit { position, source })
    }

    /// A segment is there that cannot be read.
    pub(super) fn gap(&mut self) {
        self.before = None;
        if !self.is_behind {
            self.expected = None;
        }
    }

    /// Goes through one segment.
    pub(super) fn segment(
        &mut self,
        number: u32,
        opened: Opened,
        last_started: u32,
    ) -> Result<(), OpenError> {
        let Opened { file, mut looked } = opened;
        if self.before.is_some_and(|(before, _)| before + 1 != number) {
            self.gap();
        }
        if number == 1 {
            self.expected = Some(0);
        }
        let is_complete = number < last_started;
        self.require_length(&looked, is_complete || looked.header.segment < self.from.segment());
        let path = looked.path.clone();
        let read = |error| io_error("read", &path)(error);
        let bytes = looked.actual_bytes.min(u64::from(u32::MAX));
        let place = Place { file: &*file, number, salt: looked.header.salt, file_bytes: bytes };
        let mut at = u64::from(SEGMENT_HEADER_BYTES);
        loop {
            let (stop, fault) = self.frames(&place, at, &mut looked)?;
            looked.end = stop;
            self.look_behind(Position::new(number, u32::try_from(stop).unwrap_or(u32::MAX)));
            if !is_complete
                && let Tail::Torn { end } =
                    examine(&*file, number, place.salt, stop, bytes).map_err(read)?
            {
                self.survey.torn_tail = Some(Finding {
                    damage: damage(&looked, stop, "a torn tail"),
                    bytes: end - stop,
                    records: None,
                    stops_start: false,
                });
                looked.spoiled_to = Some(end);
                self.before = Some((number, None));
                break;
            }
            let next = next_frame(&place, stop, self.expected).map_err(read)?;
            let Some((next, index)) = next else {
                let rest = last_written(&*file, stop, bytes).map_err(read)?;
                looked.spoiled_to = rest;
                let finding = rest.map(|end| self.tail(&looked, stop, end, fault));
                self.before = Some((number, finding));
                break;
            };
            self.hole(&mut looked, stop, next, index, fault);
            at = next;
        }
        self.survey.segments.insert(number, looked);
        Ok(())
    }

    /// Takes whole frames from there on, and says where they end.
    fn frames(
        &mut self,
        place: &Place<'_>,
        from: u64,
        looked: &mut Looked,
    ) -> Result<(u64, FrameFault), OpenError> {
        let from = u32::try_from(from).unwrap_or(u32::MAX);
        let mut scanner =
            Scanner::new(place.file, place.number, place.salt, place.file_bytes, from);
        loop {
            match scanner.step().map_err(io_error("read", &looked.path))? {
                Step::Stop { offset, fault } => return Ok((offset, fault)),
                Step::Frame { at, header, body } => {
                    self.look_behind(at);
                    if self.expected.is_some_and(|expected| header.index < expected) {
                        return Ok((u64::from(at.offset()), FrameFault::Checksum));
                    }
                    self.frame(at, &header, body, looked)?;
                }
            }
        }
    }

    /// What lies there is behind the checkpoint from some point on: then the checkpoint says which record comes next, if
    /// nobody else does.
    fn look_behind(&mut self, at: Position) {
        if !self.is_behind && at >= self.from {
            self.is_behind = true;
            self.expected.get_or_insert(self.from_index);
        }
    }

    fn frame(
        &mut self,
        at: Position,
        header: &FrameHeader,
        body: &[u8],
        looked: &mut Looked,
    ) -> Result<(), OpenError> {
        if let Some(expected) = self.expected.filter(|expected| header.index > *expected) {
            self.settle_before(at, expected, header.index);
            // The checkpoint knows what those before it said.
            if self.is_behind && header.index > self.from_index {
                self.tell(at, Met::Lost)?;
            }
        }
        let lost = header.lost(body);
        self.expected = Some(header.index.saturating_add(lost.unwrap_or(1)));
        if lost.is_some() {
            looked.filled.push(u64::from(at.offset()));
            if self.is_behind {
                let what =
                    "records were lost here, and the checkpoint that a repair made is not there";
                let damage = damage(looked, u64::from(at.offset()), what);
                let (bytes, records) = (header.frame_bytes(), lost);
                self.survey.findings.push(Finding { damage, bytes, records, stops_start: true });
                self.tell(at, Met::Lost)?;
            }
            return Ok(());
        }
        let kind = kind_and_flags(&looked.path, at, header)?;
        self.survey.records += 1;
        if self.is_behind {
            self.tell(at, Met::Record { kind, at, body })?;
        }
        Ok(())
    }

    /// Records are missing before the first frame of a segment: they lay at the end of the one before.
    fn settle_before(&mut self, at: Position, expected: u64, index: u64) {
        if at.offset() != SEGMENT_HEADER_BYTES {
            return;
        }
        let Some((before, finding)) = self.before.take() else { return };
        let records = index - expected;
        let Some(looked) = self.survey.segments.get_mut(&before) else { return };
        let (start, end) = (looked.end, looked.end + FRAME_BYTES_MIN);
        if end <= looked.header.file_bytes {
            looked.holes.push(Hole { start, end, index: expected, records });
        }
        match finding.and_then(|finding| self.survey.findings.get_mut(finding)) {
            Some(finding) => finding.records = Some(records),
            None => {
                let damage = damage(looked, start, "records are missing after this");
                let stops_start = at > self.from;
                let records = Some(records);
                self.survey.findings.push(Finding { damage, bytes: 0, records, stops_start });
            }
        }
    }

    /// There are whole frames again behind something that is none.
    fn hole(&mut self, looked: &mut Looked, start: u64, end: u64, index: u64, fault: FrameFault) {
        let first = self.expected.filter(|expected| *expected < index);
        let records = first.map(|first| index - first);
        looked.holes.push(Hole {
            start,
            end,
            index: first.unwrap_or(index.saturating_sub(1)),
            records: records.unwrap_or(1),
        });
        let stops_start =
            Position::new(looked.header.segment, u32::try_from(end).unwrap_or(u32::MAX))
                > self.from;
        let damage = damage(looked, start, fault.what());
        self.survey.findings.push(Finding { damage, bytes: end - start, records, stops_start });
    }

    /// Something lies behind the last whole frame, and no frame behind it.
    fn tail(&mut self, looked: &Looked, stop: u64, end: u64, fault: FrameFault) -> usize {
        let what = match fault {
            FrameFault::Nothing => "something lies behind the last record",
            fault => fault.what(),
        };
        let damage = damage(looked, stop, what);
        let stops_start = looked.header.segment >= self.from.segment();
        // Unless the next frame says otherwise, none.
        let records = Some(0);
        self.survey.findings.push(Finding { damage, bytes: end - stop, records, stops_start });
        self.survey.findings.len() - 1
    }

    fn require_length(&mut self, looked: &Looked, is_complete: bool) {
        if is_complete && looked.actual_bytes < looked.header.file_bytes {
            let damage = damage(looked, looked.actual_bytes, "the file has been cut short");
            let bytes = looked.header.file_bytes - looked.actual_bytes;
            self.survey.findings.push(Finding { damage, bytes, records: None, stops_start: true });
        }
    }

    pub(super) fn finish(mut self) -> Survey {
        self.survey.next_index = self.expected.unwrap_or(self.from_index).max(self.from_index);
        self.survey
    }
}

fn damage(looked: &Looked, offset: u64, what: &str) -> Damage {
    Damage { file: looked.path.clone(), offset, what: what.to_owned() }
}
