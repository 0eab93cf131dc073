//! What is still sure of queues' messages when records before them are lost. It must not know how that came.

use std::collections::BTreeMap;

use mqtt_router::SinkId;
use queue_engine::Offset;

/// Up to where the offsets are sure that records speak of.
#[derive(Default)]
pub(super) struct Holes {
    /// By queue, the first offset that is not; none when nothing is lost.
    sure: Option<BTreeMap<SinkId, Offset>>,
}

impl Holes {
    /// Records are lost here; these are the queues, with the offset that each would give next.
    pub(super) fn add(&mut self, queues: impl Iterator<Item = (SinkId, Offset)>) {
        let sure = self.sure.get_or_insert_default();
        // After an earlier hole nothing more is sure by now.
        queues.for_each(|(sink, next)| {
            sure.entry(sink).or_insert(next);
        });
    }

    pub(super) const fn are_there(&self) -> bool {
        self.sure.is_some()
    }

    /// Offsets below are those that the queue gave. Of a queue that came behind a hole, none are: it may have begun in it.
    pub(super) fn sure(&self, sink: SinkId) -> Offset {
        self.sure
            .as_ref()
            .map_or(Offset(u64::MAX), |sure| sure.get(&sink).copied().unwrap_or(Offset(0)))
    }
}
