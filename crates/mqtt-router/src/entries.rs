//! What one topic filter leads to: subscriptions, shared groups, sinks.
//! It must not know the filter's levels, nor where it is kept.

mod group;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use group::Group;

use crate::{Member, SharedGroup, SinkId, SubscriberId, Subscription, SubscriptionOptions};

/// What a filter leads to. Most lead to one subscriber: that takes no memory of its own.
#[derive(Debug, Default)]
pub enum Entries {
    /// Nothing (any more).
    #[default]
    Empty,
    /// One subscriber.
    One(Subscription),
    /// Anything else.
    Many(Box<Many>),
}

/// The lists of a filter that leads to more than one subscriber.
#[derive(Debug, Default)]
pub struct Many {
    /// Ordered, so that a match is in order without sorting, and in a tree, so that the 100,000th subscriber costs
    /// what the first did.
    pub subscribers: BTreeMap<SubscriberId, SubscriptionOptions>,
    /// By share name.
    pub groups: BTreeMap<Arc<str>, Box<Group>>,
    /// In order.
    pub sinks: Vec<SinkId>,
}

impl Entries {
    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Sets a subscriber's options; true if it had none.
    pub fn subscribe(&mut self, new: Subscription) -> bool {
        match self {
            Self::Empty => {
                *self = Self::One(new);
                true
            }
            Self::One(old) if old.subscriber == new.subscriber => {
                *old = new;
                false
            }
            _ => self.many().subscribers.insert(new.subscriber, new.options).is_none(),
        }
    }

    /// Removes a subscriber; false if it was not there.
    pub fn unsubscribe(&mut self, subscriber: SubscriberId) -> bool {
        match self {
            Self::Empty => false,
            Self::One(one) if one.subscriber == subscriber => {
                *self = Self::Empty;
                true
            }
            Self::One(_) => false,
            Self::Many(many) => {
                let was_there = many.subscribers.remove(&subscriber).is_some();
                self.shrink();
                was_there
            }
        }
    }

    /// Sets a member's options in a group of that name, which is made if need be.
    pub fn join(&mut self, name: &str, filter: &str, new: Member) -> Joined {
        let groups = &mut self.many().groups;
        if let Some(group) = groups.get_mut(name) {
            return if group.join(new) { Joined::Member } else { Joined::Replaced };
        }
        let name: Arc<str> = name.into();
        let mut group = Box::new(Group::new(Arc::clone(&name), filter));
        group.join(new);
        groups.insert(name, group);
        Joined::First
    }

    /// Removes a member of a group, and with the last one the group.
    pub fn leave(&mut self, name: &str, subscriber: SubscriberId) -> Left {
        let Self::Many(many) = self else { return Left::NotThere };
        let Some(group) = many.groups.get_mut(name) else { return Left::NotThere };
        if !group.leave(subscriber) {
            return Left::NotThere;
        }
        if !group.shared().members().is_empty() {
            return Left::Member;
        }
        many.groups.remove(name);
        self.shrink();
        Left::Last
    }

    /// Adds a sink; false if it was there.
    pub fn bind(&mut self, sink: SinkId) -> bool {
        let sinks = &mut self.many().sinks;
        match sinks.binary_search(&sink) {
            Ok(_) => false,
            Err(place) => {
                sinks.insert(place, sink);
                true
            }
        }
    }

    /// Removes a sink; false if it was not there.
    pub fn unbind(&mut self, sink: SinkId) -> bool {
        let Self::Many(many) = self else { return false };
        let Ok(place) = many.sinks.binary_search(&sink) else { return false };
        many.sinks.remove(place);
        self.shrink();
        true
    }

    /// Calls with each subscription, in the order of subscribers.
    #[inline]
    pub fn each_subscription(&self, mut call: impl FnMut(Subscription)) {
        match self {
            Self::Empty => {}
            Self::One(one) => call(*one),
            Self::Many(many) => {
                for (&subscriber, &options) in &many.subscribers {
                    call(Subscription { subscriber, options });
                }
            }
        }
    }

    /// The shared group of that name.
    pub fn group(&self, name: &str) -> Option<&Arc<SharedGroup>> {
        match self {
            Self::Many(many) => many.groups.get(name).map(|group| group.shared()),
            _ => None,
        }
    }

    /// The shared groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<SharedGroup>> {
        let many = match self {
            Self::Many(many) => Some(many),
            _ => None,
        };
        many.into_iter().flat_map(|many| many.groups.values().map(|group| group.shared()))
    }

    /// The sinks, in order.
    pub fn sinks(&self) -> &[SinkId] {
        match self {
            Self::Many(many) => &many.sinks,
            _ => &[],
        }
    }

    fn many(&mut self) -> &mut Many {
        if !matches!(self, Self::Many(_)) {
            let mut many = Box::<Many>::default();
            self.each_subscription(|one| {
                many.subscribers.insert(one.subscriber, one.options);
            });
            *self = Self::Many(many);
        }
        match self {
            Self::Many(many) => many,
            _ => unreachable!("it was made so above"),
        }
    }

    /// Goes back to the small forms when one subscriber or nothing is left.
    fn shrink(&mut self) {
        let Self::Many(many) = self else { return };
        if !many.groups.is_empty() || !many.sinks.is_empty() || many.subscribers.len() > 1 {
            return;
        }
        *self = match many.subscribers.pop_first() {
            Some((subscriber, options)) => Self::One(Subscription { subscriber, options }),
            None => Self::Empty,
        };
    }
}

/// What a join did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Joined {
    /// It made the group.
    First,
    /// It added a member.
    Member,
    /// It replaced the options of a member.
    Replaced,
}

/// What a leave did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// It removed the group with its last member.
    Last,
    /// It removed a member.
    Member,
    /// There was no such member.
    NotThere,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscriber_takes_two_words() {
        assert_eq!(size_of::<Entries>(), 16);
    }
}
