//! Messages that nobody takes who syncs before he acknowledges: what a crash may take of them, and what it must not. It must not
//! know how they are kept.

use std::collections::BTreeMap;

use super::{Answer, Auditor, Message, Queue};
use crate::plan::{RELAXED_TOPIC, TOPICS, leads_to};
use crate::queues::{MEMORY, OS, QUEUES};
use crate::streams::{FLEETING, WRITTEN};

/// What is written is synced within this time.
const SYNC_INTERVAL_MS: u64 = 100;

/// How far queues and streams had come when a life of the process began.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Ends {
    pub(crate) os: u64,
    pub(crate) memory: u64,
    pub(crate) written: u64,
    pub(crate) fleeting: u64,
}

/// What is known of them.
#[derive(Default, Debug)]
pub(super) struct Durability {
    /// Acknowledged, perhaps not synced yet, and when that was heard.
    at_risk: BTreeMap<u32, u64>,
    has_lost_power: bool,
    /// Messages that had been published when this life began.
    begun: u32,
    pub(super) begun_at: Ends,
}

impl Message {
    /// Whether an acknowledgement says only that it is written.
    const fn is_relaxed(&self) -> bool {
        self.topic == RELAXED_TOPIC && !self.is_retained
    }
}

impl Queue {
    /// What was there from that offset on is lost, and others may come there. Gives it.
    fn forget_from(&mut self, end: u64) -> BTreeMap<u64, u32> {
        let lost = self.by_offset.split_off(&end);
        for (offset, number) in &lost {
            if let Some(offsets) = self.offsets.get_mut(number) {
                offsets.remove(offset);
            }
        }
        self.offsets.retain(|_, offsets| !offsets.is_empty());
        let accepted = self.accepted.split_off(&end);
        assert!(
            !accepted.values().any(|recorded| *recorded),
            "settled, recorded and lost: {lost:?}"
        );
        self.forgotten.split_off(&end);
        self.answered.split_off(&end);
        lost
    }
}

impl Auditor {
    /// A message is acknowledged.
    pub(crate) fn may_be_at_risk(&mut self, number: u32, now_ms: u64) {
        let message = &self.messages[number as usize];
        if message.is_relaxed() && message.answer == Answer::Taken {
            self.durability.at_risk.insert(number, now_ms);
        }
    }

    /// The log works, and has had its time.
    pub(crate) fn is_synced_by(&mut self, now_ms: u64) {
        self.durability.at_risk.retain(|_, heard| *heard + SYNC_INTERVAL_MS > now_ms);
    }

    /// The power is gone: what was written and not synced may be lost.
    pub(crate) fn power_lost(&mut self) {
        self.durability.has_lost_power = true;
        for number in std::mem::take(&mut self.durability.at_risk).into_keys() {
            self.messages[number as usize].answer = Answer::Unknown;
        }
    }

    /// The process has begun anew. What a start has found does not get lost any more.
    pub(crate) fn begins(&mut self, ends: Ends) {
        let has_lost_power = std::mem::take(&mut self.durability.has_lost_power);
        self.durability.at_risk.clear();
        self.durability.begun = self.published();
        self.moment += 1;
        self.begun_at_moment = self.moment;
        self.lives_before += 1;
        self.durability.begun_at = ends;
        for (queue, end) in [(OS, ends.os), (MEMORY, ends.memory)] {
            let lost = self.queues[queue].forget_from(end);
            self.check_lost(QUEUES[queue].name, &lost, has_lost_power);
        }
        for (stream, end) in [(WRITTEN, ends.written), (FLEETING, ends.fleeting)] {
            let lost = self.stream_forgets_from(stream, end);
            self.check_lost("a stream", &lost, has_lost_power);
        }
    }

    fn check_lost(&self, name: &str, lost: &BTreeMap<u64, u32>, has_lost_power: bool) {
        for (offset, number) in lost {
            let message = &self.messages[*number as usize];
            let may_be_lost = message.answer != Answer::Taken || message.is_resent;
            assert!(
                has_lost_power && may_be_lost && message.is_relaxed(),
                "message {number} at {offset} of {name} is lost, the power was cut: {has_lost_power}"
            );
        }
    }

    /// How far they had come then.
    pub(crate) const fn begun_at(&self) -> Ends {
        self.durability.begun_at
    }

    /// What was in memory in an earlier life does not come.
    pub(super) fn check_memory(&self, queue: usize, offset: u64) {
        let from = self.durability.begun_at.memory;
        assert!(
            queue != MEMORY || offset >= from,
            "offset {offset} was in memory, and comes after a restart, which began at {from}"
        );
    }

    /// All that waits has been taken: what was published in this life has come from the queue in memory.
    pub(crate) fn check_memory_complete(&self) {
        let begun = self.durability.begun as usize;
        for (number, message) in self.messages.iter().enumerate().skip(begun) {
            let is_due = message.answer == Answer::Taken && message.qos > 0;
            let is_meant = is_due && leads_to(TOPICS[message.topic], QUEUES[MEMORY].filter);
            assert!(
                !is_meant || self.queues[MEMORY].offsets.contains_key(&(number as u32)),
                "message {number} was acknowledged and is lost in memory"
            );
        }
    }
}
