//! The nodes of the trie and the slab they stand in.

use smallvec::SmallVec;

use crate::entries::Entries;

/// The number of the root, which is always there and no one's child.
pub const ROOT: u32 = 0;

/// Fewer slots than that are kept whatever is free of them.
const COMPACT_MIN: usize = 256;

/// One level of some filters.
#[derive(Debug)]
pub struct Node {
    /// What the filter that ends here leads to.
    pub here: Entries,
    /// What the filter leads to that ends in `#` after here.
    pub hash: Entries,
    /// The level's text; as many bytes inline as cost nothing over the pointer to them.
    level: SmallVec<[u8; 16]>,
    /// The parent; of a free node, the next free one.
    parent: u32,
    /// The child `+`; the root's number if there is none.
    plus: u32,
    /// How many other children there are.
    named: u32,
}

impl Node {
    /// A node that leads nowhere yet.
    pub fn new(parent: u32, level: &str) -> Self {
        Self {
            here: Entries::Empty,
            hash: Entries::Empty,
            level: SmallVec::from_slice(level.as_bytes()),
            parent,
            plus: ROOT,
            named: 0,
        }
    }

    /// Whether no filter needs it.
    pub const fn leads_nowhere(&self) -> bool {
        self.here.is_empty() && self.hash.is_empty() && self.plus == ROOT && self.named == 0
    }

    /// The node above.
    pub const fn parent(&self) -> u32 {
        self.parent
    }

    /// The level's text.
    pub fn level(&self) -> &[u8] {
        &self.level
    }

    /// The child `+`.
    pub const fn plus(&self) -> Option<u32> {
        if self.plus == ROOT { None } else { Some(self.plus) }
    }

    /// How many children there are but for the `+`.
    pub const fn named(&self) -> u32 {
        self.named
    }

    /// Links the child `+`, or unlinks it.
    pub fn set_plus(&mut self, plus: Option<u32>) {
        self.plus = plus.unwrap_or(ROOT);
    }

    /// Counts a child.
    pub fn add_named(&mut self) {
        self.named += 1;
    }

    /// Counts a child off.
    pub fn remove_named(&mut self) {
        self.named -= 1;
    }
}

/// A slab of nodes, the root always among them.
#[derive(Debug)]
pub struct Nodes {
    slots: Vec<Node>,
    /// The first free slot; the root's number if there is none.
    free: u32,
    free_count: usize,
}

impl Nodes {
    /// The root alone.
    pub fn new() -> Self {
        Self { slots: vec![Node::new(ROOT, "")], free: ROOT, free_count: 0 }
    }

    /// The nodes there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free_count
    }

    /// The node of that number.
    #[inline]
    pub fn get(&self, number: u32) -> &Node {
        &self.slots[number as usize]
    }

    /// The node of that number, to change.
    #[inline]
    pub fn get_mut(&mut self, number: u32) -> &mut Node {
        &mut self.slots[number as usize]
    }

    /// Adds a node.
    pub fn insert(&mut self, node: Node) -> u32 {
        if self.free != ROOT {
            let number = self.free;
            self.free = self.get(number).parent;
            self.free_count -= 1;
            *self.get_mut(number) = node;
            return number;
        }
        if self.slots.len() == self.slots.capacity() {
            // By half, not twofold: the slack counts in the memory that a filter takes.
            self.slots.reserve_exact((self.slots.len() / 2).max(16));
        }
        let number = u32::try_from(self.slots.len()).expect("2^32 nodes would take 300 GB");
        self.slots.push(node);
        number
    }

    /// Removes a node, which must not be the root.
    pub fn remove(&mut self, number: u32) {
        let free = self.free;
        let node = self.get_mut(number);
        *node = Node::new(free, "");
        self.free = number;
        self.free_count += 1;
    }

    /// Gives memory back when most slots are free: moves the nodes together, and returns the new number of each old
    /// one. So rarely that a removal pays for a constant share of it.
    pub fn compact(&mut self) -> Option<Vec<u32>> {
        if self.slots.len() < COMPACT_MIN || self.len() > self.slots.len() / 4 {
            return None;
        }
        let mut moved = vec![Some(ROOT); self.slots.len()];
        while self.free != ROOT {
            moved[self.free as usize] = None;
            self.free = self.get(self.free).parent;
        }
        let mut numbers = 0..;
        for number in moved.iter_mut().flatten() {
            *number = numbers.next().expect("there are less than 2^32 nodes");
        }
        let moved: Vec<u32> = moved.into_iter().map(|number| number.unwrap_or(ROOT)).collect();
        let mut slots = Vec::with_capacity(self.len() + self.len() / 2);
        for (old, mut node) in std::mem::take(&mut self.slots).into_iter().enumerate() {
            if old == 0 || moved[old] != ROOT {
                node.parent = moved[node.parent as usize];
                node.plus = moved[node.plus as usize];
                slots.push(node);
            }
        }
        (self.slots, self.free_count) = (slots, 0);
        Some(moved)
    }

    /// The slots there is memory for.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }
}
