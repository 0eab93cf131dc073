//! What the log's threads and its callers share. It must not know what each thread does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use log_api::{EventSink, LogEvent, LogState, LogStats, Position, SegmentUse, ShardId, ShardSet};
use parking_lot::Mutex;

use crate::image::Pins;
use crate::references::References;
use crate::segments::{Segment, Segments};

/// What the log's threads and its callers share.
pub(crate) struct Shared {
    pub(crate) sink: Arc<dyn EventSink>,
    pub(crate) shards: u16,
    pub(crate) segments: Segments,
    pub(crate) references: Mutex<References>,
    pub(crate) state: Mutex<LogState>,
    pub(crate) checkpoint: Mutex<Option<Position>>,
    /// Segments that a backup has still to read: they stay, even when nobody else needs them.
    pub(crate) pins: Arc<Pins>,
    /// So many bytes of dead segments are worth a checkpoint, which lets them go.
    pub(crate) checkpoint_every_bytes: u64,
    /// Bytes of segments that died since a checkpoint was asked for.
    pub(crate) dead_bytes: AtomicU64,
    pub(crate) backlog_bytes: AtomicU64,
    /// Whether the writer takes no more commands: who sends one afterwards must answer it.
    pub(crate) writer_ended: AtomicBool,
    /// The same for the reader.
    pub(crate) reader_ended: AtomicBool,
    pub(crate) totals: Totals,
}

/// A count that only grows.
#[derive(Default)]
pub(crate) struct Total(AtomicU64);

impl Total {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What has been done since the start.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) appended_records: Total,
    pub(crate) appended_bytes: Total,
    pub(crate) failed_records: Total,
    pub(crate) groups: Total,
    pub(crate) syncs: Total,
    pub(crate) read_records: Total,
    pub(crate) damaged_reads: Total,
    pub(crate) checkpoints: Total,
    pub(crate) trimmed_segments: Total,
}

impl Shared {
    /// Counts segments that have died. True when a checkpoint is worth it.
    pub(crate) fn note_dead(&self, dead: &[u32]) -> bool {
        let segments = dead.iter().filter_map(|number| self.segments.get(*number));
        let bytes = segments.map(|segment| segment.file_bytes).sum::<u64>();
        let before = self.dead_bytes.fetch_add(bytes, Ordering::Relaxed);
        let is_worth_it = bytes > 0 && before + bytes >= self.checkpoint_every_bytes;
        if is_worth_it {
            self.dead_bytes.store(0, Ordering::Relaxed);
        }
        is_worth_it
    }

    /// Tells every shard.
    pub(crate) fn deliver_to_all(&self, event: impl Fn() -> LogEvent) {
        for shard in ShardSet::first(self.shards).iter() {
            self.deliver(shard, event());
        }
    }

    pub(crate) fn deliver(&self, shard: ShardId, event: LogEvent) {
        self.sink.deliver(shard, event);
    }

    /// Changes the state and tells every shard.
    pub(crate) fn set_state(&self, state: LogState) {
        *self.state.lock() = state.clone();
        self.deliver_to_all(|| LogEvent::State(state.clone()));
    }

    /// The segments before the one that is being written.
    pub(crate) fn closed_segments(&self) -> Vec<SegmentUse> {
        let references = self.references.lock();
        let closed = self.segments.before(references.writing());
        let of = |segment: &Arc<Segment>| SegmentUse {
            segment: segment.number,
            bytes: segment.file_bytes,
            references: references
                .live()
                .get(&segment.number)
                .map_or(0, |count| u64::try_from(*count).unwrap_or_default()),
        };
        closed.iter().map(of).collect()
    }

    pub(crate) fn stats(&self) -> LogStats {
        let (segments, disk_bytes) = self.segments.totals();
        let live = self.references.lock().total();
        let totals = &self.totals;
        LogStats {
            disk_bytes,
            segments,
            live_references: u64::try_from(live).unwrap_or_default(),
            appended_records_total: totals.appended_records.get(),
            appended_bytes_total: totals.appended_bytes.get(),
            failed_records_total: totals.failed_records.get(),
            groups_total: totals.groups.get(),
            syncs_total: totals.syncs.get(),
            read_records_total: totals.read_records.get(),
            damaged_reads_total: totals.damaged_reads.get(),
            checkpoints_total: totals.checkpoints.get(),
            trimmed_segments_total: totals.trimmed_segments.get(),
            checkpoint: *self.checkpoint.lock(),
        }
    }
}
