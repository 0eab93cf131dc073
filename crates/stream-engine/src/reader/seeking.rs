//! Going on somewhere else, and by other rules.

use message_index::{Key, Offset};

use super::{Around, Reader, State};
use crate::{Progress, Report, Runs};

impl Reader {
    /// Reads on from an offset. What members have stays with them: what of it is before the offset is not wanted any more,
    /// what is after it is not delivered again while they have it.
    pub(crate) fn seek(&mut self, to: Offset) {
        self.unsettled.retain(|message| matches!(message.state, State::InFlight(_)));
        self.ready.clear();
        self.delayed.clear();
        self.barred.clear();
        self.keys.clear();
        for (_, message) in self.unsettled.iter_mut() {
            self.keys.begin(message.key);
            message.is_left_over = false;
        }
        self.cursor = to;
        self.from = to;
        self.floor = to;
        self.done = Runs::default();
        self.settled.clear();
        self.told = None;
    }

    /// Goes on where a report has it.
    pub(crate) fn put_back(&mut self, report: &Report) {
        let Progress { position, delivered_to, rejected, skipped } = report.progress;
        self.seek(position);
        self.floor = delivered_to;
        self.done.clone_from(&report.settled);
        for (offset, message) in self.unsettled.iter_mut() {
            message.is_left_over = self.done.contains(offset);
        }
        self.rejected = self.rejected.max(rejected);
        self.skipped = self.skipped.max(skipped);
    }

    /// Goes by keys, or not, as the properties now say, and by those that messages have now.
    pub(crate) fn rekey(&mut self, around: &Around<'_>) {
        let by_keys = self.goes_by_keys(around.config);
        self.keys.clear();
        let mut waiting = Vec::new();
        for (offset, message) in self.unsettled.iter_mut() {
            let key = around.index.key(offset).filter(|_| by_keys);
            message.key = key.unwrap_or(Key::NONE);
            match message.state {
                State::InFlight(_) => self.keys.begin(message.key),
                State::Delayed(_) if !by_keys => {}
                // Those that wait begin anew, in order: the first of each key may go.
                State::Delayed(_) | State::Ready | State::PassedOver => waiting.push(offset),
            }
        }
        if by_keys {
            self.delayed.clear();
        }
        self.ready.clear();
        for offset in waiting {
            let Some(message) = self.unsettled.get_mut(offset) else { continue };
            if self.keys.is_busy(message.key) {
                message.state = State::PassedOver;
                self.keys.wait(message.key, offset);
            } else {
                message.state = State::Ready;
                self.keys.begin(message.key);
                self.ready.insert(offset);
            }
        }
    }
}
