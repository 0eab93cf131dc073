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

/// One kind of buffers of all connections of a thread, counted.
#[derive(Debug)]
struct Sum {
    budget: Budget,
    /// What they take.
    bytes: usize,
    /// What of it the budget knows.
    noted: usize,
}

impl Sum {
    const fn new(budget: Budget) -> Self {
        Self { budget, bytes: 0, noted: 0 }
    }

    /// Counts one of them, that was counted before.
    #[inline]
    fn count(&mut self, known: &mut u32, now: usize) {
        let now = u32::try_from(now).unwrap_or(u32::MAX);
        self.bytes = self.bytes + now as usize - *known as usize;
        *known = now;
    }

    fn note(&mut self) {
        self.budget.note(&mut self.noted, self.bytes);
    }

    /// The most that one connection may have now: its share, with what has changed here in this turn.
    fn share(&self) -> usize {
        let unnoted = self.bytes.saturating_sub(self.noted);
        self.budget.share_beside(unnoted).max(FREE_BYTES)
    }
}

/// The buffers of all connections of a thread, counted.
#[derive(Debug)]
pub(crate) struct Buffers {
    output: Sum,
    /// Apart, so that clients that do not read take no room from those that send.
    input: Sum,
    /// What output took when it was last written.
    flushed: usize,
    /// Connections ended for what waited for their clients, since they were last counted.
    pub(crate) slow: u64,
}

impl Buffers {
    pub(super) const fn new(output: Budget, input: Budget) -> Self {
        Self { output: Sum::new(output), input: Sum::new(input), flushed: 0, slow: 0 }
    }

    /// Counts what a connection's buffers take now.
    #[inline]
    pub(super) fn count(&mut self, wire: &mut Wire) {
        self.output.count(&mut wire.counted_output, wire.out.capacity());
        self.input.count(&mut wire.counted_input, wire.partial.capacity());
    }

    /// A connection is gone.
    pub(super) const fn forget(&mut self, wire: &Wire) {
        self.output.bytes -= wire.counted_output as usize;
        self.input.bytes -= wire.counted_input as usize;
    }

    #[inline]
    pub(super) const fn has_much_unflushed(&self) -> bool {
        self.output.bytes > self.flushed + UNFLUSHED_BYTES_MAX
    }

    /// The output has been written as far as it goes.
    pub(super) fn flushed(&mut self) {
        self.flushed = self.output.bytes;
        self.output.note();
        self.input.note();
    }

    /// The most output that may wait for one client now.
    pub(super) fn output_max(&self) -> usize {
        self.output.share()
    }

    /// The most that one connection may have of packets that have not come whole, now. No more is read at once, since what
    /// is read of a client that is not served for now waits in its buffer.
    pub(crate) fn input_max(&self) -> usize {
        self.input.share()
    }
}

impl Wires {
    /// Counts a connection's buffers, and says whether it may have as much in them as it has of a packet.
    pub(crate) fn has_room_for_packet(&mut self, id: ConnId) -> bool {
        let share = self.buffers.input_max();
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
        if !self.buffers.output.budget.is_over() {
            return;
        }
        let aim = self.buffers.output.budget.max() / 8 * 7;
        let mut largest: Vec<(usize, u32)> = Vec::new();
        for (slot, wire) in self.slots.iter().enumerate() {
            let wire = wire.as_ref().filter(|wire| wire.is_blocked && wire.phase == Phase::Open);
            largest.extend(wire.map(|wire| (wire.counted_output as usize, slot as u32)));
        }
        largest.retain(|(bytes, _)| *bytes >= WORTH_BYTES);
        largest.sort_unstable_by(|one, other| other.cmp(one));
        for (_, slot) in largest {
            if self.buffers.output.budget.used() <= aim {
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
