//! What comes of queues that keep the order of their keys, under retries too. It must not know who consumes.

use std::collections::{BTreeMap, BTreeSet};

use super::Auditor;
use crate::plan::TOPICS;
use crate::queues::{KeyOf, QUEUES};

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
        key_of: Option<KeyOf>,
        is_accepting: impl Fn(u64) -> bool,
    ) {
        let topic = TOPICS[self.messages[number as usize].topic];
        let key = key_of.map(|key_of| key_of(topic)).or_else(|| QUEUES[queue].key_of(topic));
        let Some(key) = key else { return };
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

    /// What came before from a queue says nothing of the order in which messages come from now on.
    pub(crate) fn goes_by_other_keys(&mut self, queue: usize) {
        self.ordering.newest.retain(|(of, _), _| *of != queue);
    }

    /// What a message was published to.
    pub(crate) fn topic_of(&self, number: u32) -> &'static str {
        TOPICS[self.messages[number as usize].topic]
    }

    /// A client has accepted a message, and nobody knows whether the broker does.
    pub(crate) fn may_have_accepted(&mut self, queue: usize, offset: u64) {
        self.ordering.perhaps.insert((queue, offset));
    }
}
