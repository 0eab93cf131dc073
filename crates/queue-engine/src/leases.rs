//! What is in flight: which message is at which consumer, since when. It must not know why, or what comes next.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use stdx::Instant;

use crate::Offset;
use crate::consumers::ConsumerSlot;
use crate::links::{Links, List};

/// One message at one consumer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lease {
    pub(crate) offset: Offset,
    pub(crate) consumer: ConsumerSlot,
    /// Deliveries that counted before this one.
    pub(crate) attempts: u32,
    pub(crate) granted: Instant,
}

impl Lease {
    /// Which delivery it is, from 1 on.
    pub(crate) const fn attempt(&self) -> u32 {
        self.attempts.saturating_add(1)
    }
}

/// All leases: by offset, by consumer, and by age.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    places: HashMap<Offset, u32, FixedState>,
    slab: Vec<Lease>,
    free: Vec<u32>,
    by_age: List,
    age_links: Links,
    consumer_links: Links,
}

impl Leases {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn get(&self, offset: Offset) -> Option<&Lease> {
        self.places.get(&offset).map(|place| &self.slab[*place as usize])
    }

    /// Grants a lease, no older than any other; `held` is the list of its consumer.
    pub(crate) fn grant(&mut self, lease: Lease, held: &mut List) {
        let place = if let Some(place) = self.free.pop() {
            self.slab[place as usize] = lease;
            place
        } else {
            self.slab.push(lease);
            (self.slab.len() - 1) as u32
        };
        self.places.insert(lease.offset, place);
        self.age_links.push_back(&mut self.by_age, place);
        self.consumer_links.push_back(held, place);
    }

    /// Ends a lease; `held` is the list of its consumer.
    pub(crate) fn end(&mut self, offset: Offset, held: &mut List) -> Option<Lease> {
        let place = self.places.remove(&offset)?;
        self.age_links.remove(&mut self.by_age, place);
        self.consumer_links.remove(held, place);
        self.free.push(place);
        Some(self.slab[place as usize])
    }

    /// The oldest lease.
    pub(crate) fn oldest(&self) -> Option<&Lease> {
        self.by_age.first().map(|place| &self.slab[place as usize])
    }

    /// The oldest lease in a consumer's list.
    pub(crate) fn first_of(&self, held: List) -> Option<&Lease> {
        held.first().map(|place| &self.slab[place as usize])
    }

    /// All leases, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.age_links.iter(self.by_age).map(|place| &self.slab[place as usize])
    }

    /// The leases in a consumer's list, the oldest first.
    pub(crate) fn iter_of(&self, held: List) -> impl Iterator<Item = &Lease> {
        self.consumer_links.iter(held).map(|place| &self.slab[place as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_end_in_any_order_and_their_places_are_taken_anew() {
        let mut leases = Leases::default();
        let mut held = [List::default(); 2];
        let lease = |offset: u64| Lease {
            offset: Offset(offset),
            consumer: ConsumerSlot((offset % 2) as u32),
            attempts: 0,
            granted: Instant::from_nanos(offset),
        };
        let offsets = |leases: &mut dyn Iterator<Item = &Lease>| -> Vec<u64> {
            leases.map(|lease| lease.offset.0).collect()
        };
        for round in 0..100 {
            let first = round * 6;
            for offset in first..first + 6 {
                leases.grant(lease(offset), &mut held[(offset % 2) as usize]);
            }
            let ended = leases.end(Offset(first + 2), &mut held[(first % 2) as usize]);
            assert_eq!(ended, Some(lease(first + 2)));
            assert_eq!(leases.end(Offset(first + 2), &mut held[(first % 2) as usize]), None);
            let left = [0, 1, 3, 4, 5].map(|n| first + n);
            assert_eq!(offsets(&mut leases.iter()), left);
            assert_eq!(offsets(&mut leases.iter_of(held[1])), [first + 1, first + 3, first + 5]);
            assert_eq!(leases.oldest(), Some(&lease(first)));
            assert_eq!(leases.first_of(held[1]), Some(&lease(first + 1)));
            for offset in left {
                leases.end(Offset(offset), &mut held[(offset % 2) as usize]);
            }
        }
        assert_eq!((leases.len(), leases.slab.len()), (0, 6));
    }
}
