//! The record of what happened in a stream: messages that left it, readers that have come on or are forgotten.

use std::ops::Range;

use mqtt_router::SinkId;
use stream_engine::{Departure, Offset, Progress, ReaderName, Report, Runs};

use super::codec::{Reader, RecordError, put_ranges, put_text, put_varint};

const VERSION: u8 = 2;
/// Readers are named wherever they are meant, and nothing is said of what they have settled above their positions.
const BY_NAME: u8 = 1;
/// How the kinds of readers are numbered. Never reused.
const CLIENT: u8 = 1;
const GROUP: u8 = 2;
/// What is said of readers beside their positions.
const MANY: u8 = 0b0001;
const COUNTS: u8 = 0b0010;
const SETTLED: u8 = 0b0100;
const BEGINS: u8 = 0b1000;

/// What happened in a stream since its last such record.
///
/// ```text
/// version u8 = 2 | sink u32 | groups varint | { left u8 | runs varint | { gap varint | length varint } ... } ...
/// | forgotten varint | { reader } ... | named varint | { gap varint | reader } ...
/// | top varint | reports varint | { gap varint | what u8 (many 0, counts 1, settled 2, begins 3) | [many: count varint]
///                                 | below varint | ahead varint | [counts: rejected varint | skipped varint]
///                                 | [settled: runs varint | { gap varint | length varint } ...] } ...
/// reader: kind u8 (client 1, group 2) | name (u16 + bytes)
/// ```
/// Runs are of consecutive offsets in ascending order; a gap counts from the end of the run before. Who is forgotten is
/// so before the rest: one of the same name has begun anew.
///
/// A number stands for a reader from the record on that names it. Numbers ascend, and a gap counts from behind the one
/// before. A report is of one number, or of as many in a row as stand at the same place. A position is so far below `top`,
/// the highest of the record; what was delivered goes so far ahead of it; and settled offsets count from it.
///
/// Version 1 has, in place of all that is by number, `positions varint | { reader | position varint | delivered_to varint
/// | rejected varint | skipped varint } ...`, of which the last of a reader holds. It is written where nothing is said of
/// readers but that they are forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamRecord {
    /// The stream.
    pub sink: SinkId,
    /// Offsets that left, by how, as ranges in ascending order.
    pub left: Vec<(Departure, Vec<Range<u64>>)>,
    /// Readers whose positions are not kept any more.
    pub forgotten: Vec<ReaderName>,
    /// How far readers have come, as version 1 says it.
    pub positions: Vec<(ReaderName, Progress)>,
    /// Whom numbers stand for from here on, in ascending order.
    pub named: Vec<(u64, ReaderName)>,
    /// What is reported of readers by their numbers, in ascending order. Those that nobody has named are passed over: a
    /// checkpoint has them as they are.
    pub reports: Vec<(Range<u64>, Report)>,
}

impl StreamRecord {
    /// A record that says nothing yet.
    #[must_use]
    pub const fn new(sink: SinkId) -> Self {
        Self {
            sink,
            left: Vec::new(),
            forgotten: Vec::new(),
            positions: Vec::new(),
            named: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Appends the body of the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let is_by_name = self.named.is_empty() && self.reports.is_empty();
        out.push(if is_by_name { BY_NAME } else { VERSION });
        out.extend_from_slice(&self.sink.0.to_le_bytes());
        put_varint(out, self.left.len() as u64);
        for (left, ranges) in &self.left {
            out.push(left.number());
            put_ranges(out, ranges);
        }
        put_varint(out, self.forgotten.len() as u64);
        self.forgotten.iter().for_each(|reader| put_reader(out, reader));
        match is_by_name {
            true => self.put_positions(out),
            false => self.put_reports(out),
        }
    }

    fn put_positions(&self, out: &mut Vec<u8>) {
        put_varint(out, self.positions.len() as u64);
        for (reader, progress) in &self.positions {
            put_reader(out, reader);
            let Progress { position, delivered_to, rejected, skipped } = *progress;
            for number in [position.0, delivered_to.0, rejected, skipped] {
                put_varint(out, number);
            }
        }
    }

    fn put_reports(&self, out: &mut Vec<u8>) {
        put_varint(out, self.named.len() as u64);
        let mut next = 0;
        for (number, reader) in &self.named {
            put_varint(out, number - next);
            put_reader(out, reader);
            next = number + 1;
        }
        let positions = self.reports.iter().map(|(_, report)| report.progress.position.0);
        let top = positions.max().unwrap_or_default();
        put_varint(out, top);
        put_varint(out, self.reports.len() as u64);
        next = 0;
        for (numbers, report) in &self.reports {
            put_varint(out, numbers.start - next);
            put_report(out, top, numbers.end - numbers.start, report);
            next = numbers.end;
        }
    }

    /// Reads the body of a record.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(body: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader { record: "stream", rest: body };
        let version = reader.version(VERSION)?;
        let mut record = Self::new(SinkId(reader.u32()?));
        for _ in 0..reader.varint()? {
            let how = Departure::from_number(reader.u8()?)
                .ok_or_else(|| reader.error("a way to leave is unknown"))?;
            record.left.push((how, reader.ranges()?));
        }
        for _ in 0..reader.varint()? {
            record.forgotten.push(take_reader(&mut reader)?);
        }
        match version {
            BY_NAME => record.take_positions(&mut reader)?,
            _ => record.take_reports(&mut reader)?,
        }
        Ok(record)
    }

    fn take_positions(&mut self, reader: &mut Reader<'_>) -> Result<(), RecordError> {
        for _ in 0..reader.varint()? {
            let name = take_reader(reader)?;
            let progress = Progress {
                position: Offset(reader.varint()?),
                delivered_to: Offset(reader.varint()?),
                rejected: reader.varint()?,
                skipped: reader.varint()?,
            };
            self.positions.push((name, progress));
        }
        Ok(())
    }

    fn take_reports(&mut self, reader: &mut Reader<'_>) -> Result<(), RecordError> {
        let mut next = 0;
        for _ in 0..reader.varint()? {
            let number = reader.sum(next)?;
            self.named.push((number, take_reader(reader)?));
            next = add(reader, number, 1)?;
        }
        let top = reader.varint()?;
        next = 0;
        for _ in 0..reader.varint()? {
            let first = reader.sum(next)?;
            let what = reader.u8()?;
            let count = if what & MANY == 0 { 1 } else { reader.varint()? };
            next = add(reader, first, count)?;
            self.reports.push((first..next, take_report(reader, top, what)?));
        }
        Ok(())
    }
}

fn put_report(out: &mut Vec<u8>, top: u64, count: u64, report: &Report) {
    let Report { progress, settled, begins } = report;
    let Progress { position, delivered_to, rejected, skipped } = *progress;
    let has_counts = rejected > 0 || skipped > 0;
    let said = [
        (count > 1, MANY),
        (has_counts, COUNTS),
        (!settled.is_empty(), SETTLED),
        (*begins, BEGINS),
    ];
    out.push(said.into_iter().filter(|(is_said, _)| *is_said).map(|(_, what)| what).sum());
    if count > 1 {
        put_varint(out, count);
    }
    put_varint(out, top - position.0);
    put_varint(out, delivered_to.0 - position.0);
    if has_counts {
        put_varint(out, rejected);
        put_varint(out, skipped);
    }
    if !settled.is_empty() {
        let above = settled.iter().map(|run| run.start - position.0..run.end - position.0);
        put_ranges(out, &above.collect::<Vec<_>>());
    }
}

fn take_report(reader: &mut Reader<'_>, top: u64, what: u8) -> Result<Report, RecordError> {
    let below = reader.varint()?;
    let position = top.checked_sub(below).ok_or_else(|| reader.error("a position is below 0"))?;
    let delivered_to = Offset(reader.sum(position)?);
    let position = Offset(position);
    let mut progress = Progress { position, delivered_to, ..Progress::default() };
    if what & COUNTS != 0 {
        (progress.rejected, progress.skipped) = (reader.varint()?, reader.varint()?);
    }
    let mut settled = Runs::default();
    if what & SETTLED != 0 {
        for run in reader.ranges()? {
            let start = add(reader, position.0, run.start)?;
            settled.add(start..add(reader, position.0, run.end)?);
        }
    }
    Ok(Report { progress, settled, begins: what & BEGINS != 0 })
}

fn add(reader: &Reader<'_>, one: u64, other: u64) -> Result<u64, RecordError> {
    one.checked_add(other).ok_or_else(|| reader.error("a number is too large"))
}

/// `kind u8 (client 1, group 2) | name`
pub(super) fn put_reader(out: &mut Vec<u8>, reader: &ReaderName) {
    out.push(if reader.is_group() { GROUP } else { CLIENT });
    put_text(out, reader.text());
}

pub(super) fn take_reader(reader: &mut Reader<'_>) -> Result<ReaderName, RecordError> {
    let kind = reader.u8()?;
    let name = reader.text()?;
    match kind {
        CLIENT => Ok(ReaderName::client(name)),
        GROUP => Ok(ReaderName::group(name)),
        _ => Err(reader.error("a kind of reader is unknown")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &StreamRecord, version: u8) {
        let mut body = Vec::new();
        record.encode(&mut body);
        assert_eq!(body[0], version);
        assert_eq!(StreamRecord::decode(&body).as_ref(), Ok(record));
        for cut in 0..body.len() {
            assert!(StreamRecord::decode(&body[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn what_happened_comes_out_as_it_went_in() {
        let at = |position, delivered_to| Progress {
            position: Offset(position),
            delivered_to: Offset(delivered_to),
            ..Progress::default()
        };
        let progress = Progress { rejected: 1, skipped: 1 << 40, ..at(300, u64::MAX) };
        let record = StreamRecord {
            left: vec![
                (Departure::Expired, vec![0..3, 5..6, 1000..5000]),
                (Departure::Purged, vec![3..4, 9..12]),
            ],
            forgotten: vec![ReaderName::client("meter"), ReaderName::group("")],
            ..StreamRecord::new(SinkId(7))
        };
        check(&record, BY_NAME);
        let positions = vec![
            (ReaderName::client("meter"), progress),
            (ReaderName::group("meter"), Progress::default()),
        ];
        check(&StreamRecord { positions, ..record.clone() }, BY_NAME);
        let report = |progress, begins| Report { progress, begins, ..Report::default() };
        let settled: Runs = [300..301, 305..400].into_iter().collect();
        let by_number = StreamRecord {
            named: vec![(0, ReaderName::client("meter")), (9, ReaderName::group("meter"))],
            reports: vec![
                (0..1, report(progress, true)),
                (1..9, report(at(5, 5), false)),
                (9..u64::MAX, Report { settled, ..report(progress, false) }),
            ],
            ..record
        };
        check(&by_number, VERSION);
        let mut body = Vec::new();
        StreamRecord::new(SinkId(7)).encode(&mut body);
        assert_eq!(body, [1, 7, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn numbers_that_are_too_large_are_refused() {
        let refused = |section: &[u8]| {
            let body = [&[2, 7, 0, 0, 0, 0, 0][..], section].concat();
            StreamRecord::decode(&body).expect_err("it is not legal").what
        };
        let most = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
        let with = |before: &[u8], behind: &[u8]| refused(&[before, &most, behind].concat());
        let too_large = "a number is too large";
        assert_eq!(with(&[1], &[1, 0, 0]), too_large, "a number that stands for somebody");
        assert_eq!(with(&[0, 5, 1, 1, MANY], &[]), too_large, "so many in a row");
        assert_eq!(refused(&[0, 5, 1, 1, 0, 6, 0]), "a position is below 0");
        assert_eq!(with(&[0, 5, 1, 1, 0, 0], &[]), too_large, "what was delivered");
        assert_eq!(with(&[0, 5, 1, 1, SETTLED, 0, 0, 1], &[0]), too_large, "what is settled");
    }
}
