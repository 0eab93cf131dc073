//! Handing out by keys: the messages of a key go one after the other, and to one consumer at a time.
//!
//! A message whose key is busy is passed over and waits for its key; those behind it go on. At most `key_look_ahead`
//! messages wait so: beyond it the ones behind wait too. A key that has nothing in flight belongs to nobody, so that
//! the next message of it goes to whoever has the fewest: consumers that come get their share, and what a consumer has is
//! drained before another gets the key.

use super::Queue;
use crate::consumers::ConsumerSlot;
use crate::keys::{PASSED_OVER, Takes};
use crate::{Action, Offset};

impl Queue {
    /// Hands out what is ready as far as there is credit.
    ///
    /// After it: nobody may be chosen, or each message that is ready is behind another one of its key, or only its owner
    /// may have it, or so many wait that nothing behind is looked at.
    pub(super) fn dispatch_keyed(&mut self, actions: &mut Vec<Action>) {
        for slot in std::mem::take(&mut self.entered) {
            self.hand_owned(slot, actions);
        }
        self.unplaced.clear();
        loop {
            for slot in self.keys.take_owners() {
                self.hand_owned(slot, actions);
            }
            let Some(slot) = self.dispatcher.choose(&mut self.prng, |_| true) else { return };
            if let Some((turn, key)) = self.keys.first_free() {
                self.keys.unwait(key, turn);
                self.deliver(turn.1, slot, actions);
                continue;
            }
            if self.keys.waiting() >= self.config.key_look_ahead.max(1) as usize {
                return;
            }
            let Some(offset) = self.next_fresh() else { return };
            self.fresh = offset.next();
            match self.keys.takes_new(self.key(offset)) {
                Takes::Anybody => self.deliver(offset, slot, actions),
                Takes::Only(owner) if self.consumers.get(owner).is_available => {
                    self.deliver(offset, owner, actions);
                }
                Takes::Only(_) | Takes::Nobody => {
                    self.keys.wait(self.key(offset), (PASSED_OVER, offset));
                }
            }
        }
    }

    /// Hands a consumer what only it may have, as far as it has credit.
    fn hand_owned(&mut self, slot: ConsumerSlot, actions: &mut Vec<Action>) {
        while let Some((turn, key)) = self.keys.first_owned(slot) {
            if !self.consumers.get(slot).is_available {
                return;
            }
            self.keys.unwait(key, turn);
            self.deliver(turn.1, slot, actions);
        }
    }

    /// Lets all that is here go by keys from now on.
    pub(super) fn go_by_keys(&mut self) {
        self.keys = crate::keys::Keys::new(self.config.key_inflight);
        let leased: Vec<_> = self.leases.iter().map(|l| (l.offset, l.consumer)).collect();
        for (offset, slot) in leased {
            self.keys.delivered(self.key(offset), slot);
        }
        let held: Vec<Offset> =
            self.delayed.iter().chain(self.barred.ready().iter().copied()).collect();
        held.into_iter().for_each(|offset| self.keys.hold(self.key(offset), true));
        for turn in std::mem::take(&mut self.returned) {
            self.keys.wait(self.key(turn.1), turn);
        }
    }

    /// Lets nothing go by keys any more. What waited for its key keeps its turn.
    pub(super) fn forget_keys(&mut self) {
        self.returned.extend(self.keys.iter());
        self.keys = crate::keys::Keys::new(self.config.key_inflight);
    }
}
