//! What a queue's room is told: what has come and gone, and which messages the next of their keys replace. It must not know
//! why messages leave.

use queue_engine::{Dedup, Key, Queue};

use super::HostedQueue;
use crate::terms::{Load, knows_ids, takes_over};

impl HostedQueue {
    /// Tells the room which messages are replaced by the next of their keys, and which ids are known.
    pub(super) fn tell_room(&mut self) {
        let config = &self.definition.properties.config;
        let takes_over = takes_over(config);
        let known = if knows_ids(config) { self.engine.dedup().clone() } else { Dedup::default() };
        self.room.set_known(known);
        let keys = self.engine.watch_replaceable(takes_over);
        self.takes_over |= takes_over;
        if self.takes_over {
            let keys = keys.into_iter().filter(|_| takes_over);
            let engine = &self.engine;
            self.room.set_replaceable(keys.map(|key| (key, engine.replaceable(key))));
        }
    }

    /// Tells the room what has come and gone.
    pub(super) fn count_room(&mut self, came: Option<(Key, u32)>) {
        let now = load_of(&self.engine);
        if self.takes_over {
            let changed = self.engine.take_changed().into_iter();
            let engine = &self.engine;
            let replaceable = changed.map(|key| (key, engine.replaceable(key)));
            self.room.count_by_key(&mut self.counted, came, replaceable, now);
        } else {
            let reserved = came.map_or_else(Load::default, |(_, size)| Load::of_one(size));
            self.room.count(&mut self.counted, reserved, now);
        }
        let is_rekeying = self.engine.is_rekeying();
        if std::mem::replace(&mut self.is_rekeying, is_rekeying) != is_rekeying {
            self.tell_room();
        }
    }
}

pub(super) fn load_of(engine: &Queue) -> Load {
    let (messages, bytes) = engine.waiting();
    Load { messages, bytes }
}
