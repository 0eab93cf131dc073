//! A shared group as its filter keeps it: the snapshot for routes, and where each member stands in it.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::{Member, SharedGroup, SubscriberId};

/// A shared group. Joining and leaving take constant time, but for the copy when a route holds the snapshot.
#[derive(Debug)]
pub struct Group {
    shared: Arc<SharedGroup>,
    /// The place of each member. Keyed by numbers that clients do not choose, so a plain hash does.
    places: HashMap<SubscriberId, usize, FixedState>,
}

impl Group {
    /// A group without members, to be joined at once.
    pub fn new(name: Arc<str>, filter: &str) -> Self {
        let shared = Arc::new(SharedGroup::new(name, filter));
        Self { shared, places: HashMap::with_hasher(FixedState::default()) }
    }

    /// The snapshot.
    pub const fn shared(&self) -> &Arc<SharedGroup> {
        &self.shared
    }

    /// Sets a member's options; true if it was none yet.
    pub fn join(&mut self, new: Member) -> bool {
        let members = Arc::make_mut(&mut self.shared).members_mut();
        let place = self.places.get(&new.subscriber).copied();
        match place.and_then(|place| members.get_mut(place)) {
            Some(member) => {
                *member = new;
                false
            }
            None => {
                self.places.insert(new.subscriber, members.len());
                members.push(new);
                true
            }
        }
    }

    /// Removes a member; false if it was none.
    pub fn leave(&mut self, subscriber: SubscriberId) -> bool {
        let Some(place) = self.places.remove(&subscriber) else { return false };
        let members = Arc::make_mut(&mut self.shared).members_mut();
        members.swap_remove(place);
        if let Some(moved) = members.get(place) {
            self.places.insert(moved.subscriber, place);
        }
        true
    }

    /// Whether every member stands where the index says.
    pub fn is_consistent(&self) -> bool {
        let members = self.shared.members();
        members.len() == self.places.len()
            && members
                .iter()
                .enumerate()
                .all(|(place, member)| self.places.get(&member.subscriber) == Some(&place))
    }
}
