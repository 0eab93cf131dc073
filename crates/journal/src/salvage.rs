//! What a damaged log comes to: the state without what is lost, as a checkpoint of its own. It must not know how a log is
//! mended.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use log_api::Position;
use mqtt_router::Cursor;
use mqtt_session::Inbox;
use queue_engine::{Departure, Offset, StoredAt};

use crate::checkpoint::{QueuePart, ShardPart, StreamPart, held_in};
use crate::recovery::{Recovered, RecoveredQueue, RecoveredStream};
use crate::retained::{RetainedLimits, RetainedPart, RetainedStore};

/// Topics looked at in one go.
const PAGE: usize = 1024;

/// What had to be given up, because the log does not have it any more.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Losses {
    /// By queue, messages that waited, or were kept for a replay.
    pub queues: BTreeMap<String, u64>,
    /// By stream, messages that were kept.
    pub streams: BTreeMap<String, u64>,
    /// By client id, messages that waited for a durable session.
    pub sessions: BTreeMap<String, u64>,
    /// Topics whose retained message is gone.
    pub retained: Vec<String>,
    /// Messages that were to be published later.
    pub delayed: u64,
}

/// A checkpoint that stands for a whole log.
pub struct Salvaged {
    /// Its only part.
    pub part: Vec<u8>,
    /// How many of the bodies in each segment it needs.
    pub counts: BTreeMap<u32, i64>,
}

impl Recovered {
    /// Gives up what has no body any more: `has` says where whole records lie. Queues count it as dropped.
    pub fn drop_lost(&mut self, has: impl Fn(Position) -> bool) -> Losses {
        let mut losses = Losses::default();
        for queue in &mut self.queues {
            let lost = drop_of_queue(queue, &has);
            if lost > 0 {
                losses.queues.insert(queue.definition.name.clone(), lost);
            }
        }
        for stream in &mut self.streams {
            let is_lost = |at: StoredAt| !has(Position::from_u64(at.0));
            let kept = stream.engine.stored().filter(|(_, at)| is_lost(*at));
            let lost: Vec<Offset> = kept.map(|(offset, _)| offset).collect();
            for offset in &lost {
                stream.engine.replay_removed(*offset, stream_engine::Departure::Dropped);
            }
            if !lost.is_empty() {
                losses.streams.insert(stream.definition.name.clone(), lost.len() as u64);
            }
        }
        for session in &mut self.sessions {
            let mut inbox = Inbox::from_image(&session.image.inbox);
            let stored = inbox.stored().filter(|gone| !has(Position::from_u64(gone.at)));
            let lost: Vec<u64> = stored.map(|gone| gone.sequence).collect();
            if !lost.is_empty() {
                for sequence in &lost {
                    inbox.replay_left(*sequence);
                }
                session.image.inbox = inbox.image();
                losses.sessions.insert(session.image.client_id.to_string(), lost.len() as u64);
            }
        }
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            let is_lost = |at: Option<Position>| at.is_some_and(|at| !has(at));
            let lost = &mut losses.retained;
            from = self.retained.page(
                &cursor,
                PAGE,
                |entry| is_lost(entry.at()),
                |topic, _| lost.push(topic.as_str().to_owned()),
            );
        }
        self.retained.retain(|entry| entry.at().is_some_and(&has));
        let before = self.delayed.len();
        self.delayed.retain(|(_, lying)| has(lying.at));
        losses.delayed = (before - self.delayed.len()) as u64;
        losses
    }

    /// The checkpoint that says all of it. `None` when there are retained messages of an old format, which lie in no record.
    #[must_use]
    pub fn into_checkpoint(mut self) -> Option<Salvaged> {
        if !self.whole_retained.is_empty() {
            return None;
        }
        self.sessions.iter_mut().for_each(|session| session.as_of = self.newest);
        let mut counts = BTreeMap::new();
        let mut count = |at: Position| *counts.entry(at.segment()).or_default() += 1;
        for queue in &self.queues {
            bodies(queue).for_each(|(_, at)| count(Position::from_u64(at.0)));
            let leaving = queue.leaving.values();
            leaving.for_each(|leaving| count(Position::from_u64(leaving.at.0)));
        }
        for stream in &self.streams {
            stream.engine.stored().for_each(|(_, at)| count(Position::from_u64(at.0)));
        }
        for session in &self.sessions {
            let inbox = Inbox::from_image(&session.image.inbox);
            let own = inbox.stored().filter(|gone| !gone.is_held);
            own.for_each(|gone| count(Position::from_u64(gone.at)));
            held_in(&session.image.inbox).for_each(&mut count);
        }
        self.delayed.iter().for_each(|(_, lying)| count(lying.at));
        let queue = |mut queue: RecoveredQueue| {
            // Nobody consumes what is not open.
            let withheld = queue.engine.withhold();
            debug_assert!(withheld.is_ok(), "a recovered queue has no consumers");
            QueuePart {
                snapshot: queue.engine.snapshot(Offset(0)),
                definition: queue.definition.into_definition(1),
                leaving: queue.leaving,
            }
        };
        let stream = |stream: RecoveredStream| StreamPart {
            snapshot: stream.engine.snapshot(|_| Offset(0)),
            definition: stream.definition.into_definition(1),
        };
        let part = ShardPart {
            next_sink: self.next_sink,
            next_session: self.next_session,
            queues: self.queues.into_iter().map(queue).collect(),
            streams: self.streams.into_iter().map(stream).collect(),
            sessions: self.sessions,
            delayed: self.delayed,
            holding: Vec::new(),
        };
        let mut part = part.encode();
        let no_limits =
            RetainedLimits { messages: usize::MAX, bytes: u64::MAX, memory: u64::MAX, bodies: 0 };
        let retained = RetainedStore::new(no_limits);
        retained.restore(self.retained, self.retained_version);
        for (segment, held) in RetainedPart::put(&mut part, &retained) {
            *counts.entry(segment).or_default() += i64::from(held);
        }
        Some(Salvaged { part, counts })
    }
}

/// Messages that are here and those that are kept, with where their bodies lie.
fn bodies(queue: &RecoveredQueue) -> impl Iterator<Item = (Offset, StoredAt)> + '_ {
    queue.engine.stored().chain(queue.engine.kept())
}

fn drop_of_queue(queue: &mut RecoveredQueue, has: impl Fn(Position) -> bool) -> u64 {
    let is_lost = |at: StoredAt| !has(Position::from_u64(at.0));
    let lost: Vec<Offset> =
        bodies(queue).filter(|(_, at)| is_lost(*at)).map(|(offset, _)| offset).collect();
    for offset in &lost {
        let waited = queue.engine.replay_left(*offset, Departure::Dropped);
        if waited.is_none() {
            queue.engine.replay_forgotten(*offset);
        }
    }
    let before = queue.leaving.len();
    queue.leaving.retain(|_, leaving| !is_lost(leaving.at));
    (lost.len() + before - queue.leaving.len()) as u64
}
