//! What becomes of messages that members have.

use std::time::Duration;

use message_index::{Key, Offset};

use super::{Around, Reader, State, Unsettled};
use crate::{MemberId, Outcome, StreamConfig};

/// How long a message waits of which so many deliveries counted: doubling from `retry_delay` to `retry_delay_max`.
fn back_off(config: &StreamConfig, attempts: u32) -> Duration {
    let factor = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    config.retry_delay.saturating_mul(factor).min(config.retry_delay_max)
}

impl Reader {
    /// Whether a member has that message.
    pub(crate) fn has(&self, member: MemberId, offset: Offset) -> bool {
        let message = self.unsettled.get(offset);
        message.is_some_and(|message| message.state == State::InFlight(member))
    }

    /// What became of a message that a member has.
    pub(crate) fn settle(
        &mut self,
        id: MemberId,
        offset: Offset,
        outcome: Outcome,
        around: &Around<'_>,
    ) {
        let Some(member) = self.member(id) else { return };
        member.in_flight -= 1;
        match outcome {
            Outcome::Accept => {}
            Outcome::Reject => self.rejected = self.rejected.saturating_add(1),
            Outcome::Gone => self.skipped = self.skipped.saturating_add(1),
            Outcome::Release => return self.release(offset, around),
            Outcome::Busy => {
                if !around.config.retry_delay.is_zero() {
                    member.rests = Some(around.now + around.config.retry_delay);
                }
                return self.make_ready(offset);
            }
            Outcome::TooLarge => {
                self.barred.insert((offset, id));
                return self.make_ready(offset);
            }
        }
        self.finish(offset);
    }

    fn release(&mut self, offset: Offset, around: &Around<'_>) {
        let comes_again = self.comes_again(offset);
        let Some(message) = self.unsettled.get_mut(offset) else { return };
        message.attempts = message.attempts.saturating_add(1);
        let delay = back_off(around.config, message.attempts);
        if delay.is_zero() || !comes_again {
            return self.make_ready(offset);
        }
        let due = around.now + delay;
        message.state = State::Delayed(due);
        self.delayed.insert((due, offset));
    }

    /// Whether a message that is given back has to come again: it is wanted, and it is not still to be read after the reader
    /// went back.
    pub(super) fn comes_again(&self, offset: Offset) -> bool {
        self.unsettled.get(offset).is_some_and(|message| self.is_wanted(offset, message))
    }

    fn is_wanted(&self, offset: Offset, message: &Unsettled) -> bool {
        offset >= self.from && offset < self.cursor && !message.is_left_over
    }

    /// Lets a message come again at once, unless it is not wanted any more, or all members are too small for it.
    fn make_ready(&mut self, offset: Offset) {
        if !self.comes_again(offset) {
            return self.finish(offset);
        }
        let bars = self.barred.range((offset, MemberId(0))..=(offset, MemberId(u64::MAX))).count();
        if bars > 0 && bars >= self.members.len() && self.has_members() {
            self.skipped = self.skipped.saturating_add(1);
            return self.finish(offset);
        }
        if let Some(message) = self.unsettled.get_mut(offset) {
            message.state = State::Ready;
            self.ready.insert(offset);
        }
    }

    /// A message is unsettled no more.
    pub(super) fn finish(&mut self, offset: Offset) {
        let Some(message) = self.unsettled.remove(offset) else { return };
        let is_behind = self.unsettled.first_from(Offset(0)).is_some_and(|first| first < offset);
        if is_behind && self.is_wanted(offset, &message) {
            self.settled.push(offset);
        }
        match message.state {
            State::Ready => drop(self.ready.remove(&offset)),
            State::Delayed(due) => drop(self.delayed.remove(&(due, offset))),
            State::InFlight(_) | State::PassedOver => {}
        }
        if !self.barred.is_empty() {
            self.barred.retain(|(barred, _)| *barred != offset);
        }
        if message.key == Key::NONE {
            return;
        }
        if let Some(next) = self.keys.end(message.key)
            && let Some(message) = self.unsettled.get_mut(next)
        {
            message.state = State::Ready;
            self.ready.insert(next);
        }
    }

    /// A member has gone: what it had comes again, in order.
    pub(crate) fn remove(&mut self, id: MemberId, written: &[Offset]) {
        self.members.retain(|member| member.id != id);
        self.turn = 0;
        let mut written = written.to_vec();
        written.sort_unstable();
        let had = self.unsettled.iter().filter(|(_, message)| message.state == State::InFlight(id));
        let had: Vec<Offset> = had.map(|(offset, _)| offset).collect();
        let barred: Vec<Offset> = self.barred.iter().map(|(offset, _)| *offset).collect();
        self.barred.retain(|(_, member)| *member != id);
        for offset in had {
            if let Some(message) = self.unsettled.get_mut(offset) {
                let counts = written.binary_search(&offset).is_ok();
                message.attempts = message.attempts.saturating_add(u32::from(counts));
            }
            self.make_ready(offset);
        }
        // It may have been the last one that takes them.
        for offset in barred {
            if self.ready.contains(&offset) {
                self.make_ready(offset);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let config = StreamConfig::default();
        for (attempts, seconds) in
            [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (u32::MAX, 60)]
        {
            assert_eq!(back_off(&config, attempts), Duration::from_secs(seconds), "{attempts}");
        }
        let none = StreamConfig { retry_delay: Duration::ZERO, ..StreamConfig::default() };
        assert_eq!(back_off(&none, 9), Duration::ZERO);
        let longest =
            StreamConfig { retry_delay: Duration::MAX, retry_delay_max: Duration::MAX, ..none };
        assert_eq!(back_off(&longest, 3), Duration::MAX);
    }
}
