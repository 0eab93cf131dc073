//! Taking the state out, putting it back, and replaying what the log says happened since.

use super::Queue;
use crate::index::{Entry, Index};
use crate::{Departure, Offset, QueueConfig, Snapshot, StoredAt};
use stdx::UnixMillis;

impl Queue {
    /// The state as it would be found after a crash at this moment.
    ///
    /// Full chunks of the index are shared with the queue, so this is quick however much is waiting. Consumers and
    /// leases are not part of it: what is in flight or delayed is ready again once it is restored, in order. What is in
    /// flight may have been handed over, so that delivery counts.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let kept = self.attempts.iter().filter(|(offset, _)| self.index.contains(*offset));
        let floor = self.dispatched_to();
        // Below the new floor what was implied as none must be said.
        let unsaid =
            self.released.iter().chain(self.barred.ready()).copied().chain(self.delayed.iter());
        let unsaid = unsaid.map(|offset| (offset, self.attempts.get(offset)));
        let in_flight =
            self.leases.iter().map(|lease| (lease.offset, lease.attempts.saturating_add(1)));
        let mut attempts: Vec<(Offset, u32)> = kept.chain(unsaid).chain(in_flight).collect();
        attempts.retain(|(offset, attempts)| *attempts != u32::from(*offset < floor));
        attempts.sort_unstable();
        attempts.dedup();
        Snapshot {
            next: self.index.next(),
            dispatched_to: floor,
            counts: self.counts,
            attempts,
            chunks: self.index.share(),
        }
    }

    /// A queue in the state of a snapshot, without consumers.
    #[must_use]
    pub fn restore(config: QueueConfig, seed: u64, snapshot: Snapshot) -> Self {
        let mut queue = Self::new(config, seed);
        queue.index = Index::restore(snapshot.next, &snapshot.chunks);
        queue.counts = snapshot.counts;
        queue.attempts.raise_floor(snapshot.dispatched_to);
        for (offset, attempts) in snapshot.attempts {
            queue.replay_attempts(offset, attempts);
        }
        queue
    }

    /// A message that the log says was enqueued, and the offset that it had and has again.
    ///
    /// Each such record is to be replayed once, in the order of the log: a snapshot stands for all those before it.
    /// What is replayed after them is idempotent.
    pub fn replay_enqueue(&mut self, at: StoredAt, size: u32, stored: UnixMillis) -> Offset {
        self.index.push(Entry { at, size, stored })
    }

    /// A message that the log says has left. Gives where its body is, unless it has left already or never came.
    ///
    /// Replay comes before the first consumer: a message that is dispatched again already stays.
    pub fn replay_left(&mut self, offset: Offset, departure: Departure) -> Option<StoredAt> {
        if offset < self.fresh {
            return None;
        }
        let entry = self.index.remove(offset)?;
        self.attempts.take(offset);
        self.counts.count(departure);
        Some(entry.at)
    }

    /// What the log says an [`Action::Attempted`](crate::Action::Attempted) said. The last such record holds.
    pub fn replay_attempts(&mut self, offset: Offset, attempts: u32) {
        if self.index.contains(offset) && offset >= self.fresh {
            self.attempts.set(offset, attempts);
        }
    }

    /// What the log says [`Queue::dispatched_to`] was: deliveries of what is still here below it count as made.
    pub fn replay_dispatched(&mut self, to: Offset) {
        self.attempts.raise_floor(to.min(self.index.next()));
    }

    /// Other properties, which the log says it got.
    pub fn replay_reconfigure(&mut self, config: QueueConfig) {
        self.reconfigure(config);
        self.unplaced.clear();
        self.entered.clear();
    }

    /// All messages below were dispatched at least once, or have left, whether before a restart or since.
    ///
    /// A caller that logs it now and then, and replays it, makes deliveries after a crash bear an attempt above 1 also for
    /// messages that were in flight for the first time.
    #[must_use]
    pub fn dispatched_to(&self) -> Offset {
        self.fresh.max(self.attempts.floor())
    }
}
