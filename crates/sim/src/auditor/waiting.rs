//! What waits in queues that let some go for the sake of others: too many bytes, an older message of a key. It must not know who
//! consumes.

use std::collections::{BTreeMap, BTreeSet};

use queue_engine::{Key, Ledger, MessageState, Peeked};

use super::Auditor;
use crate::message;
use crate::plan::TOPICS;
use crate::queues::{LATEST, QUEUES, VAT, VAT_BYTES};

/// What was there when all was at rest.
#[derive(Default, Debug)]
struct Rest {
    sizes: BTreeMap<u64, u32>,
    settled: u64,
    dropped: u64,
}

/// What is known of them.
#[derive(Default, Debug)]
pub(super) struct Waiting {
    /// Of the queue that has so many bytes, in this life.
    rest: Option<Rest>,
    /// From that offset on it is known what was with consumers.
    known_from: u64,
    was_out: BTreeSet<u64>,
    /// By topic, the offset that came last of the queue with the newest, and which had come when all was at rest.
    came: BTreeMap<&'static str, u64>,
    came_at_rest: BTreeMap<&'static str, u64>,
}

impl Waiting {
    pub(super) fn crashed(&mut self) {
        self.rest = None;
        self.was_out.clear();
        self.known_from = u64::MAX;
        self.came_at_rest = self.came.clone();
    }
}

impl Auditor {
    /// All is at rest: what waits in the queue that has so many bytes. `bytes` says how long each message is.
    pub(crate) fn vat_rests(&mut self, waiting: &[Peeked], ledger: &Ledger, bytes: &[usize]) {
        let sizes: BTreeMap<u64, u32> =
            waiting.iter().map(|one| (one.offset.0, one.size)).collect();
        let total = sizes.values().map(|size| u64::from(*size)).sum::<u64>();
        assert_eq!(total, ledger.bytes, "the bytes of what waits, and those that are counted");
        let known = &self.queues[VAT];
        for (offset, number) in &known.by_offset {
            let right = self.counted(*number, bytes[*number as usize]);
            let size = sizes.get(offset).copied().unwrap_or(right);
            assert_eq!(size, right, "message {number} counts other bytes than it has");
        }
        if self.waiting.known_from == u64::MAX {
            self.waiting.known_from = ledger.enqueued;
        }
        let Waiting { rest, known_from, was_out, .. } = &mut self.waiting;
        let is_gone =
            |offset: &u64| !sizes.contains_key(offset) && !known.answered.contains(offset);
        let newest_gone = (*known_from..ledger.enqueued).rev().find(is_gone);
        was_out.extend(
            waiting
                .iter()
                .filter(|one| one.state == MessageState::InFlight)
                .map(|one| one.offset.0),
        );
        for Peeked { offset, .. } in waiting {
            let was_with_consumers =
                was_out.contains(&offset.0) || known.by_offset.contains_key(&offset.0);
            assert!(
                offset.0 < *known_from || was_with_consumers || newest_gone < Some(offset.0),
                "offset {newest_gone:?} of a queue that has too much is dropped, and {offset:?} is older"
            );
        }
        if let Some(before) = rest.as_ref().filter(|rest| rest.settled == ledger.settled) {
            let gone = before.sizes.iter().filter(|(offset, _)| is_gone(offset));
            let are_known = gone.clone().count() as u64 == ledger.dropped - before.dropped;
            // One of them was the last to go, mostly the newest.
            if let Some(size) = gone.map(|(_, size)| *size).max().filter(|_| are_known) {
                assert!(
                    total + u64::from(size) > VAT_BYTES,
                    "messages of {size} bytes were dropped, and there are {total}"
                );
            }
        }
        let (settled, dropped) = (ledger.settled, ledger.dropped);
        *rest = Some(Rest { sizes, settled, dropped });
    }

    /// What a message counts, which has so many bytes beside those that say what it is.
    fn counted(&self, number: u32, bytes: usize) -> u32 {
        let message = &self.messages[number as usize];
        let topic = TOPICS[message.topic];
        let payload = message::payload(number, topic, bytes).len();
        // A user property: its number as its id.
        let id = number.to_string().len();
        let properties =
            if message.publisher_is_v5() { 1 + 2 + "message-id".len() + 2 + id } else { 0 };
        (topic.len() + payload + properties + 64) as u32
    }

    /// A message comes from the queue with the newest of each key. `is_prompt` says whether it was written just now.
    pub(super) fn newest_comes(
        &mut self,
        queue: usize,
        (number, offset): (u32, u64),
        is_prompt: bool,
    ) {
        if queue != LATEST {
            return;
        }
        let topic = TOPICS[self.messages[number as usize].topic];
        let newest = self.waiting.came_at_rest.get(topic).copied();
        assert!(
            !is_prompt || newest <= Some(offset),
            "offset {offset} comes, and {newest:?} of the same key {topic} is newer and came before"
        );
        let came = self.waiting.came.entry(topic).or_default();
        *came = offset.max(*came);
    }

    /// All is at rest: of each key the newest waits, and others only with consumers.
    pub(crate) fn newest_rest(&mut self, waiting: &[Peeked]) {
        self.waiting.came_at_rest = self.waiting.came.clone();
        let mut newest: BTreeMap<Key, u64> = BTreeMap::new();
        for one in waiting {
            newest.insert(one.key, one.offset.0);
        }
        for one in waiting.iter().filter(|one| one.state != MessageState::InFlight) {
            let newest = newest[&one.key];
            let offset = one.offset.0;
            assert_eq!(
                offset, newest,
                "{offset} waits in {}, and {newest} is newer",
                QUEUES[LATEST].name
            );
        }
    }

    /// All has been taken: of each key the newest has come.
    pub(crate) fn check_newest_came(&self) {
        for topic in ["t/single", "t/both"] {
            let offset = self.waiting.came.get(topic);
            let kept = offset.and_then(|offset| self.queues[LATEST].by_offset.get(offset));
            self.check_newest(topic, kept.copied());
        }
    }
}
