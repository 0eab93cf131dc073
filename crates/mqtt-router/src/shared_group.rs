//! The members of a shared subscription, as a snapshot that a cached route may hold.
//! It must not know which members are connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::{SubscriberId, SubscriptionOptions};

/// What is known of a member from any thread, for whoever picks one. The owner of the subscriber keeps it current; the
/// router only hands it on.
#[derive(Debug, Default)]
pub struct MemberState {
    load: AtomicU32,
    room: AtomicU32,
}

impl MemberState {
    /// How much the member has to do.
    #[must_use]
    pub fn load(&self) -> u32 {
        self.load.load(Ordering::Relaxed)
    }

    /// The owner says how much that is.
    pub fn set_load(&self, load: u32) {
        self.load.store(load, Ordering::Relaxed);
    }

    /// Who picks the member counts what is on its way there, until the owner says how much there is.
    pub fn add_load(&self) {
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    /// What the owner said last by [`Self::set_room`]; 0 at first.
    #[must_use]
    pub fn room(&self) -> u32 {
        self.room.load(Ordering::Relaxed)
    }

    /// The owner says how much the member takes, in a form that whoever picks understands.
    pub fn set_room(&self, room: u32) {
        self.room.store(room, Ordering::Relaxed);
    }
}

/// A member of a shared group.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub subscriber: SubscriberId,
    /// How.
    pub options: SubscriptionOptions,
    /// What is known of it.
    pub state: Arc<MemberState>,
}

impl Member {
    /// A member of which nothing is known yet.
    #[must_use]
    pub fn new(subscriber: SubscriberId, options: SubscriptionOptions) -> Self {
        Self { subscriber, options, state: Arc::default() }
    }
}

/// The members of `$share/<name>/<filter>` at one moment, and whose turn it is (MQTT 5.0 §4.8.2).
///
/// Behind an `Arc`: a later join or leave changes a copy if someone holds this one, and the copy takes over the turn.
#[derive(Debug)]
pub struct SharedGroup {
    name: Arc<str>,
    filter: Box<str>,
    members: Vec<Member>,
    turn: AtomicU32,
    active: AtomicU64,
}

impl SharedGroup {
    pub(crate) fn new(name: Arc<str>, filter: &str) -> Self {
        Self {
            name,
            filter: filter.into(),
            members: Vec::new(),
            turn: AtomicU32::new(0),
            active: AtomicU64::new(u64::MAX),
        }
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
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Takes a turn: the number to [`pick`](Self::pick) with. Each call gives the next one, from any thread.
    #[must_use]
    pub fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed) as usize
    }

    /// Passes over so many turns, of members that were not picked though it was theirs.
    pub fn skip_turns(&self, count: usize) {
        self.turn.fetch_add(count as u32, Ordering::Relaxed);
    }

    /// The member whose turn `n` is: `n`, `n + 1`, … go round all members.
    #[must_use]
    pub fn pick(&self, n: usize) -> Option<&Member> {
        self.members.get(n.checked_rem(self.members.len())?)
    }

    /// The member that was made the only one to be picked. It may have left since.
    #[must_use]
    pub fn active(&self) -> SubscriberId {
        SubscriberId(self.active.load(Ordering::Relaxed))
    }

    /// Makes another member the only one; gives the one that is it now, which is another one when two threads did so at
    /// once.
    pub fn replace_active(&self, old: SubscriberId, new: SubscriberId) -> SubscriberId {
        let order = Ordering::Relaxed;
        match self.active.compare_exchange(old.0, new.0, order, order) {
            Ok(_) => new,
            Err(other) => SubscriberId(other),
        }
    }

    pub(crate) const fn members_mut(&mut self) -> &mut Vec<Member> {
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
            active: AtomicU64::new(self.active.load(Ordering::Relaxed)),
        }
    }
}
