//! Messages that a queue here has given up, until they are stored as dead letters. It must not know what a dead letter
//! looks like.

use std::collections::{BTreeMap, BTreeSet};

use log_api::Position;
use queue_engine::Offset;

use crate::record::Dying;
use crate::turn::Turn;

/// Bodies that are read in one go.
const READ_MESSAGES_MAX: usize = 64;

/// Given up by the engine, and not yet a dead letter.
///
/// ```text
///   waiting ──── read ────▶ written ──── the record is committed ────▶ a dead letter
///      ▲                       │
///      └──── not stored ───────┘
/// ```
/// All of them are in checkpoints, since the engine has forgotten them.
#[derive(Default)]
pub(crate) struct Burial {
    dying: BTreeMap<Offset, Dying>,
    /// Of these, those whose body is being read, in the order of the answers.
    reading: Vec<Offset>,
    /// Of these, those whose record is on its way.
    written: BTreeSet<Offset>,
}

impl Burial {
    pub(crate) fn of(dying: BTreeMap<Offset, Dying>) -> Self {
        Self { dying, ..Self::default() }
    }

    pub(crate) fn add(&mut self, offset: Offset, dying: Dying) {
        self.dying.insert(offset, dying);
    }

    pub(crate) const fn dying(&self) -> &BTreeMap<Offset, Dying> {
        &self.dying
    }

    pub(crate) fn get(&self, offset: Offset) -> Option<Dying> {
        self.dying.get(&offset).copied()
    }

    /// Whether some wait, and nothing is done about it.
    pub(crate) fn is_waiting(&self) -> bool {
        self.reading.is_empty() && self.dying.len() > self.written.len()
    }

    /// Asks the log for bodies.
    pub(super) fn read(&mut self, token: u64, turn: &mut Turn) {
        if !self.reading.is_empty() {
            return;
        }
        let waiting = self.dying.iter().filter(|(offset, _)| !self.written.contains(offset));
        let (offsets, positions): (Vec<_>, Vec<_>) = waiting
            .take(READ_MESSAGES_MAX)
            .map(|(offset, dying)| (*offset, Position::from_u64(dying.at.0)))
            .unzip();
        if !positions.is_empty() {
            self.reading = offsets;
            turn.read(token, positions);
        }
    }

    /// The bodies have come; which they are.
    pub(crate) fn take_read(&mut self) -> Vec<Offset> {
        std::mem::take(&mut self.reading)
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
    pub(crate) fn is_done(&mut self, offset: Offset) -> Option<Dying> {
        self.written.remove(&offset);
        self.dying.remove(&offset)
    }
}
