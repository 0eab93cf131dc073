//! A queue that takes back what consumers leave unsettled for too long: who gets it next, and as which attempt. It must not know how
//! the queue notices.

use std::collections::{BTreeMap, BTreeSet};

use super::Auditor;
use crate::queues::HASTY;

/// How a message came last.
#[derive(Clone, Copy, Debug)]
struct Last {
    attempt: u32,
    holder: (usize, u32),
    /// The client has given it back, or has gone.
    is_back: bool,
    /// It gave it back in time, if the broker has read that by then.
    until_ms: u64,
    /// Without an attempt.
    was_busy: bool,
}

/// What is known of its messages in this life.
#[derive(Default, Debug)]
pub(super) struct Leasing {
    last: BTreeMap<u64, Last>,
    /// Offsets that somebody has answered too late: when the same client has been given one anew, nobody knows which is meant.
    late: BTreeSet<u64>,
    /// What is known to have run out: clients and their connections, offsets, since when they had them.
    run_out: BTreeSet<(usize, u32, u64, u64)>,
    /// Who has consumed since all was at rest last: clients and their connections.
    attached: BTreeSet<(usize, u32)>,
}

impl Leasing {
    pub(super) fn crashed(&mut self) {
        *self = Self::default();
    }
}

impl Auditor {
    /// A message of that queue has come to a client. `is_prompt` says whether it was written just now, at that time.
    pub(super) fn is_leased(
        &mut self,
        queue: usize,
        (offset, attempt): (u64, u32),
        holder: (usize, u32),
        (is_prompt, now_ms): (bool, u64),
    ) {
        if queue != HASTY {
            return;
        }
        let until_ms = u64::MAX;
        let last = Last { attempt, holder, is_back: false, until_ms, was_busy: false };
        let Some(before) = self
            .leasing
            .last
            .insert(offset, last)
            .filter(|_| is_prompt && !self.leasing.late.contains(&offset))
        else {
            return;
        };
        if now_ms >= before.until_ms {
            self.leasing.late.insert(offset);
            return;
        }
        assert!(
            attempt + u32::from(before.was_busy) > before.attempt,
            "offset {offset} comes as attempt {attempt}, after {before:?}"
        );
        // Who let it run out as well has no more claim to it than this one.
        let has_run_out = |(client, connection): (usize, u32)| {
            let of = |since_ms| (client, connection, offset, since_ms);
            self.leasing.run_out.range(of(0)..=of(u64::MAX)).next().is_some()
        };
        let attached = self.leasing.attached.iter();
        let mut others = attached.filter(|other| **other != holder && !has_run_out(**other));
        // With an attempt in between it was somewhere that it is not known to have been.
        let is_next = attempt == before.attempt + 1 && before.holder == holder;
        let other = others.next().filter(|_| is_next && !before.is_back);
        assert_eq!(
            other, None,
            "offset {offset} comes to who let it run out, and another is there"
        );
    }

    /// A client answers a message of that queue, and may no longer have it.
    pub(crate) fn is_answered_late(&mut self, offset: u64) {
        self.leasing.late.insert(offset);
    }

    /// A client has given a message back, if it is the one who has it: until that time it has it.
    pub(crate) fn is_released(
        &mut self,
        offset: u64,
        (client, until_ms): (usize, u64),
        is_busy: bool,
    ) {
        let last = self.leasing.last.get_mut(&offset);
        if let Some(last) = last.filter(|last| last.holder.0 == client) {
            (last.is_back, last.until_ms) = (true, until_ms.min(last.until_ms));
            last.was_busy |= is_busy;
        }
    }

    /// A consumer goes.
    pub(crate) fn consumer_goes(&mut self, client: usize) {
        self.leasing.attached.clear();
        let of_client = |last: &&mut Last| last.holder.0 == client;
        self.leasing.last.values_mut().filter(of_client).for_each(|last| last.is_back = true);
    }

    /// A client has had a message of that queue for too long, since then. False when that was known.
    pub(crate) fn runs_out(
        &mut self,
        (client, connection): (usize, u32),
        (offset, since_ms): (u64, u64),
    ) -> bool {
        self.leasing.run_out.insert((client, connection, offset, since_ms))
    }

    /// All is at rest, and these consume from that queue.
    pub(crate) fn consumers_rest(&mut self, attached: BTreeSet<(usize, u32)>) {
        self.leasing.attached = attached;
    }
}
