//! Messages that come, and those that they push out.

use message_index::{Entry, Key, NEVER, Offset, chunk_of};

use super::Stream;
use crate::{Action, Departure, NewMessage};

/// Why a message must not be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Full {
    /// The stream keeps no messages.
    #[error("the stream has max_messages 0 and keeps nothing; set it higher")]
    Messages,
    /// The message alone is too large.
    #[error("the message is larger than the {max} bytes that the stream keeps; raise max_bytes")]
    Bytes {
        /// The most that it keeps.
        max: u64,
    },
}

impl Stream {
    /// Whether a message may be stored: alone it must not be more than all may be. To be asked before it is stored.
    ///
    /// # Errors
    /// It would not stay.
    pub fn would_fit(&self, size: u32) -> Result<(), Full> {
        if self.config.max_messages == Some(0) {
            return Err(Full::Messages);
        }
        match self.config.max_bytes {
            Some(max) if u64::from(size) > max => Err(Full::Bytes { max }),
            _ => Ok(()),
        }
    }

    pub(super) fn append(&mut self, message: &NewMessage, actions: &mut Vec<Action>) {
        let offset = self.push(message);
        if let Some(older) = self.replaces(offset, message.key) {
            self.remove(older, Departure::Replaced, actions);
        }
        self.readers.stir_hungry();
    }

    /// Puts a message at the end.
    pub(super) fn push(&mut self, message: &NewMessage) -> Offset {
        let entry = Entry {
            key: if self.config.needs_keys() { message.key } else { Key::NONE },
            expires: message.expires.map_or(NEVER, |expires| expires.max(message.stored)),
            ..Entry::plain(message.at, message.size, message.stored)
        };
        let offset = self.index.push(entry);
        if self.has_no_key_here(message) {
            self.stale_since(offset);
        }
        let deadline = self.deadline(&entry);
        if deadline != NEVER {
            self.expiry.note(chunk_of(offset), deadline);
        }
        offset
    }

    /// The message that a newer one of its key has replaced.
    pub(super) fn replaces(&mut self, offset: Offset, key: Key) -> Option<Offset> {
        if !self.is_last_value() || key == Key::NONE {
            return None;
        }
        self.newest.insert(key, offset)
    }

    /// Finds the newest message of each key, and those that it has replaced.
    pub(super) fn find_newest(&mut self) {
        self.newest.clear();
        self.replaced.clear();
        if self.is_last_value() {
            let keyed = self.index.iter_from(Offset(0)).filter(|(_, entry)| entry.key != Key::NONE);
            let older = keyed.filter_map(|(offset, entry)| self.newest.insert(entry.key, offset));
            self.replaced.extend(older);
        }
    }

    fn is_over_limit(&self) -> bool {
        self.config.max_messages.is_some_and(|max| self.index.len() > max)
            || self.config.max_bytes.is_some_and(|max| self.index.bytes() > max)
    }

    /// Drops the oldest as long as there are too many.
    pub(super) fn drop_oldest(&mut self, actions: &mut Vec<Action>) {
        while self.is_over_limit() && actions.len() < self.enough_at {
            let Some(oldest) = self.index.first_from(Offset(0)) else { return };
            self.remove(oldest, Departure::Dropped, actions);
        }
    }
}
