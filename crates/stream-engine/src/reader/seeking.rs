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
        for (_, message) in self.unsettled.iter() {
            self.keys.begin(message.key);
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
        self.rejected = self.rejected.max(rejected);
        self.skipped = self.skipped.max(skipped);
    }

    /// Goes by keys, or not, as the properties now say.
    pub(crate) fn rekey(&mut self, around: &Around<'_>) {
        let by_keys = self.goes_by_keys(around.config);
        self.keys.clear();
        for (offset, message) in self.unsettled.iter_mut() {
            let key = around.index.key(offset).filter(|_| by_keys);
            message.key = key.unwrap_or(Key::NONE);
            if message.state == State::PassedOver {
                // Those that wait begin anew: some may go, and the others find their keys busy.
                message.state = State::Ready;
                self.ready.insert(offset);
            }
            self.keys.begin(message.key);
        }
    }
}
