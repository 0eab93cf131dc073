//! The record of what happened in a stream: messages that left it, readers that have come on or are forgotten.

use mqtt_router::SinkId;
use stream_engine::{Departure, Offset, Progress, ReaderName};

use super::codec::{Reader, RecordError, put_ranges, put_text, put_varint};

const VERSION: u8 = 1;
/// How the kinds of readers are numbered. Never reused.
const CLIENT: u8 = 1;
const GROUP: u8 = 2;

/// What happened in a stream since its last such record.
///
/// ```text
/// version u8 | sink u32 | groups varint | { left u8 | runs varint | { gap varint | length varint } ... } ...
/// | forgotten varint | { reader } ... | positions varint
/// | { reader | position varint | delivered_to varint | rejected varint | skipped varint } ...
/// reader: kind u8 (client 1, group 2) | name (u16 + bytes)
/// ```
/// Runs are of consecutive offsets in ascending order; a gap counts from the end of the run before. Who is forgotten is
/// so before the positions: one of the same name has begun anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamRecord {
    /// The stream.
    pub sink: SinkId,
    /// Offsets that left, by how, as ranges in ascending order.
    pub left: Vec<(Departure, Vec<std::ops::Range<u64>>)>,
    /// Readers whose positions are not kept any more.
    pub forgotten: Vec<ReaderName>,
    /// How far readers have come.
    pub positions: Vec<(ReaderName, Progress)>,
}

impl StreamRecord {
    /// A record that says nothing yet.
    #[must_use]
    pub const fn new(sink: SinkId) -> Self {
        Self { sink, left: Vec::new(), forgotten: Vec::new(), positions: Vec::new() }
    }

    /// Appends the body of the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.extend_from_slice(&self.sink.0.to_le_bytes());
        put_varint(out, self.left.len() as u64);
        for (left, ranges) in &self.left {
            out.push(left.number());
            put_ranges(out, ranges);
        }
        put_varint(out, self.forgotten.len() as u64);
        self.forgotten.iter().for_each(|reader| put_reader(out, reader));
        put_varint(out, self.positions.len() as u64);
        for (reader, progress) in &self.positions {
            put_reader(out, reader);
            let Progress { position, delivered_to, rejected, skipped } = *progress;
            for number in [position.0, delivered_to.0, rejected, skipped] {
                put_varint(out, number);
            }
        }
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader { record: "stream", rest: body };
        reader.version(VERSION)?;
        let mut record = Self::new(SinkId(reader.u32()?));
        for _ in 0..reader.varint()? {
            let how = Departure::from_number(reader.u8()?)
                .ok_or_else(|| reader.error("a way to leave is unknown"))?;
            record.left.push((how, reader.ranges()?));
        }
        for _ in 0..reader.varint()? {
            record.forgotten.push(take_reader(&mut reader)?);
        }
        for _ in 0..reader.varint()? {
            let name = take_reader(&mut reader)?;
            let progress = Progress {
                position: Offset(reader.varint()?),
                delivered_to: Offset(reader.varint()?),
                rejected: reader.varint()?,
                skipped: reader.varint()?,
            };
            record.positions.push((name, progress));
        }
        Ok(record)
    }
}

fn put_reader(out: &mut Vec<u8>, reader: &ReaderName) {
    out.push(if reader.is_group() { GROUP } else { CLIENT });
    put_text(out, reader.text());
}

fn take_reader(reader: &mut Reader<'_>) -> Result<ReaderName, RecordError> {
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

    #[test]
    fn what_happened_comes_out_as_it_went_in() {
        let progress = Progress {
            position: Offset(300),
            delivered_to: Offset(u64::MAX),
            rejected: 1,
            skipped: 1 << 40,
        };
        let record = StreamRecord {
            sink: SinkId(7),
            left: vec![
                (Departure::Expired, vec![0..3, 5..6, 1000..5000]),
                (Departure::Purged, vec![3..4, 9..12]),
            ],
            forgotten: vec![ReaderName::client("meter"), ReaderName::group("")],
            positions: vec![
                (ReaderName::client("meter"), progress),
                (ReaderName::group("meter"), Progress::default()),
            ],
        };
        let mut body = Vec::new();
        record.encode(&mut body);
        assert_eq!(StreamRecord::decode(&body).as_ref(), Ok(&record));
        for cut in 0..body.len() {
            assert!(StreamRecord::decode(&body[..cut]).is_err(), "cut at {cut}");
        }
        let empty = StreamRecord::new(SinkId(7));
        body.clear();
        empty.encode(&mut body);
        assert_eq!(body, [1, 7, 0, 0, 0, 0, 0, 0]);
    }
}
