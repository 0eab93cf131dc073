//! Matching: which filters of the trie match a topic name.

use mqtt_types::TopicName;

use super::nodes::ROOT;
use super::{Place, Trie};

/// Room for the nodes in reach and the places found, kept from one match to the next.
///
/// At most all nodes of the trie: each is reached by one way only.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The nodes that the levels so far lead to.
    reached: Vec<u32>,
    next: Vec<u32>,
    /// Places of filters that match.
    found: Vec<Place>,
}

impl Walk {
    /// The places found by the last match.
    pub fn found(&self) -> &[Place] {
        &self.found
    }
}

impl Trie {
    /// Finds the places of all filters that match the topic, always in the same order for the same filters.
    ///
    /// Level by level: the levels that no node is left for are not even looked at. The work is bounded by twice the
    /// nodes that filters share with the topic, however long the topic is.
    pub fn walk(&self, topic: TopicName<'_>, walk: &mut Walk) {
        walk.found.clear();
        walk.reached.clear();
        walk.reached.push(ROOT);
        // A filter that starts with a wildcard does not match a topic that starts with `$`. [MQTT-4.7.2-1]
        let mut wildcards = !topic.is_dollar();
        let text = topic.as_str().as_bytes();
        let mut start = 0;
        while start <= text.len() && !walk.reached.is_empty() {
            let rest = text.get(start..).unwrap_or_default();
            let level =
                rest.get(..memchr::memchr(b'/', rest).unwrap_or(rest.len())).unwrap_or_default();
            self.step(level, wildcards, walk);
            wildcards = true;
            start += level.len() + 1;
        }
        for &number in &walk.reached {
            let node = self.nodes.get(number);
            if !node.here.is_empty() {
                walk.found.push(Place { node: number, hash: false });
            }
            // `a/#` matches `a` as well (MQTT 5.0 §4.7.1.2).
            if !node.hash.is_empty() {
                walk.found.push(Place { node: number, hash: true });
            }
        }
    }

    /// Goes from the nodes reached to those one level further.
    fn step(&self, level: &[u8], wildcards: bool, walk: &mut Walk) {
        let level_hash = self.hash.bytes(level);
        walk.next.clear();
        for &number in &walk.reached {
            let node = self.nodes.get(number);
            if wildcards && !node.hash.is_empty() {
                walk.found.push(Place { node: number, hash: true });
            }
            if node.named() > 0
                && let Some(child) = self.child(number, level, level_hash)
            {
                walk.next.push(child);
            }
            if wildcards && let Some(child) = node.plus() {
                walk.next.push(child);
            }
        }
        std::mem::swap(&mut walk.reached, &mut walk.next);
    }
}
