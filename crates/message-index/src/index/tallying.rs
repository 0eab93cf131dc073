//! How many messages are here from an offset on, and their bytes. It must not know who asks.

use stdx::UnixMillis;

use super::{Index, split};
use crate::Offset;

/// Messages and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// How many.
    pub messages: u64,
    /// The sum of their sizes.
    pub bytes: u64,
}

impl Tally {
    pub(super) fn add(&mut self, size: u32) {
        self.messages += 1;
        self.bytes += u64::from(size);
    }

    pub(super) fn take(&mut self, size: u32) {
        self.messages -= 1;
        self.bytes -= u64::from(size);
    }
}

impl Index {
    /// The messages at or after an offset that are still here.
    pub fn tally_from(&self, from: Offset) -> Tally {
        self.tallies_from(&[from]).first().copied().unwrap_or_default()
    }

    /// The same for many offsets, which must be in ascending order, at hardly more cost than for one.
    pub fn tallies_from(&self, offsets: &[Offset]) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); offsets.len()];
        let mut sum = Tally::default();
        // All from this offset on is in the sum.
        let mut summed_to = self.next;
        for (tally, from) in tallies.iter_mut().zip(offsets).rev() {
            if *from < summed_to {
                self.sum_up(*from, summed_to, &mut sum);
                summed_to = *from;
            }
            *tally = sum;
        }
        tallies
    }

    /// Adds what is here from an offset on and before another: whole chunks at once.
    fn sum_up(&self, from: Offset, to: Offset, sum: &mut Tally) {
        let ((first, from_at), (last, to_at)) = (split(from), split(to));
        if first == last {
            self.sum_up_part(first, from_at, to_at, sum);
            return;
        }
        self.sum_up_part(first, from_at, crate::CHUNK_MESSAGES, sum);
        self.sum_up_part(last, 0, to_at, sum);
        let place =
            |number: u64| (number.saturating_sub(self.first) as usize).min(self.slots.len());
        for tally in self.tallies.range(place(first + 1)..place(last)) {
            sum.messages += tally.messages;
            sum.bytes += tally.bytes;
        }
    }

    fn sum_up_part(&self, number: u64, from: usize, to: usize, sum: &mut Tally) {
        let Some(slot) = self.slot(number) else { return };
        let here = std::iter::successors(slot.present.first_from(from), |at| {
            slot.present.first_from(at + 1)
        });
        for at in here.take_while(|at| *at < to) {
            let size = match &slot.packed {
                Some(chunk) => chunk.size(at),
                None => self.open.get(at).map_or(0, |entry| entry.size),
            };
            sum.add(size);
        }
    }

    /// The first message that is still here and was stored then or later; any such one where times are not in order.
    pub fn first_since(&self, time: UnixMillis) -> Option<Offset> {
        let first = |place: usize| self.first_from(super::first_of(self.first + place as u64));
        let is_since = |offset: Offset| self.get(offset).is_some_and(|entry| entry.stored >= time);
        // What is found from `low` on may be older, what is found from `high` on is not.
        let (mut low, mut high) = (0, self.slots.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match first(middle) {
                Some(offset) if !is_since(offset) => {
                    low = (super::chunk_of(offset) - self.first) as usize + 1;
                }
                _ => high = middle,
            }
        }
        let from = super::first_of((self.first + low as u64).saturating_sub(1));
        self.iter_from(from).find(|(_, entry)| entry.stored >= time).map(|(offset, _)| offset)
    }

    /// What must hold; the first thing that does not.
    pub(super) fn check_tallies(&self) -> Result<(), String> {
        if self.tallies.len() != self.slots.len() {
            return Err(format!("{} tallies of {} chunks", self.tallies.len(), self.slots.len()));
        }
        for (number, tally) in (self.first..).zip(&self.tallies) {
            let mut counted = Tally::default();
            self.iter_of(number).for_each(|(_, entry)| counted.add(entry.size));
            if counted != *tally {
                return Err(format!("chunk {number} has {counted:?}, counted as {tally:?}"));
            }
        }
        Ok(())
    }
}
