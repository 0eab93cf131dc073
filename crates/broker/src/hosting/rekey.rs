//! Keys of waiting messages that are made anew: bodies are read from the log, a part of one queue or stream at a time, so that
//! the shard's other work goes on. It must not know why keys are made anew.

use std::collections::VecDeque;

use bytes::Bytes;
use key_expression::{KeyExpression, KeySeed, Problem, Scratch};
use log_api::{Position, ReadError};
use mqtt_router::SinkId;
use queue_engine::{Input, Key, MadeKey, Offset, StalePart, StoredAt};

use super::{HostedQueue, HostedStream, Hosting};
use crate::record::PublishRecord;
use crate::terms::{Missing, key_of_stored};
use crate::turn::Turn;

/// The token of reads of bodies for their keys.
pub(crate) const REKEY_READ: u64 = 1 << 35;
/// Bytes of bodies that are read at once, but for the one that always has room.
const PART_BYTES: u64 = 1 << 20;

/// Whose keys are being made anew.
#[derive(Default)]
pub(crate) struct Rekeying {
    /// Whose turn comes.
    waiting: VecDeque<SinkId>,
    /// The part whose bodies are being read.
    asked: Option<(SinkId, StalePart)>,
    /// Jobs of operators that go on when there are keys.
    jobs: Vec<(SinkId, usize)>,
    scratch: Scratch,
}

/// What became of the bodies of a part.
enum Made {
    Keys(Vec<MadeKey>),
    /// As far as this body, which could not be read.
    Until(Vec<MadeKey>, (Offset, StoredAt), String),
}

impl Hosting {
    /// A queue or a stream has messages whose keys are to be made.
    pub(super) fn rekey_soon(&mut self, sink: SinkId) {
        self.rekeying.waiting.push_back(sink);
    }

    /// Asks the log for the next bodies, unless an answer is awaited.
    pub(crate) fn rekey_on(&mut self, turn: &mut Turn) {
        while self.rekeying.asked.is_none()
            && let Some(sink) = self.rekeying.waiting.pop_front()
        {
            let part = match (self.queues.get_mut(&sink), self.streams.get_mut(&sink)) {
                (Some(queue), _) => {
                    queue.marks.is_rekeying = false;
                    (!queue.damaged).then(|| queue.engine.to_rekey(PART_BYTES)).flatten()
                }
                (None, Some(stream)) => {
                    stream.marks.is_rekeying = false;
                    (!stream.damaged).then(|| stream.engine.to_rekey(PART_BYTES)).flatten()
                }
                (None, None) => None,
            };
            let Some(part) = part else { continue };
            let head = |(_, at, size): &(Offset, StoredAt, u32)| (Position::from_u64(at.0), *size);
            turn.read_heads(REKEY_READ, part.bodies.iter().map(head).collect());
            self.rekeying.asked = Some((sink, part));
        }
    }

    /// Whether messages wait for keys, and will get them.
    pub(crate) fn awaits_keys(&self, sink: SinkId) -> bool {
        match (self.queues.get(&sink), self.streams.get(&sink)) {
            (Some(queue), _) => !queue.damaged && queue.engine.is_rekeying(),
            (None, Some(stream)) => !stream.damaged && stream.engine.is_rekeying(),
            (None, None) => false,
        }
    }

    /// An operator's job goes on when messages have their keys.
    pub(crate) fn await_keys(&mut self, sink: SinkId, job: usize) {
        self.rekeying.jobs.push((sink, job));
    }

    /// A job that can go on now.
    pub(crate) fn next_keyed_job(&mut self) -> Option<usize> {
        let mut jobs = self.rekeying.jobs.iter();
        let place = jobs.position(|(sink, _)| !self.awaits_keys(*sink))?;
        Some(self.rekeying.jobs.remove(place).1)
    }

    /// Bodies have come: their messages get their keys. Gives for how many there was none.
    pub(crate) fn rekey_read(
        &mut self,
        records: Vec<Result<Bytes, ReadError>>,
        turn: &mut Turn,
    ) -> Missing {
        let mut missing = Missing::default();
        if records.contains(&Err(ReadError::ShutDown)) {
            // The log has stopped, and nothing more is asked of it.
            return missing;
        }
        let Some((sink, part)) = self.rekeying.asked.take() else { return missing };
        let scratch = &mut self.rekeying.scratch;
        if let Some(queue) = self.queues.get_mut(&sink) {
            let properties = &queue.definition.properties;
            let (expression, seed) = (&properties.key_expression, &queue.definition.key_seed);
            let made = make(&part, records, (expression, seed, scratch), &mut missing);
            queue.take_keys(part.round, made, turn);
        } else if let Some(stream) = self.streams.get_mut(&sink) {
            let properties = &stream.definition.properties;
            let (expression, seed) = (&properties.key_expression, &stream.definition.key_seed);
            let made = make(&part, records, (expression, seed, scratch), &mut missing);
            stream.take_keys(part.round, made, turn);
        }
        self.note(sink);
        missing
    }
}

/// Makes the keys of messages out of their bodies.
fn make(
    part: &StalePart,
    records: Vec<Result<Bytes, ReadError>>,
    (expression, seed, scratch): (&KeyExpression, &KeySeed, &mut Scratch),
    missing: &mut Missing,
) -> Made {
    let mut made = Vec::with_capacity(part.bodies.len());
    for ((offset, at, _), record) in part.bodies.iter().zip(records) {
        let message = record.map_err(|error| error.to_string()).and_then(|body| {
            let message = PublishRecord::decode_head(body).and_then(|record| record.message());
            message.map_err(|error| error.to_string())
        });
        let (key, problem) = match message {
            Ok(message) => key_of_stored(expression, seed, &message, scratch),
            Err(error) => return Made::Until(made, (*offset, *at), error),
        };
        count(problem, missing);
        made.push(MadeKey { offset: *offset, key, is_unkeyed: problem.is_some() });
    }
    Made::Keys(made)
}

fn count(problem: Option<Problem>, missing: &mut Missing) {
    if let Some(count) = problem.and_then(|problem| missing.get_mut(problem as usize)) {
        *count += 1;
    }
}

impl HostedQueue {
    fn take_keys(&mut self, round: u64, made: Made, turn: &mut Turn) {
        match made {
            Made::Keys(made) => self.handle(Input::Rekey { round, made }, turn),
            Made::Until(made, (offset, at), error) => {
                self.handle(Input::Rekey { round, made }, turn);
                // One that has left may be gone from the disk, and one that lies elsewhere is read there.
                if self.engine.body(offset) == Some(at) && !self.damaged {
                    let name = &*self.definition.name;
                    tracing::error!(name, error, "stopped: a stored message is damaged");
                    self.damage(turn);
                }
            }
        }
    }
}

impl HostedStream {
    fn take_keys(&mut self, round: u64, made: Made, turn: &mut Turn) {
        let keys = |made: Vec<MadeKey>| {
            let made: Vec<(Offset, Key)> =
                made.into_iter().map(|made| (made.offset, made.key)).collect();
            stream_engine::Input::Rekey { round, made }
        };
        match made {
            Made::Keys(made) => self.handle(keys(made), turn),
            Made::Until(made, (offset, at), error) => {
                self.handle(keys(made), turn);
                let is_there = self.engine.message(offset).is_some_and(|found| found.at == at);
                if is_there && !self.damaged {
                    let name = &*self.definition.name;
                    tracing::error!(name, error, "stopped: a stored message is damaged");
                    self.damage(turn);
                }
            }
        }
    }
}
