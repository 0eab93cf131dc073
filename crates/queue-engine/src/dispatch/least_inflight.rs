//! `least_inflight`: the one with the fewest unsettled messages; among equals the one whose turn was longest ago.

use super::Dispatch;
use crate::consumers::ConsumerSlot;
use crate::prng::Prng;

/// What a consumer is compared by: the least comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Rank {
    in_flight: u32,
    turn: u64,
    slot: ConsumerSlot,
}

/// A binary heap that knows where each consumer is.
#[derive(Debug, Default)]
pub(crate) struct LeastInflight {
    heap: Vec<Rank>,
    /// Where each slot is in the heap.
    places: Vec<u32>,
    turn: u64,
}

impl LeastInflight {
    fn place(&self, slot: ConsumerSlot) -> usize {
        self.places[slot.0 as usize] as usize
    }

    fn put(&mut self, at: usize, rank: Rank) {
        self.heap[at] = rank;
        self.places[rank.slot.0 as usize] = at as u32;
    }

    fn push(&mut self, rank: Rank) {
        let slot = rank.slot.0 as usize;
        if slot >= self.places.len() {
            self.places.resize(slot + 1, 0);
        }
        self.heap.push(rank);
        self.rise(self.heap.len() - 1);
    }

    fn remove(&mut self, at: usize) {
        let last = self.heap.pop().expect("the place is in the heap");
        if at < self.heap.len() {
            self.put(at, last);
            self.settle_at(at);
        }
    }

    /// Moves what is at a place to where it belongs.
    fn settle_at(&mut self, at: usize) {
        if at > 0 && self.heap[at] < self.heap[(at - 1) / 2] {
            self.rise(at);
        } else {
            self.sink(at);
        }
    }

    fn rise(&mut self, mut at: usize) {
        let rank = self.heap[at];
        while at > 0 && rank < self.heap[(at - 1) / 2] {
            let above = (at - 1) / 2;
            self.put(at, self.heap[above]);
            at = above;
        }
        self.put(at, rank);
    }

    fn sink(&mut self, mut at: usize) {
        let rank = self.heap[at];
        loop {
            let left = 2 * at + 1;
            let children = self.heap.iter().enumerate().skip(left).take(2);
            let Some((below, least)) = children.min_by_key(|(_, rank)| **rank) else { break };
            if rank < *least {
                break;
            }
            self.put(at, *least);
            at = below;
        }
        self.put(at, rank);
    }

    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }
}

impl Dispatch for LeastInflight {
    fn enter(&mut self, slot: ConsumerSlot, in_flight: u32) {
        let turn = self.next_turn();
        self.push(Rank { in_flight, turn, slot });
    }

    fn leave(&mut self, slot: ConsumerSlot) {
        self.remove(self.place(slot));
    }

    fn served(&mut self, slot: ConsumerSlot, in_flight: u32) {
        let turn = self.next_turn();
        let at = self.place(slot);
        self.heap[at] = Rank { in_flight, turn, slot };
        self.settle_at(at);
    }

    fn relieved(&mut self, slot: ConsumerSlot, in_flight: u32) {
        let at = self.place(slot);
        self.heap[at].in_flight = in_flight;
        self.settle_at(at);
    }

    fn choose(
        &mut self,
        _prng: &mut Prng,
        allowed: impl Fn(ConsumerSlot) -> bool,
    ) -> Option<ConsumerSlot> {
        let mut barred = Vec::new();
        let chosen = loop {
            let Some(first) = self.heap.first().copied() else { break None };
            if allowed(first.slot) {
                break Some(first.slot);
            }
            barred.push(first);
            self.remove(0);
        };
        for rank in barred {
            self.push(rank);
        }
        chosen
    }
}
