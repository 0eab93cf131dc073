//! One turn's appends of one shard, laid out as the frames that will be written.
//! It must not know what a log puts into a frame's header.

use std::fmt;

use bytes::Bytes;

use crate::{FailedRecord, RecordKind, ShardSet};

/// Room kept before each body, for the log to fill in.
pub const FRAME_HEADER_BYTES: usize = 28;

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
/// buffer:  [room for a header | body | zeros to a multiple of 8] [room | body | zeros] …
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
    /// Length of the body, which begins [`FRAME_HEADER_BYTES`] after the frame.
    pub body_bytes: usize,
}

impl PendingRecord {
    /// Where the frame ends in the buffer of the batch.
    #[must_use]
    pub const fn frame_end(&self) -> usize {
        self.frame_start + frame_bytes(self.body_bytes)
    }

    /// Whether a full log takes it still: it helps to free room, and needs little.
    #[must_use]
    pub const fn is_small(&self) -> bool {
        let is_message = matches!(self.kind, RecordKind::Publish);
        !is_message && self.references == 0 && self.body_bytes <= SMALL_BODY_BYTES_MAX
    }

    /// Where the body begins in the buffer of the batch.
    #[must_use]
    pub const fn body_start(&self) -> usize {
        self.frame_start + FRAME_HEADER_BYTES
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
        let frame_start = self.buffer.len();
        let body_start = frame_start + FRAME_HEADER_BYTES;
        self.buffer.resize(body_start, 0);
        write_body(&mut self.buffer);
        let body_bytes =
            self.buffer.len().checked_sub(body_start).expect("write_body only extends the buffer");
        self.buffer.resize(frame_start + frame_bytes(body_bytes), 0);
        self.records.push(PendingRecord {
            kind,
            partition,
            references,
            notify,
            token,
            relaxed: false,
            frame_start,
            body_bytes,
        });
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
        &self.buffer[record.body_start()..record.body_start() + record.body_bytes]
    }

    /// Keeps the small records (see [`PendingRecord::is_small`]), and gives the others back.
    pub fn keep_small(&mut self) -> Vec<FailedRecord> {
        if self.records.iter().all(PendingRecord::is_small) {
            return Vec::new();
        }
        let mut kept = Self::new();
        for record in self.records.iter().filter(|record| record.is_small()) {
            let PendingRecord { kind, partition, references, notify, token, .. } = *record;
            let body = self.body(record);
            kept.push(kind, partition, references, notify, token, |out| {
                out.extend_from_slice(body)
            });
        }
        let (buffer, mut records) = std::mem::replace(self, kept).into_parts();
        records.retain(|record| !record.is_small());
        failed_records(buffer, &records)
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
        body: buffer.slice(record.body_start()..record.body_start() + record.body_bytes),
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
