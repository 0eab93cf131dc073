//! Attempt 1 is a message that nobody was given before, whatever crashes. It must not know how often others were tried.

use std::collections::BTreeSet;

use super::Auditor;
use crate::queues::{Kind, QUEUES, QueueOf};

/// So long after the log took nothing a delivery may not be in it: it is written again, and synced.
const UNWRITTEN_MS: u64 = 3_000;

/// Why a message may come as new though somebody had it: queues and offsets.
#[derive(Default, Debug)]
pub(super) struct Untold {
    /// Given back without an attempt.
    busy: BTreeSet<(usize, u64)>,
    /// Given while the log took nothing.
    unwritten: BTreeSet<(usize, u64)>,
    /// When the log took nothing last.
    full_ms: Option<u64>,
}

impl Auditor {
    /// The log takes nothing at that time.
    pub(crate) fn log_takes_nothing(&mut self, now_ms: u64) {
        self.untold.full_ms = Some(now_ms);
    }

    /// A consumer was too busy for a message.
    pub(crate) fn too_busy(&mut self, queue: usize, offset: u64) {
        self.untold.busy.insert((queue, offset));
    }

    /// A message comes to a consumer: just now, if it is prompt, else it may have been written long ago.
    pub(super) fn check_attempt(
        &mut self,
        queue: usize,
        (offset, attempt): (u64, u32),
        (is_first, is_prompt, now_ms): (bool, bool, u64),
    ) {
        let QueueOf { name, kind, .. } = &QUEUES[queue];
        let place = (queue, offset);
        let is_told = !matches!(kind, Kind::Os | Kind::Memory)
            && !self.untold.busy.contains(&place)
            && !self.untold.unwritten.contains(&place)
            && !self.has_met_damage;
        assert!(
            is_first || attempt > 1 || !is_told || !is_prompt,
            "offset {offset} of queue {name} comes again as attempt {attempt}"
        );
        if !self.is_told_at(now_ms) {
            self.untold.unwritten.insert(place);
        }
    }

    /// Whether a delivery at that time is in the log.
    pub(super) fn is_told_at(&self, now_ms: u64) -> bool {
        self.untold.full_ms.is_none_or(|full_ms| now_ms >= full_ms + UNWRITTEN_MS)
    }
}
