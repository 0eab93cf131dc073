//! What the twin knows of limits, times, keys and operators.

use super::*;
use queue_engine::{DispatchStrategy, Overflow};

const CHUNK: u64 = 512;

impl Model {
    pub(super) fn is_keyed(&self) -> bool {
        self.config.dispatch_strategy == DispatchStrategy::KeyOrdered && !self.is_rekeying
    }

    fn is_last_value(&self) -> bool {
        self.config.last_value && !self.is_rekeying
    }

    pub(super) fn is_single(&self) -> bool {
        self.config.dispatch_strategy == DispatchStrategy::SingleActive
    }

    pub(super) fn wall(&self) -> Option<UnixMillis> {
        let (told, shows) = self.clock?;
        Some(shows + self.now.since(told))
    }

    pub(super) fn enqueue(&mut self, new: &NewMessage) {
        let window = self.config.dedup_window;
        if let Some(id) = new.message_id.filter(|_| !window.is_zero()) {
            let is_over = |stored: UnixMillis| new.stored.0 >= (stored + window).0;
            if self.ids.iter().any(|(known, stored)| *known == id && !is_over(*stored)) {
                self.expected.push(Action::Duplicate { at: new.at });
                return;
            }
            let max = self.config.dedup_ids_max;
            while self.ids.first().is_some_and(|(_, at)| is_over(*at) || self.ids.len() > max) {
                self.ids.remove(0);
            }
            self.ids.retain(|(known, _)| *known != id);
            self.ids.push((id, new.stored));
            let too_many = self.ids.len().saturating_sub(max);
            self.ids.drain(..too_many);
        }
        let mut new = *new;
        let needs_keys = self.config.needs_keys();
        let is_stale = needs_keys && new.key_generation != self.config.key_generation;
        if !needs_keys {
            new.key = Key::NONE;
        }
        new.expires = new.expires.map(|at| at.max(new.stored));
        new.not_before = new.not_before.filter(|at| *at > new.stored);
        let offset = Offset(self.messages.len() as u64);
        self.messages.push(Message {
            new,
            state: new.not_before.map_or(State::Fresh, State::HeldBack),
            attempts: 0,
            is_replaced: false,
            is_stale,
            too_large_for: Vec::new(),
            ran_out_at: Vec::new(),
        });
        if is_stale && !self.is_rekeying {
            self.begin_rekeying();
        }
        self.note_newest(offset);
        self.replace_older();
    }

    /// Marks a message, or the other one of its key, as replaced.
    fn note_newest(&mut self, offset: Offset) {
        let key = self.message(offset).new.key;
        if !self.is_last_value() || key == Key::NONE {
            return;
        }
        let is_other = |other: &Offset| {
            let message = &self.messages[other.0 as usize];
            *other != offset && message.is_here() && !message.is_replaced && message.new.key == key
        };
        if let Some(other) = self.offsets().find(is_other) {
            self.message(offset.min(other)).is_replaced = true;
        }
    }

    fn replace_older(&mut self) {
        for offset in self.offsets() {
            if self.message(offset).is_replaced && self.message(offset).is_idle() {
                let at = self.leave(offset);
                self.ledger.replaced += 1;
                self.expected.push(Action::Replaced { offset, at });
            }
        }
    }

    pub(super) fn accepted(&mut self, offset: Offset) {
        let at = self.leave(offset);
        self.ledger.settled += 1;
        self.message(offset).is_replaced = false;
        if self.config.keep_settled.is_zero() {
            self.expected.push(Action::Settled { offset, at });
            return;
        }
        self.message(offset).state = State::Kept;
        self.expected.push(Action::Kept { offset, at });
        if let Some(wall) = self.wall() {
            self.kept_since.insert(offset.0 / CHUNK, wall);
        }
    }

    /// It lives elsewhere: there is nothing to keep.
    pub(super) fn redriven(&mut self, offset: Offset) {
        let at = self.leave(offset);
        self.ledger.settled += 1;
        self.message(offset).is_replaced = false;
        self.expected.push(Action::Settled { offset, at });
    }

    pub(super) fn expired(&mut self, offset: Offset) {
        if self.config.dead_letter_expired {
            let attempts = self.message(offset).attempts;
            return self.dead(offset, DeadReason::Expired, attempts);
        }
        let at = self.leave(offset);
        self.ledger.expired += 1;
        self.expected.push(Action::Expired { offset, at });
    }

    pub(super) fn is_overdue(&self, offset: Offset) -> bool {
        let message = &self.messages[offset.0 as usize];
        let Some(wall) = self.wall() else { return false };
        let retention = self.config.retention;
        let is_old = !retention.is_zero() && message.new.stored + retention <= wall;
        is_old || message.new.expires.is_some_and(|expires| expires <= wall)
    }

    /// Whether a message that came back has left instead.
    pub(super) fn is_over(&mut self, offset: Offset) -> bool {
        if self.message(offset).is_replaced {
            self.replace_older();
        } else if self.is_overdue(offset) {
            self.expired(offset);
        }
        !self.message(offset).is_here()
    }

    pub(super) fn time_passes(&mut self) {
        let Some(wall) = self.wall() else { return };
        for offset in self.offsets() {
            if self.message(offset).is_idle() && self.is_overdue(offset) {
                self.expired(offset);
            }
        }
        for offset in self.offsets() {
            if let State::HeldBack(due) = self.message(offset).state
                && due <= wall
            {
                if self.message(offset).attempts == 0 {
                    self.expected.push(Action::Attempted { offset, attempts: 1, until: None });
                }
                self.make_ready(offset, due.0);
            }
        }
        let kept = |offset: &Offset| self.messages[offset.0 as usize].state == State::Kept;
        let kept: Vec<Offset> = self.offsets().filter(kept).collect();
        for offset in kept {
            let since = *self.kept_since.entry(offset.0 / CHUNK).or_insert(wall);
            if since + self.config.keep_settled <= wall {
                self.forget(offset);
            }
        }
    }

    fn forget(&mut self, offset: Offset) {
        let at = self.leave(offset);
        self.expected.push(Action::Forgotten { offset, at });
    }

    pub(super) fn apply_rules(&mut self) {
        self.replace_older();
        if self.config.keep_settled.is_zero() {
            for offset in self.offsets() {
                if self.message(offset).state == State::Kept {
                    self.forget(offset);
                }
            }
        }
        while self.config.overflow == Overflow::DropOldest && self.is_over_limit() {
            let newest = self.messages.len() - 1;
            let idle = self.messages[..newest].iter().position(Message::is_idle);
            let first = idle.or_else(|| self.messages.iter().position(Message::is_here));
            let offset = Offset(first.expect("there are too many") as u64);
            let attempts = self.message(offset).attempts;
            if self.config.dead_letter_dropped {
                self.dead(offset, DeadReason::Dropped, attempts);
            } else {
                let at = self.leave(offset);
                self.ledger.dropped += 1;
                self.expected.push(Action::Dropped { offset, at });
            }
        }
    }

    /// Messages and bytes.
    fn amount(&self) -> (u64, u64) {
        let here = self.messages.iter().filter(|message| message.is_here());
        here.fold((0, 0), |(count, bytes), m| (count + 1, bytes + u64::from(m.new.size)))
    }

    fn is_over_limit(&self) -> bool {
        let (count, bytes) = self.amount();
        self.config.max_messages.is_some_and(|max| count > max)
            || self.config.max_bytes.is_some_and(|max| bytes > max)
    }

    /// The queue must say of a message whether it may come.
    pub(super) fn check_room(&self, queue: &Queue) {
        let (count, bytes) = self.amount();
        let newest = self.messages.iter().rev().find(|m| m.new.key == Key(1) && m.is_here());
        let freed = newest.filter(|m| self.is_last_value() && !m.is_replaced && m.is_idle());
        for (key, freed) in [(Key(999), None), (Key(1), freed)] {
            let count = count - u64::from(freed.is_some());
            let bytes = bytes - freed.map_or(0, |message| u64::from(message.new.size));
            for (size, coming, bytes_coming) in [(10, 0, 0), (500, 2, 900), (70_000, 0, 0)] {
                let max_bytes = self.config.max_bytes.unwrap_or(u64::MAX);
                let max = self.config.max_messages.unwrap_or(u64::MAX);
                let all = bytes + bytes_coming + u64::from(size);
                let rejects = self.config.overflow == Overflow::RejectPublish;
                let is_full = max == 0
                    || u64::from(size) > max_bytes
                    || rejects && (count + coming + 1 > max || all > max_bytes);
                let fits = queue.would_fit(size, key, coming, bytes_coming);
                assert_eq!(fits.is_err(), is_full, "{size} of {key:?}: {fits:?}");
            }
        }
        let ids = [1, 2, 3].map(MessageId::new);
        let at = UnixMillis(1_800_000_000_000 + self.now.as_millis());
        let window = self.config.dedup_window;
        for id in ids {
            let mut known = self.ids.iter().filter(|(known, _)| *known == id);
            let is_known = known.any(|(_, stored)| at.0 < (*stored + window).0);
            assert_eq!(queue.is_duplicate(id, at), !window.is_zero() && is_known, "{id:?}");
        }
    }

    pub(super) fn purge(&mut self, scope: &Scope, max: usize) {
        let in_scope = |offset: &Offset| match scope {
            Scope::Range(range) => range.contains(offset),
            Scope::Key(range, key) => {
                range.contains(offset) && self.messages[offset.0 as usize].new.key == *key
            }
            Scope::Offsets(offsets) => offsets.contains(offset),
        };
        let idle = |offset: &Offset| self.messages[offset.0 as usize].is_idle();
        let purged = self.offsets().filter(|offset| in_scope(offset) && idle(offset));
        for offset in purged.take(max).collect::<Vec<_>>() {
            let at = self.leave(offset);
            self.ledger.purged += 1;
            self.expected.push(Action::Purged { offset, at });
        }
    }

    pub(super) fn rewind(&mut self, to: Offset, dispatched_to: Offset) {
        let kept = |offset: &Offset| self.messages[offset.0 as usize].state == State::Kept;
        let back: Vec<Offset> = self.offsets().filter(|at| *at >= to && kept(at)).collect();
        if back.is_empty() {
            return;
        }
        self.expected.push(Action::Rewound { to, count: back.len() as u64 });
        self.ledger.settled -= back.len() as u64;
        self.floor = self.floor.max(dispatched_to);
        for offset in back {
            if offset >= self.floor {
                self.expected.push(Action::Attempted { offset, attempts: 1, until: None });
            }
            let message = self.message(offset);
            message.state = State::Fresh;
            message.attempts = 1;
            message.too_large_for.clear();
            message.ran_out_at.clear();
            self.note_newest(offset);
        }
    }

    pub(super) fn reconfigure(&mut self, config: &QueueConfig) {
        let before = std::mem::replace(&mut self.config, config.clone());
        if before.dispatch_strategy != config.dispatch_strategy {
            self.consumers.iter_mut().flatten().for_each(|consumer| consumer.turn = None);
        }
        if config.dedup_window.is_zero() {
            self.ids.clear();
        }
        let was_rekeying = self.is_rekeying;
        self.find_stale(&before);
        let is_changed = was_rekeying != self.is_rekeying;
        if before.last_value != config.last_value || is_changed {
            self.messages.iter_mut().for_each(|message| message.is_replaced = false);
            self.offsets().for_each(|offset| {
                if self.messages[offset.0 as usize].is_here() {
                    self.note_newest(offset);
                }
            });
        }
        if before.dispatch_strategy != config.dispatch_strategy
            || before.key_inflight != config.key_inflight
            || is_changed
        {
            self.find_owners();
        }
        self.attached().into_iter().for_each(|id| self.refresh(id));
    }

    fn begin_rekeying(&mut self) {
        self.is_rekeying = true;
        self.messages.iter_mut().for_each(|message| message.is_replaced = false);
    }

    fn is_any_stale(&self) -> bool {
        self.messages.iter().any(|message| message.is_stale && message.state != State::Left)
    }

    fn find_stale(&mut self, before: &QueueConfig) {
        let config = &self.config;
        let is_new = !before.needs_keys() || before.key_generation != config.key_generation;
        if !config.needs_keys() {
            self.messages.iter_mut().for_each(|message| message.is_stale = false);
        } else if is_new {
            self.messages.iter_mut().for_each(|message| message.is_stale = true);
        }
        self.is_rekeying = self.is_any_stale();
    }

    pub(super) fn rekey(&mut self, made: &[MadeKey]) {
        for MadeKey { offset, key, .. } in made {
            self.message(*offset).new.key = *key;
            self.message(*offset).is_stale = false;
        }
    }

    /// When all have their keys: those that were tried go before others, in order, and older ones are replaced.
    pub(super) fn end_rekeying(&mut self, queue: &Queue) {
        if !self.is_rekeying || self.is_any_stale() {
            return;
        }
        let is_ordered = self.config.dispatch_strategy == DispatchStrategy::KeyOrdered;
        for offset in self.offsets().filter(|_| is_ordered) {
            match self.message(offset).state {
                State::Turn(u64::MAX) => self.message(offset).state = State::Turn(0),
                State::Delayed { .. } | State::Resumed(_) => self.end_back_off(offset, queue),
                _ => {}
            }
        }
        self.is_rekeying = false;
        self.find_owners();
        for offset in self.offsets() {
            if self.messages[offset.0 as usize].is_here() {
                self.note_newest(offset);
            }
        }
    }

    /// Whether another message of its key waits and goes before it, where order is kept.
    pub(super) fn has_older_before(&self, offset: Offset) -> bool {
        let key = self.messages[offset.0 as usize].new.key;
        let is_before = |(other, message): (usize, &Message)| {
            let is_of_key = message.new.key == key && !message.has_bars();
            is_of_key && message.state == State::Turn(0) && (other as u64) < offset.0
        };
        let keeps_order = self.is_keyed() && self.config.key_inflight <= 1;
        keeps_order && self.messages.iter().enumerate().any(is_before)
    }

    fn find_owners(&mut self) {
        let mut owners: BTreeMap<Key, Option<ConsumerId>> = BTreeMap::new();
        for (consumer, offset) in self.leases() {
            let key = self.message(offset).new.key;
            let owner = owners.entry(key).or_insert(Some(consumer));
            if *owner != Some(consumer) {
                *owner = None;
            }
        }
        self.owners = owners;
    }
}
