//! What a queue that is bound anew now and then must have taken, and what it cannot have. It must not know who binds it.
//!
//! A binding holds at the latest when an operator hears of it, and at the earliest when it was asked for; until a later one is
//! heard of.

use super::{Auditor, Message};
use crate::plan::TOPICS;
use crate::queues::{QUEUES, REBOUND, WIDE};

#[derive(Debug)]
struct Binding {
    asked: u64,
    heard: Option<u64>,
    is_wide: bool,
}

/// All bindings, in the order in which they were asked for.
#[derive(Debug)]
pub(super) struct Bindings(Vec<Binding>);

impl Default for Bindings {
    fn default() -> Self {
        Self(vec![Binding { asked: 0, heard: Some(0), is_wide: false }])
    }
}

impl Bindings {
    /// Whether the queue takes a message, if that is sure.
    pub(super) fn takes(&self, message: &Message) -> Option<bool> {
        let topic = TOPICS[message.topic];
        let (from, to) = (message.sent, message.answered.unwrap_or(u64::MAX));
        let mut takes = self.0.iter().enumerate().filter_map(|(n, binding)| {
            let over = self.0[n + 1..].iter().find_map(|later| later.heard).unwrap_or(u64::MAX);
            let filter = if binding.is_wide { WIDE } else { QUEUES[REBOUND].filter };
            let holds = binding.asked <= to && over >= from;
            holds.then(|| crate::plan::leads_to(topic, filter))
        });
        let first = takes.next()?;
        takes.all(|other| other == first).then_some(first)
    }
}

impl Auditor {
    /// An operator asks for another filter. Gives which binding that is.
    pub(crate) fn binds(&mut self, is_wide: bool) -> usize {
        self.moment += 1;
        self.bindings.0.push(Binding { asked: self.moment, heard: None, is_wide });
        self.bindings.0.len() - 1
    }

    /// The operator hears that it holds.
    pub(crate) fn is_bound(&mut self, binding: usize) {
        self.moment += 1;
        self.bindings.0[binding].heard = Some(self.moment);
    }
}
