//! Topic filters with wildcards: a trie with a node per level. It must not know subscribers.
//!
//! ```text
//! a/+/c, a/#, +/b:   root ─ a ─ + ─ c (here)
//!                      │    └ (hash)
//!                      └ + ─ b (here)
//! ```
//! Nodes stand in one slab and name each other by number. The children of all nodes are in one hash table, by parent
//! and level, but for the child `+`, which is a link. A last level `#` is no node: the node before it keeps what the
//! filter leads to. Every node but the root leads somewhere: others are removed at once.

mod check;
mod nodes;
mod walk;

use hashbrown::HashTable;
use mqtt_types::TopicFilter;

use crate::entries::Entries;
use crate::keyed_hash::KeyedHash;
use nodes::{Node, Nodes, ROOT};

pub use walk::Walk;

/// Topic filters with wildcards.
#[derive(Debug)]
pub struct Trie {
    hash: KeyedHash,
    nodes: Nodes,
    /// Every node but the root and the `+`s, by its parent and level.
    named: HashTable<u32>,
}

/// Where a filter's entries are: at a node, or at a node for what is below and at it (`#`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    node: u32,
    hash: bool,
}

impl Trie {
    /// No filters yet.
    pub fn new(hash: KeyedHash) -> Self {
        Self { hash, nodes: Nodes::new(), named: HashTable::new() }
    }

    /// The place of a filter, if some filter has a node there.
    pub fn find(&self, filter: TopicFilter<'_>) -> Option<Place> {
        let mut node = ROOT;
        for level in filter.levels() {
            node = match level {
                "#" => return Some(Place { node, hash: true }),
                "+" => self.nodes.get(node).plus()?,
                level => self.child(node, level.as_bytes(), self.hash.bytes(level.as_bytes()))?,
            };
        }
        Some(Place { node, hash: false })
    }

    /// The place of a filter, with nodes made as needed: the caller puts something there at once.
    pub fn find_or_create(&mut self, filter: TopicFilter<'_>) -> Place {
        let mut node = ROOT;
        for level in filter.levels() {
            node = match level {
                "#" => return Place { node, hash: true },
                "+" => self.nodes.get(node).plus().unwrap_or_else(|| self.create_plus(node)),
                level => {
                    let hash = self.hash.bytes(level.as_bytes());
                    self.child(node, level.as_bytes(), hash)
                        .unwrap_or_else(|| self.create_named(node, level))
                }
            };
        }
        Place { node, hash: false }
    }

    /// What is at a place.
    pub fn entries(&self, place: Place) -> &Entries {
        let node = self.nodes.get(place.node);
        if place.hash { &node.hash } else { &node.here }
    }

    /// What is at a place, to change; after a removal, [`prune`](Self::prune) must follow.
    pub fn entries_mut(&mut self, place: Place) -> &mut Entries {
        let node = self.nodes.get_mut(place.node);
        if place.hash { &mut node.hash } else { &mut node.here }
    }

    /// Removes the node of a place, and those above it, as far as they lead nowhere.
    pub fn prune(&mut self, place: Place) {
        let mut number = place.node;
        while number != ROOT && self.nodes.get(number).leads_nowhere() {
            let node = self.nodes.get(number);
            let parent = node.parent();
            if self.nodes.get(parent).plus() == Some(number) {
                self.nodes.get_mut(parent).set_plus(None);
            } else {
                let hash = self.hash.pair(parent, self.hash.bytes(node.level()));
                let entry = self.named.find_entry(hash, |&other| other == number);
                entry.expect("a node that is no + is in the table").remove();
                self.nodes.get_mut(parent).remove_named();
            }
            self.nodes.remove(number);
            number = parent;
        }
        self.shrink();
    }

    /// The nodes, the root apart.
    pub fn node_count(&self) -> usize {
        self.nodes.len() - 1
    }

    fn create_plus(&mut self, parent: u32) -> u32 {
        let number = self.nodes.insert(Node::new(parent, "+"));
        self.nodes.get_mut(parent).set_plus(Some(number));
        number
    }

    fn create_named(&mut self, parent: u32, level: &str) -> u32 {
        let number = self.nodes.insert(Node::new(parent, level));
        self.nodes.get_mut(parent).add_named();
        self.insert_named(number);
        number
    }

    #[inline]
    fn child(&self, parent: u32, level: &[u8], level_hash: u64) -> Option<u32> {
        let found = self.named.find(self.hash.pair(parent, level_hash), |&number| {
            let node = self.nodes.get(number);
            node.parent() == parent && node.level() == level
        });
        found.copied()
    }

    /// Gives memory back when most of it is unused.
    fn shrink(&mut self) {
        let (few, moved) = (self.named.len() < self.named.capacity() / 8, self.nodes.compact());
        if !few && moved.is_none() {
            return;
        }
        let room = HashTable::with_capacity(self.named.len() * 2);
        let old = std::mem::replace(&mut self.named, room);
        for number in old {
            let number = moved.as_ref().map_or(number, |moved| moved[number as usize]);
            self.insert_named(number);
        }
    }

    fn insert_named(&mut self, number: u32) {
        let (keyed, nodes) = (&self.hash, &self.nodes);
        let hash = |number: u32| {
            let node = nodes.get(number);
            keyed.pair(node.parent(), keyed.bytes(node.level()))
        };
        self.named.insert_unique(hash(number), number, |&other| hash(other));
    }
}

#[cfg(test)]
mod tests;
