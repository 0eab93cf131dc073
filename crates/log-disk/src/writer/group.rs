//! One group: sealed, written, synced, told. It must not know where segments come from.

use std::io::IoSlice;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use log_api::{
    AppendBatch, AppendError, CommittedRecord, FRAME_HEADER_BYTES, LogEvent, PendingRecord,
    Position, ShardId, failed_records,
};

use super::{Writer, refuse};
use crate::config::SyncMode;
use crate::frame::FrameHeader;

/// The batches that are written as one.
struct Group {
    batches: Vec<Sealed>,
    /// Where it begins in the segment.
    start: u32,
    end: u32,
    next_index: u64,
    references: u64,
    /// Whether none of its records must be synced before it is committed.
    relaxed: bool,
}

/// A batch whose headers are filled in.
struct Sealed {
    from: ShardId,
    start: u32,
    buffer: Vec<u8>,
    records: Vec<PendingRecord>,
}

impl Writer {
    /// Writes as many of the batches that wait as fit, and tells the shards.
    pub(super) fn write_group(&mut self) {
        let group = self.seal_group();
        if group.batches.is_empty() {
            return;
        }
        match self.store(&group) {
            Ok(()) => self.tell(group),
            Err(error) => {
                for batch in group.batches {
                    let Sealed { from, buffer, records, .. } = batch;
                    let records = failed_records(buffer, &records);
                    refuse(&self.shared, from, records, error.clone());
                }
            }
        }
    }

    /// Takes the batches that fit and fills in their headers.
    fn seal_group(&mut self) -> Group {
        let (start, next_index) = (self.end, self.next_index);
        let mut group = Group {
            batches: Vec::new(),
            start,
            end: start,
            next_index,
            references: 0,
            relaxed: true,
        };
        let room = self.current.segment.file_bytes;
        while let Some(waiting) = self.waiting.front() {
            let bytes = waiting.batch.bytes() as u64;
            let group_bytes = u64::from(group.end - start) + bytes;
            let is_enough =
                !group.batches.is_empty() && group_bytes > u64::from(self.config.group_bytes_max);
            if is_enough || u64::from(group.end) + bytes > room {
                break;
            }
            let Some(waiting) = self.waiting.pop_front() else { break };
            self.shared.backlog_bytes.fetch_sub(waiting.backlog_bytes, Ordering::Relaxed);
            self.seal(&mut group, waiting.from, waiting.batch);
        }
        group
    }

    fn seal(&self, group: &mut Group, from: ShardId, batch: AppendBatch) {
        let segment = &self.current.segment;
        let (mut buffer, records) = batch.into_parts();
        let start = group.end;
        for record in &records {
            let (body_bytes, head_bytes) = (record.body_bytes as u32, record.head_bytes as u32);
            let header = FrameHeader {
                body_bytes,
                kind: record.kind.number(),
                flags: 0,
                partition: record.partition,
                references: record.references,
                batch_start: self.synced_to,
                index: group.next_index,
            };
            let header = header.set_body(body_bytes, head_bytes);
            let at = Position::new(segment.number, start + record.frame_start as u32);
            let frame = &mut buffer[record.frame_start..record.frame_end()];
            if head_bytes > 0 {
                header.mark_head(segment.salt, at, head_bytes, frame);
            }
            header.seal(segment.salt, at, frame);
            group.next_index += 1;
            group.references += u64::from(record.references);
            group.relaxed &= record.relaxed;
        }
        group.end += buffer.len() as u32;
        group.batches.push(Sealed { from, start, buffer, records });
    }

    /// Writes the group, and syncs it if that is wanted.
    fn store(&mut self, group: &Group) -> Result<(), AppendError> {
        let offset = u64::from(group.start);
        let mut buffers =
            group.batches.iter().map(|batch| IoSlice::new(&batch.buffer)).collect::<Vec<_>>();
        if let Err(error) = self.current.open.write_at(offset, &mut buffers) {
            self.withdraw(group);
            return Err(self.fail("write to", &error));
        }
        self.end = group.end;
        self.unsynced_since.get_or_insert_with(|| self.host.now());
        if self.config.sync == SyncMode::Always
            && !group.relaxed
            && let Err(error) = self.sync()
        {
            self.withdraw(group);
            return Err(self.fail("sync", &error));
        }
        self.next_index = group.next_index;
        Ok(())
    }

    /// Spoils the first header of a group that failed: its appenders are told that it is not stored, so a restart must not find
    /// it. Best effort, for the disk that fails here is the one that just failed.
    fn withdraw(&mut self, group: &Group) {
        self.end = group.start;
        let zeros = [0; FRAME_HEADER_BYTES];
        if let Err(error) =
            self.current.open.write_at(u64::from(group.start), &mut [IoSlice::new(&zeros)])
        {
            tracing::warn!(%error, "records that were refused may be found after a restart");
        }
    }

    /// The group is stored: counts it, and tells each shard once.
    fn tell(&mut self, group: Group) {
        let segment = &self.current.segment;
        segment.set_end(group.end);
        self.shared.references.lock().add(segment.number, group.references);
        let bytes = u64::from(group.end - group.start);
        self.checkpoints.note_appended(bytes);
        let totals = &self.shared.totals;
        totals.groups.add(1);
        totals.appended_bytes.add(bytes);
        let mut told: Vec<Vec<CommittedRecord>> = vec![Vec::new(); usize::from(self.shared.shards)];
        for Sealed { from, start, buffer, records } in group.batches {
            let buffer = Bytes::from(buffer);
            totals.appended_records.add(records.len() as u64);
            for record in &records {
                let committed = |body| {
                    let position = Position::new(segment.number, start + record.frame_start as u32);
                    CommittedRecord { kind: record.kind, position, body, from, token: record.token }
                };
                let body = record.body();
                for shard in record.notify.iter() {
                    if let Some(told) = told.get_mut(usize::from(shard.0)) {
                        told.push(committed(buffer.slice(body.clone())));
                    }
                }
            }
        }
        for (shard, records) in
            (0..).map(ShardId).zip(told).filter(|(_, records)| !records.is_empty())
        {
            self.shared.deliver(shard, LogEvent::Committed(records));
        }
    }
}
