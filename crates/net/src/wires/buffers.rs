//! What the buffers of a thread's connections take, and who has to go when it is too much. It must not know packets.

use broker::{Budget, ConnId};

use super::Wires;
use crate::wire::{Phase, Wire};

/// What a turn may put into output buffers before it writes them out: one message to ten thousand clients must not
/// take ten thousand copies at once.
const UNFLUSHED_BYTES_MAX: usize = 8 << 20;

/// What a connection may have in its buffers whatever others have.
const FREE_BYTES: usize = 4096;

/// The least that makes it worth to end a connection for its buffers.
const WORTH_BYTES: usize = 16 * 1024;

/// The buffers of all connections of a thread, counted.
#[derive(Debug)]
pub(crate) struct Buffers {
    budget: Budget,
    /// What they take.
    sum: usize,
    /// What of it the budget knows.
    noted: usize,
    /// What they took when the output was last written.
    flushed: usize,
    /// Connections ended for what waited for their clients, since they were last counted.
    pub(crate) slow: u64,
}

impl Buffers {
    pub(super) const fn new(budget: Budget) -> Self {
        Self { budget, sum: 0, noted: 0, flushed: 0, slow: 0 }
    }

    /// Counts what a connection's buffers take now.
    #[inline]
    pub(super) const fn count(&mut self, wire: &mut Wire) {
        let now = wire.out.capacity() + wire.partial.capacity();
        self.sum = self.sum + now - wire.counted;
        wire.counted = now;
    }

    /// A connection is gone.
    pub(super) const fn forget(&mut self, wire: &Wire) {
        self.sum -= wire.counted;
    }

    #[inline]
    pub(super) const fn has_much_unflushed(&self) -> bool {
        self.sum > self.flushed + UNFLUSHED_BYTES_MAX
    }

    /// The output has been written as far as it goes.
    pub(super) fn flushed(&mut self) {
        self.flushed = self.sum;
        self.budget.note(&mut self.noted, self.sum);
    }

    /// The most that one connection may have now: its share, with what has changed here in this turn.
    pub(crate) fn share(&self) -> usize {
        let unnoted = self.sum.saturating_sub(self.noted);
        self.budget.share_beside(unnoted).max(FREE_BYTES)
    }
}

impl Wires {
    /// Counts a connection's buffers, and says whether it may have as much in them as it has of a packet.
    pub(crate) fn has_room_for_packet(&mut self, id: ConnId) -> bool {
        let share = self.buffers.share();
        let slot = self.slots.get_mut(id.slot as usize).and_then(Option::as_mut);
        let Some(wire) = slot.filter(|wire| wire.generation == id.generation) else { return true };
        self.buffers.count(wire);
        !wire.is_read() || wire.partial.len() <= share
    }

    /// A connection is ended whose buffers were counted.
    pub(crate) fn recount(&mut self, slot: u32) {
        if let Some(wire) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) {
            self.buffers.count(wire);
        }
    }

    /// Ends connections whose clients do not read what waits for them, the largest first, until all buffers together
    /// take no more than they may.
    pub(super) fn shed(&mut self) {
        if !self.buffers.budget.is_over() {
            return;
        }
        let aim = self.buffers.budget.max() / 8 * 7;
        let mut largest: Vec<(usize, u32)> = Vec::new();
        for (slot, wire) in self.slots.iter().enumerate() {
            let wire = wire.as_ref().filter(|wire| wire.is_blocked && wire.phase == Phase::Open);
            largest.extend(wire.map(|wire| (wire.counted, slot as u32)));
        }
        largest.retain(|(bytes, _)| *bytes >= WORTH_BYTES);
        largest.sort_unstable_by(|one, other| other.cmp(one));
        for (_, slot) in largest {
            if self.buffers.budget.used() <= aim {
                break;
            }
            self.give_up(slot);
            self.buffers.flushed();
        }
    }

    /// Ends a connection whose client does not read. It could not be told: it would not read that either.
    pub(crate) fn give_up(&mut self, slot: u32) {
        let Some(wire) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        tracing::debug!(
            listener = wire.transport.peer().listener(),
            peer = %wire.transport.peer(),
            bytes = wire.unwritten(),
            "connection ended: its client does not read"
        );
        (wire.out, wire.partial, wire.sent) = (Vec::new(), Vec::new(), 0);
        wire.phase = Phase::Closing;
        self.buffers.count(wire);
        self.buffers.slow += 1;
        self.lost.push(ConnId { slot, generation: wire.generation });
    }
}
