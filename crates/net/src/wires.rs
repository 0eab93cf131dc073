//! All connections of one thread, and what the shard may do with them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

mod buffers;

use broker::{Budget, CloseReason, ConnId, Outbox};
use stdx::Instant;

use crate::transport::Transport;
use crate::wire::{Flushed, Phase, Wire};
use buffers::Buffers;

/// Emptied buffers kept for the next connection that has something to say.
const POOLED_BUFFERS: usize = 64;
/// A buffer that has grown beyond this is given back to the system.
const POOLED_BYTES_MAX: usize = 256 << 10;

/// Limits of a connection's output, and the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputLimits {
    /// Bytes that may wait for a client beyond which it is not read.
    pub(crate) unwritten_max: usize,
    /// How long a client may take nothing of what waits for it.
    pub(crate) write_timeout: Duration,
    /// How long a closing connection may take to read what is left for it.
    pub(crate) linger: Duration,
    /// Deliveries that make a turn long.
    pub(crate) turn_deliveries_max: u32,
}

/// Connections by slot.
pub(crate) struct Wires {
    slots: Vec<Option<Wire>>,
    free: Vec<u32>,
    generation: u32,
    /// Connections with output to write.
    dirty: Vec<u32>,
    /// Connections to read.
    pub(crate) ready: Vec<u32>,
    /// Connections whose output has been written and whose shard wants to know.
    pub(crate) drained: Vec<ConnId>,
    /// Connections that are gone and whose shard does not know yet.
    pub(crate) lost: Vec<ConnId>,
    /// When connections are given up, if their deadline still stands then.
    deadlines: BinaryHeap<Reverse<(Instant, u32, u32)>>,
    /// When connections that sent too much are read again.
    holds: BinaryHeap<Reverse<(Instant, u32, u32)>>,
    pool: Vec<Vec<u8>>,
    /// Bytes written since they were last counted.
    pub(crate) bytes_sent: u64,
    pub(crate) buffers: Buffers,
    limits: OutputLimits,
    now: Instant,
    /// The connection whose buffer was given out last: it may have grown since.
    given: u32,
    /// How many buffers this turn has handed out, one for each delivery.
    handed_out: u32,
    /// The turn has written already, since it had put very much into buffers.
    was_forced: bool,
}

impl Wires {
    pub(crate) fn new(limits: OutputLimits, output: Budget, input: Budget) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            generation: 0,
            dirty: Vec::new(),
            ready: Vec::new(),
            drained: Vec::new(),
            lost: Vec::new(),
            deadlines: BinaryHeap::new(),
            holds: BinaryHeap::new(),
            pool: Vec::new(),
            bytes_sent: 0,
            buffers: Buffers::new(output, input),
            limits,
            now: Instant::ZERO,
            given: 0,
            handed_out: 0,
            was_forced: false,
        }
    }

    /// A turn begins.
    pub(crate) const fn begin(&mut self, now: Instant) {
        self.now = now;
        self.handed_out = 0;
        self.was_forced = false;
    }

    /// Whether the turn has done so much that who has more to do should wait for the next: others wait for their turn.
    #[inline]
    pub(crate) const fn is_turn_long(&self) -> bool {
        self.was_forced || self.handed_out > self.limits.turn_deliveries_max
    }

    /// Takes nothing more from a connection in this turn.
    pub(crate) fn hold_for_turn(&mut self, id: ConnId) {
        self.hold(id, self.now);
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes a slot for a connection to come.
    pub(crate) fn reserve(&mut self) -> ConnId {
        self.generation = self.generation.wrapping_add(1);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        ConnId { slot, generation: self.generation }
    }

    pub(crate) fn insert(
        &mut self,
        id: ConnId,
        transport: Transport,
        now: Instant,
        time: Duration,
    ) {
        if let Some(place) = self.slots.get_mut(id.slot as usize) {
            let deadline = now + time;
            *place = Some(Wire::new(transport, id.generation, now, deadline));
            self.deadlines.push(Reverse((deadline, id.slot, id.generation)));
        }
    }

    /// Gives a connection more time.
    pub(crate) fn extend(&mut self, id: ConnId, deadline: Instant) {
        if let Some(wire) = self.wire_mut(id) {
            wire.deadline = Some(deadline);
            self.deadlines.push(Reverse((deadline, id.slot, id.generation)));
        }
    }

    /// The soonest moment at which a connection may have to be given up or read again.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let first = |heap: &BinaryHeap<Reverse<(Instant, u32, u32)>>| {
            heap.peek().map(|Reverse((at, ..))| *at)
        };
        [first(&self.deadlines), first(&self.holds)].into_iter().flatten().min()
    }

    /// Takes nothing from a connection until then.
    pub(crate) fn hold(&mut self, id: ConnId, until: Instant) {
        if let Some(wire) = self.wire_mut(id).filter(|wire| !wire.is_held) {
            wire.is_held = true;
            self.holds.push(Reverse((until, id.slot, id.generation)));
        }
    }

    /// Reads those again that were held until now.
    pub(crate) fn release(&mut self, now: Instant) {
        while self.holds.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((_, slot, generation))) = self.holds.pop() else { return };
            if let Some(wire) = self.wire_mut(ConnId { slot, generation }) {
                wire.is_held = false;
                self.set_ready(slot);
            }
        }
    }

    /// The next connection whose time is over.
    pub(crate) fn pop_overdue(&mut self, now: Instant) -> Option<ConnId> {
        while self.deadlines.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Reverse((at, slot, generation)) = self.deadlines.pop()?;
            let id = ConnId { slot, generation };
            if self.wire(id).is_some_and(|wire| wire.deadline == Some(at)) {
                return Some(id);
            }
        }
        None
    }

    /// Gives a reserved slot back.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<Wire> {
        let wire = self.slots.get_mut(slot as usize)?.take();
        if let Some(wire) = &wire {
            self.buffers.forget(wire);
        }
        self.free.push(slot);
        wire
    }

    pub(crate) fn at(&mut self, slot: u32) -> Option<&mut Wire> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    fn wire(&self, id: ConnId) -> Option<&Wire> {
        self.slots.get(id.slot as usize)?.as_ref().filter(|wire| wire.generation == id.generation)
    }

    pub(crate) fn wire_mut(&mut self, id: ConnId) -> Option<&mut Wire> {
        self.slots
            .get_mut(id.slot as usize)?
            .as_mut()
            .filter(|wire| wire.generation == id.generation)
    }

    /// Whether packets are taken from a connection; also said of one that is gone.
    pub(crate) fn is_read(&self, id: ConnId) -> bool {
        self.wire(id).is_none_or(Wire::is_read)
    }

    /// Takes a connection off the list of those to read; none when nothing is to be taken from it.
    #[inline]
    pub(crate) fn begin_read(&mut self, slot: u32) -> Option<ConnId> {
        let unwritten_max = self.limits.unwritten_max.min(self.buffers.output_max());
        let wire = self.at(slot)?;
        wire.is_ready = false;
        // Who has ended its side can send no more than there is, and its end must be seen.
        wire.is_stuffed = !wire.is_half_closed && wire.unwritten() > unwritten_max;
        wire.is_read().then_some(ConnId { slot, generation: wire.generation })
    }

    /// Puts a connection on the list of those to read.
    pub(crate) fn set_ready(&mut self, slot: u32) {
        let Some(wire) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        if !wire.is_ready {
            wire.is_ready = true;
            self.ready.push(slot);
        }
    }

    /// Puts a connection on the list of those to flush.
    pub(crate) fn set_dirty(&mut self, slot: u32) {
        let Some(wire) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        if !wire.is_dirty {
            wire.is_dirty = true;
            self.dirty.push(slot);
        }
    }

    /// Writes what the turn has put into buffers.
    pub(crate) fn flush(&mut self) {
        let (now, linger) = (self.now, self.limits.linger);
        let unwritten_max = self.limits.unwritten_max.min(self.buffers.output_max());
        for slot in std::mem::take(&mut self.dirty) {
            let Some(wire) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else {
                continue;
            };
            wire.is_dirty = false;
            if wire.phase == Phase::Lingering {
                continue;
            }
            let before = wire.written;
            let flushed = wire.flush();
            self.bytes_sent += wire.written - before;
            if wire.is_stuffed && wire.unwritten() <= unwritten_max && !wire.is_ready {
                wire.is_ready = true;
                self.ready.push(slot);
            }
            match flushed {
                Flushed::All => {
                    give_back(&mut self.pool, &mut wire.out);
                    if wire.phase == Phase::Closing {
                        wire.linger();
                        if !wire.transport.is_plain() && !wire.is_ready {
                            // The end may have come already, which the poll says once.
                            wire.is_ready = true;
                            self.ready.push(slot);
                        }
                        wire.deadline = Some(now + linger);
                        self.deadlines.push(Reverse((now + linger, slot, wire.generation)));
                    } else if std::mem::take(&mut wire.notify_drained) {
                        self.drained.push(ConnId { slot, generation: wire.generation });
                    }
                }
                Flushed::Blocked if wire.phase == Phase::Closing && wire.deadline.is_none() => {
                    wire.deadline = Some(now + linger);
                    self.deadlines.push(Reverse((now + linger, slot, wire.generation)));
                }
                Flushed::Blocked => {
                    if wire.phase == Phase::Open && wire.deadline.is_none() {
                        let at = now + self.limits.write_timeout;
                        (wire.deadline, wire.written_before) = (Some(at), wire.written);
                        self.deadlines.push(Reverse((at, slot, wire.generation)));
                    }
                }
                Flushed::Gone => self.lost.push(ConnId { slot, generation: wire.generation }),
            }
            self.buffers.count(wire);
        }
        self.buffers.flushed();
        self.shed();
    }

    /// The time is over that a client may take nothing of what waits for it; false when it has taken nothing. It is
    /// asked once more: this process may have been stopped, and not the client.
    pub(crate) fn is_served(&mut self, id: ConnId) -> bool {
        let at = self.now + self.limits.write_timeout;
        let Some(wire) = self.wire_mut(id) else { return true };
        let flushed = if wire.is_blocked { wire.flush() } else { Flushed::All };
        wire.deadline = None;
        match flushed {
            Flushed::All => {
                self.set_dirty(id.slot);
                true
            }
            Flushed::Blocked if wire.written > wire.written_before => {
                (wire.deadline, wire.written_before) = (Some(at), wire.written);
                self.deadlines.push(Reverse((at, id.slot, id.generation)));
                true
            }
            Flushed::Blocked | Flushed::Gone => false,
        }
    }
}

fn give_back(pool: &mut Vec<Vec<u8>>, buffer: &mut Vec<u8>) {
    let buffer = std::mem::take(buffer);
    if pool.len() < POOLED_BUFFERS && (1..=POOLED_BYTES_MAX).contains(&buffer.capacity()) {
        pool.push(buffer);
    }
}

impl Outbox for Wires {
    #[inline]
    fn buffer(&mut self, conn: ConnId) -> Option<&mut Vec<u8>> {
        if let Some(wire) = self.slots.get_mut(self.given as usize).and_then(Option::as_mut) {
            self.buffers.count(wire);
        }
        self.handed_out = self.handed_out.saturating_add(1);
        if self.buffers.has_much_unflushed() {
            self.flush();
            self.was_forced = true;
        }
        self.given = conn.slot;
        let wire = self.slots.get_mut(conn.slot as usize)?.as_mut()?;
        if wire.generation != conn.generation
            || !matches!(wire.phase, Phase::Open | Phase::Greeting)
        {
            return None;
        }
        if !wire.is_dirty {
            wire.is_dirty = true;
            self.dirty.push(conn.slot);
        }
        if wire.out.capacity() == 0
            && let Some(buffer) = self.pool.pop()
        {
            wire.out = buffer;
        }
        Some(&mut wire.out)
    }

    fn mark(&self, conn: ConnId) -> u64 {
        self.wire(conn).map_or(0, Wire::mark)
    }

    fn written(&self, conn: ConnId) -> u64 {
        self.wire(conn).map_or(0, |wire| wire.written)
    }

    fn close(&mut self, conn: ConnId, _reason: CloseReason) {
        let Some(wire) = self.wire_mut(conn) else { return };
        if matches!(wire.phase, Phase::Open | Phase::Greeting) {
            wire.phase = Phase::Closing;
            wire.partial = Vec::new();
            // The turn's flush sets the time to linger.
            wire.deadline = None;
        }
        self.set_dirty(conn.slot);
    }

    fn pause_reading(&mut self, conn: ConnId) {
        if let Some(wire) = self.wire_mut(conn) {
            wire.is_paused = true;
        }
    }

    fn resume_reading(&mut self, conn: ConnId) {
        if let Some(wire) = self.wire_mut(conn).filter(|wire| wire.is_paused) {
            wire.is_paused = false;
            self.set_ready(conn.slot);
        }
    }

    fn notify_drained(&mut self, conn: ConnId) {
        if let Some(wire) = self.wire_mut(conn) {
            wire.notify_drained = true;
            if !wire.is_blocked {
                self.set_dirty(conn.slot);
            }
        }
    }
}
