//! Records of what has left queues and streams, and of what may be delivered: when they are written, and what follows when
//! they are stored or not. It must not know what they say.

use log_api::ShardSet;

use super::{Hosting, SETTLE_TOKEN};
use crate::record::SettleRecord;
use crate::turn::Turn;

impl Hosting {
    /// Whether something waits for a record.
    pub(crate) fn has_unlogged(&self) -> bool {
        !self.unlogged.is_empty()
    }

    /// Writes what somebody waits for.
    pub(crate) fn log_urgent(&mut self, turn: &mut Turn) {
        for sink in std::mem::take(&mut self.urgent) {
            if let Some(hosted) = self.hosted_mut(sink).filter(|hosted| hosted.is_urgent()) {
                hosted.log_urgent(turn);
            }
            self.note(sink);
        }
        self.see_to_touched();
    }

    /// Writes what has happened since the last time; only what is little, if something else is written anyway.
    pub(crate) fn log_settlements(&mut self, is_along: bool, turn: &mut Turn) {
        self.see_to_touched();
        for sink in std::mem::take(&mut self.unlogged) {
            let Some(hosted) = self.hosted_mut(sink) else { continue };
            if is_along && hosted.can_wait() {
                self.unlogged.push(sink);
                continue;
            }
            hosted.marks().is_listed = false;
            if hosted.has_unlogged() {
                hosted.log_unlogged(ShardSet::EMPTY, SETTLE_TOKEN, turn);
            }
            // What was said ahead may be taken back later.
            if hosted.has_unlogged() && !std::mem::replace(&mut hosted.marks().is_listed, true) {
                self.unlogged.push(sink);
            }
        }
    }

    /// A record of what left a queue is stored that somebody waits for.
    pub(crate) fn settlements_stored(&mut self, body: &[u8], turn: &mut Turn) {
        let Ok(stored) = SettleRecord::decode(body) else { return };
        if let Some(queue) = self.queues.get_mut(&stored.sink) {
            queue.deliver_what_is_logged(&stored, turn);
        }
        self.note(stored.sink);
    }

    /// A record of what left a queue was not stored: it is to be written again.
    pub(crate) fn settlements_refused(&mut self, body: &[u8], turn: &mut Turn) {
        let Ok(refused) = SettleRecord::decode(body) else { return };
        let sink = refused.sink;
        if let Some(queue) = self.queues.get_mut(&sink) {
            queue.owe(refused, turn);
        }
        self.note(sink);
    }
}
