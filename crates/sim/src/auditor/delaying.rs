//! Messages that are published to be published later: all come, once, but those that an operator cancels. It must not know where
//! they wait.

use super::{Answer, Auditor, Message, Wall};
use crate::plan::LATER_TOPIC;
use crate::queues::LATER;

/// What an operator has heard of them.
#[derive(Default, Debug)]
pub(super) struct Delaying {
    /// So many are cancelled for sure, and so many more perhaps.
    cancelled: usize,
    perhaps: usize,
}

impl Auditor {
    fn delayed(&self) -> impl Iterator<Item = (u32, &Message)> {
        let numbered = (0..).zip(&self.messages);
        numbered.filter(|(_, message)| message.topic == LATER_TOPIC)
    }

    /// An operator hears that one will not come.
    pub(crate) const fn is_cancelled(&mut self) {
        self.delaying.cancelled += 1;
    }

    /// Or does not hear whether it will.
    pub(crate) const fn may_be_cancelled(&mut self) {
        self.delaying.perhaps += 1;
    }

    /// So many wait for sure, or leave.
    pub(crate) fn delayed_at_least(&self, now: Wall) -> usize {
        let waits = self.delayed().filter(|(number, message)| {
            let later = self.timing_of(*number).later.unwrap_or(0);
            let sent = self.sent_at(*number);
            let is_there = message.answer == Answer::Taken && message.qos > 0;
            let is_due = sent.was_set != now.was_set
                || sent.unix_ms + u64::from(later) * 1000 <= now.unix_ms;
            is_there && !is_due
        });
        waits.count().saturating_sub(self.delaying.cancelled + self.delaying.perhaps)
    }

    /// Whether a delayed message may come once more: the process has ended since it was sent, perhaps when its publication was
    /// stored and not that it is done. Both were stored before it was settled for sure.
    pub(super) fn may_come_again(&self, number: u32) -> bool {
        let known = &self.queues[LATER];
        let is_recorded = |offset: &u64| known.accepted.get(offset) == Some(&true);
        let is_settled = known.offsets.get(&number).is_some_and(|all| all.iter().any(is_recorded));
        self.messages[number as usize].sent < self.begun_at_moment && !is_settled
    }

    /// All that was delayed is due: it has come, or was cancelled.
    pub(crate) fn check_delayed(&self) {
        let came = &self.queues[LATER].offsets;
        let missing = || self.delayed().filter(|(number, _)| !came.contains_key(number));
        let lost = missing().filter(|(_, one)| one.answer == Answer::Taken && one.qos > 0);
        let lost: Vec<u32> = lost.map(|(number, _)| number).collect();
        let Delaying { cancelled, perhaps } = self.delaying;
        assert!(
            // What cannot be read when it is due is given up, which the log says.
            lost.len() <= cancelled + perhaps || self.has_met_damage,
            "{lost:?} of the delayed messages never came, and {cancelled} were cancelled"
        );
        // Each time that it was sent again there may be one more.
        let again: u64 = self.delayed().map(|(_, message)| message.sent_times - 1).sum();
        assert!(
            missing().count() as u64 + again >= cancelled as u64,
            "{cancelled} delayed messages were cancelled, and only these never came: {lost:?}"
        );
    }
}
