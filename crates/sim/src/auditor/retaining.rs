//! Which messages are retained at the end. It must not know where they are kept.

use super::{Answer, Auditor};
use crate::plan::{TOPICS, leads_to};

impl Auditor {
    pub(crate) fn is_retained(&self, message: u32) -> bool {
        self.messages[message as usize].is_retained
    }

    /// A message is retained at the end.
    pub(crate) fn kept(&mut self, number: u32, is_marked: bool) {
        let message = &self.messages[number as usize];
        assert!(
            is_marked && message.is_retained && message.answer != Answer::Refused,
            "message {number} is retained, and should not be: {message:?}"
        );
        let before = self.kept.insert(TOPICS[message.topic], number);
        assert!(
            before.is_none_or(|before| before == number),
            "retained twice: {before:?} and {number}"
        );
    }

    /// Of each topic the newest retained message that was acknowledged is there, or one that may be newer.
    pub(crate) fn check_retained(&self) {
        // A retained message that is damaged is not shown.
        if self.has_met_damage {
            return;
        }
        for (number, message) in self.messages.iter().enumerate() {
            let is_read = leads_to(TOPICS[message.topic], "t/+");
            if !is_read
                || !message.is_retained
                || message.answer != Answer::Taken
                || message.qos == 0
            {
                continue;
            }
            let kept = self.kept.get(TOPICS[message.topic]);
            let kept = kept.unwrap_or_else(|| panic!("retained message {number} is lost"));
            let other = &self.messages[*kept as usize];
            assert!(
                other.is_resent || other.answered.is_none_or(|answered| answered > message.sent),
                "message {kept} is retained, and {number} came after it"
            );
        }
    }
}
