//! What operators do: purge, pause, other properties on a living stream.

use message_index::Offset;

use super::Stream;
use crate::{Action, Departure, Scope, StreamConfig};

impl Stream {
    /// Removes messages, as many as are asked for.
    pub(super) fn purge(&mut self, scope: Scope, max: usize, actions: &mut Vec<Action>) {
        let of_range = |range: std::ops::Range<Offset>| {
            let messages = self.index.iter_from(range.start);
            messages.take_while(move |(offset, _)| *offset < range.end)
        };
        let purged: Vec<Offset> = match scope {
            Scope::Range(range) => of_range(range).map(|(offset, _)| offset).take(max).collect(),
            Scope::Key(range, key) => {
                let of_key = of_range(range).filter(|(_, entry)| entry.key == key);
                of_key.map(|(offset, _)| offset).take(max).collect()
            }
            Scope::Offsets(offsets) => {
                let here = offsets.into_iter().filter(|offset| self.index.contains(*offset));
                here.take(max).collect()
            }
        };
        // An offset that is named twice is gone the second time.
        for offset in purged {
            self.remove(offset, Departure::Purged, actions);
        }
    }

    pub(super) fn resume(&mut self) {
        self.config.paused = false;
        self.readers.stir_all();
    }

    pub(super) fn reconfigure(&mut self, config: StreamConfig) {
        let before = std::mem::replace(&mut self.config, config);
        if self.config.retention != before.retention {
            self.find_deadlines();
        }
        let was_rekeying = self.is_rekeying;
        self.find_stale(&before);
        if self.config.last_value != before.last_value || self.is_rekeying != was_rekeying {
            self.find_newest();
        }
        if self.config.needs_keys() != before.needs_keys() {
            self.rekey_readers();
        }
        self.rules_are_stale = true;
        self.readers.stir_all();
    }

    /// Makes good what a replay left undone, and what other properties ask for.
    pub(super) fn apply_rules(&mut self, actions: &mut Vec<Action>) {
        let room = self.enough_at.saturating_sub(actions.len());
        let later = self.replaced.split_off(room.min(self.replaced.len()));
        for offset in std::mem::replace(&mut self.replaced, later) {
            self.remove(offset, Departure::Replaced, actions);
        }
        self.rules_are_stale = !self.replaced.is_empty();
    }
}
