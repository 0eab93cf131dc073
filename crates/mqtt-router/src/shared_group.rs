//! The members of a shared subscription, as a snapshot that a cached route may hold.
//! It must not know which members are connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Subscription;

/// The members of `$share/<name>/<filter>` at one moment, and whose turn it is (MQTT 5.0 §4.8.2).
///
/// Behind an `Arc`: a later join or leave changes a copy if someone holds this one, and the copy takes over the turn.
#[derive(Debug)]
pub struct SharedGroup {
    name: Arc<str>,
    filter: Box<str>,
    members: Vec<Subscription>,
    turn: AtomicU32,
}

impl SharedGroup {
    pub(crate) fn new(name: Arc<str>, filter: &str) -> Self {
        Self { name, filter: filter.into(), members: Vec::new(), turn: AtomicU32::new(0) }
    }

    /// The share name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The topic filter, without `$share/<name>/`.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// The members, in no particular order; there is at least one.
    #[must_use]
    pub fn members(&self) -> &[Subscription] {
        &self.members
    }

    /// Takes a turn: the number to [`pick`](Self::pick) with. Each call gives the next one, from any thread.
    #[must_use]
    pub fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed) as usize
    }

    /// The member whose turn `n` is: `n`, `n + 1`, … go round all members.
    #[must_use]
    pub fn pick(&self, n: usize) -> Option<&Subscription> {
        self.members.get(n.checked_rem(self.members.len())?)
    }

    pub(crate) fn members_mut(&mut self) -> &mut Vec<Subscription> {
        &mut self.members
    }
}

impl Clone for SharedGroup {
    fn clone(&self) -> Self {
        Self {
            name: Arc::clone(&self.name),
            filter: self.filter.clone(),
            members: self.members.clone(),
            turn: AtomicU32::new(self.turn.load(Ordering::Relaxed)),
        }
    }
}
