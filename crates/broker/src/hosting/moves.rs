//! Messages that leave a queue here for another, until they are stored there. It must not know where they go.

use std::collections::{BTreeMap, BTreeSet};

use log_api::Position;
use mqtt_router::SinkId;
use queue_engine::Offset;

use super::{Hosting, MOVE_READ};
use crate::record::{Leaving, Moved, Why};
use crate::turn::Turn;

/// Bodies that are read in one go.
const READ_MESSAGES_MAX: usize = 64;
/// What they are to come to, going by the size of those before.
const READ_BYTES: usize = 1 << 20;

/// Let go by the engine, and not yet elsewhere.
///
/// ```text
///   waiting ──── read ────▶ written ──── the record is committed ────▶ in the other queue
///      ▲                       │
///      └──── not stored ───────┘
/// ```
/// All of them are in checkpoints, since the engine has forgotten them.
#[derive(Default)]
pub(crate) struct Moves {
    leaving: BTreeMap<Offset, Leaving>,
    /// Of these, those whose body is being read, in the order of the answers.
    reading: Vec<Offset>,
    /// Of these, those whose record is on its way.
    written: BTreeSet<Offset>,
    /// How many are read in one go.
    batch: usize,
    /// The next one to be tried: one that cannot leave must not keep others.
    next: Offset,
    /// Nothing is tried until a timer, or somebody, says so.
    pub(crate) rests: bool,
}

impl Moves {
    pub(crate) fn of(leaving: BTreeMap<Offset, Leaving>) -> Self {
        Self { leaving, ..Self::default() }
    }

    pub(crate) fn add(&mut self, offset: Offset, leaving: Leaving) {
        self.leaving.insert(offset, leaving);
    }

    pub(crate) const fn leaving(&self) -> &BTreeMap<Offset, Leaving> {
        &self.leaving
    }

    pub(crate) fn get(&self, offset: Offset) -> Option<Leaving> {
        self.leaving.get(&offset).copied()
    }

    /// Whether some wait, and nothing is done about it.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.rests && self.reading.is_empty() && self.leaving.len() > self.written.len()
    }

    /// Whether some are dead letters.
    pub(crate) fn has_dead(&self) -> bool {
        self.leaving.values().any(|leaving| matches!(leaving.why, Why::Dead { .. }))
    }

    /// Asks the log for bodies.
    pub(super) fn read(&mut self, token: u64, turn: &mut Turn) {
        if !self.reading.is_empty() {
            return;
        }
        let behind = self.leaving.range(self.next..).chain(self.leaving.range(..self.next));
        let waiting = behind.filter(|(offset, _)| !self.written.contains(offset));
        let (offsets, positions): (Vec<_>, Vec<_>) = waiting
            .take(self.batch.max(1))
            .map(|(offset, leaving)| (*offset, Position::from_u64(leaving.at.0)))
            .unzip();
        if let Some(last) = offsets.last() {
            self.next = last.next();
            self.reading = offsets;
            turn.read(token, positions);
        }
    }

    /// The bodies have come, so many bytes; which they are.
    pub(crate) fn take_read(&mut self, bytes: usize) -> Vec<Offset> {
        let offsets = std::mem::take(&mut self.reading);
        let each = bytes / offsets.len().max(1) + 1;
        self.batch = (READ_BYTES / each).clamp(1, READ_MESSAGES_MAX);
        offsets
    }

    /// A record of one is on its way.
    pub(crate) fn written(&mut self, offset: Offset) {
        self.written.insert(offset);
    }

    /// That record was not stored.
    pub(crate) fn not_written(&mut self, offset: Offset) {
        self.written.remove(&offset);
    }

    /// That record is stored.
    pub(crate) fn is_done(&mut self, offset: Offset) -> Option<Leaving> {
        self.written.remove(&offset);
        self.leaving.remove(&offset)
    }
}

impl Hosting {
    /// Takes in what was on its way to the dead letters before a restart.
    pub(crate) fn take_in_leaving(&mut self, sink: SinkId, leaving: BTreeMap<Offset, Leaving>) {
        if let Some(queue) = self.queues.get_mut(&sink) {
            queue.moves = Moves::of(leaving);
            self.note(sink);
        }
    }

    /// Whether queues have messages that wait to be stored as dead letters.
    pub(crate) fn is_moving(&self) -> bool {
        !self.moving.is_empty()
    }

    /// Queues with messages that wait to be read and stored as dead letters.
    pub(crate) fn take_moving(&mut self) -> Vec<SinkId> {
        let sinks = std::mem::take(&mut self.moving);
        for sink in &sinks {
            if let Some(queue) = self.queues.get_mut(sink) {
                queue.is_moving = false;
            }
        }
        sinks
    }

    /// A queue's leaving messages are to be looked at again.
    pub(crate) fn move_on(&mut self, sink: SinkId) {
        self.note(sink);
    }

    /// Asks the log for the bodies of leaving messages.
    pub(crate) fn read_leaving(&mut self, sink: SinkId, turn: &mut Turn) {
        if let Some(queue) = self.queues.get_mut(&sink) {
            queue.moves.read(MOVE_READ | u64::from(sink.0), turn);
        }
    }

    /// A message has left a queue here for another one, which has it.
    pub(super) fn moved(&mut self, moved: Moved, turn: &mut Turn) {
        let Some(queue) = self.queues.get_mut(&moved.from) else { return };
        if let Some(leaving) = queue.moves.is_done(moved.offset) {
            turn.release(Position::from_u64(leaving.at.0));
        }
    }

    /// A record by which one should have left was not stored.
    pub(crate) fn not_moved(&mut self, moved: Moved) {
        if let Some(queue) = self.queues.get_mut(&moved.from) {
            queue.moves.not_written(moved.offset);
        }
    }

    /// The queue whose leaving messages were read, if it was that.
    pub(crate) fn moves_of(token: u64) -> Option<SinkId> {
        let sink = token.checked_sub(MOVE_READ)?;
        u32::try_from(sink).ok().map(SinkId)
    }
}
