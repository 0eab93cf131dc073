//! Keys that are made anew: of messages that are here when the properties change that their keys follow from.
//!
//! Meanwhile groups that go by keys are given nothing, and nothing is replaced. All else goes on.

use message_index::{Key, Offset, StalePart};

use super::Stream;
use crate::reader::Around;
use crate::{NewMessage, StreamConfig};

impl Stream {
    /// Messages whose bodies are to be read for their keys next, as many as are of so many bytes together; none when no
    /// message needs a key. What comes of it goes in with [`Input::Rekey`](crate::Input::Rekey).
    #[must_use]
    pub fn to_rekey(&self, bytes_max: u64) -> Option<StalePart> {
        self.stale.part(&self.index, bytes_max)
    }

    /// How many messages that are here wait for their keys to be made anew.
    #[must_use]
    pub fn rekeying(&self) -> u64 {
        self.stale.len(&self.index)
    }

    /// Whether keys are being made anew.
    #[must_use]
    pub const fn is_rekeying(&self) -> bool {
        self.is_rekeying
    }

    /// Whether older messages are replaced, and their keys are known.
    pub(super) const fn is_last_value(&self) -> bool {
        self.config.last_value && !self.is_rekeying
    }

    /// Whether a message comes without the key that this stream wants of it: who sent it knew other properties.
    pub(super) const fn has_no_key_here(&self, message: &NewMessage) -> bool {
        self.config.needs_keys() && message.key_generation != self.config.key_generation
    }

    /// A message has come whose key has to be made.
    pub(super) fn stale_since(&mut self, offset: Offset) {
        self.stale.add(offset);
        if !std::mem::replace(&mut self.is_rekeying, true) {
            self.find_newest();
        }
    }

    /// Finds out, by other properties, whose keys are to be made anew.
    pub(super) fn find_stale(&mut self, before: &StreamConfig) {
        self.stale.want(self.config.key_making(), before.key_making(), &self.index);
        self.is_rekeying = !self.stale.is_empty();
    }

    /// Takes keys that were made anew.
    pub(super) fn rekey(&mut self, round: u64, made: &[(Offset, Key)]) {
        if self.stale.is_done(round, made.iter().map(|(offset, _)| *offset)) {
            self.index.rekey(made);
        }
    }

    /// If all have the keys that they need, finds anew what follows from keys.
    pub(super) fn end_rekeying(&mut self) {
        if !self.is_rekeying || !self.stale.is_through(&self.index) {
            return;
        }
        self.is_rekeying = false;
        self.find_newest();
        self.rules_are_stale = true;
        self.rekey_readers();
        self.readers.stir_all();
    }

    pub(super) fn rekey_readers(&mut self) {
        let around = Around { index: &self.index, config: &self.config, now: self.now };
        self.readers.iter_mut().for_each(|reader| reader.rekey(&around));
    }
}
