//! Messages that come.

use stdx::UnixMillis;

use super::Queue;
use crate::{Action, DeadReason, Departure, Key, MessageId, NewMessage, Offset};
use message_index::{Entry, NEVER, chunk_of};

impl Queue {
    /// Takes a message.
    pub(super) fn enqueue(&mut self, message: &NewMessage, actions: &mut Vec<Action>) {
        let Some(offset) = self.append(message) else {
            actions.push(Action::Duplicate { at: message.at });
            return;
        };
        if message.is_unkeyed && self.config.dead_letter_unkeyed && !self.stale.contains(offset) {
            self.take_out(offset);
            return self.dead_letter(offset, DeadReason::Unkeyed, 0, actions);
        }
        if let Some(older) = self.replaces(offset)
            && self.leases.get(older).is_none()
        {
            self.take_out(older);
            self.replaced(older, actions);
        }
    }

    /// Gives up what a replay has let in: its death was not in the log yet.
    pub(super) fn give_up_all_unkeyed(&mut self, actions: &mut Vec<Action>) {
        for offset in std::mem::take(&mut self.unkeyed) {
            if self.config.dead_letter_unkeyed && self.is_waiting(offset) {
                self.take_out(offset);
                self.dead_letter(offset, DeadReason::Unkeyed, 0, actions);
            }
        }
    }

    /// Puts a message at the end; none when its id is known.
    pub(super) fn append(&mut self, message: &NewMessage) -> Option<Offset> {
        if let Some(id) = message.message_id
            && !self.config.dedup_window.is_zero()
        {
            if self.dedup.is_known(id, message.stored, self.config.dedup_window) {
                return None;
            }
            self.dedup.remember(id, message.stored, &self.config);
        }
        let entry = Entry {
            at: message.at,
            size: message.size,
            stored: message.stored,
            key: if self.config.needs_keys() { message.key } else { Key::NONE },
            expires: message.expires.map_or(NEVER, |expires| expires.max(message.stored)),
            not_before: message.not_before.map_or(message.stored, |at| at.max(message.stored)),
        };
        let offset = self.index.push(entry);
        if self.has_no_key_here(message) {
            self.stale_since(offset);
        }
        let deadline = self.deadline(&entry);
        if deadline != NEVER {
            self.expiry.note(chunk_of(offset), deadline);
        }
        if entry.is_held_back() {
            self.index.place(offset);
            self.held_back.insert((entry.not_before, offset));
        }
        Some(offset)
    }

    /// The message that a new one has replaced.
    pub(super) fn replaces(&mut self, offset: Offset) -> Option<Offset> {
        if !self.is_last_value() {
            return None;
        }
        self.newest.add(self.key(offset), offset)
    }

    /// Whether a message with this id would be a duplicate, if it were stored at that time. To be asked before a message is
    /// stored; one that is stored all the same is recognised then.
    #[must_use]
    pub fn is_duplicate(&self, id: MessageId, stored: UnixMillis) -> bool {
        let window = self.config.dedup_window;
        !window.is_zero() && self.dedup.is_known(id, stored, window)
    }

    /// Whether a message came back, or stayed, that a newer one of its key has replaced.
    pub(super) fn is_replaced(&self, offset: Offset) -> bool {
        self.config.last_value && self.newest.is_replaced(offset)
    }

    pub(super) fn replaced(&mut self, offset: Offset, actions: &mut Vec<Action>) {
        let at = self.leave(offset, Departure::Replaced).at;
        actions.push(Action::Replaced { offset, at });
    }

    /// Finds the newest message of each key.
    pub(super) fn find_newest(&mut self) {
        self.newest.clear();
        if self.is_last_value() {
            for (offset, entry) in self.index.iter_from(Offset(0)) {
                self.newest.add(entry.key, offset);
            }
        }
    }

    /// Removes what was replaced and is not in flight, as far as one input goes.
    pub(super) fn replace_older(&mut self, actions: &mut Vec<Action>) {
        let is_idle = |offset: &Offset| self.leases.get(*offset).is_none();
        let room = self.enough_at.saturating_sub(actions.len());
        let mut older: Vec<Offset> =
            self.newest.replaced().filter(is_idle).take(room + 1).collect();
        if older.len() > room {
            older.truncate(room);
            self.has_more = true;
        }
        for offset in older {
            self.take_out(offset);
            self.replaced(offset, actions);
        }
    }
}
