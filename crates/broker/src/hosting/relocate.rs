//! Bodies of queues and streams by where they lie in the log, and that they lie elsewhere from now on. It must not know why.

use log_api::Position;
use mqtt_router::SinkId;
use queue_engine::{Offset, StoredAt};

use super::Hosting;

impl Hosting {
    /// The queues and streams here, in order.
    pub(crate) fn sinks(&self) -> Vec<SinkId> {
        let mut sinks: Vec<SinkId> =
            self.queues.keys().chain(self.streams.keys()).copied().collect();
        sinks.sort_unstable();
        sinks
    }

    /// How many messages wait here, and their bytes; each counts in every queue and stream that has it.
    pub(crate) fn live(&self) -> (u64, u64) {
        let queues = self.queues.values().map(|queue| queue.engine.waiting());
        let all = queues.chain(self.streams.values().map(|stream| stream.engine.kept()));
        all.fold((0, 0), |(messages, bytes), (more, size)| (messages + more, bytes + size))
    }

    /// Bodies of a part of a queue or a stream from an offset on, with their sizes, and where the next part begins.
    pub(crate) fn bodies(
        &self,
        sink: SinkId,
        from: Offset,
    ) -> (Vec<(Offset, StoredAt, u32)>, Option<Offset>) {
        match (self.queues.get(&sink), self.streams.get(&sink)) {
            (Some(queue), _) => queue.engine.bodies(from),
            (None, Some(stream)) => stream.engine.bodies(from),
            (None, None) => (Vec::new(), None),
        }
    }

    /// Where the body of a message lies, if the message is here.
    pub(crate) fn body_at(&self, sink: SinkId, offset: Offset) -> Option<Position> {
        let at = match (self.queues.get(&sink), self.streams.get(&sink)) {
            (Some(queue), _) => queue.engine.body(offset),
            (None, Some(stream)) => stream.engine.message(offset).map(|found| found.at),
            (None, None) => None,
        };
        at.map(|at| Position::from_u64(at.0))
    }

    /// The body of a message lies there from now on, if the message is still here. Gives where it was.
    pub(crate) fn relocate(
        &mut self,
        sink: SinkId,
        offset: Offset,
        to: Position,
    ) -> Option<Position> {
        let at = StoredAt(to.as_u64());
        let before = match self.queues.get_mut(&sink) {
            Some(queue) => queue.engine.relocate(offset, at),
            None => self.streams.get_mut(&sink)?.engine.relocate(offset, at),
        };
        before.map(|before| Position::from_u64(before.0))
    }
}
