//! Which consumer holds which message since when. It must not know what a lease leads to.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use stdx::Instant;

use crate::dispatch::Slot;
use crate::ids::Offset;

const NONE: u32 = u32::MAX;

/// Which list: all leases by age, or those of one consumer.
const AGE: usize = 0;
const HOLDER: usize = 1;

/// One message at one consumer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) offset: Offset,
    pub(crate) holder: Slot,
    pub(crate) granted: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Links {
    previous: u32,
    next: u32,
}

#[derive(Debug)]
struct Place {
    lease: Lease,
    links: [Links; 2],
}

/// All leases, found by offset, by age and by holder, each in constant time.
///
/// Places are reused, so that steady work allocates nothing.
#[derive(Debug)]
pub(crate) struct Leases {
    by_offset: HashMap<Offset, u32, FixedState>,
    places: Vec<Place>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    /// The last lease of each consumer.
    of_holder: Vec<u32>,
}

impl Default for Leases {
    fn default() -> Self {
        Self {
            by_offset: HashMap::with_hasher(FixedState::default()),
            places: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
            of_holder: Vec::new(),
        }
    }
}

impl Leases {
    pub(crate) fn len(&self) -> usize {
        self.by_offset.len()
    }

    /// Adds a lease; none on that offset stands, and none is younger.
    pub(crate) fn grant(&mut self, lease: Lease) {
        if self.of_holder.len() <= lease.holder as usize {
            self.of_holder.resize(lease.holder as usize + 1, NONE);
        }
        let of_holder = self.of_holder[lease.holder as usize];
        let links = [Links { previous: self.newest, next: NONE }, Links { previous: of_holder, next: NONE }];
        let place = Place { lease, links };
        let id = match self.free.pop() {
            Some(id) => {
                self.places[id as usize] = place;
                id
            }
            None => {
                self.places.push(place);
                (self.places.len() - 1) as u32
            }
        };
        match self.newest {
            NONE => self.oldest = id,
            newest => self.places[newest as usize].links[AGE].next = id,
        }
        self.newest = id;
        if of_holder != NONE {
            self.places[of_holder as usize].links[HOLDER].next = id;
        }
        self.of_holder[lease.holder as usize] = id;
        self.by_offset.insert(lease.offset, id);
    }

    /// Who holds the message.
    pub(crate) fn holder(&self, offset: Offset) -> Option<Slot> {
        self.by_offset.get(&offset).map(|&id| self.places[id as usize].lease.holder)
    }

    /// Ends the lease on that message, if there is one, and if `holder` is not another's.
    pub(crate) fn end(&mut self, offset: Offset, holder: Slot) -> Option<Lease> {
        let id = *self.by_offset.get(&offset)?;
        let lease = self.places[id as usize].lease;
        if lease.holder != holder {
            return None;
        }
        self.by_offset.remove(&offset);
        let Links { previous, next } = self.unlink(id, AGE);
        if previous == NONE {
            self.oldest = next;
        }
        if next == NONE {
            self.newest = previous;
        }
        let Links { previous, next } = self.unlink(id, HOLDER);
        if next == NONE {
            self.of_holder[lease.holder as usize] = previous;
        }
        self.free.push(id);
        Some(lease)
    }

    fn unlink(&mut self, id: u32, list: usize) -> Links {
        let links = self.places[id as usize].links[list];
        if links.previous != NONE {
            self.places[links.previous as usize].links[list].next = links.next;
        }
        if links.next != NONE {
            self.places[links.next as usize].links[list].previous = links.previous;
        }
        links
    }

    /// The lease that has lasted longest.
    pub(crate) fn oldest(&self) -> Option<Lease> {
        self.places.get(self.oldest as usize).map(|place| place.lease)
    }

    /// All leases, the oldest first.
    pub(crate) fn by_age(&self) -> impl Iterator<Item = Lease> + '_ {
        let mut id = self.oldest;
        std::iter::from_fn(move || {
            let place = self.places.get(id as usize)?;
            id = place.links[AGE].next;
            Some(place.lease)
        })
    }

    /// What a consumer holds, the newest first.
    pub(crate) fn of(&self, holder: Slot) -> impl Iterator<Item = Lease> + '_ {
        let mut id = self.of_holder.get(holder as usize).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let place = self.places.get(id as usize)?;
            id = place.links[HOLDER].previous;
            Some(place.lease)
        })
    }
}
