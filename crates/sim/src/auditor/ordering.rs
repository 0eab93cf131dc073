//! What comes of queues that keep the order of their keys, under retries too. It must not know who consumes.

use std::collections::{BTreeMap, BTreeSet};

use super::Auditor;
use crate::plan::TOPICS;
use crate::queues::QUEUES;

/// What is known of those queues in this life of the process.
#[derive(Default, Debug)]
pub(super) struct Ordering {
    /// By queue and key, the offset that came last.
    newest: BTreeMap<(usize, &'static str), u64>,
    /// Queues and offsets that were accepted on connections that are lost: nobody knows whether the broker has read that.
    perhaps: BTreeSet<(usize, u64)>,
}

impl Ordering {
    pub(super) fn crashed(&mut self) {
        self.newest.clear();
        self.perhaps.clear();
    }
}

impl Auditor {
    /// A message has come from a queue: if that keeps the order of its keys, the one that came before it is settled, or comes
    /// again. `is_accepting` says whether a client has accepted an offset that the broker may not have read yet.
    pub(crate) fn comes_in_order(
        &mut self,
        queue: usize,
        (number, offset): (u32, u64),
        is_accepting: impl Fn(u64) -> bool,
    ) {
        let topic = TOPICS[self.messages[number as usize].topic];
        let Some(key) = QUEUES[queue].key_of(topic) else { return };
        let Some(before) = self.ordering.newest.insert((queue, key), offset) else { return };
        let is_settled = self.queues[queue].accepted.contains_key(&before)
            || self.ordering.perhaps.contains(&(queue, before))
            || is_accepting(before);
        assert!(
            before == offset || before < offset && is_settled,
            "queue {} gives {offset} after {before} of key '{key}', settled: {is_settled}",
            QUEUES[queue].name
        );
    }

    /// A client has accepted a message, and nobody knows whether the broker does.
    pub(crate) fn may_have_accepted(&mut self, queue: usize, offset: u64) {
        self.ordering.perhaps.insert((queue, offset));
    }
}
