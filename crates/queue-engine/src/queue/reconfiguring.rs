//! Other properties on a living queue: what follows at once.

use super::Queue;
use crate::consumers::ConsumerSlot;
use crate::dispatch::Dispatcher;
use crate::{Action, QueueConfig};

impl Queue {
    pub(super) fn set_paused(&mut self, paused: bool) {
        self.config.paused = paused;
        self.go_on();
    }

    /// While nothing was delivered nobody looked for somebody to take these.
    pub(super) fn go_on(&mut self) {
        self.unplaced.extend(self.barred.ready());
        self.keys.recall_owners();
    }

    pub(super) fn reconfigure(&mut self, config: QueueConfig) {
        let slots: Vec<ConsumerSlot> = self.consumers.slots().collect();
        let before = std::mem::replace(&mut self.config, config);
        let config = self.config.clone();
        if config.dispatch_strategy != before.dispatch_strategy {
            self.dispatcher = Dispatcher::new(config.dispatch_strategy);
            slots.iter().for_each(|slot| self.consumers.get_mut(*slot).is_available = false);
        }
        let was_rekeying = self.is_rekeying;
        self.find_stale(&before);
        let is_rekeying = self.is_rekeying;
        let keys_changed = config.key_inflight != before.key_inflight
            || config.dispatch_strategy != before.dispatch_strategy
            || is_rekeying != was_rekeying;
        if keys_changed {
            self.forget_keys();
            if self.is_keyed() {
                self.go_by_keys();
            }
        }
        if config.retention != before.retention {
            self.find_deadlines();
        }
        if config.last_value != before.last_value || is_rekeying != was_rekeying {
            self.find_newest();
        }
        if config.dedup_window.is_zero() {
            self.dedup.clear();
        }
        if config.keep_settled != before.keep_settled {
            self.find_kept();
        }
        self.rules_are_stale = true;
        self.set_paused(config.paused);
        slots.into_iter().for_each(|slot| self.refresh(slot));
    }

    /// Makes good what a replay left undone, and what other properties ask for.
    pub(super) fn apply_rules(&mut self, actions: &mut Vec<Action>) {
        self.give_up_all_unkeyed(actions);
        self.replace_older(actions);
        if self.config.keep_settled.is_zero() && self.index.kept_len() > 0 {
            self.forget_all(actions);
        }
        self.rules_are_stale = self.has_more;
    }
}
