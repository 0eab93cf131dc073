//! Giving out messages: what comes again first, then on from the cursor.

use message_index::{Key, Offset, StoredAt};

use super::{Around, Reader, State, Unsettled};
use crate::{Action, StreamConfig};

/// Why a reader is given no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Halt {
    /// Nobody takes more, or nothing is to be delivered.
    Full,
    /// It has what there is, and takes what comes.
    Hungry,
    /// What is next needs a permit.
    Withheld,
}

impl Reader {
    /// Gives out what may go.
    pub(crate) fn deliver(
        &mut self,
        around: &Around<'_>,
        redelivered: &mut u64,
        actions: &mut Vec<Action>,
    ) -> Halt {
        if around.config.paused || self.members.is_empty() {
            return Halt::Full;
        }
        let before = actions.len();
        if !self.ready.is_empty() {
            self.deliver_again(around, actions);
        }
        let halt = self.read_on(around, actions);
        let again = actions.iter().skip(before);
        let again = again.filter(|action| matches!(action, Action::Deliver { attempt: 2.., .. }));
        *redelivered = redelivered.saturating_add(again.count() as u64);
        halt
    }

    fn deliver_again(&mut self, around: &Around<'_>, actions: &mut Vec<Action>) {
        let mut from = Offset(0);
        while self.is_any_free(around.config) {
            let Some(offset) = self.ready.range(from..).next().copied() else { return };
            from = offset.next();
            let Some(at) = around.index.body(offset) else {
                // Its end can let one before it go.
                self.finish(offset);
                from = Offset(0);
                continue;
            };
            if let Some(member) = self.pick(Some(offset), around.config) {
                self.ready.remove(&offset);
                let Some(mut message) = self.unsettled.get(offset).copied() else { continue };
                self.send(offset, at, &mut message, member, actions);
                if let Some(known) = self.unsettled.get_mut(offset) {
                    *known = message;
                }
            }
        }
    }

    /// Goes on from the cursor as far as there are messages, credit and room.
    fn read_on(&mut self, around: &Around<'_>, actions: &mut Vec<Action>) -> Halt {
        let by_keys = self.goes_by_keys(around.config);
        self.done.forget_before(self.cursor);
        while self.has_room(around.config) {
            let Some(member) = self.pick(None, around.config) else { return Halt::Full };
            let Some(offset) = around.index.first_from(self.cursor) else { return Halt::Hungry };
            if self.unsettled.contains(offset) || self.is_done(offset) {
                // It went back, and a member still has this one; or it was settled before a restart.
                self.cursor = offset.next();
                continue;
            }
            if offset >= self.permitted {
                return Halt::Withheld;
            }
            self.cursor = offset.next();
            let key =
                if by_keys { around.index.key(offset).unwrap_or_default() } else { Key::NONE };
            let attempts = u32::from(offset < self.floor);
            let state = State::PassedOver;
            let mut message = Unsettled { attempts, key, state, is_left_over: false };
            if self.keys.is_busy(key) {
                self.unsettled.insert(offset, message);
                self.keys.wait(key, offset);
                continue;
            }
            let Some(at) = around.index.body(offset) else { continue };
            self.keys.begin(key);
            self.send(offset, at, &mut message, member, actions);
            self.unsettled.insert(offset, message);
        }
        Halt::Full
    }

    fn is_any_free(&self, config: &StreamConfig) -> bool {
        self.members.iter().any(|member| member.is_free(config))
    }

    /// Whether it may go on. A client's released messages take its credit until they are settled, so that what comes after
    /// them does not run away.
    pub(super) fn has_room(&self, config: &StreamConfig) -> bool {
        let look_ahead = config.look_ahead.max(1);
        let ahead = |of: Offset| self.cursor.0.saturating_sub(of.0);
        if ahead(self.from) >= look_ahead && ahead(self.position()) >= look_ahead {
            return false;
        }
        let credit = self.members.first().map_or(0, |member| member.credit(config));
        self.name.is_group() || self.unsettled.len() < credit as usize
    }

    /// The next member whose turn it is and that has credit, and takes the message.
    pub(super) fn pick(&self, offset: Option<Offset>, config: &StreamConfig) -> Option<usize> {
        let count = self.members.len();
        let places = (self.turn..count).chain(0..self.turn.min(count));
        let mut free = places.filter(|place| {
            self.members.get(*place).is_some_and(|member| {
                let barred = |offset| self.barred.contains(&(offset, member.id));
                member.is_free(config) && !offset.is_some_and(barred)
            })
        });
        free.next()
    }

    fn send(
        &mut self,
        offset: Offset,
        at: StoredAt,
        message: &mut Unsettled,
        place: usize,
        actions: &mut Vec<Action>,
    ) {
        let Some(member) = self.members.get_mut(place) else { return };
        member.in_flight += 1;
        message.state = State::InFlight(member.id);
        self.turn = place + 1;
        let attempt = message.attempts.saturating_add(1);
        actions.push(Action::Deliver { member: member.id, offset, at, attempt });
    }
}
