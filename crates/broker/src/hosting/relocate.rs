//! Bodies of queues and streams by where they lie in the log, and that they lie elsewhere from now on. It must not know why.

use log_api::Position;
use mqtt_router::SinkId;
use queue_engine::{Offset, StoredAt};

use super::Hosting;
use crate::turn::Turn;

/// The body of a message that is here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Body {
    pub(crate) sink: SinkId,
    pub(crate) offset: Offset,
    pub(crate) at: Position,
    pub(crate) size: u32,
}

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

    /// Bodies of a part of a queue or a stream from an offset on, and where the next part begins.
    pub(crate) fn bodies(&self, sink: SinkId, from: Offset) -> (Vec<Body>, Option<Offset>) {
        let (found, next) = match (self.queues.get(&sink), self.streams.get(&sink)) {
            (Some(queue), _) => queue.engine.bodies(from),
            (None, Some(stream)) => stream.engine.bodies(from),
            (None, None) => return (Vec::new(), None),
        };
        let body = |(offset, at, size): (Offset, StoredAt, u32)| Body {
            sink,
            offset,
            at: Position::from_u64(at.0),
            size,
        };
        (found.into_iter().map(body).collect(), next)
    }

    /// Whether the message is here, and its body lies there still.
    pub(crate) fn is_at(&self, body: &Body) -> bool {
        let at = match (self.queues.get(&body.sink), self.streams.get(&body.sink)) {
            (Some(queue), _) => queue.engine.body(body.offset),
            (None, Some(stream)) => stream.engine.message(body.offset).map(|found| found.at),
            (None, None) => None,
        };
        at == Some(StoredAt(body.at.as_u64()))
    }

    /// The body of a message lies there from now on, if the message is still here.
    pub(super) fn relocated(
        &mut self,
        sink: SinkId,
        offset: Offset,
        to: Position,
        turn: &mut Turn,
    ) {
        let at = StoredAt(to.as_u64());
        let before = match self.queues.get_mut(&sink) {
            Some(queue) => queue.engine.relocate(offset, at),
            None => {
                let stream = self.streams.get_mut(&sink);
                stream.and_then(|stream| stream.engine.relocate(offset, at))
            }
        };
        turn.release(before.map_or(to, |before| Position::from_u64(before.0)));
    }
}
