//! Taking the state out, putting it back, and replaying what the log says happened since.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use message_index::Index;
use stdx::UnixMillis;

use super::Queue;
use crate::{Departure, Key, MessageState, NewMessage, Offset, QueueConfig, Snapshot, StoredAt};

impl Queue {
    /// The state as it would be found after a crash at this moment, when the log says that messages below `said` may have
    /// been delivered.
    ///
    /// Full chunks of the index are shared with the queue, so this is quick however much is waiting. Consumers and
    /// leases are not part of it: what is in flight is ready once it is restored, in order. It may have been handed over, so
    /// that delivery counts; so may be, by the time of a crash, whatever is permitted.
    #[must_use]
    pub fn snapshot(&self, said: Offset) -> Snapshot {
        let kept = self.attempts.iter().map(|(offset, _)| offset);
        let kept = kept.filter(|offset| self.index.contains(*offset));
        let floor = self.dispatched_to().max(said);
        // Below the new floor what was implied as none must be said.
        let waiting = kept.chain(self.set_aside());
        let waiting = waiting.map(|offset| (offset, self.attempts_to_say(offset)));
        let in_flight =
            self.leases.iter().map(|lease| (lease.offset, lease.attempts.saturating_add(1)));
        let all = waiting.chain(in_flight);
        // The log may take back what it says of those between the two.
        let certain = self.dispatched_to();
        let is_implied = |offset, attempts| {
            [floor, certain].into_iter().all(|to| attempts == u32::from(offset < to))
        };
        let said = all.filter(|(offset, attempts)| !is_implied(*offset, *attempts));
        let mut attempts: Vec<(Offset, u32)> = said.collect();
        attempts.sort_unstable();
        attempts.dedup();
        let mut delayed: Vec<(Offset, UnixMillis)> = self
            .delayed
            .iter()
            .filter_map(|offset| Some((offset, self.waits_until(offset)?)))
            .collect();
        delayed.sort_unstable();
        Snapshot {
            next: self.index.next(),
            dispatched_to: floor,
            counts: self.counts,
            attempts,
            replaced: self.newest.replaced().collect(),
            ids: self.dedup.iter().collect(),
            stale: self.stale.share(),
            delayed,
            chunks: self.index.share(),
        }
    }

    /// A queue in the state of a snapshot, without consumers. A replay may follow, and must be ended.
    #[must_use]
    pub fn restore(config: QueueConfig, seed: u64, snapshot: Snapshot) -> Self {
        let mut queue = Self::new(config, seed);
        queue.index = Index::restore(snapshot.next, &snapshot.chunks);
        queue.stale = snapshot.stale.restore(&queue.index);
        queue.is_rekeying = !queue.stale.is_empty();
        queue.counts = snapshot.counts;
        queue.attempts.raise_floor(snapshot.dispatched_to);
        for (offset, attempts) in snapshot.attempts {
            queue.replay_attempts(offset, attempts, None);
        }
        queue.waits.extend(snapshot.delayed);
        queue.held_back =
            queue.index.held_back().map(|(offset, entry)| (entry.not_before, offset)).collect();
        let held_back: Vec<Offset> = queue.held_back.iter().map(|(_, offset)| *offset).collect();
        held_back.into_iter().for_each(|offset| queue.index.place(offset));
        queue.dedup.restore(snapshot.ids.into_iter());
        queue.find_deadlines();
        queue.find_kept();
        queue.find_newest();
        if queue.is_last_value() {
            for offset in snapshot.replaced {
                queue.newest.mark_replaced(queue.key(offset), offset);
            }
        }
        queue.rules_are_stale = true;
        queue
    }

    /// A message that the log says was enqueued, and the offset that it had and has again; none when it was a duplicate.
    ///
    /// Each such record is to be replayed once, in the order of the log: a snapshot stands for all those before it.
    /// What is replayed after them is idempotent.
    pub fn replay_enqueue(&mut self, message: &NewMessage) -> Option<Offset> {
        // Rules that a replay does not keep are kept with the next input.
        self.rules_are_stale = true;
        let offset = self.append(message)?;
        if self.index.is_placed(offset) {
            // Its time has not come: what the log says of those below does not hold for it.
            self.attempts.set(offset, 0);
        }
        if message.is_unkeyed && !self.stale.contains(offset) {
            self.unkeyed.push(offset);
        }
        self.replaces(offset);
        Some(offset)
    }

    /// A message that the log says has left. Gives where its body is, unless it has left already or never came.
    ///
    /// Replay comes before the first consumer: a message that is in flight again already stays.
    pub fn replay_left(&mut self, offset: Offset, departure: Departure) -> Option<StoredAt> {
        if !self.is_waiting(offset) {
            return None;
        }
        self.take_out(offset);
        self.waits.remove(&offset);
        Some(self.leave(offset, departure).at)
    }

    pub(super) fn is_waiting(&self, offset: Offset) -> bool {
        matches!(self.state(offset), Some(MessageState::Ready | MessageState::Delayed))
    }

    /// What the log says an [`Action::Kept`](crate::Action::Kept) said: the body is still needed.
    pub fn replay_kept(&mut self, offset: Offset) {
        if self.is_waiting(offset) {
            self.take_out(offset);
            self.waits.remove(&offset);
            self.keep(offset);
            self.rules_are_stale = true;
        }
    }

    /// What the log says an [`Action::Forgotten`](crate::Action::Forgotten) said. Gives where the body is, unless it was
    /// forgotten already.
    pub fn replay_forgotten(&mut self, offset: Offset) -> Option<StoredAt> {
        let removed = self.index.forget(offset)?;
        self.has_left(offset, &removed);
        Some(removed.entry.at)
    }

    /// What the log says an [`Action::Rewound`](crate::Action::Rewound) said. To be replayed once, in its place among
    /// what became of messages.
    pub fn replay_rewound(&mut self, to: Offset) {
        self.take_back(to);
    }

    /// What the log says an [`Action::Attempted`](crate::Action::Attempted) said. The last such record holds.
    pub fn replay_attempts(&mut self, offset: Offset, attempts: u32, until: Option<UnixMillis>) {
        if !self.index.contains(offset) || self.leases.get(offset).is_some() {
            return;
        }
        self.attempts.set(offset, attempts);
        match until {
            Some(until) => self.waits.insert(offset, until),
            None => self.waits.remove(&offset),
        };
    }

    /// What the log says of deliveries: those of messages below count as made, but for what was held back, also of messages
    /// that come later in the log. The last such record holds. To be replayed before the attempts that were logged with it.
    pub fn replay_dispatched(&mut self, to: Offset) {
        let (from, end) = (self.attempts.floor().min(to), self.attempts.floor().max(to));
        let placed: Vec<(Offset, u32)> = if self.held_back.is_empty() || from == end {
            Vec::new()
        } else {
            let placed = self.index.placed_from(from).take_while(|offset| *offset < end);
            placed.map(|offset| (offset, self.attempts.get(offset))).collect()
        };
        self.attempts.set_floor(to);
        for (offset, attempts) in placed {
            self.attempts.set(offset, attempts);
        }
    }

    /// All of the log was replayed: what comes from now on was never delivered, whatever the log says, and what waited
    /// before it is tried again goes on waiting.
    pub fn end_replay(&mut self) {
        let end = self.index.next();
        self.permits.is_overstated = self.attempts.floor() > end;
        self.replay_dispatched(self.attempts.floor().min(end));
        self.resume_back_offs();
    }

    /// What waited before it is tried again waits on, but where an older message of its key is ready that is to go before
    /// it: that one was in flight, or was set back.
    fn resume_back_offs(&mut self) {
        let mut waits = std::mem::take(&mut self.waits);
        waits.retain(|offset, _| self.index.contains(*offset));
        if self.is_keyed() && self.config.key_inflight <= 1 {
            self.retain_first_of_keys(&mut waits);
        }
        for (offset, until) in waits {
            if let Some(entry) = self.index.get(offset) {
                // Its own time had come before it was tried.
                self.held_back.remove(&(entry.not_before, offset));
            }
            self.index.place(offset);
            self.delayed.resume(until, offset);
            self.hold(offset, true);
        }
    }

    /// Retains those before which only such messages of their keys come as wait, too, or were never tried because they are
    /// held back.
    fn retain_first_of_keys(&self, waits: &mut BTreeMap<Offset, UnixMillis>) {
        let Some((last, _)) = waits.last_key_value() else { return };
        let keys: HashSet<Key, FixedState> = waits.keys().map(|at| self.key(*at)).collect();
        let mut ready: HashSet<Key, FixedState> = HashSet::default();
        let mut behind = Vec::new();
        let entries = self.index.iter_from(Offset(0)).take_while(|(offset, _)| offset <= last);
        for (offset, entry) in entries.filter(|(_, entry)| keys.contains(&entry.key)) {
            if !waits.contains_key(&offset) {
                let is_ready = !entry.is_held_back() || self.attempts.get(offset) > 0;
                is_ready.then(|| ready.insert(entry.key));
            } else if ready.contains(&entry.key) {
                behind.push(offset);
            }
        }
        behind.iter().for_each(|offset| _ = waits.remove(offset));
    }

    /// Whether the log says of messages that are still to come that they may have been delivered, and is to be told
    /// [`Queue::dispatched_to`] soon.
    #[must_use]
    pub const fn is_overstated(&self) -> bool {
        self.permits.is_overstated
    }

    /// Other properties, which the log says it got.
    pub fn replay_reconfigure(&mut self, config: QueueConfig) {
        self.reconfigure(config);
        self.unplaced.clear();
        self.entered.clear();
    }

    /// No message from here on was dispatched, whether before a restart or since.
    ///
    /// A caller that logs it, or more, *before* messages are dispatched, and replays it, makes deliveries after a crash bear
    /// an attempt above 1 also for messages that were delivered just before: see [`Input::Permit`](crate::Input::Permit).
    #[must_use]
    pub fn dispatched_to(&self) -> Offset {
        self.fresh.max(self.attempts.floor())
    }
}
