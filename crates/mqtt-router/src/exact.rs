//! Topic filters without wildcards: one hash table from the whole filter to what it leads to.
//! It must not know levels.

use hashbrown::HashTable;

use crate::entries::Entries;
use crate::keyed_hash::KeyedHash;

/// Filters without wildcards.
#[derive(Debug)]
pub struct ExactFilters {
    hash: KeyedHash,
    table: HashTable<Exact>,
}

#[derive(Debug)]
struct Exact {
    filter: Box<str>,
    entries: Entries,
}

impl ExactFilters {
    /// No filters yet.
    pub const fn new(hash: KeyedHash) -> Self {
        Self { hash, table: HashTable::new() }
    }

    /// What the filter of that text leads to, if it is there.
    #[inline]
    pub fn get(&self, text: &str) -> Option<&Entries> {
        if self.table.is_empty() {
            return None;
        }
        let hash = self.hash.bytes(text.as_bytes());
        self.table.find(hash, |exact| &*exact.filter == text).map(|exact| &exact.entries)
    }

    /// The same, to change; when nothing is left, [`remove`](Self::remove) must follow.
    pub fn get_mut(&mut self, text: &str) -> Option<&mut Entries> {
        let hash = self.hash.bytes(text.as_bytes());
        self.table.find_mut(hash, |exact| &*exact.filter == text).map(|exact| &mut exact.entries)
    }

    /// What the filter leads to, which may be nothing yet: the caller adds something at once.
    pub fn get_or_create(&mut self, text: &str) -> &mut Entries {
        let keyed = &self.hash;
        let entry = self.table.entry(
            keyed.bytes(text.as_bytes()),
            |exact| &*exact.filter == text,
            |exact| keyed.bytes(exact.filter.as_bytes()),
        );
        let new = || Exact { filter: text.into(), entries: Entries::Empty };
        &mut entry.or_insert_with(new).into_mut().entries
    }

    /// Forgets the filter.
    pub fn remove(&mut self, text: &str) {
        let keyed = &self.hash;
        let hash = keyed.bytes(text.as_bytes());
        if let Ok(found) = self.table.find_entry(hash, |exact| &*exact.filter == text) {
            found.remove();
        }
        if self.table.len() < self.table.capacity() / 8 {
            let room = self.table.len() * 2;
            self.table.shrink_to(room, |exact| keyed.bytes(exact.filter.as_bytes()));
        }
    }

    /// All filters, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entries)> {
        self.table.iter().map(|exact| (&*exact.filter, &exact.entries))
    }
}
