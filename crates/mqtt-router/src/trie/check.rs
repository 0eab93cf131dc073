//! The trie's own invariants, and its filters as texts. It must not change anything.

use std::collections::HashSet;

use super::nodes::ROOT;
use super::{Place, Trie};
use crate::entries::Entries;

impl Trie {
    /// All filters that lead somewhere, in no order.
    pub fn filters(&self) -> impl Iterator<Item = (String, &Entries)> {
        let here = self.live().into_iter().map(|node| Place { node, hash: false });
        let below = self.live().into_iter().chain([ROOT]).map(|node| Place { node, hash: true });
        here.chain(below)
            .filter(|&place| !self.entries(place).is_empty())
            .map(|place| (self.filter_at(place), self.entries(place)))
    }

    /// Whether nodes, links and table agree.
    pub fn check(&self) -> Result<(), String> {
        let live = self.live();
        let distinct: HashSet<u32> = live.iter().copied().collect();
        if distinct.len() != live.len() || live.len() != self.node_count() {
            return Err(format!(
                "{} nodes are linked, there are {}",
                live.len(),
                self.node_count()
            ));
        }
        let mut named = vec![0; live.iter().max().map_or(1, |&most| most as usize + 1)];
        for &number in &self.named {
            let node = self.nodes.get(number);
            if let Some(count) = named.get_mut(node.parent() as usize) {
                *count += 1;
            }
            let hash = self.hash.bytes(node.level());
            if self.child(node.parent(), node.level(), hash) != Some(number) {
                return Err(format!("node {number} is not where its parent looks for it"));
            }
        }
        for &number in live.iter().chain([&ROOT]) {
            let node = self.nodes.get(number);
            if named.get(number as usize) != Some(&node.named()) {
                return Err(format!("node {number} has counted its children wrong"));
            }
            if number != ROOT && node.leads_nowhere() {
                return Err(format!("node {number} leads nowhere"));
            }
            if let Some(plus) = node.plus()
                && (self.nodes.get(plus).parent() != number || self.nodes.get(plus).level() != b"+")
            {
                return Err(format!("node {plus} is not the '+' of {number}"));
            }
        }
        Ok(())
    }

    /// The nodes that are linked, the root apart.
    fn live(&self) -> Vec<u32> {
        let mut live: Vec<u32> = self.named.iter().copied().collect();
        live.extend(self.nodes.get(ROOT).plus());
        let mut at = 0;
        while let Some(&number) = live.get(at) {
            live.extend(self.nodes.get(number).plus());
            at += 1;
        }
        live
    }

    fn filter_at(&self, place: Place) -> String {
        let mut levels = Vec::new();
        if place.hash {
            levels.push("#".into());
        }
        let mut number = place.node;
        while number != ROOT {
            let node = self.nodes.get(number);
            levels.push(String::from_utf8_lossy(node.level()));
            number = node.parent();
        }
        levels.reverse();
        levels.join("/")
    }
}
