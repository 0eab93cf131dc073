//! One turn's appends of one shard, laid out as the frames that will be written.
//! It must not know what a log puts into a frame's header.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use crate::{FailedRecord, RecordKind, ShardSet};

/// Room kept before each body, for the log to fill in.
pub const FRAME_HEADER_BYTES: usize = 28;

/// Room kept between the header and a body whose head can be read without the rest, for the log to fill in.
pub const HEAD_MARK_BYTES: usize = 8;

/// Frames begin at multiples of this.
pub const FRAME_ALIGNMENT: usize = 8;

/// A log that is full still takes records without references that are no messages and whose bodies are no longer than
/// this.
pub const SMALL_BODY_BYTES_MAX: usize = 64 * 1024;

/// Bytes of the frame around a body of that length.
#[must_use]
pub const fn frame_bytes(body_bytes: usize) -> usize {
    (FRAME_HEADER_BYTES + body_bytes).next_multiple_of(FRAME_ALIGNMENT)
}

/// One turn's appends of one shard, in order.
///
/// ```text
/// buffer:  [room for a header | body | zeros to a multiple of 8] [room | room for a mark | head | rest | zeros] …
/// ```
/// The log fills the headers in place and writes the buffer as it is: a body is copied once, by whoever encodes it.
#[derive(Default)]
pub struct AppendBatch {
    buffer: Vec<u8>,
    records: Vec<PendingRecord>,
}

/// What a log must know of a record that it has not stored yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PendingRecord {
    /// What it is.
    pub kind: RecordKind,
    /// The slice of the durable data that it belongs to.
    pub partition: u16,
    /// How many readers hold the body live; 0 when nobody will read it but replay.
    pub references: u32,
    /// The shards that are told of the commit.
    pub notify: ShardSet,
    /// The appender's own mark, given back with the commit or the failure.
    pub token: u64,
    /// Whether it may be committed when it is written, and synced a little later. A power cut may lose it then.
    pub relaxed: bool,
    /// Where its frame begins in the buffer of the batch.
    pub frame_start: usize,
    /// Length of the body.
    pub body_bytes: usize,
    /// How much of it, from its beginning, is read without the rest ([`Log::read_heads`](crate::Log::read_heads)); 0 when
    /// it is one piece.
    pub head_bytes: usize,
}

impl PendingRecord {
    /// Where the frame ends in the buffer of the batch.
    #[must_use]
    pub const fn frame_end(&self) -> usize {
        self.frame_start + frame_bytes(self.mark_bytes() + self.body_bytes)
    }

    /// Bytes between the header and the body.
    #[must_use]
    pub const fn mark_bytes(&self) -> usize {
        if self.head_bytes == 0 { 0 } else { HEAD_MARK_BYTES }
    }

    /// Whether a full log takes it still: it helps to free room, and needs little.
    #[must_use]
    pub const fn is_small(&self) -> bool {
        // That a delayed message was published is worth nothing without the message.
        let is_message = matches!(self.kind, RecordKind::Publish | RecordKind::Delayed);
        !is_message && self.references == 0 && self.body_bytes <= SMALL_BODY_BYTES_MAX
    }

    /// Where the body begins in the buffer of the batch.
    #[must_use]
    pub const fn body_start(&self) -> usize {
        self.frame_start + FRAME_HEADER_BYTES + self.mark_bytes()
    }

    /// Where the body lies in the buffer of the batch.
    #[must_use]
    pub const fn body(&self) -> Range<usize> {
        self.body_start()..self.body_start() + self.body_bytes
    }
}

impl AppendBatch {
    /// Nothing to append.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing has been pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Bytes that will be written, headers included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Adds a record; `write_body` extends the buffer by its body, and leaves what is there before alone.
    ///
    /// `notify` names the shards that get the committed record (the appender only if it is named too). `references` says how
    /// many readers hold the body live until they release it. `token` is the appender's own mark.
    pub fn push(
        &mut self,
        kind: RecordKind,
        partition: u16,
        references: u32,
        notify: ShardSet,
        token: u64,
        write_body: impl FnOnce(&mut Vec<u8>),
    ) {
        let frame_start = self.begin_frame(0);
        write_body(&mut self.buffer);
        let body_bytes = self.written_since(frame_start + FRAME_HEADER_BYTES);
        self.end_frame(PendingRecord {
            kind,
            partition,
            references,
            notify,
            token,
            relaxed: false,
            frame_start,
            body_bytes,
            head_bytes: 0,
        });
    }

    /// Adds a record whose body has a head that many readers want without the rest, which may be long. The head must not
    /// be empty.
    #[expect(clippy::too_many_arguments, reason = "as push, with two halves")]
    pub fn push_in_two(
        &mut self,
        kind: RecordKind,
        partition: u16,
        references: u32,
        notify: ShardSet,
        token: u64,
        write_head: impl FnOnce(&mut Vec<u8>),
        write_rest: impl FnOnce(&mut Vec<u8>),
    ) {
        let frame_start = self.begin_frame(HEAD_MARK_BYTES);
        let body_start = frame_start + FRAME_HEADER_BYTES + HEAD_MARK_BYTES;
        write_head(&mut self.buffer);
        let head_bytes = self.written_since(body_start);
        assert!(head_bytes > 0, "a head must not be empty");
        write_rest(&mut self.buffer);
        let body_bytes = self.written_since(body_start);
        self.end_frame(PendingRecord {
            kind,
            partition,
            references,
            notify,
            token,
            relaxed: false,
            frame_start,
            body_bytes,
            head_bytes,
        });
    }

    /// Makes room for a header and what follows it, and says where the frame begins.
    fn begin_frame(&mut self, mark_bytes: usize) -> usize {
        let frame_start = self.buffer.len();
        self.buffer.resize(frame_start + FRAME_HEADER_BYTES + mark_bytes, 0);
        frame_start
    }

    fn written_since(&self, start: usize) -> usize {
        self.buffer.len().checked_sub(start).expect("write_body only extends the buffer")
    }

    fn end_frame(&mut self, record: PendingRecord) {
        self.buffer.resize(record.frame_end(), 0);
        self.records.push(record);
    }

    /// Lets the last record be committed when it is written, see [`PendingRecord::relaxed`]. Those written with it may need
    /// more: then it is synced with them.
    pub fn relax_last(&mut self) {
        if let Some(record) = self.records.last_mut() {
            record.relaxed = true;
        }
    }

    /// The records in order.
    #[must_use]
    pub fn records(&self) -> &[PendingRecord] {
        &self.records
    }

    /// A record's body.
    #[must_use]
    pub fn body(&self, record: &PendingRecord) -> &[u8] {
        &self.buffer[record.body()]
    }

    /// Keeps the small records (see [`PendingRecord::is_small`]), and gives the others back.
    pub fn keep_small(&mut self) -> Vec<FailedRecord> {
        if self.records.iter().all(PendingRecord::is_small) {
            return Vec::new();
        }
        let mut kept = Self::new();
        for record in self.records.iter().filter(|record| record.is_small()) {
            let frame_start = kept.buffer.len();
            kept.buffer.extend_from_slice(&self.buffer[record.frame_start..record.frame_end()]);
            kept.records.push(PendingRecord { frame_start, ..*record });
        }
        let (buffer, mut records) = std::mem::replace(self, kept).into_parts();
        records.retain(|record| !record.is_small());
        failed_records(buffer, &records)
    }

    /// Takes off the records that do not fit into so many bytes, but keeps the first one. `None` when there are none.
    #[must_use]
    pub fn split_off(&mut self, bytes: usize) -> Option<Self> {
        let fits = |record: &PendingRecord| record.frame_end() <= bytes;
        let kept = self.records.partition_point(fits).max(1);
        let at = self.records.get(kept)?.frame_start;
        let buffer = self.buffer.split_off(at);
        let mut records = self.records.split_off(kept);
        records.iter_mut().for_each(|record| record.frame_start -= at);
        Some(Self { buffer, records })
    }

    /// All records, to be told that they are not stored.
    #[must_use]
    pub fn into_failed(self) -> Vec<FailedRecord> {
        let (buffer, records) = self.into_parts();
        failed_records(buffer, &records)
    }

    /// The buffer and the records, for a log to write.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Vec<PendingRecord>) {
        (self.buffer, self.records)
    }
}

/// Records of a batch's buffer that are not stored.
#[must_use]
pub fn failed_records(buffer: Vec<u8>, records: &[PendingRecord]) -> Vec<FailedRecord> {
    let buffer = Bytes::from(buffer);
    let failed = |record: &PendingRecord| FailedRecord {
        kind: record.kind,
        token: record.token,
        body: buffer.slice(record.body()),
    };
    records.iter().map(failed).collect()
}

impl fmt::Debug for AppendBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppendBatch")
            .field("bytes", &self.bytes())
            .field("records", &self.records)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ShardId;

    fn tokens(batch: &AppendBatch) -> Vec<u64> {
        batch.records().iter().map(|record| record.token).collect()
    }

    #[test]
    fn bodies_lie_between_room_for_headers_and_zeros() {
        let bodies: [&[u8]; 5] = [b"", b"a", b"four", b"five!", &[0xFF; 300]];
        let mut batch = AppendBatch::new();
        assert!(batch.is_empty());
        for (n, body) in bodies.iter().enumerate() {
            let notify = ShardSet::single(ShardId(n as u16));
            batch.push(RecordKind::Publish, 3, 2, notify, n as u64, |out| {
                out.extend_from_slice(body)
            });
        }
        assert_eq!(batch.len(), bodies.len());
        assert_eq!(batch.bytes(), 32 + 32 + 32 + 40 + 328);
        let mut end = 0;
        for (n, (record, body)) in batch.records().iter().zip(bodies).enumerate() {
            assert_eq!(record.frame_start, end);
            assert_eq!(record.frame_start % FRAME_ALIGNMENT, 0);
            assert_eq!((record.token, record.partition, record.references), (n as u64, 3, 2));
            assert_eq!(batch.body(record), body);
            end = record.frame_end();
        }
        assert_eq!(tokens(&batch), [0, 1, 2, 3, 4]);
        let (buffer, records) = batch.into_parts();
        assert_eq!(buffer.len(), end);
        let zeros = |range: std::ops::Range<usize>| buffer[range].iter().all(|byte| *byte == 0);
        for record in records {
            assert!(zeros(record.frame_start..record.body_start()));
            assert!(zeros(record.body_start() + record.body_bytes..record.frame_end()));
        }
    }

    #[test]
    fn a_batch_is_split_between_records() {
        let sizes = [100, 0, 300, 5];
        let whole = || {
            let mut batch = AppendBatch::new();
            for (token, bytes) in (0_u64..).zip(sizes) {
                batch.push(RecordKind::Publish, 0, 1, ShardSet::EMPTY, token, |out| {
                    out.resize(out.len() + bytes, token as u8);
                });
            }
            batch
        };
        let ends: Vec<usize> = whole().records().iter().map(PendingRecord::frame_end).collect();
        for bytes in 0..whole().bytes() + 10 {
            let mut batch = whole();
            let rest = batch.split_off(bytes);
            let kept = ends.iter().filter(|end| **end <= bytes).count().max(1);
            assert_eq!(batch.bytes(), ends[kept - 1]);
            let all = batch.len() + rest.as_ref().map_or(0, AppendBatch::len);
            assert_eq!(
                (batch.len(), all, rest.is_none()),
                (kept, sizes.len(), kept == sizes.len())
            );
            let mut token = 0;
            for part in [Some(batch), rest].into_iter().flatten() {
                assert_eq!(part.bytes(), part.records().last().unwrap().frame_end());
                for record in part.records() {
                    assert_eq!(record.token, token);
                    assert_eq!(part.body(record), vec![token as u8; sizes[token as usize]]);
                    token += 1;
                }
            }
        }
        assert!(AppendBatch::new().split_off(0).is_none());
    }

    #[test]
    fn a_body_in_two_lies_behind_room_for_a_mark() {
        let mut batch = AppendBatch::new();
        let all = ShardSet::EMPTY;
        let whole = |out: &mut Vec<u8>| out.extend_from_slice(b"whole");
        batch.push(RecordKind::Settle, 0, 0, all, 1, whole);
        let head = |out: &mut Vec<u8>| out.extend_from_slice(b"head");
        let rest = |out: &mut Vec<u8>| out.extend_from_slice(&[7; 100]);
        batch.push_in_two(RecordKind::Settle, 0, 0, all, 2, head, rest);
        batch.push_in_two(RecordKind::Settle, 0, 1, all, 3, head, |_| {});
        batch.push(RecordKind::Settle, 0, 0, all, 4, whole);
        let check = |batch: &AppendBatch, token: u64, head_bytes, body: &[u8]| {
            let record = batch.records().iter().find(|record| record.token == token).unwrap();
            assert_eq!((record.head_bytes, batch.body(record)), (head_bytes, body));
            let mark = if head_bytes > 0 { HEAD_MARK_BYTES } else { 0 };
            assert_eq!(record.body_start(), record.frame_start + FRAME_HEADER_BYTES + mark);
            assert_eq!(record.frame_end() % FRAME_ALIGNMENT, 0);
        };
        let long = [&b"head"[..], &[7; 100]].concat();
        let check_all = |batch: &AppendBatch| {
            check(batch, 1, 0, b"whole");
            check(batch, 2, 4, &long);
            check(batch, 4, 0, b"whole");
        };
        check_all(&batch);
        check(&batch, 3, 4, b"head");
        assert_eq!(batch.keep_small().len(), 1);
        check_all(&batch);
    }

    #[test]
    fn a_full_log_keeps_the_small_records_without_references() {
        let sizes =
            [(0, 10), (1, 10), (0, SMALL_BODY_BYTES_MAX), (0, SMALL_BODY_BYTES_MAX + 1), (0, 0)];
        let mut batch = AppendBatch::new();
        for (token, (references, bytes)) in (0_u64..).zip(sizes) {
            batch.push(RecordKind::Settle, 0, references, ShardSet::EMPTY, token, |out| {
                out.resize(out.len() + bytes, token as u8);
            });
        }
        let refused = batch.keep_small();
        for (record, token) in refused.iter().zip([1, 3]) {
            assert_eq!(record.token, token);
            assert_eq!(record.body, vec![token as u8; sizes[token as usize].1]);
        }
        assert_eq!(refused.len(), 2);
        assert_eq!(tokens(&batch), [0, 2, 4]);
        for record in batch.records() {
            assert!(batch.body(record).iter().all(|byte| u64::from(*byte) == record.token));
            assert_eq!(record.body_bytes, sizes[record.token as usize].1);
        }
        assert_eq!(batch.keep_small(), []);
        assert_eq!(batch.len(), 3);
    }
}
